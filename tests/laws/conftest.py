"""Small problems that every law is held to, in both arithmetics.

By default a law runs in the arithmetic that the engine chooses; `-m slow` runs all laws in each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

import grpsparse as gs

FAMILIES = (
    "gaussian",
    "binomial",
    "multinomial",
    "poisson",
    "huber",
    "gamma",
    "negative_binomial",
    "sqrt_gaussian",
    "cox",
)
# Folds and replicates are compared with fits of their own, which must not choose other numbers.
GIVEN = {
    "huber": gs.families.Huber(1.2),
    "negative_binomial": gs.families.NegativeBinomial(2.0),
    "sqrt_gaussian": gs.families.SqrtGaussian(0.02),
}
LABELS = np.array(["a", "a", "a", "b", "b", "c", "c", "d", "e", "e"])


@dataclass(frozen=True)
class Case:
    """A matrix, a response and a table with factors that belong to one family."""

    family: str
    X: np.ndarray
    y: np.ndarray
    frame: pd.DataFrame
    weights: np.ndarray
    offset: np.ndarray

    @property
    def left(self) -> str:
        """The left side of a formula for the table."""
        return "Surv(y, event)" if self.family == "cox" else "y"

    @property
    def column(self) -> Any:
        """The response of the table, for a matrix."""
        y = self.frame["y"]
        return gs.Surv(y, self.frame["event"]) if self.family == "cox" else y.to_numpy()

    @property
    def given(self) -> Any:
        """What `family=` takes."""
        return GIVEN.get(self.family, self.family)

    def fit(self, **options: Any) -> gs.PathFit:
        """Fit the matrix by groups, unless options say otherwise."""
        penalty = options.get("penalty", "group_lasso")
        chosen: dict[str, Any] = {"family": self.given, "n_lambda": 8, "lambda_min_ratio": 0.05}
        if not elementwise(penalty):
            chosen["groups"] = LABELS
        return gs.fit(self.X, self.y, **{**chosen, **options})

    def fit_formula(self, right: str, **options: Any) -> gs.PathFit:
        """Fit the table to the right side of a formula."""
        chosen: dict[str, Any] = {"family": self.given, "n_lambda": 8, "lambda_min_ratio": 0.05}
        return gs.fit(
            f"{self.left} ~ {right}", options.pop("data", self.frame), **{**chosen, **options}
        )


def elementwise(penalty: Any) -> bool:
    """Tell whether a penalty sees single coefficients."""
    return bool(gs.penalties.get(penalty).elementwise)


def respond(family: str, eta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a response from linear predictors (n, 3)."""
    if family in ("gaussian", "sqrt_gaussian"):
        return eta[:, 0] + rng.normal(size=len(eta))
    if family == "binomial":
        return np.where(rng.random(len(eta)) < 1 / (1 + np.exp(-eta[:, 0])), "yes", "no")
    if family == "poisson":
        return rng.poisson(np.exp(0.5 + 0.4 * eta[:, 0])).astype(float)
    if family == "huber":
        return eta[:, 0] + rng.standard_t(2.0, size=len(eta))
    if family == "gamma":
        return np.exp(0.5 + 0.4 * eta[:, 0]) * rng.gamma(2.0, 0.5, size=len(eta))
    if family == "negative_binomial":
        mean = np.exp(0.5 + 0.4 * eta[:, 0])
        return rng.negative_binomial(1.5, 1.5 / (1.5 + mean)).astype(float)
    if family == "cox":
        return survival(eta[:, 0], rng)
    p = np.exp(eta)
    p /= p.sum(axis=1, keepdims=True)
    return np.array(["u", "v", "w"])[[rng.choice(3, p=row) for row in p]]


def survival(eta: np.ndarray, rng: np.random.Generator) -> gs.Surv:
    """Draw times of a hazard exp(eta), a third of them censored, with ties."""
    time, censored = rng.exponential(np.exp(-0.7 * eta)), rng.exponential(2.0, size=len(eta))
    whole = np.ceil(20.0 * np.minimum(time, censored))
    return gs.Surv(whole, time <= censored)


def make_case(family: str, *, n: int = 60, seed: int = 0) -> Case:
    """Return a case with correlated columns, two factors and uneven weights."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, LABELS.size))
    X[:, 1] += 0.6 * X[:, 0]
    X[:, 5] = (X[:, 5] > 0.3).astype(float)
    X[:, 8] = np.where(rng.random(n) < 0.7, 0.0, X[:, 8])
    effects = np.zeros((LABELS.size, 3))
    effects[[0, 2, 3, 5]] = rng.normal(size=(4, 3))
    y = respond(family, X @ effects, rng)
    f, g = rng.choice(list("pqr"), n), rng.choice(list("stuv"), n)
    frame = pd.DataFrame({"f": f, "g": g, "x": rng.normal(size=n), "z": rng.uniform(size=n)})
    shape = (n, 3) if family == "multinomial" else n
    by_level = pd.get_dummies(frame["f"]).to_numpy(float) @ rng.normal(size=(3, 3))
    tilt = 0.5 * rng.normal(size=3)
    observed = respond(family, 0.5 * by_level + np.outer(frame["x"], tilt), rng)
    if family == "cox":
        frame["y"], frame["event"] = observed.stop, observed.event
    else:
        frame["y"] = observed
    frame["w"] = rng.integers(1, 4, n).astype(float)
    weights, offset = rng.uniform(0.5, 2.0, n), 0.3 * rng.normal(size=shape)
    return Case(family, X, y, frame, weights, offset)


@pytest.fixture(
    autouse=True,
    params=[
        "auto",
        pytest.param("residual", marks=pytest.mark.slow),
        pytest.param("gram", marks=pytest.mark.slow),
    ],
)
def arithmetic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The arithmetic that every fit of a law takes."""
    name = str(request.param)
    if name != "auto":
        monkeypatch.setattr("grpsparse.path.by_gram", lambda *_: name == "gram")
    return name


@pytest.fixture(autouse=True)
def bounded(request: pytest.FixtureRequest) -> None:
    """Pass over penalties that need a bound on the curvature, or a constant one, without it."""
    params = getattr(request.node, "callspec", None)
    given = {} if params is None else params.params
    name = given.get("penalty", given.get("name", given.get("convex")))
    steep = name in gs.penalties.names() and gs.penalties.get(name).steep
    family = given.get("case")
    matrix = name in gs.penalties.names() and gs.penalties.get(name).matrix
    if matrix and family in gs.families.names() and gs.families.get(family).hessian != "constant":
        pytest.skip(f"the curvature of the {family} family is not constant")
    if matrix and given.get("class_groups") == "separate":
        pytest.skip("one matrix of all responses")
    if steep and family in gs.families.names() and gs.families.get(family).curvature_bound is None:
        pytest.skip(f"the curvature of the {family} family has no bound")


@pytest.fixture(params=FAMILIES)
def case(request: pytest.FixtureRequest) -> Case:
    """The case of every family in turn."""
    return make_case(request.param)


@pytest.fixture
def cases() -> Any:
    """The maker of cases."""
    return make_case


@pytest.fixture(params=gs.penalties.names())
def penalty(request: pytest.FixtureRequest) -> str:
    """Every penalty in turn."""
    return str(request.param)
