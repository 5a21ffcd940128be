"""Measures by their definitions: scikit-learn's where it has them, pairs and sums elsewhere."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from grpsparse import families
from grpsparse.errors import DataError, OptionError
from grpsparse.measures import (
    auc,
    choose,
    confusion_matrix,
    cv_curve,
    measures_for,
    resolve_measure,
    row_losses,
    rows_as_folds,
    score_fold,
    score_folds,
)

FAMILIES = ("gaussian", "binomial", "multinomial", "poisson")


def draw(family, *, n=60, n_lambda=4, seed=0):
    """Return y (n, K), mu (n, K, L) and weights."""
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.2, 2.0, n)
    if family == "gaussian":
        return rng.normal(size=(n, 1)), rng.normal(size=(n, 1, n_lambda)), weights
    if family == "poisson":
        mu = rng.gamma(2.0, size=(n, 1, n_lambda))
        return rng.poisson(1.5, (n, 1)).astype(float), mu, weights
    if family == "binomial":
        y = rng.integers(0, 2, (n, 1)).astype(float)
        return y, rng.uniform(size=(n, 1, n_lambda)), weights
    y = np.eye(3)[rng.integers(0, 3, n)]
    mu = rng.dirichlet(np.ones(3), (n, n_lambda)).transpose(0, 2, 1)
    return y, np.ascontiguousarray(mu), weights


def mean_of(name, family, y, mu, weights):
    return score_fold(resolve_measure(name, family), family, y, mu, weights)


@pytest.mark.parametrize(
    ("family", "default", "title"),
    [
        ("gaussian", "mse", "mean squared error"),
        ("binomial", "deviance", "binomial deviance"),
        ("multinomial", "deviance", "multinomial deviance"),
        ("poisson", "deviance", "Poisson deviance"),
    ],
)
def test_default_measure_and_its_title(family, default, title):
    measure = resolve_measure(families.get(family).default_measure, family)
    assert (measure.name, measure.title) == (default, title)


def test_titles_and_directions():
    found = {each.name: (each.title, each.larger_is_better) for each in measures_for("binomial")}
    assert found == {
        "deviance": ("binomial deviance", False),
        "class": ("classification error", False),
        "auc": ("AUC", True),
        "brier": ("Brier score", False),
        "mse": ("mean squared error", False),
        "mae": ("mean absolute error", False),
    }
    assert [each.name for each in measures_for("poisson")] == ["deviance", "mse", "mae"]
    assert "auc" not in {each.name for each in measures_for("multinomial")}


@pytest.mark.parametrize(
    ("name", "family", "message"),
    [
        ("auc", "multinomial", "not for the multinomial family"),
        ("class", "gaussian", "'deviance', 'mse', 'mae'"),
        ("brier", "poisson", "not for the poisson family"),
        ("rmse", "binomial", "not a measure; the binomial family can have 'deviance', 'class'"),
    ],
)
def test_wrong_measure_names_what_the_family_can_have(name, family, message):
    with pytest.raises(OptionError, match=message):
        resolve_measure(name, family)


@pytest.mark.parametrize("family", ["binomial", "multinomial"])
def test_class_measures_are_sklearns(family):
    y, mu, weights = draw(family)
    codes = y[:, 0].astype(int) if family == "binomial" else y.argmax(axis=1)
    probabilities = mu if family == "multinomial" else np.concatenate([1 - mu, mu], axis=1)
    loss = [
        2 * metrics.log_loss(codes, probabilities[:, :, at], sample_weight=weights)
        for at in range(4)
    ]
    error = [
        metrics.zero_one_loss(codes, probabilities[:, :, at].argmax(1), sample_weight=weights)
        for at in range(4)
    ]
    np.testing.assert_allclose(mean_of("deviance", family, y, mu, weights), loss)
    np.testing.assert_allclose(mean_of("class", family, y, mu, weights), error)
    if family == "binomial":
        brier = [
            2 * metrics.brier_score_loss(codes, mu[:, 0, at], sample_weight=weights)
            for at in range(4)
        ]
        np.testing.assert_allclose(mean_of("brier", family, y, mu, weights), brier)


@pytest.mark.parametrize("family", FAMILIES)
def test_squared_and_absolute_errors(family):
    y, mu, weights = draw(family)
    twice = 2 if family == "binomial" else 1
    share = weights / weights.sum()
    gap = mu - y[:, :, None]
    squared = twice * np.einsum("n,nkl->l", share, gap**2)
    np.testing.assert_allclose(mean_of("mse", family, y, mu, weights), squared)
    absolute = twice * np.einsum("n,nkl->l", share, np.abs(gap))
    np.testing.assert_allclose(mean_of("mae", family, y, mu, weights), absolute)
    if family in {"binomial", "multinomial"}:
        np.testing.assert_array_equal(
            mean_of("brier", family, y, mu, weights), mean_of("mse", family, y, mu, weights)
        )


def test_poisson_deviance_is_sklearns():
    y, mu, weights = draw("poisson")
    expected = [
        metrics.mean_poisson_deviance(y[:, 0], mu[:, 0, at], sample_weight=weights)
        for at in range(4)
    ]
    np.testing.assert_allclose(mean_of("deviance", "poisson", y, mu, weights), expected)


def test_gaussian_deviance_is_the_squared_error():
    y, mu, weights = draw("gaussian")
    np.testing.assert_array_equal(
        mean_of("deviance", "gaussian", y, mu, weights), mean_of("mse", "gaussian", y, mu, weights)
    )


@pytest.mark.parametrize("family", ["binomial", "multinomial"])
def test_deviance_is_clipped(family):
    y = np.array([[1.0]]) if family == "binomial" else np.array([[0.0, 1.0, 0.0]])
    mu = np.array([[[0.0, 1.0]]]) if family == "binomial" else np.eye(3)[None, :, :2]
    loss = row_losses(resolve_measure("deviance", family), family, y, mu)
    np.testing.assert_allclose(loss, [[-2 * np.log(1e-5), -2 * np.log1p(-1e-5)]])


@pytest.mark.parametrize("name", ["deviance", "class", "auc"])
def test_a_proportion_is_rows_of_either_class(name):
    rng = np.random.default_rng(4)
    trials = rng.integers(1, 6, 30)
    successes = rng.binomial(trials, 0.4)
    mu = np.round(rng.uniform(size=(30, 1, 3)), 1)
    y = (successes / trials)[:, None]
    ones = np.concatenate([np.zeros(30), np.ones(30)])[:, None]
    weights = np.concatenate([trials - successes, successes]).astype(float)
    doubled = mean_of(name, "binomial", ones, np.concatenate([mu, mu]), weights)
    whole = mean_of(name, "binomial", y, mu, trials.astype(float))
    if name == "deviance":  # the saturated fit of a proportion is not zero
        inner = np.clip(y[:, 0], 1e-300, 1 - 1e-16)
        entropy = y[:, 0] * np.log(inner) + (1 - y[:, 0]) * np.log1p(-inner)
        whole = whole - 2 * np.sum(trials * entropy) / trials.sum()
    np.testing.assert_allclose(whole, doubled, rtol=1e-12)


def test_ties_of_classes_go_to_the_first():
    y, mu = np.array([[0.0], [1.0]]), np.full((2, 1, 1), 0.5)
    loss = row_losses(resolve_measure("class", "binomial"), "binomial", y, mu)
    assert loss.tolist() == [[0.0], [1.0]]


def test_zero_counts_and_vanishing_means_are_finite():
    y, mu = np.array([[0.0], [2.0]]), np.array([[[0.0]], [[0.0]]])
    loss = row_losses(resolve_measure("deviance", "poisson"), "poisson", y, mu)
    assert loss[0, 0] == 0
    assert np.isfinite(loss).all()


@pytest.mark.parametrize("digits", [1, 2, 16])
def test_auc_is_sklearns_with_ties_and_weights(digits):
    y, mu, weights = draw("binomial", n=120)
    score = np.round(mu[:, 0], digits)
    expected = [
        metrics.roc_auc_score(y[:, 0], score[:, at], sample_weight=weights) for at in range(4)
    ]
    np.testing.assert_allclose(auc(y[:, 0], score, weights), expected, rtol=1e-12)


def test_auc_counts_pairs():
    rng = np.random.default_rng(1)
    y, score, w = rng.uniform(size=9), rng.integers(0, 4, (9, 2)) / 4, rng.uniform(size=9)
    ahead = (score[:, None] > score[None]) + 0.5 * (score[:, None] == score[None])
    pairs = np.outer(w * y, w * (1 - y))
    np.testing.assert_allclose(auc(y, score, w), np.einsum("ij,ijl->l", pairs, ahead) / pairs.sum())


def test_auc_without_a_class_is_undefined():
    assert np.isnan(auc(np.ones(3), np.ones((3, 2)), np.ones(3))).all()
    score = np.array([[0.1, 0.1], [np.nan, 0.3]])
    found = auc(np.array([0.0, 1.0]), score, np.ones(2))
    assert np.isnan(found[0])
    assert found[1] == 1


def test_auc_of_constant_scores_is_one_half():
    assert auc(np.array([0.0, 1.0, 1.0]), np.zeros((3, 1)), np.ones(3)).tolist() == [0.5]


@pytest.mark.parametrize("family", FAMILIES)
def test_curve_is_the_contracts_formula(family):
    y, mu, weights = draw(family)
    assignment = np.random.default_rng(5).integers(0, 4, 60)
    measure = resolve_measure(families.get(family).default_measure, family)
    scores = score_folds(measure, family, y, mu, weights=weights, assignment=assignment)
    mean, se = cv_curve(scores.values, scores.weights)
    loss = row_losses(measure, family, y, mu)
    total = np.array([weights[assignment == k].sum() for k in range(4)])
    m = np.array([weights[assignment == k] @ loss[assignment == k] / total[k] for k in range(4)])
    np.testing.assert_allclose(mean, total @ m / total.sum())
    np.testing.assert_allclose(mean, weights @ loss / weights.sum())
    np.testing.assert_allclose(se, np.sqrt(total @ (m - mean) ** 2 / total.sum() / 3))


def test_scores_do_not_depend_on_the_scale_of_weights():
    y, mu, weights = draw("multinomial")
    assignment = np.arange(60) % 5
    measure = resolve_measure("deviance", "multinomial")
    curves = [
        cv_curve(scores.values, scores.weights)
        for scores in (
            score_folds(measure, "multinomial", y, mu, weights=c * weights, assignment=assignment)
            for c in (1.0, 7.0)
        )
    ]
    np.testing.assert_allclose(curves[0], curves[1])


def test_rows_of_no_weight_do_not_count():
    y, mu, weights = draw("gaussian")
    weights[:12] = 0
    mu[:12] = np.nan
    measure = resolve_measure("mse", "gaussian")
    scores = score_folds(
        measure, "gaussian", y, mu, weights=weights, assignment=np.repeat(np.arange(5), 12)
    )
    assert np.isnan(scores.values[0]).all()
    mean, se = cv_curve(scores.values, scores.weights)
    kept = cv_curve(scores.values[1:], scores.weights[1:])
    np.testing.assert_array_equal(mean, kept[0])
    np.testing.assert_array_equal(se, kept[1])


def test_another_family_brings_its_deviance():
    class Gamma:
        name = "gamma"

        def deviance(self, y, mu):
            return 2 * np.sum(y / mu - 1 - np.log(y / mu), axis=1)

    y, mu, weights = draw("poisson")
    y += 1
    expected = [
        metrics.mean_gamma_deviance(y[:, 0], mu[:, 0, at], sample_weight=weights) for at in range(4)
    ]
    measure = resolve_measure("deviance", "gamma")
    assert measure.title == "gamma deviance"
    np.testing.assert_allclose(score_fold(measure, Gamma(), y, mu, weights), expected)
    with pytest.raises(OptionError, match="give the family itself"):
        row_losses(measure, "gamma", y, mu)


def test_row_losses_refuse_the_auc():
    y, mu, _ = draw("binomial")
    with pytest.raises(OptionError, match="AUC is not a mean over rows"):
        row_losses(resolve_measure("auc", "binomial"), "binomial", y, mu)


def test_rows_take_the_place_of_small_folds():
    deviance, area = resolve_measure("deviance", "binomial"), resolve_measure("auc", "binomial")
    assert rows_as_folds(deviance, 30, 10) == (False, ())
    assert rows_as_folds(deviance, 29, 10)[0]
    assert rows_as_folds(area, 100, 10) == (False, ())
    assert rows_as_folds(area, 99, 10) == (False, ("AUC of fewer than 10 rows a fold is noisy",))
    with pytest.raises(OptionError, match="29 rows in 10 folds"):
        rows_as_folds(area, 29, 10)


def test_a_fold_of_one_class_is_left_out_of_the_auc():
    y, mu, weights = draw("binomial")
    y[:20] = 1
    measure = resolve_measure("auc", "binomial")
    assignment = np.repeat(np.arange(3), 20)
    scores = score_folds(measure, "binomial", y, mu, weights=weights, assignment=assignment)
    assert "AUC is not defined in 1 folds of one class, which are left out" in scores.notes
    mean, _ = cv_curve(scores.values, scores.weights)
    expected = np.average(scores.values[1:], axis=0, weights=scores.weights[1:])
    np.testing.assert_allclose(mean, expected)
    with pytest.raises(OptionError, match="both classes"):
        score_folds(
            measure, "binomial", np.ones((60, 1)), mu, weights=weights, assignment=assignment
        )


def test_a_gap_in_one_fold_makes_the_point_undefined():
    values = np.array([[1.0, np.nan, 3.0], [2.0, 2.0, 2.0]])
    mean, se = cv_curve(values, np.ones(2))
    np.testing.assert_array_equal(np.isnan(mean), [False, True, False])
    np.testing.assert_array_equal(np.isnan(se), [False, True, False])
    with pytest.raises(DataError, match="no fold"):
        cv_curve(np.full((2, 2), np.nan), np.ones(2))


def test_one_fold_has_no_standard_error():
    mean, se = cv_curve(np.array([[1.0, 2.0]]), np.ones(1))
    assert mean.tolist() == [1, 2]
    assert np.isnan(se).all()


@pytest.mark.parametrize(
    ("mean", "se", "larger", "expected"),
    [
        ([5.0, 3.0, 2.0, 4.0], [1.0, 1.0, 1.0, 1.0], False, (2, 1)),
        ([5.0, 3.0, 2.0, 4.0], [1.0, 1.0, 0.5, 1.0], False, (2, 2)),
        ([0.5, 0.7, 0.8, 0.8], [0.1, 0.1, 0.1, 0.1], True, (2, 1)),
        ([2.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0], False, (1, 1)),
        ([2.0, 0.3, 0.1 + 0.2, 0.3], [0.0, 0.0, 0.0, 0.0], False, (1, 1)),
        ([np.nan, 3.0, 2.0, np.nan], [np.nan, 1.0, 1.0, np.nan], False, (2, 1)),
        ([3.0, 2.0, 1.0, 2.0], [np.nan] * 4, False, (2, 2)),
        ([-3.0, -2.0, -1.0, -2.0], [0.1] * 4, False, (0, 0)),
    ],
)
def test_choice(mean, se, larger, expected):
    lambda_ = np.array([4.0, 3.0, 2.0, 1.0])
    found = choose(lambda_, np.array(mean), np.array(se), larger_is_better=larger)
    assert found == expected
    back = choose(lambda_[::-1], np.array(mean)[::-1], np.array(se)[::-1], larger_is_better=larger)
    assert tuple(3 - at for at in back) == expected


def test_choice_of_nothing_raises():
    with pytest.raises(DataError, match="not finite at any lambda"):
        choose(np.ones(2), np.full(2, np.nan), np.ones(2), larger_is_better=False)


@pytest.mark.parametrize("weighted", [False, True])
def test_confusion_is_sklearns(weighted):
    rng = np.random.default_rng(2)
    observed, predicted = rng.integers(0, 3, (2, 50))
    weights = rng.uniform(size=50) if weighted else None
    table = confusion_matrix(observed, predicted, ("a", "b", "c"), weights)
    expected = metrics.confusion_matrix(observed, predicted, sample_weight=weights)
    np.testing.assert_allclose(table.to_numpy(), expected)
    assert table.index.name == "observed"
    assert table.columns.name == "predicted"
    assert list(table.index) == ["a", "b", "c"]


def test_confusion_leaves_out_dropped_rows():
    table = confusion_matrix(np.array([0, 1, -1]), np.array([1, -1, 0]), ("n", "y"))
    expected = pd.DataFrame(
        [[0, 1], [0, 0]],
        index=pd.Index(["n", "y"], name="observed"),
        columns=pd.Index(["n", "y"], name="predicted"),
    )
    pd.testing.assert_frame_equal(table, expected)
