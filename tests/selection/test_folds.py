"""Folds: every row once, classes and clusters in balance, clear words when that can't be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)

from grpsparse.errors import OptionError, ResponseError
from grpsparse.folds import check_training_classes, make_folds


def counts(plan, codes):
    table = np.zeros((int(codes.max()) + 1, plan.n_folds), dtype=int)
    np.add.at(table, (codes, plan.assignment), 1)
    return table


@pytest.mark.parametrize("n", [7, 30, 101])
@pytest.mark.parametrize("n_folds", [2, 5, 7])
@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_dealt_folds_differ_by_at_most_one(n, n_folds, n_classes):
    codes = np.random.default_rng(n).integers(0, n_classes, n)
    plan = make_folds(n, n_folds=n_folds, stratify=codes, seed=3)
    assert np.ptp(np.bincount(plan.assignment, minlength=n_folds)) <= 1
    assert np.all(np.ptp(counts(plan, codes), axis=1) <= 1)
    assert plan.assignment.dtype == np.int64
    assert plan.stratified
    assert not plan.clustered


def test_random_folds_without_classes():
    plan = make_folds(23, n_folds=4, seed=0)
    assert sorted(np.bincount(plan.assignment)) == [5, 6, 6, 6]
    assert plan.title == "4 folds"
    assert plan.notes == ()


def test_as_many_folds_as_rows_leaves_one_out():
    plan = make_folds(9, n_folds=9, seed=1)
    assert sorted(plan.assignment) == list(range(9))


def test_seed_decides_and_none_is_fresh():
    def draw(seed):
        return make_folds(200, n_folds=5, seed=seed).assignment

    np.testing.assert_array_equal(draw(1), draw(1))
    np.testing.assert_array_equal(draw(1), draw(np.random.default_rng(1)))
    assert np.any(draw(1) != draw(2))
    assert np.any(draw(None) != draw(None))


def test_folds_leave_global_randomness_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_folds(50, n_folds=5)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_every_fold_gets_every_row_with_equal_chance():
    hits = np.zeros((6, 3))
    for seed in range(3000):
        plan = make_folds(6, n_folds=3, stratify=[0, 0, 0, 0, 1, 1], seed=seed)
        hits[np.arange(6), plan.assignment] += 1
    # 1000 +- 26 expected; six standard deviations.
    assert np.abs(hits - 1000).max() < 160


def test_small_class_is_a_note():
    plan = make_folds(12, n_folds=4, stratify=["a"] * 10 + ["b"] * 2, seed=0)
    assert plan.notes == ("classes in fewer rows than the 4 folds: b (2)",)


@pytest.mark.parametrize("seed", range(5))
def test_clusters_stay_together_and_sizes_balance(seed):
    rng = np.random.default_rng(seed)
    clusters = rng.integers(0, 40, 400)
    plan = make_folds(400, n_folds=5, fold_groups=clusters, seed=seed)
    for cluster in np.unique(clusters):
        assert np.unique(plan.assignment[clusters == cluster]).size == 1
    assert np.ptp(np.bincount(plan.assignment)) <= np.bincount(clusters).max()
    assert plan.title == "5 folds of whole clusters"


def imbalance(table):
    """Spread over folds of the share of each class: what StratifiedGroupKFold makes small."""
    return float(np.mean(np.std(table / table.sum(axis=1, keepdims=True), axis=1)))


@pytest.mark.parametrize("seed", range(8))
def test_stratified_clusters_are_as_even_as_sklearn(seed):
    rng = np.random.default_rng(seed)
    clusters = rng.integers(0, 60, 600)
    tendency = rng.beta(0.6, 1.2, 60)
    codes = (rng.random(600) < tendency[clusters]).astype(int) + 2 * (rng.random(600) < 0.05)
    codes = np.unique(codes, return_inverse=True)[1]
    plan = make_folds(600, n_folds=5, fold_groups=clusters, stratify=codes, seed=seed)
    peer = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    theirs = make_folds(600, folds=peer, fold_groups=clusters, y=codes)
    # 0.01 of a class: the greedy orders differ, the balance should not.
    assert imbalance(counts(plan, codes)) < imbalance(counts(theirs, codes)) + 0.01
    assert plan.stratified
    assert plan.clustered
    for cluster in np.unique(clusters):
        assert np.unique(plan.assignment[clusters == cluster]).size == 1


def test_no_fold_stays_empty_under_clusters():
    clusters = [0] * 50 + [1, 2, 3]
    plan = make_folds(53, n_folds=4, fold_groups=clusters, stratify=[0] * 50 + [1] * 3, seed=0)
    assert np.bincount(plan.assignment).min() >= 1
    assert "whole clusters make uneven folds: 1 to 50 rows" in plan.notes
    assert any("fewer clusters than the 4 folds" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([3, 1, 3, 2], [2, 0, 2, 1]),
        (["b", "a", "a", "b"], [1, 0, 0, 1]),
        (pd.Series(["u", "v", "u", "v"], index=[9, 8, 7, 6]), [0, 1, 0, 1]),
        (pd.Categorical(["z", "y", "z", "y"], categories=["z", "y"]), [1, 0, 1, 0]),
        (pd.array([1, 2, 1, 2], dtype="Int64"), [0, 1, 0, 1]),
        ([("a", 1), ("b", 0), ("a", 0), ("b", 0)], [1, 2, 0, 2]),
        ([1, "x", 1, "x"], [0, 1, 0, 1]),
        (np.array([True, False, True, False]), [1, 0, 1, 0]),
        (np.array([[2.5], [0.5], [2.5], [0.5]]), [1, 0, 1, 0]),
        (iter([5, 5, 6, 6]), [0, 0, 1, 1]),
    ],
)
def test_fold_identifiers_are_numbered_in_order(ids, expected):
    plan = make_folds(4, folds=ids)
    assert plan.assignment.tolist() == expected
    assert len(plan.labels) == plan.n_folds == max(expected) + 1


def test_labels_are_what_the_user_wrote():
    plan = make_folds(3, folds=np.array(["n", "s", "n"]))
    assert plan.labels == ("n", "s")


@pytest.mark.parametrize(
    ("splitter", "options"),
    [
        (KFold(4), {}),
        (StratifiedKFold(4, shuffle=True, random_state=1), {"stratify": np.arange(40) % 3}),
        (GroupKFold(4), {"fold_groups": np.arange(40) // 4}),
        (LeaveOneOut(), {}),
        (PredefinedSplit(np.arange(40) % 4), {}),
    ],
)
def test_splitters_give_their_own_folds(splitter, options):
    plan = make_folds(40, folds=splitter, **options)
    shown = np.zeros((40, 1))
    pairs = splitter.split(shown, options.get("stratify"), options.get("fold_groups"))
    for fold, (_, test) in enumerate(pairs):
        assert np.all(plan.assignment[test] == fold)
    assert plan.clustered == ("fold_groups" in options)


def test_pairs_may_be_masks_or_numbers():
    test = np.arange(6) < 2
    pairs = [(~test, test), (np.array([0, 1]), np.array([2, 3, 4, 5]))]
    assert make_folds(6, folds=pairs).assignment.tolist() == [0, 0, 1, 1, 1, 1]
    assert make_folds(6, folds=(pair for pair in pairs)).n_folds == 2
    assert make_folds(4, folds=[([0, 1], [2, 3]), ([2, 3], [0, 1])]).n_folds == 2


def test_a_splitters_warning_becomes_a_note():
    plan = make_folds(20, folds=StratifiedKFold(4), stratify=[0] * 18 + [1] * 2)
    assert len(plan.notes) == 1
    assert plan.notes[0].startswith("StratifiedKFold: The least populated class")


@pytest.mark.parametrize(
    "splitter",
    [
        ShuffleSplit(5, random_state=0),
        TimeSeriesSplit(4),
        RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
        PredefinedSplit([-1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]),
    ],
)
def test_splitters_that_do_not_partition_raise(splitter):
    with pytest.raises(OptionError, match="held out exactly once"):
        make_folds(12, folds=splitter)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_folds": 1}, "between 2 and the 6 rows"),
        ({"n_folds": 7}, "between 2 and the 6 rows"),
        ({"n_folds": 2.5}, "2.5"),
        ({"n_folds": True}, "True"),
        ({"seed": "x", "n_folds": 2}, "`seed`"),
        ({"seed": -1, "n_folds": 2}, "`seed`"),
        ({"fold_groups": [1, 1, 1, 2, 2, 2], "n_folds": 3}, "2 clusters, fewer than the 3"),
        ({"fold_groups": [1, 1, np.nan, 2, 2, 2], "n_folds": 2}, "missing"),
        ({"fold_groups": [1, 2], "n_folds": 2}, "2 values for 6 rows"),
        ({"folds": [1, 1, 1, 1, 1, 1]}, "every row in fold 1"),
        ({"folds": [1, 2, np.nan, 1, 2, 1]}, "missing"),
        ({"folds": [1, 2, np.inf, 1, 2, 1]}, "infinite"),
        ({"folds": ["a", None, "b", "a", "b", "a"]}, "missing"),
        ({"folds": pd.array([1, None, 2, 1, 2, 1], dtype="Int64")}, "missing"),
        ({"folds": pd.to_datetime(["2020-01-01", None] * 3)}, "missing"),
        ({"folds": [1, 2]}, "2 values for 6 rows"),
        ({"folds": np.ones((6, 2))}, "one dimension"),
        ({"folds": [{1}, {2}, {1}, {1}, {2}, {2}]}, "hashable"),
        ({"folds": "region"}, "'region'"),
        ({"folds": [([0, 1, 2], [3, 4, 5]), ([3, 4], [0, 1, 2])]}, "complement"),
        ({"folds": [([0, 1, 2], [3, 4, 5]), ([3, 4, 5], [0, 1, 9])]}, "0 to 5"),
        ({"folds": [([0, 1, 2], [3.5, 4, 5]), ([3, 4, 5], [0, 1, 2])]}, "integer positions"),
        ({"folds": [([0, 1, 2], [3, 4, 5]), ([3, 4, 5], [])]}, "no rows out in fold 1"),
        ({"folds": [([0, 1, 2], [3, 3, 5]), ([3, 4, 5], [0, 1, 2])]}, "repeats a row"),
        ({"folds": GroupKFold(2)}, "fold_groups"),
        ({"folds": KFold(9)}, "could not split 6 rows"),
        ({"folds": [1, 1, 2, 2, 1, 2], "fold_groups": list("aaabbb")}, "cluster 'a'"),
        ({"folds": KFold(3), "fold_groups": list("aaabbb")}, "cluster"),
    ],
)
def test_errors_say_what_came(options, message):
    with pytest.raises(OptionError, match=message):
        make_folds(6, **options)


def test_given_folds_that_keep_clusters():
    plan = make_folds(6, folds=[1, 1, 1, 2, 2, 2], fold_groups=list("aabccc"))
    assert plan.clustered


def test_replicate_weights_are_zero_where_held_out():
    plan = make_folds(4, folds=[1, 0, 1, 2])
    assert plan.replicate_weights().tolist() == [[1, 0, 1, 1], [0, 1, 0, 1], [1, 1, 1, 0]]


def test_class_missing_from_training_rows_raises_and_names_both():
    codes = np.array([0, 0, 1, 0, 0, 1])
    plan = make_folds(6, folds=["n", "n", "s", "s", "n", "s"])
    with pytest.raises(ResponseError, match=r"class 'sick' .*fold 's'"):
        check_training_classes(plan, codes, ("well", "sick"))
    spread = make_folds(6, folds=[0, 0, 0, 1, 1, 1])
    check_training_classes(spread, codes, ("well", "sick"))
    with pytest.raises(ResponseError, match="'sick'"):
        check_training_classes(
            spread, codes, ("well", "sick"), np.array([1.0, 1.0, 0.0, 1.0, 1.0, 1.0])
        )
