"""Products of every storage equal those of the columns written out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import sparse

from grpsparse.design import assemble
from grpsparse.groups import CellBlock

EXACT = 1e-12  # rounding of sums of a few hundred numbers of order one
N = 150
PARTS = 4


def cells(rng, n_levels, values=None, *, missing=True):
    """Codes of which some levels are empty and some rows have none."""
    used = max(1, n_levels - 2)
    codes = rng.integers(0, used, N).astype(np.int32)
    if missing:
        codes[rng.random(N) < 0.1] = n_levels
    return CellBlock(codes, n_levels, values)


def make_blocks(name):
    rng = np.random.default_rng(5)
    a, b = (rng.integers(0, m, N).astype(np.int32) for m in (3, 4))
    number = rng.normal(size=N) + 3.0
    thin = sparse.random(N, 5, density=0.2, format="csc", random_state=7)
    made = {
        "dense": [rng.normal(size=(N, 4)) + 2.0, rng.normal(size=(N, 3))],
        "one factor": [cells(rng, 6, missing=False)],
        "factors": [
            CellBlock(a, 3),
            CellBlock(b, 4),
            CellBlock(a + 3 * b, 12),
            cells(rng, 5, number),
            CellBlock(a, 3, number),
        ],
        "sparse": [thin, thin[:, :2] * 3.0],
        "mixed": [
            cells(rng, 5),
            rng.normal(size=(N, 2)) + 1e3,
            thin,
            cells(rng, 4, number),
            rng.normal(size=(N, 3)),
            CellBlock(b, 4),
            thin[:, :2] * 2.0,
        ],
        "dense and factors": [rng.normal(size=(N, 2)), cells(rng, 4), rng.normal(size=(N, 1))],
        "sparse and dense": [thin, rng.normal(size=(N, 2))],
        "empty": [],
    }
    return made[name]


NAMES = (
    "dense",
    "one factor",
    "factors",
    "sparse",
    "mixed",
    "dense and factors",
    "sparse and dense",
    "empty",
)


def written_out(blocks) -> np.ndarray:
    parts = [b.toarray() if hasattr(b, "toarray") else b for b in blocks]
    return np.hstack([np.empty((N, 0)), *parts])


@pytest.fixture(params=list(itertools.product(NAMES, ["float64", "float32"])), ids="-".join)
def stored(request):
    """Return a design, and its columns (n, p) in double precision."""
    name, dtype = request.param
    blocks = make_blocks(name)
    design = assemble(blocks, n_rows=N, centred=True, dtype=dtype)
    X = written_out(blocks) - design.shift
    if dtype == "float32" and design.dense is not None:
        X[:, design.kind == 0] = design.dense.columns.T
    return design, X


def selections(p, rng):
    every = np.arange(p)
    yield every
    yield rng.permutation(p)
    yield np.sort(rng.permutation(p)[: p // 2])
    yield every[:0]


@pytest.mark.parametrize("n_columns", [1, 3, 4, 9, 20])
def test_products_with_vectors(stored, n_columns):
    design, X = stored
    rng = np.random.default_rng(1)
    coef = rng.normal(size=(X.shape[1], n_columns))
    np.testing.assert_allclose(
        design.linear_predictor(coef), X @ coef, rtol=EXACT, atol=EXACT * 1e3
    )
    for order in "CF":
        residual = np.array(rng.normal(size=(N, n_columns)), order=order)
        expected = X.T @ residual
        np.testing.assert_allclose(design.correlate(residual), expected, atol=EXACT * 1e3)
        for chosen in selections(X.shape[1], rng):
            found = design.correlate(residual, chosen)
            np.testing.assert_allclose(found, expected[chosen], atol=EXACT * 1e3)


def test_few_coefficients(stored):
    design, X = stored
    coef = np.zeros((X.shape[1], 2))
    coef[:1] = 2.0
    np.testing.assert_allclose(design.linear_predictor(coef), X @ coef, atol=EXACT)


def test_shape_and_columns(stored):
    design, X = stored
    assert design.shape == X.shape
    rng = np.random.default_rng(2)
    for chosen in selections(X.shape[1], rng):
        rows = design.working_columns(chosen)
        assert rows.flags.c_contiguous
        assert rows.dtype == design.dtype
        np.testing.assert_allclose(rows, X[:, chosen].T, atol=EXACT)


@pytest.mark.parametrize("some_zero", [False, True])
def test_second_moments(stored, some_zero):
    design, X = stored
    rng = np.random.default_rng(3)
    weights = rng.uniform(size=N) * (rng.random(N) > 0.3 * some_zero)
    for centre in (rng.normal(size=X.shape[1]), weights @ X / weights.sum()):
        expected = weights @ (X - centre) ** 2
        np.testing.assert_allclose(
            design.second_moments(weights, centre), expected, rtol=EXACT, atol=EXACT
        )


def weightings(rng):
    yield rng.uniform(size=N)
    yield np.full(N, 0.3)
    yield rng.uniform(size=N) * (rng.random(N) > 0.5)


def test_cross_products(stored):
    design, X = stored
    rng = np.random.default_rng(4)
    for weights in weightings(rng):
        for index in selections(X.shape[1], rng):
            found = design.cross(index, weights)
            expected = (X[:, index].T * weights) @ X[:, index]
            np.testing.assert_allclose(found, expected, atol=EXACT * 1e3)
            for other in selections(X.shape[1], rng):
                found = design.cross(index, weights, other)
                expected = (X[:, index].T * weights) @ X[:, other]
                np.testing.assert_allclose(found, expected, atol=EXACT * 1e3)


def test_cross_products_by_part(stored):
    design, X = stored
    rng = np.random.default_rng(6)
    part = rng.integers(0, PARTS - 1, N)  # the last part has no rows
    inside = part[None] == np.arange(PARTS)[:, None]
    for weights in weightings(rng):
        for index in selections(X.shape[1], rng):
            for other in (None, *selections(X.shape[1], rng)):
                found = design.cross_by_part(index, other, weights, part, PARTS)
                right = X[:, index if other is None else other]
                expected = np.stack([(X[:, index].T * (weights * rows)) @ right for rows in inside])
                np.testing.assert_allclose(found, expected, atol=EXACT * 1e3)


def test_parts_stand_together_whatever_the_order():
    design = assemble(make_blocks("mixed"), n_rows=N, centred=False)
    assert (
        design.kind.tolist() == [1] * 5 + [0] * 2 + [2] * 5 + [1] * 4 + [0] * 3 + [1] * 4 + [2] * 2
    )
    for kind, part in design.parts:
        mine = np.flatnonzero(design.kind == kind)
        assert part.shape[1] == mine.size
        assert design.position[mine].tolist() == list(range(mine.size))
    factors = design.factors
    assert factors.codes.shape == (3, N)
    assert factors.codes.dtype == np.int32
    assert factors.value_row.tolist() == [-1, 0, -1]
    assert factors.starts.tolist() == [0, 5, 9, 13]


def test_a_level_with_all_rows_is_constant_to_the_last_digit():
    codes = np.zeros(N, dtype=np.int32)
    design = assemble([CellBlock(codes, 3)], n_rows=N, centred=True)
    weights = np.full(N, 1 / N)
    mean = design.correlate(weights[:, None])[:, 0]
    np.testing.assert_allclose(design.second_moments(weights, mean), 0.0, atol=1e-28)


def test_many_cells_need_no_more_memory_than_their_codes():
    """Ten factors of 10^4 levels are 10^5 columns; written out they would be 8 GB."""
    rng = np.random.default_rng(8)
    n, levels = 10_000, 10_000
    blocks = [CellBlock(rng.integers(0, levels, n).astype(np.int32), levels) for _ in range(10)]
    design = assemble(blocks, n_rows=n, centred=True)
    residual = rng.normal(size=(n, 1))
    product = design.correlate(residual)
    by_hand = np.bincount(blocks[3].codes, weights=residual[:, 0], minlength=levels)
    np.testing.assert_allclose(product[3 * levels : 4 * levels, 0], by_hand, atol=EXACT)
    few = np.arange(5, 200_00, 999)
    table = design.cross(few, np.ones(n))
    assert table.shape == (few.size, few.size)
    np.testing.assert_allclose(np.diag(table), design.correlate(np.ones((n, 1)), few)[:, 0])
