"""MCP and SCAD: there are several stationary points, and a path ends at one of them.

Where grpreg and ncvreg state the objective that we minimise, our path is held to theirs, point
by point; the points that differ are listed. At all points objectives and stationarity are
computed here, by another road than the engine's: from orthonormal columns, norms and slopes.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import grpsparse as gs

pytestmark = pytest.mark.oracle

AGREE = 1e-5  # |ours - theirs| / max(1, |theirs|) of linear predictors; 1e-9 is reached
# Largest violation over lambda: ours is at rounding, theirs stop at 1e-9, plus our rounding.
OURS_STATIONARY, THEIRS_STATIONARY = 1e-10, 2e-9
NO_WORSE = 1e-12  # of an objective of about 1: rounding

# Points where the paths are not the same.
# e22: two stationary points with 9 of 108 columns each; ours is lower by 0.0031.
# The others minimise something else: outside the gaussian family ncvreg rescales by a curvature
# of each coefficient and grpreg's Poisson by max(mu), both at the solution, where we have one
# constant (1/4, or the null fit's mean; 1 for Cox, where grpreg has it too). Ours is then lower in
# our objective throughout. SCAD is the same up to its first kink.
DIFFERENT = {
    "e22_mcp_pgtn": {17},
    "c02_grmcp_poisson": set(range(1, 20)),
    "e23_mcp_binomial": set(range(1, 20)),
    "e24_scad_binomial": set(range(7, 20)),
    "e26_mcp_poisson": set(range(1, 20)),
    "e27_mcp_cox": set(range(1, 20)),
}
# The same with the peer's curvature at its solution put in. e27: two stationary points, of which
# theirs is lower by 0.0012 of 3.5; they go there by majorising with the curvature of each step.
STILL_DIFFERENT: dict[str, set[int]] = {"e27_mcp_cox": {14, 15}}
OTHER_CURVATURE = sorted(DIFFERENT.keys() - {"e22_mcp_pgtn"})


class Objective:
    """Mean loss + sum_g P(v_g t_g; lambda m_g) / v_g, t_g = ||Xc_g b_g|| / sqrt(n)."""

    def __init__(self, case):
        n, p = case.x.shape
        self.family, self.x, self.y = case["family"], case.x, case.y
        self.gamma, self.mcp = case["parameters"]["gamma"], "MCP" in case["penalty"]
        grouped = "group" in case
        label = np.array(case["group"] if grouped else range(p))
        self.columns = [np.flatnonzero(label == g) for g in dict.fromkeys(label.tolist())]
        self.centred = case.x - case.x.mean(axis=0)
        self.bases = []
        for columns in self.columns:
            left, size, _ = np.linalg.svd(self.centred[:, columns], full_matrices=False)
            self.bases.append(left[:, size > 1e-8 * size[0]] * np.sqrt(n))
        ranks = [basis.shape[1] for basis in self.bases]
        self.weight = np.sqrt(ranks) if grouped else np.ones(p)

    def hazard(self, eta):
        """Return the cumulative baseline hazard (Breslow, times are distinct) of every row."""
        at_risk = self.y.stop[:, None] <= self.y.stop
        return at_risk.T @ (self.y.event / (at_risk @ np.exp(eta)))

    def residual(self, eta):
        if self.family == "cox":
            return self.y.event - np.exp(eta) * self.hazard(eta)
        return self.y - self.mean(eta)

    def mean(self, eta):
        if self.family == "gaussian":
            return eta
        return np.exp(eta) if self.family == "poisson" else 1 / (1 + np.exp(-eta))

    def loss(self, eta):
        if self.family == "gaussian":
            return 0.5 * np.mean((self.y - eta) ** 2)
        if self.family == "cox":
            at_risk = self.y.stop[:, None] <= self.y.stop
            return np.mean(self.y.event * (np.log(at_risk @ np.exp(eta)) - eta))
        partition = np.exp(eta) if self.family == "poisson" else np.logaddexp(0, eta)
        return np.mean(partition - self.y * eta)

    def penalty(self, t, level):
        g = self.gamma
        if self.mcp:
            return np.where(t <= g * level, level * t - t**2 / (2 * g), g * level**2 / 2)
        bent = (2 * g * level * t - t**2 - level**2) / (2 * (g - 1))
        flat = level**2 * (g + 1) / 2
        return np.where(t <= level, level * t, np.where(t <= g * level, bent, flat))

    def slope(self, t, level):
        g = self.gamma
        if self.mcp:
            return np.maximum(level - t / g, 0)
        return np.where(t <= level, level, np.maximum(g * level - t, 0) / (g - 1))

    def ours(self):
        """Return our curvature of this family."""
        if self.family == "poisson":
            return self.y.mean()
        return {"gaussian": 1.0, "binomial": 0.25, "cox": 1.0}[self.family]

    def theirs(self, case, eta):
        """Return the peer's curvature at a solution: one number, or one per coefficient."""
        if self.family == "cox" and case["peer"] == "ncvreg":
            w = np.exp(eta) * self.hazard(eta)
            return w @ (self.centred / self.x.std(axis=0)) ** 2 / w.size
        mu = self.mean(eta)
        if case["peer"] == "grpreg" or self.family == "gaussian":
            return mu.max() if self.family == "poisson" else self.ours()
        w = mu * (1 - mu) if self.family == "binomial" else mu
        return w @ (self.centred / self.x.std(axis=0)) ** 2 / w.size

    def at(self, intercept, coef, lambda_, curvature):
        """Return the objective, and the largest violation of stationarity over lambda."""
        n = len(self.x)
        eta = intercept + self.x @ coef
        residual = self.residual(eta)
        theta = [
            basis.T @ (self.centred[:, columns] @ coef[columns]) / n
            for basis, columns in zip(self.bases, self.columns, strict=True)
        ]
        norm = np.array([np.linalg.norm(each) for each in theta])
        level = lambda_ * self.weight
        slope = self.slope(curvature * norm, level)
        violation = [abs(residual.mean())]
        for g, basis in enumerate(self.bases):
            gradient = basis.T @ residual / n
            if coef[self.columns[g]].any():
                violation.append(np.linalg.norm(gradient - slope[g] * theta[g] / norm[g]))
            else:
                violation.append(np.linalg.norm(gradient) - level[g])
        value = self.loss(eta) + np.sum(self.penalty(curvature * norm, level) / curvature)
        return value, max(violation) / lambda_


def given_curvature(case, objective, place):
    """Fit up to one lambda with the peer's curvature there, and return the path.

    For one curvature per coefficient, P(v t; l) / v in t is P(u; l / sqrt(v)) in u = sqrt(v) t:
    columns divided by sqrt(v), and the penalty factor 1 / sqrt(v).
    """
    gamma, lambda_ = case["parameters"]["gamma"], case.lambda_[: place + 1]
    curvature = objective.theirs(case, case.eta[place])
    x = case.x
    if case["peer"] == "grpreg":
        keywords = {"groups": case["group"]}
        penalty = gs.GroupMCP(gamma=gamma, rescale=False, scale=curvature)
    else:
        penalty = (gs.MCP if objective.mcp else gs.SCAD)(gamma=gamma, rescale=False)
        x = objective.centred / x.std(axis=0) / np.sqrt(curvature)
        keywords = {"standardize": False, "penalty_factor": 1 / np.sqrt(curvature)}
    keywords |= {"family": case["family"], "penalty": penalty, "lambda_": lambda_, "tol": 1e-12}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return gs.fit(x, case.y, **keywords)


def test_agrees_but_for_the_points_listed(nonconvex):
    apart = nonconvex.difference(nonconvex.fit()) > AGREE
    assert set(np.flatnonzero(apart).tolist()) == DIFFERENT.get(nonconvex.id, set())


def test_stationary_and_nowhere_worse(nonconvex, record_property):
    fit, objective = nonconvex.fit(), Objective(nonconvex)
    v = objective.ours()
    for place, lambda_ in enumerate(nonconvex.lambda_):
        theirs = nonconvex.intercept[place], nonconvex.coef[place]
        value, violation = objective.at(fit.intercept_path[place], fit.coef_path[place], lambda_, v)
        their_value, _ = objective.at(*theirs, lambda_, v)
        own = objective.theirs(nonconvex, nonconvex.eta[place])
        _, their_violation = objective.at(*theirs, lambda_, own)
        if place in DIFFERENT.get(nonconvex.id, ()):
            record_property(
                f"objective at {place}: ours, theirs", f"{value:.12g}, {their_value:.12g}"
            )
            record_property(
                f"violation at {place}: ours, theirs", f"{violation:.2e}, {their_violation:.2e}"
            )
        assert violation <= OURS_STATIONARY
        assert value <= their_value + NO_WORSE
        # This reading of the peer's objective is right: its solution is stationary in it.
        assert their_violation <= THEIRS_STATIONARY


@pytest.mark.parametrize("name", OTHER_CURVATURE)
def test_peers_curvature_gives_the_peers_path(stored_case, name):
    case = stored_case(name)
    objective = Objective(case)
    different = set()
    for place, (lambda_, eta) in enumerate(zip(case.lambda_, case.eta, strict=True)):
        fit = given_curvature(case, objective, place)
        assert fit.converged.all()
        ours = fit.predict(type="link")[:, -1]
        if np.max(np.abs(ours - eta) / np.maximum(1, np.abs(eta))) <= AGREE:
            continue
        different.add(place)
        v = objective.theirs(case, eta)
        coef = fit.coef_path[-1] / (case.x.std(axis=0) * np.sqrt(v))
        _, violation = objective.at(fit.intercept_path[-1], coef, lambda_, v)
        _, theirs = objective.at(case.intercept[place], case.coef[place], lambda_, v)
        assert violation <= OURS_STATIONARY
        assert theirs <= THEIRS_STATIONARY
    assert different == STILL_DIFFERENT.get(name, set())


def test_ridge_beside_mcp(stored_case):
    """ncvreg's alpha: MCP at alpha * lambda, and a ridge, which is rows added to the data."""
    case = stored_case("e28_mcp_enet")
    given, (n, p) = case["parameters"], case.x.shape
    alpha = given["alpha"]
    z = (case.x - case.x.mean(axis=0)) / case.x.std(axis=0)
    y = np.append(case.y - case.y.mean(), np.zeros(p))
    penalty = gs.MCP(gamma=given["gamma"])
    for place, lambda_ in enumerate(case.lambda_):
        ridge = np.sqrt(n * (1 - alpha) * lambda_) * np.eye(p)
        # The loss is the mean over n + p rows; theirs divides by n.
        rows = np.sqrt((n + p) / n)
        fit = gs.fit(
            rows * np.vstack([z, ridge]),
            rows * y,
            penalty=penalty,
            standardize=False,
            intercept=False,
            lambda_=alpha * case.lambda_[: place + 1],
            tol=1e-12,
        )
        eta = case.y.mean() + z @ fit.coef_path[-1]
        assert fit.converged.all()
        np.testing.assert_allclose(eta, case.eta[place], rtol=AGREE, atol=AGREE)
