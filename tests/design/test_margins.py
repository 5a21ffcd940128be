"""Interactions off their margins: from codes as from the columns written out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from grpsparse.design import assemble, standardise
from grpsparse.design import margins as margins_module
from grpsparse.design.margins import orthogonal_interaction
from grpsparse.design.orthonormal import Columns
from grpsparse.formula import build_model

N = 300
RIGHT_SIDES = ("a*b", "a*x", "x + a:x", "a*b*c", "a*b*x", "x*z", "a*poly(z, 2)", "a + a:b", "2:a*x")


def frame(centre, deviation):
    rng = np.random.default_rng(11)
    made = pd.DataFrame(
        {
            "y": rng.normal(size=N),
            "a": rng.choice(list("pqr"), N, p=[0.6, 0.3, 0.1]),
            "b": pd.Categorical(rng.choice(list("uvw"), N), list("uvwx")),
            "c": rng.choice(list("kl"), N),
            "x": rng.normal(size=N) * deviation + centre,
            "z": rng.normal(size=N),
        }
    )
    return made[~((made.a == "r") & (made.b == "u"))].reset_index(drop=True)


def measured(blocks, terms, weights):
    """Centres and scales of columns as standardising takes them."""
    design = assemble(blocks, n_rows=weights.size, centred=True)
    mean = design.correlate(weights[:, None])[:, 0]
    spread = np.sqrt(design.second_moments(weights, mean))
    raw = np.sqrt(design.second_moments(weights, -design.shift))
    for term in terms:
        if term.scale == "rms":
            spread[term.index] = np.where(raw[term.index] > 0, raw[term.index], 0.0)
    return Columns(design, weights, mean, spread)


def root_rows(columns):
    """Root weights times the centred columns, (n, p)."""
    rows = columns.design.working_columns(np.arange(columns.centre.size)).T - columns.centre
    return rows * np.sqrt(columns.weights)[:, None]


@pytest.mark.parametrize("right", RIGHT_SIDES)
@pytest.mark.parametrize(
    ("centre", "deviation", "orthogonal"),
    # a number far from zero loses the digits of (centre / deviation) in its products
    [(0.0, 1.0, 1e-13), (2000.0, 10.0, 1e-11)],
)
def test_interactions_are_orthonormal_beside_their_margins(right, centre, deviation, orthogonal):
    data = frame(centre, deviation)
    model = build_model(f"y ~ {right}", data)
    weights = np.random.default_rng(12).uniform(size=len(data)) * (np.arange(len(data)) % 9 > 0)
    weights /= weights.sum()
    terms = model.spec.terms
    coded = measured(model.blocks, terms, weights)
    dense = [b.toarray() if hasattr(b, "toarray") else b for b in model.blocks]
    written = measured(dense, terms, weights)
    rows, same = root_rows(coded), root_rows(written)
    for term in (term for term in terms if term.margins):
        made = orthogonal_interaction(coded, terms, term)
        coef = np.zeros((rows.shape[1], made.own.shape[1]))
        coef[term.index] = made.own
        np.add.at(coef, made.margin_index, made.leak @ made.own)
        image = rows @ coef
        np.testing.assert_allclose(image.T @ image, np.eye(image.shape[1]), atol=1e-12)
        margins = rows[:, np.concatenate([terms[m.term].index for m in term.margins])]
        unit = np.maximum(np.linalg.norm(margins, axis=0), 1e-300)
        np.testing.assert_allclose((margins / unit).T @ image, 0.0, atol=orthogonal)

        other = orthogonal_interaction(written, terms, term)
        coef = np.zeros((rows.shape[1], other.own.shape[1]))
        coef[term.index] = other.own
        np.add.at(coef, other.margin_index, other.leak @ other.own)
        projection = same @ coef
        np.testing.assert_allclose(image @ image.T, projection @ projection.T, atol=1e-9)


def test_an_empty_cell_keeps_coefficient_zero():
    data = frame(0.0, 1.0)
    model = build_model("y ~ a*b", data)
    terms = model.spec.terms
    weights = np.full(len(data), 1 / len(data))
    columns = measured(model.blocks, terms, weights)
    made = orthogonal_interaction(columns, terms, terms[2])
    empty = columns.scale[terms[2].index] == 0
    assert empty.any()
    assert not made.own[empty].any()
    assert made.own.shape[1] == 3  # of the cells of 3 by 3 levels one is empty


@pytest.mark.parametrize("right", ["a:b", "a:x", "a:b:x", "a:poly(z, 2)", "b:c + x + a*x"])
@pytest.mark.parametrize("intercept", [True, False])
def test_coordinates_of_codes_are_those_of_columns_written_out(right, intercept):
    data = frame(2000.0, 10.0)
    model = build_model(f"y ~ {right}", data)
    terms = model.spec.terms
    weights = np.random.default_rng(13).uniform(size=len(data)) * (np.arange(len(data)) % 9 > 0)
    weights /= weights.sum()
    dense = [b.toarray() if hasattr(b, "toarray") else b for b in model.blocks]
    made = []
    for blocks in (model.blocks, dense):
        design = assemble(blocks, n_rows=len(data), centred=intercept)
        made.append(standardise(design, terms, weights, mode="group", intercept=intercept))
    np.testing.assert_array_equal(*(each.rank for each in made))
    for g in range(len(terms)):
        projections = []
        for each in made:
            rows = each.working_rows(np.arange(each.starts[g], each.starts[g + 1]))
            rows = rows * np.sqrt(weights)
            projections.append(rows.T @ rows)
        ours, theirs = projections
        np.testing.assert_allclose(ours, theirs, atol=1e-9)
        # orthonormal rows, or a frame of the same space
        np.testing.assert_allclose(ours @ ours, ours, atol=1e-9)


@pytest.mark.parametrize(
    ("limit", "reason"),
    [("MAX_MARGIN_COLUMNS", "its margins have more than 2"), ("MAX_COLUMNS", "it has more than 2")],
)
@pytest.mark.parametrize(("right", "rank"), [("a*b", 7), ("a*x", 3)])
def test_too_wide_interactions_keep_plain_cells(right, rank, limit, reason, monkeypatch):
    data = frame(0.0, 1.0)
    model = build_model(f"y ~ {right}", data)
    weights = np.full(len(data), 1 / len(data))
    design = assemble(model.blocks, n_rows=len(data), centred=True)
    monkeypatch.setattr(margins_module, limit, 2)
    made = standardise(design, model.spec.terms, weights, mode="group", intercept=True)
    (note,) = made.notes
    assert note == f"{model.spec.terms[2].name} keeps plain cells: {reason} columns"
    assert made.leak is None
    # 8 of the 12 cells have rows, and beside an intercept one of them is not free
    assert made.rank[2] == rank
