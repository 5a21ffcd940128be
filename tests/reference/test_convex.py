"""Convex paths: the minimum is unique, so every number has to be the peer's."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.oracle

# |ours - theirs| / max(1, |theirs|). The stored fits satisfy their optimality conditions to
# 1e-8 lambda and agree with ours to 3e-8 or better; msgl stops at 2e-6 lambda.
AGREE = {"msgl": 1e-5}
ELSEWHERE = 1e-6
# The first lambda is stored with 13 digits.
FIRST_LAMBDA = 1e-9
# R's glm stops at a relative change of 1e-8 of the deviance; grpreg and ncvreg take their first
# lambda from its residuals, glmnet from its own null fit.
FIRST_LAMBDA_AFTER_GLM = 2e-5
# grpreg adds this to its first lambda where something is unpenalised.
GRPREG_ADDS = 1e-5


def within(case):
    return AGREE.get(case["peer"], ELSEWHERE)


def scaled(values):
    return np.maximum(1.0, np.abs(values))


def test_linear_predictors(convex):
    assert convex.difference(convex.fit()).max() <= within(convex)


def test_coefficients(convex):
    # Also where columns are dependent (npk, p > n, constant columns): these minima are unique,
    # or grpreg's choice among them, the smallest norm in columns of unit variance, is ours.
    fit, asked = convex.fit(), convex.asked
    ours = fit.coef_path * asked.unit / asked.column_scale
    assert np.max(np.abs(ours - convex.coef) / scaled(convex.coef)) <= within(convex)
    ours = fit.intercept_path * asked.unit
    assert np.max(np.abs(ours - convex.intercept) / scaled(convex.intercept)) <= within(convex)


def peers_deviance(case, fit):
    """Return our deviance as the peer defines it."""
    n = len(case.x)
    parts = {"sparsegl": n, "msgl": 2 * n}
    if case["peer"] == "ncvreg" and case["family"] != "gaussian":
        parts["ncvreg"] = 2  # minus the log likelihood
    return fit.deviance * case.asked.unit**2 / parts.get(case["peer"], 1)


def test_deviance(convex):
    if "deviance" not in convex:
        assert convex["deviance_definition"] == "not returned"
        return
    fit = convex.fit()
    # The first of ncvreg is the null deviance, without the half of the others.
    seen = slice(1 if convex["peer"] == "ncvreg" else 0, None)
    ours, theirs = peers_deviance(convex, fit), np.array(convex["deviance"])
    np.testing.assert_allclose(ours[seen], theirs[seen], rtol=within(convex))
    if "dev_ratio" in convex:
        null = fit.null_deviance * convex.asked.unit**2
        assert null == pytest.approx(convex["null_deviance"], rel=1e-12)
        np.testing.assert_allclose(fit.dev_ratio, convex["dev_ratio"], atol=within(convex))


def test_degrees_of_freedom(convex):
    definition = convex["df_definition"]
    if definition.startswith("peer's effective df"):  # grpreg's is no count
        return
    fit = convex.fit()
    # The first lambda, rounded to 13 digits, is on either side of lambda_max.
    seen = slice(1, None)
    counted = fit.df
    if "in any class" in definition:
        counted = fit.n_terms
        by_class = np.count_nonzero(fit.coef_path, axis=1)
        np.testing.assert_array_equal(by_class[seen], convex["df_by_class"][seen])
    np.testing.assert_array_equal(counted[seen], convex["df"][seen])


def test_first_lambda(path):
    """The peers' paths, and those made for gglasso, sparsegl and direct, begin at lambda_max."""
    ours = path.fit(n_lambda=2, lambda_min_ratio=0.9).lambda_[0]
    theirs = path.asked.lambda_[0]
    if path["peer"] == "grpreg" and 0 in path["group"]:
        theirs -= GRPREG_ADDS
    after_glm = path["peer"] in {"grpreg", "ncvreg"} and path["family"] != "gaussian"
    rel = FIRST_LAMBDA_AFTER_GLM if after_glm else FIRST_LAMBDA
    assert ours == pytest.approx(theirs, rel=rel)
