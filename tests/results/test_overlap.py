"""Results of groups that overlap: terms and groups, print, save, and certificates that are read."""

from dataclasses import replace

import numpy as np
import pytest

import grpsparse as gs

LISTS = {"low": [0, 1, 2], "middle": [2, 3, 4], "high": [4, 5]}
NORMS = ("latent_group_lasso", "overlap_group_lasso")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(50, 6))
    return X, X[:, 2] - 0.5 * X[:, 4] + 0.5 * rng.normal(size=50)


@pytest.fixture(scope="module", params=NORMS)
def fit(request, data):
    return gs.fit(*data, groups=LISTS, penalty=request.param, n_lambda=12, tol=1e-9)


def test_terms_are_columns_and_groups_have_names(fit):
    assert fit.terms == fit.columns == tuple(f"x{j}" for j in range(1, 7))
    assert fit.groups == ("low", "middle", "high")
    assert fit.group_norms.shape == (fit.lambda_.size, 3)
    assert fit.norm_path.shape == (fit.lambda_.size, 6)
    held = [{f"x{j + 1}" for j in each} for each in LISTS.values()]
    for at in fit.lambda_:
        inside = [
            each
            for name, each in zip(fit.groups, held, strict=True)
            if name in fit.selected_groups(at)
        ]
        outside = [
            each
            for name, each in zip(fit.groups, held, strict=True)
            if name not in fit.selected_groups(at)
        ]
        if fit.latent is None:
            assert set(fit.selected(at)) == set(fit.terms) - set().union(*outside)
        else:
            assert set(fit.selected(at)) == set().union(*inside)


def test_norms_of_terms_are_those_of_their_coefficients(fit, data):
    X, _ = data
    expected = np.abs(fit.raw_coef[:, :, 0]) * X.std(axis=0)
    np.testing.assert_allclose(fit.norm_path, expected, rtol=1e-10)
    between = 0.5 * (fit.lambda_[3] + fit.lambda_[4])
    assert fit.term_norms(between).shape == (6,)
    table = fit.summary(fit.lambda_[5]).table
    assert table["rank"].isna().all()
    assert set(table.index[table["df"] > 0]) <= set(fit.selected(fit.lambda_[5]))


def test_print_says_how_many_groups(fit):
    assert "6 columns in 3 overlapping groups" in str(fit)
    assert "Nonzero" in str(fit.summary(fit.lambda_[5]))


def test_saved_and_loaded(fit, tmp_path):
    fit.save(tmp_path / "fit")
    again = gs.load(tmp_path / "fit")
    assert str(again) == str(fit)
    assert again.groups == fit.groups
    np.testing.assert_array_equal(again.check(), fit.check())
    at = fit.lambda_[4]
    assert again.selected(at) == fit.selected(at)
    assert again.selected_groups(at) == fit.selected_groups(at)


def test_check_sees_other_coefficients(fit):
    moved = fit.raw_coef.copy()
    moved[5, 2] *= 1.01
    certificate = replace(fit, raw_coef=moved).check()
    assert certificate[5] > 1e-5 or np.isinf(certificate[5])
    np.testing.assert_allclose(np.delete(certificate, 5), np.delete(fit.certificate, 5), atol=1e-12)


def test_check_sees_a_dearer_split(data):
    fit = gs.fit(*data, groups=LISTS, penalty="latent_group_lasso", n_lambda=12, tol=1e-9)
    split = fit.latent.copy()
    split[5, 2] += 0.05  # the third column, in the first group and in the second
    split[5, 3] -= 0.05
    assert replace(fit, latent=split).check()[5] > 1e-5


def test_predictions_for_new_rows(fit, data):
    X, _ = data
    at = fit.lambda_[6]
    np.testing.assert_allclose(fit.predict(X, at), fit.predict(lambda_=at), atol=1e-12)
