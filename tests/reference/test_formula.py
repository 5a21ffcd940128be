"""The same fits through the formula door, from data frames.

R's terms become ours one by one. Where the penalty sees single columns, R's treatment contrasts
have to be asked for, because columns are then what the contrast makes them. Where it sees whole
groups they need not be. An interaction is then made orthogonal to its margins by grpsparse, which
R does not do: its columns span what a factor of the cells away from every baseline does.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import grpsparse as gs

pytestmark = pytest.mark.oracle

TIGHT = 1e-13
AGREE, MSGL = 1e-6, 1e-5
# The stored columns of birthwt are orthogonal polynomials rounded to 6 decimals, of about 0.07.
ROUNDED = 1e-4

BIRTHWT = (
    "poly(age, 3) + poly(lwt, 3) + race + smoke + C(np.minimum(ptl, 2)) + ht + ui + "
    "C(np.minimum(ftv, 3))"
)


def factors(case):
    """Return the data frame, strings with the levels that R gave them."""
    frame = pd.DataFrame(case.data["frame"])
    for name, levels in case.data["levels"].items():
        frame[name] = pd.Categorical(frame[name].astype(str), categories=levels)
    return frame


def quoted(name):
    return name if name.isidentifier() else f"`{name}`"


def treatment(name, baseline):
    return f'C({quoted(name)}, contr.treatment("{baseline}"))'


def cells(frame, names, levels):
    """Return the factor of cells off every baseline, all others in one level."""
    away = np.all([frame[name] != levels[name][0] for name in names], axis=0)
    cell = frame[names].astype(str).agg(".".join, axis=1).where(away, "rest")
    return pd.Categorical(cell, categories=["rest", *sorted(set(cell) - {"rest"})])


def translate(case, *, single_columns):
    """Return formula and data frame."""
    frame, levels = factors(case), case.data["levels"]
    terms = []
    for term in case.data["term_labels"]:
        names = term.split(":")
        name, baseline = "_".join(names), levels.get(term, [None])[0]
        if len(names) > 1:
            frame[name], baseline = cells(frame, names, levels), "rest"
        plain = baseline is None or not single_columns
        terms.append(quoted(name) if plain else treatment(name, baseline))
    response = case.data["formula"].split("~")[0].strip()
    return f"{response} ~ {' + '.join(terms)}", frame


def formula_keywords(case):
    """Return keywords where the terms are the groups."""
    keywords = dict(case.asked.keywords)
    if not isinstance(keywords.get("groups"), str):
        keywords.pop("groups", None)
    factor = keywords.get("penalty_factor")
    if isinstance(factor, dict):
        keywords["penalty_factor"] = [factor[label] for label in sorted(factor)]
    if case["peer"] == "gglasso":
        # The group lasso on columns as given: as a sparse group lasso it leaves the contrast.
        keywords["penalty"] = gs.SparseGroupLasso(alpha=0)
    return keywords


def test_terms_of_a_formula(of_formula):
    keywords = formula_keywords(of_formula)
    formula, frame = translate(of_formula, single_columns=of_formula["peer"] != "grpreg")
    fit = gs.fit(formula, frame, lambda_=of_formula.asked.lambda_, tol=TIGHT, **keywords)
    assert fit.converged.all()
    within = MSGL if of_formula["peer"] == "msgl" else AGREE
    assert of_formula.difference(fit).max() <= within
    if of_formula["peer"] != "grpreg":
        assert len(fit.columns) == of_formula.x.shape[1]


def test_products_of_contrasts(stored_case):
    """Where columns are the contrasts' own, `*` makes the columns that R makes."""
    case = stored_case("g04_gglasso_npk")
    n, p, k = (treatment(name, 0) for name in "NPK")
    formula = f"yield ~ {treatment('block', 1)} + {n} * {p} * {k}"
    fit = gs.fit(formula, factors(case), lambda_=case.lambda_, tol=TIGHT, **formula_keywords(case))
    assert case.difference(fit).max() <= AGREE


@pytest.mark.parametrize(
    "name",
    [
        "a03_grlasso_birthwt",
        "a05_grmcp_birthwt",
        "a07_grscad_birthwt",
        "a15_grlasso_multiplier",
        "b01_grlasso_birthwt",
        "b02_grmcp_birthwt",
        "b03_grscad_birthwt",
    ],
)
def test_birthwt_as_it_was_collected(stored_case, name):
    """grpreg's polynomials and dummies are a matter of coding to whole groups."""
    case = stored_case(name)
    births = gs.datasets.load("birthwt")
    births["kg"] = births["bwt"] / 1000
    response = "low" if case["family"] == "binomial" else "kg"
    keywords = formula_keywords(case)
    fit = gs.fit(f"{response} ~ {BIRTHWT}", births, lambda_=case.lambda_, tol=TIGHT, **keywords)
    assert case.difference(fit).max() <= ROUNDED
