"""One store of columns for several sets of weights: coordinates are made of its rows."""

from __future__ import annotations

import numpy as np
import pytest

from grpsparse.groups import CellBlock
from grpsparse.path import Grid, fit_path, fit_paths
from grpsparse.problem import Problem
from grpsparse.reach import CommonReach, Reach
from grpsparse.solvers import BlockDescent, Store, WorkingSet

from .conftest import Data

MODES = ("group", "column", "none")
SINGLE = 1e-5  # of rows in single precision, over their size
EXACT = 1e-10
BOUND = 1.0 + 1e-9


def sets_of_weights(data: Data) -> list[np.ndarray]:
    """Folds that leave rows out, and a bootstrap sample."""
    n = data.weights.size
    rng = np.random.default_rng(31)
    kept = [np.arange(n) % 4 != k for k in range(3)]
    return [data.weights * factor for factor in (*kept, rng.multinomial(n, np.full(n, 1 / n)))]


def problems_of(data: Data, family: str, penalty: str, mode: str, **options) -> list[Problem]:
    return [
        data.problem(family, penalty, mode=mode, weights=weights, **options)
        for weights in sets_of_weights(data)
    ]


def filled(problem: Problem, store: Store, seed: int) -> WorkingSet:
    """Return a working set of all groups, gathered in three steps of its own order."""
    working = WorkingSet(problem, rounded=True, store=store)
    count = problem.blocks.weight.size
    for some in np.array_split(np.random.default_rng(seed).permutation(count), 3):
        chosen = np.zeros(count, dtype=bool)
        chosen[some] = True
        working.add(chosen)
    return working


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("penalty", ["group_lasso", "sparse_group_lasso", "lasso"])
@pytest.mark.parametrize("family", ["gaussian", "multinomial"])
def test_coordinates_are_made_of_rows(wide, family, penalty, mode, intercept):
    """Products with stored rows are those with the columns, and rounding is within its bound."""
    problems = problems_of(wide, family, penalty, mode, intercept=intercept)
    store = Store(problems[0])
    rng = np.random.default_rng(32)
    sets = [filled(problem, store, seed) for seed, problem in enumerate(problems)]
    held = sum(problem.blocks.sizes.sum() for problem in problems)
    assert store.rows.shape[0] < held  # they share rows
    for problem, working in zip(problems, sets, strict=True):
        sources = working.rounded
        rows = working.exact_rows(np.arange(working.top + working.size))
        weights = problem.data.weights
        size = np.sqrt(np.max((rows**2) @ weights))
        theta = rng.normal(size=(working.top + working.size, problem.n_outputs))
        eta = sources.predictor(theta)
        np.testing.assert_allclose(eta, rows.T @ theta, atol=SINGLE * size * np.abs(theta).sum())
        dual = rng.normal(size=(weights.size, problem.n_outputs))
        weighted = weights[:, None] * dual
        groups = rng.permutation(working.groups)[:20]
        found = working.correlate(sources, weighted, groups)
        own = rows[working.top :]
        place = [np.flatnonzero(working.groups == g)[0] for g in groups]
        exact = own[working.blocks.rows(np.array(place))] @ weighted
        np.testing.assert_allclose(found, exact, atol=SINGLE * size)
        off = problem.blocks.part(groups).norms(found - exact).max(axis=1)
        norm = np.sqrt(weights @ (dual**2).sum(axis=1))
        assert (off <= sources.rounding[groups] * norm * BOUND + 1e-13 * size * norm).all()


@pytest.mark.parametrize("mode", MODES)
def test_metrics_are_mean_squares(wide, mode):
    """D of coordinates made of other rows is what their own columns say."""
    problems = problems_of(wide, "gaussian", "group_lasso", mode)
    store = Store(problems[0])
    for seed, problem in enumerate(problems):
        working = filled(problem, store, seed)
        rows = working.exact_rows(np.arange(working.top, working.top + working.size))
        squares = (rows**2) @ problem.data.weights
        np.testing.assert_allclose(working.scale[working.top :], squares, rtol=1e-4)


@pytest.mark.parametrize("with_factor", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_columns_that_differ_are_stored_apart(wide, mode, with_factor):
    """A column that is constant under the owner's weights only has rows of another set's own.

    A factor that is not looked at yet changes nothing.
    """
    X = wide.X.copy() + 5.0
    X[1::2, 4] = X[1, 4]
    n = wide.weights.size
    blocks, sizes = (X,), wide.sizes
    if with_factor:
        codes = np.random.default_rng(34).integers(0, 3, n).astype(np.int32)
        blocks, sizes = (X, CellBlock(codes, 3)), (*sizes, 3)
    changed = Data(blocks, sizes, wide.weights, wide.responses)
    odd = np.arange(n) % 2 == 1
    problems = [
        changed.problem("gaussian", "group_lasso", mode=mode, weights=changed.weights * kept)
        for kept in (odd, np.ones(n))
    ]
    store = Store(problems[0])
    working = WorkingSet(problems[1], rounded=True, store=store)
    dense = np.arange(len(sizes)) < len(wide.sizes)
    working.add(dense)
    rows = working.exact_rows(np.arange(working.top + working.size))
    theta = np.random.default_rng(33).normal(size=(rows.shape[0], 1))
    eta = working.rounded.predictor(theta)
    np.testing.assert_allclose(eta, rows.T @ theta, atol=1e-3)
    weighted = problems[1].data.weights[:, None] * eta
    found = working.correlate(working.rounded, weighted, working.groups)
    np.testing.assert_allclose(found, rows[working.top :] @ weighted, atol=1e-3)
    grid = Grid(problems[1].lambda_max * np.geomspace(1, 0.1, 6), automatic=False)
    solver = BlockDescent(arithmetic="residual")
    for problem, path in zip(
        problems, fit_paths(problems, grid, solver=solver, tol=1e-3), strict=True
    ):
        for point in range(grid.values.size):
            theta = np.zeros((problem.coordinates.size, 1))
            theta[path.active] = path.theta[point]
            eta = problem.coordinates.linear_predictor(theta) + path.intercept[point]
            assert path.loss[point] == pytest.approx(problem.data.loss(eta), rel=1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("penalty", ["group_lasso", "sparse_group_lasso", "group_mcp"])
@pytest.mark.parametrize("family", ["gaussian", "binomial"])
@pytest.mark.parametrize("tol", [1e-3, 1e-11])
def test_lockstep_is_each_alone(wide, family, penalty, mode, tol):
    """With rounded products too: fits are certified, and at a fine tolerance the same."""
    problems = problems_of(wide, family, penalty, mode)
    solver = BlockDescent(arithmetic="residual")
    top = max(problem.lambda_max for problem in problems)
    grid = Grid(top * np.geomspace(1, 0.2, 6), automatic=False)
    together = fit_paths(problems, grid, solver=solver, tol=tol)
    for problem, path in zip(problems, together, strict=True):
        assert path.converged.all()
        if tol < 1e-8 and problem.penalty.convex:
            alone = fit_path(problem, grid, solver=solver, tol=tol)
            np.testing.assert_allclose(path.loss, alone.loss, rtol=1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_common_bounds_hold_for_all(wide, mode):
    """Singular values under weights above all others bound those of every set."""
    problems = problems_of(wide, "gaussian", "group_lasso", mode)
    common = CommonReach(problems)
    asked = np.arange(0, problems[0].blocks.weight.size, 2)
    for problem in problems:
        plain, shared = Reach(problem), Reach(problem, common)
        plain.tighten(asked)
        shared.tighten(asked)
        assert (shared.values * BOUND >= plain.values).all()
        assert not shared.tighten(asked)  # asked once
    folds = [Reach(problem, CommonReach(problems[:3])) for problem in problems[:3]]
    frobenius = folds[0].values.copy()
    folds[0].tighten(asked)
    assert mode == "group" or (folds[0].values < frobenius).any()


def test_rows_find_room_where_memory_is_counted(wide, monkeypatch):
    """Where a system reserves no more than it has, rows are moved instead."""
    problem = wide.problem("gaussian", "group_lasso", mode="none")
    expected = filled(problem, Store(problem), 5).sources.arrays()[0][0].copy()
    reserved = []

    def refuse(shape, **options):
        reserved.append(shape)
        if len(reserved) == 1:
            raise MemoryError
        return np.zeros(shape, **options)

    monkeypatch.setattr("grpsparse.solvers.store.np.empty", refuse)
    store = Store(problem)
    assert reserved[1][0] == 1
    monkeypatch.undo()
    working = filled(problem, store, 5)
    np.testing.assert_array_equal(working.sources.arrays()[0][0], expected)
