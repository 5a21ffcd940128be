"""The Cox family against loops over risk sets: loss, derivatives, conjugate, and bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

import grpsparse as gs
from grpsparse.families import Cox, among

ROUNDING = 1e-14  # of a mean loss of about 1
STEP = 1e-5  # of central differences, whose error is its square
DIFFERENCES = 1e-9
KINDS = ("plain", "late", "strata", "both")
TIES = ("breslow", "efron")


def times(kind: str, seed: int, *, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows (start, stop, event, stratum) with many ties, weights (three 0), predictors."""
    rng = np.random.default_rng(seed)
    stop = rng.integers(1, 12, n).astype(float)
    start = np.full(n, -np.inf)
    if kind in {"late", "both"}:
        start = np.where(rng.random(n) < 0.5, stop - rng.integers(1, 8, n), start)
    stratum = rng.integers(0, 3, n) if kind in {"strata", "both"} else np.zeros(n)
    y = np.column_stack([start, stop, rng.random(n) < 0.6, stratum]).astype(float)
    weights = rng.uniform(0.2, 2.0, n)
    weights[:3] = 0.0
    return y, weights / weights.sum(), rng.normal(size=n)


def by_loops(y: np.ndarray, w: np.ndarray, eta: np.ndarray, ties: str) -> float:
    """Return minus the log partial likelihood, one event time after the other."""
    start, stop, event, stratum = y.T
    total = 0.0
    for t, s in {(t, s) for t, e, s, v in zip(stop, event, stratum, w, strict=True) if e and v}:
        at_risk = (stratum == s) & (start < t) & (stop >= t) & (w > 0)
        tied = at_risk & (stop == t) & (event > 0)
        whole, own = (float(w[rows] @ np.exp(eta[rows])) for rows in (at_risk, tied))
        m = int(tied.sum())
        if ties == "efron":
            total += w[tied].mean() * sum(np.log(whole - k / m * own) for k in range(m))
        else:
            total += w[tied].sum() * np.log(whole)
        total -= float(w[tied] @ eta[tied])
    return total


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("kind", KINDS)
def test_loss_and_derivatives_are_those_of_loops(kind: str, ties: str) -> None:
    y, w, eta = times(kind, seed=KINDS.index(kind))
    family, n = among(Cox(ties=ties), y, w), len(eta)
    assert float(w @ family.loss(y, eta[:, None])) == pytest.approx(
        by_loops(y, w, eta, ties), abs=ROUNDING
    )
    gradient = w * family.gradient(y, eta[:, None])[:, 0]
    sides = [
        [by_loops(y, w, eta + side * each, ties) for each in np.eye(n)] for side in (STEP, -STEP)
    ]
    np.testing.assert_allclose(
        gradient, (np.array(sides[0]) - np.array(sides[1])) / (2 * STEP), atol=DIFFERENCES
    )
    Z = np.random.default_rng(5).normal(size=(4, n)) + 3.0

    def slope(move: np.ndarray) -> np.ndarray:
        return Z @ (w * family.gradient(y, (eta + move @ Z)[:, None])[:, 0])

    hessian = [(slope(STEP * each) - slope(-STEP * each)) / (2 * STEP) for each in np.eye(4)]
    np.testing.assert_allclose(family.information(y, eta[:, None], Z), hessian, atol=1e-8)


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_curvature_bounds_the_hessian(kind: str, ties: str) -> None:
    y, w, eta = times(kind, seed=7)
    family = among(Cox(ties=ties), y, w)
    hessian = family.information(y, eta[:, None], np.eye(len(eta)))
    bound = np.diag(w * family.curvature(y, eta[:, None])[:, 0])
    assert np.linalg.eigvalsh(bound - hessian)[0] >= -ROUNDING
    assert np.linalg.eigvalsh(hessian)[0] >= -ROUNDING


@pytest.mark.parametrize("ties", TIES)
def test_the_level_of_a_stratum_is_not_seen(ties: str) -> None:
    y, w, eta = times("both", seed=3)
    family = among(Cox(ties=ties), y, w)
    moved = eta + np.array([5.0, -70.0, 300.0])[y[:, 3].astype(int)]
    for part in (family.loss, family.gradient, family.curvature):
        np.testing.assert_allclose(part(y, moved[:, None]), part(y, eta[:, None]), atol=1e-12)


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("kind", KINDS)
def test_wild_predictors_have_a_finite_convex_loss(kind: str, ties: str) -> None:
    y, w, eta = times(kind, seed=4)
    family = among(Cox(ties=ties), y, w)
    for size in (1e2, 1e4, 1e8):
        ends = [float(w @ family.loss(y, side * size * eta[:, None])) for side in (-1.0, 1.0)]
        assert np.isfinite(ends).all()
        assert np.isfinite(family.gradient(y, size * eta[:, None])).all()
        middle = float(w @ family.loss(y, np.zeros((len(eta), 1))))
        assert middle <= 0.5 * sum(ends) * (1 + 1e-12)


def test_no_difference_loses_late_risk_sets() -> None:
    """A first event of risk exp(40), beside which a difference would lose the second set."""
    y = np.array([[-np.inf, 1.0, 1.0, 0.0], [-np.inf, 2.0, 1.0, 0.0], [-np.inf, 3.0, 0.0, 0.0]])
    late = np.where(y[:, :1] == -np.inf, [[-np.inf], [0.5], [0.5]], y[:, :1])
    for rows in (y, np.column_stack([late, y[:, 1:]])):
        eta = np.array([[40.0], [0.0], [0.0]])
        np.testing.assert_allclose(Cox().loss(rows, eta)[1], np.log(2.0 / 3.0), atol=ROUNDING)


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("kind", ["plain", "strata"])
def test_the_saturated_loss_is_the_infimum(kind: str, ties: str) -> None:
    y, w, _ = times(kind, seed=2, n=20)
    family = among(Cox(ties=ties), y, w)
    least = float(w @ family.saturated_loss(y))
    # events in the order of their times, far apart; everyone else far below
    eta = np.where(y[:, 2] > 0, -40.0 * y[:, 1], -600.0)
    assert float(w @ family.loss(y, eta[:, None])) == pytest.approx(least, abs=1e-12)
    for seed in range(5):
        other = 3.0 * np.random.default_rng(seed).normal(size=(20, 1))
        assert float(w @ family.loss(y, other)) >= least - ROUNDING


@pytest.mark.parametrize("ties", TIES)
def test_the_conjugate_is_bounded_sharply(ties: str) -> None:
    """Against the supremum itself: exact at both ends, and of second order at the gradient."""
    y, w, eta = times("strata", seed=1, n=25)
    family = among(Cox(ties=ties), y, w)
    point = eta[:, None]
    theta, offset = -family.gradient(y, point), np.full((25, 1), 0.3)
    above = []
    for part in (1.0, 0.99, 0.9, 0.5):
        bound = float(w @ family.conjugate_near(y, point, part * theta, offset))
        pull = part * w * theta[:, 0]

        def dual(z: np.ndarray, pull: Any = pull) -> tuple[float, np.ndarray]:
            at = z[:, None] + offset
            return pull @ z + w @ family.loss(y, at), pull + w * family.gradient(y, at)[:, 0]

        best = minimize(dual, eta, jac=True, method="BFGS", options={"gtol": 1e-11})
        above.append(bound + best.fun)
    assert abs(above[0]) <= 1e-12
    assert all(each >= -1e-12 for each in above)
    assert above[1] <= 0.03 * above[2]  # a chord would be above by a tenth of it
    none = float(w @ family.conjugate_near(y, point, 0.0 * theta, offset))
    assert none == pytest.approx(-float(w @ family.saturated_loss(y)), abs=1e-14)
    turned = theta + 1e-6 * eta[:, None]
    assert np.isinf(family.conjugate_near(y, point, turned, offset)).all()


def test_without_ties_both_rules_are_one() -> None:
    y, w, eta = times("both", seed=6)
    y[:, 1] += np.linspace(0.0, 0.5, len(y))
    one, other = (among(Cox(ties=ties), y, w) for ties in TIES)
    np.testing.assert_allclose(
        one.gradient(y, eta[:, None]), other.gradient(y, eta[:, None]), atol=1e-13
    )


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ([True, False], [True, False]),
        ([1, 0], [True, False]),
        ([2, 1], [True, False]),
        ([1.0, 1.0], [True, True]),
        (np.array(["1", "0"]), [True, False]),
    ],
)
def test_codes_of_events(event: Any, expected: list[bool]) -> None:
    assert gs.Surv([1.0, 2.0], event).event.tolist() == expected


@pytest.mark.parametrize(
    ("columns", "keywords", "message"),
    [
        (([1, -2], [1, 0]), {}, "is -2 in row 1"),
        (([1, np.nan], [1, 0]), {}, "is nan in row 1"),
        (([1, np.inf], [1, 0]), {}, "is inf in row 1"),
        ((["a", "b"], [1, 0]), {}, "give times as numbers"),
        (([1, 2], [1, 3]), {}, "`event` is 3 in row 1"),
        (([1, 2], [0, 2]), {}, "`event` is 0 in row 0"),
        (([1, 2], [1, np.nan]), {}, "`event` is nan in row 1"),
        (([1, 2], [1]), {}, "2 values, one per row"),
        (([0, 2], [1, 2], [1, 1]), {}, "start 2 and stop 2 in row 1"),
        (([1, 2],), {}, "no events"),
        (([1, 2], [1, 0]), {"strata": ["a"]}, "1 labels for 2 rows"),
        (([1, 2], [1, 0]), {"strata": ["a", None]}, "missing in row 1"),
    ],
)
def test_survival_times_that_are_none(columns: Any, keywords: Any, message: str) -> None:
    with pytest.raises(gs.errors.ResponseError, match=message):
        gs.Surv(*columns, **keywords)


def test_what_survival_times_can_be_fitted_to() -> None:
    X, y = np.arange(8.0).reshape(4, 2) ** 2, gs.Surv([1, 2, 3, 4], [1, 1, 0, 1])
    assert gs.fit(X, y, n_lambda=3).family == Cox()
    assert gs.fit(X, y, family="cox", n_lambda=3).settings.notes == ()
    with pytest.raises(gs.errors.ResponseError, match="the poisson family cannot have"):
        gs.fit(X, y, family="poisson")
    with pytest.raises(gs.errors.ResponseError, match=r"give gs\.Surv\(time, event\)"):
        gs.fit(X, [1, 2, 3, 4], family="cox")
    with pytest.raises(gs.errors.ResponseError, match="no event in any row of positive weight"):
        gs.fit(X, y, weights=[0, 0, 1, 0])
    with pytest.raises(gs.errors.FamilyError, match="it is 'breslow' or 'efron'"):
        Cox(ties="exact")
    with pytest.raises(gs.errors.DataError, match="4 rows but X has 3"):
        gs.fit(X[:3], y)
    with pytest.raises(gs.errors.FamilyError, match="no closed form"):
        Cox().conjugate(y.table(), np.zeros((4, 1)), 0.0)
    note = gs.fit(X, y, intercept=False, n_lambda=3).settings.notes
    assert any("never has one" in each for each in note)


def test_rows_of_survival_times() -> None:
    y = gs.Surv([0, 1, 2], [1, 2, 3], [1, 0, 1], strata=["b", "a", "b"])
    part = y[np.array([True, False, True])]
    assert (len(part), part.labels) == (2, ("a", "b"))
    np.testing.assert_array_equal(part.table(), [[0, 1, 1, 1], [2, 3, 1, 1]])
    assert repr(y) == "Surv: 3 rows, 2 events in 2 strata; times 1 to 3"
