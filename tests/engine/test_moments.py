"""Gaussian problems without their rows say what the rows say."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from grpsparse.path import Grid, fit_path, fit_paths
from grpsparse.problem import Checked, Moments, State, certify, dual_point, moments_of
from grpsparse.problem.moments import _parts
from grpsparse.solvers import BlockDescent

EXACT = 1e-12
PENALTIES = ("group_lasso", "group_elastic_net", "sparse_group_lasso", "lasso", "group_mcp")
N_FOLDS = 4


def moments(problem):
    """Return a problem's moments."""
    return Moments(problem, problem.coordinates.gram(problem.data.weights))


def points(problem, rng):
    """Return coefficients near and far from the null fit, some with many zeros."""
    size = problem.coordinates.size
    for scale, share in itertools.product((1e-3, 0.1, 1.0), (0.2, 1.0)):
        moved = scale * rng.normal(size=(size, 1)) * (rng.random((size, 1)) < share)
        yield problem.start.theta + moved


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("mode", ["group", "none"])
def test_moments_are_the_rows(data, penalty, intercept, free, mode):
    count = 10 if penalty == "lasso" else 4
    factor = np.ones(count)
    factor[1] = 0.0 if free else 1.0
    problem = data.problem("gaussian", penalty, mode=mode, intercept=intercept, factor=factor)
    assert_rows_agree(problem)


def assert_rows_agree(problem):
    known = moments(problem)
    for theta in points(problem, np.random.default_rng(4)):
        moved = theta - problem.start.theta
        eta = problem.start.eta + problem.coordinates.linear_predictor(moved)
        loss = problem.data.loss(eta)
        state = State(theta, problem.start.intercept, eta, loss)
        correlation = known.correlation(theta)
        exact = problem.correlate(problem.data.residual(eta))
        size = max(1.0, np.abs(exact).max())
        np.testing.assert_allclose(correlation, exact, atol=EXACT * size)
        square, cross = known.squares(theta, correlation)
        assert square == pytest.approx(2.0 * loss, rel=EXACT, abs=EXACT)
        residuals = problem.data.residual(eta), problem.data.residual(problem.start.eta)
        by_rows = problem.data.mean((residuals[0] * residuals[1])[:, 0])
        assert cross == pytest.approx(by_rows, rel=EXACT, abs=EXACT * size)
        for lambda_ in (0.3 * problem.lambda_max, 1e-3 * problem.lambda_max):
            paid = problem.blocks.value(problem.penalty, theta, lambda_)
            dual = dual_point(problem, state, lambda_)
            np.arange(problem.blocks.weight.size)
            checked = Checked(problem.blocks, problem.correlate(dual), theta)
            expected = certify(problem, state, lambda_, dual, checked, penalty=paid)
            found = known.certify(theta, correlation, lambda_, paid)
            assert found == pytest.approx(expected, rel=1e-9, abs=EXACT * size)


def test_moments_of_every_storage(stored):
    for mode in ("group", "column"):
        assert_rows_agree(stored[0].problem("gaussian", "group_lasso", mode=mode))


def fold_weights(data):
    """Return weights of all rows and of folds."""
    part = np.arange(data.weights.size) % N_FOLDS
    return [data.weights] + [data.weights * (part != fold) for fold in range(N_FOLDS)]


def sets_of_weights(data):
    rng = np.random.default_rng(5)
    n = data.weights.size
    halves = [rng.permutation(np.repeat([0.0, 1.0], [n // 2, n - n // 2])) for _ in range(2)]
    return {
        "folds": fold_weights(data),
        "half-samples": [data.weights * half for half in halves],
        "bootstrap": [data.weights * rng.multinomial(n, np.full(n, 1 / n)) for _ in range(3)],
        "one": [data.weights],
        "apart": [data.weights * (np.arange(n) < n // 2), data.weights * (np.arange(n) >= n // 2)],
        "mostly left out": [
            data.weights,
            *(data.weights * (np.arange(n) % 4 == k) for k in (0, 1)),
        ],
    }


@pytest.mark.parametrize(
    "sets", ["folds", "half-samples", "bootstrap", "one", "apart", "mostly left out"]
)
@pytest.mark.parametrize("mode", ["group", "column"])
def test_moments_by_parts_are_those_of_every_set(data, stored, sets, mode):
    for each in (data, stored[0]):
        weights = sets_of_weights(each)[sets]
        problems = [
            each.problem("gaussian", "group_lasso", mode=mode, weights=some) for some in weights
        ]
        for problem, known in zip(problems, moments_of(problems), strict=True):
            exact = problem.coordinates.gram(problem.data.weights)
            np.testing.assert_allclose(known.gram, exact, atol=EXACT * np.abs(exact).max())


def test_folds_share_their_parts(data):
    """Folds are sums of parts of the rows; a bootstrap sample is not."""
    every = sets_of_weights(data)
    base, factor, part, inside = _parts(np.stack([w / w.sum() for w in every["folds"]]))
    assert inside.shape == (N_FOLDS + 1, N_FOLDS)
    assert np.unique(part).size == N_FOLDS
    for number, weights in enumerate(every["folds"]):
        again = factor[number] * base * inside[number][part]
        np.testing.assert_allclose(again, weights / weights.sum(), rtol=1e-12)
    assert _parts(np.stack(every["bootstrap"])) is None
    assert _parts(np.stack(every["apart"])) is None


@pytest.mark.parametrize("penalty", PENALTIES)
def test_paths_without_rows(data, stored, penalty):
    """The same coefficients, losses and certificates as of residuals."""
    for each in (data, stored[0]):
        problem = each.problem("gaussian", penalty)
        convex = problem.penalty.convex
        values = problem.lambda_max * np.geomspace(1, 0.05 if convex else 0.4, 6)
        grid = Grid(values, automatic=False)
        by = {
            name: fit_path(problem, grid, solver=BlockDescent(arithmetic=name), tol=1e-13)
            for name in ("residual", "gram")
        }
        assert by["gram"].effort.arithmetic == "gram"
        assert by["residual"].effort.arithmetic == "residual"
        np.testing.assert_allclose(by["gram"].loss, by["residual"].loss, rtol=1e-10)
        etas = [predictors(path) for path in by.values()]
        np.testing.assert_allclose(etas[0], etas[1], atol=1e-10 * max(1.0, np.abs(etas[0]).max()))


def predictors(path):
    """Return linear predictors (L, n)."""
    problem = path.problem
    whole = np.zeros((problem.coordinates.size, path.lambda_.size))
    whole[path.active] = path.theta[:, :, 0].T
    return (problem.coordinates.linear_predictor(whole) + path.intercept[:, 0]).T


def test_the_work_says_which_arithmetic(data):
    """By itself a small gaussian problem takes Gram matrices, for folds as for one fit."""
    problems = [data.problem("gaussian", "group_lasso", weights=w) for w in fold_weights(data)]
    grid = Grid(problems[0].lambda_max * np.geomspace(1, 0.1, 4), automatic=False)
    for path in fit_paths(problems, grid, solver=BlockDescent(), tol=1e-9):
        assert path.effort.arithmetic == "gram"
        assert path.converged.all()
        assert not path.effort.passes.any()
