"""Which groups to look at: strong rules before, bounds and optimality conditions after.

Before: the sequential strong rule keeps a group for lambda if zero would not be optimal for it
at 2 lambda - lambda_previous. It can be wrong, so every group that was not swept is checked
afterwards, and joins when it violates the conditions.

After: a dual point r is projected on a bank of earlier ones whose correlations are known,
r = sum_k a_k r_k + e. Then ||Z_g'W r|| <= ||sum_k a_k Z_g'W r_k|| + sigma_g ||e||_W with
sigma_g the largest singular value of W^(1/2) Z_g, which costs no product with X and clears
most groups for good. The others are evaluated where they are; where they are too many, all
are, and r joins the bank.

Where the tolerance is coarse, groups of the working set are evaluated with its columns in
single precision. What rounding may have changed is bounded, and is added to correlations and
to the certificate, so that both stay on the safe side.

Reference: Tibshirani et al. (2012), doi:10.1111/j.1467-9868.2011.01004.x, for strong rules.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.penalties import Penalty
from grpsparse.problem import Blocks, Checked, Moments, Problem, State, certify, dual_point
from grpsparse.reach import CommonReach, Reach
from grpsparse.solvers import WorkingSet

__all__ = ["Look", "MomentScreen", "Screen"]

BANK = 4  # references kept
FULL_ABOVE = 0.15  # share of the coordinates at which all are evaluated
NEARLY = 1e-13  # of their squares, that tells references apart
SLACK = 1e-10  # relative, for rounding in the projection


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of the correlations of a point.

    Parameters
    ----------
    state : State
    lambda_ : float
    needed : ndarray of int
        Groups whose correlations are known; all others are proven to be optimal at zero.
    rows : ndarray of int
        Their coordinates, one group after the other.
    blocks : Blocks
        Of these rows.
    full : bool
        Whether all correlations are still to be computed.
    dual : ndarray of shape (n, K)
        The dual point they belong to, empty where no rows are looked at.
    weighted : ndarray of shape (n, K)
        W dual.
    size : float
        W-norm of the dual point, where it is needed: for columns that are rounded.
    passes : float
        Products with X that were taken, one with all columns being 1.
    """

    state: State
    lambda_: float
    needed: IntArray
    rows: IntArray
    blocks: Blocks
    full: bool
    dual: FloatArray
    weighted: FloatArray
    size: float = 0.0
    passes: float = 0.0


class Screen:
    """What is known of the correlations of one problem along a path.

    Parameters
    ----------
    problem : Problem
    common : CommonReach, optional
        Of several sets of weights.
    """

    def __init__(self, problem: Problem, common: CommonReach | None = None) -> None:
        self._problem = problem
        start = problem.start
        # a dual point and its correlations a row each, class after class
        self._duals: FloatArray = np.empty((0, start.dual.size))
        self._known: FloatArray = np.empty((0, start.correlation.size))
        self._moments = self._inverse = np.empty((0, 0))
        self._reach = Reach(problem, common)
        self.correlation = problem.start.correlation
        self._norms = problem.blocks.gradient_norms(problem.penalty, self.correlation)
        self._beside: FloatArray | None = None  # norms of the point, for a penalty of them all
        self._remember(problem.start.dual, self.correlation)

    def start(self, working: WorkingSet) -> State:
        """Return the null fit as a point of the path."""
        start = self._problem.start
        theta = working.own(start.theta[working.coordinates])
        return State(theta, start.intercept, start.eta, start.loss)

    def look(self, state: State, lambda_: float, swept: BoolArray, working: WorkingSet) -> Look:
        """Estimate all correlations, clear the groups that are bounded, evaluate the others."""
        problem = self._problem
        blocks, n_outputs = problem.blocks, problem.n_outputs
        dual = dual_point(problem, state, lambda_)
        flat = dual.T.ravel()
        weighted = self._weighted(flat)
        share, left = self._project(flat, weighted)
        correlation = (share @ self._known).reshape(n_outputs, -1).T
        self.correlation = correlation
        norms = self._norms = blocks.beyond(problem.penalty, correlation, lambda_)
        self._beside = beside(problem, working, state)
        allowed = blocks.allowed(problem.penalty, lambda_, self._beside)
        over = norms - (1.0 - SLACK) * allowed
        worst = over[:, 0] if over.shape[1] == 1 else over.max(axis=1)
        if problem.penalty.l1_fraction > 0:
            worst += SLACK * blocks.single_level(problem.penalty, lambda_)
        doubtful = worst + self._reach.values * left > 0
        if self._reach.tighten((doubtful & ~swept).nonzero()[0]):
            doubtful = worst + self._reach.values * left > 0
        needed = (swept | doubtful).nonzero()[0]
        rows, n_rows = blocks.rows(needed), max(1, correlation.shape[0])
        full = rows.size > FULL_ABOVE * correlation.shape[0] + blocks.sizes[swept].sum()
        look = Look(
            state,
            lambda_,
            needed,
            rows,
            blocks.part(needed),
            full=bool(full),
            dual=dual,
            weighted=weighted.reshape(n_outputs, -1).T,
            size=0.0 if working.rounded is None else float(np.sqrt(flat @ weighted)),
            passes=0.0 if full else rows.size / n_rows,
        )
        if not full:
            found = correlation[rows] = self._evaluate(look, working)
            norms[needed] = look.blocks.gradient_norms(problem.penalty, found)
        return look

    def _evaluate(self, look: Look, working: WorkingSet) -> FloatArray:
        """Return the correlations of some groups, made larger by what rounding may have taken.

        Those from rounded columns are in the basis of the working set, where norms are the same.
        """
        blocks, coordinates, needed = look.blocks, self._problem.coordinates, look.needed
        stored = working.rounded
        if stored is None:
            return coordinates.correlate(look.weighted, needed)
        margin = look.size * stored.rounding[needed]
        held = working.held[needed]
        if held.all():
            found = working.correlate(stored, look.weighted, needed)
            return _enlarged(found, blocks, margin, self._problem.penalty)
        out = np.zeros((look.rows.size, look.weighted.shape[1]))
        mine = np.repeat(held, blocks.sizes)
        out[mine] = working.correlate(stored, look.weighted, needed[held])
        out = _enlarged(out, blocks, margin * held, self._problem.penalty)
        out[~mine] = coordinates.correlate(look.weighted, needed[~held])
        return out

    def receive(self, look: Look, correlation: FloatArray) -> Look:
        """Take in all correlations (q, K) of a look that asked for them."""
        self.correlation = correlation
        self._remember(look.dual, correlation)
        blocks = self._problem.blocks
        self._norms = blocks.gradient_norms(self._problem.penalty, correlation)
        every, rows = np.arange(blocks.weight.size), np.arange(correlation.shape[0])
        return replace(look, needed=every, rows=rows, blocks=blocks, full=False, passes=1.0)

    def certify(self, look: Look, working: WorkingSet, penalty: float, norms: FloatArray) -> float:
        """Return the certificate of the point looked at.

        Parameters
        ----------
        look : Look
        working : WorkingSet
        penalty : float
            Of the point.
        norms : ndarray of shape (g, K')
            Of its blocks on the working set.
        """
        problem, rows = self._problem, look.rows
        theta = np.empty((0, problem.n_outputs))
        if not problem.penalty.convex:
            whole = np.zeros((problem.coordinates.size, problem.n_outputs))
            whole[working.coordinates] = working.standard(working.grown(look.state.theta))
            theta = whole[rows]
        checked = Checked(look.blocks, self.correlation[rows], theta)
        value = certify(problem, look.state, look.lambda_, look.dual, checked, penalty=penalty)
        stored = working.rounded
        if stored is None:
            return value
        # the loss is that of rounded columns: it is off by the dual times what rounding moves
        moved = float(norms.sum(axis=1) @ stored.rounding[working.groups])
        return value + look.size * moved / problem.scale

    def ahead(
        self,
        before: State,
        last: State,
        share: float,
        theta: FloatArray,
        left_out: FloatArray,
        working: WorkingSet,
    ) -> State:
        """Return the last step taken once more, but for what `left_out` (m, K) holds of it."""
        problem = self._problem
        eta = (1.0 + share) * last.eta
        eta -= share * before.eta
        if left_out.any():
            none = np.zeros((working.top, left_out.shape[1]))
            eta -= working.predictor(np.concatenate([none, left_out]))
        intercept = (1.0 + share) * last.intercept - share * before.intercept
        return State(theta, intercept, eta, problem.data.loss(eta))

    def gradient(self, state: State, working: WorkingSet) -> FloatArray:
        """Return the gradient at the point last looked at, in the working set's basis."""
        problem = self._problem
        if not problem.penalty.convex or bool(problem.blocks.penalised.all()):
            return working.own(self.correlation[working.coordinates])
        # the dual point is orthogonal to what carries no penalty: the residual is not yet
        weighted = problem.data.weights[:, None] * problem.data.residual(state.eta)
        return working.own(problem.coordinates.correlate(weighted)[working.coordinates])

    def kept(self, lambda_: float, previous: float) -> BoolArray:
        """Return the groups that the strong rule keeps for lambda, (G,)."""
        known = Known(self.correlation, self._norms, self._beside)
        return strong_rule(self._problem, known, lambda_, previous)

    def _project(self, flat: FloatArray, weighted: FloatArray) -> tuple[FloatArray, float]:
        """Return the coefficients on the bank, and the W-norm of what is left."""
        share = self._inverse @ (self._duals @ weighted)  # any coefficients give a true bound
        rest = flat - share @ self._duals
        return share, float(np.sqrt(rest @ self._weighted(rest)))

    def _weighted(self, flat: FloatArray) -> FloatArray:
        """Return the weights times values (K n,), class after class."""
        weights = self._problem.data.weights
        weighted: FloatArray = (flat.reshape(-1, weights.size) * weights).ravel()
        return weighted

    def _remember(self, dual: FloatArray, correlation: FloatArray) -> None:
        """Put a dual point in the bank, in place of the oldest where it is full."""
        flat = dual.T.ravel()
        self._duals = np.concatenate([self._duals, flat[None]])[-BANK:]
        self._known = np.concatenate([self._known, correlation.T.reshape(1, -1)])[-BANK:]
        newest = self._duals @ self._weighted(flat)
        size = newest.size
        moments = np.empty((size, size))
        moments[:-1, :-1] = self._moments[1 - size :, 1 - size :] if size > 1 else 0.0
        moments[-1] = moments[:, -1] = newest
        self._moments = moments
        self._inverse = np.linalg.inv(moments + NEARLY * np.trace(moments) * np.eye(size))


def _enlarged(
    found: FloatArray, blocks: Blocks, margin: FloatArray, penalty: Penalty
) -> FloatArray:
    """Return correlations whose norms, or entries where these count, are larger by a margin (g,).

    A Frobenius norm bounds that of a block and any entry.
    """
    if penalty.l1_fraction > 0:
        return found + np.copysign(np.repeat(margin, blocks.sizes)[:, None], found)
    norms, more = blocks.norms(found), margin[:, None]
    small = norms <= more  # what is nearly zero has no direction to grow in; its entries grow
    grown = 1.0 + more / np.where(small, np.inf, norms)
    enlarged: FloatArray = found * np.repeat(grown, blocks.sizes, axis=0)
    if small.any():
        enlarged += np.copysign(np.repeat(small * more, blocks.sizes, axis=0), found)
    return enlarged


class MomentScreen:
    """The same for a problem without rows, where every correlation is known exactly.

    Parameters
    ----------
    moments : Moments
    """

    def __init__(self, moments: Moments) -> None:
        self._moments = moments
        self._every = np.arange(moments.problem.blocks.weight.size)
        self._rows = np.arange(moments.problem.coordinates.size)
        self.correlation = moments.problem.start.correlation

    def start(self, working: WorkingSet) -> State:  # noqa: ARG002
        """Return the null fit as a point of the path."""
        start = self._moments.problem.start
        return State(
            start.theta, start.intercept, start.eta, start.loss, correlation=start.correlation
        )

    def look(
        self,
        state: State,
        lambda_: float,
        swept: BoolArray,  # noqa: ARG002
        working: WorkingSet,  # noqa: ARG002
    ) -> Look:
        """Take the correlations of the point."""
        self.correlation = state.correlation
        blocks, none = self._moments.problem.blocks, np.empty((0, 1))
        return Look(
            state,
            lambda_,
            self._every,
            self._rows,
            blocks,
            full=False,
            dual=none,
            weighted=none,
        )

    def receive(self, look: Look, correlation: FloatArray) -> Look:  # noqa: ARG002
        """Return the look: nothing is ever asked for."""
        return look

    def certify(
        self,
        look: Look,
        working: WorkingSet,  # noqa: ARG002
        penalty: float,
        norms: FloatArray,  # noqa: ARG002
    ) -> float:
        """Return the certificate of the point looked at."""
        theta = look.state.theta
        return self._moments.certify(theta, self.correlation, look.lambda_, penalty)

    def ahead(
        self,
        before: State,
        last: State,
        share: float,
        theta: FloatArray,
        left_out: FloatArray,
        working: WorkingSet,  # noqa: ARG002
    ) -> State:
        """Return the last step taken once more, but for what `left_out` (q, K) holds of it."""
        correlation = (1.0 + share) * last.correlation - share * before.correlation
        rows = np.flatnonzero(left_out)
        if rows.size:
            correlation += self._moments.gram[rows].T @ left_out[rows]
        square, _ = self._moments.squares(theta, correlation)
        return State(theta, last.intercept, last.eta, 0.5 * square, correlation=correlation)

    def gradient(self, state: State, working: WorkingSet) -> None:
        """Return None: the point carries it."""

    def kept(self, lambda_: float, previous: float) -> BoolArray:
        """Return the groups that the strong rule keeps for lambda, (G,)."""
        return strong_rule(self._moments.problem, Known(self.correlation), lambda_, previous)


@dataclass(frozen=True, slots=True)
class Known:
    """What the strong rule goes by.

    Parameters
    ----------
    correlation : ndarray of shape (q, K)
    norms : ndarray of shape (G, K'), optional
        Its norms, which serve where the penalty sees nothing else.
    beside : ndarray of shape (G, K'), optional
        Norms of the point, for a penalty of all of them.
    """

    correlation: FloatArray
    norms: FloatArray | None = None
    beside: FloatArray | None = None


def strong_rule(problem: Problem, known: Known, lambda_: float, previous: float) -> BoolArray:
    """Return the groups that the sequential strong rule keeps for lambda, (G,)."""
    at, penalty, blocks = max(0.0, 2.0 * lambda_ - previous), problem.penalty, problem.blocks
    if penalty.matrix:  # no group leaves by itself
        return np.ones(blocks.weight.size, dtype=np.bool_)
    norms = known.norms
    if norms is None or penalty.l1_fraction > 0:
        norms = blocks.beyond(penalty, known.correlation, at)
    over = norms > blocks.allowed(penalty, at, known.beside)
    return np.asarray(over[:, 0] if over.shape[1] == 1 else over.any(axis=1))


def beside(problem: Problem, working: WorkingSet, state: State) -> FloatArray | None:
    """Return the norms of all blocks (G, K') of a point, None where no penalty asks for them."""
    if not problem.penalty.joint:
        return None
    return working.everywhere(working.blocks.norms(working.grown(state.theta)))
