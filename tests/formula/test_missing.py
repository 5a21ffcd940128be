"""Missing and infinite values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from grpsparse.errors import DataError, OptionError
from grpsparse.formula import build_model


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "y": [1.0, 2, 3, np.nan, 5, 6, 7],
            "x": [1.0, np.nan, 3, 4, 5, 6, 8],
            "g": ["a", "b", None, "b", "a", "a", "b"],
            "w": [1, 1, 1, 1, np.nan, 1, 1],
            "unused": [np.nan] * 7,
        },
        index=[10, 20, 30, 40, 50, 60, 70],
    )


def test_rows_missing_anywhere_are_dropped(frame):
    built = build_model("y ~ x + g", frame, extra={"weights": "w"})
    assert built.rows.tolist() == [0, 5, 6]
    assert built.n_given == 7
    assert list(built.index) == [10, 60, 70]
    assert built.extra["weights"].tolist() == [1, 1, 1]
    assert built.response.tolist() == [1, 6, 7]
    (note,) = built.notes
    assert note.startswith("4 rows with missing values dropped")
    assert "x: 1" in note
    assert "w: 1" in note


def test_nothing_to_say_about_complete_data(frame):
    built = build_model("y ~ x", frame.loc[[50, 60, 70]])
    assert built.notes == ()
    assert built.rows.tolist() == [0, 1, 2]


def test_raise_names_columns_and_rows(frame):
    with pytest.raises(DataError, match=r"`y` \(rows 3\); `x` \(rows 1\)"):
        build_model("y ~ x", frame, na_action="raise")
    built = build_model("y ~ x", frame.loc[[50, 60]], na_action="raise")
    assert len(built.rows) == 2


def test_learning_uses_the_kept_rows_only(frame, dense):
    built = build_model("y ~ center(x) + scale(x) + poly(x, 2)", frame)
    kept = frame.x[[0, 2, 4, 5, 6]] if 0 in frame.index else frame.x.iloc[[0, 2, 4, 5, 6]]
    assert np.allclose(dense(built)[0][:, 0], kept - kept.mean())
    assert np.allclose(dense(built)[1][:, 0], (kept - kept.mean()) / kept.std())
    assert np.allclose(dense(built)[2].T @ dense(built)[2], np.eye(2))


def test_a_comparison_with_a_missing_value_is_missing(frame):
    built = build_model("y ~ I(x > 2)", frame)
    assert 1 not in built.rows
    _, complete, _ = built.spec.matrix(frame)
    assert complete.tolist() == [True, False, True, True, True, True, True]


def test_an_expression_may_fill_missing_values(frame):
    built = build_model("y ~ x.fillna(0) + C(g.fillna('none')) + I(x.isna())", frame)
    assert built.rows.tolist() == [0, 1, 2, 4, 5, 6]
    assert built.spec.terms[1].levels == ("a", "b", "none")
    X, complete, _ = built.spec.matrix(frame)
    assert complete.all()
    assert X[1, 0] == 0
    assert X[1, -1] == 1


def test_values_that_come_out_missing_are_dropped_and_named(dense):
    data = {"y": [1.0, 2, 3, 4], "x": [-1.0, 1, 2, 3], "z": [1.0, 2, 3, 5]}
    built = build_model("y ~ np.log(x) + center(z)", data)
    assert built.rows.tolist() == [1, 2, 3]
    assert "np.log(x): 1" in built.notes[0]
    assert np.allclose(dense(built)[1][:, 0], [-4 / 3, -1 / 3, 5 / 3])
    _, complete, _ = built.spec.matrix({"x": [-3.0, 2], "z": [1, 1]})
    assert complete.tolist() == [False, True]


@pytest.mark.parametrize("kind", [None, np.nan, pd.NA, pd.NaT])
def test_every_kind_of_missing(kind):
    data = {"y": [1.0, 2, 3], "g": ["a", kind, "b"], "x": [1.0, 2, 3]}
    assert build_model("y ~ g + x", data).rows.tolist() == [0, 2]
    if kind is not pd.NaT:
        numbers = {"y": [1.0, 2, 3], "x": [1, kind, 2]}
        assert build_model("y ~ x", numbers).rows.tolist() == [0, 2]
    flags = {"y": [1.0, 2, 3], "x": [True, kind, False]}
    assert build_model("y ~ x", flags).spec.columns == ("x[False]", "x[True]")


def test_no_complete_row(frame):
    with pytest.raises(DataError, match="unused: 7"):
        build_model("y ~ unused", frame)
    with pytest.raises(DataError, match="No row is complete"):
        build_model("y ~ x + I(x - x + np.nan)", frame)


@pytest.mark.parametrize("na_action", ["drop", "raise"])
@pytest.mark.parametrize("formula", ["y ~ x", "x ~ y", "y ~ np.clip(x, 0, 9)", "y ~ C(x)"])
def test_infinity_always_raises(formula, na_action):
    data = {"y": [1.0, 2, 3], "x": [1.0, np.inf, 3]}
    with pytest.raises(DataError, match="`x` is infinite in 1 row"):
        build_model(formula, data, na_action=na_action)


def test_computed_infinity_raises():
    with pytest.raises(DataError, match=r"`np.log\(x\)` is infinite"):
        build_model("y ~ np.log(x)", {"y": [1.0, 2], "x": [0.0, 1]})
    built = build_model("y ~ np.log(x)", {"y": [1.0, 2], "x": [2.0, 1]})
    with pytest.raises(DataError, match="infinite"):
        built.spec.matrix({"x": [0.0]})
    with pytest.raises(DataError, match="`x` is infinite"):
        built.spec.matrix({"x": [np.inf]})


def test_infinite_weights_raise():
    data = {"y": [1.0, 2], "x": [1.0, 3], "w": [1.0, np.inf]}
    with pytest.raises(DataError, match="`w` is infinite"):
        build_model("y ~ x", data, extra={"weights": "w"})


def test_unknown_action(frame):
    with pytest.raises(OptionError, match="na_action"):
        build_model("y ~ x", frame, na_action="omit")
