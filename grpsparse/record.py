"""What a path is made of: the grid asked for, points, and the record of the work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.problem import Problem, State
from grpsparse.solvers import WorkingSet

__all__ = ["Effort", "Grid", "Path", "Point", "Work", "collect"]


@dataclass(frozen=True, slots=True)
class Grid:
    """The values of lambda to visit.

    Parameters
    ----------
    values : ndarray of shape (L,)
        Decreasing.
    automatic : bool
        Whether the path may stop early where nothing is gained any more.
    max_terms : int, optional
        Stop once more groups than this are active.
    """

    values: FloatArray
    automatic: bool
    max_terms: int | None = None


@dataclass(slots=True)
class Work:
    """The work for one value of lambda, counted while it is done.

    Parameters
    ----------
    groups : int
        Groups evaluated exactly, once for every check.
    passes : float
        Products with X of these checks, a product with all columns being 1.
    sweeps : int
        Sweeps over blocks, and Newton steps that finish a solve.
    newton_steps : int
        Quadratic models of the loss that were swept, or solved by Newton's method.
    working_set : int
        Groups swept at the end.
    seconds_screen, seconds_solve, seconds_certify : float
        Wall seconds.
    """

    groups: int = 0
    passes: float = 0.0
    sweeps: int = 0
    newton_steps: int = 0
    working_set: int = 0
    seconds_screen: float = 0.0
    seconds_solve: float = 0.0
    seconds_certify: float = 0.0


@dataclass(frozen=True, slots=True)
class Point:
    """One solution, in the coordinates of its working set."""

    lambda_: float
    state: State
    penalty: float
    certificate: float
    converged: bool
    n_active: int
    work: Work


@dataclass(frozen=True, slots=True)
class Effort:
    """The work of a path, every array of shape (L,).

    Parameters
    ----------
    groups, passes, sweeps, newton_steps, working_set
        Counts, see :class:`Work`.
    seconds_screen, seconds_solve, seconds_certify
        Wall seconds by stage.
    arithmetic : str
        ``"residual"``, ``"gram"`` or ``"exact"``.
    """

    groups: IntArray
    passes: FloatArray
    sweeps: IntArray
    newton_steps: IntArray
    working_set: IntArray
    seconds_screen: FloatArray
    seconds_solve: FloatArray
    seconds_certify: FloatArray
    arithmetic: str


@dataclass(frozen=True, slots=True)
class Path:
    """A path on the standardised scale.

    Parameters
    ----------
    problem : Problem
    lambda_ : ndarray of shape (L,)
    active : ndarray of int, shape (a,)
        Coordinates that are not zero somewhere on the path, ascending.
    theta : ndarray of shape (L, a, K)
        Their coefficients.
    intercept : ndarray of shape (L, K)
    loss : ndarray of shape (L,)
        Weighted mean losses.
    certificate, converged, n_iter : ndarray of shape (L,)
    effort : Effort
    stopped : str or None
        Why the path is shorter than its grid: a sentence.
    """

    problem: Problem
    lambda_: FloatArray
    active: IntArray
    theta: FloatArray
    intercept: FloatArray
    loss: FloatArray
    certificate: FloatArray
    converged: BoolArray
    n_iter: IntArray
    effort: Effort
    stopped: str | None

    @property
    def certificate_kind(self) -> str:
        """``"duality_gap"`` or ``"stationarity"``."""
        return "duality_gap" if self.problem.penalty.convex else "stationarity"


def collect(
    problem: Problem,
    working: WorkingSet,
    points: list[Point],
    arithmetic: str,
    stopped: str | None,
) -> Path:
    """Return the path of some points."""
    n_outputs = problem.n_outputs
    own = np.zeros((working.size, len(points), n_outputs))
    for number, point in enumerate(points):
        own[: point.state.theta.shape[0], number] = point.state.theta
    wide = own.reshape(working.size, len(points) * n_outputs)
    theta = working.standard(wide).reshape(own.shape)
    used = np.flatnonzero(theta.any(axis=(1, 2)))
    used = used[np.argsort(working.coordinates[used])]
    works = [point.work for point in points]
    return Path(
        problem,
        np.array([point.lambda_ for point in points]),
        working.coordinates[used],
        theta[used].transpose(1, 0, 2),
        np.stack([point.state.intercept for point in points]),
        np.array([point.state.loss for point in points]),
        np.array([point.certificate for point in points]),
        np.array([point.converged for point in points]),
        np.array([work.sweeps for work in works], dtype=np.int64),
        _effort(works, arithmetic),
        stopped,
    )


def _effort(works: list[Work], arithmetic: str) -> Effort:
    def of(name: str) -> Any:
        return np.array([getattr(work, name) for work in works])

    return Effort(
        of("groups"),
        of("passes"),
        of("sweeps"),
        of("newton_steps"),
        of("working_set"),
        of("seconds_screen"),
        of("seconds_solve"),
        of("seconds_certify"),
        arithmetic,
    )
