"""The matrix door on new rows, and its way through pickle and JSON."""

from __future__ import annotations

import datetime as dt
import json
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from grpsparse.design import MatrixSpec, matrix_model
from grpsparse.errors import DataError, OptionError
from grpsparse.groups import Model

X = np.array([[1.0, 2.0, 3.0], [4.0, 0.0, 6.0]])
FRAME = pd.DataFrame(X, columns=["u", "v", "w"], index=["r", "s"])


def test_meets_the_protocol():
    spec: Model = matrix_model(X, response="income").spec
    assert (spec.formula, spec.response, spec.columns) == (None, "income", ("x1", "x2", "x3"))
    assert matrix_model(X).spec.response == "y"


@pytest.mark.parametrize("fitted", [X, FRAME])
@pytest.mark.parametrize(
    "new",
    [X, X.tolist(), FRAME, pl.DataFrame(X, schema=["u", "v", "w"]), FRAME.astype("float32")],
)
def test_training_rows_come_back(fitted, new):
    values, complete, index = matrix_model(fitted).spec.matrix(new)
    assert np.array_equal(values, X)
    assert values.dtype == np.float64
    assert complete.tolist() == [True, True]
    assert index.tolist() == (["r", "s"] if isinstance(new, pd.DataFrame) else [0, 1])


def test_sparse_rows_stay_sparse():
    holed = X.copy()
    holed[0, 1] = np.nan
    values, complete, _ = matrix_model(X).spec.matrix(sparse.coo_matrix(holed))
    assert isinstance(values, sparse.csc_array)
    assert values.toarray().tolist() == [[0, 0, 0], [4, 0, 6]]
    assert values.nnz == 2
    assert complete.tolist() == [False, True]


def test_a_frame_is_read_by_name():
    spec = matrix_model(FRAME).spec
    shuffled = FRAME[["w", "u", "v"]].assign(extra="text")
    for new in (shuffled, pl.from_pandas(shuffled), pl.from_pandas(shuffled).to_arrow()):
        assert np.array_equal(spec.matrix(new)[0], X)
    assert np.array_equal(spec.matrix(shuffled.to_dict("list"))[0], X)
    with pytest.raises(DataError, match=r"`new` lacks the columns 'v', 'w' \(did"):
        spec.matrix(FRAME.rename(columns={"v": "v2", "w": "q"}))
    with pytest.raises(DataError, match="2 columns called 'u'"):
        spec.matrix(pd.concat([FRAME, FRAME["u"]], axis=1))
    twice = pd.concat([FRAME.assign(z=1), FRAME.assign(z=1)["z"]], axis=1)
    assert np.array_equal(spec.matrix(twice)[0], X)


def test_a_frame_for_an_array_goes_by_position_unless_it_says_x1():
    spec = matrix_model(X).spec
    assert np.array_equal(spec.matrix(FRAME[["w", "u", "v"]])[0], X[:, [2, 0, 1]])
    named = pd.DataFrame(X[:, ::-1], columns=["x3", "x2", "x1"]).assign(exposure=1.0)
    assert np.array_equal(spec.matrix(named)[0], X)
    with pytest.raises(DataError, match="`new` has 4 columns but the model was fitted to 3"):
        spec.matrix(FRAME.assign(extra=1))


@pytest.mark.parametrize("fitted", [X, FRAME])
@pytest.mark.parametrize("row", [X[1], X[1].tolist(), tuple(X[1]), FRAME.iloc[1]])
def test_one_row_is_one_row(fitted, row):
    values, complete, index = matrix_model(fitted).spec.matrix(row)
    assert np.array_equal(values, X[1:])
    assert complete.tolist() == [True]
    assert index.tolist() == (["s"] if isinstance(row, pd.Series) else [0])


def test_one_row_by_name():
    spec = matrix_model(FRAME).spec
    assert spec.matrix({"w": 6, "u": 4, "v": False})[0].tolist() == [[4, 0, 6]]
    assert spec.matrix(FRAME.assign(t="text").iloc[1])[0].tolist() == [[4, 0, 6]]
    values, complete, _ = spec.matrix({"w": 6, "u": None, "v": 0})
    assert (values.tolist(), complete.tolist()) == ([[0, 0, 0]], [False])


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (np.ones((2, 2)), "2 columns but the model was fitted to 3; give the same"),
        (np.ones((4, 1)), "1 column but"),
        (sparse.csr_array((2, 5)), "5 columns"),
        (np.ones(4), r"new\.reshape\(-1, 1\)"),
        ([1.0, 2.0], r"new\.reshape"),
        ({"x1": [1, 2], "x2": [1, 2, 3]}, "columns of one length"),
        ([[1, np.inf, 2]], r"infinite values in 1 of 1 row .* \('x2'\)"),
        ([[np.nan, np.inf, 2]], "infinite"),
        ([["a", "b", "c"]], "text"),
        (pd.DataFrame({"x1": ["a"], "x2": [1], "x3": [1]}), "'x1'"),
    ],
)
def test_new_rows_that_do_not_fit_are_refused(new, message):
    with pytest.raises(DataError, match=message):
        matrix_model(X).spec.matrix(new)


def test_rows_with_missing_values_are_zero_and_flagged():
    new = FRAME.copy()
    new.loc["r", "v"] = np.nan
    values, complete, index = matrix_model(FRAME).spec.matrix(new)
    assert values.tolist() == [[0, 0, 0], [4, 0, 6]]
    assert complete.tolist() == [False, True]
    assert index.tolist() == ["r", "s"]
    assert np.isnan(new.loc["r", "v"])
    values, complete, _ = matrix_model(X).spec.matrix(np.empty((0, 3)))
    assert (values.shape, complete.shape) == ((0, 3), (0,))
    empty = pl.DataFrame({"u": [None], "v": [1], "w": [2]})
    assert matrix_model(FRAME).spec.matrix(empty)[1].tolist() == [False]


def test_the_input_is_left_alone():
    new = X.copy()
    new[0, 0] = np.nan
    matrix_model(X).spec.matrix(new)
    assert np.array_equal(new[0, 1:], X[0, 1:])


def test_unseen_has_no_effect_but_is_checked():
    spec = matrix_model(X).spec
    assert np.array_equal(spec.matrix(X, unseen="shrink")[0], X)
    with pytest.raises(OptionError, match="'ignore'"):
        spec.matrix(X, unseen="ignore")


def test_a_column_of_new_data():
    spec = matrix_model(FRAME).spec
    new = FRAME.assign(t="text", log_exposure=[1, None])
    for frame in (new, pl.from_pandas(new), new.to_dict("list")):
        assert np.array_equal(spec.column(frame, "log_exposure"), [1, np.nan], equal_nan=True)
    with pytest.raises(DataError, match="no column called 'exposure'; its columns are 'u', 'v'"):
        spec.column(new, "exposure")
    with pytest.raises(DataError, match=r"'t' \(str\)"):
        spec.column(new, "t")
    with pytest.raises(DataError, match="infinite"):
        spec.column(FRAME.assign(off=np.inf), "off")
    with pytest.raises(DataError, match="2 columns called 'u'"):
        spec.column(pd.concat([FRAME, FRAME], axis=1), "u")
    for bare in (X, sparse.csr_array(X), X[0]):
        with pytest.raises(DataError, match="without column names, so the column 'u'"):
            spec.column(bare, "u")


LABELS = {
    "none": "auto",
    "numbers": [0, 7, 0],
    "mixed": [("a", 1), 2.5, True],
    "text": ["é", "$tuple", "é"],
    "infinite": [float("inf"), 1, float("-inf")],
    "by text": [dt.date(2020, 1, 2), frozenset(), dt.date(2020, 1, 2)],
}


@pytest.mark.parametrize("groups", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("data", [X, FRAME])
def test_pickle_and_json_bring_the_spec_back(data, groups):
    spec = matrix_model(data, groups=groups, response="z").spec
    text = json.dumps(spec.to_dict(), allow_nan=False)
    for copy in (pickle.loads(pickle.dumps(spec)), MatrixSpec.from_dict(json.loads(text))):
        assert (copy.columns, copy.named, copy.response) == (spec.columns, spec.named, "z")
        assert [(t.name, t.kind, t.columns, t.index.tolist()) for t in copy.terms] == [
            (t.name, t.kind, t.columns, t.index.tolist()) for t in spec.terms
        ]
        assert np.array_equal(copy.matrix(data)[0], X)
        if groups != LABELS["by text"]:
            assert copy.labels == spec.labels
    assert copy.with_scope({"f": abs}) is copy


def test_a_description_of_another_format_is_refused():
    with pytest.raises(DataError, match="format 2"):
        MatrixSpec.from_dict({**matrix_model(X).spec.to_dict(), "format": 2})
