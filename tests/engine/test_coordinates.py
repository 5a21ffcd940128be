"""Coordinates without copies: what is shared, what is lazy, and that both change no number."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from grpsparse.design import assemble, matrix_model, standardise
from grpsparse.formula import build_model
from grpsparse.groups import Deferred, NumberedNames, PlainTerms, TermColumns, members

EXACT = 1e-12  # rounding of products of a few hundred numbers of order one
N = 300  # rows, enough for a sample to leave most of them out
LABELS = {
    "in order": np.repeat(np.arange(6), [3, 1, 4, 2, 1, 5]),
    "interleaved": np.array([0, 1, 2, 0, 3, 2, 2, 3, 4, 2, 5, 0, 5, 5, 5, 5]),
}


def matrix(seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, 16)) * np.logspace(-2, 2, 16) + 0.3 * np.logspace(-2, 2, 16)


def weights_of(kind):
    weights = np.ones(N)
    if kind == "uneven":
        weights = np.random.default_rng(2).uniform(0.2, 2.0, size=N)
        weights[::7] = 0.0
    return weights / weights.sum()


def made_of(X, labels, *, mode, weights="equal", intercept=True):
    frame = matrix_model(X, groups=labels)
    design = assemble(frame.blocks, n_rows=N, centred=intercept, sums=frame.sums)
    terms = frame.spec.terms
    return standardise(design, terms, weights_of(weights), mode=mode, intercept=intercept)


def own_terms(terms):
    """Return plain terms as the tuple of objects that a formula has."""
    return tuple(TermColumns(t.name, t.kind, t.columns, t.index) for t in terms)


def interaction():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {"y": rng.normal(size=N), "a": rng.choice(list("pqr"), N), "x": rng.normal(size=N) + 2}
    )
    model = build_model("y ~ a * x", frame)
    design = assemble(model.blocks, n_rows=N, centred=True)
    return standardise(design, model.spec.terms, weights_of("uneven"), mode="group", intercept=True)


def test_columns_near_zero_are_shared():
    frame = matrix_model(matrix())
    design = assemble(frame.blocks, n_rows=N, centred=True, sums=frame.sums)
    assert np.shares_memory(design.dense.columns, frame.blocks[0])
    assert not design.shift.any()
    np.testing.assert_allclose(design.dense.mean, frame.blocks[0].mean(axis=0), atol=EXACT)


def test_a_constant_column_far_from_zero_needs_no_copy():
    X = np.asfortranarray(matrix())
    X[:, 5] = 1e6
    assert np.shares_memory(assemble([X], n_rows=N, centred=True).dense.columns, X)


def test_a_column_far_from_zero_is_shifted():
    X = matrix()
    X[:, 5] += 1e6
    kept = X.copy()
    design = assemble([X], n_rows=N, centred=True)
    np.testing.assert_array_equal(X, kept)
    np.testing.assert_allclose(design.shift, X.mean(axis=0))
    np.testing.assert_allclose(design.dense.columns, (X - X.mean(axis=0)).T, atol=1e-9)


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("mode", ["none", "column", "group"])
@pytest.mark.parametrize("weights", ["equal", "uneven"])
@pytest.mark.parametrize("intercept", [True, False])
def test_some_groups_are_part_of_all(labels, mode, weights, intercept):
    made = made_of(matrix(), LABELS[labels], mode=mode, weights=weights, intercept=intercept)
    check_products(made)


def test_some_groups_of_an_interaction_are_part_of_all():
    made = interaction()
    assert made.leak is not None
    check_products(made)


def check_products(made):
    rows = made.working_rows(np.arange(made.size))
    residual = np.random.default_rng(5).normal(size=(N, 3))
    every = rows @ residual
    size = np.abs(every).max()
    np.testing.assert_allclose(made.correlate(residual), every, atol=EXACT * size)
    product = made.design.correlate(residual)
    finished = made.finish(product, residual.sum(axis=0))
    np.testing.assert_allclose(finished, every, atol=EXACT * size)
    for groups in (np.array([1]), np.array([2, 0]), np.empty(0, int)):
        wanted = made.coordinates_of(groups)
        some = made.correlate(residual, groups)
        np.testing.assert_allclose(some, every[wanted], atol=EXACT * size)
    theta = np.random.default_rng(6).normal(size=(made.size, 2))
    expected = rows.T @ theta
    got = made.linear_predictor(theta)
    np.testing.assert_allclose(got, expected, atol=EXACT * np.abs(expected).max())


@pytest.mark.parametrize("mode", ["none", "column", "group"])
def test_a_path_comes_back_on_the_columns_it_touches(mode):
    made = made_of(matrix(), LABELS["interleaved"], mode=mode)
    wanted = made.coordinates_of(np.array([0, 3]))
    theta = np.random.default_rng(7).normal(size=(5, wanted.size, 2))
    columns, coef = made.coefficients(wanted, theta)
    assert (
        sorted(columns.tolist()) == np.flatnonzero(np.isin(LABELS["interleaved"], [0, 3])).tolist()
    )
    whole = made.own.toarray()[:, wanted]
    np.testing.assert_allclose(coef, (whole @ theta)[:, columns], atol=EXACT)


def test_diagonal_only_where_coordinates_are_columns_in_order():
    X = matrix()
    scale = made_of(X, LABELS["in order"], mode="column").diagonal
    np.testing.assert_allclose(scale, 1.0 / X.std(axis=0))
    assert (made_of(X, LABELS["in order"], mode="none").diagonal == 1.0).all()
    assert made_of(X, LABELS["interleaved"], mode="none").diagonal is None
    assert made_of(X, LABELS["in order"], mode="group").diagonal is None
    X[:, 3] = 2.0
    made = made_of(X, LABELS["in order"], mode="none")
    assert made.diagonal is None
    assert made.size == 15
    assert made.present.tolist() == [True, False, True, True, True, True]


@pytest.mark.parametrize("mode", ["none", "column", "group"])
@pytest.mark.parametrize("weights", ["equal", "uneven"])
@pytest.mark.parametrize("height", [N, 20])
def test_ranks_are_those_of_the_correlation_matrix(mode, weights, height):
    X = matrix()
    X[height:] = 0.0
    X[:, 1] = 2.0 * X[:, 0] - X[:, 2]  # rank 2 of 3
    X[:, 8] = 1e-3 * X[:, 9]  # rank 1 of 2
    X[:, 12] = X[:, 11] + 1e-6 * X[:, 12]  # nearly dependent, above the floor for none
    made = made_of(X, LABELS["in order"], mode=mode, weights=weights)
    expected = []
    share = np.sqrt(weights_of(weights))[:, None]
    centred = (X - weights_of(weights) @ X) * share
    for g in range(6):
        part = centred[:, LABELS["in order"] == g]
        values = np.linalg.eigvalsh(np.corrcoef(part.T) if part.shape[1] > 1 else np.eye(1))
        gram = part / np.linalg.norm(part, axis=0)
        values = np.linalg.eigvalsh(gram.T @ gram)
        expected.append(int((values > 1e-9 * values[-1]).sum()))
    assert made.rank.tolist() == expected


@pytest.mark.parametrize("noise", [1.0, 1e-2, 1e-4])
@pytest.mark.parametrize("weights", ["equal", "uneven"])
def test_groups_are_orthonormal_whatever_their_condition(noise, weights):
    X = matrix()
    X[:, 4:8] = X[:, [4]] / np.std(X[:, 4]) + noise * np.random.default_rng(8).normal(size=(N, 4))
    made = made_of(X, LABELS["in order"], mode="group", weights=weights)
    rows = made.working_rows(np.arange(made.size))
    for start, stop in zip(made.starts[:-1], made.starts[1:], strict=True):
        part = rows[start:stop]
        inner = part * weights_of(weights) @ part.T
        np.testing.assert_allclose(inner, np.eye(stop - start), atol=1e-10)


@pytest.mark.parametrize("mode", ["none", "column", "group"])
@pytest.mark.parametrize("labels", LABELS)
def test_terms_made_when_looked_at_standardise_alike(mode, labels):
    frame = matrix_model(matrix(), groups=LABELS[labels])
    assert isinstance(frame.spec.terms, PlainTerms)
    design = assemble(frame.blocks, n_rows=N, centred=True)
    one, other = (
        standardise(design, terms, weights_of("uneven"), mode=mode, intercept=True)
        for terms in (frame.spec.terms, own_terms(frame.spec.terms))
    )
    np.testing.assert_array_equal(one.transform.toarray(), other.transform.toarray())
    np.testing.assert_array_equal(one.starts, other.starts)
    np.testing.assert_array_equal(one.rank, other.rank)


def test_plain_terms_are_a_sequence():
    terms = matrix_model(matrix(), groups=LABELS["interleaved"]).spec.terms
    assert len(terms) == 6
    assert terms[-1].index.tolist() == [10, 12, 13, 14, 15]
    assert terms[3].columns == ("x5", "x8")
    assert [term.name for term in terms] == list("012345")
    assert [term.name for term in terms[1:3]] == ["1", "2"]
    with pytest.raises(IndexError):
        terms[6]
    index, starts = members(own_terms(terms))
    np.testing.assert_array_equal(index, terms.order)
    np.testing.assert_array_equal(starts, terms.starts)


def test_numbered_names_are_a_sequence():
    names = NumberedNames(3)
    assert tuple(names) == ("x1", "x2", "x3")
    assert names == ("x1", "x2", "x3") == names
    assert hash(names) == hash(("x1", "x2", "x3"))
    assert names[-1] == "x3"
    assert names[1:] == ("x2", "x3")
    assert names == NumberedNames(3) != NumberedNames(4)
    assert names != ("x1",)
    assert "x2" in names


def test_a_deferred_value_is_worked_out_once():
    calls = []
    deferred = Deferred(lambda: calls.append(1) or 7)
    assert not calls
    assert (deferred.value, deferred.value, calls) == (7, 7, [1])
    assert pickle.loads(pickle.dumps(Deferred(lambda: 5))).value == 5
