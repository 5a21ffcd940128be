"""Variable projection: the smooth problem is the penalised one, and its minimum is the optimum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad, minimize_scalar

from grpsparse.errors import OptionError
from grpsparse.path import Grid, fit_path
from grpsparse.penalties import GroupElasticNet, GroupLq
from grpsparse.solvers import BlockDescent, Task, VarPro, WorkingSet, get
from grpsparse.solvers.eliminate import elimination
from grpsparse.solvers.factors import Factors, Variational, minimum, variational
from grpsparse.solvers.part import Part

FAMILIES = ("gaussian", "binomial", "poisson", "multinomial")
PENALTIES = ("group_lasso", GroupElasticNet(alpha=0.6), GroupLq(q=0.8), "lasso")
DIFFERENCE = 1e-6  # of a derivative of about one by steps of 1e-8
LEAST = 5e-16  # of the Lq form's minimum over v, in units of the norm's power
SAME = 1e-8  # relative, of objectives at the certificate 1e-7
FLAT = 1e-9  # where L-BFGS stops
PUSHED = 1e-7  # over 1, of the largest gradient where the derivatives are at most FLAT
TIGHT = 1e-13


def parts(problem, share=0.2):
    """Return the part of a problem that penalises every group, and its elimination."""
    working = WorkingSet(problem)
    groups = np.ones(problem.blocks.weight.size, dtype=bool)
    working.add(groups)
    task = Task(share * problem.lambda_max, groups, 1e-12, 1e-7)
    part = Part.of(problem, working, task)
    return part, elimination(problem, part.rows, part.free_rows)


def factors_of(problem, share=0.2):
    part, eliminate = parts(problem, share)
    form = variational(problem.penalty)
    return part, Factors(eliminate, part.blocks.starts, part.level, form, problem.scale)


def start_of(problem, part, seed=0):
    outputs = 1 if problem.blocks.shared else problem.n_outputs
    rng = np.random.default_rng(seed)
    return 0.3 + 0.5 * rng.random((part.blocks.weight.size, outputs))


@pytest.mark.parametrize("q", [0.7, 0.8, 0.9, 1.0])
def test_power_is_the_minimum_over_the_factor(q):
    form = Variational.of(q)
    for b in (0.3, 1.0, 2.5):

        def value(v, b=b):
            return b**2 / (2 * v**2) + form.constant * v**form.power

        best = float(form.factor(np.array(b)))
        assert abs(value(best) - b**q) <= LEAST * b**q * 4
        found = minimize_scalar(value, bracket=(0.5 * best, 1.7 * best))
        assert found.fun >= b**q * (1 - LEAST)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
@pytest.mark.parametrize("kind", ["data", "wide"])
def test_gradient_by_differences(request, kind, family, penalty):
    problem = request.getfixturevalue(kind).problem(
        family, penalty, shared=kind == "wide", mode="column"
    )
    if problem.penalty.steep and family == "poisson":
        pytest.skip("no bound on the curvature")
    part, factors = factors_of(problem)
    start = start_of(problem, part)
    size = np.abs(factors(start)[1]).max()

    def value(flat):
        return factors(flat.reshape(start.shape))[0]

    def gradient(flat):
        return factors(flat.reshape(start.shape))[1].ravel()

    chosen = start.ravel()
    error = check_grad(value, gradient, chosen, direction="random", seed=0)
    assert error <= DIFFERENCE * max(1.0, size) * np.sqrt(chosen.size)


@pytest.mark.parametrize("family", ["gaussian", "multinomial"])
def test_unpenalised_groups_are_eliminated_too(data, family):
    problem = data.problem(family, "group_lasso", factor=[0.0, 1.0, 1.0, 2.0])
    part, factors = factors_of(problem)
    start = start_of(problem, part)
    for g in range(start.shape[0]):
        step = np.zeros_like(start)
        step[g] = 1e-6
        ahead, behind = factors(start + step)[0], factors(start - step)[0]
        slope = (ahead - behind) / 2e-6
        assert slope == pytest.approx(factors(start)[1][g, 0], abs=1e-8)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shared", [True, False])
def test_regression_satisfies_its_conditions(wide, family, shared):
    """theta_j = s_j c_j, and the residual is orthogonal to the free rows."""
    problem = wide.problem(family, "group_lasso", shared=shared)
    part, eliminate = parts(problem)
    rng = np.random.default_rng(3)
    outputs = 1 if shared else problem.n_outputs
    spread = rng.random((part.rows.shape[0], outputs)) * (rng.random((part.rows.shape[0], 1)) < 0.7)
    found = eliminate(spread)
    np.testing.assert_allclose(found.theta, spread * found.correlation, atol=1e-12)
    state = part.state(found.theta, eliminate.unpenalised(found.theta), problem.start)
    residual = problem.data.residual(state.eta)
    np.testing.assert_allclose(problem.data.weights @ residual, 0.0, atol=1e-12)
    np.testing.assert_allclose(part.correlation(state), found.correlation, atol=1e-12)


def test_two_forms_of_a_quadratic_loss_agree(data, wide):
    for problem in (each.problem("gaussian", "group_lasso") for each in (data, wide)):
        _, eliminate = parts(problem)
        spread = np.random.default_rng(4).random(eliminate.columns.shape[0])
        one, other = (
            solve(spread, slice(None)) for solve in (eliminate._by_rows, eliminate._by_coordinates)
        )
        assert one.value == pytest.approx(other.value, rel=1e-12)
        np.testing.assert_allclose(one.theta, other.theta, atol=1e-11)
        np.testing.assert_allclose(one.correlation, other.correlation, atol=1e-11)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("penalty", ["group_lasso", GroupElasticNet(alpha=0.6)], ids=repr)
def test_minimum_is_the_optimum(wide, family, penalty):
    """F at the minimum is the objective of block descent, and no push exceeds 1."""
    problem = wide.problem(family, penalty)
    part, factors = factors_of(problem)
    least = minimum(factors, start_of(problem, part), memory=20, max_iter=5000, flat=FLAT)
    assert np.max(least.push) <= 1.0 + PUSHED
    lambda_ = 0.2 * problem.lambda_max
    path = fit_path(
        problem, Grid(np.array([lambda_]), automatic=False), solver=BlockDescent(), tol=TIGHT
    )
    best = path.loss[0] + problem.blocks.value(problem.penalty, whole(problem, path), lambda_)
    assert factors(least.factor)[0] * problem.scale == pytest.approx(best, rel=SAME)


def whole(problem, path):
    theta = np.zeros((problem.coordinates.size, problem.n_outputs))
    theta[path.active] = path.theta[0]
    return theta


def test_a_factor_at_zero_is_lifted(wide):
    """Zero is stationary, so L-BFGS alone would stay there."""
    problem = wide.problem("gaussian", "group_lasso")
    part, factors = factors_of(problem)
    start = start_of(problem, part)
    whole_way = minimum(factors, start, memory=10, max_iter=2000, flat=FLAT)
    stuck = start.copy()
    stuck[np.argmax(np.abs(whole_way.factor))] = 0.0
    assert factors(stuck)[1][np.argmax(np.abs(whole_way.factor))] == 0.0
    lifted = minimum(factors, stuck, memory=10, max_iter=2000, flat=FLAT)
    assert factors(lifted.factor)[0] == pytest.approx(factors(whole_way.factor)[0], rel=1e-10)


@pytest.mark.parametrize(
    ("penalty", "words"),
    [
        ("sparse_group_lasso", "no smooth form"),
        ("group_mcp", "no smooth form"),
        (GroupLq(q=0.5), "q above 2/3"),
    ],
)
def test_refusals(data, penalty, words):
    assert words in VarPro().supports(data.problem("gaussian", penalty))


def test_refusals_by_family(data):
    assert "has none" in VarPro().supports(data.problem("poisson", GroupLq(q=0.8)))
    assert "quadratic" in VarPro().supports(data.problem("binomial", "trace_norm"))
    assert "varpro" in BlockDescent().supports(data.problem("gaussian", "trace_norm"))


@pytest.mark.parametrize("wrong", [{"memory": 0}, {"max_iter": 1.5}, {"memory": True}])
def test_numbers_are_checked(wrong):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        VarPro(**wrong)
    assert get("varpro") == VarPro()
