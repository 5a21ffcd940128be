"""Responses as users have them: what is chosen, how it is encoded, and what is refused."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from grpsparse.errors import FamilyError, ResponseError
from grpsparse.families import Binomial, Poisson, encode_response

LABELS = ["low", "high", "low", "mid", "high", "low"]


def test_numbers_are_gaussian_by_default():
    response = encode_response(np.array([1.5, 2.0, -3.25]))
    assert response.family.name == "gaussian"
    np.testing.assert_array_equal(response.y, [[1.5], [2.0], [-3.25]])
    assert response.classes is None
    assert response.weights_factor is None
    assert response.notes == ("family: gaussian (chosen from a numeric response)",)


@pytest.mark.parametrize(
    ("values", "other"), [([0, 1, 1], "binomial"), ([1.0, 2.0, 3.0, 3.0], "multinomial")]
)
def test_a_few_whole_numbers_stay_numeric_with_a_hint(values, other):
    response = encode_response(np.array(values), name="share")
    assert response.family.name == "gaussian"
    assert f'family="{other}"' in response.notes[1]
    assert response.notes[1].startswith(f"share has {len(set(values))} distinct whole numbers")


def test_many_whole_numbers_need_no_hint():
    assert len(encode_response(np.arange(30)).notes) == 1


@pytest.mark.parametrize(
    "values",
    [
        LABELS,
        np.array(LABELS),
        np.array(LABELS, dtype=object),
        pd.Series(LABELS),
        pd.Series(LABELS, dtype=object),
        pd.Series(LABELS, dtype="string"),
        pl.Series(LABELS).to_pandas(),
        pl.Series(LABELS).to_numpy(),
        np.array(LABELS)[:, None],
    ],
    ids=["list", "str", "object", "pandas", "pandas-object", "string", "polars", "numpy", "column"],
)
def test_labels_are_classes_in_sorted_order(values):
    response = encode_response(values)
    assert response.family.name == "multinomial"
    assert response.classes == ("high", "low", "mid")
    assert all(type(label) is str for label in response.classes)
    np.testing.assert_array_equal(np.argmax(response.y, axis=1), [1, 0, 1, 2, 0, 1])
    np.testing.assert_array_equal(response.y.sum(axis=1), 1.0)
    assert response.notes == ("family: multinomial (chosen from a response of 3 levels)",)


@pytest.mark.parametrize("wrap", [pd.Series, lambda c: c, pd.CategoricalIndex])
def test_a_categorical_keeps_its_order_and_drops_what_is_unused(wrap):
    values = wrap(pd.Categorical(LABELS, categories=["none", "low", "mid", "top", "high"]))
    response = encode_response(values, name="share")
    assert response.classes == ("low", "mid", "high")
    np.testing.assert_array_equal(np.argmax(response.y, axis=1), [0, 2, 0, 1, 2, 0])
    assert response.notes[1] == "share: categories without rows are left out: 'none', 'top'"


def test_two_levels_are_binomial_and_the_second_is_the_success():
    response = encode_response(pd.Categorical(["no", "yes", "no"], categories=["yes", "no"]))
    assert response.family == Binomial()
    assert response.classes == ("yes", "no")
    np.testing.assert_array_equal(response.y, [[1.0], [0.0], [1.0]])


@pytest.mark.parametrize(
    "values",
    [
        np.array([True, False, True]),
        pd.Series([True, False, True], dtype="boolean"),
        np.array([True, False, True], dtype=object),
    ],
)
def test_truth_values_are_binomial(values):
    response = encode_response(values)
    assert response.family.name == "binomial"
    assert response.classes == (False, True)
    assert all(type(label) is bool for label in response.classes)
    np.testing.assert_array_equal(response.y, [[1.0], [0.0], [1.0]])


def test_truth_values_are_numbers_for_a_family_of_numbers():
    response = encode_response(np.array([True, False]), family="gaussian")
    np.testing.assert_array_equal(response.y, [[1.0], [0.0]])


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (np.array([0, 1, 1]), (0, 1)),
        (np.array([1, 2, 2]), (1, 2)),
        (np.array([-1.0, 1.0, 1.0]), (-1, 1)),  # a column with gaps comes as floats
        (np.array([-0.5, 0.5, 0.5]), (-0.5, 0.5)),
        (pd.Series([7, 9, 9], dtype="Int64"), (7, 9)),
        (np.array([7, 9, 9], dtype=object), (7, 9)),
        (["a", "b", "b"], ("a", "b")),
    ],
)
def test_two_numbers_are_labels_for_binomial(values, classes):
    response = encode_response(values, family="binomial")
    assert response.classes == classes
    assert [type(label) for label in response.classes] == [type(label) for label in classes]
    np.testing.assert_array_equal(response.y, [[0.0], [1.0], [1.0]])
    assert response.notes == ()


@pytest.mark.parametrize("values", [[0.2, 0.7, 0.7], [0.0, 0.5, 1.0], [0.3, 0.3, 0.3]])
def test_proportions_are_binomial_without_classes(values):
    response = encode_response(np.array(values), family=Binomial())
    assert response.classes is None
    np.testing.assert_array_equal(response.y[:, 0], values)


@pytest.mark.parametrize("wrap", [np.array, pd.DataFrame, list])
def test_two_columns_are_counts(wrap):
    response = encode_response(wrap([[3, 1], [0, 2], [0, 0]]), family="binomial")
    np.testing.assert_array_equal(response.y, [[0.75], [0.0], [0.0]])
    np.testing.assert_array_equal(response.weights_factor, [4.0, 2.0, 0.0])
    assert response.classes is None


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (np.array([3, 1, 2, 2]), (1, 2, 3)),
        (np.array([0.5, 1.5, 0.5, 1.5, 2.5, 2.5, 2.5]), (0.5, 1.5, 2.5)),
        (np.array(["b", "a", "a"]), ("a", "b")),
        (np.array([0, 1, 1]), (0, 1)),
    ],
)
def test_numbers_and_two_classes_are_classes_for_multinomial(values, classes):
    response = encode_response(values, family="multinomial")
    assert response.family.name == "multinomial"
    assert response.classes == classes
    assert response.y.shape == (len(values), len(classes))


def test_poisson_takes_counts():
    response = encode_response(pd.Series([0, 3, 1]), family="poisson")
    assert response.family == Poisson()
    assert response.y.dtype == np.float64
    np.testing.assert_array_equal(response.y, [[0.0], [3.0], [1.0]])


def test_objects_that_are_numbers_are_numbers():
    response = encode_response(np.array([Decimal("1.5"), 2, 3.5], dtype=object))
    np.testing.assert_array_equal(response.y, [[1.5], [2.0], [3.5]])


DATES = np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]")


@pytest.mark.parametrize(
    ("values", "family", "words"),
    [
        ([], "auto", "share has no rows"),
        (np.zeros((0, 2)), "binomial", "share has no rows"),
        (3.0, "auto", r"share has the shape \(\)"),
        (np.zeros((2, 3)), "auto", r"share has the shape \(2, 3\)"),
        ([2.0, 2.0], "auto", r"share is constant \(2"),
        (["a", "a"], "auto", r"share has one class only \('a'\)"),
        ([1, 1], "binomial", "one class only"),
        ([4, 4], "binomial", r"one class only \(4\)"),
        ([1, 1], "multinomial", "one class only"),
        ([True, True], "auto", r"one class only \(True\)"),
        (["a", "b"], "gaussian", "share holds labels \\('a', 'b'\\); family=\"gaussian\" needs"),
        (pd.Categorical([1, 2]), "poisson", r"share holds labels \(1, 2\)"),
        ([1.0, -2.0], "poisson", "share has the value -2"),
        ([0, 0], "poisson", "share is 0 in every row"),
        ([1.0, np.inf], "poisson", "share is inf in row 1"),
        ([np.nan, 1.0], "auto", "share is nan in row 0"),
        ([0.5, 1.2, 0.1], "binomial", "share is 1.2 in row 1; binomial proportions lie in"),
        ([-0.1, 0.2, 0.3], "binomial", "share is -0.1 in row 0"),
        (["a", "b", "c"], "binomial", r"share has 3 levels \('a', 'b', 'c'\)"),
        ([0, 1, 2], "binomial", r"share has 3 levels \(0, 1, 2\)"),
        (list("abcdefghij"), "binomial", r"10 levels \('a', .*, 'g', 'h', \.\.\.\)"),
        (np.arange(40) / 7, "multinomial", "share has 40 distinct values in 40 rows"),
        ([0.1, 0.2, 0.3], "multinomial", 'or give family="gaussian"'),
        ([f"id{k}" for k in range(20)], "auto", "too many to be classes"),
        (np.ones((3, 2)), "auto", 'two columns but family="auto"'),
        (np.ones((3, 2)), "poisson", 'two columns but family="poisson"'),
        ([["a", "b"]], "binomial", "two columns that are not numbers"),
        ([[1, 2], [3, -1]], "binomial", r"share is \(3, -1\) in row 1"),
        ([[1, np.inf]], "binomial", r"share is \(1, inf\) in row 0"),
        (np.zeros((2, 2)), "binomial", "share has no trial in any row"),
        ([[1, 0], [4, 0]], "binomial", "one class only"),
        (DATES, "auto", "share has the type datetime64"),
        (np.array([1j, 2]), "auto", "share has the type complex128"),
        (np.array([1, "a"], dtype=object), "auto", "mixes values of the types int, str"),
        (np.array(["a", None], dtype=object), "auto", "share is missing in row 1"),
        (np.array(["a", np.nan], dtype=object), "auto", "share is missing in row 1"),
        (np.array(["a", pd.NA], dtype=object), "auto", "share is missing in row 1"),
        (pd.Categorical(["a", None]), "auto", "share is missing in row 1"),
    ],
)
def test_responses_that_are_refused(values, family, words):
    with pytest.raises(ResponseError, match=words):
        encode_response(values, family=family, name="share")


def test_an_unknown_family_raises():
    with pytest.raises(FamilyError, match="did you mean 'gaussian'"):
        encode_response([1.0, 2.0], family="gausian")


@pytest.mark.parametrize(
    "values",
    [
        np.array([["2020-01-01", "2020-01-02"]] * 3, dtype="datetime64[D]"),
        np.array([[1 + 2j, 2.0]] * 3),
        [["1", "2"], ["3", "4"], ["5", "6"]],
        [[True, False], [False, True], [True, True]],
    ],
)
def test_several_responses_are_numbers(values):
    """What one response would be refused for, or taken for classes, is no column of numbers."""
    with pytest.raises(ResponseError, match=r"type|not numbers"):
        encode_response(values, family="mgaussian")
