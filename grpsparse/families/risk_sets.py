"""Risk sets: who is under observation when an event happens, and sums over them.

The partial likelihood is a sum over steps s of mass v_s,

    sum_s v_s log(R_t + a_s D_t) - sum_i w_i delta_i eta_i,

t the time of the step, D_t the sum of w exp(eta) over the rows with an event at t, R_t that over
the other rows at risk. Breslow takes one step for each time, with a = 1 and the mass of all its
events; Efron takes one for each of its m events, with a = 1 - l / m, l = 0 ... m - 1, and their
mean weight. Sums of R and D apart have no differences in them (:mod:`grpsparse.backend.risk`).

References: Breslow (1974), doi:10.2307/2529620; Efron (1977), doi:10.1080/01621459.1977.10480613.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grpsparse.groups import FloatArray, IntArray

__all__ = ["Exponentials", "RiskSets", "risk_sets"]

MOST_PAIRS = 1_000_000  # of steps and their events, which are about 20 ms
TINY = 1e-300
LOWEST = -600.0  # below the largest predictor of a stratum: a relative risk of 1e-261


@dataclass(frozen=True, slots=True)
class Exponentials:
    """Relative risks at a linear predictor, as shares of the largest of their stratum.

    Parameters
    ----------
    risk : ndarray of shape (r,)
        exp(eta - largest).
    largest : ndarray of shape (strata,)
    sums : ndarray of shape (S,)
        R + a D of every step.
    """

    risk: FloatArray
    largest: FloatArray
    sums: FloatArray


@dataclass(frozen=True, slots=True)
class RiskSets:
    """The rows of positive weight, sorted by stratum and time, and the steps of the likelihood.

    Parameters
    ----------
    n : int
        Number of rows, those of weight 0 included.
    rows : ndarray of int, shape (r,)
        Positions of the sorted rows.
    weights : ndarray of shape (r,)
    first, last : ndarray of int, shape (r,)
        Row i is at risk at the times ``first[i]:last[i]``, that of its own event left out.
    events, when : ndarray of int, shape (e,)
        Sorted rows with an event, and its time.
    begins : ndarray of int, shape (strata,)
        First sorted row of each stratum.
    times : ndarray of shape (T,)
        Event times, ascending in each stratum.
    stratum : ndarray of int, shape (T,)
        Position of their stratum among those with rows.
    codes : ndarray of int, shape (strata,)
        Codes of the strata with rows.
    opening : ndarray of int, shape (T,)
        First time of their stratum.
    mass : ndarray of shape (T,)
        Weights of the events at each time.
    step, share, step_mass : ndarray of shape (S,)
        Time, a and v of every step.
    """

    n: int
    rows: IntArray
    weights: FloatArray
    first: IntArray
    last: IntArray
    events: IntArray
    when: IntArray
    begins: IntArray
    times: FloatArray
    stratum: IntArray
    codes: IntArray
    opening: IntArray
    mass: FloatArray
    step: IntArray
    share: FloatArray
    step_mass: FloatArray

    @property
    def member(self) -> IntArray:
        """Position of the stratum of every sorted row, (r,)."""
        sizes = np.diff(np.append(self.begins, self.rows.size))
        return np.repeat(np.arange(self.begins.size), sizes)

    def spread(self, values: FloatArray) -> FloatArray:
        """Return values of the sorted rows at their positions, 0 for rows of weight 0, (n,)."""
        out = np.zeros(self.n)
        out[self.rows] = values
        return out

    def at_events(self, values: FloatArray) -> FloatArray:
        """Return values of the times (T,) at the rows with an event, 0 elsewhere, (n,)."""
        out = np.zeros(self.n)
        out[self.rows[self.events]] = values[self.when]
        return out

    def exponentials(self, eta: FloatArray) -> Exponentials:
        """Return relative risks and their sums at linear predictors (n,).

        What lies 600 below the largest of its stratum counts as that, which keeps the loss convex
        and finite wherever a trial step may lead.
        """
        known = eta[self.rows]
        largest = np.maximum.reduceat(known, self.begins)
        risk = np.exp(np.maximum(known - largest[self.member], LOWEST))
        weighted = (self.weights * risk)[None]
        others, tied = self.sums_of_others(weighted)[0], self.sums_of_events(weighted)[0]
        return Exponentials(risk, largest, others[self.step] + self.share * tied[self.step])

    def sums_of_others(self, values: FloatArray) -> FloatArray:
        """Return sums (m, T) of values (m, r) over rows at risk that have no event then."""
        from grpsparse.backend.risk import fill_risk_sums

        out = np.empty((values.shape[0], self.times.size))
        fill_risk_sums(self.first, self.last, self.opening, values, out)
        return out

    def sums_of_events(self, values: FloatArray) -> FloatArray:
        """Return sums (m, T) of values (m, r) over the rows with an event at each time."""
        from grpsparse.backend.risk import fill_tied_sums

        out = np.empty((values.shape[0], self.times.size))
        fill_tied_sums(self.events, self.when, values, out)
        return out

    def mean_logs(self, found: Exponentials) -> FloatArray:
        """Return the mean over the steps of each time of log(R + a D), (T,)."""
        logs = np.bincount(
            self.step, weights=self.step_mass * np.log(found.sums), minlength=self.times.size
        )
        mean: FloatArray = logs / self.mass + found.largest[self.stratum]
        return mean

    def jumps(self, found: Exponentials) -> FloatArray:
        """Return the jumps of the baseline hazard, times exp(largest), (T,)."""
        jump = self.step_mass / found.sums
        return np.bincount(self.step, weights=jump, minlength=self.times.size).astype(np.float64)

    def expected(self, found: Exponentials) -> FloatArray:
        """Return the expected numbers of events exp(eta) H of the sorted rows, (r,)."""
        from grpsparse.backend.risk import fill_exposures

        whole = self.jumps(found)
        jump = self.step_mass / found.sums
        own = np.bincount(self.step, weights=self.share * jump, minlength=self.times.size)
        hazard = np.empty(self.rows.size)
        fill_exposures(self.first, self.last, self.opening, whole, hazard)
        hazard[self.events] += own[self.when]
        expected: FloatArray = found.risk * hazard
        return expected

    def mixing_gain(self, found: Exponentials, part: float) -> float:
        """Return by how much the conjugate at part * theta lies below the chord from 0 to theta.

        At theta the fitted shares p of a step are the optimal ones, at 0 those e of its events;
        in between the shares part p + (1 - part) e are possible ones, and their entropy is below
        the mixture of the two. Not above 0, and 0 (a bound too) where pairs of Efron's steps with
        their events are very many.
        """
        sizes = np.bincount(self.when, minlength=self.times.size)[self.step]
        if not 0.0 < part < 1.0 or sizes.sum() > MOST_PAIRS:
            return 0.0
        left = 1.0 - part
        pair = np.repeat(np.arange(self.step.size), sizes)
        within = np.arange(pair.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        row = self.events[np.searchsorted(self.when, self.step[pair]) + within]
        even = 1.0 / self.mass[self.step[pair]]
        fitted = np.maximum(self.share[pair] * found.risk[row] / found.sums[pair], TINY)
        mixed = left * even + part * fitted
        entropy = left * even * np.log(mixed / even)
        excess = left * (even - fitted) / fitted
        near = np.log1p(np.where(excess < 1.0, excess, 0.0))
        entropy += part * fitted * np.where(excess < 1.0, near, np.log(mixed) - np.log(fitted))
        total = float((self.step_mass[pair] * self.weights[row]) @ entropy)
        others = (
            1.0
            - self.share
            * self.sums_of_events((self.weights * found.risk)[None])[0][self.step]
            / found.sums
        )
        return total + part * float(np.log1p(-left)) * float(self.step_mass @ others)

    def information(self, eta: FloatArray, columns: FloatArray) -> FloatArray:
        """Return the Hessian of the loss on columns (m, n), (m, m).

        That is the sum over steps of the mass times the variance of the columns among the rows at
        risk; it does not see constants, which are taken off for the digits.
        """
        found = self.exponentials(eta)
        seen = columns[:, self.rows]
        pull = self.weights * self.expected(found)
        total = max(float(pull.sum()), np.finfo(np.float64).tiny)
        seen = seen - (seen @ pull / total)[:, None]
        weighted = seen * (self.weights * found.risk)
        mean = self.sums_of_others(weighted)[:, self.step]
        mean += self.share * self.sums_of_events(weighted)[:, self.step]
        mean *= np.sqrt(self.step_mass) / found.sums
        hessian: FloatArray = (seen * pull) @ seen.T - mean @ mean.T
        return hessian


def risk_sets(y: FloatArray, weights: FloatArray, *, efron: bool) -> RiskSets:
    """Sort the rows of positive weight, and lay out their risk sets and steps.

    Parameters
    ----------
    y : ndarray of shape (n, 4)
        Start (-infinity: always under observation), stop, event and stratum.
    weights : ndarray of shape (n,)
    efron : bool
        Whether tied events take Efron's steps, not Breslow's one.
    """
    rows = np.flatnonzero(weights > 0)
    rows = rows[np.lexsort((y[rows, 1], y[rows, 3]))]
    start, stop, event = y[rows, 0], y[rows, 1], y[rows, 2] > 0.5
    codes, begins, member = np.unique(y[rows, 3], return_index=True, return_inverse=True)
    # one integer for stratum and time, so that all strata are searched at once
    known = np.unique(np.concatenate([start, stop]))
    key = member * known.size + np.searchsorted(known, stop)
    entry = member * known.size + np.searchsorted(known, start)
    events = np.flatnonzero(event)
    keys, opens, when = np.unique(key[events], return_index=True, return_inverse=True)
    stratum = keys // known.size
    weight = weights[rows]
    mass = np.bincount(when, weights=weight[events], minlength=keys.size).astype(np.float64)
    counts: IntArray = np.bincount(when, minlength=keys.size)
    step, share, step_mass = _steps(counts, mass, efron=efron)
    return RiskSets(
        weights.size,
        rows,
        weight,
        np.searchsorted(keys, entry, side="right"),
        np.searchsorted(keys, key, side="right") - event,
        events,
        when,
        begins,
        stop[events[opens]],
        stratum,
        codes.astype(np.int64),
        np.searchsorted(stratum, stratum),
        mass,
        step,
        share,
        step_mass,
    )


def _steps(
    counts: IntArray, mass: FloatArray, *, efron: bool
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return time, share a and mass v of every step."""
    every = np.arange(counts.size)
    if not efron:
        return every, np.ones(counts.size), mass
    step = np.repeat(every, counts)
    taken = np.arange(step.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return step, 1.0 - taken / counts[step], (mass / counts)[step]
