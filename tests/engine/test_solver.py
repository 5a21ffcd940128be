"""The solver's parts: smooth pieces with right derivatives, and paths that are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from grpsparse.errors import OptionError
from grpsparse.path import Grid, fit_path
from grpsparse.penalties import GroupMCP, SparseGroupLasso
from grpsparse.problem import Checked, State, certify, dual_point
from grpsparse.problem.smooth import loss_hessian, newton
from grpsparse.solvers import BlockDescent, Reweighted, get, names
from grpsparse.solvers.curved import PenaltyBlocks
from grpsparse.solvers.shift import _best_constant

FAMILIES = ("gaussian", "binomial", "poisson", "multinomial")


@pytest.mark.parametrize("family", FAMILIES)
def test_loss_hessian_by_differences(data, family):
    problem = data.problem(family, "group_lasso")
    rows = problem.coordinates.working_rows(np.arange(3))
    n_outputs = problem.n_outputs
    rng = np.random.default_rng(1)
    theta = 0.1 * rng.normal(size=(3, n_outputs))

    def gradient(flat):
        eta = problem.data.offset + rows.T @ flat.reshape(n_outputs, 3).T
        weighted = problem.data.weights[:, None] * problem.data.residual(eta)
        return -(rows @ weighted).T.ravel()

    flat, h = theta.T.ravel(), 1e-6
    eta = problem.data.offset + rows.T @ theta
    exact = loss_hessian(problem.data, rows, eta, problem.data.residual(eta))
    for j in range(flat.size):
        step = np.zeros(flat.size)
        step[j] = h
        difference = (gradient(flat + step) - gradient(flat - step)) / (2 * h)
        np.testing.assert_allclose(exact[:, j], difference, atol=1e-7)


@pytest.mark.parametrize("penalty", [SparseGroupLasso(alpha=0.3), GroupMCP(gamma=4.0)])
def test_penalty_curvature_by_differences(penalty):
    rng = np.random.default_rng(2)
    theta = rng.normal(size=(5, 2))
    spans = np.array([[0, 3, 0, 2], [3, 4, 0, 1], [3, 4, 1, 2], [4, 5, 0, 2]])
    levels = np.array([[0.7, 0.2], [0.5, 0.1], [0.5, 0.1], [0.0, 0.0]])
    if penalty.l1_fraction == 0:
        levels[:, 1] = 0.0
    blocks = PenaltyBlocks.of(penalty, spans, levels, theta.shape)
    curved = blocks.curved(np.ones(theta.shape, dtype=bool))
    diagonal, unit, coefficients = curved.hessian(theta)
    flat_unit = unit.reshape(10, -1)
    exact = (flat_unit * coefficients) @ flat_unit.T + np.diag(diagonal.ravel())
    h = 1e-6
    for j in range(10):
        step = np.zeros(10)
        step[j] = h
        ahead, behind = (theta + s * step.reshape(5, 2) for s in (1, -1))
        slope = (curved.value(ahead) - curved.value(behind)) / (2 * h)
        np.testing.assert_allclose(curved.gradient(theta).ravel()[j], slope, atol=1e-8)
        bend = (curved.gradient(ahead) - curved.gradient(behind)).ravel() / (2 * h)
        np.testing.assert_allclose(exact[:, j], bend, atol=1e-8)


def test_newton_takes_negative_curvature_downhill(data):
    """Where the penalty is concave the step still lowers the objective."""
    problem = data.problem("gaussian", "group_mcp", mode="none")
    rows = problem.coordinates.working_rows(np.arange(3)) * 0.05  # hardly any loss curvature
    blocks = PenaltyBlocks.of(
        problem.penalty, np.array([[0, 3, 0, 1]]), np.array([[1.0, 0.0]]), (3, 1)
    )
    theta = np.full((3, 1), 0.6)
    free = np.ones((3, 1), dtype=bool)
    eta = problem.data.offset + rows.T @ theta
    before = problem.data.loss(eta) + blocks.value(theta)
    fit = newton(problem.data, rows, theta, penalty=blocks.curved(free), max_steps=3)
    assert fit.loss + blocks.value(fit.theta) < before


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_class_shift_is_the_best_constant(ridge):
    rng = np.random.default_rng(3)
    values = rng.normal(size=(30, 4))
    # levels that differ, some of them zero, where the ridge does not want them the same
    weights = np.full((30, 4), 0.7) if ridge else rng.integers(0, 3, (30, 4)) + 0.1 * np.eye(30, 4)
    found = _best_constant(values, 0.7, ridge, weights)

    def cost(constant):
        left = values - constant[:, None]
        return (weights * np.abs(left)).sum(axis=1) + 0.5 * ridge * (left**2).sum(axis=1)

    for trial in np.linspace(-3, 3, 601):
        assert np.all(cost(found) <= cost(np.full(30, trial)) + 1e-12)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("arithmetic", ["residual", "gram"])
def test_the_predictor_belongs_to_the_coefficients(data, family, intercept, arithmetic):
    problem = data.problem(family, "group_lasso", intercept=intercept)
    grid = Grid(problem.lambda_max * np.geomspace(1, 0.01, 8), automatic=False)
    path = fit_path(problem, grid, solver=BlockDescent(arithmetic=arithmetic), tol=1e-9)
    assert path.effort.arithmetic == arithmetic
    np.arange(problem.blocks.weight.size)
    for lambda_, own, constant, loss in zip(
        path.lambda_, path.theta, path.intercept, path.loss, strict=True
    ):
        theta = np.zeros((problem.coordinates.size, problem.n_outputs))
        theta[path.active] = own
        eta = np.asfortranarray(constant + problem.coordinates.linear_predictor(theta))
        assert problem.data.loss(eta) == pytest.approx(loss, rel=1e-10)
        state = State(theta, constant, eta, problem.data.loss(eta))
        dual = dual_point(problem, state, lambda_)
        checked = Checked(problem.blocks, problem.correlate(dual), theta)
        paid = problem.blocks.value(problem.penalty, theta, lambda_)
        assert certify(problem, state, lambda_, dual, checked, penalty=paid) <= 1e-9 + 1e-13


def test_one_sweep_is_not_enough_and_says_so(data, monkeypatch):
    monkeypatch.setattr("grpsparse.solvers.sweeps.NEWTON_VARIABLES", 0)
    monkeypatch.setattr("grpsparse.solvers.sweeps.FEW_VARIABLES", 0)
    problem = data.problem("poisson", "group_lasso")
    grid = Grid(problem.lambda_max * np.array([0.01]), automatic=False)
    path = fit_path(problem, grid, solver=BlockDescent(max_iter=1), tol=1e-13)
    assert not path.converged.all()
    assert path.certificate[0] > 1e-13


def test_solvers_by_name():
    assert names() == (
        "block_descent",
        "accelerated",
        "admm",
        "reweighted",
        "varpro",
        "latent_dual",
        "overlapping",
    )
    assert get("reweighted") == Reweighted()
    assert get("block_descent") == BlockDescent()
    with pytest.raises(OptionError, match="block_descent"):
        get("block_decent")
    with pytest.raises(OptionError, match="max_iter"):
        BlockDescent(max_iter=0)
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(OptionError, match="max_stages"):
            Reweighted(max_stages=wrong)
    with pytest.raises(OptionError, match="max_iter"):
        Reweighted(max_iter=0)
    with pytest.raises(OptionError, match="arithmetic"):
        BlockDescent(arithmetic="grams")
    with pytest.raises(OptionError, match="BlockDescent"):
        get(BlockDescent)


def test_a_solver_may_refuse(data):
    class Reluctant(BlockDescent):
        def supports(self, problem):  # noqa: ARG002
            return "it has an intercept."

    problem = data.problem("gaussian", "group_lasso")
    with pytest.raises(OptionError, match="it has an intercept"):
        fit_path(problem, Grid(np.ones(1), automatic=False), solver=Reluctant(), tol=1e-7)
