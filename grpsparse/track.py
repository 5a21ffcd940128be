"""One problem on its way along lambda: what it knows, and the steps that a path asks of it.

For every lambda: `begin` chooses groups and a start, `improve` solves on them and estimates
all correlations, `receive` takes those that had to be computed with all of X, and `check`
certifies the point or asks for another round.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.problem import Moments, Problem, State
from grpsparse.reach import CommonReach
from grpsparse.record import Point, Work
from grpsparse.screening import Look, MomentScreen, Screen
from grpsparse.solvers import Solution, Solver, Store, Task, WorkingSet, grown_to

__all__ = ["How", "Track"]

FIRST_SHARE = 4.0  # the gap is about half the root of a sweep's gain: accuracy over tol squared
OBJECTIVE_SHARE = 1e-4  # and at most this times tol, of the objective as it stands, so that
# objectives are accurate even where certificates are coarse
FINEST = 1e-11  # and at least this before the model is refined
TIGHTER = 0.1  # factor by which it is tightened while the certificate is above tol
ROUNDS = 40
PROGRESS = 0.9  # of the last round's certificate, below which a round has helped
FALLEN = 1e-10  # of the null deviance, by which an objective that falls has made progress
PATIENCE = 4  # rounds without progress at the finest accuracy before giving up
# of lambda: groups kept by the strong rule there are gathered with those needed, fewer of them
# where columns are so long that gathering costs more than doing it again
AHEAD, AHEAD_LONG, LONG = 0.9, 0.95, 4000
COARSE = 1e-4  # tolerance from which columns in single precision are good enough
SMALLEST_LEFT = 1e-3  # share of the objective that accuracy is measured by
LONGEST_STEP = 0.9  # of a group's norm, to which the last step may be taken once more
FARTHEST = 100.0  # times the last step of lambda, to go on from it


@dataclass(frozen=True, slots=True)
class How:
    """How a problem is solved along its path.

    Parameters
    ----------
    first : float
        First value of lambda.
    gathered : bool
        Whether the working set holds columns for the sweeps.
    moments : Moments, optional
        Of a gaussian problem whose rows are not needed any more.
    store : Store, optional
        Of dense columns, shared by problems of one design.
    reach : CommonReach, optional
        Of these problems.
    """

    first: float
    gathered: bool = True
    moments: Moments | None = None
    store: Store | None = None
    reach: CommonReach | None = None


@dataclass(frozen=True, slots=True)
class _Passed:
    """A point with all that its successors start from."""

    state: State
    norms: FloatArray  # of its blocks on the working set as it was


class Track:
    """A problem, its working set and its points so far.

    Parameters
    ----------
    problem : Problem
    solver : Solver
    tol : float
    how : How
    """

    def __init__(self, problem: Problem, solver: Solver, tol: float, how: How) -> None:
        self.problem, self.solver, self.tol = problem, solver, tol
        rounded = tol >= COARSE and problem.penalty.convex and not problem.penalty.matrix
        self.working = WorkingSet(
            problem,
            gathered=how.gathered,
            moments=how.moments,
            rounded=rounded,
            store=how.store,
        )
        self.screen = (
            Screen(problem, how.reach) if how.moments is None else MomentScreen(how.moments)
        )
        self.points: list[Point] = []
        self._passed: list[_Passed] = []  # the last two of them, which are gone on from
        self.done = True
        self.state = self.screen.start(self.working)
        self._previous = max(problem.lambda_max, how.first)
        self._lambda = how.first
        self._work = Work()
        self._kept: BoolArray = ~problem.blocks.penalised
        self._norms = self._norms_of(self.state)
        self._accuracy = FINEST
        self._gradient: FloatArray | None = None
        self._look: Look  # from the first `improve` on
        self._solution: Solution
        self._value = self._objective = np.inf
        self._stalled = self._round = 0

    @property
    def asks_all(self) -> bool:
        """Whether the correlations of all groups are wanted."""
        return self._look.full

    def begin(self, lambda_: float) -> None:
        """Start a new value of lambda."""
        clock = perf_counter()
        problem = self.problem
        self._lambda, self._work, self.done = lambda_, Work(), False
        self._kept = ~problem.blocks.penalised | self.screen.kept(lambda_, self._previous)
        self._kept[self._active_groups()] = True
        self._accuracy = max(
            FINEST, min(OBJECTIVE_SHARE * self.tol * self._left(), FIRST_SHARE * self.tol**2)
        )
        self._gradient = None
        self._value = self._objective = np.inf
        self._stalled = self._round = 0
        if problem.penalty.convex and len(self.points) > 1 and lambda_ > 0:
            self.state = self._ahead()
        self._work.seconds_screen += perf_counter() - clock

    def improve(self) -> None:
        """Solve on the groups kept, and find out what has to be evaluated."""
        clock = perf_counter()
        problem, work = self.problem, self._work
        if (self._kept & ~self.working.held).any():
            # gathering has a fixed cost, so groups that will soon be needed come along
            ahead = AHEAD_LONG if problem.data.y.shape[0] > LONG else AHEAD
            soon = self.screen.kept(ahead * self._lambda, self._lambda)
            self.working.add(self._kept | soon)
        task = Task(
            self._lambda,
            self._kept,
            self._accuracy,
            self.tol,
            self._gradient,
            again=self._round > 0,
            look=self._look_around,
        )
        if self._round == 0 and self._is_null():
            solution = Solution(self.state, 0)
        else:
            solution = self.solver.solve(problem, self.state, self.working, task)
        self.state, self._solution = solution.state, solution
        self._norms = self._norms_of(solution.state)
        work.sweeps += solution.n_iter
        work.newton_steps += solution.newton_steps
        work.stages += solution.stages
        work.seconds_solve += perf_counter() - clock
        clock = perf_counter()
        self._look = self.screen.look(self.state, self._lambda, self._kept, self.working)
        work.seconds_screen += perf_counter() - clock

    def _is_null(self) -> bool:
        """Tell whether the null fit is the answer, of which solvers make zeros up to rounding.

        The state is the null fit: lambda falls, so nothing has come in before. A penalty of all
        norms may have other points at its lambda_max, a constraint its only ones.
        """
        largest = self.problem.lambda_max
        return 0.0 < largest <= self._lambda and not self.problem.penalty.joint

    def _look_around(self, state: State) -> tuple[BoolArray, FloatArray]:
        """Let groups join that violate the conditions at a point; return all, and the gradient."""
        problem, look = (
            self.problem,
            self.screen.look(state, self._lambda, self._kept, self.working),
        )
        if look.full:
            look = self.screen.receive(look, problem.coordinates.correlate(look.weighted))
        self._work.passes += look.passes
        self._work.groups += look.needed.size
        self._kept = self._kept.copy()
        self._kept[self._joining(look)] = True
        self.working.add(self._kept)
        return self._kept, self.screen.correlation[self.working.coordinates]

    def _joining(self, look: Look) -> IntArray:
        """Return the groups not kept that zero is not optimal for."""
        known = self.screen.correlation[look.rows]
        penalty = self.problem.penalty
        norms = self.working.everywhere(self._norms)[look.needed] if penalty.joint else None
        excess = look.blocks.excess(penalty, known, self._lambda, norms)
        return look.needed[(excess > 0).any(axis=1) & ~self._kept[look.needed]]

    def weighted_dual(self) -> FloatArray:
        """Return W dual, (n, K)."""
        return self._look.weighted

    def receive(self, correlation: FloatArray) -> None:
        """Take the correlations (q, K) of all groups."""
        self._look = self.screen.receive(self._look, correlation)

    def check(self) -> None:
        """Certify the point, or prepare another round."""
        clock = perf_counter()
        look, work = self._look, self._work
        work.passes += look.passes
        work.groups += look.needed.size
        blocks, theta = self.working.blocks, self.working.grown(self.state.theta)
        paid = blocks.value(self.problem.penalty, theta, self._lambda, norms=self._norms)
        value = self.screen.certify(look, self.working, paid, self._norms)
        self._round += 1
        self._work.seconds_certify += perf_counter() - clock
        if value > self.tol and self._again(value, self.state.loss + paid, look):
            return
        self._work.working_set = int(self._kept.sum())
        self.points.append(
            Point(
                self._lambda,
                self.state.lean(),
                paid,
                value,
                bool(value <= self.tol),
                self._active_groups().size,
                self._work,
            )
        )
        self._passed = [*self._passed[-1:], _Passed(self.state, self._norms)]
        self._previous, self.done = self._lambda, True

    def _again(self, value: float, objective: float, look: Look) -> bool:
        """Prepare another round, or return False where none would help.

        On the way from one stationary region to another violations rise while the objective falls.
        """
        solution = self._solution
        rounded = self.working.rounded is not None
        self._gradient = None if rounded else self.screen.gradient(self.state, self.working)
        new = self._joining(look)
        if new.size:
            self._kept[new] = True
            return True
        if rounded and self._round > 1:  # certificates may not get below what rounding adds
            self.working.be_exact()
            return True
        helped = value <= PROGRESS * self._value
        helped |= objective < self._objective - FALLEN * self.problem.scale
        self._stalled = 0 if helped else self._stalled + 1
        self._value, self._objective = value, objective
        if self._round >= ROUNDS or solution.exhausted:
            return False
        if self._stalled >= PATIENCE and self._accuracy < 1e-17:
            return False
        self._accuracy = max(min(self._accuracy * TIGHTER, self.tol**2), 1e-28)
        return True

    def _left(self) -> float:
        """Return the objective over that of the null fit, both above the saturated loss."""
        if not self.points:
            return 1.0
        problem, last = self.problem, self.points[-1]
        gained = problem.null_loss - last.state.loss - last.penalty
        return max(SMALLEST_LEFT, 1.0 - gained / problem.scale)

    def _norms_of(self, state: State) -> FloatArray:
        """Return the norms of a point's blocks on the working set."""
        return self.working.blocks.norms(self.working.grown(state.theta))

    def _active_groups(self) -> IntArray:
        """Return the groups with a nonzero coefficient."""
        return self.working.groups[(self._norms > 0).any(axis=1)]

    def _stride(self) -> float:
        """Return the length of the step to the next lambda over that of the last one."""
        before, last = self.points[-2].lambda_, self.points[-1].lambda_
        return (last - self._lambda) / (before - last) if before > last else 1.0

    def _ahead(self) -> State:
        """Go the last step of the path once more, if that lowers the objective at the new lambda.

        Everything is linear in the step, so it costs no pass over X. Only for groups active at
        both points whose step is short: others would come back with the other sign.
        """
        working, problem = self.working, self.problem
        before, last = (passed.state for passed in self._passed)
        old, theta = working.grown(before.theta), working.grown(last.theta)
        share = self._stride()
        if share > FARTHEST:  # rounding of the last step would come with it
            return last
        step = share * (theta - old)
        first, second = (grown_to(working.groups.size, each.norms) for each in self._passed)
        going = (first > 0) & (second > 0)
        going &= working.blocks.norms(step) <= LONGEST_STEP * second
        going |= (working.blocks.weight == 0)[:, None]
        left_out = np.repeat(~going, working.blocks.sizes, axis=0) * step
        theta = theta + step - left_out
        state = self.screen.ahead(before, last, share, theta, left_out, working)
        paid = working.blocks.value(problem.penalty, theta, self._lambda)
        known = self.points[-1].penalty * self._lambda / self.points[-1].lambda_
        return state if state.loss + paid < last.loss + known else last
