"""Nested penalties: their formulas, derivatives, tangents, and proximal maps of whole blocks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

import grpsparse.penalties as gp
from grpsparse.penalties.nested import compose, largest_entries

DIFFERENCE = 1e-6  # central differences with h = 1e-6
ROUNDING = 1e-12  # of an objective
COUNTS = [100, pytest.param(1000, marks=pytest.mark.slow)]
SOLVED = 1e-11  # of the equations for a proximal point, over 1 + |b|

DRAWN = {
    "composite_mcp": lambda rng, v: gp.CompositeMCP(
        gamma=1 + float(np.exp(rng.uniform(-3, 2))), scale=v
    ),
    "group_exponential_lasso": lambda rng, v: gp.GroupExponentialLasso(
        tau=float(np.exp(rng.uniform(-3, 2))), scale=v
    ),
}


def random_cases(kind, size, count):
    """Penalties, points, steps and levels: most steps make the problem nonconvex."""
    rng = np.random.default_rng(list(DRAWN).index(kind))
    for _ in range(count):
        penalty = DRAWN[kind](rng, float(np.exp(rng.uniform(-2, 1))))
        level, step = float(np.exp(rng.uniform(-2, 1))), float(np.exp(rng.uniform(-2, 3)))
        spread = 3 * max(1.0, step) * rng.uniform()
        yield penalty, rng.normal(size=size) * spread, step, level


def at(penalty, sizes, level, owner=None):
    """Compose one block, or the blocks of `owner`."""
    owner = np.zeros(sizes.size, int) if owner is None else owner
    return compose(penalty, sizes, owner, np.full(owner.max() + 1, level), np.bincount(owner))


def test_values_are_the_formulas_of_grpreg():
    """With L = sqrt(l), MCP(t; L, a) = L t - t^2 / (2a): the objective of its stored fits."""
    b, l = np.array([0.3, -2.0, 6.0]), 0.7
    L = np.sqrt(l)

    def mcp(t, a):
        return np.where(t <= a * L, L * t - t**2 / (2 * a), a * L**2 / 2)

    assert gp.CompositeMCP(gamma=3).value(b, l) == pytest.approx(
        float(mcp(mcp(np.abs(b), 3).sum(), 3 * 3 * L / 2)), rel=1e-14
    )
    assert gp.GroupExponentialLasso(tau=0.4).value(b, l) == pytest.approx(
        l**2 / 0.4 * (1 - np.exp(-0.4 / l * np.abs(b).sum())), rel=1e-14
    )


@pytest.mark.parametrize("kind", DRAWN)
def test_slopes_and_curvature_are_difference_quotients(kind):
    rng = np.random.default_rng(4)
    for penalty, b, _, level in random_cases(kind, 4, 50):
        sizes, h = 0.3 * np.abs(b) + 0.01, 1e-6
        found = at(penalty, sizes, level)
        bend = np.diag(found.own) + found.outer_bend * np.outer(
            found.inner_slope, found.inner_slope
        )
        edge = penalty.gamma * np.sqrt(level) / penalty.scale if hasattr(penalty, "gamma") else 0
        if np.min(np.abs(sizes - edge)) < 1e-3:
            continue
        for j in rng.permutation(4):
            up, down = (at(penalty, sizes + s * np.eye(4)[j] * h, level) for s in (1, -1))
            slope = (up.value - down.value)[0] / (2 * h)
            assert found.slope[j] == pytest.approx(slope, abs=DIFFERENCE)
            np.testing.assert_allclose(
                bend[j], (up.slope - down.slope) / (2 * h), atol=10 * DIFFERENCE
            )


@pytest.mark.parametrize("kind", DRAWN)
def test_the_slope_at_zero_is_the_level_and_tangents_lie_above(kind):
    for penalty, b, _, level in random_cases(kind, 3, 200):
        sizes = np.abs(b)
        np.testing.assert_allclose(at(penalty, np.zeros(3), level).slope, level, rtol=1e-14)
        here, there = at(penalty, sizes, level), at(penalty, sizes[::-1] * 0.7, level)
        tangent = here.value + here.slope @ (sizes[::-1] * 0.7 - sizes)
        assert there.value[0] <= tangent[0] + ROUNDING * (1 + abs(tangent[0]))
        assert (here.slope >= 0).all()


def test_a_full_block_of_the_composite_mcp_is_let_off_exactly():
    """Although the sum of its coefficients' parts is rounded."""
    rng = np.random.default_rng(8)
    for count in (1, 3, 7, 50):
        level = float(np.exp(rng.normal()))
        sizes = 3 * np.sqrt(level) * (1 + rng.random(count))
        assert not at(gp.CompositeMCP(), sizes, level).slope.any()


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("count", COUNTS)
def test_the_prox_is_the_global_minimiser(kind, size, count):
    """Against a grid over all of the block, polished; every kind of step."""
    nonzero = kept = 0
    for penalty, b, step, level in random_cases(kind, size, count):
        x = penalty.prox(b, step, level)

        def cost(z, b=b, penalty=penalty, step=step, level=level):
            return 0.5 * np.sum((z - b) ** 2) + step * penalty.value(z, level)

        axes = [np.linspace(0, 1, 61) * each for each in b]
        grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, size)
        inner = penalty.inner(np.abs(grid), np.array([level]))[0].sum(axis=1)
        paid = penalty.outer(inner, np.full(len(grid), level), size)[0]
        values = 0.5 * np.sum((grid - b) ** 2, axis=1) + step * paid
        start = grid[np.argmin(values)]
        options = {"xatol": 1e-10, "fatol": 1e-14}
        polished = minimize(cost, start, method="Nelder-Mead", options=options).fun
        assert cost(x) <= min(values.min(), polished) + ROUNDING * (1 + cost(x))
        nonzero += x.any()
        kept += x.all()
    assert nonzero >= 0.25 * count
    assert nonzero - kept >= (0.05 * count if size == 2 else 0)


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize("count", COUNTS)
def test_the_prox_of_larger_blocks_is_stationary_and_beats_what_descent_finds(kind, count):
    rng = np.random.default_rng(6)
    for penalty, b, step, level in random_cases(kind, 6, count):
        x = penalty.prox(b.reshape(3, 2), step, level).ravel()
        slope = step * at(penalty, np.abs(x), level).slope
        left = np.abs(b) - np.abs(x) - slope
        assert np.abs(left[x != 0]).max(initial=0.0) <= SOLVED * (1 + np.abs(b).max())
        assert left[x == 0].max(initial=0.0) <= SOLVED * (1 + np.abs(b).max())
        assert (x * b >= 0).all()

        def cost(z, b=b, penalty=penalty, step=step, level=level):
            return 0.5 * np.sum((z - b) ** 2) + step * penalty.value(z, level)

        for share in (b, 0.5 * b, b * (rng.random(6) < 0.5)):
            z = share
            for _ in range(50):  # majorise, and minimise the weighted lasso
                slopes = step * at(penalty, np.abs(z), level).slope
                z = np.sign(b) * np.maximum(np.abs(b) - slopes, 0.0)
            assert cost(x) <= cost(z) + ROUNDING * (1 + cost(z))


def test_limits_are_the_lasso():
    b = np.array([0.5, -2.0, 0.0])
    for penalty in (gp.CompositeMCP(gamma=1e9), gp.GroupExponentialLasso(tau=1e-9)):
        assert penalty.value(b, 0.8) == pytest.approx(0.8 * 2.5, rel=1e-6)
        np.testing.assert_allclose(
            penalty.prox(b, 0.9, 0.8), gp.Lasso().prox(b, 0.9, 0.8), atol=1e-7
        )


def test_largest_entries_of_groups_some_without_rows():
    rows = np.array([[1.0, -3.0], [2.0, 0.0], [0.5, 0.1]])
    np.testing.assert_array_equal(
        largest_entries(rows, np.array([0, 0, 2, 2, 3])), [0.0, 3.0, 0.0, 0.5]
    )
    np.testing.assert_array_equal(largest_entries(rows[:0], np.array([0, 0])), [0.0])
