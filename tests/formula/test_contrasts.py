"""Contrasts: reported where groups are seen, the design where columns are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from formulaic import model_matrix

from grpsparse.errors import DataError, FormulaError
from grpsparse.formula import build_model

FULL = [
    "contr.treatment",
    "contr.treatment('mid')",
    "Treatment('hi')",
    "contr.SAS",
    "contr.sum",
    "contr.helmert",
    "contr.helmert(scale=True)",
    "contr.diff",
    "contr.poly",
    "{'p': [1, 0, -1], 'q': [0, 1, -1]}",
    "contr.custom([[1, 0], [0, 1], [2, 5]])",
]


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "y": rng.normal(size=30),
            "g": rng.choice(["hi", "lo", "mid"], 30),
            "h": rng.choice(["p", "q"], 30),
        }
    )


def own_columns(formula: str, frame: pd.DataFrame) -> pd.DataFrame:
    return model_matrix(formula, frame).rhs.drop(columns="Intercept")


@pytest.mark.parametrize("contrast", FULL)
def test_full_contrast_is_reported_on_full_one_hot(frame, contrast, dense):
    formula = f"y ~ C(g, {contrast})"
    built = build_model(formula, frame)
    (term,) = built.spec.terms
    assert np.array_equal(dense(built)[0], pd.get_dummies(frame.g).to_numpy(float))
    theirs = own_columns(formula, frame)
    assert np.allclose(dense(built)[0] @ term.report_coding, theirs, rtol=0, atol=1e-13)
    assert [c.split("[")[-1] for c in term.report_columns] == [
        c.split("[")[-1] for c in theirs.columns
    ]


@pytest.mark.parametrize("contrast", FULL)
def test_contrast_is_the_design_for_single_columns(frame, contrast, dense):
    formula = f"y ~ C(g, {contrast})"
    built = build_model(formula, frame, single_columns=True)
    (term,) = built.spec.terms
    assert term.report_coding is None
    assert term.kind == "factor"
    assert term.scale == "sd"
    assert np.allclose(dense(built)[0], own_columns(formula, frame), rtol=0, atol=1e-13)
    assert built.spec.columns == tuple(own_columns(formula, frame).columns)


@pytest.mark.parametrize("single", [False, True])
def test_contrast_of_lower_rank_restricts(frame, single, dense):
    formula = "y ~ C(g, {'trend': [1, -1, 0]})"
    built = build_model(formula, frame, single_columns=single)
    trend = frame.g.map({"hi": 1.0, "lo": -1.0, "mid": 0.0})
    assert np.array_equal(dense(built)[0][:, 0], trend)
    assert built.spec.columns == ("C(g, {'trend': [1, -1, 0]})[trend]",)
    assert built.spec.terms[0].report_coding is None


def test_without_contrast_single_columns_are_full_one_hot(frame):
    built = build_model("y ~ g + C(h)", frame, single_columns=True)
    assert built.spec.columns == ("g[hi]", "g[lo]", "g[mid]", "C(h)[p]", "C(h)[q]")


def test_nothing_is_reported_without_an_intercept(frame):
    term = build_model("y ~ 0 + C(g, contr.sum)", frame).spec.terms[0]
    assert term.report_coding is None
    assert term.columns[0].endswith("[hi]")


def test_interaction_of_a_contrast(frame, dense):
    cells = build_model("y ~ C(g, contr.sum):h", frame)
    assert dense(cells)[0].shape == (30, 6)
    assert cells.spec.terms[0].scale == "rms"
    coded = build_model("y ~ C(g, contr.sum) + C(g, contr.sum):h", frame, single_columns=True)
    g, h = own_columns("y ~ C(g, contr.sum)", frame).to_numpy(), pd.get_dummies(frame.h).to_numpy()
    expected = np.column_stack([g[:, i] * h[:, j] for j in range(2) for i in range(2)])
    assert np.allclose(dense(coded)[1], expected)
    # the indicators of h sum to one, so that the coded margin is spanned
    (margin,) = coded.spec.terms[1].margins
    assert np.allclose(dense(coded)[1] @ margin.span, dense(coded)[0])


def test_a_coded_factor_left_out_has_no_span(frame):
    terms = build_model("y ~ h + h:C(g, contr.sum)", frame, single_columns=True).spec.terms
    assert terms[1].margins[0].span is None


def test_given_levels_order_the_columns(frame, dense):
    built = build_model("y ~ C(g, levels=['mid', 'lo', 'hi'])", frame)
    assert built.spec.terms[0].levels == ("mid", "lo", "hi")
    assert np.array_equal(dense(built)[0][:, 0], frame.g == "mid")
    with pytest.raises(DataError, match="'mid'"):
        build_model("y ~ C(g, levels=['lo', 'hi'])", frame)


@pytest.mark.parametrize(
    ("contrast", "message"),
    [
        ("contr.treatment('Mid')", "did you mean 'mid'"),
        ("np.eye(4)", "3 levels"),
        ("[1, 2, 3]", "3 levels"),
        ("contr.poly([1, 2])", "3 levels"),
    ],
)
def test_contrasts_that_do_not_fit(frame, contrast, message):
    with pytest.raises(FormulaError, match=message):
        build_model(f"y ~ C(g, {contrast})", frame)
