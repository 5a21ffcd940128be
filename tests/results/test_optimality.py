"""What kind of point a solution is: stationarity, margins, and words for them."""

from __future__ import annotations

import numpy as np
import pytest

import grpsparse as gs
from grpsparse.families import encode_response

LABELS = np.repeat(["a", "b", "c", "d", "e"], 2)
N = 90
FAMILIES = ("gaussian", "binomial", "multinomial", "poisson")
NONCONVEX = [name for name in gs.penalties.names() if not gs.penalties.get(name).convex]
TIGHT = 1e-10
ROUNDING = 1e-9  # of stationarity at TIGHT, and of eigenvalues
NEAR = 1e-3  # of steps around a point, on coefficients of order one
LOWER = 1e-10  # by which an objective may be below a local minimum, at TIGHT and steps of NEAR


def make(family: str):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(N, LABELS.size))
    X[:, 1] += X[:, 0]
    eta = X[:, :4] @ np.array([1.0, -0.5, 0.8, 0.6])
    noise = rng.normal(size=N)
    y = {
        "gaussian": eta + noise,
        "binomial": (eta + noise > 0).astype(int),
        "multinomial": np.array(list("uvw"))[np.digitize(eta + noise, [-0.7, 0.9])],
        "poisson": rng.poisson(np.exp(eta / 2)),
    }[family]
    return X, y


def fit(name: str, family: str, **options) -> gs.PathFit:
    X, y = make(family)
    if not gs.penalties.get(name).elementwise:
        options.setdefault("groups", LABELS)
    options = {"standardize": False, "n_lambda": 6, "lambda_min_ratio": 0.1, **options}
    return gs.fit(X, y, family=family, penalty=name, tol=TIGHT, **options)


def objective(model: gs.PathFit, number: int, intercept, coef) -> float:
    """Return the objective of coefficients (p, K) as given, without standardisation."""
    X, y = make(model.family.name)
    encoded = encode_response(y, family=model.family).y
    loss = float(np.mean(model.family.loss(encoded, intercept + X @ coef)))
    penalty, lambda_ = model.penalty, model.lambda_[number]
    bend = model.family.rescale
    if bend is None:
        mean = np.log(encoded.mean()) + np.zeros_like(encoded)
        bend = float(np.mean(model.family.curvature(encoded, mean)))
    penalty = penalty.rescaled(bend)
    if penalty.elementwise:
        return loss + penalty.value(coef, lambda_)
    if penalty.joint:
        norms = np.array([np.linalg.norm(coef[g == LABELS]) for g in np.unique(LABELS)])
        return loss + penalty.joint_value(norms, model.group_weights, lambda_)
    paid = [
        penalty.value(coef[g == LABELS], lambda_ * w)
        for g, w in zip(np.unique(LABELS), model.group_weights, strict=True)
    ]
    return loss + sum(paid)


def supported(name: str, family: str) -> bool:
    return not (gs.penalties.get(name).steep and family == "poisson")


CASES = [(name, family) for name in NONCONVEX for family in FAMILIES if supported(name, family)]


@pytest.mark.parametrize(("name", "family"), CASES)
def test_nothing_near_a_strict_local_minimum_is_lower(name, family):
    model = fit(name, family, max_terms=4)
    rng = np.random.default_rng(0)
    found = model.optimality()
    some = [k for k, status in enumerate(found["status"]) if "strict local" in status]
    assert some
    for k in some:
        coef, intercept = model.raw_coef[k], model.raw_intercept[k]
        least = objective(model, k, intercept, coef)
        for _ in range(30):
            size = NEAR * 10.0 ** rng.uniform(-2.0, 0.0)
            only = rng.random(coef.shape) < rng.choice([0.1, 0.5, 1.0])
            step = size * only * rng.normal(size=coef.shape)
            near = objective(
                model, k, intercept + size * rng.normal(size=intercept.shape), coef + step
            )
            assert near > least - LOWER


@pytest.mark.parametrize("name", ["group_log_sum", "group_transformed_l1"])
def test_zero_is_no_minimum_where_the_penalty_bends_down_by_more(name):
    """At lambda_max zero is stationary, and a step along the gradient leads down."""
    model = fit(name, "gaussian")
    found = model.optimality().iloc[0]
    assert found["status"] == "d-stationary"
    assert found["margin"] < 0 < found["prox_stationarity"]
    X, y = make("gaussian")
    slopes = (X - X.mean(axis=0)).T @ (y - y.mean()) / N
    sizes = {g: np.linalg.norm(slopes[g == LABELS]) for g in np.unique(LABELS)}
    first = max(sizes, key=sizes.get) == LABELS
    coef = np.where(first, 1e-3 * slopes, 0.0)[:, None]
    intercept = np.array([y.mean() - float(X.mean(axis=0) @ coef[:, 0])])
    zero = objective(model, 0, np.array([y.mean()]), np.zeros_like(coef))
    assert objective(model, 0, intercept, coef) < zero


def test_margin_of_mcp_is_that_of_its_formula():
    model = fit("mcp", "gaussian", standardize="column")
    X, _ = make("gaussian")
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    margins = model.optimality()["margin"]
    for k in range(1, model.lambda_.size):
        size = np.abs(model.raw_coef[k, :, 0]) * X.std(axis=0)
        used = size > 0
        hessian = Z[:, used].T @ Z[:, used] / N
        hessian -= np.diag((size[used] < 3.0 * model.lambda_[k]) / 3.0)
        least = min(1.0, np.linalg.eigvalsh(hessian)[0])  # the intercept's is 1
        assert margins[k] == pytest.approx(least, abs=ROUNDING)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("standardize", ["group", "column"])
def test_convex_points_are_stationary_in_every_sense(family, standardize):
    model = fit("group_lasso", family, standardize=standardize)
    found = model.optimality()
    np.testing.assert_allclose(found["certificate"], model.check(), rtol=0, atol=1e-15)
    for kind in ("d_stationarity", "prox_stationarity"):
        assert found[kind].max() < np.sqrt(TIGHT)
    assert [s[: len("global optimum to gap")] for s in model.status] == [
        "global optimum to gap"
    ] * model.lambda_.size


def test_a_loss_that_outweighs_the_penalty_makes_the_optimum_global():
    rng = np.random.default_rng(5)
    X = np.linalg.qr(rng.normal(size=(60, 6)))[0]
    y = X @ np.array([3.0, 2.0, 0.1, 0.0, 0.0, 0.0]) + 0.1 * rng.normal(size=60)
    model = gs.fit(X, y, penalty="mcp", n_lambda=5)  # nearly orthogonal: curvature above 1/3
    assert all(status.startswith("global optimum to gradient") for status in model.status)


def test_points_that_did_not_converge_are_said_to_be_so():
    X, y = make("binomial")
    lazy = gs.solvers.BlockDescent(max_iter=1)
    with pytest.warns(gs.ConvergenceWarning):
        model = gs.fit(X, y, family="binomial", lambda_=[0.01], tol=1e-13, solver=lazy)
    assert model.status == ["not converged"]


def test_separate_classes_and_unpenalised_terms():
    X, y = make("multinomial")
    model = gs.fit(
        X,
        y,
        groups=LABELS,
        penalty="group_mcp",
        class_groups="separate",
        penalty_factor={"e": 0},
        n_lambda=4,
        lambda_min_ratio=0.3,
    )
    found = model.optimality()
    assert (found["d_stationarity"] < model.settings.tol).all()
    assert (found["margin"] > 0).any()
