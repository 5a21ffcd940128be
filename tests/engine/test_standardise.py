"""Standardised coordinates: orthonormal, transparent to storage, and exact at the edges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grpsparse.design import assemble, standardise
from grpsparse.formula import build_model
from grpsparse.groups import TermColumns

EXACT = 1e-12  # rounding of products of a few dozen numbers of order one


def coordinates(X, weights, terms, *, mode="group", intercept=True, blocks=None):
    blocks = [X] if blocks is None else blocks
    design = assemble(blocks, n_rows=X.shape[0], centred=intercept)
    return standardise(design, terms, weights, mode=mode, intercept=intercept)


@pytest.mark.parametrize("intercept", [True, False])
def test_groups_are_orthonormal(data, intercept):
    made = coordinates(data.X, data.weights, data.terms, intercept=intercept)
    rows = made.working_rows(np.arange(made.size))
    for start, stop in zip(made.starts[:-1], made.starts[1:], strict=True):
        part = rows[start:stop]
        np.testing.assert_allclose(part * data.weights @ part.T, np.eye(stop - start), atol=EXACT)
    if intercept:
        np.testing.assert_allclose(rows @ data.weights, 0.0, atol=EXACT)


@pytest.mark.parametrize("intercept", [True, False])
def test_columns_have_unit_variance(data, intercept):
    made = coordinates(data.X, data.weights, data.terms, mode="column", intercept=intercept)
    rows = made.working_rows(np.arange(made.size))
    np.testing.assert_allclose(rows**2 @ data.weights, 1.0, atol=EXACT)


def test_products_are_those_of_the_rows(data):
    made = coordinates(data.X, data.weights, data.terms)
    rows = made.working_rows(np.arange(made.size))
    rng = np.random.default_rng(1)
    residual = rng.normal(size=(data.X.shape[0], 2))
    theta = rng.normal(size=(made.size, 2))
    np.testing.assert_allclose(made.correlate(residual), rows @ residual, atol=1e-11)
    np.testing.assert_allclose(made.linear_predictor(theta), rows.T @ theta, atol=1e-11)


@pytest.mark.parametrize("mode", ["group", "column", "none"])
def test_sparse_and_mixed_storage_agree_with_dense(data, mode):
    X = data.X * (np.abs(data.X - 3) > 0.5)
    dense = coordinates(X, data.weights, data.terms, mode=mode)
    every = np.arange(dense.size)
    for blocks in ([sparse.csc_array(X)], [sparse.csc_array(X[:, :4]), X[:, 4:]]):
        other = coordinates(X, data.weights, data.terms, mode=mode, blocks=blocks)
        np.testing.assert_array_equal(other.rank, dense.rank)
        ours, theirs = dense.working_rows(every), other.working_rows(every)
        for start, stop in zip(dense.starts[:-1], dense.starts[1:], strict=True):
            # signs of eigenvectors are free, projections are not
            np.testing.assert_allclose(
                ours[start:stop].T @ ours[start:stop],
                theirs[start:stop].T @ theirs[start:stop],
                atol=1e-9,
            )


def test_a_factor_is_a_frame_of_its_centred_indicators():
    rng = np.random.default_rng(2)
    levels = rng.integers(0, 4, size=60)
    X = np.eye(5)[levels]  # the fifth level has no rows
    term = TermColumns(
        "f", "factor", tuple("abcde"), np.arange(5), scale="rms", levels=tuple("abcde")
    )
    weights = rng.uniform(size=60)
    weights /= weights.sum()
    made = coordinates(X, weights, (term,))
    assert made.rank.tolist() == [3]
    assert made.size == 4
    rows = made.working_rows(np.arange(4))
    values = np.linalg.eigvalsh(rows * weights @ rows.T)
    np.testing.assert_allclose(values, [0, 1, 1, 1], atol=EXACT)


def test_a_constant_column_of_the_counted_rows_has_no_rank(data):
    X = data.X.copy()
    X[:, 3] = 0.0
    X[0, 3] = 1.0
    weights = data.weights.copy()
    weights[0] = 0.0
    made = coordinates(X, weights / weights.sum(), data.terms)
    assert made.rank.tolist() == [3, 0, 4, 2]


def test_digits_survive_columns_far_from_zero(data):
    near = coordinates(data.X, data.weights, data.terms)
    far = coordinates(data.X + 1e7, data.weights, data.terms)
    every = np.arange(near.size)
    residual = np.random.default_rng(3).normal(size=(data.X.shape[0], 1))
    left, right = near.correlate(residual), far.correlate(residual)
    for start, stop in zip(near.starts[:-1], near.starts[1:], strict=True):
        size = np.linalg.norm(left[start:stop])
        # x + 1e7 itself is rounded to 1e-9
        np.testing.assert_allclose(np.linalg.norm(right[start:stop]), size, rtol=1e-7)
    assert far.working_rows(every).shape == near.working_rows(every).shape


def test_an_interaction_is_orthogonal_to_its_margins():
    rng = np.random.default_rng(4)
    n = 120
    frame = pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "a": rng.choice(list("pqr"), size=n),
            "b": rng.choice(list("uvwx"), size=n),
            "x": rng.normal(size=n) + 5,
        }
    )
    model = build_model("y ~ a * b + a * x", frame)
    weights = rng.uniform(size=n)
    weights /= weights.sum()
    design = assemble(model.blocks, n_rows=n, centred=True)
    made = standardise(design, model.spec.terms, weights, mode="group", intercept=True)
    names = [term.name for term in model.spec.terms]
    assert dict(zip(names, made.rank.tolist(), strict=True))["a:b"] == 6
    rows = made.working_rows(np.arange(made.size))

    def part(name):
        g = names.index(name)
        return rows[made.starts[g] : made.starts[g + 1]]

    for interaction, margins in {"a:b": ("a", "b"), "a:x": ("a", "x")}.items():
        inner = part(interaction)
        np.testing.assert_allclose(inner * weights @ inner.T, np.eye(len(inner)), atol=1e-10)
        for margin in margins:
            np.testing.assert_allclose(inner * weights @ part(margin).T, 0.0, atol=1e-10)
    assert made.leak is not None  # levels' means of x belong to a


def test_the_transform_is_own_and_leak():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {"y": rng.normal(size=50), "u": rng.normal(size=50) + 2, "v": rng.normal(size=50)}
    )
    model = build_model("y ~ u * v", frame)
    design = assemble(model.blocks, n_rows=50, centred=True)
    weights = np.full(50, 1 / 50)
    made = standardise(design, model.spec.terms, weights, mode="group", intercept=True)
    whole = (made.own + made.leak @ made.own).todense()
    np.testing.assert_allclose(made.transform.todense(), whole, atol=EXACT)
