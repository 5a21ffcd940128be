"""Every fit proves itself, and what it proves is true of the peers' minimum."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.oracle

TIGHT = 1e-13
DEFAULT = 1e-7
# A gap below this share of the null deviance would be an error, not rounding.
ROUNDING = 1e-12
# Both are bounds, from dual points that may differ a little where fitted probabilities are
# close to 0 or 1.
ANOTHER_BOUND = 0.1
# How far the stored fits may be from the minimum, over the standard deviation of the response.
STORED = 1e-8


@pytest.mark.parametrize("tol", [TIGHT, DEFAULT])
def test_certificate_is_below_tol(path, tol):
    fit = path.fit(tol)
    assert fit.converged.all()
    assert fit.certificate.max() <= tol
    assert fit.certificate.min() >= -ROUNDING


@pytest.mark.parametrize("tol", [TIGHT, DEFAULT])
def test_certificate_can_be_recomputed(path, tol):
    fit = path.fit(tol)
    np.testing.assert_allclose(fit.check(), fit.certificate, rtol=ANOTHER_BOUND, atol=ROUNDING)


def test_gap_bounds_the_distance_to_the_minimum(least_squares):
    """Half the mean squared distance of fitted values from the peer's is at most the gap."""
    case = least_squares
    fit, unit, total = case.fit(DEFAULT), case.asked.unit, case.weights.sum()
    apart = np.sqrt((case.linear_predictor(fit) - case.eta) ** 2 @ case.weights / total)
    spread = unit * np.sqrt(fit.null_deviance / total)
    assert np.all(apart <= spread * (np.sqrt(np.maximum(fit.certificate, 0.0)) + STORED))
