"""Folds, measures and seeds: every form that is taken, and what is said about the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import grpsparse as gs
from grpsparse import errors

QUICK: dict[str, Any] = {"n_lambda": 4}
FOLDS = np.arange(60) % 4


def splitter(name: str, *arguments: Any) -> Any:
    import sklearn.model_selection as selection

    return getattr(selection, name)(*arguments)


GIVEN: list[tuple[Any, int]] = [
    (FOLDS, 4),
    (FOLDS.tolist(), 4),
    (np.array(list("pqrs"))[FOLDS], 4),
    (pd.Series(FOLDS, index=range(60, 120)), 4),
    ("fold", 4),
    (splitter("KFold", 3), 3),
    (splitter("LeaveOneOut"), 60),
    (list(splitter("KFold", 5).split(FOLDS)), 5),
]


@pytest.mark.parametrize(("folds", "count"), GIVEN, ids=lambda value: type(value).__name__)
def test_given_folds(table: pd.DataFrame, folds: Any, count: int) -> None:
    cv = gs.fit_cv("y ~ x + f", table.assign(fold=FOLDS), folds=folds, **QUICK)
    assert cv.n_folds == count
    assert np.isfinite(cv.cv_mean).all()
    assert np.isfinite(cv.oof).all()
    assert f"{count} folds" in str(cv)


def test_clusters_for_a_splitter(table: pd.DataFrame) -> None:
    cv = gs.fit_cv(
        "y ~ x + f", table, folds=splitter("GroupKFold", 3), fold_groups="cluster", **QUICK
    )
    together = pd.Series(cv.folds).groupby(table["cluster"]).nunique()
    assert (together == 1).all()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"n_folds": 1}, "`n_folds` is 1"),
    ({"n_folds": 61}, "`n_folds` is 61"),
    ({"n_folds": 2.5}, "`n_folds` is 2.5"),
    ({"n_folds": "5"}, "`n_folds` is '5'"),
    ({"folds": "foo"}, "'foo'"),
    ({"folds": FOLDS[:-1]}, "59 values for 60 rows"),
    ({"folds": np.zeros(60)}, "at least two folds"),
    ({"folds": np.where(FOLDS > 2, np.nan, FOLDS)}, "missing"),
    ({"folds": 5}, "`folds`"),
    ({"folds": splitter("ShuffleSplit", 3)}, "exactly once"),
    ({"folds": splitter("RepeatedKFold")}, "exactly once"),
    ({"folds": splitter("GroupKFold", 3)}, "`fold_groups`"),
    ({"folds": FOLDS, "fold_groups": "cluster", "weights": "w"}, "cluster"),
    ({"fold_groups": "b", "n_folds": 3}, "2 clusters"),
    ({"fold_groups": "cluste"}, "did you mean 'cluster'"),
    ({"fold_groups": np.ones(3)}, "3 values"),
    ({"measure": "rmse"}, "'rmse'"),
    ({"measure": "auc"}, "gaussian"),
    ({"measure": 3}, "3"),
    ({"seed": -1}, "`seed` is -1"),
    ({"seed": "a"}, "`seed` is 'a'"),
]


@pytest.mark.parametrize(("options", "says"), BAD, ids=lambda value: str(value)[:30])
def test_bad_arguments(table: pd.DataFrame, options: dict[str, Any], says: str) -> None:
    data = table.assign(cluster=np.arange(60) // 5)
    with pytest.raises(gs.GrpsparseError) as caught:
        gs.fit_cv("y ~ x + f", data, **QUICK, **options)
    assert says in str(caught.value)


MEASURES = {
    "gaussian": ("y", ("deviance", "mse", "mae")),
    "binomial": ("s", ("deviance", "class", "auc", "brier", "mse", "mae")),
    "multinomial": ("c", ("deviance", "class", "brier", "mse", "mae")),
    "poisson": ("k", ("deviance", "mse", "mae")),
}


@pytest.mark.parametrize("family", MEASURES)
def test_measures(table: pd.DataFrame, family: str) -> None:
    response, names = MEASURES[family]
    folds = np.random.default_rng(0).integers(0, 3, 60)
    for name in names:
        cv = gs.fit_cv(
            f"{response} ~ x + f", table, family=family, measure=name, folds=folds, **QUICK
        )
        assert cv.measure == name
        assert np.isfinite(cv.cv_mean).all()
        table_of = cv.measures()
        assert table_of.loc[name, "min"] == pytest.approx(cv.cv_mean[cv.index_min])
        assert table_of.loc[name, "1se_se"] == pytest.approx(cv.cv_se[cv.index_1se])
    for name in {"class", "auc", "brier"} - set(names):
        with pytest.raises(errors.OptionError, match=name):
            gs.fit_cv(f"{response} ~ x + f", table, family=family, measure=name)


def test_a_class_missing_from_a_fold_is_named(table: pd.DataFrame) -> None:
    folds = np.where(table["c"] == "u", "first", np.where(FOLDS > 1, "second", "third"))
    with pytest.raises(errors.ResponseError, match=r"'u' .* fold 'first'"):
        gs.fit_cv("c ~ x", table, folds=folds)


def test_a_fold_that_cannot_be_trained_is_named(table: pd.DataFrame) -> None:
    first = FOLDS == 0
    flat = table.assign(y=np.where(first, table["y"], 1.0), k=np.where(first, table["k"], 0))
    folds = np.where(first, "varied", "flat")
    with pytest.raises(errors.ResponseError, match="fold 'varied': y is constant"):
        gs.fit_cv("y ~ x", flat, folds=folds)
    with pytest.raises(errors.ResponseError, match="fold 'varied': k is 0"):
        gs.fit_cv("k ~ x", flat, family="poisson", folds=folds)
    with pytest.raises(errors.WeightsError, match="fold 'varied'"):
        gs.fit_cv("y ~ x", table, folds=folds, weights=first.astype(float))


def test_choices_of_lambda(table: pd.DataFrame) -> None:
    cv = gs.fit_cv("s ~ x + f", table, n_folds=3, seed=1, **QUICK)
    for ask in (cv.coef, cv.selected, cv.summary, cv.confusion):
        ask("min")
        ask("1se")
        ask(cv.lambda_min)
        with pytest.raises(errors.LambdaError, match="lambda_"):
            ask("best")
        with pytest.raises(errors.LambdaError, match="lambda_"):
            ask(None)


def test_the_example_of_the_contract() -> None:
    plans = gs.datasets.load("medicare")
    cv = gs.fit_cv("share ~ brand + C(plan_type)", plans, n_folds=5, seed=1)
    lines = str(cv).splitlines()
    assert lines[0] == 'Call: fit_cv("share ~ brand + C(plan_type)", n_folds=5)'
    assert lines[1].startswith("Multinomial (3 classes), group lasso; n = ")
    assert "5 stratified folds" in lines[1] + lines[2]
    assert any(line == "Measure: multinomial deviance" for line in lines)
    header = next(line for line in lines if "Lambda" in line)
    assert header.split() == ["Lambda", "Index", "Measure", "SE", "Terms", "Nonzero"]
    assert [line.split()[0] for line in lines if line.startswith(("min", "1se"))] == ["min", "1se"]


def test_a_minimum_at_the_end_is_said(table: pd.DataFrame) -> None:
    strong = table.assign(y=3 * table["x"] + 0.01 * table["z"])
    cv = gs.fit_cv("y ~ x", strong, lambda_=[2.0, 1.0, 0.5], n_folds=3, seed=1)
    assert cv.index_min == 2
    assert "Warning: the minimum is at the smallest lambda of the path" in str(cv)
