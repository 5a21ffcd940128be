"""Exponential and logarithms of long arrays are those of NumPy, to the last places."""

from __future__ import annotations

import numpy as np
import pytest

from grpsparse.backend import elementary, exp, functions, log, log1p
from grpsparse.families import Binomial

PLACES = 3.0 * np.finfo(float).eps
RNG = np.random.default_rng(0)
TAILS = 10.0 ** RNG.uniform(-307.0, 300.0, 3000)
BELOW_ONE = 1.0 - 10.0 ** RNG.uniform(-16.0, -1e-3, 3000)


@pytest.mark.parametrize(
    ("fill", "function", "x"),
    [
        (elementary.fill_exp, np.exp, RNG.uniform(-708.0, 709.0, 3000)),
        (elementary.fill_exp, np.exp, RNG.normal(scale=1e-3, size=3000)),
        (elementary.fill_log, np.log, TAILS),
        (elementary.fill_log, np.log, BELOW_ONE),
        (elementary.fill_log, np.log, 1.0 / BELOW_ONE),
        (elementary.fill_log1p, np.log1p, RNG.uniform(0.0, 1.0, 3000)),
        (elementary.fill_log1p, np.log1p, 10.0 ** RNG.uniform(-300.0, 0.0, 3000)),
    ],
)
def test_elementary_functions_are_those_of_numpy(fill, function, x):
    out = np.empty_like(x)
    fill(x, out)
    np.testing.assert_allclose(out, function(x), rtol=PLACES)


def test_elementary_functions_at_the_ends():
    out = np.empty(4)
    elementary.fill_exp(np.array([0.0, -1e9, 1e9, np.nan]), out)
    np.testing.assert_allclose(out[:3], [1.0, np.exp(-708.0), np.exp(709.0)], rtol=PLACES)
    assert np.isnan(out[3])
    elementary.fill_log1p(np.array([0.0, 1.0, np.sqrt(2.0) - 1.0, np.nan]), out)
    np.testing.assert_allclose(out[:3], [0.0, np.log(2.0), 0.5 * np.log(2.0)], rtol=PLACES)
    assert np.isnan(out[3])
    smallest = np.finfo(float).smallest_normal
    elementary.fill_log(np.array([1.0, smallest, np.inf, np.nan]), out)
    np.testing.assert_allclose(out[:3], [0.0, np.log(smallest), np.inf], rtol=PLACES)
    assert np.isnan(out[3])


@pytest.mark.parametrize("order", ["C", "F"])
def test_elementary_functions_keep_the_shape(order):
    x = np.asarray(RNG.uniform(0.1, 1.0, (functions.LONG // 4 + 1, 5)), order=order)
    for mine, theirs in ((exp, np.exp), (log, np.log), (log1p, np.log1p)):
        np.testing.assert_allclose(mine(x), theirs(x), rtol=PLACES)
        np.testing.assert_allclose(mine(x[::-1, ::2]), theirs(x[::-1, ::2]), rtol=PLACES)


def test_elementary_loops_of_the_binomial_family(monkeypatch):
    """Sure predictions, wrong ones and proportions: as the array formulas have them."""
    n = functions.LONG + 7
    eta = RNG.normal(scale=10.0, size=(n, 1))
    eta[:6, 0] = [700.0, -700.0, 0.0, 40.0, -40.0, -0.0]
    y = (RNG.random((n, 1)) < 0.5).astype(float)
    y[:6, 0] = [1.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    y[6:500] = RNG.random((494, 1))
    offset = RNG.normal(size=(n, 1))
    family = Binomial()
    theta = np.where(RNG.random((n, 1)) < 0.01, 2.0, -0.9 * family.gradient(y, eta))
    theta[6:8] = y[6:8] - np.array([[0.0], [1.0]])

    def everything():
        yield family.loss(y, eta)
        yield family.gradient(y, eta)
        yield family.curvature(y, eta)
        yield family.conjugate(y, theta, offset)

    by_loops = list(everything())
    monkeypatch.setattr(functions, "LONG", n + 1)
    for mine, theirs in zip(by_loops, everything(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-14)
    assert np.isinf(by_loops[3]).sum() > 10
    # what is sure and right costs what is left of it, not the rounding of a difference
    np.testing.assert_allclose(by_loops[0][:2], np.exp(-700.0), rtol=1e-12)
