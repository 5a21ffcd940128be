"""Stored fits of R packages, and the same fits asked of grpsparse.

A case is one call of a peer: `Case` translates its conventions (its `objective` field) into
arguments of `gs.fit`, and compares linear predictors, which mean the same on every scale.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import grpsparse as gs

HOME = Path(__file__).parent

# Far below what is compared (1e-6 in linear predictors, about the root of a gap) and far above
# rounding in a gap, about 1e-15.
TIGHT = 1e-13


def read(path: str) -> dict[str, Any]:
    return json.loads((HOME / path).read_text())


@dataclass(frozen=True)
class Asked:
    """A call of `gs.fit`; linear predictors and coefficients come back in units of `unit`."""

    x: np.ndarray
    y: np.ndarray
    lambda_: np.ndarray
    keywords: dict[str, Any]
    unit: float = 1.0
    column_scale: np.ndarray | float = 1.0


class Case:
    """One stored call; attributes that are missing are fields of its file."""

    def __init__(self, name: str) -> None:
        self.id = name
        self.stored = read(f"cases/{name}.json")
        self.data = read(f"data/{self.stored['data']}.json")

    def __getitem__(self, key: str) -> Any:
        return self.stored[key]

    def __contains__(self, key: str) -> bool:
        return key in self.stored

    @cached_property
    def x(self) -> np.ndarray:
        return np.array(self.data["x"], dtype=float)

    @cached_property
    def y(self) -> Any:
        """Response: numbers, the names of classes, or survival times."""
        if self["family"] == "cox":
            return gs.Surv(self.data["y"]["time"], self.data["y"]["status"])
        y = np.array(self.data["y"], dtype=float)
        return y if self["family"] != "multinomial" else np.array([f"class {k:g}" for k in y])

    @cached_property
    def lambda_(self) -> np.ndarray:
        return np.array(self["lambda"], dtype=float)

    @cached_property
    def weights(self) -> np.ndarray:
        used = self["uses_weights"]
        return np.array(self.data["weights"]) if used else np.ones(len(self.x))

    @cached_property
    def offset(self) -> np.ndarray:
        used = self["uses_offset"]
        return np.array(self.data["offset"]) if used else np.zeros(len(self.x))

    @cached_property
    def observed(self) -> dict[str, Any]:
        """Arguments that say what was observed."""
        given = {"family": self["family"]}
        for name in ("weights", "offset"):
            if self[f"uses_{name}"]:
                given[name] = getattr(self, name)
        return given

    @cached_property
    def asked(self) -> Asked:
        kind = "multinomial sgl" if "multinomial sparse" in self["penalty"] else self["peer"]
        kind = "several responses" if "multi-response" in self["penalty"] else kind
        return TRANSLATIONS[kind](self)

    def fit(self, tol: float = TIGHT, **keywords: Any) -> gs.PathFit:
        """Fit the case; one fit per tolerance is kept."""
        if not keywords:
            return _fit(self.id, tol)
        asked = self.asked
        return gs.fit(asked.x, asked.y, tol=tol, **(asked.keywords | keywords))

    @cached_property
    def coef(self) -> np.ndarray:
        """The peer's coefficients, (L, p) or (L, p, K)."""
        stored = np.array(self["coef"], dtype=float)
        return stored if stored.ndim == 2 else np.swapaxes(stored, 1, 2)

    @cached_property
    def intercept(self) -> np.ndarray:
        """The peer's intercepts, (L,) or (L, K), those of the softmax with mean zero."""
        if self["family"] == "cox":
            return np.zeros(len(self.lambda_))
        return self.seen(np.array(self["intercept"], dtype=float), axis=1)

    @cached_property
    def eta(self) -> np.ndarray:
        """The peer's linear predictors, (L, n) or (L, n, K)."""
        if self.coef.ndim == 2:
            eta = self.offset + self.intercept[:, None] + self.coef @ self.x.T
            return eta - eta.mean(axis=1, keepdims=True) if self["family"] == "cox" else eta
        assert not self.offset.any()
        eta = self.intercept[:, None, :] + np.einsum("np,lpk->lnk", self.x, self.coef)
        return self.seen(eta, axis=2)

    def linear_predictor(self, fit: gs.PathFit) -> np.ndarray:
        """Ours, in the peer's units and layout; a softmax only sees what is centred."""
        return self.seen(np.moveaxis(fit.predict(type="link"), -1, 0) * self.asked.unit, axis=2)

    def seen(self, values: np.ndarray, *, axis: int) -> np.ndarray:
        """Take off the mean over classes, which the softmax does not see."""
        return centred(values, axis=axis) if self["family"] == "multinomial" else values

    def difference(self, fit: gs.PathFit) -> np.ndarray:
        """Largest |ours - theirs| / max(1, |theirs|) of linear predictors, per lambda."""
        return largest(self.linear_predictor(fit), self.eta)


def centred(values: np.ndarray, *, axis: int) -> np.ndarray:
    """Take the mean over classes off, where there are classes."""
    if values.ndim <= axis:
        return values
    return values - values.mean(axis=axis, keepdims=True)


def largest(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Largest |ours - theirs| / max(1, |theirs|) for each entry of the first axis."""
    gap = np.abs(ours - theirs) / np.maximum(1.0, np.abs(theirs))
    return gap.reshape(len(gap), -1).max(axis=1)


@cache
def _case(name: str) -> Case:
    return Case(name)


@cache
def _fit(name: str, tol: float) -> gs.PathFit:
    asked = _case(name).asked
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return gs.fit(asked.x, asked.y, lambda_=asked.lambda_, tol=tol, **asked.keywords)


def ask_grpreg(case: Case) -> Asked:
    """Orthonormal groups with weight sqrt(rank); group 0 is unpenalised.

    The nested penalties see columns of unit variance, and have no weights.
    """
    given, group = case["parameters"], case["group"]
    penalty = {
        "grLasso": gs.GroupLasso,
        "grMCP": lambda: gs.GroupMCP(gamma=given["gamma"]),
        "grSCAD": lambda: gs.GroupSCAD(gamma=given["gamma"]),
        "cMCP": lambda: gs.CompositeMCP(gamma=given["gamma"]),
        "gel": lambda: gs.GroupExponentialLasso(tau=given["tau"]),
    }[case["penalty"]]()
    if case["penalty"] in NESTED:
        assert set(given["group_multiplier"]) == {1}
        keywords = {"penalty": penalty, "groups": group, "group_weight": None}
        return Asked(case.x, case.y, case.lambda_, case.observed | keywords)
    if given["alpha"] < 1:
        penalty = gs.GroupElasticNet(alpha=given["alpha"])
    keywords = {"penalty": penalty, "groups": group, "standardize": "group"}
    if "group.multiplier" in case["call"]:
        keywords["group_weight"] = None
        keywords["penalty_factor"] = by_label(group, given["group_multiplier"])
    elif 0 in group:
        keywords["penalty_factor"] = {0: 0.0}
    return Asked(case.x, case.y, case.lambda_, case.observed | keywords)


def ask_columns_as_given(case: Case) -> Asked:
    """gglasso, sparsegl and direct: nothing standardised, weights given.

    sparsegl's standardize=TRUE divides columns by their Euclidean norm, so that is done here.
    """
    given, group, x, scale = case["parameters"], case["group"], case.x, 1.0
    alpha = given["asparse"]
    keywords = {
        "penalty": gs.SparseGroupLasso(alpha=alpha) if alpha else gs.GroupLasso(),
        "groups": group,
        "group_weight": None,
        "penalty_factor": by_label(group, given["penalty_factor"]),
        "standardize": False,
    }
    if given.get("standardize"):
        scale = np.linalg.norm(x, axis=0)
        x = x / scale
    return Asked(x, case.y, case.lambda_, case.observed | keywords, column_scale=scale)


def ask_several_responses(case: Case) -> Asked:
    """gglasso on the responses one below the other: nothing standardised, sqrt(K * size)."""
    keywords = {"groups": case["group"], "class_groups": "shared", "standardize": False}
    return Asked(case.x, case.y, case.lambda_, case.observed | keywords)


def ask_multinomial_sgl(case: Case) -> Asked:
    """Weights sqrt(K * size), and standard deviations with n - 1: a factor of the penalty."""
    group, n = case["group"], len(case.x)
    n_classes = len(set(case.data["y"]))
    weights = [np.sqrt(n_classes * group.count(label)) for label in sorted(set(group))]
    keywords = {
        "penalty": gs.SparseGroupLasso(alpha=case["parameters"]["alpha"]),
        "groups": group,
        "class_groups": "shared",
        "group_weight": None,
        "penalty_factor": by_label(group, weights),
        "standardize": "column",
    }
    lambda_ = case.lambda_ * np.sqrt(n / (n - 1))
    return Asked(case.x, case.y, lambda_, case.observed | keywords)


def ask_glmnet(case: Case) -> Asked:
    """Columns of unit variance; penalty factors sum to p.

    glmnet divides a gaussian y by its standard deviation, which changes the elastic net but not
    the lasso: so the elastic net is fitted to that y.
    """
    given = case["parameters"]
    keywords = {"penalty": gs.ElasticNet(alpha=given["alpha"]) if given["alpha"] < 1 else "lasso"}
    if case["penalty"] == "group lasso across classes/responses":
        keywords = {
            "penalty": "group_lasso",
            "groups": "column",
            "class_groups": "shared",
            "group_weight": None,
        }
    keywords["standardize"] = "column" if given["standardize"] else False
    if "penalty_factor" in given:
        factor = np.array(given["penalty_factor"], dtype=float)
        keywords["penalty_factor"] = factor * factor.size / factor.sum()
    keywords = case.observed | keywords
    if given["alpha"] == 1 or case["family"] != "gaussian":
        return Asked(case.x, case.y, case.lambda_, keywords)
    share = case.weights / case.weights.sum()
    z = case.y - case.offset
    unit = float(np.sqrt(share @ (z - share @ z) ** 2))
    if "offset" in keywords:
        keywords["offset"] = keywords["offset"] / unit
    return Asked(case.x, case.y / unit, case.lambda_ / unit, keywords, unit=unit)


def ask_ncvreg(case: Case) -> Asked:
    """Columns of unit variance; outside the gaussian family with our rescaling, not theirs."""
    gamma = case["parameters"].get("gamma")
    penalty = {
        "lasso": gs.Lasso,
        "MCP": lambda: gs.MCP(gamma=gamma),
        "SCAD": lambda: gs.SCAD(gamma=gamma),
    }[case["penalty"]]()
    return Asked(case.x, case.y, case.lambda_, case.observed | {"penalty": penalty})


TRANSLATIONS: dict[str, Callable[[Case], Asked]] = {
    "grpreg": ask_grpreg,
    "gglasso": ask_columns_as_given,
    "sparsegl": ask_columns_as_given,
    "direct": ask_columns_as_given,
    "multinomial sgl": ask_multinomial_sgl,
    "several responses": ask_several_responses,
    "glmnet": ask_glmnet,
    "ncvreg": ask_ncvreg,
}


def by_label(group: list[int], values: list[float]) -> dict[int, float]:
    """Give values in the order of the sorted group numbers to their labels."""
    return dict(zip(sorted(set(group)), values, strict=True))


def _names(wanted: Callable[[dict[str, Any]], bool]) -> list[str]:
    paths = sorted((HOME / "cases").glob("*.json"))
    return [path.stem for path in paths if wanted(read(f"cases/{path.name}"))]


NESTED = ("cMCP", "gel")
NONCONVEX = ("grMCP", "grSCAD", "MCP", "SCAD")
MIXED = "e28_mcp_enet"  # MCP with a ridge part, which is not one of our penalties
SELECTIONS = {
    "convex": lambda case: case["kind"] == "path" and case["penalty"] not in NONCONVEX + NESTED,
    "least_squares": lambda case: SELECTIONS["convex"](case) and case["family"] == "gaussian",
    "nonconvex": lambda case: (
        case["kind"] == "path" and case["penalty"] in NONCONVEX and case["id"] != MIXED
    ),
    "nested": lambda case: case["kind"] == "path" and case["penalty"] in NESTED,
    "path": lambda case: case["kind"] == "path" and case["id"] != MIXED,
    # a nested penalty sees R's contrasts of a factor, where a formula has all its levels
    "of_formula": lambda case: (
        case["kind"] == "path"
        and case["penalty"] not in NESTED
        and "formula" in read(f"data/{case['data']}.json")
    ),
    "crossed": lambda case: case["kind"] == "cv" and case["family"] != "cox",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every test the cases of the selection that its argument names."""
    for selection in SELECTIONS.keys() & set(metafunc.fixturenames):
        metafunc.parametrize(selection, _names(SELECTIONS[selection]), indirect=True)


def _selected(request: pytest.FixtureRequest) -> Case:
    return _case(request.param)


convex = pytest.fixture(_selected, name="convex")
least_squares = pytest.fixture(_selected, name="least_squares")
nonconvex = pytest.fixture(_selected, name="nonconvex")
nested = pytest.fixture(_selected, name="nested")
path = pytest.fixture(_selected, name="path")
of_formula = pytest.fixture(_selected, name="of_formula")
crossed = pytest.fixture(_selected, name="crossed")


@pytest.fixture
def stored_case() -> Callable[[str], Case]:
    """Return a case by its name."""
    return _case
