"""Which arithmetic a path is expected to be cheaper in: residuals of rows, or Gram matrices.

A Gram matrix costs about n q^2 / 2 multiplications for dense columns, n for every pair of
factors, and then sweeps do not touch rows any more. Residual updates pay for every visit of a
block, and for every check, with its rows.
"""

from __future__ import annotations

from grpsparse.problem import Problem

__all__ = ["by_gram", "by_moments"]

FEW_COLUMNS = 150  # dense or sparse columns whose Gram matrix is a fraction of a path's passes
FEW_FACTORS = 64  # the same for factors, whose pairs count
FEW_COORDINATES = 5000  # beyond this a Gram matrix is too large to sweep over
WEIGHTED_COLUMNS = 60  # dense columns whose Gram matrix may be taken at every Newton step
LITTLE_WORK = 1e6  # multiplications that take less time than the rest of a Newton step
SMALL = 150  # coordinates of which a weighted Gram matrix is always small
ROWS_SHARE = 0.05  # of the rows: fewer coordinates than this have small tables
MOST_BYTES = 1e9  # of the Gram matrices of all replicates


def by_moments(problem: Problem) -> bool:
    """Return whether a problem's Gram matrix is the same everywhere, and of one response."""
    return problem.data.family.hessian == "constant" and problem.n_outputs == 1


def by_gram(problem: Problem, n_replicates: int) -> bool:
    """Return whether Gram matrices are expected to be cheaper for sets of weights of a problem."""
    coordinates = problem.coordinates
    design = coordinates.design
    n, size = design.shape[0], coordinates.size
    factors = 0 if design.factors is None else design.factors.codes.shape[0]
    columns = design.shape[1] - (0 if design.factors is None else design.factors.shape[1])
    if size > FEW_COORDINATES or factors > FEW_FACTORS:
        return False
    work = max(1, columns + factors)
    if factors and float(size) ** 2 > 8.0 * n * work:
        return False
    if by_moments(problem):
        return columns <= FEW_COLUMNS and 8.0 * size**2 * n_replicates <= MOST_BYTES
    pairs = 0.5 * (problem.n_outputs + 1)
    few = columns * pairs <= WEIGHTED_COLUMNS or n * float(columns) ** 2 * pairs <= LITTLE_WORK
    return few and size * pairs <= max(SMALL, ROWS_SHARE * n)
