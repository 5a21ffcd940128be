"""The partial likelihood for a certificate, by a formula of its own.

Whoever is at risk at t has stop >= t and start < t, so a risk set's sum is a difference of two
running sums, which are taken in extended precision where there is one:

    S(t) = sum over stop >= t of w exp(eta) - sum over start >= t of w exp(eta).

The conjugate at a scaled residual is bounded by the entropy of shares q of the rows at risk, each
against its weight w: those that the model fits, mixed with even ones among the events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from grpsparse.groups import BoolArray, FloatArray, IntArray

__all__ = ["PartialLikelihood"]


@dataclass(frozen=True, slots=True)
class _Stratum:
    """Event times of one stratum, and its sums at a linear predictor."""

    rows: BoolArray  # (n,)
    start: FloatArray
    stop: FloatArray
    event: BoolArray
    times: FloatArray  # (T,)
    mass: FloatArray  # weights of the events at each time, (T,)
    steps: list[tuple[FloatArray, FloatArray]]  # mass and share of D taken off, each (T,)
    risk: Any  # w exp(eta - largest), (n,); this and sums of it are in extended precision
    largest: float
    whole: Any  # S, (T,)
    tied: Any  # D, (T,)


@dataclass(frozen=True, slots=True)
class PartialLikelihood:
    """Minus the log partial likelihood of rows (start, stop, event, stratum).

    Parameters
    ----------
    y : ndarray of shape (n, 4)
    share : ndarray of shape (n,)
        Weights that sum to one.
    efron : bool
        Whether the events of a time are taken off one by one.
    """

    y: FloatArray
    share: FloatArray
    efron: bool

    def _strata(self, eta: FloatArray) -> Iterator[_Stratum]:
        for code in np.unique(self.y[:, 3]):
            rows = self.y[:, 3] == code
            start, stop, event = self.y[rows, 0], self.y[rows, 1], self.y[rows, 2] == 1.0
            if not event.any():
                continue
            share = self.share[rows]
            times, place = np.unique(stop[event], return_inverse=True)
            counts = np.bincount(place)
            mass = np.bincount(place, weights=share[event]).astype(np.float64)
            largest = float(eta[rows].max())
            risk = share * np.exp((eta[rows] - largest).astype(np.longdouble))
            tied = np.zeros(times.size, dtype=np.longdouble)
            np.add.at(tied, place, risk[event])
            whole = _from(stop, risk, times) - _from(start, risk, times)
            yield _Stratum(
                rows,
                start,
                stop,
                event,
                times,
                mass,
                self._steps(mass, counts),
                risk,
                largest,
                whole,
                tied,
            )

    def _steps(self, mass: FloatArray, counts: IntArray) -> list[tuple[FloatArray, FloatArray]]:
        """Return one step of all events, or as many as there are events at any time."""
        if not self.efron:
            return [(mass, np.zeros(mass.size))]
        return [
            (np.where(done < counts, mass / counts, 0.0), np.where(done < counts, done / counts, 0))
            for done in range(int(counts.max()))
        ]

    def loss(self, eta: FloatArray) -> float:
        """Return the mean loss at eta (n, 1)."""
        total: Any = np.longdouble(0.0)
        for part in self._strata(eta[:, 0]):
            for mass, off in part.steps:
                total += mass @ (np.log(part.whole - off * part.tied) + part.largest)
        observed = self.share * (self.y[:, 2] == 1.0)
        return float(total - observed @ eta[:, 0])

    def residual(self, eta: FloatArray) -> FloatArray:
        """Return observed minus expected events, (n, 1)."""
        expected = np.zeros(eta.shape[0])
        for part in self._strata(eta[:, 0]):
            jump: Any = np.zeros(part.times.size, dtype=np.longdouble)
            own: Any = np.zeros(part.times.size, dtype=np.longdouble)
            for mass, off in part.steps:
                each = mass / (part.whole - off * part.tied)
                jump += each
                own += off * each
            hazard = np.concatenate([[0.0], np.cumsum(jump)])
            found = hazard[np.searchsorted(part.times, part.stop, side="right")]
            found -= hazard[np.searchsorted(part.times, part.start, side="right")]
            found[part.event] -= own[np.searchsorted(part.times, part.stop[part.event])]
            expected[part.rows] = part.risk / self.share[part.rows] * found
        return np.asarray((self.y[:, 2] == 1.0) - expected)[:, None]

    def saturated(self) -> float:
        """Return the infimum of the mean loss."""
        total = 0.0
        for part in self._strata(np.zeros(self.share.size)):
            total += sum(float(mass @ np.log(part.mass * (1.0 - off))) for mass, off in part.steps)
        return total

    def conjugate(
        self, theta: FloatArray, eta: FloatArray, scale: float, shift: FloatArray, slack: float
    ) -> float:
        """Return a bound on the conjugate of z -> loss(shift + z) at -scale theta.

        Parameters
        ----------
        theta : ndarray of shape (n, 1)
            The residual at `eta` (n, 1).
        scale : float
            From 0 to 1.
        shift : ndarray of shape (n, 1)
        slack : float
            Size of theta along directions without penalty, where it should be 0.
        """
        moved = (eta - shift)[:, 0]
        near = float(self.share @ (theta[:, 0] * moved)) + self.loss(eta)
        length = float(np.sqrt(self.share @ moved**2))
        chord = -(1.0 - scale) * self.saturated() - scale * near
        return (
            slack * length + chord + (self._below_chord(eta, scale) if 0.0 < scale < 1.0 else 0.0)
        )

    def _below_chord(self, eta: FloatArray, scale: float) -> float:
        """Return the entropy of mixed shares less the mixture of entropies."""
        total: Any = np.longdouble(0.0)
        for part in self._strata(eta[:, 0]):
            place = np.searchsorted(part.times, part.stop[part.event])
            share = self.share[part.rows][part.event]
            even = 1.0 / part.mass[place]
            for mass, off in part.steps:
                sums = part.whole - off * part.tied
                fitted = (1.0 - off[place]) * part.risk[part.event] / share / sums[place]
                mixed = (1.0 - scale) * even + scale * fitted
                bent = mixed * np.log(mixed) - (1.0 - scale) * even * np.log(even)
                bent -= scale * fitted * np.log(fitted)
                others = (part.whole - part.tied) / sums
                total += (mass[place] * share) @ bent + scale * np.log(scale) * (mass @ others)
        return float(total)


def _from(at: FloatArray, values: Any, times: FloatArray) -> Any:
    """Return the sums of values over `at` >= t for every time t."""
    order = np.argsort(at, kind="stable")
    tail = np.concatenate([np.cumsum(values[order][::-1])[::-1], [0.0]])
    return tail[np.searchsorted(at[order], times, side="left")]
