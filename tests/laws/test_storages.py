"""A fit is the same problem's fit, however its columns are stored and its sweeps computed.

Families x penalties x storages x arithmetics; the larger products are slow.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import grpsparse as gs
from grpsparse.formula import blocks
from grpsparse.groups import CellBlock

TIGHT = 1e-13
TIGHT_NONCONVEX = 1e-12  # stationarity, whose error enters eta linearly
SAME = 1e-10  # of linear predictors, at TIGHT
# Rounding of sums, over lambda_max or the null deviance, and what moves nothing in a factor,
# which is taken off before a fit is reported.
RECOMPUTED = 1e-10
REPORTED = 1e-2
NOISE = 0.15  # of a certificate may be rounding
GAP_FLOOR = -1e-12  # a duality gap below this is a bug, not rounding
MANY = 240
STORAGES = ("dense", "sparse", "factor", "mixed")
ARITHMETICS = ("residual", "gram")
CHOSEN = ("group_lasso", "sparse_group_lasso", "group_mcp", "lasso")
FORMULAS = {"factor": "f + g", "mixed": "f*g + x:f + bs(z, df=3)"}


def with_the_others_slow(names: Any) -> list[Any]:
    """Return all penalties whose solver has these arithmetics, those not named marked slow."""
    solvers = {name: gs.solvers.get(gs.penalties.get(name).solver) for name in gs.penalties.names()}
    every = [n for n, s in solvers.items() if "arithmetic" in {f.name for f in fields(s)}]
    return [n if n in names else pytest.param(n, marks=pytest.mark.slow) for n in every]


# Groups enter with a jump, and which of two minima is met depends on the order of sums.
JUMPING = ("group_transformed_l1", "group_lq", "group_l0", "group_cel0")


@pytest.fixture(autouse=True)
def arithmetic() -> None:
    """Ask for arithmetics by name here."""


@pytest.fixture
def case(case: Any, cases: Any, request: pytest.FixtureRequest) -> Any:
    """More rows for a nonconvex penalty, whose flat zones separate classes of few."""
    name = request.node.callspec.params.get("name", "group_lasso")
    return case if gs.penalties.get(name).convex else cases(case.family, n=MANY)


def link(fit: gs.PathFit) -> np.ndarray:
    """Linear predictors (n, [K,] L), classes centred because the softmax sees no more."""
    eta = fit.predict(type="link")
    return eta - eta.mean(axis=1, keepdims=True) if eta.ndim == 3 else eta


def options_of(penalty: str, arithmetic: str, **more: Any) -> dict[str, Any]:
    """Return options of a fit; a nonconvex path stays where one minimum is near."""
    chosen = gs.penalties.get(penalty)
    convex, solver = chosen.convex, type(gs.solvers.get(chosen.solver))
    near = 0.9 if penalty in JUMPING else 0.5
    return {
        "penalty": penalty,
        "solver": solver(arithmetic=arithmetic),
        "n_lambda": 5,
        "lambda_min_ratio": 0.05 if convex else near,
        "tol": TIGHT if convex else TIGHT_NONCONVEX,
        **more,
    }


def fitted(case: Any, storage: str, penalty: str, arithmetic: str, **more: Any) -> gs.PathFit:
    """Fit a case in one of the storages."""
    options = options_of(penalty, arithmetic, offset=case.offset, **more)
    if storage in FORMULAS:
        return case.fit_formula(FORMULAS[storage], weights="w", **options)
    if storage == "sparse":
        case = replace(case, X=sparse.csc_array(case.X))
    return case.fit(weights=case.weights, **options)


@pytest.mark.parametrize("name", with_the_others_slow(CHOSEN))
@pytest.mark.parametrize(("storage", "arithmetic"), list(itertools.product(STORAGES, ARITHMETICS)))
def test_certificates(case: Any, name: str, storage: str, arithmetic: str) -> None:
    """Below tol all along the path, and what a computation apart from the engine finds."""
    fit = fitted(case, storage, name, arithmetic, tol=1e-7)
    assert fit.converged.all()
    assert (fit.certificate <= 1e-7).all()
    np.testing.assert_allclose(fit.check(), fit.certificate, rtol=REPORTED, atol=RECOMPUTED)
    assert set(fit.diagnostics["arithmetic"]) == {arithmetic}


@pytest.mark.parametrize("name", ["group_elastic_net", "group_lasso"])
@pytest.mark.parametrize("storage", ["dense", "sparse"])
@pytest.mark.parametrize("family", ["gaussian", "binomial"])
def test_certificates_are_those_of_the_coefficients(family: str, storage: str, name: str) -> None:
    """Stopped early, linear predictors hold rounding of single precision, certificates do not."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(150, 400)) * (rng.random((150, 400)) < 0.15)
    y = X[:, :60] @ rng.normal(size=60) * 0.5 + rng.normal(size=150)
    fit = gs.fit(
        sparse.csc_array(X) if storage == "sparse" else X,
        y if family == "gaussian" else y > 0,
        groups=np.arange(400) // 3,
        **{**options_of(name, "residual"), "n_lambda": 20, "lambda_min_ratio": 0.01, "tol": 1e-5},
    )
    assert (fit.certificate <= 1e-5).all()
    assert (fit.certificate >= GAP_FLOOR).all()
    np.testing.assert_allclose(fit.check(), fit.certificate, rtol=NOISE, atol=RECOMPUTED)


# Whose quadratic models overshoot: a step is taken back, and a shorter one has to follow.
OVERSHOOTING = [
    ("scad", 3, "residual"),
    ("mcp", 22, "residual"),
    ("mcp", 28, "residual"),
    ("scad", 55, "residual"),
    ("mcp", 22, "gram"),
    ("scad", 30, "gram"),
]


@pytest.mark.parametrize(("name", "seed", "arithmetic"), OVERSHOOTING)
def test_models_that_overshoot(name: str, seed: int, arithmetic: str) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 12)) * (rng.random((60, 12)) < 0.3)
    eta = X[:, :4] @ rng.normal(size=(4, 3))
    y = np.array(list("uvw"))[(eta + rng.gumbel(size=(60, 3))).argmax(axis=1)]
    solver = gs.BlockDescent(arithmetic=arithmetic)
    fit = gs.fit(X, y, penalty=name, n_lambda=8, lambda_min_ratio=0.4, solver=solver)
    assert fit.converged.all()
    assert (fit.check() <= 1.01e-7).all()


@pytest.mark.parametrize("name", with_the_others_slow(CHOSEN))
@pytest.mark.parametrize("storage", STORAGES)
def test_arithmetics_have_one_solution(case: Any, name: str, storage: str) -> None:
    one, other = (fitted(case, storage, name, each) for each in ARITHMETICS)
    np.testing.assert_allclose(other.lambda_, one.lambda_, rtol=1e-12)
    np.testing.assert_allclose(link(other), link(one), atol=SAME, rtol=0)
    np.testing.assert_array_equal(other.n_terms, one.n_terms)


@pytest.mark.parametrize("name", with_the_others_slow(("group_lasso", "lasso")))
@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_sparse_columns_are_their_columns_written_out(
    case: Any, name: str, arithmetic: str
) -> None:
    one, other = (fitted(case, each, name, arithmetic) for each in ("dense", "sparse"))
    np.testing.assert_allclose(other.lambda_, one.lambda_, rtol=1e-10)
    np.testing.assert_allclose(link(other), link(one), atol=SAME, rtol=0)


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("family", ["gaussian", "binomial"])
@pytest.mark.parametrize("standardize", ["group", "column", False])
def test_sparse_columns_far_from_zero_lose_no_digits(
    family: str, standardize: Any, arithmetic: str
) -> None:
    rng = np.random.default_rng(8)
    spread = 10.0 ** rng.integers(-3, 4, 12)
    X = rng.normal(size=(MANY, 12)) * spread
    eta = (X / spread)[:, :4].sum(axis=1) + rng.normal(size=MANY)
    X[:, :9] += 1e5 * spread[:9]  # the last three stay sparse
    X[::3, 9:] = 0.0
    options: dict[str, Any] = {
        "groups": np.repeat(np.arange(6), 2),
        "family": family,
        "standardize": standardize,
        "weights": rng.uniform(0.1, 3.0, MANY),
        "solver": gs.solvers.BlockDescent(arithmetic=arithmetic),
        "n_lambda": 10,
    }
    y = eta if family == "gaussian" else (eta > 0).astype(int)
    fit, dense = (gs.fit(made, y, **options) for made in (sparse.csc_array(X), X))
    assert fit.converged.all()
    found = fit.check()
    assert found.max() <= fit.settings.tol * (1 + NOISE)
    assert found.min() > GAP_FLOOR
    np.testing.assert_allclose(fit.deviance, dense.deviance, rtol=0, atol=1e-3 * fit.null_deviance)


@pytest.fixture
def written_out(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[int]]:
    """Write all blocks of later formulas out; the list has the widths of those that were codes."""

    def begin() -> list[int]:
        widths: list[int] = []

        def dense(parts: Any, *, scale: float = 1.0) -> np.ndarray:
            made = blocks.term_block(parts, scale=scale)
            if isinstance(made, CellBlock):
                widths.append(made.n_levels)
                return made.toarray()
            return made

        monkeypatch.setattr("grpsparse.formula.build.term_block", dense)
        return widths

    return begin


EXPANDED = {
    "f + g + x": [3, 4],
    "f*g + x:f + z": [3, 4, 12, 3],
    "x*f + g:z": [3, 3, 4],
    "f:g + x": [12],
    "0 + f + x:g": [3, 4],
}


@pytest.mark.parametrize("name", with_the_others_slow(("group_lasso", "sparse_group_lasso")))
@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize(
    "right",
    [r if r.startswith("f*g") else pytest.param(r, marks=pytest.mark.slow) for r in EXPANDED],
)
def test_factors_are_their_columns_written_out(
    case: Any, name: str, arithmetic: str, right: str, written_out: Any
) -> None:
    """Factors, interactions beside their margins, and factors times numbers."""
    options = options_of(name, arithmetic, weights="w")
    coded = case.fit_formula(right, **options)
    widths = written_out()
    dense = case.fit_formula(right, **options)
    assert sorted(widths) == sorted(EXPANDED[right])
    np.testing.assert_allclose(dense.lambda_, coded.lambda_, rtol=1e-10)
    np.testing.assert_allclose(link(dense), link(coded), atol=SAME, rtol=0)
    np.testing.assert_array_equal(dense.n_terms, coded.n_terms)
    np.testing.assert_array_equal(dense.group_rank, coded.group_rank)


@pytest.mark.parametrize("name", with_the_others_slow(("group_lasso", "lasso", "group_mcp")))
@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_factors_are_a_matrix_of_indicators(case: Any, name: str, arithmetic: str) -> None:
    """Through the other door: one-hot columns, all cells of an interaction, cells by a number."""
    frame = case.frame
    f, g = (pd.get_dummies(frame[name]).to_numpy(float) for name in ("f", "g"))
    cells = np.hstack([f * g[:, k : k + 1] for k in range(4)])
    x = frame[["x"]].to_numpy()
    chosen = gs.penalties.get(name)
    single = chosen.elementwise or chosen.bilevel
    for columns, right in (
        ([f, x, g], "f + x + g"),
        ([x, cells], "x + f:g"),
        ([g, x * f], "g + x:f"),
    ):
        labels = {}
        if not chosen.elementwise:
            owners = [[k] * block.shape[1] for k, block in enumerate(columns)]
            labels = {"groups": list(itertools.chain(*owners))}
        for standardize in ("column",) if single else ("group", "column"):
            options = options_of(name, arithmetic, standardize=standardize)
            options["weights"] = case.weights
            coded = case.fit_formula(right, **options)
            matrix = gs.fit(np.hstack(columns), case.column, family=case.given, **labels, **options)
            np.testing.assert_allclose(matrix.lambda_, coded.lambda_, rtol=1e-10)
            np.testing.assert_allclose(link(matrix), link(coded), atol=SAME, rtol=0)


@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_unpenalised_terms(case: Any, arithmetic: str) -> None:
    """Groups without penalty are swept like others, in every storage."""
    for right, free in (("f*g + x", "g"), ("f + x:f + z", "x:f"), ("g + x", "x")):
        fit = case.fit_formula(
            right,
            penalty_factor={free: 0},
            **options_of("group_lasso", arithmetic, weights="w", tol=1e-9),
        )
        assert fit.converged.all()
        np.testing.assert_allclose(fit.check(), fit.certificate, rtol=REPORTED, atol=RECOMPUTED)
