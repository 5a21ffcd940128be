"""Small problems on which the engine's parts are held to formulas written out again."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import sparse

from grpsparse import families, penalties
from grpsparse.design import assemble, standardise
from grpsparse.groups import CellBlock, TermColumns
from grpsparse.problem import Observed, PenaltySpec, build_problem

SIZES = (3, 1, 4, 2)
STORAGES = ("factor", "sparse", "mixed")


def terms_of(sizes, scales=None):
    """Return groups of consecutive columns."""
    edges = np.concatenate([[0], np.cumsum(sizes)])
    scales = scales or ["sd"] * len(sizes)
    return tuple(
        TermColumns(
            f"g{g}", "group", tuple(f"x{j}" for j in range(a, b)), np.arange(a, b), scale=scale
        )
        for g, ((a, b), scale) in enumerate(zip(itertools.pairwise(edges), scales, strict=True))
    )


def responses_of(signal, rng):
    """Return responses of every family to one signal (n,)."""
    n = signal.size
    eta = np.stack([signal, -signal, 0 * signal], axis=1)
    chance = np.exp(eta) / np.exp(eta).sum(axis=1, keepdims=True)
    classes = np.array([rng.choice(3, p=row) for row in chance])
    return {
        "gaussian": (signal + rng.normal(size=n))[:, None],
        "binomial": (signal + rng.logistic(size=n) > 0).astype(float)[:, None],
        "poisson": rng.poisson(np.exp(0.4 * signal)).astype(float)[:, None],
        "multinomial": np.eye(3)[classes],
    }


@dataclass(frozen=True)
class Data:
    """A design with responses of every family and uneven weights."""

    blocks: tuple
    sizes: tuple
    weights: np.ndarray
    responses: dict
    scales: tuple | None = None

    @property
    def X(self):
        """The columns, where all are dense."""
        return np.hstack(self.blocks)

    @property
    def terms(self):
        """Groups of consecutive columns."""
        return terms_of(self.sizes, self.scales)

    def problem(
        self,
        family,
        penalty,
        *,
        mode="group",
        shared=True,
        intercept=True,
        factor=None,
        weights=None,
    ):
        """Build the problem of one family and penalty."""
        penalty = penalties.get(penalty)
        weights = self.weights if weights is None else weights / weights.sum()
        n, p = weights.size, sum(self.sizes)
        groups = terms_of(np.ones(p, int)) if penalty.elementwise else self.terms
        mode = "column" if penalty.elementwise or penalty.bilevel else mode
        design = assemble(self.blocks, n_rows=n, centred=intercept)
        y = self.responses[family]
        observed = Observed(families.get(family), y, weights, np.zeros_like(y))
        factor = np.ones(len(groups)) if factor is None else np.asarray(factor, float)
        shared = shared and not penalty.elementwise
        return build_problem(
            standardise(design, groups, weights, mode=mode, intercept=intercept),
            observed,
            PenaltySpec(penalty, factor, sqrt_df=True, shared=shared),
            intercept=intercept,
        )


@pytest.fixture(scope="session")
def data():
    """Four groups on forty rows."""
    rng = np.random.default_rng(20)
    n = 40
    X = rng.normal(size=(n, sum(SIZES))) * np.logspace(0, 1, sum(SIZES)) + 3.0
    signal = (X[:, :3] - 3.0) @ [1.0, -0.5, 0.3]
    weights = rng.uniform(0.5, 2.0, size=n)
    return Data((X,), SIZES, weights / weights.sum(), responses_of(signal, rng))


@pytest.fixture(scope="session")
def wide():
    """More groups than a path looks at: eighty on fifty rows, some of weight zero."""
    rng = np.random.default_rng(21)
    n, sizes = 50, tuple(np.tile([3, 1, 4, 2], 20))
    X = rng.normal(size=(n, sum(sizes))) + 0.5 * rng.normal(size=(n, 1))
    signal = X[:, :4] @ [1.0, -0.8, 0.6, 0.7] + 0.6 * X[:, 10] - 0.7 * X[:, 23]
    weights = rng.uniform(0.5, 2.0, size=n) * (rng.random(n) > 0.1)
    return Data((X,), sizes, weights / weights.sum(), responses_of(signal, rng))


def stored_blocks(name, rng, n):
    """Return blocks, what the groups' scales are, and their sizes."""
    a, b = (rng.integers(0, levels, n).astype(np.int32) for levels in (3, 5))
    number = rng.normal(size=n) + 1.0
    factor = [CellBlock(a, 3), CellBlock(b, 5), CellBlock(a, 3, number)]
    thin = sparse.random(n, 7, density=0.25, format="csc", random_state=3)
    scales = ["rms", "rms", "sd"]
    if name == "factor":
        return factor, scales, [3, 5, 3]
    if name == "sparse":
        return [thin], ["sd", "sd", "sd"], [1, 4, 2]
    dense = rng.normal(size=(n, 3)) + 2.0
    blocks = [factor[0], dense, thin, factor[2], factor[1]]
    return blocks, ["rms", "sd", "sd", "sd", "sd", "rms"], [3, 3, 4, 3, 3, 5]


@pytest.fixture(scope="session", params=STORAGES)
def stored(request):
    """The same columns in a storage of their own, and written out."""
    rng = np.random.default_rng(22)
    n = 90
    blocks, scales, sizes = stored_blocks(request.param, rng, n)
    written = [b.toarray() if hasattr(b, "toarray") else b for b in blocks]
    signal = np.hstack(written)[:, :4] @ [0.7, -0.9, 0.4, 0.6]
    weights = rng.uniform(0.5, 2.0, size=n)
    weights /= weights.sum()
    responses = responses_of(signal, rng)
    return tuple(
        Data(tuple(each), tuple(sizes), weights, responses, tuple(scales))
        for each in (blocks, [np.hstack(written)])
    )
