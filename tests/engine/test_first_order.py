"""The parts of the first-order solvers, held to formulas: x, proximal maps, recursions, ADMM."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
import pytest

from grpsparse.errors import OptionError
from grpsparse.penalties import GroupLasso, GroupMCP, get
from grpsparse.problem import Checked, certify, dual_point
from grpsparse.screening import Screen
from grpsparse.solvers import ADMM, Accelerated, Task, WorkingSet
from grpsparse.solvers import get as get_solver
from grpsparse.solvers.admm import Iteration
from grpsparse.solvers.composite import Composite
from grpsparse.solvers.legs import Limits, Reached
from grpsparse.solvers.proximal_point import Point, Ridge, proximal_point
from grpsparse.solvers.recursions import Concave, monotone, restarted, split, step_from

FAMILIES = ("gaussian", "binomial", "poisson", "multinomial")
PENALTIES = ("group_lasso", "sparse_group_lasso", "lasso", "group_mcp", "group_lq")
SHARE = 0.2  # of lambda_max, where some groups are active
ROUNDING = 1e-12
DIFFERENCES = 1e-6  # of central differences of step 1e-6 and their rounding
PAPER = 2e-13  # certificate that the split recursion reached on group MCP, in 119-136 iterations
ITERATIONS = 500


def composite_of(problem, *, share=SHARE, groups=None):
    """Return the function of x on all groups, or some, and the start."""
    working = WorkingSet(problem, gathered=False)
    every = np.ones(problem.blocks.weight.size, dtype=bool)
    working.add(every)
    state = Screen(problem).start(working)
    task = Task(share * problem.lambda_max, every if groups is None else groups, 1e-14, 1e-7)
    return Composite(problem, state, working, task), state, working, task


def certificate(problem, state, working, lambda_):
    """Return the certificate of a state."""
    theta = np.zeros((problem.coordinates.size, problem.n_outputs))
    theta[working.coordinates] = working.standard(state.theta)
    dual = dual_point(problem, state, lambda_)
    checked = Checked(problem.blocks, problem.correlate(dual), theta)
    paid = problem.blocks.value(problem.penalty, theta, lambda_)
    return certify(problem, state, lambda_, dual, checked, penalty=paid)


def away(composite, start, seed=0):
    """Return a point that is not the start."""
    rng = np.random.default_rng(seed)
    x = composite.point(start)
    return x + 0.3 * rng.normal(size=x.shape)


FORMS = {
    "plain": {},
    "raw": {"mode": "none"},
    "no intercept": {"intercept": False},
    "free": {"factor": [1, 0, 1, 0]},
    "separate": {"shared": False},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("family", FAMILIES)
def test_x_and_coefficients_are_one_point(data, family, form):
    """Predictor, loss and penalty of x are those of its coefficients; the way back is the same."""
    problem = data.problem(family, "group_lasso", **FORMS[form])
    composite, start, working, task = composite_of(problem)
    x = away(composite, start)
    state = composite.state(x)
    np.testing.assert_allclose(composite.point(state), x, atol=ROUNDING)
    eta = composite.predictor(x)
    np.testing.assert_allclose(state.eta, eta, atol=ROUNDING * np.abs(eta).max())
    standard = working.standard(state.theta)
    direct = problem.coordinates.linear_predictor(standard, working.coordinates)
    np.testing.assert_allclose(eta, direct + state.intercept, atol=1e-10 * np.abs(eta).max())
    paid = working.blocks.value(problem.penalty, state.theta, task.lambda_)
    assert composite.paid(x) == pytest.approx(paid, rel=ROUNDING)
    assert composite.value(x, eta) == pytest.approx(state.loss + paid, rel=1e-10)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_free_part_has_nothing_in_common_with_the_rest(data, family):
    problem = data.problem(family, "group_lasso", mode="none", factor=[1, 0, 1, 1])
    composite, *_ = composite_of(problem)
    weighted = composite.rows * problem.data.weights
    gram = weighted @ composite.rows.T
    free = composite.n_free
    assert free == 2  # intercept and one column
    np.testing.assert_allclose(gram[:free, :free], np.eye(free), atol=ROUNDING)
    np.testing.assert_allclose(gram[:free, free:], 0.0, atol=1e-10)


@pytest.mark.parametrize("family", FAMILIES)
def test_gradient_and_curvature_by_differences(data, family):
    problem = data.problem(family, "group_lasso", mode="none", factor=[1, 0, 1, 1])
    composite, start, *_ = composite_of(problem)
    x = composite.point(start)
    rng = np.random.default_rng(1)
    direction, h = rng.normal(size=x.shape), 1e-6
    ahead, behind = (composite.predictor(x + s * h * direction) for s in (1.0, -1.0))
    slope = (problem.data.loss(ahead) - problem.data.loss(behind)) / (2 * h)
    eta = composite.predictor(x)
    assert np.vdot(composite.gradient(eta), direction) == pytest.approx(slope, abs=DIFFERENCES)
    bend = (composite.gradient(ahead) - composite.gradient(behind)) / (2 * h)
    bent = composite.bending(eta)((direction.T @ composite.rows).T)
    np.testing.assert_allclose(composite.rows @ bent, bend, atol=DIFFERENCES)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_largest_curvature_is_below_the_largest_eigenvalue_and_near(data, family):
    composite, start, *_ = composite_of(data.problem(family, "group_lasso"))
    x = composite.point(start)
    bent = composite.bending(composite.predictor(x))
    columns = []
    for entry in np.ndindex(*x.shape):
        unit = np.zeros(x.shape)
        unit[entry] = 1.0
        columns.append((composite.rows @ bent((unit.T @ composite.rows).T)).ravel())
    largest = np.linalg.eigvalsh(np.array(columns))[-1]
    found = composite.largest_curvature(composite.predictor(x))
    assert 0.5 * largest <= found <= (1.0 + ROUNDING) * largest


@pytest.mark.parametrize("form", ["plain", "raw", "separate"])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_proximal_map_is_that_of_every_block(data, penalty, form):
    """Against the penalty's own map of one block, whose step and level it is given."""
    problem = data.problem("multinomial", penalty, **FORMS[form])
    composite, start, *_ = composite_of(problem)
    x, step = away(composite, start), 0.7
    found = composite.prox(x, step)
    free, starts = composite.n_free, composite.blocks.starts
    np.testing.assert_array_equal(found[:free], x[:free])
    chosen, lambda_ = problem.penalty, composite.lambda_
    for g, weight in enumerate(composite.blocks.weight):
        root = np.sqrt(composite.scale[g])
        rows = slice(free + starts[g], free + starts[g + 1])
        width = x.shape[1] if composite.blocks.shared else 1
        for low in range(0, x.shape[1], width):
            block = x[rows, low : low + width] / root
            length = step / root**2
            cut = length * lambda_ * chosen.l1_fraction
            block = np.sign(block) * np.maximum(np.abs(block) - cut, 0.0)
            plain = chosen if chosen.l1_fraction == 0 else GroupLasso()
            level = lambda_ * weight * (1.0 if plain is chosen else chosen.parameters[0])
            expected = root * plain.prox(block, length, level)
            np.testing.assert_allclose(
                found[rows, low : low + width], expected, rtol=1e-12, atol=1e-14
            )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("first", [1e-3, 1.0])
def test_a_step_is_as_long_as_the_curvature_allows(data, family, first):
    """From any first L the step ends with one under which the model is above the loss."""
    problem = data.problem(family, "group_lasso")
    composite, start, *_ = composite_of(problem)
    y = composite.point(start)
    eta = composite.predictor(y)
    step = step_from(composite, y, eta, first)
    change = step.x - y
    model = problem.data.loss(eta) + np.vdot(step.gradient, change)
    model += 0.5 * step.bound * np.vdot(change, change)
    assert problem.data.loss(step.eta) <= model + ROUNDING
    moved = composite.gradient(step.eta) - step.gradient
    assert np.vdot(moved, change) <= (1.0 + 1e-9) * step.bound * np.vdot(change, change)
    assert step.bound >= first


RECURSIONS = {
    "gradient": partial(restarted, restart="gradient"),
    "function": partial(restarted, restart="function"),
    "never": partial(restarted, restart="never"),
    "monotone": monotone,
    "split": partial(split, steps="optimal"),
    "classical": partial(split, steps="classical"),
    "admm": ADMM().recursion,
    "admm 0.3": ADMM(rho=0.3).recursion,
}


@pytest.mark.parametrize("name", RECURSIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_recursions_have_one_minimum(data, family, name):
    """All of them minimise a convex objective, whatever they were made for."""
    problem = data.problem(family, "group_lasso", mode="none")
    composite, start, working, task = composite_of(problem)
    at = Reached(composite.point(start), 0, settled=False, stiffness=0.0)
    enough = 1e-18 * problem.scale
    found = RECURSIONS[name](composite, at, Limits(20_000, enough))
    assert found.settled
    assert certificate(problem, composite.state(found.x), working, task.lambda_) < 1e-8


@pytest.mark.parametrize("steps", ["optimal", "classical"])
@pytest.mark.parametrize("family", ["gaussian", "binomial", "multinomial"])
def test_the_split_recursion_on_group_mcp(wide, family, steps):
    """Stationary to rounding in some hundred iterations, as published for the algorithm."""
    problem = wide.problem(family, GroupMCP(gamma=5.0))
    composite, start, working, task = composite_of(problem, share=0.6)
    at = Reached(composite.point(start), 0, settled=False, stiffness=0.0)
    most = ITERATIONS if steps == "optimal" else 4 * ITERATIONS
    found = split(composite, at, Limits(most, 0.0), steps=steps)
    assert found.settled
    assert certificate(problem, composite.state(found.x), working, task.lambda_) <= PAPER
    assert np.count_nonzero(composite.norms(found.x)) > 1


@pytest.mark.parametrize("penalty", ["group_mcp", "group_scad", "group_transformed_l1"])
def test_the_concave_part_by_differences(data, penalty):
    """The slope of q is p' - p'(0), and changes no faster than its weak convexity says."""
    problem = data.problem("gaussian", penalty, mode="none")
    composite, start, *_ = composite_of(problem, share=0.6)
    concave = Concave.of(composite)
    soft = replace(problem, penalty=GroupLasso())

    def part(x):
        bound = x[composite.n_free :] / composite._root
        level = concave.slope / (composite.lambda_ * composite.blocks.weight)
        lasso = composite.blocks.part(np.arange(level.size))
        flat = float((lasso.norms(bound)[:, 0] * concave.slope).sum())
        assert soft.penalty.name == "group_lasso"
        return composite.paid(x) - flat

    x, other = away(composite, start, 3), away(composite, start, 4)
    direction, h = np.random.default_rng(5).normal(size=x.shape), 1e-6
    slope = (part(x + h * direction) - part(x - h * direction)) / (2 * h)
    assert np.vdot(concave.gradient(x), direction) == pytest.approx(slope, abs=DIFFERENCES)
    change = np.linalg.norm(concave.gradient(x) - concave.gradient(other))
    assert change <= (1.0 + ROUNDING) * concave.weak * np.linalg.norm(x - other)


@pytest.mark.parametrize("penalty", ["group_lq", "group_l0", "group_capped_l1", "group_mcp"])
@pytest.mark.parametrize("family", ["gaussian", "binomial", "multinomial"])
def test_the_monotone_recursion_never_rises(data, family, penalty):
    problem = data.problem(family, penalty)
    composite, start, *_ = composite_of(problem, share=0.4)
    at = Reached(composite.point(start), 0, settled=False, stiffness=0.0)
    values = [composite.value(at.x, composite.predictor(at.x))]
    for _ in range(25):
        at = monotone(composite, at, Limits(2, 0.0))
        values.append(composite.value(at.x, composite.predictor(at.x)))
    assert np.all(np.diff(values) <= 1e-14 * np.abs(values).max())
    assert values[-1] < values[0]


@pytest.mark.parametrize("solver", [Accelerated(), ADMM()], ids=lambda each: each.name)
@pytest.mark.parametrize("penalty", ["group_lq", "group_l0"])
def test_steep_penalties_are_judged_block_by_block(wide, solver, penalty):
    """No block is left whose own proximal step, longer than 1 / L, would move it."""
    problem = wide.problem("gaussian", penalty)
    composite, start, working, task = composite_of(problem, share=0.5)
    solution = solver.solve(problem, start, working, task)
    gains, _ = composite.single_steps(composite.point(solution.state))
    assert gains.max() <= 1e-9 * problem.scale
    assert certificate(problem, solution.state, working, task.lambda_) < 1e-7


@pytest.mark.parametrize("rows", ["fewer", "more"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("rho", [1e-2, 1.0])
def test_the_smooth_step_solves_its_equation(data, wide, family, rows, rho):
    problem = (wide if rows == "fewer" else data).problem(family, "group_lasso")
    composite, start, *_ = composite_of(problem)
    ridge = Ridge.of(composite)
    b = Point.of(composite, composite.point(start))
    shift = b.gradient + rho * away(composite, start, 6)
    found = proximal_point(composite, ridge, b, shift=shift, rho=rho, enough=1e-12)
    left = composite.gradient(composite.predictor(found.x)) + rho * found.x - shift
    assert np.linalg.norm(left) <= 1e-11
    np.testing.assert_allclose(
        found.gradient, composite.gradient(composite.predictor(found.x)), atol=1e-12
    )


def test_the_smooth_step_without_a_decomposition(data, monkeypatch):
    """Where rows and coordinates are many, conjugate gradients go without."""
    monkeypatch.setattr("grpsparse.solvers.proximal_point.LARGEST_SYSTEM", 3)
    problem = data.problem("gaussian", "group_lasso", mode="none")
    composite, start, working, task = composite_of(problem)
    assert not Ridge.of(composite).values.size
    solution = ADMM(finish=False).solve(problem, start, working, task)
    assert not solution.exhausted
    assert certificate(problem, solution.state, working, task.lambda_) < 1e-7


@pytest.mark.parametrize("penalty", ["group_lasso", "group_mcp", "group_capped_l1", "group_l0"])
@pytest.mark.parametrize("family", FAMILIES)
def test_admm_keeps_its_invariants(data, family, penalty):
    """y is minus the gradient, as the update makes it; above sqrt(2) L the Lagrangian falls."""
    problem = data.problem(family, penalty)
    if get_solver("admm").supports(problem) is not None:
        pytest.skip("no certificate")
    composite, start, *_ = composite_of(problem, share=0.5)
    it = Iteration.of(composite, composite.point(start), 0.0, 1.5)
    values = []
    for _ in range(60):
        before, rho = it.b, it.rho
        it.step_z()
        apart = it.apart
        it.step_b()
        gradient = composite.gradient(composite.predictor(it.b.x))
        np.testing.assert_allclose(it.multiplier, -gradient, atol=1e-12)
        updated = -before.gradient + rho * (it.b.x - it.z)
        # the b step is solved to this share of the z step's length
        assert np.linalg.norm(updated - it.multiplier) <= 2e-4 * rho * apart + 1e-13
        if it.rho == rho:
            values.append(it.augmented_lagrangian())
        else:  # a Lagrangian of another rho
            values.clear()
    assert len(values) > 10
    assert np.all(np.diff(values) <= 1e-14 * np.abs(values).max())


@pytest.mark.parametrize("penalty", ["group_lasso", "sparse_group_lasso", "group_mcp"])
@pytest.mark.parametrize("family", ["gaussian", "binomial"])
def test_the_answer_of_admm_is_exactly_sparse(wide, family, penalty):
    """It is z that is returned: b has no zeros."""
    problem = wide.problem(family, penalty)
    composite, start, working, task = composite_of(problem, share=0.6)
    state = ADMM(finish=False).solve(problem, start, working, task).state
    active = (working.blocks.norms(state.theta) > 0).sum()
    assert 0 < active < 0.5 * working.groups.size
    assert certificate(problem, state, working, task.lambda_) < 1e-6
    it = Iteration.of(composite, composite.point(start), 0.0, 1.5)
    it.step_z()
    it.step_b()
    assert np.all(composite.norms(it.b.x) > 0)


def test_below_the_guard_the_lagrangian_may_rise(data):
    """So the law above can fail: with rho of 0.2 L it does."""
    composite, start, *_ = composite_of(data.problem("gaussian", "group_mcp"), share=0.3)
    it = Iteration.of(composite, composite.point(start), 0.0, 1.0)
    it.ratio = None
    it.rho *= 0.2
    values = []
    for _ in range(40):
        it.step_z()
        it.step_b()
        values.append(it.augmented_lagrangian())
    assert np.diff(values).max() > 1e-10


@pytest.mark.parametrize("solver", ["accelerated", "admm"])
def test_other_groups_stay_as_they_are(data, solver):
    """A task that names some groups moves no other, and counts what these contribute."""
    problem = data.problem("binomial", "group_lasso")
    _, start, working, task = composite_of(problem)
    whole = get_solver(solver).solve(problem, start, working, task).state
    some = np.array([True, False, True, True])
    part = Task(0.5 * task.lambda_, some, 1e-14, 1e-7)
    found = get_solver(solver).solve(problem, whole, working, part).state
    fixed = np.repeat(~some[working.groups], working.blocks.sizes)
    assert whole.theta[fixed].any()
    np.testing.assert_array_equal(found.theta[fixed], whole.theta[fixed])
    direct = problem.coordinates.linear_predictor(
        working.standard(found.theta), working.coordinates
    )
    np.testing.assert_allclose(found.eta, direct + found.intercept, atol=1e-10)


@dataclass(frozen=True, slots=True, repr=False)
class AllNorms(GroupLasso):
    """The group lasso as a penalty of all norms, whose proximal map of one block is not asked."""

    joint: ClassVar[bool] = True
    growing: ClassVar[bool] = False
    most: ClassVar[None] = None
    code: ClassVar[int] = -1  # none

    def joint_value(self, norms, weight, lambda_):
        return float(lambda_ * (weight * norms).sum())

    def joint_slope(self, norms, weight, lambda_):
        return lambda_ * weight * np.ones_like(norms)

    def joint_curvature(self, norms, weight, lambda_):  # noqa: ARG002
        return 0.0, np.zeros_like(norms), 0.0

    def joint_prox(self, norms, weight, step, lambda_):
        return np.maximum(norms - step * lambda_ * weight, 0.0)


@dataclass(frozen=True, slots=True, repr=False)
class NotSaidToBeConvex(AllNorms):
    """The same for the recursions of nonconvex penalties."""

    convex: ClassVar[bool] = False


@pytest.mark.parametrize("solver", ["accelerated", "admm"])
@pytest.mark.parametrize("penalty", [AllNorms(), NotSaidToBeConvex()], ids=["convex", "nonconvex"])
@pytest.mark.parametrize("form", ["plain", "raw", "separate"])
@pytest.mark.parametrize("family", ["gaussian", "multinomial"])
def test_penalties_of_all_norms(data, solver, penalty, form, family):
    """A group lasso that only answers for all norms at once has the group lasso's solution."""
    problem = data.problem(family, "group_lasso", **FORMS[form])
    composite, start, working, task = composite_of(problem)
    joint, task = replace(problem, penalty=penalty), replace(task, accuracy=1e-20)
    solution = get_solver(solver).solve(joint, start, working, task)
    assert not solution.exhausted
    assert certificate(problem, solution.state, working, task.lambda_) < 1e-7
    x = composite.point(solution.state)
    other = Composite(joint, start, working, task)
    assert other.paid(other.point(solution.state)) == pytest.approx(composite.paid(x))


def test_a_problem_without_anything_to_move(data):
    problem = data.problem("gaussian", "group_lasso", intercept=False)
    working = WorkingSet(problem, gathered=False)
    start = Screen(problem).start(working)
    none = np.zeros(problem.blocks.weight.size, dtype=bool)
    for solver in (Accelerated(), ADMM()):
        found = solver.solve(problem, start, working, Task(problem.lambda_max, none, 1e-9, 1e-7))
        assert (found.n_iter, found.exhausted) == (0, False)
        assert found.state.loss == pytest.approx(start.loss)


def test_limits_are_kept_and_told(data):
    problem = data.problem("gaussian", "group_mcp", mode="none")
    _, start, working, task = composite_of(problem, share=0.05)
    for solver in (Accelerated(max_iter=2, finish=False), ADMM(max_iter=2, finish=False)):
        found = solver.solve(problem, start, working, task)
        assert (found.n_iter, found.exhausted, found.newton_steps) == (2, True, 0)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Accelerated(max_iter=0), "max_iter"),
        (lambda: Accelerated(restart="sometimes"), "gradient"),
        (lambda: Accelerated(steps="long"), "classical"),
        (lambda: Accelerated(finish=1), "finish"),
        (lambda: ADMM(max_iter=True), "max_iter"),
        (lambda: ADMM(rho=0.0), "rho"),
        (lambda: ADMM(rho="fast"), "rho"),
        (lambda: ADMM(rho=np.inf), "rho"),
        (lambda: ADMM(finish=None), "finish"),
    ],
)
def test_options_out_of_range(make, what):
    with pytest.raises(OptionError, match=what):
        make()


@pytest.mark.parametrize("solver", ["accelerated", "admm", "block_descent"])
def test_what_has_no_certificate_is_refused(data, solver):
    problem = data.problem("poisson", get("group_lq"))
    assert "bound on the curvature" in get_solver(solver).supports(problem)
