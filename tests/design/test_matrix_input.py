"""What the matrix door reads, and how it refuses what it cannot."""

from __future__ import annotations

import re
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

from grpsparse.design import matrix_model
from grpsparse.errors import BackendError, DataError

NUMBERS = np.array([[1.0, 0.0, 2.5], [0.0, -3.0, 4.0]])


def block(X, **options):
    (only,) = matrix_model(X, **options).blocks
    return only


@pytest.mark.parametrize(
    "X",
    [
        NUMBERS,
        NUMBERS.tolist(),
        tuple(map(tuple, NUMBERS)),
        np.asfortranarray(NUMBERS),
        NUMBERS.astype(np.float32),
        NUMBERS.astype(np.float16),
        NUMBERS[::-1][::-1],
        np.ma.masked_greater(NUMBERS, 99),
        pd.DataFrame(NUMBERS),
        pl.DataFrame(NUMBERS),
        pa.table({"a": [1, 0], "b": [0, -3], "c": [2.5, 4]}),
        pd.DataFrame({"a": [True, False], "b": [0, -3], "c": np.float32([2.5, 4])}),
        pd.DataFrame(NUMBERS).astype(object),
        pd.DataFrame(NUMBERS).convert_dtypes(),
        pd.DataFrame(NUMBERS).astype("double[pyarrow]"),
    ],
)
def test_dense_numbers_become_one_float64_block(X):
    got = block(X)
    assert isinstance(got, np.ndarray)
    assert got.dtype == np.float64
    assert np.array_equal(got, NUMBERS)


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
@pytest.mark.parametrize("make", [sparse.coo_array, sparse.coo_matrix])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8])
def test_sparse_numbers_become_one_csc_block(form, make, dtype):
    values = np.array([[1, 0, 2], [0, -3, 0]], dtype=dtype)
    got = block(make(values).asformat(form))
    assert isinstance(got, sparse.csc_array)
    assert got.dtype == np.float64
    assert got.nnz == 3
    assert np.array_equal(got.toarray(), values)


def test_duplicates_are_summed_and_explicit_zeros_dropped():
    place = ([0, 0, 1, 1, 0], [0, 0, 1, 1, 2])
    X = sparse.coo_array((np.array([100, 100, 5, -5, 0], dtype=np.int8), place), shape=(2, 3))
    got = block(X)
    assert got.has_canonical_format
    assert got.nnz == 1
    assert got[0, 0] == 200.0
    twice = sparse.coo_array((np.array([True, True]), ([0, 0], [0, 0])), shape=(1, 1))
    assert block(twice)[0, 0] == 1.0


def test_a_pandas_frame_of_sparse_columns_stays_sparse():
    frame = pd.DataFrame.sparse.from_spmatrix(sparse.csr_array(NUMBERS), columns=list("abc"))
    made = matrix_model(frame)
    assert isinstance(made.blocks[0], sparse.csc_array)
    assert np.array_equal(made.blocks[0].toarray(), NUMBERS)
    assert made.spec.columns == ("a", "b", "c")
    mixed = frame.assign(a=[1.0, 0.0])
    assert np.array_equal(block(mixed), NUMBERS)
    filled = pd.DataFrame({"a": pd.arrays.SparseArray([1.0, 7.0, 7.0], fill_value=7.0)})
    assert block(filled).ravel().tolist() == [1.0, 7.0, 7.0]


def test_the_block_is_a_copy():
    X = NUMBERS.copy()
    stored, frame = sparse.csc_array(X), pd.DataFrame(X)
    blocks = [block(X), block(frame), block(stored)]
    X[:] = 9.0
    frame.iloc[:] = 9.0
    stored.data[:] = 9.0
    blocks[2] = blocks[2].toarray()
    assert all(np.array_equal(got, NUMBERS) for got in blocks)


def test_bool_counts_as_zero_and_one():
    assert block(NUMBERS > 0).tolist() == [[1, 0, 1], [0, 0, 1]]
    assert block(pl.DataFrame({"b": [True, False], "u": [1, 2]})).tolist() == [[1, 1], [0, 2]]
    frame = pd.DataFrame({"p": pd.array([True, False], "boolean")}).assign(q=lambda f: f.p)
    assert block(frame.astype({"q": "bool[pyarrow]"})).tolist() == [[1, 1], [0, 0]]


def test_names_and_rows():
    made = matrix_model(NUMBERS)
    assert made.spec.columns == ("x1", "x2", "x3")
    assert made.n == 2
    assert made.index.equals(pd.RangeIndex(2))
    made = matrix_model(pd.DataFrame(NUMBERS, columns=["a", 0, ("b", 1)], index=["r", "s"]))
    assert made.spec.columns == ("a", "0", "('b', 1)")
    assert made.index.tolist() == ["r", "s"]
    assert matrix_model(pl.DataFrame({"q": [1]})).spec.columns == ("q",)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones(3), r"`X` has 1 dimension \(shape \(3,\)\).*X\.reshape\(-1, 1\)"),
        (pd.Series([1.0]), r"X\.reshape\(-1, 1\)"),
        (pl.Series([1.0]), r"X\.reshape\(-1, 1\)"),
        (sparse.coo_array(np.ones(3)), r"X\.reshape\(-1, 1\)"),
        (np.ones((2, 2, 2)), r"3 dimensions \(shape \(2, 2, 2\)\)"),
        (5.0, "0 dimensions"),
        ([[1, 2], [3]], "rows of equal length"),
        (None, "NoneType"),
        ({"a": [1]}, "of type dict"),
        (np.empty((0, 3)), "0 rows and 3 columns"),
        (np.empty((3, 0)), "3 rows and 0 columns"),
        (pd.DataFrame(index=range(4)), "4 rows and 0 columns"),
        (pl.DataFrame(), "0 rows and 0 columns"),
        (sparse.csr_array((0, 2)), "0 rows and 2 columns"),
        (NUMBERS * 1j, "complex"),
        (sparse.csr_array(NUMBERS * 1j), "complex"),
        ([[1, 2], [3, None]], r"None in row 1, column 1, counting from 0"),
        ([["1", "u"]], r"text \('u' in row 0, column 1"),
        (np.array([["1", "2"]]), r"astype\(float\)"),
        (np.zeros((1, 1), "M8[D]"), r"datetime64\[D\]"),
        (pl.DataFrame({"a": [1]}).lazy(), "collect"),
        (pa.table([[1], [2]], names=["a", "a"]), "same name.*'a'"),
    ],
)
def test_what_is_no_matrix_is_refused(X, message):
    with pytest.raises(DataError, match=re.compile(message, re.DOTALL)):
        matrix_model(X)


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        (["u", "v"], "str"),
        (pd.Categorical(["u", "v"]), "category"),
        (pd.Categorical([1, 2]), "category"),
        (np.array([1, "v"], dtype=object), "object"),
        (pd.Timestamp("2020-01-01"), "datetime64"),
        (pd.Timedelta(1), "timedelta64"),
        ([1j, 2], "complex128"),
    ],
)
def test_a_frame_column_that_is_no_number_is_named(column, dtype):
    frame = pd.DataFrame({"a": [1, 2]}).assign(brand=column)
    with pytest.raises(DataError, match=rf"column 'brand' \({dtype}.*formula.*'y ~ brand'"):
        matrix_model(frame)


def test_columns_that_are_no_numbers_are_named_in_other_frames():
    frame = pl.DataFrame({"a": [1], "t": ["x"], "k": pl.Series(["u"], dtype=pl.Categorical)})
    with pytest.raises(DataError, match=r"columns 't' \(String\), 'k' \(Categorical\)"):
        matrix_model(frame)
    with pytest.raises(DataError, match=r"'t' \(String\)"):
        matrix_model(frame.select("a", "t").to_arrow())
    many = pd.DataFrame({name: ["u"] for name in "abcde"})
    with pytest.raises(DataError, match="and 2 more"):
        matrix_model(many)


def test_decimals_are_numbers():
    assert block(pl.DataFrame({"d": [Decimal("1.25")]}))[0, 0] == 1.25
    assert block(pd.DataFrame({"d": [Decimal("1.25")]}))[0, 0] == 1.25


@pytest.mark.parametrize("names", [["a", "a"], [1, "1"]])
def test_names_must_tell_columns_apart(names):
    with pytest.raises(DataError, match=f"2 columns called '{names[0]}'"):
        matrix_model(pd.DataFrame(NUMBERS[:, :2], columns=names))


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, pd.DataFrame])
def test_missing_and_infinite_values_are_counted(form):
    X = np.zeros((5, 4))
    X[[1, 3, 3], [2, 2, 0]] = np.nan
    names = "'0', '2'" if form is pd.DataFrame else "'x1', 'x3'"
    where = r"2 of 5 rows \(first row 1, counting from 0\) and 2 of 4 columns "
    with pytest.raises(DataError, match=rf"missing values \(NaN\) in {where}\({names}\)"):
        matrix_model(form(X))
    X[X != 0] = -np.inf
    with pytest.raises(DataError, match=rf"infinite values in {where}\({names}\)"):
        matrix_model(form(X))


def test_missing_values_of_every_kind_count():
    for frame in (
        pd.DataFrame({"a": pd.array([1, None], "Int64")}),
        pd.DataFrame({"a": pd.array([True, None], "boolean")}),
        pd.DataFrame({"a": np.array([1.5, None], dtype=object)}),
        pl.DataFrame({"a": [True, None]}),
        pl.DataFrame({"a": [None, None]}),
        pa.table({"a": [1, None]}),
        np.ma.masked_equal([[1], [2]], 2),
    ):
        with pytest.raises(DataError, match="missing values"):
            matrix_model(frame)


def test_finite_numbers_whose_sum_is_not_are_fine():
    assert np.array_equal(block(np.full((2, 2), 1.5e308)), np.full((2, 2), 1.5e308))
    with pytest.raises(DataError, match="infinite"):
        matrix_model(np.full((1, 1), np.longdouble("1e400")))


@pytest.mark.parametrize("module", ["cupy", "cupy._core.core", "cupyx.scipy.sparse._csr"])
def test_an_array_on_a_device_is_refused(module):
    on_device = type("ndarray", (), {"__module__": module})()
    with pytest.raises(BackendError, match=r"pass numpy arrays \(X\.get\(\)\)"):
        matrix_model(on_device)
    with pytest.raises(BackendError, match="CuPy"):
        matrix_model(NUMBERS).spec.matrix(on_device)
