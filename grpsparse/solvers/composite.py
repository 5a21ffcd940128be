"""Loss plus penalty on some groups of a working set, as a function of one array x.

First-order methods want one step length that suits every coordinate. So x is made of

- coefficients of an orthonormal basis U of everything without penalty, U'WU = I,
- coefficients of the penalised rows less their projections on U, which changes none of them (the
  free part takes up the difference), each group times the root of d, its largest mean square.

In x the loss is as well conditioned as one scale per group can make it, and the norm of a
block is sqrt(d) times the norm that the penalty sees: its proximal step is that of x over d.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import cast

import numpy as np

from grpsparse.backend import segment_sums
from grpsparse.groups import FloatArray, IntArray
from grpsparse.penalties import JointPenalty
from grpsparse.problem import Problem, State
from grpsparse.problem.null import unpenalised_basis
from grpsparse.solvers.protocol import Task
from grpsparse.solvers.unseen import null_directions
from grpsparse.solvers.working_set import WorkingSet

__all__ = ["Composite"]

POWER_STEPS = 12  # of the power method; what it misses is found on the way
NEARLY = 1e-12  # products and squares of columns this near 0 and 1 count as such
ROUNDING = 1e-15  # relative, of a product with the rows


class Composite:
    """The function of x (u + m, K) that a task asks to minimise.

    Parameters
    ----------
    problem : Problem
    start : State
        Coefficients of groups that the task does not name stay as they are there.
    working : WorkingSet
    task : Task

    Attributes
    ----------
    rows : ndarray of shape (u + m, n)
        The columns that belong to x, in double precision.
    n_free : int
        Number u of coordinates without penalty.
    blocks : Blocks
        Groups of the penalised coordinates.
    scale : ndarray of shape (g,)
        The d of each group.
    curvature : float
        Of the loss along a coordinate, typically.
    highest : float
        Bound on the curvature of the loss that no L has to exceed, infinite where none is known:
        that by which certificates judge a steep penalty of all norms.
    alone : bool
        Whether all other groups are zero.
    """

    def __init__(self, problem: Problem, start: State, working: WorkingSet, task: Task) -> None:
        self.problem, self.data, self.lambda_ = problem, problem.data, task.lambda_
        self.curvature = problem.curvature
        self._working = working
        top, held = working.top, working.blocks
        inside = task.groups[working.groups]
        under = inside & held.penalised & (task.lambda_ > 0)
        self._bound: IntArray = top + held.rows(np.flatnonzero(under))
        loose = top + held.rows(np.flatnonzero(inside & ~under))
        self._loose: IntArray = np.concatenate([np.arange(top), loose])
        self.blocks = held.part(np.flatnonzero(under))
        self._group_curvature: FloatArray = problem.blocks.curvature[working.groups[under]]
        exact = working.exact_rows(np.concatenate([self._loose, self._bound]))
        self._given: FloatArray = exact
        self._make_rows(exact[: self._loose.size], exact[self._loose.size :])
        self._unseen: FloatArray = np.zeros((self._bound.size, 0))
        if problem.penalty.joint and cast(JointPenalty, problem.penalty).growing:
            rows = exact[self._loose.size :]
            self._unseen = null_directions(problem, rows, self.blocks.starts)
        self.highest = inf
        if problem.penalty.joint and problem.penalty.steep and self.scale.size:
            self.highest = problem.blocks.together / float(self.scale[0])
        self._theta = np.zeros((top + working.size, problem.n_outputs))
        self._theta[:top] = start.intercept
        self._theta[top : top + start.theta.shape[0]] = start.theta
        self._base: FloatArray = self.data.offset
        others = self._theta.copy()
        others[self._loose] = others[self._bound] = 0.0
        self.alone = not others.any()
        if not self.alone:
            self._base = self._base + working.predictor(others)

    @property
    def _segments(self) -> tuple[IntArray, bool]:
        return self.blocks.starts, bool(self.blocks.shared)

    def _make_rows(self, loose: FloatArray, bound: FloatArray) -> None:
        """Fill `rows`, and what leads from coefficients to x and back."""
        weights = self.data.weights
        self._basis = unpenalised_basis(loose, weights, intercept=False)
        self.n_free = self._basis.rows.shape[0]
        squares = (bound * bound) @ weights
        starts = self.blocks.starts
        largest = np.maximum.reduceat(squares, starts[:-1]) if squares.size else np.empty(0)
        if self.problem.penalty.joint:  # one step for all norms
            largest = np.full_like(largest, largest.max(initial=0.0))
        largest[np.abs(largest - 1.0) <= NEARLY] = 1.0
        self.scale: FloatArray = np.where(largest > 0.0, largest, 1.0)
        self._root = np.repeat(np.sqrt(self.scale), self.blocks.sizes)[:, None]
        weighted = self._basis.rows * weights
        self._shared: FloatArray = weighted @ bound.T  # what the free part takes up
        # centred columns have nothing in common with an intercept, orthonormal ones unit squares
        if np.abs(self._shared / self._root.T).max(initial=0.0) > NEARLY:
            bound = bound - self._shared.T @ self._basis.rows
        else:
            self._shared = np.zeros_like(self._shared)
        if (self.scale != 1.0).any():
            bound = bound / self._root
        self.rows: FloatArray = np.concatenate([self._basis.rows, bound])

    def point(self, state: State) -> FloatArray:
        """Return the x of a state of the same working set."""
        top = self._working.top
        theta = self._theta.copy()
        theta[:top] = state.intercept
        theta[top : top + state.theta.shape[0]] = state.theta
        loose, bound = theta[self._loose], theta[self._bound]
        along = loose.T @ self._given[: self._loose.size]
        free = (self._basis.rows * self.data.weights) @ along.T + self._shared @ bound
        return np.concatenate([free, self._root * bound])

    def state(self, x: FloatArray) -> State:
        """Return the state of x, its linear predictor recomputed from the coefficients."""
        top = self._working.top
        theta = self._theta.copy()
        bound = x[self.n_free :] / self._root
        theta[self._bound] = bound
        theta[self._loose] = self._basis.back @ (x[: self.n_free] - self._shared @ bound)
        own = np.concatenate([theta[self._loose], bound])
        eta = self._base + (own.T @ self._given).T
        intercept = theta[0] if top else np.zeros(x.shape[1])
        return State(theta[top:], intercept, eta, self.data.loss(eta))

    def predictor(self, x: FloatArray) -> FloatArray:
        """Return the linear predictor (n, K)."""
        eta: FloatArray = self._base + (x.T @ self.rows).T
        return eta

    def gradient(self, eta: FloatArray) -> FloatArray:
        """Return the gradient of the loss in x."""
        return self.pulled(self.data.residual(eta))

    def pulled(self, residual: FloatArray) -> FloatArray:
        """Return the gradient of the loss in x from the residual y - mu (n, K)."""
        gradient: FloatArray = -(self.rows @ (self.data.weights[:, None] * residual))
        return gradient

    def bending(self, eta: FloatArray) -> Callable[[FloatArray], FloatArray]:
        """Return the map from a change of eta to that of the weighted gradient in eta."""
        weights, softmax = self.data.weights[:, None], self.data.family.hessian == "softmax"
        curvature = self.data.family.curvature(self.data.y, eta)

        def bent(change: FloatArray) -> FloatArray:
            if softmax:
                change = change - (curvature * change).sum(axis=1, keepdims=True)
            moved: FloatArray = weights * (curvature * change)
            return moved

        return bent

    def curvature_there(self, eta: FloatArray, moved: FloatArray, residual: FloatArray) -> float:
        """Return twice what the loss at `moved` is above its tangent at eta, rounding taken off.

        Parameters
        ----------
        eta, moved : ndarray of shape (n, K)
        residual : ndarray of shape (n, K)
            At eta.
        """
        data = self.data
        if data.family.hessian == "constant":
            return 0.0  # as there and back
        before, after = data.loss(eta), data.loss(moved)
        along = float(np.sum(data.weights[:, None] * residual * (moved - eta)))
        size = abs(before) + abs(after) + abs(along)
        return 2.0 * (after - before + along - ROUNDING * size)

    def largest_curvature(self, eta: FloatArray) -> float:
        """Return the largest eigenvalue of the Hessian of the loss, from below.

        The power method comes near enough for a first step length, which lengthens no step for
        good: every step is tested.
        """
        bent = self.bending(eta)
        vector = np.random.default_rng(0).normal(size=(self.rows.shape[0], eta.shape[1]))
        size = 0.0
        for _ in range(POWER_STEPS):
            length = float(np.linalg.norm(vector))
            if not length > 0.0:
                break
            vector = self.rows @ bent((vector.T @ self.rows).T / length)
            size = float(np.linalg.norm(vector))
        return max(size, 1e-12 * self.curvature)

    def prox(self, x: FloatArray, step: float) -> FloatArray:
        """Return the proximal point of the penalty."""
        if self.problem.penalty.joint:
            return self._joint_prox(x, step)
        first, second = self.problem.penalty.parameters
        code = self.problem.penalty.code
        return self.radial(x, step, code, (first, second), self.lambda_ * self.blocks.weight)

    def radial(
        self,
        x: FloatArray,
        step: float,
        code: int,
        parameters: tuple[float, float],
        level: FloatArray,
    ) -> FloatArray:
        """Return the proximal point of a separable penalty of norms and single entries."""
        from grpsparse.backend.proximal import fill_prox

        single = self.blocks.single_level(self.problem.penalty, self.lambda_)
        bound = x[self.n_free :] / self._root
        plan = np.stack([step / self.scale, level, single], axis=1)
        first, second = parameters
        fill_prox(code, float(first), float(second), bound, *self._segments, plan)
        return np.concatenate([x[: self.n_free], self._root * bound])

    def _joint_prox(self, x: FloatArray, step: float) -> FloatArray:
        """Return the proximal point where all norms are penalised together."""
        penalty, weight = cast(JointPenalty, self.problem.penalty), self.blocks.weight
        out = x.copy()
        if not weight.size:
            return out
        bound = out[self.n_free :]
        if penalty.growing:  # what the loss does not see would grow from rounding
            bound -= self._unseen @ (self._unseen.T @ bound)
            if self.data.family.hessian == "softmax":
                bound -= bound.mean(axis=1, keepdims=True)
        norms = self.blocks.norms(bound / self._root)
        length = step / float(self.scale[0])
        for v, view in enumerate(self.blocks.views(bound)):
            old = norms[:, v]
            new = penalty.joint_prox(old, weight, length, self.lambda_)
            ratio = np.divide(new, old, out=np.zeros_like(old), where=old > 0)
            np.multiply(view, np.repeat(ratio, self.blocks.sizes)[:, None], out=view)
        return out

    def paid(self, x: FloatArray) -> float:
        """Return the penalty of x."""
        bound = x[self.n_free :] / self._root
        return self.blocks.value(self.problem.penalty, bound, self.lambda_)

    def value(self, x: FloatArray, eta: FloatArray) -> float:
        """Return loss plus penalty."""
        return self.data.loss(eta) + self.paid(x)

    def norms(self, x: FloatArray) -> FloatArray:
        """Return the norms that the penalty sees, (g, 1) or (g, K)."""
        return self.blocks.norms(x[self.n_free :] / self._root)

    def single_steps(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return what a proximal step of every block by itself would gain, and where it leads.

        Steps are 1 / L_g, L_g the bound on the curvature along a group that certificates use.

        Returns
        -------
        gains : ndarray of shape (g, 1) or (g, K)
        moved : ndarray of shape (m, K)
            Coefficients in the working set's coordinates.
        """
        from grpsparse.backend.proximal import fill_prox

        penalty, blocks = self.problem.penalty, self.blocks
        bend, level = self._group_curvature, self.lambda_ * blocks.weight
        old = x[self.n_free :] / self._root
        gradient = self._root * self.gradient(self.predictor(x))[self.n_free :]
        each = np.repeat(bend, blocks.sizes)[:, None]
        moved = old - gradient / each
        plan = np.stack([1.0 / bend, level, np.zeros_like(level)], axis=1)
        first, second = penalty.parameters
        fill_prox(penalty.code, float(first), float(second), moved, *self._segments, plan)
        change = moved - old
        model = (gradient + 0.5 * each * change) * change
        before, after = blocks.norms(old), blocks.norms(moved)
        gains = np.empty_like(before)
        for v, view in enumerate(blocks.views(model)):
            paid = penalty.radial_value(before[:, v], level)
            paid = paid - penalty.radial_value(after[:, v], level)
            gains[:, v] = paid - segment_sums(view.sum(axis=1), blocks.starts)
        return gains, moved

    def out_of_zero(self, x: FloatArray) -> FloatArray | None:
        """Return x with one group in classes without any, None where none gains by itself.

        For a penalty of all norms: the step of the group that gains most, as certificates judge it.
        """
        penalty, blocks = cast(JointPenalty, self.problem.penalty), self.blocks
        empty = np.flatnonzero(~(self.norms(x) > 0).any(axis=0))
        gradient = self._root * self.gradient(self.predictor(x))[self.n_free :]
        size, out = blocks.norms(gradient), x.copy()
        for v in empty.tolist():
            norms = size[:, v] / self._group_curvature
            alone = zip(norms[:, None], blocks.weight[:, None], strict=True)
            paid = np.array([penalty.joint_value(r, w, self.lambda_) for r, w in alone])
            gains = 0.5 * size[:, v] * norms - paid
            best = int(np.argmax(gains)) if gains.size else 0
            if not gains.size or not gains[best] > 0.0:
                continue
            step = -gradient / self._group_curvature[best]
            out = self.with_block(out, step, best * size.shape[1] + v)
        return out if (out != x).any() else None

    def with_block(self, x: FloatArray, moved: FloatArray, block: int) -> FloatArray:
        """Return x with one block, by its place in `gains`, from coefficients (m, K)."""
        g, v = divmod(block, 1 if self.blocks.shared else x.shape[1])
        rows = slice(self.blocks.starts[g], self.blocks.starts[g + 1])
        columns = slice(None) if self.blocks.shared else slice(v, v + 1)
        out = x.copy()
        out[self.n_free :][rows, columns] = (self._root[rows] * moved[rows])[:, columns]
        return out

    def promise(self, mapping: float) -> float:
        """Return what is to be gained where the gradient mapping has that length.

        As steps of single blocks would gain it, whose curvature does not add up over blocks.
        """
        return 0.5 * mapping**2 / self.curvature

    def noise(self, eta: FloatArray) -> float:
        """Return the promise that rounding alone makes."""
        around = np.abs(self.data.residual(eta)) + self.curvature * np.abs(eta - self._base)
        size = np.sqrt(self.data.mean(np.sum(around**2, axis=1)) * self.rows.shape[0])
        return self.promise(ROUNDING * float(size))
