"""The spec on new data, and its way through pickle and JSON."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grpsparse import groups
from grpsparse.errors import DataError, FormulaError, GrpsparseError, OptionError, UnseenLevelError
from grpsparse.formula import ModelSpec, build_model
from grpsparse.groups import Model


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = 40
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "z": rng.uniform(1, 6, n),
            "g": rng.choice(["a", "b", "c"], n),
            "k": rng.integers(1, 4, n),
            "t": rng.random(n) > 0.5,
        }
    )


RIGHT_SIDES = [
    "x + g + k + t",
    "g*t + g:x",
    "poly(x, 3) + bs(z, df=5) + cs(x, df=4) + cr(z, df=3) + cc(z, df=4)",
    "center(x) + scale(z) + standardize(x)",
    "C(g, contr.helmert) + C(k, {'p': [1.5, 0, -1]}) + C(np.floor(z))",
    "np.log(z) + {x / z} + I(x > 0.3) + 2:x + hashed(g, levels=5)",
]


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("right", RIGHT_SIDES)
def test_training_rows_come_back_bit_for_bit(frame, right, single, dense):
    built = build_model(f"y ~ {right}", frame, single_columns=single)
    X, complete, index = built.spec.matrix(frame.drop(columns="y"))
    assert np.array_equal(X, np.hstack(dense(built)))
    assert complete.all()
    assert index.equals(frame.index)
    part, _, _ = built.spec.matrix(frame.iloc[[7, 3]])
    assert np.allclose(part, X[[7, 3]], rtol=0, atol=1e-12)
    for copy in (
        pickle.loads(pickle.dumps(built.spec)),
        ModelSpec.from_dict(json.loads(json.dumps(built.spec.to_dict(), allow_nan=False))),
    ):
        assert np.array_equal(copy.matrix(frame)[0], X)
        assert copy.columns == built.spec.columns
        for ours, theirs in zip(copy.terms, built.spec.terms, strict=True):
            assert (ours.name, ours.kind, ours.scale) == (theirs.name, theirs.kind, theirs.scale)
            assert ours.levels == theirs.levels
            assert ours.report_columns == theirs.report_columns
            assert [m.term for m in ours.margins] == [m.term for m in theirs.margins]
            if theirs.report_coding is not None:
                assert np.array_equal(ours.report_coding, theirs.report_coding)


def test_meets_the_protocol(frame):
    spec: Model = build_model("y ~ x + g", frame).spec
    assert spec.formula == "y ~ x + g"
    assert spec.response == "y"
    assert spec.columns == ("x", "g[a]", "g[b]", "g[c]")


def test_rows_with_missing_values_are_zero_and_flagged(frame):
    spec = build_model("y ~ x + g", frame).spec
    new = pd.DataFrame({"g": ["a", None, "b"], "x": [1.0, 2, np.nan]}, index=["p", "q", "r"])
    X, complete, index = spec.matrix(new)
    assert complete.tolist() == [True, False, False]
    assert np.array_equal(X, [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert list(index) == ["p", "q", "r"]
    X, complete, _ = spec.matrix({"g": [None, None], "x": [None, None]})
    assert not complete.any()
    assert not X.any()


def test_unseen_levels_raise_with_their_names(frame):
    spec = build_model("y ~ x + g", frame).spec
    new = {"x": [1.0, 2, 3], "g": ["a", "zz", "new"]}
    with pytest.raises(UnseenLevelError, match=r"`g`.*'zz', 'new'.*'a', 'b', 'c'"):
        spec.matrix(new)
    X, complete, _ = spec.matrix(new, unseen="shrink")
    assert complete.all()
    assert np.array_equal(X[1:], [[2, 0, 0, 0], [3, 0, 0, 0]])
    with pytest.raises(OptionError, match="unseen"):
        spec.matrix(new, unseen="ignore")


def test_unseen_levels_are_found_after_encoding(frame):
    spec = build_model("y ~ C(np.floor(z))", frame).spec
    assert spec.terms[0].levels == (1, 2, 3, 4, 5)
    X, _, _ = spec.matrix({"z": [3.7]})
    assert X.tolist() == [[0, 0, 1, 0, 0]]
    with pytest.raises(UnseenLevelError, match="9"):
        spec.matrix({"z": [9.2]})


def test_an_unseen_level_in_an_interaction_has_no_cell(frame):
    spec = build_model("y ~ g:t + g:x", frame).spec
    X, _, _ = spec.matrix({"g": ["q", "a"], "t": [True, True], "x": [1.0, 2]}, unseen="shrink")
    assert not X[0].any()
    assert X[1].sum() == 3


def test_shrink_of_a_contrast_is_its_mean(frame, dense):
    built = build_model("y ~ C(g, contr.sum)", frame, single_columns=True)
    X, _, _ = built.spec.matrix({"g": ["new"]}, unseen="shrink")
    assert np.allclose(X[0], dense(built)[0].mean(axis=0))


@pytest.mark.parametrize(
    "values",
    [
        [1, 3],
        [1.0, 3.0],
        np.array([1, 3], dtype=np.int8),
        np.array([1, 3], dtype=np.float32),
        pd.Series([1, 3], dtype="Int64"),
        pd.Categorical([1.0, 3.0], categories=[3.0, 1.0, 9.0]),
        pd.Categorical([1, 3]),
    ],
)
def test_levels_match_across_types(frame, values):
    spec = build_model("y ~ C(k)", frame).spec
    assert np.array_equal(spec.matrix({"k": values})[0], [[1, 0, 0], [0, 0, 1]])


@pytest.mark.parametrize("values", [[False, True], [0, 1], [0.0, 1.0], np.array([0, 1], "u1")])
def test_logical_levels_match_numbers(frame, values):
    spec = build_model("y ~ t", frame).spec
    assert np.array_equal(spec.matrix({"t": values})[0], np.eye(2))


def test_text_levels_match_categories(frame):
    as_text = build_model("y ~ g", frame).spec
    as_category = build_model("y ~ g", frame.astype({"g": "category"})).spec
    new = {"g": pd.Categorical(["c", "a"], ["c", "b", "a"])}
    for spec in (as_text, as_category):
        assert np.array_equal(spec.matrix(new)[0], [[0, 0, 1], [1, 0, 0]])
        assert np.array_equal(spec.matrix({"g": ["c", "a"]})[0], [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize("right", ["x", "np.log(x + 9)", "poly(x, 2)", "C(x)", "x:g"])
@pytest.mark.parametrize(
    "bad", [["p", "q"], pd.Categorical(["1", "2"]), pd.to_datetime(["2020"] * 2)]
)
def test_another_type_than_in_training(frame, right, bad):
    spec = build_model(f"y ~ {right}", frame).spec
    with pytest.raises(DataError, match=r"`x` is .* in the new data"):
        spec.matrix({"x": bad, "g": ["a", "b"]})


def test_numbers_for_text(frame):
    with pytest.raises(UnseenLevelError):
        build_model("y ~ g", frame).spec.matrix({"g": [1, 2]})


def test_missing_columns_of_new_data(frame):
    spec = build_model("y ~ x + g", frame).spec
    with pytest.raises(DataError, match=r"no column called 'g'.*'gg'"):
        spec.matrix({"x": [1.0], "gg": ["a"]})


def test_states_come_from_training(frame, dense):
    built = build_model("y ~ center(x) + poly(x, 2)", frame)
    X, _, _ = built.spec.matrix({"x": [5.0]})
    assert X[0, 0] == pytest.approx(5 - frame.x.mean())
    # the quadratic through the training columns, extended
    basis = np.column_stack([np.ones(len(frame)), frame.x, frame.x**2])
    weights = np.linalg.lstsq(basis, dense(built)[1], rcond=None)[0]
    assert np.allclose(X[0, 1:], np.array([1, 5.0, 25]) @ weights)


def test_splines_do_not_extrapolate_silently(frame):
    spec = build_model("y ~ bs(z, df=4)", frame).spec
    with pytest.raises(DataError, match="range of the training data"):
        spec.matrix({"z": [100.0]})
    clipped = build_model("y ~ bs(z, df=4, extrapolation='clip')", frame).spec
    edge, _, _ = clipped.matrix({"z": [frame.z.max(), 100.0]})
    assert np.array_equal(edge[0], edge[1])


def test_column(frame):
    spec = build_model("y ~ x", frame).spec
    assert np.array_equal(spec.column(frame, "z"), frame.z)
    assert spec.column({"z": [True, None]}, "z")[0] == 1
    with pytest.raises(DataError, match="no column called 'zz'"):
        spec.column(frame, "zz")
    with pytest.raises(DataError, match="numbers"):
        spec.column(frame, "g")
    with pytest.raises(DataError, match="infinite"):
        spec.column({"z": [np.inf]}, "z")


def test_levels_of_every_type_survive_json():
    n = 4
    data = pd.DataFrame(
        {
            "y": np.arange(n, dtype=float),
            "d": pd.date_range("2020-01-01", periods=n),
            "cut": pd.cut(pd.Series([0.5, 1.5, 2.5, 3.5]), [0, 2, 4]),
            "h": [0.1, 0.2, 0.3, 0.1],
        }
    )
    spec = build_model("y ~ C(d) + cut + C(h)", data).spec
    back = ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert np.array_equal(back.matrix(data)[0], spec.matrix(data)[0])
    assert [t.levels for t in back.terms] == [t.levels for t in spec.terms]


def test_a_file_cannot_ask_for_more_than_a_formula_may(frame):
    content = build_model("y ~ np.log(z)", frame).spec.to_dict()
    for text in ("__import__('os').getcwd()", "np.load('f')", "open('f')", "z.__class__"):
        content["factors"][0]["text"] = text
        content["factors"][0]["variables"] = ["z"]
        with pytest.raises(GrpsparseError):
            ModelSpec.from_dict(content)
    with pytest.raises(DataError, match="format"):
        ModelSpec.from_dict({**content, "format": 99})


def test_functions_of_the_scope_are_named_after_loading(frame):
    def double(v):
        return 2 * v

    knots = np.array([2.0, 4.0])
    formula = "y ~ double(x) + bs(z, knots=knots)"
    spec = build_model(formula, frame, scope={"double": double, "knots": knots}).spec
    X, _, _ = spec.matrix(frame)
    content = json.loads(json.dumps(spec.to_dict()))
    loaded = ModelSpec.from_dict(content)
    with pytest.raises(FormulaError, match="double"):
        loaded.matrix(frame)
    for complete in (
        ModelSpec.from_dict(content, scope={"double": double}),
        loaded.with_scope({"double": double}),
    ):
        assert np.array_equal(complete.matrix(frame)[0], X)
    with pytest.raises(FormulaError, match="double"):
        pickle.loads(pickle.dumps(spec)).matrix(frame)


def test_cells_of_many_rows_stay_sparse(frame, monkeypatch):
    built = build_model("y ~ x + g + g:x + C(k):g", frame)
    new = frame.drop(columns="y").copy()
    new.loc[new.index[[2, 5]], "x"] = np.nan
    new["g"] = new["g"].astype(object)
    new.loc[new.index[4], "g"] = "never seen"
    X, complete, _ = built.spec.matrix(new, unseen="shrink")
    monkeypatch.setattr(groups, "DENSE_ENTRIES", 10)
    stored, same, _ = built.spec.matrix(new, unseen="shrink")
    assert sparse.issparse(stored)
    assert np.array_equal(stored.toarray(), X)
    assert np.array_equal(same, complete)
    assert not X[[2, 5]].any()
    assert not X[4, 1:].any()
