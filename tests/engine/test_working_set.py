"""The working set: its bases turn back and forth, and its metrics are what they say."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from grpsparse.solvers import WorkingSet

EXACT = 1e-11
MODES = ("group", "column", "none")


def filled(problem, rng, *, steps):
    """Return a working set of all groups, gathered in some steps."""
    working = WorkingSet(problem)
    count = problem.blocks.weight.size
    for some in np.array_split(rng.permutation(count), steps):
        chosen = np.zeros(count, dtype=bool)
        chosen[some] = True
        working.add(chosen)
    return working


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("penalty", ["group_lasso", "sparse_group_lasso", "group_mcp"])
def test_bases_turn_back_and_forth(data, stored, penalty, mode, steps):
    rng = np.random.default_rng(6)
    for each in (data, *stored):
        problem = each.problem("multinomial", penalty, mode=mode)
        working = filled(problem, rng, steps=steps)
        assert np.sort(working.coordinates).tolist() == list(range(problem.coordinates.size))
        assert working.held.all()
        theta = rng.normal(size=(working.size, 3))
        turned = working.standard(theta)
        np.testing.assert_allclose(working.own(turned), theta, atol=EXACT)
        np.testing.assert_allclose(working.standard(working.own(theta)), theta, atol=EXACT)
        # norms of blocks are the same in both
        norms = working.blocks.norms(turned)
        np.testing.assert_allclose(norms, working.blocks.norms(theta), rtol=1e-12)
        lambda_ = 0.1
        whole = np.zeros((problem.coordinates.size, 3))
        whole[working.coordinates] = turned
        paid = working.blocks.value(problem.penalty, turned, lambda_)
        assert paid == pytest.approx(problem.blocks.value(problem.penalty, whole, lambda_))
        # and the rows are those of the problem, turned
        rows = working.exact_rows(np.arange(working.top + working.size))
        assert (rows[: working.top] == 1.0).all()
        expected = problem.coordinates.linear_predictor(whole)
        np.testing.assert_allclose(rows[working.top :].T @ theta, expected, atol=1e-10)


@pytest.mark.parametrize("mode", MODES)
def test_a_turned_metric_is_a_diagonal(data, mode):
    """Where the penalty sees norms only, D is the Gram matrix of the rows of a group."""
    problem = data.problem("gaussian", "group_lasso", mode=mode)
    working = filled(problem, np.random.default_rng(7), steps=2)
    rows = working.exact_rows(np.arange(working.top, working.top + working.size))
    for first, last in itertools.pairwise(working.blocks.starts):
        own = rows[first:last]
        gram = (own * problem.data.weights) @ own.T
        scale = working.scale[working.top + first : working.top + last]
        np.testing.assert_allclose(gram, np.diag(scale), atol=1e-9 * scale.max())


def test_single_precision_rows_are_those_rows(data):
    problem = data.problem("gaussian", "group_lasso", mode="none")
    working = filled(problem, np.random.default_rng(8), steps=3)
    store = working.sources.arrays()[0][0]
    assert store.dtype == np.float32
    exact = working.exact_rows(np.arange(working.top + working.size))
    np.testing.assert_allclose(store, exact, rtol=1e-6, atol=1e-6 * np.abs(exact).max())


def test_large_working_sets_keep_no_rows(data, monkeypatch):
    """Beyond a size the rows in double precision are made when they are asked for."""
    problem = data.problem("gaussian", "group_lasso", mode="none")
    working = filled(problem, np.random.default_rng(9), steps=2)
    wanted = np.array([0, 2, 3, 7, 10])
    kept = working.exact_rows(wanted)
    monkeypatch.setattr("grpsparse.solvers.working_set.KEPT_ENTRIES", 0)
    np.testing.assert_allclose(working.exact_rows(wanted), kept, rtol=1e-13)


def test_coefficients_grow_with_the_set(data):
    problem = data.problem("gaussian", "group_lasso")
    working = WorkingSet(problem)
    first = np.array([True, False, False, True])
    working.add(first)
    theta = np.random.default_rng(10).normal(size=(working.size, 1))
    before = working.standard(theta)
    groups = working.groups.copy()
    working.add(~first)
    working.add(~first)
    assert working.groups.tolist() == [*groups, 1, 2]
    grown = working.grown(theta)
    assert grown.shape == (working.size, 1)
    np.testing.assert_array_equal(working.standard(grown)[: theta.shape[0]], before)
    assert not grown[theta.shape[0] :].any()
