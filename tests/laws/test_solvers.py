"""Solvers reach one optimum: a convex problem has one objective, others a certificate."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import grpsparse as gs
from grpsparse.api.door import open_door
from grpsparse.api.options import Options, resolve
from grpsparse.path import Grid, Path, fit_path
from grpsparse.problem import Problem

TIGHT = 1e-12  # duality gap, which bounds how far an objective is from the optimum
SAME_OBJECTIVE = 1e-11  # over the null deviance, of two paths at TIGHT
FIRST_ORDER = 1e-10  # what first-order methods reach by themselves in some hundred iterations
STATIONARY = 1e-9  # violation over lambda_max
PROGRAM = 1e-7  # an interior point solver stops above the optimum by this at most
SAME_FIT = 1e-8  # of linear predictors, whose error is about the root of the gap over curvature

FAMILIES = (
    "gaussian",
    "binomial",
    "multinomial",
    "poisson",
    "huber",
    "gamma",
    "negative_binomial",
)
CONVEX = ("group_lasso", "group_elastic_net", "sparse_group_lasso", "lasso")
NONCONVEX = (
    "group_mcp",
    "group_scad",
    "group_transformed_l1",
    "group_log_sum",
    "group_capped_l1",
    "group_lq",
    "group_l0",
    "group_cel0",
    "mcp",
)
SOLVERS = ("accelerated", "admm")
BY_THEMSELVES = (
    gs.solvers.Accelerated(finish=False),
    gs.solvers.Accelerated(finish=False, restart="function"),
    gs.solvers.ADMM(finish=False),
    gs.solvers.ADMM(finish=False, rho=0.3),
)
FREE_COLUMNS = np.array([1, 1, 0, 1, 1, 0, 1, 1, 1, 1])

# What is added to a fit of the matrix, or of a formula where it has a right side.
VARIANTS: dict[str, dict[str, Any]] = {
    "matrix": {},
    "separate": {"class_groups": "separate"},
    "weights": {"weights": True, "offset": True},
    "unpenalised": {"free": True},
    "raw": {"standardize": False},
    "no intercept": {"intercept": False},
    "factors": {"right": "f*g + x + z"},
    "weighted factors": {"right": "f + g:x + z", "weights": "w", "penalty_factor": {"z": 0}},
}


def problem_of(case: Any, penalty: str, variant: str) -> Problem:
    """Return the problem behind a fit."""
    given = {"family": case.given, "penalty": penalty, **VARIANTS[variant]}
    right = given.pop("right", None)
    single = gs.penalties.get(penalty).elementwise
    first, data = (case.X, case.y) if right is None else (f"y ~ {right}", case.frame)
    if right is None and not single:
        given["groups"] = ["a", "a", "a", "b", "b", "c", "c", "d", "e", "e"]
    if given.pop("free", False):
        given["penalty_factor"] = FREE_COLUMNS if single else {"b": 0, "d": 0}
    for name in ("weights", "offset"):
        if given.get(name) is True:
            given[name] = getattr(case, name)
    options = Options(**given)
    resolved = resolve(options, formula=right is not None)
    opened = open_door(first, data, options, resolved, scope={})
    return opened.problem(opened.weights)


def grid_of(problem: Problem, *, last: float = 0.05, count: int = 4) -> Grid:
    """Return a path from lambda_max on."""
    return Grid(problem.lambda_max * np.geomspace(1.0, last, count), automatic=False)


def objectives(path: Path) -> np.ndarray:
    """Return loss plus penalty over the null deviance, from the formula."""
    problem = path.problem
    out = np.empty(path.lambda_.size)
    for place, (lambda_, own) in enumerate(zip(path.lambda_, path.theta, strict=True)):
        theta = np.zeros((problem.coordinates.size, problem.n_outputs))
        theta[path.active] = own
        eta = problem.data.offset + problem.coordinates.linear_predictor(theta)
        eta = eta + (path.intercept[place] if problem.intercept else 0.0)
        paid = problem.blocks.value(problem.penalty, theta, float(lambda_))
        out[place] = problem.data.loss(eta) + paid
    return out / problem.scale


def assert_one_objective(problem: Problem, solver: Any, *, tol: float) -> None:
    """Hold a solver to the objectives of block descent along a path."""
    found, expected = (
        fit_path(problem, grid_of(problem), solver=gs.solvers.get(each), tol=bound)
        for each, bound in ((solver, tol), ("block_descent", TIGHT))
    )
    assert found.converged.all()
    assert expected.converged.all()
    difference = np.abs(objectives(found) - objectives(expected))
    assert difference.max() <= 10.0 * tol
    assert not found.active.size or found.effort.arithmetic == "exact"


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    ("family", "variant", "penalty"),
    [
        (family, variant, CONVEX[(f + v) % len(CONVEX)])
        for (f, family), (v, variant) in itertools.product(enumerate(FAMILIES), enumerate(VARIANTS))
    ],
)
def test_one_objective(cases: Any, solver: str, family: str, variant: str, penalty: str) -> None:
    """Every family in every form, penalties in turn."""
    assert_one_objective(problem_of(cases(family), penalty, variant), solver, tol=TIGHT)


@pytest.mark.slow
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("penalty", CONVEX)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_one_objective_of_all(
    cases: Any, solver: str, family: str, variant: str, penalty: str
) -> None:
    """All of it."""
    assert_one_objective(problem_of(cases(family), penalty, variant), solver, tol=TIGHT)


@pytest.mark.parametrize("solver", BY_THEMSELVES, ids=repr)
@pytest.mark.parametrize("family", FAMILIES)
def test_one_objective_without_newton(cases: Any, solver: Any, family: str) -> None:
    """The recursions do not need Newton's method, they are only slower to the last digits."""
    penalty = CONVEX[FAMILIES.index(family) % len(CONVEX)]
    assert_one_objective(problem_of(cases(family), penalty, "weights"), solver, tol=FIRST_ORDER)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("family", ["gaussian", "binomial", "multinomial"])
@pytest.mark.parametrize("penalty", CONVEX)
def test_fewer_rows_than_columns(solver: str, family: str, penalty: str) -> None:
    """Fewer rows than coordinates: ADMM's systems are those of the rows."""
    rng = np.random.default_rng(5)
    n, groups, size = 30, 20, 4
    X = rng.normal(size=(n, groups * size)) + 0.5 * rng.normal(size=(n, 1))
    eta = X[:, :8] @ rng.normal(size=(8, 3))
    y = {
        "gaussian": eta[:, 0] + rng.normal(size=n),
        "binomial": (eta[:, 0] > np.median(eta[:, 0])).astype(int),
        "multinomial": np.array(["u", "v", "w"])[eta.argmax(axis=1)],
    }[family]
    given: dict[str, Any] = {"family": family, "penalty": penalty, "tol": TIGHT}
    given |= {"n_lambda": 5, "lambda_min_ratio": 0.1}
    if penalty != "lasso":
        given["groups"] = np.repeat(np.arange(groups), size).astype(str)
    found, expected = (gs.fit(X, y, solver=each, **given) for each in (solver, "block_descent"))
    assert found.certificate.max() <= TIGHT
    eta, known = (fit.predict(X, type="link") for fit in (found, expected))
    if family == "multinomial":
        eta, known = (each - each.mean(axis=1, keepdims=True) for each in (eta, known))
    np.testing.assert_allclose(eta, known, atol=1e3 * SAME_FIT)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("penalty", NONCONVEX)
@pytest.mark.parametrize("family", ["gaussian", "binomial", "multinomial", "poisson"])
def test_nonconvex_points_are_stationary(
    cases: Any, solver: str, family: str, penalty: str
) -> None:
    problem = problem_of(cases(family), penalty, "weights")
    chosen = gs.solvers.get(solver)
    refusal = chosen.supports(problem)
    if refusal is not None:
        assert problem.penalty.steep
        assert problem.data.family.curvature_bound is None
        pytest.skip(refusal)
    path = fit_path(problem, grid_of(problem, last=0.2), solver=chosen, tol=STATIONARY)
    assert path.converged.all()
    assert path.certificate.max() <= STATIONARY
    assert path.active.size


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("family", ["gaussian", "multinomial", "poisson"])
def test_a_certificate_that_nothing_of_the_engine_made(
    cases: Any, solver: str, family: str
) -> None:
    fit = cases(family).fit_formula("f*g + x", weights="w", solver=solver, tol=1e-10)
    assert fit.check().max() <= 2e-10


@pytest.mark.parametrize("solver", SOLVERS)
def test_lambda_zero_is_the_unpenalised_fit(cases: Any, solver: str) -> None:
    case = cases("poisson")
    found, expected = (
        case.fit(lambda_=[0.01, 0.0], tol=1e-13, solver=each) for each in (solver, "block_descent")
    )
    np.testing.assert_allclose(found.coef(0.0), expected.coef(0.0), atol=SAME_FIT)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("family", ["gaussian", "binomial", "multinomial"])
def test_cross_validation(cases: Any, solver: str, family: str) -> None:
    frame, given = cases(family).frame, {"family": family, "n_lambda": 6, "tol": TIGHT}
    found, expected = (
        gs.fit_cv("y ~ f + g + x", frame, n_folds=4, seed=1, solver=each, **given)
        for each in (solver, "block_descent")
    )
    assert found.fold_converged.all()
    np.testing.assert_allclose(found.cv_mean, expected.cv_mean, rtol=1e-6)
    np.testing.assert_allclose(found.lambda_min, expected.lambda_min)


@pytest.mark.parametrize("solver", SOLVERS)
def test_replicates(cases: Any, solver: str) -> None:
    case = cases("binomial")
    counts = np.random.default_rng(2).multinomial(60, np.full(60, 1 / 60), size=3).astype(float)
    found, expected = (
        gs.fit_replicates("y ~ f + g + x", case.frame, counts, n_lambda=6, tol=TIGHT, solver=each)
        for each in (solver, "block_descent")
    )
    for one, other in zip(found, expected, strict=True):
        assert one.certificate.max() <= TIGHT
        np.testing.assert_allclose(one.deviance, other.deviance, rtol=1e-6)


@pytest.mark.parametrize("solver", [gs.solvers.Accelerated, gs.solvers.ADMM, gs.BlockDescent])
def test_the_warning_names_the_solver(cases: Any, solver: Any) -> None:
    with pytest.warns(gs.ConvergenceWarning, match=rf"{solver.__name__}\(max_iter="):
        cases("binomial").fit(penalty="group_mcp", solver=solver(max_iter=1), tol=1e-25)


@pytest.mark.oracle
@pytest.mark.parametrize("solver", BY_THEMSELVES[:1] + BY_THEMSELVES[2:3], ids=repr)
def test_against_cvxpy(solver: Any) -> None:
    """Group lasso of a binomial response with an offset: the objective is no higher."""
    cvxpy = pytest.importorskip("cvxpy")
    rng = np.random.default_rng(6)
    n, level = 80, 0.05
    X = rng.normal(size=(n, 6))
    y = (rng.random(n) < 0.5 + 0.3 * np.tanh(X[:, 0] - X[:, 3])).astype(float)
    offset = 0.3 * rng.normal(size=n)
    fit = gs.fit(
        X,
        y,
        family="binomial",
        groups=list("aabbcc"),
        standardize=False,
        group_weight=None,
        offset=offset,
        lambda_=[level],
        tol=1e-10,
        solver=solver,
    )
    b, constant = cvxpy.Variable(6), cvxpy.Variable()
    eta = X @ b + constant + offset
    loss = cvxpy.sum(cvxpy.logistic(eta) - cvxpy.multiply(y, eta)) / n
    paid = level * sum(cvxpy.norm(b[g : g + 2]) for g in (0, 2, 4))
    objective = loss + paid
    cvxpy.Problem(cvxpy.Minimize(objective)).solve(solver="CLARABEL")
    theirs = float(objective.value)
    b.value, constant.value = fit.coef_path[0], fit.intercept_path[0]
    assert -PROGRAM < float(objective.value) - theirs <= FIRST_ORDER
