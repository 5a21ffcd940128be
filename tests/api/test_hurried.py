"""What a hurried user types gives a documented fit, or an error that says what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import grpsparse as gs
from grpsparse import errors

QUICK: dict[str, Any] = {"n_lambda": 6}


def assert_usable(fit: gs.PathFit) -> None:
    """Converged, finite, and printable in 80 columns."""
    assert fit.converged.all()
    assert np.isfinite(fit.coef_path).all()
    for text in (str(fit), str(fit.summary(float(fit.lambda_[-1]), coefficients=True))):
        assert max(len(line) for line in text.splitlines()) <= 80
        assert "nan" not in text.lower().split()
        assert "-0.00\n" not in text


FITS: list[tuple[str, dict[str, Any], str]] = [
    ("y ~ x", {}, "gaussian"),
    ("y ~ .", {}, "gaussian"),
    ("y ~ x*f + bs(z, df=4)", {"weights": "w", "offset": "k"}, "gaussian"),
    ("y ~ 0 + f + x", {}, "gaussian"),
    ("y ~ x + f - 1", {"penalty": "group_mcp"}, "gaussian"),
    ("y ~ x + one + same", {}, "gaussian"),
    ("i ~ x", {}, "gaussian"),
    ("b ~ x", {}, "binomial"),
    ("b ~ x", {"family": "gaussian"}, "gaussian"),
    ("s ~ x + c", {}, "binomial"),
    ("c ~ x + f", {}, "multinomial"),
    ("i ~ x + f", {"family": "multinomial"}, "multinomial"),
    ("C(i) ~ x + f", {}, "multinomial"),
    ("s ~ x", {"family": "multinomial"}, "multinomial"),
    ("k ~ x + f", {"family": "poisson"}, "poisson"),
    ("w ~ x", {"family": "poisson"}, "poisson"),
    ("I(w / 2) ~ x", {"family": "binomial"}, "binomial"),
    ("cbind(k, i) ~ x", {"family": "binomial"}, "binomial"),
    ("np.log(w) ~ np.exp(x) + I(z**2) + C(i)", {}, "gaussian"),
    ("np.sqrt(w) ~ np.sqrt(k)", {}, "gaussian"),
    ("y ~ C(i):x + poly(z, 2)", {}, "gaussian"),
    ("y ~ x + f", {"penalty_factor": 0}, "gaussian"),
    ("y ~ x + f", {"max_terms": 1}, "gaussian"),
    ("y ~ x + f", {"dtype": "float32"}, "gaussian"),
    ("y ~ x + f", {"standardize": None}, "gaussian"),
    ("y ~ x + f", {"groups": "column"}, "gaussian"),
    ("y ~ x + f", {"lambda_": range(3)}, "gaussian"),
    ("y ~ x + f", {"lambda_": [0.1, 0.1, 0.2]}, "gaussian"),
    ("c ~ x + f", {"class_groups": "separate"}, "multinomial"),
]


@pytest.mark.parametrize(("formula", "options", "family"), FITS)
def test_fits(table: pd.DataFrame, formula: str, options: dict[str, Any], family: str) -> None:
    fit = gs.fit(formula, table, **{**QUICK, **options})
    assert fit.family.name == family
    assert_usable(fit)


def test_no_intercept(table: pd.DataFrame, X: np.ndarray, y: np.ndarray) -> None:
    for fit in (
        gs.fit("y ~ x + z", table, intercept=False, **QUICK),
        gs.fit("y ~ 0 + x + z", table, **QUICK),
        gs.fit("y ~ x + z - 1", table, **QUICK),
        gs.fit(X, y, intercept=False, **QUICK),
    ):
        assert not fit.intercept_path.any()
        assert_usable(fit)


def test_intercept_alone(table: pd.DataFrame) -> None:
    fit = gs.fit("y ~ 1", table)
    assert fit.predict(table, 0.0) == pytest.approx(np.full(60, table["y"].mean()))


def test_separated_classes(table: pd.DataFrame) -> None:
    apart = table.assign(side=np.where(table["x"] > 0, "p", "q"))
    assert_usable(gs.fit("side ~ x + z", apart, **QUICK))
    cv = gs.fit_cv("side ~ x + z", apart, n_folds=3, seed=1, **QUICK)
    assert np.isfinite(cv.cv_mean).all()


def test_more_columns_than_rows() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(50, 5000))
    y = X[:, :3].sum(axis=1) + rng.normal(size=50)
    fit = gs.fit(X, y, groups=np.arange(5000) // 5, n_lambda=10)
    assert_usable(fit)
    assert fit.lambda_.min() >= 0.99e-2 * fit.lambda_[0]


def test_many_levels() -> None:
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"f": rng.integers(0, 500, 1500).astype(str), "x": rng.normal(size=1500)})
    data["y"] = data["x"] + rng.normal(size=1500)
    fit = gs.fit("y ~ f + x", data, **QUICK)
    assert_usable(fit)
    assert fit.group_rank.tolist() == [data["f"].nunique() - 1, 1]


def test_two_rows() -> None:
    fit = gs.fit(np.array([[0.0], [1.0]]), np.array([1.0, 2.0]), **QUICK)
    assert_usable(fit)


def test_one_row_in_a_class(table: pd.DataFrame) -> None:
    rare = table.assign(r=np.where(np.arange(60) == 7, "r", table["s"]))
    assert_usable(gs.fit("r ~ z", rare, lambda_min_ratio=0.05, **QUICK))
    with pytest.raises(errors.ResponseError, match=r"class 'r' .* fold"):
        gs.fit_cv("r ~ z", rare, n_folds=3, seed=1, **QUICK)


def test_integer_column_names(X: np.ndarray, y: np.ndarray) -> None:
    frame = pd.DataFrame(X)
    fit = gs.fit(frame, y, penalty_factor={1: 0}, **QUICK)
    assert fit.columns == ("0", "1")
    assert fit.selected(float(fit.lambda_[0])) == ["1"]
    np.testing.assert_array_equal(fit.predict(frame), fit.predict(X))


def test_order_of_new_columns(table: pd.DataFrame) -> None:
    fit = gs.fit(table[["x", "z"]], table["y"], **QUICK)
    np.testing.assert_array_equal(fit.predict(table[["z", "x"]]), fit.predict(table[["x", "z"]]))
    with pytest.raises(errors.DataError, match="'x'"):
        fit.predict(table[["z"]])


def test_an_index_with_gaps(table: pd.DataFrame) -> None:
    gaps = table.set_index(np.arange(60) * 3 + 7)
    one = gs.fit("y ~ x + f", table, weights=table["w"], **QUICK)
    other = gs.fit("y ~ x + f", gaps, weights=gaps["w"], **QUICK)
    np.testing.assert_array_equal(other.coef_path, one.coef_path)
    augmented = other.augment(float(other.lambda_[2]))
    assert augmented.index.tolist() == gaps.index.tolist()


def test_names_twice_raise(table: pd.DataFrame) -> None:
    twice = pd.concat([table[["y", "x"]], table[["x"]]], axis=1)
    with pytest.raises(errors.DataError, match="2 columns called 'x'"):
        gs.fit("y ~ x", twice)


def test_weights_and_offsets_by_name_are_arrays(table: pd.DataFrame) -> None:
    one = gs.fit("y ~ x + f", table, weights="w", offset="z", **QUICK)
    other = gs.fit("y ~ x + f", table, weights=table["w"], offset=table["z"].tolist(), **QUICK)
    np.testing.assert_array_equal(one.coef_path, other.coef_path)
    np.testing.assert_allclose(one.predict(table), other.predict(table, offset=table["z"]))
    with pytest.raises(errors.WeightsError, match="`offset`"):
        other.predict(table)
    with pytest.raises(errors.DataError, match="'z'"):
        one.predict(table.drop(columns="z"))


def test_multinomial_offsets(table: pd.DataFrame) -> None:
    offset = np.random.default_rng(3).normal(size=(60, 3))
    assert_usable(gs.fit("c ~ x", table, offset=offset, **QUICK))
    with pytest.raises(errors.WeightsError, match=r"\(60, 3\)"):
        gs.fit("c ~ x", table, offset=offset[:, 0])


def test_the_library_prints_nothing(
    table: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    gs.fit_cv("s ~ x + f", table, n_folds=3, seed=1, **QUICK)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == ""


def test_progress(table: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    gs.fit("y ~ x + f", table, progress=True, **QUICK)
    gs.fit_cv("y ~ x + f", table, progress=True, n_folds=3, **QUICK)
    gs.fit_replicates("y ~ x + f", table, np.ones((2, 60)), progress=True, **QUICK)
    captured = capsys.readouterr()
    assert captured.out == ""
    for what in ("path", "folds", "replicates"):
        assert what in captured.err


@pytest.mark.parametrize("verb", ["fit", "fit_cv", "fit_replicates"])
def test_interrupts_pass_through(
    table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    from grpsparse.solvers import BlockDescent

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(BlockDescent, "solve", interrupt)
    extra = (np.ones((2, 60)),) if verb == "fit_replicates" else ()
    with pytest.raises(KeyboardInterrupt):
        getattr(gs, verb)("y ~ x + f", table, *extra)


def test_one_warning_for_a_path(table: pd.DataFrame) -> None:
    with pytest.warns(gs.ConvergenceWarning) as caught:
        fit = gs.fit("c ~ x*f + z", table, tol=1e-30)
    assert len(caught) == 1
    assert f"{(~fit.converged).sum()} of {fit.lambda_.size} points" in str(caught[0].message)
    assert caught[0].filename == __file__


BAD_POINTS = (-1, float("nan"), float("inf"), "min", [], [[0.1]], {})


@pytest.mark.parametrize("bad", BAD_POINTS, ids=repr)
def test_bad_points_of_a_path(table: pd.DataFrame, bad: Any) -> None:
    fit = gs.fit("y ~ x + f", table, **QUICK)
    for ask in (fit.predict, fit.coef, fit.tidy, fit.augment, fit.term_norms, fit.residuals):
        with pytest.raises(errors.LambdaError, match="lambda_"):
            ask(lambda_=bad)
    for ask in (fit.selected, fit.summary):
        with pytest.raises(errors.LambdaError, match="lambda_"):
            ask(bad)


def test_several_points_where_one_is_asked_for(table: pd.DataFrame) -> None:
    fit = gs.fit("y ~ x + f", table, **QUICK)
    for ask in (fit.selected, fit.summary):
        with pytest.raises(errors.LambdaError, match="one number"):
            ask([0.1, 0.2])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"type": "respons"}, "'respons'"),
        ({"type": "class"}, "no classes"),
        ({"unseen": "skip"}, "'skip'"),
    ],
)
def test_bad_predictions(table: pd.DataFrame, options: dict[str, Any], says: str) -> None:
    fit = gs.fit("y ~ x + f", table, **QUICK)
    with pytest.raises(errors.OptionError, match=says):
        fit.predict(table, **options)


def test_bad_new_data(table: pd.DataFrame, X: np.ndarray, y: np.ndarray) -> None:
    fit, by_matrix = gs.fit("y ~ x + f", table, **QUICK), gs.fit(X, y, **QUICK)
    with pytest.raises(errors.DataError, match="'f'"):
        fit.predict(table[["x"]])
    with pytest.raises(errors.DataError, match="infinite"):
        fit.predict(table.assign(x=np.inf))
    with pytest.raises(errors.DataError, match="ndarray"):
        fit.predict(X)
    with pytest.raises(errors.DataError, match="3 columns"):
        by_matrix.predict(np.ones((2, 3)))
    assert np.isnan(by_matrix.predict(np.array([[np.nan, 1.0]]))).all()


def test_bad_files(table: pd.DataFrame, tmp_path: Any) -> None:
    junk = tmp_path / "junk"
    junk.write_text("not a fit")
    with pytest.raises(errors.DataError, match="not a fit"):
        gs.load(junk)
    fit = gs.fit("y ~ x", table, **QUICK)
    fit.save(tmp_path / "fit")
    with pytest.raises(errors.DataError, match="PathFit"):
        gs.CVFit.load(tmp_path / "fit")
    with pytest.raises(FileNotFoundError):
        gs.load(tmp_path / "none")
