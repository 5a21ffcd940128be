"""Cross-validated fits: choices of lambda, folds and out-of-fold predictions."""

import numpy as np
import pytest

from grpsparse.errors import LambdaError, OptionError


def test_choices_of_lambda(make_path, make_cv):
    cv = make_cv(make_path())
    assert (cv.lambda_min, cv.lambda_1se) == (0.2, 0.4)
    assert cv.selected() == ["x"]
    assert cv.selected("min") == ["x", "f"]
    assert cv.coef(0.3).equals(cv.path.coef(0.3))
    np.testing.assert_array_equal(cv.predict(), cv.path.predict(None, 0.4))
    np.testing.assert_array_equal(cv.predict(lambda_="min"), cv.path.predict(None, 0.2))
    np.testing.assert_array_equal(cv.residuals("min"), cv.path.residuals(0.2))
    assert cv.n_terms.tolist() == [0, 1, 2, 2]
    for wrong in ("best", None):
        with pytest.raises(LambdaError, match="'1se', 'min' or a number"):
            cv.coef(wrong)


def test_folds_are_those_of_the_data_given(make_path, make_cv):
    cv = make_cv(make_path())
    assert cv.folds.tolist() == [0, 1, 2, 0, -1, 1, 2, 0, 1, -1]
    assert np.isnan(cv.oof[[4, 9]]).all()


def test_confusion_counts_out_of_fold_classes(make_path, make_cv):
    path = make_path("multinomial", n_classes=3)
    table = make_cv(path).confusion("min")
    assert table.index.tolist() == table.columns.tolist() == ["low", "mid", "high"]
    assert table["high"].tolist() == [3, 2, 3]
    assert table.to_numpy().sum() == 8
    two = make_cv(make_path("binomial", weights=np.full(8, 0.5))).confusion()
    assert two.to_numpy().tolist() == [[0.0, 1.5], [0.0, 2.5]]
    with pytest.raises(OptionError, match="no classes"):
        make_cv(make_path()).confusion()


def test_confusion_of_proportions_raises(make_path, make_cv):
    path = make_path("binomial")
    path.training.y[0, 0] = 0.5
    with pytest.raises(OptionError, match="proportions"):
        make_cv(path).confusion()


def test_measures_at_both_lambdas(make_path, make_cv):
    cv = make_cv(make_path())
    table = cv.measures()
    assert table.index.tolist() == ["deviance", "mse", "mae"]
    assert table.columns.tolist() == ["min", "min_se", "1se", "1se_se"]
    np.testing.assert_allclose(table.loc["mse", "min"], np.mean(cv.residuals("min") ** 2))
    np.testing.assert_allclose(table.loc["mae", "1se"], np.mean(np.abs(cv.residuals("1se"))))


def test_an_undefined_measure_is_nan(make_path, make_cv):
    table = make_cv(make_path("binomial")).measures()  # an AUC needs three rows a fold
    assert np.isnan(table.loc["auc"]).all()
    assert np.isfinite(table.drop(index="auc").to_numpy()).all()


def test_reduced_predictions_know_their_lambdas(make_path, make_cv):
    path = make_path("multinomial", n_classes=3)
    full = make_cv(path)
    reduced = make_cv(path, oof=full.oof[..., [2, 1]], oof_index=np.array([2, 1]))
    assert reduced.confusion("min").equals(full.confusion("min"))
    assert reduced.measures().equals(full.measures())
    with pytest.raises(OptionError, match="were not kept"):
        reduced.confusion(0.1)


def test_tidy_and_glance(make_path, make_cv):
    cv = make_cv(make_path())
    assert cv.tidy()["cv_mean"].tolist() == cv.cv_mean.tolist()
    row = cv.glance().iloc[0]
    assert (row["lambda_min"], row["lambda_1se"], row["n_terms_1se"]) == (0.2, 0.4, 1)
    assert row["measure"] == "mse"
