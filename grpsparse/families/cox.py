"""Cox family: minus the log partial likelihood of survival times, which ties rows together.

    loss = sum_i w_i delta_i (log S(t_i) - eta_i),    S(t) = sum over the rows at risk of w exp(eta)

with weights that sum to one, in the sums over risk sets too (:mod:`grpsparse.families.risk_sets`
has Efron's form for ties, strata, and rows that come under observation late). A row's gradient is
its expected minus its observed number of events, minus the martingale residual. The expected
number is also a bound on the curvature: what the Hessian has beside its diagonal is negative.

There is no intercept: a constant in eta cancels, the baseline hazard has it.

The conjugate has no closed form: it is the least entropy of shares q_s of all steps that add up
to the events less theta. But at theta = minus the gradient the fitted shares p are optimal, at 0
those e of the events, and in between s p + (1 - s) e are possible ones. Their entropy bounds the
conjugate from above, exactly at both ends and with its slope at s = 1, which makes a duality gap:
the optimality conditions scale theta, and never turn it.

References: Cox (1972), doi:10.1111/j.2517-6161.1972.tb00899.x; Andersen & Gill (1982),
doi:10.1214/aos/1176345976, for (start, stop].
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from grpsparse.backend import exp
from grpsparse.errors import FamilyError, ResponseError
from grpsparse.families.entropy import capped, safe_log
from grpsparse.families.risk_sets import RiskSets, risk_sets
from grpsparse.groups import FloatArray

__all__ = ["Cox"]

TIES = ("breslow", "efron")
TURNED = 1e-12  # of the gradient's norm: what rounding may have turned a dual point by


@dataclass(frozen=True, slots=True)
class _Bound:
    """Risk sets, and the arrays that they are of."""

    y: FloatArray
    weights: FloatArray
    sets: RiskSets


@dataclass(frozen=True, slots=True)
class Cox:
    """Cox's proportional hazards model.

    The response is :class:`grpsparse.Surv`; arrays ``y`` have start, stop, event and stratum.

    Parameters
    ----------
    ties : {"breslow", "efron"}
        What is done with events at the same time. Under Breslow a weight of 2 is the same as a
        row twice; Efron is closer to the exact likelihood where many times are tied.
    strata : tuple
        Labels of the strata, taken from the response.

    Raises
    ------
    FamilyError
        Another rule for ties.

    Examples
    --------
    >>> y = np.array([[-np.inf, 1.0, 1.0, 0.0], [-np.inf, 2.0, 0.0, 0.0]])
    >>> Cox().gradient(y, np.zeros((2, 1))).ravel()
    array([-0.5,  0.5])
    """

    ties: str = "breslow"
    strata: tuple[Any, ...] = field(default=(), kw_only=True, repr=False, compare=False)
    _bound: _Bound | None = field(default=None, init=False, repr=False, compare=False)

    name: ClassVar[str] = "cox"
    hessian: ClassVar[str] = "diagonal"
    rescale: ClassVar[float | None] = 1.0
    curvature_bound: ClassVar[float | None] = None
    default_measure: ClassVar[str] = "deviance"
    baseline: ClassVar[bool] = True  # in place of an intercept

    def __post_init__(self) -> None:
        if self.ties not in TIES:
            raise FamilyError(
                f"`ties` is {self.ties!r}; it is {' or '.join(map(repr, TIES))}, the treatment of "
                "events at the same time."
            )
        labels = (tuple(each) if isinstance(each, list) else each for each in self.strata)
        object.__setattr__(self, "strata", tuple(labels))

    @property
    def title(self) -> str:
        """Name with the treatment of ties and the number of strata."""
        several = f", {len(self.strata)} strata" if self.strata else ""
        return f"Cox ({self.ties.capitalize()} ties{several})"

    def n_outputs(self, y: FloatArray) -> int:  # noqa: ARG002
        """Return 1: columns of y are times, not responses."""
        return 1

    def among(self, y: FloatArray, weights: FloatArray) -> Cox:
        """Return the family bound to rows y (n, 4) under weights (n,)."""
        if self._bound is not None and self._bound.y is y and self._bound.weights is weights:
            return self
        family = replace(self)
        sets = risk_sets(y, weights, efron=self.ties == "efron")
        object.__setattr__(family, "_bound", _Bound(y, weights, sets))
        return family

    def risk_sets(self, y: FloatArray) -> RiskSets:
        """Return the risk sets: those bound, or of rows y (n, 4) of one weight."""
        if self._bound is not None:
            return self._bound.sets
        weights = np.full(y.shape[0], 1.0 / y.shape[0])
        return risk_sets(y, weights, efron=self.ties == "efron")

    def loss(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return log S - eta of every row with an event, 0 for others."""
        sets = self.risk_sets(y)
        logs = sets.at_events(sets.mean_logs(sets.exponentials(eta[:, 0])))
        observed = sets.at_events(np.ones(sets.times.size))
        return logs - observed * eta[:, 0]

    def gradient(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return expected minus observed events."""
        sets = self.risk_sets(y)
        expected = sets.spread(sets.expected(sets.exponentials(eta[:, 0])))
        observed = sets.at_events(np.ones(sets.times.size))
        return (expected - observed)[:, None]

    def curvature(self, y: FloatArray, eta: FloatArray) -> FloatArray:
        """Return the expected number of events, a bound on the Hessian."""
        sets = self.risk_sets(y)
        return sets.spread(sets.expected(sets.exponentials(eta[:, 0])))[:, None]

    def information(self, y: FloatArray, eta: FloatArray, rows: FloatArray) -> FloatArray:
        """Return the Hessian of the mean loss on columns `rows` (m, n), (m, m)."""
        return self.risk_sets(y).information(eta[:, 0], rows)

    def mean(self, eta: FloatArray) -> FloatArray:
        """Return exp(eta), the hazard relative to the baseline's."""
        return np.asarray(exp(capped(eta)))

    def slope(self, eta: FloatArray) -> FloatArray:
        """Return exp(eta)."""
        return self.mean(eta)

    def variance(self, eta: FloatArray) -> FloatArray:
        """Return exp(eta): events are a Poisson process in the hazard."""
        return self.mean(eta)

    def link(self, mu: FloatArray) -> FloatArray:
        """Return log(mu)."""
        return np.asarray(safe_log(mu))

    def saturated_loss(self, y: FloatArray) -> FloatArray:
        """Return the least of log S - eta: only events of its own time are in a row's way."""
        sets = self.risk_sets(y)
        logs = np.bincount(
            sets.step, weights=sets.step_mass * np.log(sets.share), minlength=sets.times.size
        )
        return sets.at_events(np.log(sets.mass) + logs / sets.mass)

    def conjugate(
        self,
        y: FloatArray,  # noqa: ARG002
        theta: FloatArray,  # noqa: ARG002
        offset: FloatArray | float,  # noqa: ARG002
    ) -> FloatArray:
        """Refuse: only `conjugate_near` is known."""
        raise FamilyError(
            "the conjugate of the partial likelihood has no closed form; `conjugate_near` bounds "
            "it beside a gradient, which is where certificates need it."
        )

    def conjugate_near(
        self, y: FloatArray, eta: FloatArray, theta: FloatArray, offset: FloatArray | float
    ) -> FloatArray:
        """Return a bound on the conjugate for theta = s times minus the gradient at eta.

        What rounding turns theta by counts with the length of eta - offset, as much as it may
        change the dual objective; infinite for any other theta.
        """
        sets = self.risk_sets(y)
        found = -self.gradient(y, eta)
        weight = sets.spread(sets.weights)
        square = float(weight @ found[:, 0] ** 2)
        part = float(weight @ (theta * found)[:, 0]) / square if square > 0.0 else 1.0
        part = min(max(part, 0.0), 1.0)
        left = float(np.sqrt(weight @ (theta - part * found)[:, 0] ** 2))
        if left > TURNED * max(np.sqrt(square), 1e-300):
            return np.full(weight.size, np.inf)
        moved = (eta - offset)[:, 0]
        slack = left * float(np.sqrt(weight @ moved**2))
        near = found[:, 0] * moved + self.loss(y, eta)
        slack += sets.mixing_gain(sets.exponentials(eta[:, 0]), part)
        return slack - (1.0 - part) * self.saturated_loss(y) - part * near

    def deviance(self, y: FloatArray, mu: FloatArray) -> FloatArray:
        """Return twice the loss above the saturated one, at eta = log(mu)."""
        return 2.0 * (self.loss(y, self.link(mu)) - self.saturated_loss(y))

    def check_response(
        self, y: FloatArray, weights: FloatArray, *, name: str = "the response"
    ) -> None:
        """Raise ResponseError where no event has anyone to be compared with."""
        seen = y[weights > 0]
        if seen.ndim != 2 or seen.shape[1] != 4:
            raise ResponseError(f"{name} is no survival time; give gs.Surv(time, event).")
        if not (seen[:, 2] > 0.5).any():
            raise ResponseError(
                f"{name} has no event in any row of positive weight; a Cox model needs events. "
                "Check that `event` marks them (True, or 1; or 2 beside 1)."
            )
