"""Numbers that the data choose: Huber's delta, and theta of the negative binomial family."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import gammaln

from grpsparse import families
from grpsparse.errors import FamilyError
from grpsparse.families.adaptive import for_data, weighted_median

SAME = 1e-9  # a root and a search for one maximum
OTHER_PROGRAM = 1e-5  # statsmodels stops at about this


def counts(n=400, theta=1.5, seed=0):
    rng = np.random.default_rng(seed)
    offset = 0.5 * rng.normal(size=n)
    mu = np.exp(0.7 + offset)
    return rng.negative_binomial(theta, theta / (theta + mu)).astype(float), offset


@pytest.mark.parametrize("size", [1, 2, 7, 8])
def test_weighted_median_is_that_of_repeated_rows(size):
    rng = np.random.default_rng(size)
    for _ in range(50):
        values, times = rng.integers(0, 6, size).astype(float), rng.integers(1, 5, size)
        expected = np.median(np.repeat(values, times))
        assert weighted_median(values, times / 7.0) == expected


def test_delta_is_a_multiple_of_the_mad():
    y = np.array([[1.0], [2.0], [4.0], [8.0], [16.0], [1e9]])
    offset = np.ones_like(y)
    weights = np.array([1.0, 1, 1, 1, 1, 0])
    family, notes = for_data(families.Huber(), y, weights, offset)
    assert family.delta == pytest.approx(1.345 * 1.4826 * 3.0, rel=1e-5)
    assert notes == (f"delta: {family.delta:.6g}, 1.345 times the normalised MAD of the response",)
    assert family.title == f"Huber (delta {family.delta:.4g})"


def test_numbers_that_are_given_stay():
    y = np.arange(4.0)[:, None]
    for family in (families.Huber(2.0), families.NegativeBinomial(3), families.Gamma()):
        chosen, notes = for_data(family, y + 1.0, np.ones(4), None)
        assert chosen is family
        assert notes == ()


def test_delta_needs_a_scale():
    y = np.array([[0.0], [0.0], [0.0], [5.0]])
    with pytest.raises(FamilyError, match="half of the response is 0"):
        for_data(families.Huber(), y, np.ones(4), None)


@pytest.mark.parametrize("value", [0, -1.0, np.inf, np.nan, "1", True])
def test_numbers_are_positive(value):
    with pytest.raises(FamilyError, match=r"`delta` is .* positive number"):
        families.Huber(value)
    with pytest.raises(FamilyError, match=r"`theta` is .* positive number"):
        families.NegativeBinomial(value)


def test_open_numbers_are_not_fitted():
    y = np.ones((2, 1))
    with pytest.raises(FamilyError, match="`delta` is open"):
        families.Huber().loss(y, y)
    with pytest.raises(FamilyError, match="`theta` is open"):
        families.NegativeBinomial().loss(y, y)


def log_likelihood(theta, y, mu, weights):
    each = gammaln(y + theta) - gammaln(theta) + theta * np.log(theta) + y * np.log(mu)
    return float(weights @ (each - (y + theta) * np.log(mu + theta)))


@pytest.mark.parametrize("with_offset", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_theta_is_of_greatest_likelihood(weighted, with_offset):
    y, offset = counts()
    weights = np.random.default_rng(1).uniform(0.2, 2.0, len(y)) if weighted else np.ones(len(y))
    offset = offset * with_offset
    family, notes = for_data(families.NegativeBinomial(), y[:, None], weights, offset[:, None])

    def negative(at):
        return -log_likelihood(np.exp(at[0]), y, np.exp(at[1] + offset), weights)

    best = minimize(negative, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9})
    mu = np.exp(best.x[1] + offset)
    assert negative([np.log(family.theta), best.x[1]]) <= best.fun + 1e-9 * abs(best.fun)
    assert family.theta == pytest.approx(np.exp(best.x[0]), rel=1e-5)
    assert "by maximum likelihood with an intercept alone" in notes[0]
    again = families.NegativeBinomial.estimated(y, mu, weights)
    assert again.theta == pytest.approx(family.theta, rel=1e-5)


def test_theta_of_weights_is_that_of_repeated_rows():
    y, offset = counts(60)
    times = np.random.default_rng(2).integers(1, 4, len(y))
    rows = np.repeat(np.arange(len(y)), times)
    one, _ = for_data(families.NegativeBinomial(), y[:, None], times.astype(float), offset[:, None])
    other, _ = for_data(
        families.NegativeBinomial(), y[rows, None], np.ones(len(rows)), offset[rows, None]
    )
    assert one.theta == pytest.approx(other.theta, rel=SAME)


@pytest.mark.oracle
def test_theta_agrees_with_statsmodels():
    import statsmodels.api as sm

    y, offset = counts()
    model = sm.NegativeBinomial(y, np.ones((len(y), 1)), offset=offset)
    alpha = model.fit(disp=0, method="bfgs", gtol=1e-8, maxiter=500).params[-1]
    family, _ = for_data(families.NegativeBinomial(), y[:, None], np.ones(len(y)), offset[:, None])
    assert 1.0 / family.theta == pytest.approx(alpha, rel=OTHER_PROGRAM)


@pytest.mark.parametrize("y", [[1.0, 2, 1, 2], [3.0, 3, 3, 3]])
def test_counts_without_dispersion_have_no_theta(y):
    with pytest.raises(FamilyError, match="spread no more than a Poisson"):
        for_data(families.NegativeBinomial(), np.array(y)[:, None], np.ones(4), None)
