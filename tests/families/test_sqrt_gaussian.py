"""The square-root family: one loss of all rows, so laws are about weighted means over them."""

from __future__ import annotations

import array_api_strict
import numpy as np
import pytest
from scipy.optimize import minimize

from grpsparse.errors import FamilyError, ResponseError
from grpsparse.families import JointFamily, ScaleFamily, SqrtGaussian, among
from grpsparse.families.adaptive import for_data
from grpsparse.results import check_conjugate

DIFFERENCE = 1e-7  # central differences lose about two thirds of the digits
EXACT = 1e-13
N = 12
# one response; several with one scale; several with their own, one of them at its floor
KINDS = {
    "one": (1, SqrtGaussian(0.1)),
    "shared": (3, SqrtGaussian(0.1)),
    "separate": (3, SqrtGaussian((0.1, 9.0, 0.2), separate_scales=True)),
    "floored": (1, SqrtGaussian(50.0)),
    "all floored": (3, SqrtGaussian(50.0)),
}


@pytest.fixture(params=KINDS)
def kind(request):
    """A family that knows its rows, a response and linear predictors, and weights."""
    count, family = KINDS[request.param]
    rng = np.random.default_rng(3)
    weights = rng.uniform(0.5, 2.0, N)
    weights[4] = 0.0
    weights /= weights.sum()
    y, eta = 2.0 * rng.normal(size=(2, N, count))
    y[4] = 1e100
    return family.among(y, weights), y, eta, weights


def plain(family, y, eta, weights):
    """The mean loss, written out once more."""
    present = weights > 0
    r, w = (y - eta)[present], weights[present]
    squares = w @ r**2
    floors = np.broadcast_to(family.sigma0, squares.shape)
    if not family.separate_scales:
        squares = np.full_like(squares, squares.mean())
    norms = np.sqrt(squares)
    below = norms**2 / (2 * floors) + floors / 2
    return float(np.sum(np.where(norms >= floors, norms, below)))


def mean_loss(family, y, eta, weights):
    values, present = family.loss(y, eta), weights > 0
    return float(weights[present] @ values[present])


def test_is_a_family(kind):
    family = kind[0]
    assert isinstance(family, JointFamily)
    assert isinstance(family, ScaleFamily)
    assert family.n_outputs(kind[1]) == kind[1].shape[1]


def test_the_mean_loss_is_the_norm_of_the_residuals(kind):
    family, y, eta, weights = kind
    assert mean_loss(family, y, eta, weights) == pytest.approx(plain(*kind), rel=EXACT)
    # the smallest over sigma, at the scale
    present = weights > 0
    best = mean_loss(family, y, eta, weights)
    squares = weights[present] @ (y - eta)[present] ** 2
    for factor in (0.99, 1.01):
        other = np.maximum(factor * family.scale(y, eta), family.sigma0)
        assert best <= np.sum(0.5 * (squares / other + other)) + EXACT


def test_gradient_is_the_difference_quotient_of_the_mean_loss(kind):
    family, y, eta, weights = kind
    slope = weights[:, None] * family.gradient(y, eta)
    h = 1e-5
    for i, k in np.ndindex(*eta.shape):
        if i == 4:
            continue
        step = np.zeros_like(eta)
        step[i, k] = h
        found = (plain(family, y, eta + step, weights) - plain(family, y, eta - step, weights)) / (
            2 * h
        )
        assert found == pytest.approx(slope[i, k], abs=DIFFERENCE)


def test_information_is_the_difference_quotient_of_the_gradient(kind):
    family, y, eta, weights = kind
    rows = np.random.default_rng(5).normal(size=(2, N))
    count, h = eta.shape[1], 1e-5
    found = family.information(y, eta, rows)
    assert found.shape == (2 * count, 2 * count)
    for k in range(count):
        for j in range(2):
            step = np.zeros_like(eta)
            step[:, k] = h * rows[j]
            change = family.gradient(y, eta + step) - family.gradient(y, eta - step)
            expected = (rows @ (weights[:, None] * change)).T.ravel() / (2 * h)
            np.testing.assert_allclose(found[2 * k + j], expected, atol=DIFFERENCE)


def test_a_model_with_the_curvature_lies_above_the_loss(kind):
    family, y, eta, weights = kind
    rng = np.random.default_rng(6)
    slope = weights[:, None] * family.gradient(y, eta)
    bend = weights[:, None] * family.curvature(y, eta)
    for size in (1e-3, 0.1, 1.0, 10.0, 1e3):
        for _ in range(20):
            step = size * rng.normal(size=eta.shape)
            step[4] = 0.0
            model = plain(*kind) + np.sum(slope * step + 0.5 * bend * step**2)
            assert plain(family, y, eta + step, weights) <= model + EXACT * (1 + abs(model))


def test_fenchel_young_is_an_equality_at_the_gradient(kind):
    family, y, eta, weights = kind
    rng, present = np.random.default_rng(2), weights > 0
    offset = rng.normal(size=eta.shape)
    theta = -family.gradient(y, offset + eta)

    def total(z, dual):
        conjugate = family.conjugate(y, dual, offset)
        assert np.array_equal(family.conjugate_near(y, eta, dual, offset), conjugate)
        values = conjugate + family.loss(y, offset + z) + np.sum(dual * z, axis=1)
        return float(weights[present] @ values[present])

    assert total(eta, theta) == pytest.approx(0.0, abs=1e-12)
    for _ in range(50):
        assert total(eta + rng.normal(size=eta.shape), theta) >= -EXACT
        assert total(eta, rng.uniform(0.3, 1.0) * theta) >= -EXACT


def test_conjugate_is_the_supremum(kind):
    family, y, eta, weights = kind
    present = weights > 0
    w, offset = weights[present, None], 0.5
    family = family.among(y[present], weights[present])
    y, eta = y[present], eta[present]
    theta = -0.7 * family.gradient(y, eta)

    def negative(flat):
        z = flat.reshape(eta.shape)
        value = np.sum(w * theta * z) + mean_loss(family, y, offset + z, w[:, 0])
        return value, (w * (theta + family.gradient(y, offset + z))).ravel()

    best = minimize(negative, np.zeros(eta.size), jac=True, tol=1e-14, options={"maxiter": 5000})
    found = float(w[:, 0] @ family.conjugate(y, theta, offset))
    assert found == pytest.approx(-best.fun, abs=1e-7)


def test_conjugate_is_infinite_outside_its_domain(kind):
    family, y, eta, _ = kind
    theta = family.standardised(y - eta)
    assert np.isfinite(family.conjugate(y, theta, 0.0)).all()
    assert np.isfinite(family.conjugate(y, theta * (1 + 1e-15), 0.0)).all()
    assert np.isinf(family.conjugate(y, theta * (1 + 1e-9), 0.0)).all()


def test_the_check_has_the_same_residual_and_conjugate(kind):
    family, y, eta, weights = kind
    y = np.where(weights[:, None] > 0, y, 0.0)
    theta = -0.8 * family.gradient(y, eta)
    np.testing.assert_allclose(
        check_conjugate.residual(family, y, eta), -family.gradient(y, eta), rtol=EXACT
    )
    found = check_conjugate.conjugate(family, y, theta, eta)
    np.testing.assert_allclose(found, family.conjugate(y, theta, eta), rtol=EXACT, atol=EXACT)
    assert np.isinf(check_conjugate.conjugate(family, y, 1e3 * theta, eta)).all()


def test_deviance_is_twice_the_loss_above_the_saturated(kind):
    family, y, eta, _ = kind
    y = np.clip(y, -10.0, 10.0)
    expected = 2 * (family.loss(y, eta) - family.saturated_loss(y))
    np.testing.assert_allclose(family.deviance(y, eta), expected, atol=1e-12)
    np.testing.assert_array_equal(family.deviance(y, y), 0.0)
    np.testing.assert_allclose(family.loss(y, y), family.saturated_loss(y), atol=EXACT)
    assert (family.loss(y, eta) >= family.saturated_loss(y)).all()


def test_one_scale_for_all_is_that_of_equal_scales():
    rng = np.random.default_rng(1)
    y = rng.normal(size=(30, 3))
    y /= np.sqrt(np.mean(y**2, axis=0))
    eta = np.zeros_like(y)
    one, each = SqrtGaussian(0.1), SqrtGaussian(0.1, separate_scales=True)
    np.testing.assert_allclose(one.scale(y, eta), [1.0], rtol=EXACT)
    np.testing.assert_allclose(each.scale(y, eta), [1.0, 1.0, 1.0], rtol=EXACT)
    np.testing.assert_allclose(one.loss(y, eta), each.loss(y, eta), rtol=EXACT)
    np.testing.assert_allclose(one.gradient(y, eta), each.gradient(y, eta), rtol=EXACT)


def test_without_weights_all_rows_are_alike():
    rng = np.random.default_rng(1)
    y, eta = rng.normal(size=(2, 30, 2))
    family = SqrtGaussian(0.1)
    known = among(family, y, np.full(30, 7.0))
    np.testing.assert_allclose(known.loss(y, eta), family.loss(y, eta), rtol=EXACT)
    np.testing.assert_allclose(known.conjugate(y, 0.1 * y, eta), family.conjugate(y, 0.1 * y, eta))


@pytest.mark.parametrize("name", [name for name in KINDS if name != "floored"])
def test_other_libraries_and_precisions(name):
    count, family = KINDS[name]
    rng, xp = np.random.default_rng(8), array_api_strict
    y, eta = rng.normal(size=(2, N, count))
    rows = rng.normal(size=(2, N))
    calls = (
        lambda f, a, b, _: f.loss(a, b),
        lambda f, a, b, _: f.gradient(a, b),
        lambda f, a, b, _: f.curvature(a, b),
        lambda f, a, b, c: f.information(a, b, c),
        lambda f, a, b, _: f.conjugate(a, f.gradient(a, b), b),
        lambda f, a, b, _: f.deviance(a, b),
        lambda f, a, b, _: f.saturated_loss(a + b),
        lambda f, a, b, _: f.scale(a, b),
    )
    for call in calls:
        expected = call(family, y, eta, rows)
        got = call(family, xp.asarray(y), xp.asarray(eta), xp.asarray(rows))
        np.testing.assert_allclose(np.asarray(got), expected, atol=EXACT)
        single = call(family, *(each.astype(np.float32) for each in (y, eta, rows)))
        assert single.dtype == np.float32


def test_sigma0_is_a_share_of_the_scale_of_the_response():
    y = np.array([[1.0, 10.0], [2.0, 20.0], [6.0, 60.0], [1e9, 1e9]])
    offset, weights = np.ones_like(y), np.array([1.0, 1.0, 2.0, 0.0])
    squares = np.array([1.0, 100.0]) * np.average([2.75**2, 1.75**2, 2.25**2], weights=[1, 1, 2])
    one, notes = for_data(SqrtGaussian(), y[:, :1], weights, offset[:, :1])
    assert one.sigma0 == pytest.approx(0.01 * np.sqrt(squares[0]), rel=EXACT)
    assert notes == (f"sigma0: {one.sigma0:.6g}, 1% of the scale around the mean",)
    shared, _ = for_data(SqrtGaussian(), y, weights, offset)
    assert shared.sigma0 == pytest.approx(0.01 * np.sqrt(squares.mean()), rel=EXACT)
    each, _ = for_data(SqrtGaussian(separate_scales=True), y, weights, offset)
    np.testing.assert_allclose(each.sigma0, 0.01 * np.sqrt(squares), rtol=EXACT)
    given = SqrtGaussian(2)
    assert for_data(given, y, weights, offset) == (given, ())


@pytest.mark.parametrize("value", [0, -1.0, np.inf, np.nan, "1", True, (1.0, 2.0)])
def test_sigma0_is_a_positive_number(value):
    with pytest.raises(FamilyError, match="`sigma0` is"):
        SqrtGaussian(value)


def test_messages():
    y = np.arange(8.0).reshape(4, 2)
    with pytest.raises(FamilyError, match="`separate_scales` is 'yes'; give True or False"):
        SqrtGaussian(separate_scales="yes")
    with pytest.raises(FamilyError, match="has 3 numbers for 2 responses"):
        for_data(SqrtGaussian((1, 2, 3), separate_scales=True), y, np.ones(4), None)
    with pytest.raises(FamilyError, match="constant, so it tells no scale"):
        for_data(SqrtGaussian(), y, np.ones(4), y + 1.0)
    with pytest.raises(FamilyError, match="`sigma0` is open"):
        SqrtGaussian().loss(y, y)
    with pytest.raises(ResponseError, match="share is constant"):
        SqrtGaussian().check_response(np.ones((3, 1)), np.ones(3), name="share")
    with pytest.raises(ResponseError, match="number 2 of 2 is constant"):
        SqrtGaussian().check_response(np.array([[1.0, 1], [2, 1]]), np.ones(2))
