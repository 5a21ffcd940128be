"""The response beside a matrix."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

from grpsparse.design.response import read_response
from grpsparse.errors import BackendError, DataError
from grpsparse.families import encode_response


@pytest.mark.parametrize(
    ("y", "name"),
    [
        ([2, 1, 4], "y"),
        ([[2], [1], [4]], "y"),
        (np.array([[2.0], [1.0], [4.0]]), "y"),
        (pd.Series([2, 1, 4], name="income"), "income"),
        (pd.Series([2, 1, 4], name=0), "0"),
        (pd.Series([2, 1, 4], dtype="Int64"), "y"),
        (pd.DataFrame({"income": [2, 1, 4]}), "income"),
        (pl.Series("income", [2, 1, 4]), "income"),
        (pl.DataFrame({"income": [2, 1, 4]}), "income"),
        (pa.table({"income": [2, 1, 4]}), "income"),
        (pa.array([2, 1, 4]), "y"),
        (np.ma.masked_equal([2, 1, 4], 9), "y"),
    ],
)
def test_numbers_of_every_kind(y, name):
    values, called = read_response(y, 3)
    assert called == name
    assert encode_response(values).y.ravel().tolist() == [2, 1, 4]


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (["b", "a", "b"], ("a", "b")),
        (np.array(["b", "a", "b"]), ("a", "b")),
        ([True, False, True], (False, True)),
        (pd.Categorical(["b", "a", "b"], categories=["b", "a"]), ("b", "a")),
        (pd.Series(["b", "a", "b"], dtype="category"), ("a", "b")),
        (pl.Series(["b", "a", "b"]), ("a", "b")),
        (pl.Series(["b", "a", "b"], dtype=pl.Categorical), ("a", "b")),
        (pl.Series(["b", "a", "b"], dtype=pl.Enum(["b", "a"])), ("b", "a")),
        (pa.chunked_array([["b", "a", "b"]]).dictionary_encode(), ("b", "a")),
        (pa.array(["b", "a", "b"]).dictionary_encode(), ("b", "a")),
    ],
)
def test_labels_keep_the_order_that_a_categorical_has(y, classes):
    assert encode_response(read_response(y, 3)[0]).classes == classes


@pytest.mark.parametrize("make", [np.asarray, pd.DataFrame, pl.DataFrame, list])
def test_two_columns_are_counts(make):
    values, name = read_response(make(np.array([[1, 2], [3, 4], [5, 6]])), 3)
    assert name == "y"
    encoded = encode_response(values, family="binomial")
    assert encoded.weights_factor.tolist() == [3, 7, 11]


@pytest.mark.parametrize(
    "y",
    [
        [1.0, None, 2.0],
        np.ma.masked_equal([1, 2, 3], 2),
        pl.Series([1, None, 2]),
        pl.Series(["a", None, "b"]),
        pl.Series([True, None, False]),
    ],
)
def test_missing_values_are_not_lost_on_the_way(y):
    with pytest.raises(ValueError, match="in row 1"):
        encode_response(read_response(y, 3)[0])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([1, 2], "`y` has 2 values but X has 3 rows"),
        (np.ones((1, 3)), r"the shape \(1, 3\) but X has 3 rows"),
        (3.0, "X has 3 rows"),
        ("income", r"type str \(a name belongs to a formula with data\)"),
        (None, "NoneType"),
        ({"y": [1, 2, 3]}, "type dict"),
        (sparse.csr_array(np.ones((3, 1))), "csr_array"),
        ([[1], [2, 3], [4]], "can't be read as a column"),
        (pl.DataFrame({"y": [1, 2, 3]}).lazy(), "collect"),
    ],
)
def test_what_is_no_response_is_refused(y, message):
    with pytest.raises(DataError, match=message):
        read_response(y, 3)


def test_numbers_beside_text_stay_numbers():
    assert read_response([1, "a", 2.5], 3)[0].tolist() == [1, "a", 2.5]


def test_rows_in_another_order_are_refused():
    index = pd.Index([2, 0, 1])
    with pytest.raises(DataError, match=r"another order.*y\.loc\[data\.index\]"):
        read_response(pd.Series([1, 2, 3]), 3, index=index)
    for fine in ([2, 0, 1], [5, 6, 7], [0, 0, 1]):
        y = pd.Series([1, 2, 3], index=fine)
        assert read_response(y, 3, index=index)[0] is y
    assert read_response(np.array([1, 2, 3]), 3, index=index)[1] == "y"


def test_an_array_on_a_device_is_refused():
    with pytest.raises(BackendError, match="`y` is a CuPy array"):
        read_response(type("ndarray", (), {"__module__": "cupy"})(), 3)
