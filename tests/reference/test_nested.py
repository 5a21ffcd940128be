"""Composite MCP and group exponential lasso of grpreg: gaussian paths, point by point.

grpreg goes along lambda from warm starts; our stages start from the lasso at every lambda. Where
they end at different stationary points both are shown to be stationary, and ours to be lower, in
the objective that the stored case states, written out here once more.
"""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.oracle

AGREE = 1e-8  # |ours - theirs| / max(1, |theirs|) of linear predictors; 1e-9 is reached
# Largest violation over lambda: ours is at rounding, theirs stop at 7e-10.
OURS_STATIONARY, THEIRS_STATIONARY = 1e-10, 1e-9
NO_WORSE = 1e-12  # of an objective of about 1: rounding

# Ours is lower, by 0.00098 and 0.0016.
DIFFERENT = {"a11_gel_syn": {17, 19}}


class Objective:
    """RSS / 2n and the penalty of standardised columns, with its slopes in every coefficient."""

    def __init__(self, case):
        self.x, self.y, self.given = case.x, case.y, case["parameters"]
        self.composite = case["penalty"] == "cMCP"
        label = np.array(case["group"])
        self.columns = [np.flatnonzero(label == g) for g in np.unique(label)]
        self.scale = case.x.std(axis=0)

    def penalty(self, b, lambda_):
        """Return value and slopes at absolute coefficients b of one group."""
        if not self.composite:
            tau, total = self.given["tau"], b.sum()
            left = np.exp(-tau / lambda_ * total)
            return lambda_**2 / tau * (1 - left), np.full(b.size, lambda_ * left)
        root, gamma = np.sqrt(lambda_), self.given["gamma"]

        def mcp(t, a):
            value = np.where(t <= a * root, root * t - t**2 / (2 * a), a * root**2 / 2)
            return value, np.maximum(root - t / a, 0)

        inner, slope = mcp(b, gamma)
        value, outer = mcp(inner.sum(), b.size * gamma * root / 2)
        return float(value), outer * slope

    def at(self, intercept, coef, lambda_):
        """Return the objective, and the largest violation of stationarity over lambda."""
        residual = self.y - intercept - self.x @ coef
        value, violation = np.mean(residual**2) / 2, [abs(residual.mean())]
        gradient = (self.x - self.x.mean(axis=0)).T @ residual / self.y.size / self.scale
        for columns in self.columns:
            b, pull = (coef * self.scale)[columns], gradient[columns]
            paid, slope = self.penalty(np.abs(b), lambda_)
            value += paid
            violation += np.abs(pull - slope * np.sign(b))[b != 0].tolist()
            violation += (np.abs(pull) - slope)[b == 0].tolist()
        return value, max(violation) / lambda_


def test_agrees_but_for_the_points_listed(nested):
    apart = nested.difference(nested.fit()) > AGREE
    assert set(np.flatnonzero(apart).tolist()) == DIFFERENT.get(nested.id, set())


def test_stationary_and_nowhere_worse(nested, record_property):
    fit, objective = nested.fit(), Objective(nested)
    for place, lambda_ in enumerate(nested.lambda_):
        value, violation = objective.at(fit.intercept_path[place], fit.coef_path[place], lambda_)
        theirs = objective.at(nested.intercept[place], nested.coef[place], lambda_)
        if place in DIFFERENT.get(nested.id, ()):
            record_property(f"objective at {place}", f"{value:.12g}, theirs {theirs[0]:.12g}")
        assert violation <= OURS_STATIONARY
        assert value <= theirs[0] + NO_WORSE
        # this reading of the peer's objective is right: its solution is stationary in it
        assert theirs[1] <= THEIRS_STATIONARY


def test_lambda_max_is_the_peers_first(nested):
    case = nested
    top = case.fit(lambda_=None, n_lambda=2).lambda_[0]
    assert top == pytest.approx(case.lambda_[0], rel=1e-9)
