"""The columns of terms, against pandas' dummies and formulaic's own matrices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from formulaic import model_matrix
from scipy import sparse

from grpsparse.errors import FormulaError
from grpsparse.formula import build_model
from grpsparse.groups import CellBlock

N = 60


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "y": rng.normal(size=N),
            "x": rng.normal(size=N),
            "z": rng.uniform(1, 5, size=N),
            "a": rng.choice(["u", "v", "w"], N),
            "b": pd.Categorical(rng.choice(["lo", "hi"], N), ["lo", "mid", "hi"], ordered=True),
            "k": rng.integers(1, 5, N),
            "flag": rng.random(N) > 0.4,
        }
    )


def design(built) -> np.ndarray:
    parts = [b.toarray() if hasattr(b, "toarray") else b for b in built.blocks]
    return np.hstack(parts) if parts else np.zeros((len(built.rows), 0))


def same_space(first, second) -> bool:
    """Whether two sets of columns, each beside a constant, span one space."""
    one = np.column_stack([np.ones(len(first)), first])
    two = np.column_stack([np.ones(len(second)), second])
    ranks = [np.linalg.matrix_rank(m) for m in (one, two, np.hstack([one, two]))]
    return ranks[0] == ranks[1] == ranks[2]


def test_factors_are_full_one_hot(frame):
    built = build_model("y ~ a + b + C(k) + flag", frame)
    expected = np.hstack(
        [
            pd.get_dummies(frame.a).to_numpy(float),
            pd.get_dummies(frame.b).to_numpy(float),
            pd.get_dummies(frame.k).to_numpy(float),
            pd.get_dummies(frame.flag).to_numpy(float),
        ]
    )
    assert np.array_equal(design(built), expected)
    terms = built.spec.terms
    assert [t.name for t in terms] == ["a", "b", "C(k)", "flag"]
    assert {t.kind for t in terms} == {"factor"}
    assert {t.scale for t in terms} == {"rms"}
    assert [t.levels for t in terms] == [
        ("u", "v", "w"),
        ("lo", "mid", "hi"),
        (1, 2, 3, 4),
        (False, True),
    ]
    assert built.spec.columns[:6] == ("a[u]", "a[v]", "a[w]", "b[lo]", "b[mid]", "b[hi]")
    assert built.spec.columns[-2:] == ("flag[False]", "flag[True]")


def test_positions_follow_the_terms(frame):
    terms = build_model("y ~ a + x + a:x", frame).spec.terms
    joined = np.concatenate([t.index for t in terms])
    assert np.array_equal(joined, np.arange(7))


@pytest.mark.parametrize(
    "right",
    [
        "x + z",
        "np.log(z) + I(x**2)",
        "{x + z}",
        "poly(x, 3)",
        "bs(x, df=5)",
        "cr(x, df=4)",
        "cc(x, df=4)",
        "a + x",
        "a:x",
        "x:z",
        "poly(x, 2):z",
        "a:poly(x, 2)",
        "center(x) + scale(z)",
        "a:b",
        "a:b:x",
        "a*x + b/z",
    ],
)
def test_columns_equal_formulaic_without_rank_reduction(frame, right):
    built = build_model(f"y ~ {right}", frame)
    theirs = model_matrix(f"y ~ {right}", frame, ensure_full_rank=False).rhs
    theirs = theirs.drop(columns="Intercept")
    assert np.allclose(design(built), theirs.to_numpy(float), rtol=0, atol=1e-12)


def test_a_number_multiplies(frame, dense):
    built = build_model("y ~ 2:x + a + 2:a:b", frame)
    assert np.array_equal(dense(built)[0][:, 0], 2 * frame.x)
    assert [t.name for t in built.spec.terms] == ["2:x", "a", "2:a:b"]
    assert np.allclose(dense(built)[2] @ built.spec.terms[2].margins[0].span, dense(built)[1])


def test_names_equal_formulaic(frame):
    right = "x + a + a:b + a:x + np.log(z) + bs(x, df=4)"
    built = build_model(f"y ~ {right}", frame)
    theirs = model_matrix(f"y ~ {right}", frame, ensure_full_rank=False).rhs
    assert built.spec.columns == tuple(theirs.columns[1:])


@pytest.mark.parametrize("right", ["a + b", "a*b", "a*x", "C(k)*a + x", "flag*x"])
def test_space_equals_formulaic_full_rank(frame, right):
    ours = design(build_model(f"y ~ {right}", frame))
    theirs = model_matrix(f"y ~ {right}", frame).rhs.to_numpy(float)[:, 1:]
    assert same_space(ours, theirs)


def test_kinds(frame):
    terms = build_model("y ~ x + a + poly(z, 2) + cs(z, df=3) + a:x", frame).spec.terms
    assert [t.kind for t in terms] == ["numeric", "factor", "spline", "spline", "interaction"]
    assert [t.scale for t in terms] == ["sd", "rms", "sd", "sd", "sd"]


def test_order_is_by_degree_then_as_written(frame):
    terms = build_model("y ~ b:a + x + a:x + b + a", frame).spec.terms
    assert [t.name for t in terms] == ["x", "b", "a", "b:a", "a:x"]


def test_power_and_star_make_the_same_terms(frame):
    star = build_model("y ~ a*b*x - a:b:x", frame)
    power = build_model("y ~ (a + b + x)**2", frame)
    assert [t.name for t in star.spec.terms] == [t.name for t in power.spec.terms]
    assert np.array_equal(design(star), design(power))


@pytest.mark.parametrize("right", ["0 + x + a", "x + a - 1", "-1 + x + a"])
def test_no_intercept(frame, right):
    spec = build_model(f"y ~ {right}", frame).spec
    assert spec.intercept is False
    assert spec.columns == ("x", "a[u]", "a[v]", "a[w]")


def test_intercept_only(frame, dense):
    built = build_model("y ~ 1", frame)
    assert built.spec.intercept
    assert built.spec.terms == ()
    assert dense(built) == ()
    X, complete, _ = built.spec.matrix(frame.head(3))
    assert X.shape == (3, 0)
    assert complete.all()


def test_dot_is_all_columns_but_response(frame):
    assert [t.name for t in build_model("y ~ .", frame).spec.terms] == list(frame.columns[1:])
    built = build_model("np.log(z) ~ . - x", frame)
    assert [t.name for t in built.spec.terms] == ["y", "a", "b", "k", "flag"]


def test_dot_leaves_out_weights(frame):
    built = build_model("y ~ .", frame, extra={"weights": "z"})
    assert "z" not in built.spec.columns
    assert np.array_equal(built.extra["weights"], frame.z)
    assert any("z" in note for note in built.notes)


@pytest.mark.parametrize(
    "right", ["a + b + a:b", "b + a + a:b", "a + x + a:x", "a + b + x + a:x + a:b + a:b:x"]
)
def test_margins_are_sums_of_cells(frame, right, dense):
    built = build_model(f"y ~ {right}", frame)
    checked = 0
    for term, block in zip(built.spec.terms, dense(built), strict=True):
        for margin in term.margins:
            if margin.span is None:
                continue
            assert np.allclose(block @ margin.span, dense(built)[margin.term], atol=1e-14)
            checked += 1
    assert checked > 0


def test_margins_where_a_number_is_left_out_have_no_span(frame):
    terms = build_model("y ~ a + x + a:x", frame).spec.terms
    spans = {terms[m.term].name: m.span for m in terms[2].margins}
    assert spans["a"] is None
    assert np.array_equal(spans["x"], np.ones((3, 1)))


def test_margins_are_only_terms_in_the_formula(frame):
    terms = build_model("y ~ a + a:b", frame).spec.terms
    assert [terms[m.term].name for m in terms[1].margins] == ["a"]
    assert build_model("y ~ a:b", frame).spec.terms[0].margins == ()


def test_unused_levels_keep_their_column(frame, dense):
    built = build_model("y ~ b", frame)
    assert built.spec.columns == ("b[lo]", "b[mid]", "b[hi]")
    assert not dense(built)[0][:, 1].any()


def test_codes_do_not_change_with_the_data():
    many = np.arange(40_000) % 35_000  # so many levels that pandas keeps codes of 32 bits too
    data = pd.DataFrame({"y": np.arange(40_000.0), "g": pd.Categorical(many)})
    (block,) = build_model("y ~ g", data).blocks
    assert not np.shares_memory(block.codes, data.g.cat.codes.to_numpy())


def test_many_levels():
    codes = np.random.default_rng(0).integers(0, 500, 4000)
    wide = pd.DataFrame({"y": np.arange(4000.0), "g": [f"g{c:03d}" for c in codes]})
    expected = pd.get_dummies(wide.g).to_numpy(float)
    built = build_model("y ~ g", wide)
    assert np.array_equal(design(built), expected)


def test_cells_and_cells_times_a_number_are_codes(frame):
    built = build_model("y ~ a + a:b + x + a:x + 2:b + C(a):poly(z, 2)", frame)
    kinds = dict(zip([t.name for t in built.spec.terms], built.blocks, strict=True))
    coded = {name for name, block in kinds.items() if isinstance(block, CellBlock)}
    assert coded == {"a", "a:b", "a:x", "2:b"}
    assert kinds["a"].codes.dtype == np.int32
    assert kinds["a:b"].shape == (N, 9)
    assert np.array_equal(kinds["a:x"].codes, kinds["a"].codes)
    assert np.array_equal(kinds["a:x"].values, frame.x)
    assert np.array_equal(kinds["2:b"].values, np.full(N, 2.0))


@pytest.mark.parametrize("right", ["a", "a:b", "a:x", "a:b:x:z"])
def test_codes_stand_for_the_same_columns_sparse_and_dense(frame, right):
    (block,) = build_model(f"y ~ {right}", frame).blocks
    theirs = model_matrix(f"y ~ {right}", frame, ensure_full_rank=False).rhs.iloc[:, 1:]
    assert np.allclose(block.toarray(), theirs.to_numpy(float), rtol=0, atol=1e-12)
    stored = block.tocsc()
    assert sparse.issparse(stored)
    assert stored.has_sorted_indices
    assert np.array_equal(stored.toarray(), block.toarray())


def test_whole_floats_are_levels_without_a_point():
    data = pd.DataFrame({"y": [1.0, 2, 3, 4], "g": [1, 2, None, 1]})
    assert build_model("y ~ C(g)", data).spec.columns == ("C(g)[1]", "C(g)[2]")


def test_one_level_is_one_constant_column(dense):
    data = {"y": [1.0, 2, 3], "g": ["a", "a", "a"]}
    built = build_model("y ~ C(g, contr.treatment)", data, single_columns=True)
    assert np.array_equal(dense(built)[0], np.ones((3, 1)))


def test_logical_expressions_are_factors(frame, dense):
    built = build_model("y ~ I(x > 0)", frame)
    assert np.array_equal(dense(built)[0], pd.get_dummies(frame.x > 0).to_numpy(float))


def test_two_columns_of_one_name_raise():
    data = pd.DataFrame({"y": [1.0, 2], "a": ["1", "2"], "a[1]": [3.0, 4]})
    with pytest.raises(FormulaError, match="rename"):
        build_model("y ~ a + `a[1]`", data)


def test_hashed_levels(dense):
    data = {"y": np.arange(8.0), "g": list("abcdefgh")}
    built = build_model("y ~ hashed(g, levels=4)", data)
    assert dense(built)[0].shape == (8, 4)
    assert np.array_equal(dense(built)[0].sum(axis=1), np.ones(8))
