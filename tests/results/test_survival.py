"""Baseline hazards, survival curves, residuals and tables of a Cox model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import grpsparse as gs

ROUNDING = 1e-12
TIES = ("breslow", "efron")


def patients(n: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"age": rng.normal(60, 8, n), "arm": rng.choice(list("abc"), n)})
    eta = 0.05 * (data["age"] - 60) + (data["arm"] == "a")
    time, censored = rng.exponential(np.exp(-eta)), rng.exponential(2.0, n)
    data["time"], data["died"] = np.ceil(10 * np.minimum(time, censored)), time <= censored
    data["since"] = np.where(rng.random(n) < 0.3, np.floor(0.5 * data["time"]), 0.0)
    return data.assign(site=rng.choice(["east", "west"], n), w=rng.uniform(0.5, 2.0, n))


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return patients()


LEFT = "Surv(since, time, died) ~ age + arm + strata(site)"


def fitted(data: pd.DataFrame, ties: str, formula: str = LEFT, **options: Any) -> gs.PathFit:
    family = gs.families.Cox(ties=ties)
    return gs.fit(formula, data, family=family, weights="w", lambda_=[0.1, 0.01], **options)


@pytest.mark.parametrize("ties", TIES)
def test_the_baseline_hazard_is_that_of_loops(data: pd.DataFrame, ties: str) -> None:
    fit = fitted(data, ties)
    table = fit.baseline_hazard(0.01)
    assert list(table.columns) == ["stratum", "time", "hazard", "cumulative_hazard", "survival"]
    risk = data["w"] * fit.predict(lambda_=0.01)
    for site, part in table.groupby("stratum"):
        jumps = []
        for t in part["time"]:
            at_risk = (data["site"] == site) & (data["since"] < t) & (data["time"] >= t)
            tied = at_risk & data["died"] & (data["time"] == t)
            whole, own, m = risk[at_risk].sum(), risk[tied].sum(), int(tied.sum())
            if ties == "breslow":
                jumps.append(data["w"][tied].sum() / whole)
            else:
                steps = [1.0 / (whole - k / m * own) for k in range(m)]
                jumps.append(data["w"][tied].mean() * sum(steps))
        np.testing.assert_allclose(part["hazard"], jumps, rtol=ROUNDING)
        np.testing.assert_allclose(part["cumulative_hazard"], np.cumsum(jumps), rtol=ROUNDING)
        np.testing.assert_allclose(part["survival"], np.exp(-np.cumsum(jumps)), rtol=ROUNDING)


@pytest.mark.parametrize("ties", TIES)
def test_survival_curves_follow_from_the_baseline(data: pd.DataFrame, ties: str) -> None:
    fit, new = fitted(data, ties), data.head(4)
    curves = fit.survival(new, 0.01, times=[0.0, 3.0, 7.5, 1e9], strata="site")
    assert curves.index.tolist() == [0.0, 3.0, 7.5, 1e9]
    assert curves.index.name == "time"
    table = fit.baseline_hazard(0.01)
    for row, risk in enumerate(fit.predict(new, 0.01)):
        own = table[table["stratum"] == new["site"].iloc[row]]
        reached = [own["hazard"][own["time"] <= t].sum() for t in curves.index]
        np.testing.assert_allclose(curves[row], np.exp(-risk * np.array(reached)), rtol=ROUNDING)
    hazard = fit.survival(new, 0.01, times=[3.0], strata=new["site"].to_numpy(), type="hazard")
    np.testing.assert_allclose(hazard.loc[3.0], -np.log(curves.loc[3.0]), rtol=ROUNDING)
    assert (fit.survival(None, 0.01).diff().iloc[1:] <= 0).all().all()
    gone = new.assign(age=[np.nan, *new["age"][1:]])
    assert fit.survival(gone, 0.01, strata="site").isna().all().tolist() == [True, *[False] * 3]


@pytest.mark.oracle
def test_the_baseline_hazard_is_that_of_statsmodels(data: pd.DataFrame) -> None:
    """PHReg(ties="breslow"), whose baseline is that of columns at 0, just before each time."""
    from statsmodels.duration.hazard_regression import PHReg

    X = data[["age"]].to_numpy() - 60.0
    model = PHReg(data["time"], X, status=data["died"].astype(int), ties="breslow").fit(disp=0)
    times, hazard, _ = model.baseline_cumulative_hazard[0]
    fit = gs.fit(X, gs.Surv(data["time"], data["died"]), lambda_=[0.0], tol=1e-13)
    table = fit.baseline_hazard(0.0).set_index("time")["cumulative_hazard"]
    theirs = pd.Series(hazard, times).groupby(level=0).last()[table.index]
    at_zero = np.exp(float(fit.predict(np.zeros((1, 1)), 0.0, type="link")[0]))
    np.testing.assert_allclose(at_zero * table.iloc[:-1], theirs.iloc[1:], rtol=1e-7)


@pytest.mark.parametrize("ties", TIES)
def test_residuals_are_those_of_counts(data: pd.DataFrame, ties: str) -> None:
    fit = fitted(data, ties)
    table = fit.augment(0.01)
    assert list(table.columns) == [
        *("start", "time", "event", "stratum", "fitted", "expected", "residual", "weights")
    ]
    martingale = fit.residuals(0.01)
    np.testing.assert_array_equal(table["residual"], martingale)
    np.testing.assert_allclose(table["expected"], table["event"] - martingale, atol=ROUNDING)
    np.testing.assert_allclose(table["fitted"], fit.predict(lambda_=0.01), rtol=ROUNDING)
    # in every stratum as many events as expected
    weighted = (data["w"] * martingale).groupby(data["site"]).sum()
    np.testing.assert_allclose(weighted, 0.0, atol=ROUNDING)
    # Therneau & Grambsch (2000), section 4.3
    event, expected = table["event"].astype(float), table["expected"]
    inner = martingale + event * np.log(np.where(event > 0, expected, 1.0))
    deviance = np.sign(martingale) * np.sqrt(np.maximum(-2.0 * inner, 0.0))
    np.testing.assert_allclose(
        fit.residuals(0.01, type="deviance"), np.sqrt(data["w"]) * deviance, atol=1e-7
    )
    assert np.isfinite(fit.residuals(type="pearson")).all()


def test_a_row_of_weight_zero_is_expected_nothing(data: pd.DataFrame) -> None:
    weights = np.where(np.arange(len(data)) < 5, 0.0, 1.0)
    fit = gs.fit(LEFT, data, weights=weights, lambda_=[0.1])
    assert (fit.augment(0.1)["expected"][:5] == 0.0).all()


@pytest.mark.parametrize("ties", TIES)
def test_deviance_between_points_is_computed(data: pd.DataFrame, ties: str) -> None:
    fit = fitted(data, ties)
    near = fit.summary(0.01 * (1 + 1e-7)).dev_ratio
    assert near == pytest.approx(float(fit.dev_ratio[1]), abs=1e-6)
    assert fit.summary(0.05).dev_ratio < float(fit.dev_ratio[1])


def test_terms_and_offsets_sum_to_the_link(data: pd.DataFrame) -> None:
    formula = "Surv(time, died) ~ age + C(arm, contr.treatment('b'))"
    fit = fitted(data, "efron", formula, offset=np.linspace(0, 1, 80))
    eta = fit.predict(lambda_=0.01, type="link")
    assert data["w"] @ eta / data["w"].sum() == pytest.approx(0.0, abs=1e-12)
    parts = fit.predict(lambda_=0.01, type="terms")
    assert list(parts.columns) == ["age", "C(arm, contr.treatment('b'))", "offset"]
    np.testing.assert_allclose(parts.sum(axis=1), eta, atol=ROUNDING)
    np.testing.assert_allclose(fit.predict(lambda_=0.01), np.exp(eta), rtol=ROUNDING)
    assert not fit.intercept_path.any()
    assert "Intercept" not in fit.coef(0.01).index.get_level_values(0)


def test_saved_and_loaded_with_strata(data: pd.DataFrame, tmp_path: Path) -> None:
    fit = fitted(data, "efron")
    fit.save(tmp_path / "cox.fit")
    back = gs.load(tmp_path / "cox.fit")
    assert back.family == fit.family
    assert back.family.strata == ("east", "west")
    pd.testing.assert_frame_equal(back.baseline_hazard(0.01), fit.baseline_hazard(0.01))
    np.testing.assert_array_equal(back.check(), fit.check())


def test_print_and_plot(data: pd.DataFrame) -> None:
    fit = fitted(data, "efron")
    assert "Cox (Efron ties, 2 strata), group lasso; n = 80, 4 columns in 2 terms" in str(fit)
    assert str(fit.summary(0.01, coefficients=True))
    assert len(fit.tidy(0.01)) == 4
    assert fit.glance()["family"][0] == "cox"
    assert fit.plot() is not None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda fit, new: fit.survival(new, 0.01), "each with a baseline of its own"),
        (lambda fit, new: fit.survival(new, 0.01, strata=["east", "north"]), "label 'north'"),
        (lambda fit, new: fit.survival(new, 0.01, strata=["east"]), "1 labels for 2 rows"),
        (lambda fit, new: fit.survival(new, 0.01, strata="site", times=[-1.0]), "at least 0"),
        (lambda fit, new: fit.survival(new, 0.01, strata="site", type="odds"), "'survival' or"),
        (lambda fit, new: fit.survival(new, strata="site"), "a number must be given"),
        (lambda fit, new: fit.predict(new, type="class"), "no classes"),
        (lambda *_: gs.fit("age ~ arm", patients()).baseline_hazard(0.1), "has no hazard"),
    ],
)
def test_what_cannot_be_asked(data: pd.DataFrame, call: Any, message: str) -> None:
    with pytest.raises(gs.GrpsparseError, match=message):
        call(fitted(data, "breslow"), data.head(2))
