"""Sweeps lower the model they are given, in residual form, on Gram matrices, in every storage."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import brentq

from grpsparse.backend import steps
from grpsparse.backend.prox import radial_prox
from grpsparse.problem import State
from grpsparse.screening import Screen
from grpsparse.solvers import Task, WorkingSet
from grpsparse.solvers.sweeps import Sweeps

FAMILIES = ("gaussian", "binomial", "poisson", "multinomial")
PENALTIES = ("group_lasso", "sparse_group_lasso", "group_mcp", "lasso")
FORMS = ("rows", "refined", "gram")
SINGLE = 2e-6  # of the model's decrease: single precision holds what a step changes
ROUNDING = 1e-13
UNTIL = 400  # sweeps after which the model is minimised


def python(function):
    """Return what numba compiled."""
    return getattr(function, "py_func", function)


def sweeps_at(problem, form, *, share=0.3, start=None):
    """Return a solve on all groups at a share of lambda_max."""
    working = WorkingSet(problem, gathered=form != "gram")
    groups = np.ones(problem.blocks.weight.size, dtype=bool)
    working.add(groups)
    state = Screen(problem).start(working) if start is None else start
    gradient = None
    if form == "refined":
        weighted = problem.data.weights[:, None] * problem.data.residual(state.eta)
        gradient = working.own(problem.coordinates.correlate(weighted)[working.coordinates])
    task = Task(share * problem.lambda_max, groups, 1e-7, 1e-7, gradient)
    return Sweeps(problem, state, working, task)


def take(work, count, enough=0.0):
    """Sweep `count` times; return first gain, coefficients, and what the predictor moves by."""
    limits, sources = (count, enough, enough, count), work.working.sources
    found = work._gram_step(limits) if sources is None else work._rows_step(sources, limits)
    (_, gain, *_), theta, moved = found
    return gain, theta, moved


def model_value(work, theta):
    """Return quadratic model plus penalty at theta (top + m, K), from the formula."""
    data, working = work.problem.data, work.working
    rows = working.exact_rows(np.arange(theta.shape[0]))
    change = rows.T @ (theta - work.theta)  # (n, K)
    curvature = data.family.curvature(data.y, work.eta)
    inner = np.sum(curvature * change**2, axis=1)
    if data.family.hessian == "softmax":
        inner -= np.sum(curvature * change, axis=1) ** 2
    linear = -np.sum(data.weights[:, None] * data.residual(work.eta) * change)
    paid = working.blocks.value(work.problem.penalty, theta[working.top :], work.task.lambda_)
    return linear + 0.5 * data.weights @ inner + paid


@pytest.mark.parametrize(
    ("family", "penalty", "form"), list(itertools.product(FAMILIES, PENALTIES, FORMS))
)
def test_every_sweep_lowers_the_model(data, family, penalty, form):
    problem = data.problem(family, penalty)
    first = sweeps_at(problem, form)
    values = [model_value(first, first.theta)]
    for count in range(1, 6):
        work = sweeps_at(problem, form)
        # no gain is little enough, not even none: the first sweep alone is over all blocks
        gain, theta, moved = take(work, count, enough=-1.0)
        values.append(model_value(work, theta))
        # what the kernel keeps agrees with what it means
        rows = work.working.exact_rows(np.arange(theta.shape[0]))
        expected = rows.T @ (theta - work.theta)
        size = np.abs(expected).max()
        assert (moved is None) == (form != "gram" and family == "gaussian")
        if moved is not None:  # what a quadratic loss moves is asked of X
            np.testing.assert_allclose(moved, expected, atol=SINGLE * size)
        if problem.penalty.convex:
            assert gain == pytest.approx(values[0] - values[1], rel=1e-4)
    size = values[0] - values[-1]
    assert size > 0
    assert np.all(np.diff(values) <= (ROUNDING if form == "gram" else SINGLE) * size)


@pytest.mark.parametrize(("family", "penalty"), list(itertools.product(FAMILIES, PENALTIES)))
def test_forms_have_one_minimum(data, family, penalty):
    """Residual form, with and without an exact gradient, and Gram form minimise one model."""
    problem = data.problem(family, penalty)
    found = []
    for form in FORMS:
        work = sweeps_at(problem, form, share=0.5)
        theta = take(work, UNTIL)[1]
        found.append((model_value(work, theta), work.working.standard(theta[work.working.top :])))
        order = np.argsort(work.working.coordinates)
        found[-1] = (found[-1][0], found[-1][1][order])
    size = max(np.abs(found[-1][1]).max(), 1e-3)
    for value, theta in found[:-1]:
        assert value == pytest.approx(found[-1][0], abs=1e-6 * abs(found[-1][0]) + 1e-9)
        np.testing.assert_allclose(theta, found[-1][1], atol=1e-3 * size)


@pytest.mark.parametrize("penalty", ["group_lasso", "sparse_group_lasso"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("mode", ["group", "column"])
def test_storages_have_one_minimum(stored, family, penalty, mode):
    """Codes and sparse columns are swept where they are, as the columns written out are."""
    found = []
    for each in stored:
        work = sweeps_at(each.problem(family, penalty, mode=mode), "refined", share=0.5)
        _, theta, _ = take(work, UNTIL)
        rows = work.working.exact_rows(np.arange(theta.shape[0]))
        found.append((model_value(work, theta), rows.T @ (theta - work.theta)))
    (value, moved), (expected, dense) = found
    assert value == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(moved, dense, atol=2e-4 * max(1.0, np.abs(dense).max()))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("penalty", ["group_lasso", "sparse_group_lasso"])
def test_storages_are_not_written_out(stored, family, penalty):
    """One sweep in every storage does what it says, and the dense store holds no more."""
    each = stored[0]
    work = sweeps_at(each.problem(family, penalty, mode="column"), "rows")
    assert any(kind != 0 for kind in work.spans[:, 4])
    _, theta, moved = take(work, 2)
    rows = work.working.exact_rows(np.arange(theta.shape[0]))
    expected = rows.T @ (theta - work.theta)
    if moved is not None:
        np.testing.assert_allclose(moved, expected, atol=SINGLE * max(1.0, np.abs(expected).max()))
    dense = work.spans[work.spans[:, 4] == 0]
    held = np.unique(dense[:, :2], axis=0)
    store = work.working.sources.arrays()[0][0]
    assert store.shape[0] == (held[:, 1] - held[:, 0]).sum()


@pytest.mark.parametrize("seed", range(40))
def test_the_norm_of_a_block(seed):
    """The equation of a block whose rows differ in curvature, against bisection."""
    rng = np.random.default_rng(seed)
    m, width = int(rng.integers(1, 7)), int(rng.integers(1, 4))
    target = rng.normal(size=(m, width)) * 10.0 ** rng.uniform(-3, 3)
    scale = 10.0 ** rng.uniform(-6, 1, size=m)
    metric, level = 10.0 ** rng.uniform(-2, 1), 10.0 ** rng.uniform(-3, 1)
    a, ridge = rng.uniform(0.1, 1.0), rng.choice([0.0, 0.5])
    level *= min(1.0, 0.9 * np.linalg.norm(target) / (a * level)) if seed % 4 else 1.0
    penalty = (a, ridge)
    found = python(steps._block_norm)(target, m, width, scale, 0, metric, level, penalty)
    size = np.linalg.norm(target)
    if size <= a * level:
        assert found == 0.0
        return
    bend = metric * scale + ridge * level
    squares = np.sum(target**2, axis=1)

    def excess(r):
        return np.sqrt(np.sum(squares / (bend * r + a * level) ** 2)) - 1.0

    upper = size / bend.min() + 1.0
    assert found == pytest.approx(brentq(excess, 0.0, upper, xtol=1e-300, rtol=1e-14), rel=1e-8)
    # and with it the block satisfies its optimality conditions
    block = target / (bend + a * level / found)[:, None]
    assert np.linalg.norm(block) == pytest.approx(found, rel=1e-8)


def test_what_moves_nothing_stays_finite(data):
    """A column of zeros under a fit's weights, and a group of two equal columns."""
    blocks = np.array(data.blocks[0])
    blocks[:, 5] = blocks[:, 4]
    twin = type(data)((blocks,), data.sizes, data.weights, data.responses)
    for penalty, form in itertools.product(PENALTIES, FORMS):
        work = sweeps_at(twin.problem("gaussian", penalty, mode="none"), form, share=0.01)
        theta = take(work, 50)[1]
        assert np.isfinite(theta).all()


def test_metrics_are_kept(data):
    """A metric learned in one solve is where the next one starts."""
    problem = data.problem("binomial", "group_lasso")
    work = sweeps_at(problem, "rows")
    take(work, 3)
    learned = work.metric.copy()
    state = work.state()
    assert isinstance(state, State)
    metric = work.working.plan(work.task.groups, work.task.lambda_).metric
    np.testing.assert_array_equal(metric, learned)
    assert np.ptp(learned) > 0


def test_a_code_without_a_branch_is_no_number():
    assert np.isnan(radial_prox(77, 3.0, 1.0, 2.0, 1.0, 1.0))
