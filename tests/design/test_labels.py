"""Labels of the matrix door: which columns are a group, and which group a user means."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from grpsparse.design import matrix_model, resolve_label
from grpsparse.design.labels import resolve_labels
from grpsparse.errors import GroupError

X = np.arange(10.0).reshape(2, 5)
FRAME = pd.DataFrame(X, columns=list("abcde"))


def groups_of(groups, data=X):
    return {t.name: t.index.tolist() for t in matrix_model(data, groups=groups).spec.terms}


@pytest.mark.parametrize("groups", ["auto", "column"])
def test_each_column_is_a_group_by_default(groups):
    spec = matrix_model(FRAME, groups=groups, single_columns=True).spec
    assert [t.name for t in spec.terms] == list("abcde")
    assert [t.index.tolist() for t in spec.terms] == [[0], [1], [2], [3], [4]]
    assert {t.kind for t in spec.terms} == {"column"}
    assert {t.scale for t in spec.terms} == {"sd"}
    assert spec.labels is None


@pytest.mark.parametrize(
    "labels",
    [
        [3, 0, 3, -1, 0],
        (3, 0, 3, -1, 0),
        np.array([3, 0, 3, -1, 0]),
        np.array([3, 0, 3, -1, 0], dtype=object),
        pd.Series([3, 0, 3, -1, 0]),
        pd.Series([3, 0, 3, -1, 0], index=list("vwxyz")),
        pd.Categorical([3, 0, 3, -1, 0]),
        pl.Series([3, 0, 3, -1, 0]),
        pa.array([3, 0, 3, -1, 0]),
        (label for label in [3, 0, 3, -1, 0]),
    ],
)
def test_groups_come_in_order_of_first_appearance(labels):
    spec = matrix_model(X, groups=labels).spec
    assert spec.labels == (3, 0, -1)
    assert [(t.name, t.index.tolist()) for t in spec.terms] == [
        ("3", [0, 2]),
        ("0", [1, 4]),
        ("-1", [3]),
    ]
    assert spec.terms[0].columns == ("x1", "x3")
    assert spec.terms[0].index.dtype == np.int64
    assert {t.kind for t in spec.terms} == {"group"}


def test_any_hashable_is_a_label():
    day = dt.date(2020, 1, 2)
    mixed = [("a", np.int64(1)), day, frozenset({1}), 2.5, ("a", 1)]
    assert groups_of(mixed) == {
        "('a', 1)": [0, 4],
        "2020-01-02": [1],
        "frozenset({1})": [2],
        "2.5": [3],
    }


def test_labels_by_column_name():
    by_name = {"e": "p", "a": "q", "c": "p", "b": "q", "d": "r"}
    expected = {"q": [0, 1], "p": [2, 4], "r": [3]}
    assert groups_of(by_name, FRAME) == expected
    assert groups_of(pd.Series(by_name), FRAME) == expected
    assert groups_of({f"x{i}": i % 2 for i in range(1, 6)}) == {"1": [0, 2, 4], "0": [1, 3]}
    reordered = pd.Series(list("ppqqr"), index=[4, 2, 0, 1, 3])
    assert groups_of(reordered, pd.DataFrame(X)) == expected
    assert groups_of(pd.Series(list("qqprp")), FRAME) == expected


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([1, 2], "`groups` has 2 labels but X has 5 columns; give one label per column, or use a"),
        ("term", "a matrix has no terms"),
        ("abcde", "`groups` is 'abcde'"),
        (None, "NoneType"),
        ({1, 2, 3, 4, 5}, "of type set"),
        (np.ones((5, 1)), r"shape \(5, 1\)"),
        ([1, 1, float("nan"), 2, 2], "column 'x3' in `groups` is missing"),
        (np.array([1, 1, 1, np.nan, 2]), "column 'x4' in `groups` is missing"),
        (["a", "a", None, "b", "b"], "column 'x3' in `groups` is missing"),
        ([pd.NA, "a", "a", "b", "b"], "column 'x1' in `groups` is missing"),
        ([pd.NaT, "a", "a", "b", "b"], "column 'x1' in `groups` is missing"),
        ([1, "1", 2, 2, 2], "labels 1 and '1' in `groups` both read '1'"),
        ([1, 1, [2], 3, 3], r"label of column 'x3' is \[2\].*type list"),
        ({"x1": 0}, "no label for the columns 'x2', 'x3'"),
        (dict.fromkeys(["x1", "x2", "x3", "x4", "x5", "z"], 0), "unknown column 'z'"),
    ],
)
def test_labels_that_do_not_fit_are_refused(groups, message):
    with pytest.raises(GroupError, match=message):
        matrix_model(X, groups=groups)


def test_a_series_for_other_columns_is_refused():
    with pytest.raises(GroupError, match="no label for the column 'e'"):
        matrix_model(FRAME, groups=pd.Series([0, 0, 0, 0, 0], index=list("abcdz")))


def test_single_columns_leave_no_room_for_labels():
    with pytest.raises(GroupError, match="penalty sees single columns"):
        matrix_model(X, groups=[1, 1, 1, 1, 1], single_columns=True)


def test_a_group_is_found_by_its_label_or_its_text():
    spec = matrix_model(X, groups=[0, "age", ("u", 2), 2.5, 0]).spec
    for key, position in [
        (0, 0),
        ("0", 0),
        (np.int64(0), 0),
        ("age", 1),
        (("u", 2), 2),
        ("('u', 2)", 2),
        (2.5, 3),
    ]:
        assert resolve_label(key, spec) == position
    columns = matrix_model(pd.DataFrame(X)).spec
    assert resolve_label(3, columns) == resolve_label("3", columns) == 3
    assert resolve_labels(["3", 1], columns.terms, columns.labels) == [3, 1]


def test_an_unknown_label_is_refused_with_what_is_near():
    spec = matrix_model(X, groups=["height", "weight", "weight", "age", "age"]).spec
    with pytest.raises(GroupError, match=r"no group 'heigth'; did you mean 'height'"):
        resolve_label("heigth", spec)
    with pytest.raises(GroupError, match=r"no group 7; the groups are 'height', 'weight', 'age'\."):
        resolve_label(7, spec)
    with pytest.raises(GroupError, match="'x3' is a column of the group 'weight'"):
        resolve_label("x3", spec)
    numbers = matrix_model(X, groups=[0, 0, 1, 1, 1]).spec
    with pytest.raises(GroupError, match="0 and '0' are the same group"):
        resolve_labels([0, "0"], numbers.terms, numbers.labels)
