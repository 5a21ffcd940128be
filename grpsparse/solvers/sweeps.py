"""The moving parts of one solve: local coefficients, their linear predictor, and the sweeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from grpsparse.families import ScaleFamily
from grpsparse.groups import FloatArray, SingleArray
from grpsparse.penalties import JointPenalty
from grpsparse.problem import Problem, State
from grpsparse.problem.smooth import ROUNDING, newton
from grpsparse.solvers.curved import JointBlocks, PenaltyBlocks
from grpsparse.solvers.nested import NestedBlocks
from grpsparse.solvers.protocol import Task
from grpsparse.solvers.shift import class_shift
from grpsparse.solvers.sources import Sources
from grpsparse.solvers.unseen import unseen_directions
from grpsparse.solvers.weighted import weighted_gram
from grpsparse.solvers.working_set import WorkingSet

__all__ = ["LARGEST_DAMPING", "Gains", "Sweeps"]

NEWTON_VARIABLES = 600  # largest system that is finished by Newton's method
FEW_VARIABLES = 100  # the same while the accuracy asked is coarse
COARSE = 1e-10
NEWTON_MARGIN = 0.1  # the gap is about the root of the Newton decrement; stop below this share
NEWTON_WORK = 4e8  # rows times variables squared
COARSE_WORK = 3e6  # the same while the accuracy asked is coarse
NEWTON_STEPS = 30
LARGEST_DAMPING = 1e6  # beyond this no step of the model lowers the objective
INNER_SHARE = 0.1  # of the first sweep's gain, at which the model counts as minimised
MOST_FULL_SWEEPS = 4  # over all blocks before the residual is taken again, where it is linear
REFINED_SHARE = 0.01  # the same from a gradient in double precision
REFINED_SHARE_QUADRATIC = 1e-6
CONVEX_SLACK = 1.3  # observed curvature over the metric's: below 2 a step still descends
NONCONVEX_SLACK = 1.0001  # rounding in single precision


_Swept = tuple[int, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Gains:
    """What a Newton step gained, as shares of the null deviance.

    Parameters
    ----------
    sweeps : int
    opening : float
        By its last sweep over all blocks: what another step promises at least.
    left : float
        What another step would gain. Sweeps leave what they would go on to gain at the ratio of
        the last two; the model leaves the square of its error over the gain, since Newton's
        method squares the distance. Infinite where there is nothing to tell it by.
    """

    sweeps: int
    opening: float
    left: float


class Sweeps:
    """One solve on a working set.

    Parameters
    ----------
    problem : Problem
    start : State
    working : WorkingSet
    task : Task
    levels : ndarray of shape (B, 2), optional
        Of the blocks of the task's groups, in place of lambda times weight.
    """

    def __init__(
        self,
        problem: Problem,
        start: State,
        working: WorkingSet,
        task: Task,
        *,
        levels: FloatArray | None = None,
    ) -> None:
        self.problem, self.working, self.task = problem, working, task
        self.theta = np.zeros((working.top + working.size, start.theta.shape[1]))
        self.theta[: working.top] = start.intercept
        self.theta[working.top : working.top + start.theta.shape[0]] = start.theta
        self.eta, self.loss = start.eta, start.loss
        self.exact = True  # whether eta is that of the coefficients in double precision
        self.intercept = start.intercept
        self.gradient = task.gradient
        self.plan = working.plan(task.groups, task.lambda_)
        self.spans, self.metric = self.plan.spans, self.plan.metric
        self.levels = self.plan.levels if levels is None else levels
        self._own = None if levels is None else self._radial_blocks()
        self.quadratic = problem.data.family.hessian == "constant"
        self._paid: float | None = None  # penalty of the point, where it is known
        self.damping = 1.0  # on the model's curvature

    def _penalty(self, theta: FloatArray) -> float:
        if self._own is not None:
            return self._own.value(theta)
        blocks = self.working.blocks
        return blocks.value(self.problem.penalty, theta[self.working.top :], self.task.lambda_)

    def state(self) -> State:
        """Return the point reached."""
        self.working.keep_metric(self.plan)
        top = self.working.top
        intercept = self.theta[0] if top else self.intercept
        return State(self.theta[top:], intercept, self.eta, self.loss)

    def newton_step(self, max_sweeps: int, accuracy: float) -> Gains:
        """Minimise the model, move, and return what was gained over the null deviance."""
        if not self.spans.size:
            return Gains(0, 0.0, 0.0)
        if self.quadratic and not self.exact:
            self.refresh()
        limits = (
            max_sweeps,
            accuracy * self.problem.scale,
            self._share(),
            MOST_FULL_SWEEPS if self.quadratic else 1,
        )
        sources = self.working.sources
        moved: FloatArray | SingleArray | None
        if sources is None:
            swept, theta, moved = self._gram_step(limits)
        else:
            swept, theta, moved = self._rows_step(sources, limits)
        self.gradient = None
        gained = self._move(theta, moved)
        sweeps, opening, total, before, last = swept
        left = np.inf
        squares = self.problem.penalty.convex and self.problem.data.family.hessian != "piecewise"
        if squares and sweeps > 1 and last < before and gained > 0.0:
            left = last**2 / (before - last) + (gained - total) ** 2 / gained
        return Gains(sweeps, opening / self.problem.scale, left / self.problem.scale)

    def _kernel_penalty(self) -> tuple[int | None, tuple[float, float, float, float]]:
        penalty = self.problem.penalty
        first, second = penalty.parameters
        slack = CONVEX_SLACK if penalty.convex else NONCONVEX_SLACK
        floor = self.problem.least_curvature
        code = None if self.working.turned else penalty.code
        return code, (float(first), float(second), slack, floor)

    def _rows_step(
        self, sources: Sources, limits: tuple[int, float, float, int]
    ) -> tuple[_Swept, FloatArray, SingleArray | None]:
        """Sweep in residual form; return gains, coefficients, and what eta moves (None: ask X)."""
        from grpsparse.backend.kernels import descend
        from grpsparse.backend.scratch import scratch

        data, working = self.problem.data, self.working
        residual = (data.weights[:, None] * data.residual(self.eta)).T
        base = np.zeros(self.theta.shape[::-1])
        if self.gradient is None:
            left = np.ascontiguousarray(residual, dtype=np.float32)
        else:
            base[:, working.top :] = working.grown(self.gradient).T
            base[:, : working.top] = residual.sum(axis=1, keepdims=True)
            left = np.zeros(residual.shape, dtype=np.float32)
        theta = self.theta.copy()
        moved = None if self.quadratic else np.zeros_like(left)
        chances, curvature = self._model()
        columns, factors, sparse = sources.arrays()
        swept: _Swept = descend(
            columns,
            factors,
            sparse,
            None,
            (self.spans, self.levels, working.scale, self.metric),
            *self._kernel_penalty(),
            (theta, base, left, moved),
            chances,
            curvature,
            scratch(self.spans, left.shape, constant=self.quadratic and self.damping == 1.0),
            limits,
        )
        return swept, theta, None if moved is None else moved.T

    def _gram_step(
        self, limits: tuple[int, float, float, int]
    ) -> tuple[_Swept, FloatArray, FloatArray]:
        """Sweep on the Hessian of the groups' coordinates; return as `_rows_step` does."""
        from grpsparse.backend.kernels import descend
        from grpsparse.backend.scratch import scratch

        problem, working = self.problem, self.working
        curvature, factor = problem.model_curvature(self.eta)
        system = weighted_gram(problem, working, self.task.groups, self.eta, curvature)
        rows, spans = system.rows, system.spans(self.spans)
        theta = np.ascontiguousarray(self.theta[rows])
        scale = system.scale(spans, turned=working.turned)
        if problem.penalty.steep:
            scale = np.ascontiguousarray(working.scale[rows])
        swept: _Swept = descend(
            None,
            None,
            None,
            system.gram * (factor * self.damping),
            (spans, self.levels, scale, self.metric),
            *self._kernel_penalty(),
            (theta, system.gradient, None, None),
            None,
            None,
            scratch(spans, (theta.shape[1], 0)),
            limits,
        )
        step = theta - self.theta[rows]
        whole = self.theta.copy()
        whole[rows] = theta
        return swept, whole, system.predictor(step)

    def _share(self) -> float:
        """Return the share of the first sweep's gain at which the model counts as minimised."""
        if self.working.sources is None:
            return REFINED_SHARE
        if self.gradient is None:
            return INNER_SHARE
        return REFINED_SHARE_QUADRATIC if self.quadratic else REFINED_SHARE

    def _model(self) -> tuple[SingleArray | None, SingleArray]:
        """Return probabilities (None unless softmax) and weighted curvature, class by class."""
        data = self.problem.data
        found, factor = self.problem.model_curvature(self.eta)
        curvature = found.T
        factor *= self.damping
        weighted = np.ascontiguousarray(curvature * (factor * data.weights), np.float32)
        if data.family.hessian != "softmax":
            return None, weighted
        return np.ascontiguousarray(curvature, np.float32), weighted

    def _move(self, theta: FloatArray, moved: FloatArray | SingleArray | None) -> float:
        """Accept the step if the objective does not rise, and return by how much it falls.

        A quadratic loss is its own model. Where sweeps do not say what it moves, its linear
        predictor is asked for when it is needed (`exact` says whether it is that of the
        coefficients). Other steps: between two points a convex objective falls too, so the step
        is halved; a nonconvex one may be higher, so the curvature of the next model is raised.
        """
        if moved is None:
            self.theta, self.exact, self._paid = theta, False, None
            return 0.0
        data = self.problem.data
        before = self.loss + (self._penalty(self.theta) if self._paid is None else self._paid)
        size = 1.0
        for _ in range(30 if self.problem.penalty.convex else 1):
            eta = self.eta + size * moved
            trial = theta if size == 1.0 else self.theta + size * (theta - self.theta)
            penalty = self._penalty(trial)
            loss = data.loss(eta)
            if self.quadratic or loss + penalty <= before + 1e-15 * max(1.0, abs(before)):
                self.theta, self.eta, self._paid = trial, eta, penalty
                self.loss = loss
                self.damping = max(1.0, 0.5 * self.damping)
                self.exact &= self.working.sources is None
                return before - loss - penalty
            size *= 0.5
        self.damping *= 4.0
        return 0.0

    def settled(self) -> bool:
        """Return whether Newton's method may go first: all blocks are active, as they were.

        Only for convex problems: the certificate then tells whether a block should have left.
        """
        if not self.problem.penalty.convex or not 0 < self.theta.size <= NEWTON_VARIABLES:
            return False
        if self.quadratic and self.task.accuracy >= COARSE:
            return False
        entries = (self.spans[:, 1] - self.spans[:, 0]) @ (self.spans[:, 3] - self.spans[:, 2])
        if np.count_nonzero(self.theta) < entries:
            return False
        blocks = self._blocks()
        free = blocks.free_entries(self.theta)
        return bool(free[blocks.owner >= 0].all())

    def _blocks(self) -> PenaltyBlocks | NestedBlocks:
        if self.problem.penalty.nested:
            return NestedBlocks.of(self.problem, self.working, self.task.lambda_)
        return self._radial_blocks() if self._own is None else self._own

    def _radial_blocks(self) -> PenaltyBlocks:
        blocks = PenaltyBlocks.of(self.problem.penalty, self.spans, self.levels, self.theta.shape)
        penalty = self.problem.penalty
        if not penalty.joint or not self.levels.any():
            return blocks
        shared = self.problem.blocks.shared
        case = np.zeros_like(self.spans[:, 2]) if shared else self.spans[:, 2]
        parts = (blocks.penalty, blocks.owner, blocks.level, blocks.single)
        return JointBlocks(*parts, case, self.task.lambda_, self._unseen(), self.problem.curvature)

    def _unseen(self) -> FloatArray:
        """Return directions (top + m, K, H) of active groups that have to be held at zero."""
        top, held = self.working.top, self.working.blocks
        if not cast(JointPenalty, self.problem.penalty).growing:
            return np.zeros((*self.theta.shape, 0))
        norms = held.norms(self.theta[top:])
        active = np.flatnonzero(held.penalised & (norms > 0).any(axis=1))
        rows = held.rows(active) + top
        found = unseen_directions(
            self.problem, self.working.exact_rows(rows), held.part(active).starts
        )
        out = np.zeros((*self.theta.shape, found.shape[2]))
        out[rows] = found
        return out

    def finish(self, accuracy: float) -> int:
        """Shift classes, then take Newton steps on the active blocks if they are few."""
        if not self.spans.size:
            return 0
        self._shift()
        if self.quadratic and accuracy >= COARSE:
            return 0
        entries = int(np.count_nonzero(self.theta))
        n = self.eta.shape[0]
        most = NEWTON_VARIABLES if accuracy < COARSE else FEW_VARIABLES
        work = NEWTON_WORK if accuracy < COARSE else COARSE_WORK
        if entries > most or n * float(entries) ** 2 > work:
            return 0
        blocks = self._blocks()
        free = blocks.free_entries(self.theta)
        count = int(free.sum())
        if not 0 < count <= most or float(n) * count**2 > work:
            return 0
        used = np.flatnonzero(free.any(axis=1))
        fit = newton(
            self.problem.data,
            self.working.exact_rows(used),
            self.theta[used],
            penalty=blocks.rows(used).curved(free[used]),
            max_steps=NEWTON_STEPS,
            scale=self.problem.scale,
            loss=self.loss if self.exact else None,
            enough=max(min(self._margin() ** 2, self.task.accuracy), ROUNDING),
        )
        self.theta = self.theta.copy()
        self.theta[used] = fit.theta
        self.eta, self.loss, self.exact = fit.eta, fit.loss, True
        self._paid = None
        return fit.n_steps

    def _margin(self) -> float:
        """Return the root of the Newton decrement at which the certificate is met.

        Scaling a dual point of a norm costs the whole norm times what the gradient is off by, over
        lambda.
        """
        margin = NEWTON_MARGIN * self.task.target
        if isinstance(self.problem.data.family, ScaleFamily):
            margin *= min(1.0, self.task.lambda_)
        return margin

    def refresh(self) -> None:
        """Recompute the linear predictor from the coefficients, so that no rounding adds up."""
        self.eta = self.working.predictor(self.theta)
        self.eta += self.problem.data.offset
        self.loss, self.exact = self.problem.data.loss(self.eta), True

    def _shift(self) -> None:
        """Take the class shift that the penalty alone decides; the softmax never sees it."""
        constant = class_shift(self.problem, self.spans, self.levels, self.theta)
        if constant is not None:
            used = np.flatnonzero(constant)
            self.theta = self.theta - constant[:, None]
            self.eta = self.eta - (constant[used] @ self.working.exact_rows(used))[:, None]
            self._paid = None
