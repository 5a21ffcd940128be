"""Which groups to look at: strong rules before, bounds and optimality conditions after.

Before: the sequential strong rule keeps a group for lambda if zero would not be optimal for it
at 2 lambda - lambda_previous. It can be wrong, so every group that was not swept is checked
afterwards, and joins when it violates the conditions.

After: a dual point r is projected on a bank of earlier ones whose correlations are known,
r = sum_k a_k r_k + e. Then ||Z_g'W r|| <= ||sum_k a_k Z_g'W r_k|| + sigma_g ||e||_W with
sigma_g the largest singular value of W^(1/2) Z_g, which costs no product with X and clears
most groups for good. The others are evaluated where they are; where they are too many, all
are, and r joins the bank.

Reference: Tibshirani et al. (2012), doi:10.1111/j.1467-9868.2011.01004.x, for strong rules.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grpsparse.backend import segment_sums
from grpsparse.design import Standardised
from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.problem import Problem

__all__ = ["Look", "Reach", "Screen"]

BANK = 4  # references kept
FULL_ABOVE = 0.2  # share of the coordinates at which all are evaluated
BATCH = 200  # groups whose columns are gathered at a time
ROUNDED_UP = 1.0 + 1e-9
SLACK = 1e-10  # relative, for rounding in the projection


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of all correlations before any product with X.

    Parameters
    ----------
    dual : ndarray of shape (n, K)
    needed : ndarray of int
        Groups to evaluate; all others are proven to be optimal at zero.
    full : bool
        Whether all groups are to be evaluated.
    """

    dual: FloatArray
    needed: IntArray
    full: bool


class Reach:
    """Bounds on the largest singular values sigma_g of W^(1/2) Z_g, tightened on demand.

    They start as Frobenius norms, exact for orthonormal groups and single columns.

    Parameters
    ----------
    coordinates : Standardised
    weights : ndarray of shape (n,)

    Attributes
    ----------
    values : ndarray of shape (G,)
    """

    def __init__(self, coordinates: Standardised, weights: FloatArray) -> None:
        self._coordinates, self._weights = coordinates, weights
        squares = coordinates.squares(weights)
        frobenius = np.sqrt(segment_sums(squares, coordinates.starts))
        exact = coordinates.orthonormal | (np.diff(coordinates.starts) < 2)
        self._exact: BoolArray = exact
        self.values = np.where(coordinates.orthonormal, 1.0, frobenius) * ROUNDED_UP

    def tighten(self, groups: IntArray) -> None:
        """Replace the bounds of some groups by the norms of their Gram matrices."""
        groups = groups[~self._exact[groups]]
        if not groups.size:
            return
        self._exact[groups] = True
        sizes = np.diff(self._coordinates.starts)[groups]
        for size in np.unique(sizes):
            same = groups[sizes == size]
            for start in range(0, same.size, BATCH):
                some = same[start : start + BATCH]
                rows = self._coordinates.working_rows(self._coordinates.coordinates_of(some))
                block = rows.reshape(some.size, size, -1)
                gram = (block * self._weights) @ block.transpose(0, 2, 1)
                largest = np.linalg.eigvalsh(gram)[:, -1]
                self.values[some] = np.sqrt(np.maximum(largest, 0.0)) * ROUNDED_UP


class Screen:
    """What is known of the correlations of one problem along a path.

    Parameters
    ----------
    problem : Problem
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._duals: list[FloatArray] = []
        self._known: list[FloatArray] = []
        self._moments = np.empty((0, 0))
        self._reach = Reach(problem.coordinates, problem.data.weights)
        self.correlation = problem.start.correlation
        self._remember(problem.start.dual, self.correlation)

    def look(self, dual: FloatArray, lambda_: float, swept: BoolArray) -> Look:
        """Estimate all correlations of a dual point, and clear the groups that are bounded."""
        problem = self._problem
        share, left = self._project(dual)
        correlation = share[0] * self._known[0]
        for each, known in zip(share[1:], self._known[1:], strict=True):
            correlation += each * known
        self.correlation = correlation
        excess = problem.blocks.excess(problem.penalty, correlation, lambda_)
        worst = excess.max(axis=1) + SLACK * lambda_ * problem.blocks.weight
        doubtful = worst + self._reach.values * left > 0
        self._reach.tighten(np.flatnonzero(doubtful & ~swept))
        needed = swept | (worst + self._reach.values * left > 0)
        columns = np.diff(problem.blocks.starts) @ needed
        full = bool(columns > FULL_ABOVE * correlation.shape[0] + swept_columns(problem, swept))
        return Look(dual, np.flatnonzero(needed), full)

    def complete(self, look: Look, correlation: FloatArray) -> None:
        """Take in all correlations of a look (q, K), or those of the groups it needed."""
        if look.full:
            self.correlation = correlation
            self._remember(look.dual, correlation)
            return
        self.correlation[self._problem.blocks.rows(look.needed)] = correlation

    def kept(self, lambda_: float, previous: float) -> BoolArray:
        """Return the groups that the strong rule keeps for lambda, (G,)."""
        problem = self._problem
        at = max(0.0, 2.0 * lambda_ - previous)
        return ~problem.blocks.zero_is_optimal(problem.penalty, self.correlation, at)

    def _project(self, dual: FloatArray) -> tuple[FloatArray, float]:
        """Return the coefficients on the bank, and the W-norm of what is left."""
        data = self._problem.data
        weighted = data.weights[:, None] * dual
        products = np.array([np.vdot(each, weighted) for each in self._duals])
        share = np.linalg.lstsq(self._moments, products, rcond=1e-14)[0]
        left = dual - share[0] * self._duals[0]
        for each, known in zip(share[1:], self._duals[1:], strict=True):
            left -= each * known
        return share, float(np.sqrt(data.mean(np.square(left).sum(axis=1))))

    def _remember(self, dual: FloatArray, correlation: FloatArray) -> None:
        """Put a dual point in the bank, in place of the oldest where it is full."""
        self._duals = [*self._duals, dual][-BANK:]
        self._known = [*self._known, correlation][-BANK:]
        weights = self._problem.data.weights[:, None]
        newest = [float(np.vdot(each, weights * dual)) for each in self._duals]
        size = len(newest)
        moments = np.empty((size, size))
        moments[:-1, :-1] = self._moments[1 - size :, 1 - size :] if size > 1 else 0.0
        moments[-1] = moments[:, -1] = newest
        self._moments = moments


def swept_columns(problem: Problem, swept: BoolArray) -> float:
    """Return the number of coordinates of the groups that were swept."""
    return float(np.diff(problem.blocks.starts) @ swept)
