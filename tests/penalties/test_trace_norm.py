"""The proximal map of the trace norm: the conditions of its minimum, and eigenvalues."""

import numpy as np
import pytest

import grpsparse.penalties as gp

COUNT = 1000
EXACT = 1e-12  # relative to the largest singular value
POSITION = 1e-10


def random_cases():
    """Matrices of every shape, some of low rank or with singular values that are equal."""
    rng = np.random.default_rng(0)
    for k in range(COUNT):
        rows, columns = rng.integers(1, 9, 2)
        v = rng.normal(size=(rows, columns)) * np.exp(rng.uniform(-2, 2))
        if k % 5 == 1:
            v = v[:, :1] * rng.normal(size=columns)
        if k % 5 == 2:
            v = np.eye(rows, columns) * v[0, 0]
        yield v, float(np.exp(rng.uniform(-4, 2))), float(rng.choice([0.0, 0.3, 1.0, 2.0]))


def test_prox_is_the_minimum():
    """v - x is mu times a subgradient at x, and x is v f(v'v) by an eigendecomposition."""
    kept = cut = 0
    for v, step, level in random_cases():
        x = gp.TraceNorm().prox(v, step, level)
        mu, size = step * level, np.linalg.norm(v, 2)
        singular = np.linalg.svd(x, compute_uv=False)
        assert np.linalg.norm(v - x, 2) <= mu + EXACT * size
        assert abs(np.vdot(x, v - x) - mu * singular.sum()) <= EXACT * size**2
        squares, vectors = np.linalg.eigh(v.T @ v)
        length = np.sqrt(np.maximum(squares, 0.0))
        share = np.maximum(1.0 - mu / np.maximum(length, 1e-300), 0.0)
        if mu > 1e-6 * size:  # below, squares do not tell the smallest singular values from zero
            expected = (v @ vectors * share) @ vectors.T
            np.testing.assert_allclose(x, expected, rtol=0, atol=POSITION * size)
        kept += (singular > EXACT * size).any()
        cut += (singular[: min(v.shape)] <= EXACT * size).any()
    assert kept >= 300
    assert cut >= 300


def test_one_response_is_the_group_lasso():
    b = np.array([3.0, 4.0, 0.0])
    np.testing.assert_allclose(
        gp.TraceNorm().prox(b, 0.5, 2.0), gp.GroupLasso().prox(b, 0.5, 2.0), rtol=1e-14
    )
    assert gp.TraceNorm().value(b, 2.0) == pytest.approx(10.0, rel=1e-14)
