"""Cross-validation done by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import huber, xlogy

import grpsparse as gs

TIGHT = 1e-13
SAME = 1e-9  # of means, at TIGHT
CLIP = 1e-5  # glmnet's, for the deviance of a class


def cross_validate(case: Any, right: str = "f + x + g", **options: Any) -> gs.CVFit:
    chosen = {"n_lambda": 6, "lambda_min_ratio": 0.1, "tol": TIGHT, "n_folds": 4, "seed": 3}
    return gs.fit_cv(
        f"{case.left} ~ {right}", case.frame, family=case.given, **{**chosen, **options}
    )


def _of_positive_means(case: Any, y: np.ndarray, mu: np.ndarray) -> np.ndarray:
    log = xlogy(y, y / mu)
    if case.family == "poisson":
        return 2 * (log - (y - mu))
    if case.family == "gamma":
        return 2 * ((y - mu) / mu - np.log(y / mu))
    theta = case.given.theta
    return 2 * (log - (y + theta) * np.log((y + theta) / (mu + theta)))


def row_losses(case: Any, mu: np.ndarray) -> np.ndarray:
    """Deviance of every row, squared error for gaussian: (n, L) from means (n, [K,] L)."""
    if case.family == "cox":
        pytest.skip("a partial likelihood has no rows: tests/selection/test_survival.py")
    y = case.frame["y"].to_numpy()
    if case.family in {"gaussian", "sqrt_gaussian"}:
        return (y[:, None] - mu) ** 2
    if case.family == "huber":
        return 2 * huber(case.given.delta, y[:, None] - mu)
    if case.family in {"poisson", "gamma", "negative_binomial"}:
        return _of_positive_means(case, y[:, None], mu)
    if case.family == "binomial":
        p = np.where((y == "yes")[:, None], mu, 1 - mu)
    else:
        p = mu[np.arange(len(y)), np.searchsorted(["u", "v", "w"], y)]
    return -2 * np.log(np.clip(p, CLIP, 1 - CLIP))


@pytest.mark.parametrize("name", ["group_lasso", "sparse_group_lasso", "lasso", "group_mcp"])
def test_out_of_fold_predictions_are_separate_fits(case: Any, name: str) -> None:
    if name == "group_mcp":
        extra = {"lambda_min_ratio": 0.4, "right": "f + x", "tol": 1e-12}
    else:
        extra = {"right": "f*x + g"}
    right = extra.pop("right")
    cv = cross_validate(case, right, penalty=name, weights="w", **extra)
    assert set(cv.folds.tolist()) == {0, 1, 2, 3}
    for fold in range(4):
        held = cv.folds == fold
        alone = gs.fit(
            f"{case.left} ~ {right}",
            case.frame[~held],
            family=case.given,
            penalty=name,
            weights="w",
            lambda_=cv.lambda_,
            tol=extra.get("tol", TIGHT),
        )
        np.testing.assert_allclose(cv.oof[held], alone.predict(case.frame[held]), atol=SAME)


def test_mean_and_standard_error(case: Any) -> None:
    cv = cross_validate(case, weights="w")
    w = case.frame["w"].to_numpy()
    losses = row_losses(case, cv.oof)
    sums = np.array([w[cv.folds == k].sum() for k in range(4)])
    means = np.array([w[cv.folds == k] @ losses[cv.folds == k] for k in range(4)]) / sums[:, None]
    share = sums / sums.sum()
    np.testing.assert_allclose(cv.cv_mean, share @ means, rtol=1e-12)
    spread = share @ (means - share @ means) ** 2
    np.testing.assert_allclose(cv.cv_se, np.sqrt(spread / 3), rtol=1e-9)


def test_below_three_rows_a_fold_rows_are_folds(case: Any) -> None:
    cv = cross_validate(case, n_folds=30, n_lambda=3)
    losses = row_losses(case, cv.oof)
    n = len(losses)
    np.testing.assert_allclose(cv.cv_mean, losses.mean(axis=0), rtol=1e-12)
    spread = ((losses - losses.mean(axis=0)) ** 2).mean(axis=0)
    np.testing.assert_allclose(cv.cv_se, np.sqrt(spread / (n - 1)), rtol=1e-9)


def test_choice_of_lambda(case: Any) -> None:
    cv = cross_validate(case, n_lambda=20)
    best = int(np.argmin(cv.cv_mean))
    assert cv.index_min == best
    assert cv.lambda_min == cv.lambda_[best]
    within = np.flatnonzero(cv.cv_mean <= cv.cv_mean[best] + cv.cv_se[best])
    assert cv.index_1se == within.min()
    assert cv.lambda_1se >= cv.lambda_min
    np.testing.assert_array_equal(cv.predict(), cv.path.predict(lambda_=cv.lambda_1se))
    np.testing.assert_array_equal(
        cv.predict(case.frame, "min"), cv.path.predict(case.frame, cv.lambda_min)
    )
    assert cv.selected("min") == cv.path.selected(cv.lambda_min)


def test_auc_is_the_mean_over_folds(cases: Any) -> None:
    from sklearn.metrics import roc_auc_score

    case = cases("binomial")
    cv = cross_validate(case, measure="auc", weights="w")
    y, w = case.frame["y"].to_numpy() == "yes", case.frame["w"].to_numpy()
    values, sums = [], []
    for k in range(4):
        held = cv.folds == k
        values.append(
            [
                roc_auc_score(y[held], cv.oof[held, at], sample_weight=w[held])
                for at in range(len(cv.lambda_))
            ]
        )
        sums.append(w[held].sum())
    expected = np.average(values, axis=0, weights=sums)
    np.testing.assert_allclose(cv.cv_mean, expected, rtol=1e-10)
    assert cv.cv_mean[cv.index_min] == pytest.approx(cv.cv_mean.max())


def test_the_path_is_the_fit_to_all_rows(case: Any) -> None:
    cv = cross_validate(case)
    fit = case.fit_formula("f + x + g", n_lambda=6, lambda_min_ratio=0.1, tol=TIGHT)
    np.testing.assert_array_equal(cv.path.lambda_, fit.lambda_)
    # cross-products summed fold by fold are rounded in another way
    np.testing.assert_allclose(cv.path.coef_path, fit.coef_path, atol=1e-12)


def test_same_seed_same_folds(case: Any) -> None:
    one, other = cross_validate(case), cross_validate(case)
    np.testing.assert_array_equal(one.folds, other.folds)
    np.testing.assert_array_equal(one.cv_mean, other.cv_mean)
    assert (cross_validate(case, seed=4).folds != one.folds).any()


def test_given_folds(case: Any) -> None:
    from sklearn.model_selection import KFold

    n = len(case.y)
    ids = np.repeat(np.arange(4), n // 4)
    by_array = cross_validate(case, folds=ids)
    by_name = gs.fit_cv(
        f"{case.left} ~ f + x + g",
        case.frame.assign(where=ids),
        family=case.given,
        folds="where",
        n_lambda=6,
        lambda_min_ratio=0.1,
        tol=TIGHT,
    )
    by_splitter = cross_validate(case, folds=KFold(4))
    np.testing.assert_array_equal(by_array.folds, ids)
    for other in (by_name, by_splitter):
        np.testing.assert_array_equal(other.folds, ids)
        np.testing.assert_array_equal(other.cv_mean, by_array.cv_mean)


def test_clusters_stay_together(case: Any) -> None:
    clusters = np.arange(len(case.y)) % 12
    cv = cross_validate(case, fold_groups=clusters)
    for cluster in range(12):
        assert len(set(cv.folds[clusters == cluster].tolist())) == 1


def test_classes_are_balanced(cases: Any) -> None:
    for family in ("binomial", "multinomial"):
        case = cases(family)
        cv = cross_validate(case)
        y = case.frame["y"].to_numpy()
        for label in np.unique(y):
            counts = np.bincount(cv.folds[y == label], minlength=4)
            assert counts.max() - counts.min() <= 1


def test_dropped_rows_have_no_fold(case: Any) -> None:
    frame = case.frame.copy()
    frame.loc[[2, 30], "x"] = np.nan
    cv = gs.fit_cv(f"{case.left} ~ f + x", frame, family=case.given, n_folds=3, n_lambda=4, seed=1)
    assert np.flatnonzero(cv.folds == -1).tolist() == [2, 30]
    assert np.isnan(cv.oof[[2, 30]]).all()
    assert np.isfinite(np.delete(cv.oof, [2, 30], axis=0)).all()
    assert cv.path.nobs == 58
    assert "2" in str(cv)


def test_offsets_reach_the_held_out_rows(case: Any) -> None:
    cv = cross_validate(case, offset=case.offset)
    held = cv.folds == 1
    alone = gs.fit(
        f"{case.left} ~ f + x + g",
        case.frame[~held],
        family=case.given,
        offset=case.offset[~held],
        lambda_=cv.lambda_,
        tol=TIGHT,
    )
    expected = alone.predict(case.frame[held], offset=case.offset[held])
    np.testing.assert_allclose(cv.oof[held], expected, atol=SAME)


def test_levels_in_one_fold_only(cases: Any) -> None:
    """A level that a fold trains without contributes nothing there, and doesn't raise."""
    case = cases("gaussian")
    frame = case.frame.copy()
    frame.loc[:2, "f"] = "rare"
    folds = np.repeat([0, 1, 2], 20)
    cv = gs.fit_cv(f"{case.left} ~ f*x", frame, folds=folds, n_lambda=5, tol=TIGHT)
    alone = gs.fit(f"{case.left} ~ f*x", frame[20:], lambda_=cv.lambda_, tol=TIGHT)
    usual = (folds == 0) & (frame["f"] != "rare")
    np.testing.assert_allclose(cv.oof[usual], alone.predict(frame[usual]), atol=SAME)
    assert np.isfinite(cv.oof).all()


def test_warning_counts_folds(cases: Any) -> None:
    """Folds that did not converge are said in the print."""
    case = cases("binomial")
    solver = gs.solvers.BlockDescent(max_iter=1)
    with pytest.warns(gs.ConvergenceWarning):
        cv = cross_validate(case, solver=solver, penalty="group_mcp", right="f*g + x")
    assert not cv.fold_converged.all()
    assert "converge" in str(cv)


def test_folds_where_nothing_is_selected(case: Any) -> None:
    """Above every lambda_max a fold predicts the mean of its training rows."""
    cv = cross_validate(case, lambda_=[1e6, 1e5], penalty="lasso")
    assert cv.n_terms.tolist() == [0, 0]
    held = cv.folds == 2
    y = case.frame["y"].to_numpy()
    if case.family in {"gaussian", "poisson", "gamma", "negative_binomial"}:
        np.testing.assert_allclose(cv.oof[held], y[~held].mean(), rtol=1e-9)
    np.testing.assert_allclose(cv.oof[..., 0], cv.oof[..., 1], rtol=1e-12)


def test_folds_of_one_class_have_no_auc_and_say_so() -> None:
    x = np.random.default_rng(4).normal(size=(40, 2))
    y = np.repeat([0, 1], 20)
    mixed = np.concatenate([np.arange(20) % 2, np.full(10, 2), np.arange(10) % 2])
    cv = gs.fit_cv(x, y, family="binomial", folds=mixed, measure="auc", n_lambda=5)
    assert any("AUC is not defined in 1 folds" in note for note in cv.notes)
    apart = np.arange(40) // 10
    with pytest.raises(gs.GrpsparseError, match="no fold has held-out rows of both classes"):
        gs.fit_cv(x, y, family="binomial", folds=apart, measure="auc", n_lambda=5)


def test_a_generator_as_seed_is_not_kept(tmp_path: Any) -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(30, 2)), rng.normal(size=30)
    cv = gs.fit_cv(x, y, n_folds=3, seed=np.random.default_rng(1), n_lambda=5)
    cv.save(tmp_path / "cv")
    assert cv.seed is None
    np.testing.assert_array_equal(gs.load(tmp_path / "cv").folds, cv.folds)
