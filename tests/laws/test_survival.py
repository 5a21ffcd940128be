"""What must not matter to a Cox model, and what it must be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import grpsparse as gs

TIGHT = 1e-13
SAME = 1e-9  # of linear predictors, at TIGHT
CERTIFIED = 1e-12  # what is below it in a gap is rounding
TIES = ("breslow", "efron")
LABELS = np.array(["a", "a", "a", "b", "b", "c", "c", "d"])


class Rows:
    """Tied times, some of them late, in two strata."""

    def __init__(self, *, n: int = 90, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.X = rng.normal(size=(n, LABELS.size)) + 2.0
        eta = (self.X - 2.0) @ np.r_[0.8, 0, -0.5, 0.6, 0, 0, 0, 0]
        time, censored = rng.exponential(np.exp(-eta)), rng.exponential(2.0, n)
        self.stop = np.ceil(12.0 * np.minimum(time, censored))
        self.event = time <= censored
        self.start = np.where(rng.random(n) < 0.4, np.floor(0.5 * self.stop), 0.0)
        self.stratum = rng.choice(["u", "v"], n)
        self.weights = rng.uniform(0.5, 2.0, n)

    def y(self, kind: str = "both") -> gs.Surv:
        strata = self.stratum if kind in {"strata", "both"} else None
        if kind in {"late", "both"}:
            return gs.Surv(self.start, self.stop, self.event, strata=strata)
        return gs.Surv(self.stop, self.event, strata=strata)

    def fit(self, y: Any = None, ties: str = "breslow", **options: Any) -> gs.PathFit:
        chosen: dict[str, Any] = {"groups": LABELS, "n_lambda": 6, "lambda_min_ratio": 0.05}
        family = gs.families.Cox(ties=ties)
        chosen |= {"family": family, "tol": TIGHT} | options
        return gs.fit(chosen.pop("X", self.X), self.y() if y is None else y, **chosen)


@pytest.fixture(scope="module")
def rows() -> Rows:
    return Rows()


def link(fit: gs.PathFit) -> np.ndarray:
    return fit.predict(type="link")


@pytest.mark.parametrize("ties", TIES)
def test_units_and_order_of_time(rows: Rows, ties: str) -> None:
    """Any increasing transform of the clock leaves the order, which is all that is seen."""
    one = rows.fit(ties=ties)
    clock = lambda t: np.expm1(0.1 * t)  # noqa: E731
    other = rows.fit(
        gs.Surv(clock(rows.start), clock(rows.stop), rows.event, strata=rows.stratum), ties
    )
    np.testing.assert_array_equal(one.coef_path, other.coef_path)


@pytest.mark.parametrize("ties", TIES)
def test_a_row_cut_in_two_is_one_row(rows: Rows, ties: str) -> None:
    """(start, stop] as (start, middle] and (middle, stop], the columns being the same."""
    middle = 0.5 * (rows.start + rows.stop)
    start = np.concatenate([rows.start, middle])
    stop, event = np.concatenate([middle, rows.stop]), np.append(np.zeros(90), rows.event)
    y = gs.Surv(start, stop, event, strata=np.tile(rows.stratum, 2))
    # every subject counts once in standardisation either way: both halves have its columns
    options = {"standardize": "group", "weights": np.ones(180)}
    whole, halves = rows.fit(ties=ties), rows.fit(y, ties, X=np.tile(rows.X, (2, 1)), **options)
    # the mean loss is over twice as many rows
    np.testing.assert_allclose(2.0 * halves.lambda_, whole.lambda_, rtol=1e-10)
    np.testing.assert_allclose(halves.coef_path, whole.coef_path, atol=SAME)
    np.testing.assert_allclose(halves.deviance, whole.deviance, rtol=1e-9)


@pytest.mark.parametrize("ties", TIES)
def test_strata_that_are_alike_halve_nothing(rows: Rows, ties: str) -> None:
    """The same rows in two strata are the same rows once."""
    twice = gs.Surv(
        np.tile(rows.stop, 2), np.tile(rows.event, 2), strata=np.repeat(["one", "two"], 90)
    )
    one, two = rows.fit(rows.y("plain"), ties), rows.fit(twice, ties, X=np.tile(rows.X, (2, 1)))
    np.testing.assert_allclose(two.lambda_, one.lambda_, rtol=1e-10)
    np.testing.assert_allclose(two.coef_path, one.coef_path, atol=SAME)
    np.testing.assert_allclose(two.deviance, 2.0 * one.deviance, rtol=1e-9)


def test_a_weight_is_a_row_so_many_times(rows: Rows) -> None:
    """Under Breslow; Efron takes off the events of a time one by one, a weight in one piece."""
    times = np.random.default_rng(2).integers(1, 4, 90)
    index = np.repeat(np.arange(90), times)
    for kind in ("plain", "both"):
        one = rows.fit(rows.y(kind), weights=times.astype(float))
        other = rows.fit(rows.y(kind)[index], X=rows.X[index])
        np.testing.assert_allclose(link(one)[index], link(other), atol=SAME)
        np.testing.assert_allclose(one.deviance, other.deviance, rtol=1e-10)
    one = rows.fit(ties="efron", weights=times.astype(float))
    other = rows.fit(rows.y()[index], "efron", X=rows.X[index])
    assert np.abs(link(one)[index] - link(other)).max() > 1e-4


def test_rows_that_see_no_event_only_centre(rows: Rows) -> None:
    """A row censored before the first event has no part in the likelihood."""
    fit = rows.fit(rows.y("plain"), standardize=False)
    y = gs.Surv(np.append(rows.stop, 0.5), np.append(rows.event, False))
    more = rows.fit(y, standardize=False, X=np.vstack([rows.X, rows.X[:1]]))
    np.testing.assert_allclose(91 / 90 * more.lambda_, fit.lambda_, rtol=1e-10)
    np.testing.assert_allclose(more.coef_path, fit.coef_path, atol=SAME)


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("kind", ["plain", "late", "strata", "both"])
def test_certificates_and_their_second_opinion(rows: Rows, kind: str, ties: str) -> None:
    for options in (
        {"weights": rows.weights},
        {"penalty_factor": {"d": 0}, "tol": 1e-7},
        {"penalty": "sparse_group_lasso", "lambda_": [0.05, 0.0]},
        {"penalty": "group_mcp", "penalty_factor": {"a": 0}, "tol": 1e-9},
    ):
        fit = rows.fit(rows.y(kind), ties, **options)
        assert fit.converged.all()
        assert fit.certificate.min() >= -CERTIFIED
        np.testing.assert_allclose(fit.check(), fit.certificate, rtol=0.01, atol=CERTIFIED)


@pytest.mark.parametrize("ties", TIES)
def test_a_gap_is_a_bound(rows: Rows, ties: str) -> None:
    """Early points of a coarse fit against the minimum: the gap is never below the distance."""
    best = rows.fit(ties=ties, lambda_=[0.03])
    scale = best.null_deviance / (2.0 * 90)
    value = {}
    for tol in (0.3, 1e-2, 1e-4, TIGHT):
        fit = rows.fit(ties=ties, lambda_=[0.03], tol=tol)
        paid = 0.03 * float(fit.group_norms[0] @ fit.group_weights)
        value[tol] = (float(fit.deviance[0]) / (2.0 * 90) + paid) / scale, float(fit.certificate[0])
    for objective, gap in value.values():
        assert objective - value[TIGHT][0] <= gap + CERTIFIED


@pytest.mark.oracle
@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("kind", ["plain", "late", "strata", "both"])
def test_no_penalty_is_statsmodels(rows: Rows, kind: str, ties: str) -> None:
    """PHReg has a row at risk at its entry already: its entry is moved by half a unit of time."""
    from statsmodels.duration.hazard_regression import PHReg

    model = PHReg(
        rows.stop,
        rows.X,
        status=rows.event.astype(int),
        entry=rows.start + 0.5 if kind in {"late", "both"} else None,
        strata=rows.stratum if kind in {"strata", "both"} else None,
        ties=ties,
    )
    found = model.fit(disp=0)
    fit = rows.fit(rows.y(kind), ties, lambda_=[0.0])
    np.testing.assert_allclose(fit.coef_path[0], found.params, atol=1e-7)
    null = model.loglike(np.zeros(LABELS.size))
    assert float(fit.null_deviance - fit.deviance[0]) == pytest.approx(
        2.0 * (found.llf - null), rel=1e-8
    )


@pytest.mark.oracle
def test_a_minimum_of_cvxpy(rows: Rows) -> None:
    """The objective of the documentation, Breslow, for columns as given."""
    cp = pytest.importorskip("cvxpy")
    y, lambda_ = rows.y("late"), 0.05
    fit = rows.fit(y, lambda_=[lambda_], standardize=False)
    b = cp.Variable(LABELS.size)
    eta, lost = (rows.X - rows.X.mean(axis=0)) @ b, 0.0
    for i in np.flatnonzero(rows.event):
        at_risk = np.flatnonzero((rows.start < rows.stop[i]) & (rows.stop >= rows.stop[i]))
        lost += cp.log_sum_exp(eta[at_risk]) - eta[i]
    paid = sum(
        np.sqrt(np.sum(g == LABELS)) * cp.norm(b[np.flatnonzero(g == LABELS)])
        for g in ("a", "b", "c", "d")
    )
    problem = cp.Problem(cp.Minimize(lost / 90 + lambda_ * paid))
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    np.testing.assert_allclose(fit.coef_path[0], b.value, atol=1e-5)


@pytest.mark.parametrize("left", ["Surv(stop, event)", "Surv(start, stop, event)"])
def test_strata_by_both_sides_and_both_doors(rows: Rows, left: str) -> None:
    frame = pd.DataFrame(rows.X, columns=[f"x{k}" for k in range(8)])
    frame = frame.assign(start=rows.start, stop=rows.stop, event=rows.event + 1, z=rows.stratum)
    options = {"groups": "column", "n_lambda": 5, "tol": TIGHT}
    right = gs.fit(f"{left} ~ x0 + strata(z) + x1 + x2", frame, **options)
    within = gs.fit(f"{left[:-1]}, strata=z) ~ x0 + x1 + x2", frame, **options)
    y = rows.y("both" if "start" in left else "strata")
    matrix = gs.fit(rows.X[:, :3], y, **options)
    assert right.family.strata == within.family.strata == ("u", "v")
    np.testing.assert_array_equal(right.coef_path, within.coef_path)
    np.testing.assert_allclose(right.coef_path, matrix.coef_path, atol=SAME)
    crossed = gs.fit(f"{left} ~ x0 + x1 + x2 + strata(z, x0 > 2)", frame, **options)
    assert crossed.family.strata == (("u", False), ("u", True), ("v", False), ("v", True))


def test_the_dot_leaves_out_survival_times_and_strata(rows: Rows) -> None:
    frame = pd.DataFrame(rows.X[:, :2], columns=["x", "y"])
    frame = frame.assign(stop=rows.stop, event=rows.event, z=rows.stratum)
    assert gs.fit("Surv(stop, event) ~ . + strata(z)", frame, n_lambda=2).terms == ("x", "y")
    frame.loc[3, "z"] = None
    assert gs.fit("Surv(stop, event) ~ . + strata(z)", frame, n_lambda=2).nobs == 89


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("stop ~ x + strata(z)", "is for survival times"),
        ("Surv(stop, event) ~ x*strata(z)", "stands by itself"),
        ("Surv(stop, event) ~ x + stop", "also on the right side"),
        ("Surv(stop) ~ x", "no events"),
        ("Surv(stop, event, strata=q) ~ x", "no variable `q`"),
    ],
)
def test_formulas_that_cannot_be(rows: Rows, formula: str, message: str) -> None:
    frame = pd.DataFrame({"x": rows.X[:, 0], "stop": rows.stop, "event": rows.event, "z": "a"})
    with pytest.raises(gs.GrpsparseError, match=message):
        gs.fit(formula, frame)
