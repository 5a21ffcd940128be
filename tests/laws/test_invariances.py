"""What a fit may not depend on: coding, order, units, storage, and how weights are written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import grpsparse as gs

TIGHT = 1e-13
SAME = 1e-10  # linear predictors of one problem written in two ways, at TIGHT
UNITS = 1e-9  # where a change of units also rounds the data
LABELS = np.array(["a", "a", "a", "b", "b", "c", "c", "d", "e", "e"])
PENALTIES = ("group_lasso", "group_elastic_net", "group_mcp", "group_scad")


def link(fit: gs.PathFit, new: Any = None) -> np.ndarray:
    """Linear predictors (n, [K,] L), classes centred because the softmax sees no more."""
    eta = fit.predict(new, type="link")
    return eta - eta.mean(axis=1, keepdims=True) if eta.ndim == 3 else eta


def assert_same(one: gs.PathFit, other: gs.PathFit, *, atol: float = SAME) -> None:
    """The same lambdas, linear predictors and deviances."""
    np.testing.assert_allclose(other.lambda_, one.lambda_, rtol=1e-10)
    np.testing.assert_allclose(link(other), link(one), atol=atol, rtol=0)
    scale = float(one.null_deviance)
    np.testing.assert_allclose(other.deviance, one.deviance, atol=1e-10 * scale)
    np.testing.assert_array_equal(other.n_terms, one.n_terms)


def assert_same_coefficients(one: gs.PathFit, coef: np.ndarray, *, atol: float) -> None:
    """The same coefficients; in a flat zone a softmax leaves the mean over classes open."""
    expected = one.coef_path
    if expected.ndim == 3 and not gs.penalties.get(one.penalty).convex:
        coef, expected = (each - each.mean(axis=2, keepdims=True) for each in (coef, expected))
    np.testing.assert_allclose(coef, expected, atol=atol)


@pytest.fixture(params=[name for name in gs.penalties.names() if gs.penalties.get(name).convex])
def convex(request: pytest.FixtureRequest) -> str:
    """Every convex penalty in turn."""
    return str(request.param)


CODINGS = (
    "C(f, contr.treatment)",
    'C(f, contr.treatment("q"))',
    "C(f, contr.sum)",
    "C(f, contr.helmert)",
    "C(f, contr.poly)",
    "C(f)",
)


@pytest.mark.parametrize("name", PENALTIES)
def test_coding_of_a_factor(case: Any, name: str) -> None:
    plain = case.fit_formula("f + x + g", penalty=name, weights="w", tol=TIGHT)
    for coding in CODINGS:
        coded = case.fit_formula(f"{coding} + x + g", penalty=name, weights="w", tol=TIGHT)
        assert_same(plain, coded)


@pytest.mark.parametrize("name", PENALTIES)
def test_coding_of_a_matrix_group(case: Any, name: str) -> None:
    """Any basis of a group's span, of full rank or not, with an intercept."""
    rng = np.random.default_rng(1)
    one_hot = pd.get_dummies(case.frame["g"]).to_numpy(float)
    x = case.frame[["x", "z"]].to_numpy()
    y = case.column
    bases = (
        one_hot,
        one_hot[:, 1:],
        one_hot[:, :-1] - one_hot[:, -1:],
        one_hot @ rng.normal(size=(4, 4)),
        one_hot @ rng.normal(size=(4, 6)),
    )
    fits = [
        gs.fit(
            np.hstack([basis, x]),
            y,
            groups=["g"] * basis.shape[1] + ["x", "x"],
            family=case.given,
            penalty=name,
            tol=TIGHT,
            n_lambda=6,
            lambda_min_ratio=0.05,
            weights=case.weights,
        )
        for basis in bases
    ]
    for fit in fits[1:]:
        assert_same(fits[0], fit)


def test_a_formula_is_its_matrix(case: Any) -> None:
    one_hot = {name: pd.get_dummies(case.frame[name]).to_numpy(float) for name in ("f", "g")}
    X = np.hstack([one_hot["f"], case.frame[["x"]].to_numpy(), one_hot["g"]])
    options = {"weights": case.weights, "offset": case.offset, "tol": TIGHT}
    by_matrix = gs.fit(
        X,
        case.column,
        groups=list("fffxgggg"),
        family=case.given,
        n_lambda=8,
        lambda_min_ratio=0.05,
        **options,
    )
    by_formula = case.fit_formula("f + x + g", **options)
    assert_same(by_matrix, by_formula)


INTERACTIONS = (
    ("f*g", "C(f, contr.sum)*C(g, contr.helmert)"),
    ("f*g", "g*f"),
    ("f*g", "f + g + f:g"),
    ("f*x", "C(f, contr.helmert)*x"),
    ("x + f*z", "z*C(f, contr.sum) + x"),
    ("f:g", "C(f, contr.sum):C(g, contr.sum)"),
)


@pytest.mark.parametrize("pair", INTERACTIONS, ids=" | ".join)
def test_coding_of_an_interaction(case: Any, pair: tuple[str, str]) -> None:
    one, other = (case.fit_formula(right, weights="w", tol=TIGHT) for right in pair)
    assert_same(one, other)


def test_rank_of_interactions(case: Any) -> None:
    """What is left of the cells beside their margins: (a - 1)(b - 1), less empty cells."""
    fit = case.fit_formula("f*g + x*f")
    ranks = dict(zip(fit.terms, fit.group_rank.tolist(), strict=True))
    empty = int((pd.crosstab(case.frame["f"], case.frame["g"]) == 0).to_numpy().sum())
    assert {name: ranks.pop(name) for name in ("f", "g", "x", "f:g")} == {
        "f": 2,
        "g": 3,
        "x": 1,
        "f:g": 6 - empty,
    }
    assert list(ranks.values()) == [2]


def test_order_of_terms(case: Any, convex: str) -> None:
    """A nonconvex penalty has several local minima, and the order says which is met."""
    penalty = convex
    one = case.fit_formula("f + x + g + z", penalty=penalty, tol=TIGHT)
    other = case.fit_formula("z + g + f + x", penalty=penalty, tol=TIGHT)
    assert_same(one, other)


@pytest.mark.parametrize("standardize", [False, pytest.param("auto", marks=pytest.mark.slow)])
def test_order_of_columns(case: Any, convex: str, standardize: Any) -> None:
    penalty = convex
    chosen = gs.penalties.get(penalty)
    order = np.random.default_rng(2).permutation(LABELS.size)
    labels = {} if chosen.elementwise else {"groups": LABELS}
    moved = {} if chosen.elementwise else {"groups": LABELS[order]}
    options = {
        "family": case.given,
        "penalty": penalty,
        "standardize": standardize,
        "tol": TIGHT,
        "n_lambda": 6,
        "lambda_min_ratio": 0.1,
    }
    one = gs.fit(case.X, case.y, **labels, **options)
    other = gs.fit(case.X[:, order], case.y, **moved, **options)
    assert_same(one, other)
    np.testing.assert_allclose(other.coef_path, one.coef_path[:, order], atol=1e-8)


def test_order_of_rows(case: Any, penalty: str) -> None:
    order = np.random.default_rng(3).permutation(len(case.y))
    one = case.fit_formula("f*x + g", penalty=penalty, weights="w", tol=TIGHT)
    shuffled = case.frame.iloc[order]
    other = case.fit_formula("f*x + g", penalty=penalty, weights="w", tol=TIGHT, data=shuffled)
    np.testing.assert_allclose(other.lambda_, one.lambda_, rtol=1e-10)
    np.testing.assert_allclose(link(other), link(one)[order], atol=SAME)


def lambdas_of(case: Any, fit: Any) -> dict[str, Any]:
    """Return the lambdas where one of them is pivotal: noise is simulated row by row."""
    return {"lambda_": fit.lambda_} if case.family == "sqrt_gaussian" else {}


def test_weights_are_repeated_rows(case: Any, penalty: str) -> None:
    times = case.frame["w"].to_numpy().astype(int)
    rows = np.repeat(np.arange(len(times)), times)
    one = case.fit_formula("f*x + g", penalty=penalty, weights="w", tol=TIGHT)
    repeated = case.frame.iloc[rows].reset_index(drop=True)
    other = case.fit_formula(
        "f*x + g", penalty=penalty, tol=TIGHT, data=repeated, **lambdas_of(case, one)
    )
    np.testing.assert_allclose(other.lambda_, one.lambda_, rtol=1e-10)
    np.testing.assert_allclose(link(other), link(one)[rows], atol=SAME)
    np.testing.assert_allclose(other.deviance, one.deviance, rtol=1e-9, atol=1e-9)
    assert other.null_deviance == pytest.approx(one.null_deviance, rel=1e-12)


def test_weights_are_repeated_rows_in_cross_validation(case: Any) -> None:
    times = case.frame["w"].to_numpy().astype(int)
    rows = np.repeat(np.arange(len(times)), times)
    folds = np.random.default_rng(5).integers(0, 3, len(times))
    options = {"family": case.given, "tol": TIGHT, "n_lambda": 6, "lambda_min_ratio": 0.1}
    one = gs.fit_cv(f"{case.left} ~ f + x", case.frame, weights="w", folds=folds, **options)
    options |= lambdas_of(case, one)
    other = gs.fit_cv(f"{case.left} ~ f + x", case.frame.iloc[rows], folds=folds[rows], **options)
    np.testing.assert_allclose(other.cv_mean, one.cv_mean, rtol=1e-9)
    np.testing.assert_allclose(other.cv_se, one.cv_se, rtol=1e-7)
    assert other.index_min == one.index_min
    assert other.index_1se == one.index_1se


@pytest.mark.parametrize(
    "factor",
    [7.0, pytest.param(1e-6, marks=pytest.mark.slow), pytest.param(1e8, marks=pytest.mark.slow)],
)
def test_scale_of_weights(case: Any, penalty: str, factor: float) -> None:
    one = case.fit(penalty=penalty, weights=case.weights, tol=TIGHT)
    other = case.fit(penalty=penalty, weights=factor * case.weights, tol=TIGHT)
    np.testing.assert_allclose(other.lambda_, one.lambda_, rtol=1e-12)
    np.testing.assert_allclose(link(other), link(one), atol=SAME)
    np.testing.assert_allclose(other.deviance, factor * one.deviance, rtol=1e-9)
    np.testing.assert_allclose(other.dev_ratio, one.dev_ratio, atol=1e-10)


def test_rows_of_weight_zero_are_not_there(case: Any, penalty: str) -> None:
    """Without interactions, because flat zones of MCP and SCAD separate few rows by them."""
    kept = np.random.default_rng(6).random(len(case.y)) < 0.8
    one = case.fit_formula("f + x", penalty=penalty, data=case.frame[kept], tol=TIGHT)
    other = case.fit_formula("f + x", penalty=penalty, weights=kept.astype(float), tol=TIGHT)
    np.testing.assert_allclose(other.lambda_, one.lambda_, rtol=1e-10)
    np.testing.assert_allclose(link(other)[kept], link(one), atol=SAME)


def test_a_constant_offset_is_the_intercept(case: Any, penalty: str) -> None:
    shift = np.full(case.offset.shape, 0.7)
    one = case.fit(penalty=penalty, tol=TIGHT)
    other = case.fit(penalty=penalty, offset=shift, tol=TIGHT)
    np.testing.assert_allclose(other.lambda_, one.lambda_, rtol=1e-10)
    np.testing.assert_allclose(link(other), link(one), atol=SAME)
    assert_same_coefficients(one, other.coef_path, atol=1e-9)


def test_a_gaussian_offset_is_taken_off_the_response(cases: Any, penalty: str) -> None:
    case = cases("gaussian")
    one = gs.fit(case.X, case.y - case.offset, penalty=penalty, tol=TIGHT, n_lambda=8)
    other = gs.fit(case.X, case.y, offset=case.offset, penalty=penalty, tol=TIGHT, n_lambda=8)
    np.testing.assert_allclose(other.lambda_, one.lambda_, rtol=1e-10)
    np.testing.assert_allclose(link(other) - case.offset[:, None], link(one), atol=SAME)


# A ridge part is lambda t^2 against lambda t; a and eps are norms, in units of y; the composite
# MCP has the root of lambda both as a slope and as a norm.
NORM_IN_UNITS_OF_Y = ("elastic_net", "transformed_l1", "log_sum", "composite_mcp")
# The power of the units of y in lambda, where it is not 1: what a group costs is a loss.
POWER = {"group_lq": 1.5, "group_l0": 2.0, "group_cel0": 2.0, "group_hoyer": 2.0}
POWER["group_cardinality"] = 0.0  # any lambda is the same


@pytest.mark.parametrize(
    "factor",
    [1e-5, pytest.param(3.0, marks=pytest.mark.slow), pytest.param(1e7, marks=pytest.mark.slow)],
)
def test_units_of_the_response(cases: Any, factor: float, penalty: str) -> None:
    case = cases("gaussian")
    if penalty.endswith(NORM_IN_UNITS_OF_Y):
        return
    one = case.fit(penalty=penalty, tol=TIGHT)
    scaled = gs.fit(
        case.X,
        factor * case.y,
        penalty=penalty,
        tol=TIGHT,
        n_lambda=8,
        lambda_min_ratio=0.05,
        **({} if gs.penalties.get(penalty).elementwise else {"groups": LABELS}),
    )
    expected = factor ** POWER.get(penalty, 1.0) * one.lambda_
    np.testing.assert_allclose(scaled.lambda_, expected, rtol=1e-10)
    np.testing.assert_allclose(link(scaled) / factor, link(one), atol=UNITS)
    np.testing.assert_allclose(scaled.dev_ratio, one.dev_ratio, atol=1e-10)
    assert scaled.converged.all()


@pytest.mark.parametrize("factor", [1e-6, pytest.param(1e6, marks=pytest.mark.slow)])
def test_units_of_the_columns(case: Any, penalty: str, factor: float) -> None:
    units = np.where(np.arange(LABELS.size) % 2, factor, 1.0)
    one = case.fit(penalty=penalty, tol=TIGHT)
    other = gs.fit(
        case.X * units + 3.0 * units,
        case.y,
        family=case.given,
        penalty=penalty,
        tol=TIGHT,
        n_lambda=8,
        lambda_min_ratio=0.05,
        **({} if gs.penalties.get(penalty).elementwise else {"groups": LABELS}),
    )
    np.testing.assert_allclose(other.lambda_, one.lambda_, rtol=1e-9)
    np.testing.assert_allclose(link(other), link(one), atol=UNITS)
    shape = (1, -1, 1) if one.coef_path.ndim == 3 else (1, -1)
    assert_same_coefficients(one, other.coef_path * units.reshape(shape), atol=1e-8)


def test_certificates_have_no_units(cases: Any) -> None:
    """Stopped early on purpose: the certificate of the same point is the same number."""
    case = cases("gaussian")
    one = case.fit(tol=1e-4)
    other = gs.fit(
        case.X * 8.0, case.y * 1024.0, groups=LABELS, tol=1e-4, n_lambda=8, lambda_min_ratio=0.05
    )
    np.testing.assert_allclose(other.certificate, one.certificate, rtol=1e-6, atol=1e-14)


def test_frames_of_every_library(case: Any) -> None:
    import polars as pl
    import pyarrow as pa

    one = case.fit_formula("f*x + g + bs(z, df=4)", weights="w")
    columns = {name: case.frame[name].to_numpy() for name in case.frame}
    for data in (
        pl.DataFrame(columns),
        pa.table(columns),
        columns,
        case.frame.convert_dtypes(),
        case.frame.set_index(np.arange(len(case.frame)) * 7 + 3),
    ):
        other = case.fit_formula("f*x + g + bs(z, df=4)", weights="w", data=data)
        np.testing.assert_array_equal(other.lambda_, one.lambda_)
        np.testing.assert_array_equal(other.coef_path, one.coef_path)
        np.testing.assert_array_equal(other.predict(data), one.predict(case.frame))
        assert other.columns == one.columns


def test_no_data_is_the_callers_scope(case: Any) -> None:
    y, f, x = (case.frame[name].to_numpy() for name in ("y", "f", "x"))
    event = case.frame.get("event")
    assert len(y) == len(f) == len(x)
    assert event is None or len(event) == len(y)
    one = case.fit_formula("f*x")
    other = gs.fit(f"{case.left} ~ f*x", family=case.given, n_lambda=8, lambda_min_ratio=0.05)
    np.testing.assert_array_equal(other.coef_path, one.coef_path)


def test_names_of_classes(cases: Any) -> None:
    case = cases("multinomial")
    one = case.fit(tol=TIGHT)
    renamed = pd.Series(case.y).map({"u": "z", "v": "a", "w": "m"}).to_numpy()
    other = gs.fit(case.X, renamed, groups=LABELS, n_lambda=8, lambda_min_ratio=0.05, tol=TIGHT)
    assert other.classes == ("a", "m", "z")
    np.testing.assert_allclose(other.predict(), one.predict()[:, [1, 2, 0]], atol=SAME)


def test_swapped_classes_of_a_binomial(cases: Any, penalty: str) -> None:
    if gs.penalties.get(penalty).matrix:
        pytest.skip("for a quadratic loss")
    case = cases("binomial")
    labels = {} if gs.penalties.get(penalty).elementwise else {"groups": LABELS}
    options = {"penalty": penalty, "n_lambda": 8, "lambda_min_ratio": 0.05, "tol": TIGHT}
    one = gs.fit(case.X, case.y, **labels, **options)
    swapped = pd.Categorical(case.y, categories=["yes", "no"])
    other = gs.fit(case.X, swapped, **labels, **options)
    assert one.classes == ("no", "yes")
    assert other.classes == ("yes", "no")
    np.testing.assert_allclose(link(other), -link(one), atol=SAME)


def test_unused_levels(case: Any) -> None:
    one = case.fit_formula("f*x + g", tol=TIGHT)
    wider = case.frame.assign(f=pd.Categorical(case.frame["f"], categories=list("opqrs")))
    other = case.fit_formula("f*x + g", tol=TIGHT, data=wider)
    assert_same(one, other)
    coef = other.coef(float(other.lambda_[-1]))
    assert not coef.loc[("f", "f[o]")].to_numpy().any()
    assert not coef.loc[("f", "f[s]")].to_numpy().any()


def test_names_of_levels_and_order(case: Any) -> None:
    renamed = case.frame.assign(f=case.frame["f"].map({"p": 3, "q": 1, "r": 2}))
    one = case.fit_formula("C(f)*x + g", tol=TIGHT)
    other = case.fit_formula("C(f)*x + g", tol=TIGHT, data=renamed)
    assert_same(one, other)


def test_labels_of_groups(case: Any) -> None:
    one = case.fit(tol=TIGHT)
    for labels in (
        [0, 0, 0, 1, 1, 2, 2, 3, 4, 4],
        [("t", 1)] * 3 + [("t", 2)] * 2 + [None.__class__.__name__] * 2 + [7.5] + [False] * 2,
        pd.Categorical(LABELS),
        pd.Series(LABELS, index=range(10, 20)),
    ):
        other = case.fit(groups=labels, tol=TIGHT)
        np.testing.assert_array_equal(other.coef_path, one.coef_path)


@pytest.mark.parametrize("penalty_factor", [{"x": 0, "g": 2.0}, [1.0, 0.0, 2.0]])
def test_forms_of_penalty_factors(case: Any, penalty_factor: Any) -> None:
    one = case.fit_formula("f + x + g", penalty_factor={"g": 2, "f": 1, "x": 0})
    other = case.fit_formula("f + x + g", penalty_factor=penalty_factor)
    np.testing.assert_array_equal(other.coef_path, one.coef_path)


def test_storage(case: Any, penalty: str) -> None:
    from scipy import sparse

    options = {
        "family": case.given,
        "penalty": penalty,
        "weights": case.weights,
        "n_lambda": 6,
        "lambda_min_ratio": 0.1,
        "tol": TIGHT,
    }
    if not gs.penalties.get(penalty).elementwise:
        options["groups"] = LABELS
    one = gs.fit(case.X, case.y, **options)
    for X in (
        sparse.coo_array(case.X),
        pd.DataFrame(np.asfortranarray(case.X)),
    ):
        assert_same(one, gs.fit(X, case.y, **options))
