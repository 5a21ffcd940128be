"""Laws of every family: derivatives, saturation, conjugates, and extreme predictors."""

from __future__ import annotations

import array_api_strict
import numpy as np
import pytest
from scipy.optimize import minimize

from grpsparse import families
from grpsparse.errors import FamilyError, ResponseError

# central differences of a smooth function of order 1 lose about two thirds of the digits
DIFFERENCE = 1e-7
EXACT = 1e-13

CANONICAL = ("gaussian", "binomial", "multinomial", "poisson")
NAMES = (*CANONICAL, "huber", "gamma", "negative_binomial", "mgaussian")
SEVERAL = ("multinomial", "mgaussian")
# Families with a number that data would choose.
CHOSEN = {"huber": families.Huber(1.3), "negative_binomial": families.NegativeBinomial(1.7)}


def sample(name, n=40, seed=0, classes=4):
    rng = np.random.default_rng(seed)
    eta = rng.normal(size=(n, classes if name in SEVERAL else 1)) * 2
    if name in {"gaussian", "huber"}:
        y = rng.normal(size=(n, 1)) * 3
    elif name in {"poisson", "negative_binomial"}:
        y = rng.poisson(2.0, size=(n, 1)).astype(float)
    elif name == "mgaussian":
        y = rng.normal(size=(n, classes)) * 3
    elif name == "gamma":
        y = rng.gamma(2.0, size=(n, 1))
    elif name == "binomial":
        y = np.concatenate([rng.integers(0, 2, n // 2), rng.uniform(size=n - n // 2)])[:, None]
    else:
        y = np.eye(classes)[rng.integers(0, classes, n)]
    return CHOSEN.get(name, families.get(name)), y, eta


@pytest.mark.parametrize("name", NAMES)
def test_gradient_is_the_difference_quotient_of_the_loss(name):
    family, y, eta = sample(name)
    h = 1e-5
    for k in range(eta.shape[1]):
        step = np.zeros_like(eta)
        step[:, k] = h
        slope = (family.loss(y, eta + step) - family.loss(y, eta - step)) / (2 * h)
        scale = 1 + np.abs(family.gradient(y, eta)[:, k])
        assert np.max(np.abs(slope - family.gradient(y, eta)[:, k]) / scale) < DIFFERENCE


@pytest.mark.parametrize("name", NAMES)
def test_curvature_is_the_difference_quotient_of_the_gradient(name):
    family, y, eta = sample(name)
    h = 1e-5
    curvature = family.curvature(y, eta)
    for k in range(eta.shape[1]):
        step = np.zeros_like(eta)
        step[:, k] = h
        slope = (family.gradient(y, eta + step) - family.gradient(y, eta - step)) / (2 * h)
        if family.hessian == "softmax":
            expected = -curvature * curvature[:, [k]]
            expected[:, k] += curvature[:, k]
        else:
            expected = curvature * (np.arange(eta.shape[1]) == k)
        if name == "huber":  # not the curvature where that is 0
            assert np.all((expected == 1.0) | ((slope == 0.0) & (expected > 0.0)))
            slope = np.where(slope == 0.0, expected, slope)
        assert np.max(np.abs(slope - expected) / (1 + np.abs(expected))) < DIFFERENCE


@pytest.mark.parametrize("name", CANONICAL)
def test_gradient_is_mean_minus_response(name):
    family, y, eta = sample(name)
    np.testing.assert_allclose(family.gradient(y, eta), family.mean(eta) - y, atol=EXACT)


@pytest.mark.parametrize("name", CANONICAL)
def test_canonical_links_have_the_variance_as_slope(name):
    family, _, eta = sample(name)
    np.testing.assert_array_equal(family.slope(eta), family.variance(eta))


@pytest.mark.parametrize("name", NAMES)
def test_slope_is_the_difference_quotient_of_the_mean(name):
    family, _, eta = sample(name)
    h = 1e-5
    for k in range(eta.shape[1]):
        step = np.zeros_like(eta)
        step[:, k] = h
        slope = (family.mean(eta + step) - family.mean(eta - step))[:, k] / (2 * h)
        expected = family.slope(eta)[:, k]
        assert np.max(np.abs(slope - expected) / (1 + np.abs(expected))) < DIFFERENCE


@pytest.mark.parametrize("name", ["gamma", "negative_binomial"])
def test_gradient_is_the_scores_of_the_mean(name):
    """Quasi-likelihood: slope (mean - y) / variance, whatever the link."""
    family, y, eta = sample(name)
    expected = family.slope(eta) * (family.mean(eta) - y) / family.variance(eta)
    np.testing.assert_allclose(family.gradient(y, eta), expected, rtol=1e-12, atol=EXACT)


@pytest.mark.parametrize("name", NAMES)
def test_link_inverts_the_mean(name):
    family, _, eta = sample(name)
    eta = eta - eta.mean(axis=1, keepdims=True) if name == "multinomial" else eta
    np.testing.assert_allclose(family.link(family.mean(eta)), eta, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_saturated_loss_is_the_loss_at_the_link_of_the_response(name):
    family, y, eta = sample(name)
    saturated = family.saturated_loss(y)
    np.testing.assert_allclose(family.loss(y, family.link(y)), saturated, atol=1e-12)
    assert np.all(family.loss(y, eta) >= saturated - EXACT)


@pytest.mark.parametrize("name", NAMES)
def test_deviance_is_twice_the_loss_above_the_saturated(name):
    family, y, eta = sample(name)
    expected = 2 * (family.loss(y, eta) - family.saturated_loss(y))
    np.testing.assert_allclose(family.deviance(y, family.mean(eta)), expected, atol=1e-12)
    np.testing.assert_allclose(family.deviance(y, y), 0.0, atol=1e-12)
    assert np.all(np.isfinite(family.deviance(y, np.zeros_like(y))))


@pytest.mark.parametrize("name", NAMES)
def test_conjugate_is_the_supremum(name):
    family, y, eta = sample(name, n=12)
    rng = np.random.default_rng(1)
    offset = rng.normal(size=eta.shape)
    theta = -family.gradient(y, eta) * rng.uniform(0.2, 0.9, size=(len(y), 1))
    for i in range(len(y)):
        row = slice(i, i + 1)

        def negative(z, row=row):
            eta_row = offset[row] + z[None, :]
            slope = theta[row] + family.gradient(y[row], eta_row)
            value = theta[row] @ z + family.loss(y[row], eta_row)
            return value[0], slope[0]

        best = minimize(negative, np.zeros(eta.shape[1]), jac=True, tol=1e-12)
        got = family.conjugate(y[row], theta[row], offset[row])[0]
        assert got == pytest.approx(-best.fun, abs=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_fenchel_young_is_an_equality_at_the_gradient(name):
    family, y, z = sample(name)
    offset = np.random.default_rng(2).normal(size=z.shape)
    theta = -family.gradient(y, offset + z)
    total = family.loss(y, offset + z) + family.conjugate(y, theta, offset)
    np.testing.assert_allclose(total, -np.sum(theta * z, axis=1), atol=1e-12)
    elsewhere = family.loss(y, offset + z + 0.3 * np.sin(z)) + family.conjugate(y, theta, offset)
    assert np.all(elsewhere >= -np.sum(theta * (z + 0.3 * np.sin(z)), axis=1) - EXACT)


@pytest.mark.parametrize(
    ("name", "theta"),
    [
        ("binomial", [[1.1]]),
        ("binomial", [[-0.1]]),
        ("poisson", [[1.5]]),
        ("multinomial", [[0.4, -0.3]]),
        ("multinomial", [[1.2, -1.2]]),
        ("multinomial", [[-0.2, 0.2]]),
        ("huber", [[1.4]]),
        ("huber", [[-1.4]]),
        ("gamma", [[-1.1]]),
        ("negative_binomial", [[1.1]]),
        ("negative_binomial", [[-1.8]]),
    ],
)
def test_conjugate_is_infinite_outside_its_domain(name, theta):
    y = np.array([[1.0, 0.0]]) if name == "multinomial" else np.ones((1, 1))
    assert sample(name)[0].conjugate(y, np.array(theta), 0.0)[0] == np.inf


@pytest.mark.parametrize("name", ["binomial", "multinomial", "poisson"])
def test_conjugate_forgives_rounding(name):
    y = np.array([[0.0, 1.0]]) if name == "multinomial" else np.zeros((1, 1))
    theta = np.array([[1e-16, 0.0]]) if name == "multinomial" else np.array([[1e-16]])
    assert families.get(name).conjugate(y, theta, 0.0)[0] == pytest.approx(0.0, abs=EXACT)


@pytest.mark.parametrize(
    ("family", "y", "theta", "value"),
    [
        (families.Huber(1.3), 2.0, 1.3, 1.3 * (0.65 - 2.0)),
        (families.Huber(1.3), 2.0, -1.3, 1.3 * (0.65 + 2.0)),
        (families.Gamma(), 2.0, -1.0, 0.0),
        (families.NegativeBinomial(1.7), 2.0, 2.0, -2.0 * np.log(1.7)),
        (families.NegativeBinomial(1.7), 2.0, -1.7, 1.7 * np.log(1.7)),
    ],
)
def test_conjugates_at_the_ends_of_their_domains_and_a_rounding_beyond(family, y, theta, value):
    for end in (theta, theta + np.sign(theta) * 1e-15):
        got = family.conjugate(np.array([[y]]), np.array([[end]]), 0.0)[0]
        assert got == pytest.approx(value, abs=EXACT)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [30.0, 700.0, 1e5, 1e150])
def test_extreme_predictors_neither_overflow_nor_warn(name, size):
    family, y, eta = sample(name)
    eta = np.sign(eta) * size
    for value in (
        family.loss(y, eta),
        family.gradient(y, eta),
        family.curvature(y, eta),
        family.mean(eta),
        family.deviance(y, family.mean(eta)),
    ):
        assert np.all(np.isfinite(value))


def test_binomial_is_exact_where_the_fit_is_nearly_certain():
    family = families.get("binomial")
    y, eta = np.array([[1.0], [0.0]]), np.array([[50.0], [-50.0]])
    tiny = np.exp(-50.0)
    np.testing.assert_allclose(family.loss(y, eta), tiny, rtol=EXACT)
    np.testing.assert_allclose(family.gradient(y, eta)[:, 0], [-tiny, tiny], rtol=EXACT)
    np.testing.assert_allclose(family.curvature(y, eta), tiny, rtol=EXACT)


def test_multinomial_loss_is_exact_where_the_fit_is_nearly_certain():
    loss = families.get("multinomial").loss(np.array([[0.0, 1.0, 0.0]]), np.array([[0, 50.0, 0]]))
    np.testing.assert_allclose(loss, 2 * np.exp(-50.0), rtol=EXACT)


def test_two_classes_of_the_softmax_are_the_logit():
    binomial, multinomial = families.get("binomial"), families.get("multinomial")
    eta = np.linspace(-5, 5, 11)[:, None]
    y = (np.arange(11)[:, None] % 2).astype(float)
    both_y, both_eta = np.hstack([1 - y, y]), np.hstack([-eta / 2, eta / 2])
    np.testing.assert_allclose(
        multinomial.loss(both_y, both_eta), binomial.loss(y, eta), atol=EXACT
    )


@pytest.mark.parametrize("theta", [1e3, 1e6, 1e9])
def test_negative_binomial_without_dispersion_is_poisson(theta):
    family, y, eta = sample("poisson")
    other = families.NegativeBinomial(theta)
    dual = -0.7 * family.gradient(y, eta)
    close, constant = 2000.0 / theta + 1e-12, y[:, 0] * np.log(theta)
    for one, two in (
        (family.loss(y, eta), other.loss(y, eta) - constant),
        (family.gradient(y, eta), other.gradient(y, eta)),
        (family.curvature(y, eta), other.curvature(y, eta)),
        (family.saturated_loss(y), other.saturated_loss(y) - constant),
        (family.conjugate(y, dual, 0.3), other.conjugate(y, dual, 0.3) + constant),
        (family.deviance(y, family.mean(eta)), other.deviance(y, family.mean(eta))),
    ):
        np.testing.assert_allclose(two, one, rtol=close, atol=close)


def test_huber_inside_is_gaussian():
    family, other, (_, y, eta) = families.Gaussian(), families.Huber(1e3), sample("gaussian")
    np.testing.assert_allclose(other.loss(y, eta), family.loss(y, eta), rtol=EXACT)
    np.testing.assert_array_equal(other.gradient(y, eta), family.gradient(y, eta))
    np.testing.assert_array_equal(other.curvature(y, eta), family.curvature(y, eta))


def test_a_quadratic_with_hubers_curvature_never_collapses():
    y, eta = np.array([[0.0], [1e12], [-3.0]]), np.zeros((3, 1))
    curvature = families.Huber(1.0).curvature(y, eta)[:, 0]
    assert curvature[0] == 1.0
    assert np.all(curvature > 0.0)


def test_poisson_is_convex_and_smooth_across_its_cap():
    family = families.get("poisson")
    eta = np.linspace(352.0, 355.0, 301)[:, None]
    loss = family.loss(np.zeros_like(eta), eta) / np.exp(352.0)
    slope = np.diff(loss)
    assert np.all(np.diff(slope) >= -1e-9 * slope[1:])


@pytest.mark.parametrize("name", NAMES)
def test_array_api_strict_gives_the_same_numbers(name):
    family, y, eta = sample(name)
    xp = array_api_strict
    other_y, other_eta = xp.asarray(y), xp.asarray(eta)
    theta = -family.gradient(y, eta)
    pairs = [
        (family.loss(other_y, other_eta), family.loss(y, eta)),
        (family.gradient(other_y, other_eta), -theta),
        (family.curvature(other_y, other_eta), family.curvature(y, eta)),
        (family.saturated_loss(other_y), family.saturated_loss(y)),
        (family.link(family.mean(other_eta)), family.link(family.mean(eta))),
        (family.deviance(other_y, family.mean(other_eta)), family.deviance(y, family.mean(eta))),
        (
            family.conjugate(other_y, xp.asarray(theta), 0.5),
            family.conjugate(y, theta, 0.5),
        ),
    ]
    for got, expected in pairs:
        np.testing.assert_allclose(np.asarray(got), expected, atol=EXACT)
    family.check_response(other_y, xp.ones(len(y)))


@pytest.mark.parametrize("name", NAMES)
def test_float32_stays_float32(name):
    family, y, eta = sample(name)
    y, eta = y.astype(np.float32), eta.astype(np.float32)
    assert family.loss(y, eta).dtype == np.float32
    assert family.gradient(y, eta).dtype == np.float32
    assert family.conjugate(y, -family.gradient(y, eta), 0.0).dtype == np.float32


def test_names_and_objects_resolve():
    # what ties rows together has laws of its own: test_cox.py, test_sqrt_gaussian.py
    assert families.names() == (*NAMES, "sqrt_gaussian", "cox")
    assert families.get("poisson") == families.Poisson()
    assert families.get("huber") == families.Huber()
    assert families.get(families.Gaussian()) == families.Gaussian()
    assert all(isinstance(families.get(name), families.Family) for name in NAMES)


@pytest.mark.parametrize(
    ("family", "words"),
    [
        ("binomail", "did you mean 'binomial'"),
        ("Poisson", "did you mean 'poisson'"),
        ("zzz", "Families are gaussian, binomial"),
        (3, "family object"),
        (families.Poisson, "family object"),
    ],
)
def test_unknown_families_raise(family, words):
    with pytest.raises(FamilyError, match=words):
        families.get(family)


@pytest.mark.parametrize(
    ("name", "y", "weights", "words"),
    [
        ("gaussian", [[1.0], [1.0], [2.0]], [1, 1, 0], "share is constant \\(1"),
        ("binomial", [[1.0], [1.0], [0.0]], [1, 1, 0], "one class only"),
        ("binomial", [[1.2], [0.0], [0.0]], [1, 1, 1], "has the value 1.2"),
        ("multinomial", [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]], [1, 1, 0], "class number 3 of 3"),
        ("multinomial", [[1.0], [1.0]], [1, 1], "one class only"),
        ("poisson", [[-1.0], [1.0]], [1, 1], "has the value -1"),
        ("poisson", [[0.0], [1.0]], [1, 0], "is 0 in every row"),
        ("huber", [[1.0], [1.0], [2.0]], [1, 1, 0], "share is constant \\(1"),
        ("mgaussian", [[1.0, 2], [3, 2], [4, 5]], [1, 1, 0], "number 2 of 2 is constant \\(2 "),
        ("gamma", [[0.0], [1.0]], [1, 1], "has the value 0; a gamma response is positive"),
        ("negative_binomial", [[-1.0], [1.0]], [1, 1], "has the value -1"),
        ("negative_binomial", [[0.0], [1.0]], [1, 0], "is 0 in every row"),
    ],
)
def test_responses_that_a_family_cannot_have(name, y, weights, words):
    with pytest.raises(ResponseError, match=words):
        families.get(name).check_response(np.array(y), np.array(weights, float), name="share")
