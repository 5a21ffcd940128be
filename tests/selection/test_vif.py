"""Generalised VIF: Fox & Monette's determinants, whatever the coding."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.outliers_influence import variance_inflation_factor

from grpsparse.errors import FormulaError
from grpsparse.inflation import generalised_vif, vif

# Determinants of correlation matrices of a dozen columns lose some digits; the vif keeps more.
DIRECT = 1e-9


@pytest.fixture(scope="module")
def plans():
    rng = np.random.default_rng(7)
    n = 200
    premium = rng.normal(30, 10, n)
    brand = np.array(["A", "B", "C", "D"])[rng.integers(0, 4, n)]
    return pd.DataFrame(
        {
            "share": rng.uniform(size=n),
            "premium": premium,
            "deductible": 400 - 8 * premium + rng.normal(0, 40, n),
            "brand": brand,
            "type": np.where(rng.random(n) < np.where(brand == "A", 0.9, 0.3), "HMO", "PPO"),
            "stars": rng.integers(2, 6, n) + (brand == "B"),
        }
    )


def treatment(values):
    levels = np.unique(values)
    return (np.asarray(values)[:, None] == levels[1:]).astype(float)


def by_determinants(blocks):
    columns = np.hstack(blocks)
    owner = np.repeat(np.arange(len(blocks)), [block.shape[1] for block in blocks])
    correlation = np.corrcoef(columns.T)

    def det(keep):
        return np.linalg.det(correlation[np.ix_(keep, keep)])

    whole = np.linalg.det(correlation)
    return np.array([det(owner == j) * det(owner != j) / whole for j in range(len(blocks))])


def test_gvif_is_the_ratio_of_determinants(plans):
    found = vif("share ~ premium + deductible + brand + type + stars", plans)
    blocks = [
        plans[["premium"]].to_numpy(),
        plans[["deductible"]].to_numpy(),
        treatment(plans["brand"]),
        treatment(plans["type"]),
        plans[["stars"]].to_numpy(dtype=float),
    ]
    assert list(found.columns) == ["term", "df", "gvif", "gvif_scaled"]
    assert list(found["term"]) == ["premium", "deductible", "brand", "type", "stars"]
    assert list(found["df"]) == [1, 1, 3, 1, 1]
    np.testing.assert_allclose(found["gvif"], by_determinants(blocks), rtol=DIRECT)
    np.testing.assert_allclose(found["gvif_scaled"], found["gvif"] ** (1 / (2 * found["df"])))


def test_one_column_terms_have_the_usual_vif(plans):
    found = vif("~ premium + deductible + stars", plans)
    exog = np.column_stack([np.ones(200), plans[["premium", "deductible", "stars"]]])
    usual = [variance_inflation_factor(exog, column) for column in (1, 2, 3)]
    np.testing.assert_allclose(found["gvif"], usual, rtol=DIRECT)
    np.testing.assert_allclose(found["gvif_scaled"], np.sqrt(usual), rtol=DIRECT)


@pytest.mark.parametrize("coding", ["C(brand, contr.sum)", "C(brand, contr.treatment('C'))"])
def test_coding_does_not_matter(plans, coding):
    plain = vif("~ premium + brand + type", plans)
    coded = vif(f"~ premium + {coding} + type", plans)
    np.testing.assert_allclose(coded["gvif"], plain["gvif"], rtol=DIRECT)


@pytest.mark.parametrize("seed", range(3))
def test_any_basis_of_a_block_gives_the_same(seed):
    rng = np.random.default_rng(seed)
    blocks = [rng.normal(size=(60, width)) for width in (1, 3, 2)]
    blocks[1] += blocks[0]
    turned = [block @ rng.normal(size=(block.shape[1],) * 2) + 5 for block in blocks]
    turned[2] = np.hstack([turned[2], turned[2].sum(axis=1, keepdims=True)])
    df, gvif = generalised_vif(turned)
    assert df.tolist() == [1, 3, 2]
    np.testing.assert_allclose(gvif, by_determinants(blocks), rtol=DIRECT)
    np.testing.assert_allclose(generalised_vif(blocks)[1], gvif, rtol=DIRECT)


def test_response_may_be_left_out(plans):
    expected = vif("share ~ premium + brand", plans)
    for formula in ("~ premium + brand", "premium + brand", "share ~ premium + brand"):
        pd.testing.assert_frame_equal(vif(formula, plans), expected)
    pd.testing.assert_frame_equal(vif("~ .", plans[["premium", "brand"]]), expected)
    pd.testing.assert_frame_equal(vif("~ premium + brand", plans.to_dict("list")), expected)


def test_collinear_terms_are_infinite_and_spare_the_others(plans):
    data = plans.assign(total=plans["premium"] + plans["deductible"])
    found = vif("~ premium + deductible + total + brand", data).set_index("term")["gvif"]
    assert np.isinf(found[["premium", "deductible", "total"]]).all()
    sound = vif("~ premium + deductible + brand", plans).set_index("term")["gvif"]
    np.testing.assert_allclose(found["brand"], sound["brand"], rtol=DIRECT)


def test_a_factor_nested_in_another_makes_both_infinite(plans):
    data = plans.assign(region=plans["brand"].map({"A": "n", "B": "n", "C": "s", "D": "s"}))
    found = vif("~ premium + brand + region", data)
    assert found["gvif"].tolist()[1:] == [np.inf, np.inf]
    assert np.isfinite(found["gvif"][0])
    assert found["gvif_scaled"].tolist()[1:] == [np.inf, np.inf]


@pytest.mark.parametrize("size", [1e-2, 1e-4, 1e-6])
def test_nearly_collinear_is_large_but_finite(size):
    rng = np.random.default_rng(3)
    a, b = (np.linalg.qr(np.c_[np.ones(80), rng.normal(size=(80, 2))])[0].T)[1:]
    _, gvif = generalised_vif([a[:, None], (a + size * b)[:, None]])
    np.testing.assert_allclose(gvif, 1 + 1 / size**2, rtol=1e-8)


def test_orthogonal_terms_have_one():
    data = {"a": [0, 0, 1, 1] * 3, "b": [0, 1, 0, 1] * 3}
    np.testing.assert_allclose(vif("~ C(a) + C(b)", data)["gvif"], 1.0)


def test_an_interaction_does_not_inflate_its_margins(plans):
    found = vif("~ premium + brand * type", plans).set_index("term")
    assert found.loc["brand:type", "df"] == 3
    margins = vif("~ brand + type", plans).set_index("term")
    alone = vif("~ brand * type", plans).set_index("term")
    np.testing.assert_allclose(alone.loc["brand", "gvif"], margins.loc["brand", "gvif"])
    np.testing.assert_allclose(alone.loc["brand:type", "gvif"], 1.0)


def test_constant_columns_have_no_factor():
    rng = np.random.default_rng(0)
    data = {"one": [3.0] * 20, "x": rng.normal(size=20), "f": ["a"] * 20}
    found = vif("~ one + x + f", data)
    assert found["df"].tolist() == [0, 1, 0]
    np.testing.assert_array_equal(found["gvif"], [np.nan, 1.0, np.nan])
    np.testing.assert_array_equal(found["gvif_scaled"], [np.nan, 1.0, np.nan])


def test_more_columns_than_rows_is_collinear():
    rng = np.random.default_rng(0)
    df, gvif = generalised_vif([rng.normal(size=(6, 4)), rng.normal(size=(6, 4))])
    assert df.tolist() == [4, 4]
    assert np.isinf(gvif).all()


def test_without_intercept_columns_are_not_centred(plans):
    found = vif("~ 0 + premium + deductible", plans)
    a, b = plans["premium"], plans["deductible"]
    np.testing.assert_allclose(found["gvif"], 1 / (1 - (a @ b) ** 2 / ((a @ a) * (b @ b))))


def test_rows_with_missing_values_are_left_out(plans):
    holes = plans.copy()
    holes.loc[:9, "premium"] = np.nan
    found = vif("~ premium + brand", holes)
    pd.testing.assert_frame_equal(found, vif("~ premium + brand", plans.iloc[10:]))


def test_intercept_alone_has_no_terms(plans):
    assert vif("~ 1", plans).empty


def test_unknown_variable_is_the_formulas_error(plans):
    with pytest.raises(FormulaError, match="premum"):
        vif("~ premum + brand", plans)


def test_variables_may_come_from_the_scope(plans):
    scope = {name: plans[name].to_numpy() for name in ("share", "premium", "deductible")}
    found = vif("share ~ premium + deductible", scope=scope)
    pd.testing.assert_frame_equal(found, vif("~ premium + deductible", plans))
    with pytest.raises(FormulaError, match="no response and there is no `data`"):
        vif("~ premium + deductible", scope=scope)


def test_names_of_the_caller_are_in_scope_as_in_a_fit(plans):
    def half(values):
        return values / 2

    found = vif("~ half(premium) + deductible", plans)
    assert found["term"].tolist() == ["half(premium)", "deductible"]
    share, premium = plans["share"].to_numpy(), plans["premium"].to_numpy()
    assert vif("share ~ premium")["df"].tolist() == [1]
    assert share.shape == premium.shape


def test_functions_may_come_from_the_scope(plans):
    found = vif("~ half(premium) + deductible", plans, scope={"half": lambda x: x / 2})
    np.testing.assert_allclose(found["gvif"], vif("~ premium + deductible", plans)["gvif"])


@pytest.mark.parametrize("formula", ["y ~ a ~ b", 3, "~", ""])
def test_formulas_that_are_none(plans, formula):
    with pytest.raises(FormulaError):
        vif(formula, plans)
