"""Small problems on which the engine's parts are held to formulas written out again."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest

from grpsparse import families, penalties
from grpsparse.design import assemble, standardise
from grpsparse.groups import TermColumns
from grpsparse.problem import Observed, PenaltySpec, build_problem

SIZES = (3, 1, 4, 2)


def terms_of(sizes):
    """Return groups of consecutive columns."""
    edges = np.concatenate([[0], np.cumsum(sizes)])
    return tuple(
        TermColumns(f"g{g}", "group", tuple(f"x{j}" for j in range(a, b)), np.arange(a, b))
        for g, (a, b) in enumerate(itertools.pairwise(edges))
    )


@dataclass(frozen=True)
class Data:
    """A design with responses of every family and uneven weights."""

    X: np.ndarray
    weights: np.ndarray
    responses: dict

    @property
    def terms(self):
        """Groups of 3, 1, 4 and 2 columns."""
        return terms_of(SIZES)

    def problem(self, family, penalty, *, mode="group", shared=True, intercept=True, factor=None):
        """Build the problem of one family and penalty."""
        penalty = penalties.get(penalty)
        sizes = np.ones(self.X.shape[1], int) if penalty.elementwise else SIZES
        mode = "column" if penalty.elementwise or penalty.bilevel else mode
        groups = terms_of(sizes)
        design = assemble([self.X], n_rows=self.X.shape[0], centred=intercept)
        y = self.responses[family]
        observed = Observed(families.get(family), y, self.weights, np.zeros_like(y))
        factor = np.ones(len(groups)) if factor is None else np.asarray(factor, float)
        shared = shared and not penalty.elementwise
        return build_problem(
            standardise(design, groups, self.weights, mode=mode, intercept=intercept),
            observed,
            PenaltySpec(penalty, factor, sqrt_df=True, shared=shared),
            intercept=intercept,
        )


@pytest.fixture(scope="session")
def data():
    rng = np.random.default_rng(20)
    n = 40
    X = rng.normal(size=(n, sum(SIZES))) * np.logspace(0, 1, sum(SIZES)) + 3.0
    signal = (X[:, :3] - 3.0) @ [1.0, -0.5, 0.3]
    weights = rng.uniform(0.5, 2.0, size=n)
    eta = np.stack([signal, -signal, 0 * signal], axis=1)
    chance = np.exp(eta) / np.exp(eta).sum(axis=1, keepdims=True)
    classes = np.array([rng.choice(3, p=row) for row in chance])
    responses = {
        "gaussian": (signal + rng.normal(size=n))[:, None],
        "binomial": (signal + rng.logistic(size=n) > 0).astype(float)[:, None],
        "poisson": rng.poisson(np.exp(0.4 * signal)).astype(float)[:, None],
        "multinomial": np.eye(3)[classes],
    }
    return Data(X, weights / weights.sum(), responses)
