"""Bounds on curvature: of the family in the linear predictor, of groups in their coordinates."""

from __future__ import annotations

import numpy as np
import pytest

import grpsparse as gs
from grpsparse import families
from grpsparse.problem.bounds import bounding_curvature, largest_eigenvalues

ROUNDING = 1e-12
BOUNDS = {
    "gaussian": 1.0,
    "binomial": 0.25,
    "multinomial": 0.5,
    "huber": 1.0,
    "mgaussian": 1.0,
    "poisson": None,
    "gamma": None,
    "negative_binomial": None,
    "sqrt_gaussian": None,  # 1 / sigma0 is one, but far above the curvature of fits
    "cox": None,
}


def hessians(family, curvature, factor):
    """Every row's Hessian in the linear predictor, (n, K, K)."""
    if family.hessian != "softmax":
        return factor * curvature[:, :, None]
    outer = curvature[:, :, None] * curvature[:, None, :]
    return factor * (np.eye(curvature.shape[1]) * curvature[:, None, :] - outer)


def test_every_family_states_its_bound():
    assert set(BOUNDS) == set(families.names())
    for name, bound in BOUNDS.items():
        assert families.get(name).curvature_bound == bound


@pytest.mark.parametrize("name", [name for name, bound in BOUNDS.items() if bound is not None])
def test_the_bound_is_above_every_curvature(name):
    family = gs.families.Huber(0.5) if name == "huber" else families.get(name)
    eta = 3.0 * np.random.default_rng(0).normal(size=(200, 4 if name == "multinomial" else 1))
    above = hessians(family, *bounding_curvature(family, BOUNDS[name], eta))
    below = hessians(family, family.curvature(np.zeros_like(eta), eta), 1.0)
    assert np.linalg.eigvalsh(above - below).min() >= -ROUNDING
    assert np.linalg.eigvalsh(above).max() == pytest.approx(BOUNDS[name])


@pytest.mark.parametrize("storage", ["dense", "sparse"])
@pytest.mark.parametrize("standardize", ["column", False])
def test_largest_eigenvalues_are_those_of_the_groups(monkeypatch, storage, standardize):
    from scipy import sparse

    seen = {}

    def spy(coordinates, grams):
        seen["found"] = largest_eigenvalues(coordinates, grams)
        return seen["found"]

    monkeypatch.setattr("grpsparse.problem.problem.largest_eigenvalues", spy)
    rng = np.random.default_rng(1)
    X = rng.normal(size=(50, 7)) * (rng.random((50, 7)) < 0.5) + 0.3
    X[:, 4] = 2.0
    weights = rng.uniform(0.5, 2.0, 50)
    gs.fit(
        sparse.csc_array(X) if storage == "sparse" else X,
        rng.normal(size=50),
        groups=[0, 0, 0, 1, 2, 3, 3],
        weights=weights,
        standardize=standardize,
        penalty="group_l0",
        n_lambda=2,
    )
    w = weights / weights.sum()
    Z = X - w @ X
    if standardize == "column":
        spread = np.sqrt(w @ Z**2)
        Z = Z / np.where(spread > ROUNDING, spread, np.inf)
    root = np.sqrt(w)[:, None] * Z
    expected = [np.linalg.norm(root[:, g], 2) ** 2 for g in ([0, 1, 2], [3], [4], [5, 6])]
    np.testing.assert_allclose(seen["found"], expected, atol=1e-10)
