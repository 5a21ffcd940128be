"""The worked examples of CONTRIBUTING.md do what they say."""

from __future__ import annotations

import re
import sys
from math import exp, expm1
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import grpsparse as gs
from grpsparse.backend import codes, prox
from grpsparse.errors import OptionError, ResponseError
from grpsparse.families import Family
from grpsparse.penalties import Penalty

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXPONENTIAL = 97  # a code that no penalty has
GRID = np.linspace(0.0, 6.0, 60_001)
# The grid is 1e-4 apart, and the objective is flat at its minimum.
FINE = 1e-6


def example(name: str) -> str:
    return re.search(rf"<!-- example: {name} -->\n```python\n(.*?)```", TEXT, re.DOTALL).group(1)


@pytest.fixture
def exponential(monkeypatch):
    scalar = {
        "njit": lambda **_: lambda function: function,
        "exp": exp,
        "expm1": expm1,
        "MOST_STEPS": prox.MOST_STEPS,
        "ACCURACY": prox.ACCURACY,
    }
    exec(example("prox"), scalar)
    original = prox.radial_prox

    def radial_prox(code, a, b, s, step, level):
        if code == EXPONENTIAL:
            return scalar["_exponential"](a, s, step * level)
        return original(code, a, b, s, step, level)

    monkeypatch.setattr(codes, "EXPONENTIAL", EXPONENTIAL, raising=False)
    monkeypatch.setattr(prox, "radial_prox", radial_prox)
    module = ModuleType("exponential")
    monkeypatch.setitem(sys.modules, "exponential", module)
    exec(example("penalty"), module.__dict__)
    return module.GroupExponential


def test_example_is_a_penalty(exponential):
    assert isinstance(exponential(a=0.5), Penalty)


@pytest.mark.parametrize("a", [0.3, 1.0])
@pytest.mark.parametrize("step", [0.2, 1.0, 4.0])
@pytest.mark.parametrize("length", [0.1, 0.9, 1.7, 3.0])
def test_example_prox_is_the_global_minimiser(exponential, a, step, length):
    penalty = exponential(a=a)

    def objective(r):
        return (r - length) ** 2 / 2 + step * penalty.radial_value(r, np.array(0.7))

    found = penalty.prox(np.array([length, 0.0]), step, 0.7)[0]
    assert objective(found) <= objective(GRID).min() + FINE


def test_example_slope_is_a_difference_quotient(exponential):
    penalty, norm, width = exponential(a=0.5), np.array([0.2, 1.0]), 1e-6
    level = np.array([0.7, 0.3])
    up, down = (penalty.radial_value(norm + h, level) for h in (width, -width))
    assert penalty.radial_derivative(norm, level) == pytest.approx((up - down) / (2 * width))
    assert penalty.weak_convexity(level) >= -penalty.radial_curvature(norm, level).min()


@pytest.fixture
def tweedie(monkeypatch):
    module = ModuleType("tweedie")
    monkeypatch.setitem(sys.modules, "tweedie", module)
    exec(example("family"), module.__dict__)
    return module.Tweedie()


def claims(n=150):
    """Amounts that are zero for some rows, their predictors, and a start for offsets."""
    rng = np.random.default_rng(8)
    X = rng.normal(size=(n, 8))
    mean = np.exp(0.5 + 0.5 * X[:, 0] - 0.4 * X[:, 3])
    y = np.array([rng.gamma(1.0, 1.0, rng.poisson(m)).sum() for m in mean])
    assert (y == 0).sum() > 10
    return X, y, 0.3 * rng.normal(size=n)


def test_example_is_a_family(tweedie):
    assert isinstance(tweedie, Family)


def test_example_derivatives_are_difference_quotients(tweedie):
    _, y, eta = claims()
    y, eta, h = y[:, None], 3.0 * eta[:, None], 1e-5
    slope = (tweedie.loss(y, eta + h) - tweedie.loss(y, eta - h))[:, None] / (2 * h)
    np.testing.assert_allclose(tweedie.gradient(y, eta), slope, atol=1e-8)
    bend = (tweedie.gradient(y, eta + h) - tweedie.gradient(y, eta - h)) / (2 * h)
    np.testing.assert_allclose(tweedie.curvature(y, eta), bend, atol=1e-8)
    deviance = 2.0 * (tweedie.loss(y, eta) - tweedie.saturated_loss(y))
    np.testing.assert_allclose(tweedie.deviance(y, tweedie.mean(eta)), deviance, atol=1e-12)
    np.testing.assert_allclose(tweedie.variance(eta), tweedie.mean(eta) ** 1.5, rtol=1e-13)


@pytest.mark.parametrize(("y", "theta"), [(2.0, 1.3), (2.0, -1.3), (0.1, 5.0), (0.0, -0.7)])
def test_example_conjugate_is_a_supremum(tweedie, y, theta):
    row = np.array([[y]])

    def down(z):
        return theta * z + float(tweedie.loss(row, np.array([[0.4 + z]]))[0])

    best = minimize_scalar(down, bracket=(-1.0, 1.0), tol=1e-13)
    found = tweedie.conjugate(row, np.array([[theta]]), 0.4)[0]
    assert found == pytest.approx(-best.fun, abs=1e-9)
    assert tweedie.conjugate(np.zeros((1, 1)), np.array([[0.1]]), 0.0)[0] == np.inf


@pytest.mark.parametrize(
    "penalty",
    [
        name
        for name in gs.penalties.names()
        if not (gs.penalties.get(name).steep or gs.penalties.get(name).matrix)
    ],
)
def test_example_family_is_fitted_and_certified(tweedie, penalty):
    X, y, offset = claims()
    groups = {} if gs.penalties.get(penalty).elementwise else {"groups": list("aabbccdd")}
    options = {"family": tweedie, "penalty": penalty, "offset": offset, "n_lambda": 10}
    fit = gs.fit(X, y, lambda_min_ratio=0.02, **groups, **options)
    assert fit.converged.all()
    assert (fit.certificate > -1e-12).all()
    np.testing.assert_allclose(fit.check(), fit.certificate, rtol=1e-5, atol=1e-11)
    assert "Tweedie" in str(fit)


def test_example_family_is_maximum_likelihood_without_a_penalty(tweedie):
    import statsmodels.api as sm

    X, y, offset = claims()
    fit = gs.fit(X, y, family=tweedie, offset=offset, lambda_=0.0, tol=1e-12)
    other = sm.families.Tweedie(sm.families.links.Log(), var_power=1.5)
    model = sm.GLM(y, sm.add_constant(X), family=other, offset=offset).fit(tol=1e-13)
    np.testing.assert_allclose(fit.predict()[:, 0], model.fittedvalues, rtol=1e-6)
    assert fit.deviance[0] == pytest.approx(model.deviance, rel=1e-8)
    pearson = fit.residuals(type="pearson")[:, 0]
    np.testing.assert_allclose(pearson, model.resid_pearson, atol=1e-6)


def test_example_family_is_cross_validated_and_not_saved(tweedie, tmp_path):
    X, y, _ = claims()
    cv = gs.fit_cv(X, y, family=tweedie, n_folds=4, seed=0, n_lambda=10)
    assert cv.measure == "deviance"
    assert "tweedie deviance" in str(cv)
    assert list(cv.measures().index) == ["deviance", "mse", "mae"]
    with pytest.raises(OptionError, match="can't be saved"):
        cv.save(tmp_path / "cv.fit")
    with pytest.raises(ResponseError, match="negative"):
        gs.fit(X, -y, family=tweedie)
