"""The path: solutions for decreasing lambda, each started from the last and certified.

Sets of weights (a fit and its folds, say) go through lambda in lockstep: each is solved on its
own working set, by threads where there are several, and the products with X that their checks
need are taken together. For every lambda the groups kept by the strong rule are swept, all
others are bounded or checked with the exact conditions, and the point's certificate decides
whether more accuracy is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import methodcaller

import numpy as np

from grpsparse.errors import OptionError
from grpsparse.families import ScaleFamily
from grpsparse.groups import FloatArray
from grpsparse.overlap_track import OverlapTrack
from grpsparse.problem import Problem, moments_of
from grpsparse.reach import CommonReach
from grpsparse.record import Grid, Path, Point, collect
from grpsparse.solvers import Solver, Store, by_gram, by_moments
from grpsparse.threads import each_of
from grpsparse.track import How, Track

__all__ = ["Grid", "Path", "fit_path", "fit_paths"]

SATURATED = 0.999  # share of the null deviance explained at which an automatic path stops
NO_GAIN = 1e-5  # relative gain of a step below which it stops
FIRST_POINTS = 5  # an automatic path is at least this long


def fit_path(
    problem: Problem,
    grid: Grid,
    *,
    solver: Solver,
    tol: float,
    on_point: Callable[[], None] | None = None,
) -> Path:
    """Solve one problem along a grid of lambda; see :func:`fit_paths`."""
    return fit_paths([problem], grid, solver=solver, tol=tol, on_point=on_point)[0]


def fit_paths(
    problems: Sequence[Problem],
    grid: Grid,
    *,
    solver: Solver,
    tol: float,
    on_point: Callable[[], None] | None = None,
) -> list[Path]:
    """Solve problems of one design under several sets of weights along a grid of lambda.

    Parameters
    ----------
    problems : sequence of Problem
        Of the same design; the first decides where an automatic path stops.
    grid : Grid
    solver : Solver
    tol : float
        Bound on every point's certificate.
    on_point : callable, optional
        Called after every point, for a progress bar.

    Returns
    -------
    list of Path
        One for each problem, all of one length.

    Raises
    ------
    OptionError
        A problem that the solver does not support.
    """
    for problem in problems:
        refusal = solver.supports(problem)
        if refusal is not None:
            raise OptionError(f"solver={solver.name!r} cannot fit this: {refusal}")
    first = float(grid.values[0])
    arithmetic = _arithmetic(solver, problems)
    gram, gathered = arithmetic == "gram", arithmetic == "residual"
    exact = gram and by_moments(problems[0])
    moments = moments_of(problems) if exact else [None] * len(problems)
    store = Store(problems[0]) if gathered else None
    overlapping = problems[0].penalty.overlapping
    shared = len(problems) > 1 and not gram and not overlapping
    reach = CommonReach(problems) if shared else None
    kind = OverlapTrack if overlapping else Track
    tracks = [
        kind(problem, solver, tol, How(first, gathered, each, store, reach))
        for problem, each in zip(problems, moments, strict=True)
    ]
    stopped = None
    with each_of(len(tracks)) as each:
        for value in grid.values:
            each(methodcaller("begin", float(value)), tracks)
            pending = tracks
            while pending:
                each(methodcaller("improve"), pending)
                _share_products(pending)
                each(methodcaller("check"), pending)
                pending = [track for track in pending if not track.done]
            if on_point is not None:
                for _ in tracks:
                    on_point()
            stopped = _reason_to_stop(tracks[0].problem, grid, tracks[0].points)
            if stopped is not None:
                break
    return [
        collect(track.problem, track.working, track.points, arithmetic, stopped, grid.pivotal)
        for track in tracks
    ]


def _arithmetic(solver: Solver, problems: Sequence[Problem]) -> str:
    if problems[0].penalty.overlapping:
        return "exact"
    if solver.arithmetic != "auto":
        return solver.arithmetic
    return "gram" if by_gram(problems[0], len(problems)) else "residual"


def _share_products(tracks: Sequence[Track | OverlapTrack]) -> None:
    """Take X'R once for all tracks that need every correlation."""
    asking = [track for track in tracks if isinstance(track, Track) and track.asks_all]
    if not asking:
        return
    weighted: list[FloatArray] = [track.weighted_dual() for track in asking]
    if len(asking) == 1:
        asking[0].receive(asking[0].problem.coordinates.correlate(weighted[0]))
        return
    width = weighted[0].shape[1]
    stacked = np.asfortranarray(np.concatenate(weighted, axis=1))
    product = asking[0].problem.coordinates.design.correlate(stacked)
    for number, track in enumerate(asking):
        part = product[:, number * width : (number + 1) * width]
        track.receive(track.problem.coordinates.finish(part, weighted[number].sum(axis=0)))


def _reason_to_stop(problem: Problem, grid: Grid, points: list[Point]) -> str | None:
    last = points[-1]
    if grid.max_terms is not None and last.n_active > grid.max_terms:
        return f"path stopped at {last.n_active} active terms (max_terms={grid.max_terms})"
    wanted = 0.0 if grid.pivotal is None else grid.pivotal
    if not grid.automatic or len(points) < FIRST_POINTS or last.lambda_ > wanted > 0.0:
        return None
    explained = [(problem.null_loss - point.state.loss) / problem.scale for point in points[-2:]]
    if isinstance(problem.data.family, ScaleFamily):  # of the scale, the root of a variance
        explained = [1.0 - (1.0 - share) ** 2 for share in explained]
    if explained[1] > SATURATED:
        return f"path stopped at {len(points)} of {grid.values.size} lambdas: deviance explained"
    gained = explained[1] - explained[0]
    # in the flat zone of a nonconvex penalty a group stays as it is while lambda falls
    if problem.penalty.convex and explained[1] > 0 and gained < NO_GAIN * explained[1]:
        return f"path stopped at {len(points)} of {grid.values.size} lambdas: no further gain"
    return None
