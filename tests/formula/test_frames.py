"""Every kind of table gives the same model."""

from __future__ import annotations

import decimal

import narwhals as nw
import numpy as np
import pandas as pd
import pytest

from grpsparse.errors import DataError, FormulaError
from grpsparse.formula import build_model

pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")

FORMULA = (
    "y ~ s + b + C(i) + x + `my col` + s:b + s:x + np.log(`my col`) + poly(x, 2) "
    "+ C(np.floor(`my col`)) + I(d.dt.day) + center(x)"
)


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    n = 24
    data = pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "s": rng.choice(["b", "a", "c"], n),
            "b": rng.random(n) > 0.5,
            "i": rng.integers(1, 4, n).astype(float),
            "x": rng.normal(size=n),
            "d": pd.date_range("2020-01-01", periods=n),
            "my col": rng.uniform(1, 5, n),
        }
    )
    data.loc[3, "i"] = np.nan
    data.loc[5, "s"] = None
    data.loc[7, "x"] = np.nan
    return data


VIEWS = {
    "polars": pl.from_pandas,
    "pyarrow": pa.Table.from_pandas,
    "lists": lambda d: {k: v.tolist() for k, v in d.items()},
    "arrays": lambda d: {k: v.to_numpy() for k, v in d.items()},
    "nullable": lambda d: d.convert_dtypes(),
    "arrow-backed": lambda d: pa.Table.from_pandas(d).to_pandas(types_mapper=pd.ArrowDtype),
    "narwhals": lambda d: nw.from_native(pl.from_pandas(d)),
    "objects": lambda d: d.astype({"i": object, "x": object, "b": object, "s": object}),
}


@pytest.mark.parametrize("view", VIEWS)
def test_one_model_for_every_table(frame, view, dense):
    expected = build_model(FORMULA, frame)
    assert len(expected.rows) == 21
    other = build_model(FORMULA, VIEWS[view](frame))
    assert other.spec.columns == expected.spec.columns
    assert [t.levels for t in other.spec.terms] == [t.levels for t in expected.spec.terms]
    for ours, theirs in zip(dense(other), dense(expected), strict=True):
        assert np.array_equal(ours, theirs)
    assert np.array_equal(other.rows, expected.rows)
    assert np.array_equal(other.response, expected.response)
    assert other.notes == expected.notes
    mine, complete, _ = expected.spec.matrix(VIEWS[view](frame))
    assert np.array_equal(mine, expected.spec.matrix(frame)[0])
    assert np.array_equal(np.flatnonzero(complete), expected.rows)


ORDERED = pd.Categorical(["lo", "hi", None, "lo"], ["none", "lo", "hi"], ordered=True)


@pytest.mark.parametrize(
    "column",
    [
        ORDERED,
        pl.Series(["lo", "hi", None, "lo"], dtype=pl.Enum(["none", "lo", "hi"])),
        pa.Table.from_pandas(pd.DataFrame({"g": ORDERED}))["g"],
        pd.Series(pa.array(ORDERED), dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))),
    ],
    ids=["pandas", "polars", "pyarrow", "arrow-backed"],
)
def test_categories_keep_their_order(column, dense):
    built = build_model("y ~ g", {"y": [1.0, 2, 3, 4], "g": column})
    assert built.spec.columns == ("g[none]", "g[lo]", "g[hi]")
    assert np.array_equal(dense(built)[0], [[0, 1, 0], [0, 0, 1], [0, 1, 0]])


def test_polars_categorical_has_no_order_of_its_own():
    data = pl.DataFrame({"y": [1.0, 2, 3], "g": pl.Series(["q", "b", "q"], dtype=pl.Categorical)})
    assert build_model("y ~ g", data).spec.columns == ("g[b]", "g[q]")


def test_index_with_gaps_and_repeats(frame, dense):
    shuffled = frame.iloc[::-1].set_axis([f"r{i // 2}" for i in range(len(frame))])
    built = build_model("y ~ s + I(x - `my col`) + center(x)", shuffled)
    plain = build_model("y ~ s + I(x - `my col`) + center(x)", shuffled.reset_index(drop=True))
    for ours, theirs in zip(dense(built), dense(plain), strict=True):
        assert np.array_equal(ours, theirs)
    assert list(built.index) == [shuffled.index[i] for i in built.rows]


def test_duplicated_names_matter_only_where_used():
    data = pd.DataFrame([[1.0, 2, 3, 4], [2, 3, 4, 9], [3, 5, 1, 1]], columns=["y", "x", "z", "z"])
    assert build_model("y ~ x", data).spec.columns == ("x",)
    for formula in ("y ~ z", "y ~ .", "z ~ x"):
        with pytest.raises(DataError, match="2 columns called 'z'"):
            build_model(formula, data)


def test_integer_names_stand_in_backticks(dense):
    data = pd.DataFrame(np.arange(12.0).reshape(4, 3) ** 2)
    built = build_model("`0` ~ `1` + np.sqrt(`2`)", data)
    assert built.response_name == "0"
    assert built.spec.columns[0] == "1"
    assert np.allclose(dense(built)[1][:, 0], np.sqrt(data[2]))
    assert build_model("`0` ~ 0 + `1`", data).spec.intercept is False
    assert [t.name for t in build_model("`0` ~ `1`:`2` + I(`1` + 1)", data).spec.terms] == [
        "I(`1` + 1)",
        "1:2",
    ]
    assert [t.name for t in build_model("`0` ~ .", data).spec.terms] == ["1", "2"]


def test_a_column_named_like_a_function(dense):
    data = {"y": [1.0, 2, 3], "C": ["a", "b", "a"], "log": [1.0, 2, 3], "I": [2.0, 1, 2]}
    built = build_model("y ~ C + log + I(log**2) + C(I)", data)
    assert [t.name for t in built.spec.terms] == ["C", "log", "I(log ** 2)", "C(I)"]
    assert np.array_equal(dense(built)[2][:, 0], [1, 4, 9])


def test_decimals_and_none_are_numbers(dense):
    data = {"y": [1.0, 2, 3], "x": [decimal.Decimal("1.5"), decimal.Decimal(2), None]}
    assert np.array_equal(dense(build_model("y ~ x", data))[0][:, 0], [1.5, 2])


def test_a_row_of_single_values():
    built = build_model("y ~ s + x", {"y": [1.0, 2], "s": ["a", "b"], "x": [1.0, 2]})
    X, complete, index = built.spec.matrix({"s": "b", "x": 7})
    assert np.array_equal(X, [[0, 1, 7]])
    assert complete.tolist() == [True]
    assert len(index) == 1
    X, _, _ = built.spec.matrix({"s": "a", "x": [1, 2, 3]})
    assert np.array_equal(X, [[1, 0, 1], [1, 0, 2], [1, 0, 3]])


@pytest.mark.parametrize(
    "data",
    [np.zeros((3, 2)), "plans.csv", [1, 2], 3, pl.LazyFrame({"y": [1]}), {"y": {1, 2}}, object()],
)
def test_what_is_not_a_table(data):
    with pytest.raises(DataError):
        build_model("y ~ x", data)


def test_columns_of_different_length():
    with pytest.raises(DataError, match="differ in length"):
        build_model("y ~ x", {"y": [1, 2, 3], "x": [1, 2]})


@pytest.mark.parametrize("data", [pd.DataFrame({"y": [], "x": []}), {"y": [], "x": []}])
def test_no_rows(data):
    with pytest.raises(DataError, match="no rows"):
        build_model("y ~ x", data)


def test_dates_and_mixtures_are_refused(frame):
    with pytest.raises(DataError, match="date"):
        build_model("y ~ d", frame)
    with pytest.raises(DataError, match="mixes"):
        build_model("y ~ g", {"y": [1, 2, 3], "g": ["a", 1, 2.5]})
    with pytest.raises(DataError, match="complex"):
        build_model("y ~ x", {"y": [1, 2], "x": np.array([1j, 2])})


def test_dates_can_be_levels(frame, dense):
    built = build_model("y ~ C(d)", frame.head(3))
    assert dense(built)[0].shape == (3, 3)


def test_unknown_names_offer_near_ones(frame):
    with pytest.raises(FormulaError, match="did you mean 'my col'"):
        build_model("y ~ `my coll`", frame)
    with pytest.raises(FormulaError, match="did you mean 'log'"):
        build_model("y ~ lgo(x)", frame)
    with pytest.raises(DataError, match=r"`weights` names the column .xx.; "):
        build_model("y ~ s", frame, extra={"weights": "xx"})


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32", "int64"])
def test_small_types_do_not_wrap_around(dtype, dense):
    data = {"y": [1.0, 2], "x": np.array([100, 3], dtype=dtype)}
    built = build_model("y ~ I(x**2) + I(0 - x)", data)
    assert np.hstack(dense(built)).tolist() == [[10000, -100], [9, -3]]


def test_blocks_do_not_change_with_the_data(dense):
    x = np.array([1.0, 2, 3])
    data = {"y": [1.0, 2, 3], "x": x}
    built = build_model("y ~ x", data)
    x[0] = 99
    assert dense(built)[0][0, 0] == 1
    assert dense(built)[0].flags.writeable


def test_values_that_cannot_be_levels():
    with pytest.raises(DataError, match="cannot be levels"):
        build_model("y ~ g", {"y": [1.0, 2], "g": [[1], [2, 3]]})
