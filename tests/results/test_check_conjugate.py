"""Conjugates of the recomputed certificate, and their domains."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from grpsparse import families
from grpsparse.results import check_conjugate


@pytest.mark.parametrize(
    "family",
    [
        "gaussian",
        "binomial",
        "poisson",
        families.Huber(0.8),
        families.Gamma(),
        families.NegativeBinomial(0.9),
    ],
)
def test_conjugates_are_suprema(family):
    chosen = families.get(family)
    y = np.array([[1e-9 if chosen.name == "gamma" else 0.0], [1.0], [0.3]])
    theta = np.array([[-0.4], [0.7], [0.1]])
    shift = np.array([[0.5], [-1.0], [2.0]])
    found = check_conjugate.conjugate(chosen, y, theta, shift)
    for row in range(3):

        def down(z, row=row):
            eta = shift[row : row + 1] + z
            return theta[row, 0] * z + float(chosen.loss(y[row : row + 1], eta)[0])

        best = minimize_scalar(down, bracket=(-1.0, 1.0), tol=1e-12)
        np.testing.assert_allclose(found[row], -best.fun, atol=1e-9)


@pytest.mark.parametrize(
    "family",
    [
        families.Gaussian(),
        families.Binomial(),
        families.Poisson(),
        families.Huber(0.8),
        families.Gamma(),
        families.NegativeBinomial(1.2),
    ],
)
def test_domains_are_those_of_the_engine(family):
    """A search by the family's own conjugate finds the share that the formula gives."""
    rng = np.random.default_rng(3)
    y = rng.uniform(0.1, 0.9, size=(200, 1))
    inner = -0.5 * family.gradient(y, rng.normal(size=y.shape))
    outside = np.where(rng.random(y.shape) < 0.3, 3.0 * rng.normal(size=y.shape), inner)
    found = check_conjugate.mixture(family, y, outside, inner)
    searched = check_conjugate._searched(family, y, outside, inner)
    assert found <= searched <= 1.2 * found
    for row in (slice(i, i + 1) for i in range(0, 200, 7)):
        one = check_conjugate.mixture(family, y[row], outside[row], inner[row])
        other = check_conjugate._searched(family, y[row], outside[row], inner[row])
        assert one <= other <= 1.2 * one


def test_mixture_is_the_smallest_that_works():
    y = np.array([[1.0], [0.0], [0.0]])
    binomial = families.get("binomial")
    inner = y - 0.5
    outside = y - np.array([[1.1], [-0.05], [0.4]])
    share = check_conjugate.mixture(binomial, y, outside, inner)
    q = y - ((1 - share) * outside + share * inner)
    assert np.isclose(share, 0.1 / 0.6)
    assert np.isclose(q.max(), 1.0)
    assert check_conjugate.mixture(binomial, y, inner, inner) == 0.0
