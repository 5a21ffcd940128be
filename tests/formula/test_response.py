"""The left side of a formula."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from grpsparse.errors import DataError, FormulaError
from grpsparse.formula import build_model

DATA = pd.DataFrame(
    {
        "y": [1.0, 4, 9, 2],
        "s": [3, 1, 0, 2],
        "f": [1, 2, 5, 0],
        "g": ["b", "a", "b", "c"],
        "o": pd.Categorical(["lo", "hi", "lo", "lo"], ["lo", "hi"]),
        "t": [True, False, True, True],
        "x": [1.0, 2, 3, 5],
    }
)


def test_numbers_come_raw():
    built = build_model("y ~ x", DATA)
    assert built.response.name == built.response_name == built.spec.response == "y"
    assert built.response.tolist() == [1, 4, 9, 2]


def test_labels_come_raw():
    assert build_model("g ~ x", DATA).response.tolist() == ["b", "a", "b", "c"]
    assert list(build_model("o ~ x", DATA).response.cat.categories) == ["lo", "hi"]
    assert build_model("t ~ x", DATA).response.dtype == bool


def test_expressions():
    built = build_model("np.log(y) ~ x", DATA)
    assert np.allclose(built.response, np.log(DATA.y))
    assert built.response_name == "np.log(y)"
    assert build_model("I(y > 3) ~ x", DATA).response.tolist() == [False, True, True, False]
    assert build_model("{y > 3} ~ x", DATA).response.dtype == bool


def test_a_marked_number_is_a_class():
    response = build_model("C(s) ~ x", DATA).response
    assert list(response.cat.categories) == [0, 1, 2, 3]
    assert response.astype(int).tolist() == [3, 1, 0, 2]
    response = build_model("C(g, levels=['c', 'b', 'a']) ~ x", DATA).response
    assert list(response.cat.categories) == ["c", "b", "a"]


@pytest.mark.parametrize("left", ["cbind(s, f)", "s + f", "[s, f]", "np.column_stack([s, f])"])
def test_counts(left):
    built = build_model(f"{left} ~ x", DATA)
    assert np.array_equal(built.response, DATA[["s", "f"]].to_numpy(float))
    assert built.response_name == left


@pytest.mark.parametrize("left", ["cbind(s, f, `y`)", "s + f + y", "[s, f, y]"])
def test_several_columns_have_names(left):
    built = build_model(f"{left} ~ x", DATA)
    assert list(built.response.columns) == ["s", "f", "y"]
    assert np.array_equal(built.response, DATA[["s", "f", "y"]].to_numpy(float))


def test_expressions_among_several_columns():
    built = build_model("cbind(np.log(y), s + f) ~ x", DATA)
    assert list(built.response.columns) == ["np.log(y)", "s + f"]
    assert np.allclose(built.response["np.log(y)"], np.log(DATA.y))
    assert list(build_model("np.column_stack([s, f]) ~ x", DATA).response.columns) == ["y1", "y2"]


def test_counts_with_a_missing_row():
    data = DATA.assign(f=[1, None, 2, 3])
    built = build_model("cbind(s, f) ~ x", data)
    assert built.response.to_numpy().tolist() == [[3, 1], [0, 2], [2, 3]]


@pytest.mark.parametrize(
    "formula",
    ["s + g ~ x", "s:f ~ x", "1 ~ x", "0 ~ x", "s*f ~ x", "s + f + g ~ x"],
)
def test_left_sides_that_are_no_response(formula):
    with pytest.raises(FormulaError):
        build_model(formula, DATA)


@pytest.mark.parametrize("formula", ["y ~ y", "y ~ x + np.log(y)", "np.log(y) ~ y:x", "s + f ~ f"])
def test_a_response_on_the_right_side(formula):
    with pytest.raises(FormulaError, match="also on the right side"):
        build_model(formula, DATA)


def test_a_date_is_no_response():
    with pytest.raises(DataError, match="date"):
        build_model("d ~ x", DATA.assign(d=pd.Timestamp("2020-01-01")))


@pytest.mark.parametrize("formula", ["s + s ~ x", "s +  s + f ~ x"])
def test_a_response_named_twice(formula):
    with pytest.raises(FormulaError, match="twice"):
        build_model(formula, DATA)
