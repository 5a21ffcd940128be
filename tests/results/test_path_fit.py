"""Coefficients as reported, places on the path, and what is selected there."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grpsparse.errors import LambdaError
from grpsparse.groups import Deferred
from grpsparse.results.points import locate
from grpsparse.results.report import layout, report

EXACT = 1e-14  # sums of a few products of exact numbers


def test_arrays_have_the_documented_shapes(make_path):
    path = make_path()
    assert path.coef_path.shape == (4, 5)
    assert path.intercept_path.shape == (4,)
    assert path.terms == ("x", "f", "z")
    assert path.columns == ("x", "f[a]", "f[b]", "f[c]", "z")
    assert path.nobs == 8
    assert path.formula == "y ~ x + f + z"
    assert path.n_terms.tolist() == [0, 1, 2, 2]
    assert path.df.tolist() == [0, 1, 4, 4]
    np.testing.assert_allclose(path.dev_ratio, 1 - path.deviance / path.null_deviance)


def test_several_classes_keep_their_axis(make_path):
    path = make_path("multinomial", n_classes=3)
    assert path.coef_path.shape == (4, 5, 3)
    assert path.intercept_path.shape == (4, 3)
    assert path.df.tolist() == [0, 2, 8, 8]


def test_contrast_reports_differences_from_its_baseline(make_path):
    path = make_path(contrast=True)
    assert path.columns == ("x", "f[T.b]", "f[T.c]", "z")
    # Level effects -1/2, 1/4, 3/4 around 2 are 3/2 for the baseline, then 3/4 and 5/4 more.
    assert path.coef_path[3].tolist() == [1.5, 0.75, 1.25, 0.0]
    assert path.intercept_path.tolist() == [2.0, 2.0, 1.75, 1.5]
    assert path.df.tolist() == [0, 1, 3, 3]


def test_contrast_needs_an_intercept(make_path):
    path = make_path(contrast=True, intercept=False)
    assert path.columns == ("x", "f[a]", "f[b]", "f[c]", "z")
    assert "Intercept" not in path.coef(0.1).index


@pytest.mark.parametrize("seed", range(3))
def test_any_full_contrast_gives_the_same_linear_predictor(make_path, seed):
    coding = np.random.default_rng(seed).normal(size=(3, 2))
    path = make_path(contrast=True)
    terms = list(path.model.terms)
    from dataclasses import replace

    terms[1] = replace(terms[1], report_coding=coding)
    plan = layout(terms, path.model.columns, intercept=True)
    coef, intercept = report(plan, path.raw_coef, path.raw_intercept)
    X = path.training.X
    reported = np.column_stack([X[:, 0], X[:, 1:4] @ coding, X[:, 4]])
    link = reported @ coef[3, :, 0] + intercept[3, 0]
    np.testing.assert_allclose(link, path.predict(None, 0.1, type="link"), atol=1e-12)


def test_interaction_shift_is_part_of_the_coefficients(make_path):
    # As if f[b] had been made orthogonal to x: with it comes -1/2 of x.
    leak = sparse.csc_array(([-0.5], ([0], [2])), shape=(5, 5))
    path = make_path(leak=leak)
    assert path.coef_path[2].tolist() == [1.0 - 0.125, -0.25, 0.25, 0.25, 0.0]
    link = path.predict(None, 0.2, type="link")
    by_hand = path.intercept_path[2] + path.training.X @ path.coef_path[2]
    np.testing.assert_allclose(link, by_hand, atol=EXACT)
    parts = path.predict(None, 0.2, type="terms")
    np.testing.assert_allclose(parts.sum(axis=1), link, atol=EXACT)
    # x keeps what is its own; the shift belongs to f.
    np.testing.assert_allclose(parts["x"], path.training.X[:, 0], atol=EXACT)


def test_coef_is_a_table_with_the_intercept_first(make_path):
    table = make_path().coef(0.2)
    assert table.index.names == ["term", "column"]
    assert table.index[:3].tolist() == [("Intercept", "Intercept"), ("x", "x"), ("f", "f[a]")]
    assert table["coef"].tolist() == [2.0, 1.0, -0.25, 0.25, 0.25, 0.0]


def test_coef_of_the_whole_path_has_a_column_per_lambda(make_path, lambdas):
    path = make_path()
    table = path.coef()
    assert table.columns.tolist() == lambdas.tolist()
    np.testing.assert_array_equal(table.to_numpy()[1:], path.coef_path.T)
    classes = make_path("multinomial", n_classes=3).coef()
    assert classes.columns.names == ["class", "lambda_"]
    assert classes.shape == (6, 12)
    assert classes["high"].loc[("x", "x"), 0.1] == 1.5
    assert make_path("multinomial", n_classes=3).coef(0.1).columns.tolist() == [
        "low",
        "mid",
        "high",
    ]


def test_interpolation_is_linear_and_clamped(make_path):
    path = make_path()
    x = ("x", "x")
    assert path.coef(0.3).loc[x, "coef"] == pytest.approx(0.75, abs=EXACT)
    assert path.coef(0.25).loc[x, "coef"] == pytest.approx(0.875, abs=EXACT)
    assert path.coef(5.0).loc[x, "coef"] == 0.0
    assert path.coef(0.0).loc[x, "coef"] == 1.5
    assert path.coef(0.2).loc[x, "coef"] == 1.0
    assert path.coef([0.3, 0.1]).loc[x].tolist() == pytest.approx([0.75, 1.5])


@pytest.mark.parametrize("wrong", [-0.1, np.nan, np.inf, "min", [], [[0.1]]])
def test_a_bad_lambda_raises(make_path, wrong):
    with pytest.raises(LambdaError, match=r"finite number|number from 0"):
        make_path().coef(wrong)


def test_points_on_a_path_of_one():
    points = locate(np.array([0.3]), 0.7)
    assert (points.left[0], points.right[0], points.fraction[0]) == (0, 0, 0.0)


def test_a_lambda_that_went_through_text_is_the_solved_one():
    path = np.geomspace(1.0, 1e-3, 7)
    assert locate(path, [float(f"{value:.12g}") for value in path]).solved.all()


def test_selected_and_norms(make_path):
    path = make_path()
    assert path.selected(0.8) == []
    assert path.selected(0.4) == ["x"]
    assert path.selected(0.3) == ["x", "f"]
    assert path.selected(0.1) == ["x", "f"]
    assert path.term_norms(0.2).to_dict() == {"x": 1.0, "f": 0.25, "z": 0.0}
    assert path.term_norms().shape == (3, 4)
    # Between solutions from the coefficients: half of the way f is at half its effects.
    assert path.term_norms(0.3).to_dict() == pytest.approx({"x": 0.75, "f": 0.125, "z": 0.0})


def test_norm_between_solutions_is_that_of_the_interpolated_coefficients(make_path):
    # Half way the effects of f are -3/8, 1/4, 1/2 with shares 1/2, 1/4, 1/4.
    exact = np.sqrt(0.5 * 0.375**2 + 0.25 * 0.25**2 + 0.25 * 0.5**2)
    assert make_path().term_norms(0.15)["f"] == pytest.approx(exact, abs=EXACT)


def test_norms_of_separate_classes(make_path):
    norms = make_path("multinomial", n_classes=3, separate=True).term_norms(0.2)
    assert norms.columns.tolist() == ["low", "mid", "high"]
    assert norms.loc["x"].tolist() == [1.0, 0.0, 1.0]


@pytest.mark.parametrize(("standardize", "expected"), [("none", 0.75), ("column", 0.75)])
def test_norms_between_solutions_on_other_scales(make_path, standardize, expected):
    from dataclasses import replace

    path = make_path()
    path = replace(path, settings=replace(path.settings, standardize=standardize))
    assert path.term_norms(0.3)["x"] == pytest.approx(expected)  # x has unit variance
    share = 1.0 if standardize == "none" else 0.25  # variance of an indicator of 1/2 is 1/4
    f = np.sqrt(share * 0.125**2 + 2 * (1.0 if standardize == "none" else 0.1875) * 0.125**2)
    assert path.term_norms(0.3)["f"] == pytest.approx(f)


def test_groups_of_columns_are_combined_into_terms(make_path):
    from dataclasses import replace

    path = make_path()
    norms = np.abs(path.raw_coef[:, :, 0])
    path = replace(
        path,
        group_norms=norms,
        ranks=Deferred.of(np.ones(5, dtype=int)),
        settings=replace(path.settings, groups="column"),
    )
    assert path.n_terms.tolist() == [0, 1, 2, 2]
    assert path.term_norms(0.2)["f"] == pytest.approx(np.sqrt(3) / 4)
    assert path.summary(0.2).table.loc["f", "rank"] == 3


def test_tables_are_pandas(make_path):
    path = make_path()
    assert isinstance(path.coef(), pd.DataFrame)
    assert isinstance(path.tidy(), pd.DataFrame)


def test_tidy_has_a_row_per_nonzero_coefficient(make_path):
    tidy = make_path().tidy()
    assert tidy.columns.tolist() == ["lambda_", "term", "column", "estimate", "dev_ratio"]
    assert len(tidy) == 4 + 0 + 1 + 4 + 4
    assert len(make_path().tidy(zeros=True)) == 4 * 6
    one = make_path("multinomial", n_classes=3).tidy(0.4)
    assert one[["term", "class", "estimate"]].to_numpy().tolist() == [
        ["Intercept", "low", -2.0],
        ["Intercept", "high", 2.0],
        ["x", "low", -0.5],
        ["x", "high", 0.5],
    ]


def test_glance_is_one_row(make_path):
    row = make_path().glance().iloc[0]
    assert (row["nobs"], row["n_columns"], row["n_terms"], row["n_lambda"]) == (8, 5, 3, 4)
    assert row["certificate"] == 3e-8


def test_augment_has_the_rows_with_their_labels(make_path, data):
    path = make_path("binomial")
    table = path.augment(0.2)
    assert table.index.tolist() == data.index.tolist()
    assert table["y"].tolist() == ["no", "yes", "no", "yes", "yes", "yes", "no", "yes"]
    np.testing.assert_allclose(table["fitted"], path.predict(None, 0.2))
    assert len(path.augment()) == 32
    assert make_path("multinomial", n_classes=3).augment(0.2).columns.tolist() == [
        "y",
        "class",
        "fitted[low]",
        "fitted[mid]",
        "fitted[high]",
        "residual",
    ]
