"""Variables, functions and values of the caller's scope."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from grpsparse.errors import DataError, FormulaError
from grpsparse.formula import build_model

Y = [1.0, 2.0, 4.0, 3.0]
X = np.array([1.0, 2.0, 3.0, np.nan])
G = pd.Series(list("abab"), index=[5, 6, 7, 8])


def test_variables_without_data(dense):
    built = build_model("y ~ x + g", None, scope={"y": Y, "x": X, "g": G, "np": np})
    assert built.rows.tolist() == [0, 1, 2]
    assert built.n_given == 4
    assert np.array_equal(np.hstack(dense(built)), [[1, 1, 0], [2, 0, 1], [3, 1, 0]])
    assert list(built.index) == [5, 6, 7]
    new, _, _ = built.spec.matrix({"x": [9.0], "g": ["b"]})
    assert new.tolist() == [[9, 0, 1]]


def test_values_inside_calls_without_data(dense):
    scope = {"y": Y, "x": np.arange(4.0), "shift": 10.0, "edges": [1.5]}
    built = build_model("y ~ I(x + shift) + C(np.digitize(x, edges))", None, scope=scope)
    assert dense(built)[0][:, 0].tolist() == [10, 11, 12, 13]
    assert dense(built)[1][:, 1].tolist() == [0, 0, 1, 1]
    assert built.spec.matrix({"x": [5.0]})[0].tolist() == [[15, 0, 1]]


def test_extra_from_the_scope():
    built = build_model(
        "y ~ x", None, scope={"y": Y, "x": X, "w": [1, 2, 3, 4]}, extra={"weights": "w"}
    )
    assert built.extra["weights"].tolist() == [1, 2, 3]


def test_scope_supplies_functions_and_values_beside_data(dense):
    data = {"y": Y, "x": [1.0, 2, 3, 4]}
    scope = {"x": [9, 9, 9, 9], "f": lambda v: v * 10, "c": 3}
    built = build_model("y ~ x + f(x) + I(x + c)", data, scope=scope)
    assert np.hstack(dense(built))[0].tolist() == [1, 10, 4]
    assert built.spec.matrix({"x": [2.0]})[0].tolist() == [[2, 20, 5]]


def test_scope_gives_no_variables_beside_data():
    with pytest.raises(FormulaError, match="variables come from `data`"):
        build_model("y ~ z", {"y": Y, "x": X}, scope={"z": Y})


def test_a_users_function_beats_the_formulas_own(dense):
    data = {"y": Y, "x": [1.0, 2, 3, 4]}
    built = build_model("y ~ center(x)", data, scope={"center": lambda v: v - 1})
    assert dense(built)[0][:, 0].tolist() == [0, 1, 2, 3]


def test_math_functions_give_way_to_those_for_columns(dense):
    data = {"y": Y, "x": [1.0, 2, 3, 4]}
    built = build_model("y ~ log(x)", data, scope={"log": math.log})
    assert np.allclose(dense(built)[0][:, 0], np.log([1, 2, 3, 4]))


def test_a_variable_that_is_not_a_column():
    with pytest.raises(DataError, match="`x` in the calling scope is of type float"):
        build_model("y ~ x", None, scope={"y": Y, "x": 3.0})
    with pytest.raises(DataError, match="differ in length"):
        build_model("y ~ x", None, scope={"y": Y, "x": [1, 2]})
    with pytest.raises(FormulaError, match=r"calling scope.*did you mean 'price'"):
        build_model("y ~ prce", None, scope={"y": Y, "price": Y})
    with pytest.raises(FormulaError, match="calling scope"):
        build_model("y ~ x", None)
    with pytest.raises(FormulaError, match="`data`"):
        build_model("y ~ .", None, scope={"y": Y})


def test_functions_that_fail_say_so():
    data = {"y": Y, "x": [1.0, 2, 3, 4]}
    with pytest.raises(FormulaError, match="ZeroDivisionError"):
        build_model("y ~ f(x)", data, scope={"f": lambda v: v.size / 0})
    with pytest.raises(FormulaError, match="one float"):
        build_model("y ~ f(x)", data, scope={"f": lambda v: float(v.size)})
    with pytest.raises(DataError, match="2 values"):
        build_model("y ~ f(x)", data, scope={"f": lambda v: v[:2]})


def test_a_series_of_the_scope_belongs_into_the_data():
    data = pd.DataFrame({"y": Y, "x": [1.0, 2, 3, 4]}, index=[3, 0, 2, 1])
    with pytest.raises(FormulaError, match="add it to `data`"):
        build_model("y ~ I(x - m)", data, scope={"m": data.x * 2})


def test_expressions_of_whole_columns_are_noted():
    data = {"y": Y, "x": [1.0, 2, 3, 4]}
    (note,) = build_model("y ~ I(x - np.mean(x))", data).notes
    assert "I(x - np.mean(x))" in note
    assert build_model("y ~ center(x)", data).notes == ()
