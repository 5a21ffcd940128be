"""Predictions: interpolation, types, missing rows, and the same numbers from a file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import grpsparse as gs
from grpsparse import errors

SAME = 1e-12
RIGHT = "f*x + g + bs(z, df=4)"


def test_interpolation_is_linear_and_clamped(case: Any) -> None:
    fit = case.fit_formula(RIGHT)
    a, b = fit.lambda_[2], fit.lambda_[3]
    eta = fit.predict(type="link")
    middle = fit.predict(lambda_=0.25 * a + 0.75 * b, type="link")
    np.testing.assert_allclose(middle, 0.25 * eta[..., 2] + 0.75 * eta[..., 3], atol=SAME)
    np.testing.assert_allclose(fit.predict(lambda_=0.0, type="link"), eta[..., -1], atol=SAME)
    np.testing.assert_allclose(fit.predict(lambda_=1e9, type="link"), eta[..., 0], atol=SAME)
    several = fit.predict(lambda_=[a, b], type="link")
    np.testing.assert_allclose(several, eta[..., [2, 3]], atol=SAME)


def test_types_agree(case: Any) -> None:
    fit = case.fit_formula(RIGHT, offset=case.offset)
    at = float(fit.lambda_[4])
    new = case.frame.iloc[::-1]
    options = {"lambda_": at, "offset": case.offset[::-1]}
    eta = fit.predict(new, type="link", **options)
    mu = fit.predict(new, **options)
    if case.family in {"gaussian", "huber", "sqrt_gaussian"}:
        expected = eta
    elif case.family in {"poisson", "gamma", "negative_binomial", "cox"}:
        expected = np.exp(eta)
    elif case.family == "binomial":
        expected = 1 / (1 + np.exp(-eta))
    else:
        expected = np.exp(eta) / np.exp(eta).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(mu, expected, rtol=1e-12)
    parts = fit.predict(new, type="terms", **options)
    if case.family == "multinomial":
        total = parts.T.groupby(level="class").sum().T[list(fit.classes)].to_numpy()
    else:
        total = parts.sum(axis=1).to_numpy()
    np.testing.assert_allclose(total, eta, atol=1e-10)
    if fit.classes:
        named = fit.predict(new, type="class", **options)
        p = mu if mu.ndim == 2 else np.column_stack([1 - mu, mu])
        assert named.tolist() == [fit.classes[k] for k in p.argmax(axis=1)]


def test_the_rows_as_fitted(case: Any) -> None:
    fit = case.fit_formula(RIGHT, weights="w")
    np.testing.assert_allclose(fit.predict(), fit.predict(case.frame), atol=SAME)


def test_coefficients_predict(case: Any) -> None:
    """Without interactions the reported coefficients and the columns give the predictor."""
    fit = case.fit(offset=case.offset)
    path = fit.coef_path if fit.coef_path.ndim == 3 else fit.coef_path[:, :, None]
    offset = case.offset.reshape(len(case.y), -1)
    eta = np.einsum("np,lpk->nkl", case.X, path) + offset[:, :, None]
    eta += np.atleast_2d(fit.intercept_path.T)[None]
    if case.family == "cox":  # in the middle of the rows as fitted
        assert not fit.intercept_path.any()
        eta -= eta.mean(axis=0)
    expected = fit.predict(type="link")
    np.testing.assert_allclose(np.squeeze(eta), expected, atol=1e-11)


def test_reported_contrasts_predict(cases: Any) -> None:
    """A contrast that the user wrote is how `coef` reports, and it gives the same predictions."""
    import formulaic

    case = cases("gaussian")
    right = 'C(f, contr.treatment("q")) + C(g, contr.sum) + x'
    fit = case.fit_formula(right)
    X = formulaic.model_matrix(right, case.frame)
    coef = np.column_stack([fit.intercept_path, fit.coef_path])
    assert len(X.columns) == coef.shape[1]
    order = [list(fit.columns).index(name) for name in X.columns[1:] if name in fit.columns]
    if len(order) == len(fit.columns):
        coef = coef[:, [0, *(1 + np.array(order))]]
    np.testing.assert_allclose(X.to_numpy() @ coef.T, fit.predict(), atol=1e-10)


def test_missing_rows_keep_their_place(case: Any) -> None:
    fit = case.fit_formula(RIGHT)
    new = case.frame.head(5).copy()
    new["f"] = new["f"].astype(object)
    new.loc[1, "x"] = np.nan
    new.loc[3, "f"] = None
    out = fit.predict(new, float(fit.lambda_[-1]))
    gone = np.isnan(out).reshape(5, -1).all(axis=1)
    assert gone.tolist() == [False, True, False, True, False]
    np.testing.assert_allclose(
        out[~gone], fit.predict(case.frame.iloc[[0, 2, 4]], float(fit.lambda_[-1])), atol=SAME
    )
    if fit.classes:
        named = fit.predict(new, float(fit.lambda_[-1]), type="class")
        assert [each is None for each in named] == gone.tolist()


def test_unseen_levels(case: Any) -> None:
    fit = case.fit_formula("f + x")
    new = pd.DataFrame({"f": ["never", "p"], "x": [0.5, 0.5]})
    with pytest.raises(errors.UnseenLevelError, match="'never'"):
        fit.predict(new)
    shrunk = fit.predict(new, unseen="shrink", type="link")
    w = np.array([(case.frame["f"] == level).mean() for level in "pqr"])
    each = fit.predict(pd.DataFrame({"f": list("pqr"), "x": [0.5] * 3}), type="link")
    np.testing.assert_allclose(shrunk[0], np.einsum("i,i...->...", w, each), atol=1e-10)


def test_empty_and_single_rows(case: Any) -> None:
    fit = case.fit_formula("f + x")
    assert fit.predict(case.frame[:0]).shape[0] == 0
    one = fit.predict(case.frame[7:8])
    np.testing.assert_allclose(one[0], fit.predict()[7], atol=SAME)


@pytest.mark.parametrize("kind", ["formula", "matrix", "cv"])
def test_saved_and_loaded(case: Any, kind: str, tmp_path: Any) -> None:
    if kind == "formula":
        fit, new = case.fit_formula(RIGHT, weights="w", offset=case.offset), case.frame
    elif kind == "matrix":
        fit, new = case.fit(penalty=gs.GroupMCP(gamma=4), weights=case.weights), case.X
    else:
        fit = gs.fit_cv(
            f"{case.left} ~ f + x", case.frame, family=case.given, n_folds=3, n_lambda=5, seed=1
        )
        new = case.frame
    path = tmp_path / "any.name"
    fit.save(path)
    assert [each.name for each in tmp_path.iterdir()] == ["any.name"]
    back = gs.load(path)
    assert type(back) is type(fit)
    offset = {"offset": case.offset} if kind == "formula" else {}
    np.testing.assert_array_equal(back.predict(new, **offset), fit.predict(new, **offset))
    assert str(back) == str(fit)
    one, other = (each.path if kind == "cv" else each for each in (back, fit))
    np.testing.assert_array_equal(one.coef_path, other.coef_path)
    np.testing.assert_array_equal(one.check(), other.check())
    pd.testing.assert_frame_equal(one.coef(), other.coef())
    if kind == "cv":
        np.testing.assert_array_equal(back.folds, fit.folds)
        np.testing.assert_array_equal(back.cv_mean, fit.cv_mean)
        pd.testing.assert_frame_equal(back.measures(), fit.measures())


def test_deviance_residuals_sum_to_the_deviance(case: Any) -> None:
    if case.family == "cox":
        pytest.skip("its deviance is of no row: tests/results/test_survival.py has its residuals")
    fit = case.fit(weights=case.weights)
    residuals = fit.residuals(type="deviance")
    np.testing.assert_allclose((residuals**2).sum(axis=0), fit.deviance, rtol=1e-10)
