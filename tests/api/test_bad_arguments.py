"""Bad arguments raise an error of the package that names the culprit, and give no numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import grpsparse as gs
from grpsparse import errors

NAN, INF = float("nan"), float("inf")

# (argument, value, kind of error, what the message names)
ARGUMENTS: list[tuple[str, Any, type[Exception], str]] = [
    ("family", "binomal", errors.FamilyError, "did you mean 'binomial'"),
    ("family", 3, errors.FamilyError, "`family` is 3"),
    ("family", None, errors.FamilyError, "`family` is None"),
    ("family", "poisson", errors.ResponseError, "not negative"),
    ("family", "binomial", gs.GrpsparseError, "y"),
    ("family", "multinomial", errors.ResponseError, "too many to be classes"),
    ("penalty", "group_laso", errors.PenaltyError, "did you mean 'group_lasso'"),
    ("penalty", 3, errors.PenaltyError, "`penalty` is 3"),
    ("penalty", gs.GroupMCP, errors.PenaltyError, "`penalty` is"),
    ("groups", [0, 1], errors.OptionError, "belongs to a matrix"),
    ("groups", "terms", errors.OptionError, "did you mean 'term'"),
    ("class_groups", "share", errors.OptionError, "did you mean 'shared'"),
    ("group_weight", "sqrt", errors.OptionError, "None"),
    ("standardize", True, errors.OptionError, "`standardize` is True"),
    ("standardize", "columns", errors.OptionError, "'columns'"),
    ("intercept", "no", errors.OptionError, "`intercept` is 'no'"),
    ("n_lambda", 0, errors.OptionError, "`n_lambda` is 0"),
    ("n_lambda", 2.0, errors.OptionError, "`n_lambda` is 2.0"),
    ("lambda_min_ratio", 0, errors.LambdaError, "`lambda_min_ratio` is 0"),
    ("lambda_min_ratio", 1, errors.LambdaError, "`lambda_min_ratio` is 1"),
    ("lambda_min_ratio", "a", errors.LambdaError, "`lambda_min_ratio` is 'a'"),
    ("lambda_min_ratio", NAN, errors.LambdaError, "nan"),
    ("lambda_", -1, errors.LambdaError, "has -1"),
    ("lambda_", NAN, errors.LambdaError, "has nan;"),
    ("lambda_", INF, errors.LambdaError, "has inf;"),
    ("lambda_", [1, -1], errors.LambdaError, "has -1"),
    ("lambda_", [1, None], errors.LambdaError, "`lambda_`"),
    ("lambda_", [], errors.LambdaError, "`lambda_` has shape (0,)"),
    ("lambda_", [[1, 2]], errors.LambdaError, "`lambda_` has shape (1, 2)"),
    ("lambda_", "max", errors.LambdaError, "'max'"),
    ("lambda_", True, errors.LambdaError, "True"),
    ("lambda_", {0.1}, errors.LambdaError, "`lambda_` is {0.1}"),
    ("max_terms", 0, errors.OptionError, "`max_terms` is 0"),
    ("solver", "bcd", errors.OptionError, "block_descent"),
    ("solver", 3, errors.OptionError, "solver"),
    ("backend", "cupy", errors.BackendError, "cupy"),
    ("backend", "torch", errors.OptionError, "'torch'"),
    ("dtype", "float16", errors.OptionError, "'float16'"),
    ("dtype", np.float32, errors.OptionError, "float32"),
    ("na_action", "omit", errors.OptionError, "'drop', 'raise'"),
    ("tol", 0, errors.OptionError, "`tol` is 0"),
    ("tol", NAN, errors.OptionError, "`tol` is nan"),
    ("tol", "a", errors.OptionError, "`tol` is 'a'"),
    ("progress", "yes", errors.OptionError, "`progress` is 'yes'"),
    ("penalty_factor", -1, errors.GroupError, "-1"),
    ("penalty_factor", "a", errors.GroupError, "`penalty_factor` is 'a'"),
    ("penalty_factor", None, errors.GroupError, "`penalty_factor`"),
    ("penalty_factor", {"xx": 0}, errors.GroupError, "did you mean 'x'"),
    ("penalty_factor", {"f": -1}, errors.GroupError, "`penalty_factor` of 'f' is -1"),
    ("penalty_factor", {"f": INF}, errors.GroupError, "inf"),
    ("penalty_factor", [1], errors.GroupError, "2 terms"),
    ("penalty_factor", [1, NAN], errors.GroupError, "nan"),
    ("weights", np.full(60, -1.0), errors.WeightsError, "-1 at row 0"),
    ("weights", np.zeros(60), errors.WeightsError, "all zero"),
    ("weights", np.full(60, NAN), errors.WeightsError, "row 0"),
    ("weights", np.full(60, INF), errors.WeightsError, "row 0"),
    ("weights", np.ones(5), errors.DataError, "5 values for 60 rows"),
    ("weights", 2, errors.DataError, "single value"),
    ("weights", np.ones((60, 1)), errors.WeightsError, "(60, 1)"),
    ("weights", ["a"] * 60, errors.WeightsError, "not a number"),
    ("weights", "ww", errors.DataError, "did you mean 'w'"),
    ("weights", "f", errors.WeightsError, "`weights`"),
    ("offset", np.ones(3), errors.DataError, "3 values for 60 rows"),
    ("offset", np.ones((60, 2)), errors.WeightsError, "(60, 2)"),
    ("offset", np.full(60, INF), errors.WeightsError, "infinite at row 0"),
    ("offset", "zz", errors.DataError, "did you mean 'z'"),
]


@pytest.mark.parametrize(("name", "value", "kind", "says"), ARGUMENTS)
def test_bad_argument(
    table: pd.DataFrame, name: str, value: Any, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind) as caught:
        gs.fit("y ~ x + f", table, **{name: value})
    assert isinstance(caught.value, gs.GrpsparseError)
    assert says in str(caught.value)
    assert "np.float64" not in str(caught.value)


PENALTIES: list[tuple[str, dict[str, Any], str]] = [
    ("GroupMCP", {"gamma": 1}, "above 1"),
    ("GroupMCP", {"gamma": "a"}, "above 1"),
    ("GroupMCP", {"rescale": "x"}, "`rescale`"),
    ("GroupSCAD", {"gamma": 2}, "above 2"),
    ("MCP", {"gamma": INF}, "`gamma`"),
    ("SCAD", {"gamma": 1.5}, "above 2"),
    ("SparseGroupLasso", {"alpha": 2}, "[0, 1]"),
    ("SparseGroupLasso", {"alpha": -0.1}, "[0, 1]"),
    ("GroupElasticNet", {"alpha": 0}, "(0, 1]"),
    ("ElasticNet", {"alpha": NAN}, "(0, 1]"),
    ("GroupCappedL1", {"theta": 0}, "a positive number"),
    ("GroupTransformedL1", {"a": "1"}, "a positive number"),
    ("GroupLogSum", {"eps": -1}, "a positive number"),
    ("GroupLq", {"q": 1}, "between 0 and 1"),
    ("AdaptiveGroupLasso", {"gamma": 0}, "a positive number"),
]


@pytest.mark.parametrize(("name", "options", "says"), PENALTIES)
def test_bad_parameter_of_a_penalty(name: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(errors.PenaltyError) as caught:
        getattr(gs, name)(**options)
    assert says in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"penalty": "lasso", "standardize": "group"},
        {"penalty": "lasso", "class_groups": "shared"},
        {"penalty": "mcp", "groups": "term"},
        {"penalty": "sparse_group_lasso", "standardize": "group"},
    ],
)
def test_options_that_exclude_each_other(table: pd.DataFrame, options: dict[str, Any]) -> None:
    with pytest.raises(errors.PenaltyError):
        gs.fit("y ~ x + f", table, **options)


@pytest.mark.parametrize("name", ["group_l0", "group_lq"])
def test_a_steep_penalty_needs_a_bounded_curvature(name: str) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(errors.OptionError, match="that of the Poisson family has none; take"):
        gs.fit(rng.normal(size=(20, 3)), rng.poisson(1.0, 20), family="poisson", penalty=name)


FORMULAS: list[tuple[Any, type[Exception], str]] = [
    ("y ~ x + zz", errors.FormulaError, "did you mean 'z'"),
    ("yy ~ x", errors.FormulaError, "did you mean 'y'"),
    ("y ~ nothing_like_it", errors.FormulaError, "nothing_like_it"),
    ("y ~ no_function(x)", errors.FormulaError, "no_function"),
    ("", errors.FormulaError, "`~`"),
    ("y + x", errors.FormulaError, "`~`"),
    ("y ~ ", errors.FormulaError, "right side"),
    ("~ x", errors.FormulaError, "response"),
    ("y ~ x ~ z", errors.FormulaError, "`~`"),
    ("y ~ x | z", errors.FormulaError, "`|`"),
    ("y ~ x + y", errors.FormulaError, "`y` is also on the right"),
    ("y ~ x + np.log(y**2)", errors.FormulaError, "`y` is also on the right"),
    ("y ~ x + offset(z)", errors.FormulaError, "argument `offset`"),
    ("y ~ x +", errors.FormulaError, "x +"),
    ("y ~ (x", errors.FormulaError, "(x"),
    ("y ~ np.log(k)", errors.DataError, "`np.log(k)` is infinite"),
    ("same ~ x", errors.ResponseError, "same is constant"),
    ("one ~ x", errors.ResponseError, "one has one class only"),
    ("f ~ x + f", errors.FormulaError, "`f`"),
]


@pytest.mark.parametrize(("formula", "kind", "says"), FORMULAS)
def test_bad_formula(table: pd.DataFrame, formula: Any, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind) as caught:
        gs.fit(formula, table)
    assert says in str(caught.value)


RESPONSES: list[tuple[str, str, str]] = [
    ("f ~ x", "binomial", "3 levels"),
    ("f ~ x", "gaussian", "labels"),
    ("f ~ x", "poisson", "labels"),
    ("i ~ x", "binomial", "4 levels"),
    ("y ~ x", "poisson", "not negative"),
    ("I(0 * k) ~ x", "poisson", "positive count"),
    ("one ~ x", "multinomial", "one class"),
    ("I(0 * x) ~ z", "binomial", "one class"),
]


@pytest.mark.parametrize(("formula", "family", "says"), RESPONSES)
def test_response_that_a_family_cannot_have(
    table: pd.DataFrame, formula: str, family: str, says: str
) -> None:
    with pytest.raises(errors.ResponseError) as caught:
        gs.fit(formula, table, family=family)
    assert says in str(caught.value)


def changed(table: pd.DataFrame, column: str, value: Any) -> pd.DataFrame:
    out = table.copy()
    out.loc[3, column] = value
    return out


@pytest.mark.parametrize("column", ["x", "y"])
def test_infinity_raises_at_the_formula(table: pd.DataFrame, column: str) -> None:
    with pytest.raises(errors.DataError, match=f"`{column}` is infinite .* row 3"):
        gs.fit("y ~ x + f", changed(table, column, INF))


def test_missing_values(table: pd.DataFrame) -> None:
    holed = changed(table, "x", NAN)
    with pytest.raises(errors.DataError, match="`x`"):
        gs.fit("y ~ x + f", holed, na_action="raise")
    fit = gs.fit("y ~ x + f", holed, n_lambda=5)
    assert fit.nobs == 59
    assert "1 row" in str(fit)
    other = gs.fit("y ~ z", changed(table, "w", NAN), weights="w", n_lambda=5)
    assert other.nobs == 59
    with pytest.raises(errors.DataError, match="No row is complete"):
        gs.fit("y ~ x", table.assign(x=NAN))


MATRICES: list[tuple[str, Any, str]] = [
    ("nan", lambda X: np.where(X[3, 0] != X, X, NAN), "first row 3"),
    ("inf", lambda X: np.where(X[3, 1] != X, X, INF), "'x2'"),
    ("one dimension", lambda X: X[:, 0], "reshape(-1, 1)"),
    ("three dimensions", lambda X: X[None], "3 dimensions"),
    ("complex", lambda X: X + 1j, "complex"),
    ("text", lambda X: X.astype(str), "number"),
    ("no rows", lambda X: X[:0], "0 rows"),
    ("no columns", lambda X: X[:, :0], "0 columns"),
    ("short", lambda X: X[:-1], "60"),
    ("nothing", lambda _: None, "NoneType"),
    ("a table with text", lambda _: pd.DataFrame({"a": ["u"] * 60}), "'a' (str)"),
    ("names twice", lambda X: pd.DataFrame(X, columns=["a", "a"]), "2 columns called 'a'"),
]


@pytest.mark.parametrize(("what", "change", "says"), MATRICES, ids=lambda v: str(v)[:20])
def test_bad_matrix(X: np.ndarray, y: np.ndarray, what: str, change: Any, says: str) -> None:
    with pytest.raises(errors.DataError) as caught:
        gs.fit(change(X), y)
    assert says in str(caught.value), what


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        (lambda y: np.where(y == y[3], NAN, y), errors.ResponseError, "row 3"),
        (lambda y: np.where(y == y[3], INF, y), errors.ResponseError, "row 3"),
        (np.ones_like, errors.ResponseError, "constant"),
        (lambda _: None, errors.DataError, "needs a response"),
        (lambda y: np.column_stack([y, y]), errors.ResponseError, "two columns"),
        (lambda _: np.ones((60, 2, 2)), gs.GrpsparseError, "y"),
    ],
)
def test_bad_response_of_a_matrix(
    X: np.ndarray, y: np.ndarray, change: Any, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind) as caught:
        gs.fit(X, change(y))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "kind", "says"),
    [
        ([0, 0, 1], errors.GroupError, "3 labels but X has 2 columns"),
        ([NAN, 1], errors.GroupError, "'x1'"),
        ([[1], [2]], errors.GroupError, "column 2"),
        (np.ones((2, 1)), errors.GroupError, "(2, 1)"),
        ("term", errors.OptionError, "formula"),
    ],
)
def test_bad_labels(
    X: np.ndarray, y: np.ndarray, labels: Any, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind) as caught:
        gs.fit(X, y, groups=labels)
    assert says in str(caught.value)


def test_column_names_need_a_formula(X: np.ndarray, y: np.ndarray) -> None:
    for role in ("weights", "offset"):
        with pytest.raises(errors.DataError, match=f"`{role}` is the name 'w'"):
            gs.fit(X, y, **{role: "w"})
    with pytest.raises(errors.DataError, match="`folds` is the name 'w'"):
        gs.fit_cv(X, y, folds="w")


@pytest.mark.parametrize("data", [[1, 2], "data.csv", np.ones((3, 2)), 5])
def test_data_of_another_kind(data: Any) -> None:
    with pytest.raises(errors.DataError, match="`data` is of type"):
        gs.fit("y ~ x", data)


def test_empty_data(table: pd.DataFrame) -> None:
    with pytest.raises(errors.DataError, match="no rows"):
        gs.fit("y ~ x", table[:0])


def test_one_row(table: pd.DataFrame, X: np.ndarray, y: np.ndarray) -> None:
    with pytest.raises(errors.ResponseError, match="constant"):
        gs.fit("y ~ x", table[:1])
    with pytest.raises(errors.ResponseError, match="constant"):
        gs.fit(X[:1], y[:1])


def test_formula_and_data_the_wrong_way_round(table: pd.DataFrame) -> None:
    with pytest.raises(gs.GrpsparseError):
        gs.fit(table, "y ~ x")


def test_unknown_arguments(table: pd.DataFrame) -> None:
    with pytest.raises(errors.OptionError, match="did you mean `lambda_min_ratio`"):
        gs.fit("y ~ x", table, lambda_ratio=0.1)
    with pytest.raises(errors.OptionError, match="no argument `xyz`; there are formula, data, fam"):
        gs.fit("y ~ x", table, xyz=0.1)
    with pytest.raises(errors.OptionError, match="did you mean `n_folds`"):
        gs.fit_cv("y ~ x", table, nfolds=3)
    with pytest.raises(errors.OptionError, match="did you mean `weights`"):
        gs.fit_cv("y ~ x", table, weight="w")
    with pytest.raises(errors.OptionError, match="did you mean `weights`"):
        gs.fit_replicates("y ~ x", table, np.ones((1, 60)), weigths="w")


def test_separation_by_unpenalised_terms_names_them(table: pd.DataFrame) -> None:
    apart = table.assign(side=np.where(table["x"] > 0, "p", "q"))
    with pytest.raises(errors.ResponseError, match=r"unpenalised terms \(x\)"):
        gs.fit("side ~ x + z", apart, penalty_factor={"x": 0})
    with pytest.raises(errors.ResponseError, match="no finite fit"):
        gs.fit(
            "k ~ low + x",
            table.assign(low=np.where(table["k"] > 0, "n", "m")),
            family="poisson",
            penalty_factor={"low": 0},
        )


def test_a_class_without_weight_is_named(table: pd.DataFrame) -> None:
    with pytest.raises(errors.ResponseError, match="'a'"):
        gs.fit("f ~ x", table, weights=(table["f"] != "a").astype(float))


REPLICATES: list[tuple[Any, str]] = [
    (None, "(F, 60)"),
    (np.ones((2, 5)), "(2, 5)"),
    (-np.ones((1, 60)), "row 0"),
    (np.zeros((1, 60)), "row 0"),
    (np.full((1, 60), NAN), "row 0"),
    (np.ones((1, 1, 60)), "(1, 1, 60)"),
    (np.ones((0, 60)), "(0, 60)"),
    ("w", "`replicate_weights`"),
]


@pytest.mark.parametrize(("factors", "says"), REPLICATES)
def test_bad_replicate_weights(table: pd.DataFrame, factors: Any, says: str) -> None:
    with pytest.raises(errors.WeightsError) as caught:
        gs.fit_replicates("y ~ x + f", table, factors, n_lambda=3)
    assert says in str(caught.value)


def test_replicates_that_cannot_be_fitted_are_named(table: pd.DataFrame) -> None:
    factors = np.stack([np.ones(60), table["b"].to_numpy(float)])
    with pytest.raises(errors.ResponseError, match="replicate 1"):
        gs.fit_replicates("b ~ x + f", table, factors, n_lambda=3)
    with pytest.raises(errors.ResponseError, match="replicate 0"):
        gs.fit_replicates("y ~ x", table, np.eye(60)[:1], n_lambda=3)
    without = (table["f"] != "c").to_numpy(float)
    with pytest.raises(errors.ResponseError, match="replicate 1"):
        gs.fit_replicates("f ~ x", table, np.stack([np.ones(60), without]), n_lambda=3)


@pytest.mark.parametrize(
    ("role", "bad", "message"),
    [("weights", -1.0, "-1 at row 7"), ("offset", NAN, "missing or infinite at row 7")],
)
def test_rows_are_counted_as_given(
    table: pd.DataFrame, role: str, bad: float, message: str
) -> None:
    values = np.ones(len(table))
    values[7] = bad
    holed = table.assign(x=table["x"].where(np.arange(len(table)) != 2))
    with pytest.raises(errors.WeightsError, match=message):
        gs.fit("y ~ x", holed, **{role: values})
