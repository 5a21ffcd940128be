"""Bounds are bounds, and every group that a path does not sweep is proven or evaluated."""

from __future__ import annotations

import itertools
from typing import ClassVar

import numpy as np
import pytest

from grpsparse import path as paths
from grpsparse.path import Grid, fit_path
from grpsparse.problem import Checked, State, certify, dual_point
from grpsparse.screening import Reach, Screen
from grpsparse.solvers import BlockDescent, WorkingSet

FAMILIES = ("gaussian", "binomial", "poisson", "multinomial")
PENALTIES = ("group_lasso", "sparse_group_lasso", "lasso", "group_mcp")
MODES = ("group", "column", "none")
ROUNDING = 1e-12


def sigma(problem):
    """Return the largest singular value of W^(1/2) Z_g for every group."""
    rows = problem.coordinates.working_rows(np.arange(problem.coordinates.size))
    rows = rows * np.sqrt(problem.data.weights)
    starts = problem.blocks.starts
    return np.array(
        [
            np.linalg.svd(rows[a:b], compute_uv=False)[0] if b > a else 0.0
            for a, b in itertools.pairwise(starts)
        ]
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("intercept", [True, False])
def test_reaches_are_bounds(wide, mode, intercept):
    problem = wide.problem("gaussian", "group_lasso", mode=mode, intercept=intercept)
    exact = sigma(problem)
    reach = Reach(problem)
    assert (reach.values >= exact * (1.0 - ROUNDING)).all()
    some = np.arange(0, exact.size, 3)
    before = reach.values.copy()
    reach.tighten(some)
    assert (reach.values <= before * (1.0 + 1e-8)).all()
    np.testing.assert_allclose(reach.values[some], exact[some], rtol=1e-8)
    assert (reach.values >= exact * (1.0 - ROUNDING)).all()


def test_reaches_in_every_storage(stored):
    for mode in MODES:
        problem = stored[0].problem("gaussian", "group_lasso", mode=mode)
        exact = sigma(problem)
        reach = Reach(problem)
        assert (reach.values >= exact * (1.0 - 1e-9)).all()
        reach.tighten(np.arange(exact.size))
        assert (reach.values >= exact * (1.0 - 1e-9)).all()


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", ["gaussian", "multinomial"])
def test_spans_bound_any_dual(wide, family, mode, shared):
    """||Z_g'W r - estimate|| <= sigma_g ||rest||_W, with a bank of any duals."""
    problem = wide.problem(family, "group_lasso", mode=mode, shared=shared)
    rng = np.random.default_rng(1)
    screen = Screen(problem)
    shape = problem.data.y.shape
    bank = [problem.start.dual]
    for trial in range(12):
        mix = sum(rng.normal() * each for each in bank[-3:])
        dual = mix + 10.0 ** rng.uniform(-8, 1) * rng.normal(size=shape)
        exact = problem.correlate(dual)
        flat = dual.T.ravel()
        share, left = screen._project(flat, screen._weighted(flat))
        estimate = (share @ screen._known).reshape(shape[1], -1).T
        off = problem.blocks.norms(exact - estimate).max(axis=1)
        size = np.abs(exact).max() * ROUNDING
        assert (off <= screen._reach.values * left + size).all()
        screen._reach.tighten(rng.permutation(off.size)[:20])
        assert (off <= screen._reach.values * left + size).all()
        if trial % 2:
            screen._remember(dual, exact)
            bank.append(dual)
    # what stands in the bank is known exactly
    flat = bank[-1].T.ravel()
    share, left = screen._project(flat, screen._weighted(flat))
    assert left <= 1e-6 * np.abs(bank[-1]).max()


@pytest.mark.parametrize(("family", "penalty"), list(itertools.product(FAMILIES, PENALTIES)))
@pytest.mark.parametrize("mode", ["group", "none"])
def test_looks_miss_no_group(wide, family, penalty, mode):
    """At any point, whatever was swept: groups not evaluated are optimal at zero."""
    problem = wide.problem(family, penalty, mode=mode)
    screen, working = Screen(problem), WorkingSet(problem)
    rng = np.random.default_rng(2)
    n_groups = problem.blocks.weight.size
    working.add(rng.random(n_groups) < 0.5)
    start = screen.start(working)
    cleared = 0
    for _ in range(8):
        theta = np.zeros((working.size, problem.n_outputs))
        used = rng.permutation(working.size)[:3]
        theta[used] = 10.0 ** rng.uniform(-4, -1) * rng.normal(size=(3, problem.n_outputs))
        whole = np.zeros((problem.coordinates.size, problem.n_outputs))
        whole[working.coordinates] = working.standard(theta)
        eta = problem.start.eta + problem.coordinates.linear_predictor(whole)
        state = State(theta, start.intercept, eta, problem.data.loss(eta))
        lambda_ = rng.uniform(0.5, 1.1) * problem.lambda_max
        look = screen.look(state, lambda_, np.zeros(n_groups, dtype=bool), working)
        exact = problem.correlate(dual_point(problem, state, lambda_))
        if look.full:
            look = screen.receive(look, exact)
        known = problem.blocks.rows(look.needed)
        np.testing.assert_allclose(screen.correlation[known], exact[known], atol=ROUNDING)
        outside = np.setdiff1d(np.arange(n_groups), look.needed)
        cleared += outside.size
        excess = problem.blocks.excess(problem.penalty, exact, lambda_).max(axis=1)
        assert (excess[outside] <= 0).all()
    assert cleared > n_groups


class Watched(Screen):
    """A screen of which every point is held to what all columns say."""

    log: ClassVar[list] = []

    def look(self, state, lambda_, swept, working):
        """Remember what was swept."""
        self.swept = swept.copy()
        return super().look(state, lambda_, swept, working)

    def certify(self, look, working, penalty, norms):
        """Compute everything again, with all groups."""
        problem = self._problem
        every = np.arange(problem.blocks.weight.size)
        dual = dual_point(problem, look.state, look.lambda_)
        np.testing.assert_allclose(dual, look.dual, atol=ROUNDING)
        exact = problem.correlate(dual)
        known = problem.blocks.rows(look.needed)
        np.testing.assert_allclose(self.correlation[known], exact[known], atol=ROUNDING)
        outside = np.setdiff1d(every, look.needed)
        excess = problem.blocks.excess(problem.penalty, exact, look.lambda_).max(axis=1)
        assert (excess[outside] <= 0).all()
        whole = np.zeros((problem.coordinates.size, problem.n_outputs))
        whole[working.coordinates] = working.standard(working.grown(look.state.theta))
        active = problem.blocks.norms(whole).max(axis=1) > 0
        assert not active[outside].any()
        assert not self.swept[outside].any()
        value = super().certify(look, working, penalty, norms)
        checked = Checked(problem.blocks, exact, whole)
        again = certify(problem, look.state, look.lambda_, dual, checked, penalty=penalty)
        assert value == pytest.approx(again, rel=1e-9, abs=ROUNDING)
        self.log.append((outside.size, int((working.held & ~self.swept).sum())))
        return value


@pytest.mark.parametrize(("family", "penalty"), list(itertools.product(FAMILIES, PENALTIES)))
def test_every_group_not_swept_is_proven_or_evaluated(wide, family, penalty, monkeypatch):
    """Members of the working set that a lambda did not sweep are no exception."""
    monkeypatch.setattr("grpsparse.track.Screen", Watched)
    monkeypatch.setattr(Watched, "log", [])
    weights = np.random.default_rng(3).uniform(0.5, 2.0, size=wide.weights.size)
    problem = wide.problem(family, penalty, weights=weights)
    # down, and up again: going up, most of the working set rests
    values = problem.lambda_max * np.concatenate([np.geomspace(1, 0.15, 12), [0.5, 0.9, 0.3]])
    solver = BlockDescent(arithmetic="residual")
    path = fit_path(problem, Grid(values, automatic=False), solver=solver, tol=1e-7)
    assert path.converged.all()
    assert (path.certificate <= 1e-7).all()
    cleared, resting = np.array(Watched.log).sum(axis=0)
    assert cleared > 0
    assert resting > 0


@pytest.mark.parametrize("family", ["gaussian", "multinomial"])
def test_a_resting_member_comes_back(wide, family, monkeypatch):
    """A strong rule that is always wrong costs rounds, and no accuracy."""
    problem = wide.problem(family, "group_lasso")
    grid = Grid(problem.lambda_max * np.geomspace(1, 0.1, 8), automatic=False)
    solver = BlockDescent(arithmetic="residual")
    known = fit_path(problem, grid, solver=solver, tol=1e-10)

    def none_kept(problem, *_, **__):
        return ~problem.blocks.penalised

    monkeypatch.setattr("grpsparse.screening.strong_rule", none_kept)
    path = paths.fit_path(problem, grid, solver=solver, tol=1e-10)
    assert (path.certificate <= 1e-10).all()
    np.testing.assert_allclose(path.loss, known.loss, rtol=1e-8)
    assert set(path.active) == set(known.active)


class Rounded(Screen):
    """A screen whose products with rounded columns are held to exact ones."""

    log: ClassVar[list] = []

    def certify(self, look, working, penalty, norms):
        """Norms are no smaller than exact ones, and the loss is no further off than stated."""
        problem, state = self._problem, look.state
        value = super().certify(look, working, penalty, norms)
        assert working.rounded is not None
        groups = look.needed[working.held[look.needed]]
        mine = np.repeat(working.held[look.needed], problem.blocks.sizes[look.needed])
        exact = problem.correlate(look.dual)[look.rows][mine]
        found = self.correlation[look.rows][mine]
        if problem.penalty.l1_fraction > 0:
            assert (np.abs(found) >= np.abs(exact)).all()
        part = problem.blocks.part(groups)
        size, true = part.norms(found), part.norms(exact)
        assert (size >= true * (1.0 - ROUNDING)).all()
        np.testing.assert_allclose(size, true, atol=1e-4 * problem.lambda_max)
        whole = np.zeros((problem.coordinates.size, problem.n_outputs))
        whole[working.coordinates] = working.standard(working.grown(state.theta))
        eta = problem.data.offset + problem.coordinates.linear_predictor(whole) + state.intercept
        checked = Checked(problem.blocks.part(look.needed), self.correlation[look.rows], whole)
        plain = certify(problem, state, look.lambda_, look.dual, checked, penalty=penalty)
        off = abs(problem.data.loss(eta) - state.loss) / problem.scale
        assert off <= value - plain <= 1e-4
        self.log.append((look.full, mine.sum(), off))
        return value


@pytest.mark.parametrize("penalty", ["group_lasso", "sparse_group_lasso", "lasso"])
@pytest.mark.parametrize("family", FAMILIES)
def test_rounded_columns_stay_on_the_safe_side(wide, family, penalty, monkeypatch):
    """Products with single precision columns bound the exact ones, with means far from zero."""
    monkeypatch.setattr("grpsparse.track.Screen", Rounded)
    monkeypatch.setattr(Rounded, "log", [])
    problem = wide.problem(family, penalty, mode="none")
    values = problem.lambda_max * np.geomspace(1, 0.1, 12)
    solver = BlockDescent(arithmetic="residual")
    path = fit_path(problem, Grid(values, automatic=False), solver=solver, tol=1e-3)
    assert path.converged.all()
    partly = [count for full, count, _ in Rounded.log if not full]
    assert sum(partly) > 0
    assert max(off for *_, off in Rounded.log) > 0  # there is rounding to account for
