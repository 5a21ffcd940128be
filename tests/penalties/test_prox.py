"""The proximal maps against brute force, for short and long steps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

import grpsparse.penalties as gp
from grpsparse.backend.prox import radial_prox

# the grid's minimum lies above the true one, so this is rounding of the objective alone
ROUNDING = 1e-12
SOLVED = 1e-13  # of the equation for the minimiser
# the minimiser of a quadratic known to 1e-12 in value is known to its root
POSITION = 2e-6


# A penalty of every shape with random parameters, rescaled by v where a family would.
DRAWN = {
    "mcp": lambda rng, v: gp.GroupMCP(gamma=1 + float(np.exp(rng.uniform(-4, 2)))).rescaled(v),
    "scad": lambda rng, v: gp.GroupSCAD(gamma=2 + float(np.exp(rng.uniform(-4, 2)))).rescaled(v),
    "linear": lambda rng, _: gp.GroupElasticNet(alpha=float(1 - rng.uniform() * rng.integers(2))),
    "capped": lambda rng, _: gp.GroupCappedL1(theta=float(np.exp(rng.uniform(-3, 2)))),
    "capped by level": lambda _, v: gp.GroupCappedL1().rescaled(v),
    "transformed": lambda rng, _: gp.GroupTransformedL1(a=float(np.exp(rng.uniform(-4, 5)))),
    "log-sum": lambda rng, _: gp.GroupLogSum(eps=float(np.exp(rng.uniform(-4, 4)))),
    "lq": lambda rng, _: gp.GroupLq(q=float(rng.choice([0.5, 2 / 3, rng.uniform(0.02, 0.98)]))),
    "l0": lambda *_: gp.GroupL0(),
    "cel0": lambda _, v: gp.GroupCEL0().rescaled(v),
    "adaptive": lambda rng, _: gp.AdaptiveGroupLasso(gamma=float(rng.uniform(0.1, 3))),
    "sgl": lambda rng, _: gp.SparseGroupLasso(alpha=float(rng.uniform())),
}


def random_cases(kind, count=1000):
    """Parameters over all regimes: half of the steps make the problem nonconvex."""
    rng = np.random.default_rng(list(DRAWN).index(kind))
    for _ in range(count):
        v = float(np.exp(rng.uniform(-2, 1)))
        level = float(rng.choice([0.0, 0.3, 1.0, 2.0], p=[0.04, 0.32, 0.32, 0.32]))
        penalty = DRAWN[kind](rng, v)
        step = float(np.exp(rng.uniform(-2, 3)))
        s = float(rng.uniform(0, 1.3) * (1 + step) * (level + 0.1) * max(1.0, 1 / v))
        yield penalty, s, step, level


def objective(penalty, r, s, step, level):
    return 0.5 * (r - s) ** 2 + step * penalty.radial_value(r, np.full_like(r, level))


@pytest.mark.parametrize("kind", DRAWN)
def test_radial_prox_is_the_global_minimiser(kind):
    nonconvex = 0
    for penalty, s, step, level in random_cases(kind):
        r = radial_prox(penalty.code, *penalty.parameters, s, step, level)
        assert 0.0 <= r <= s * (1 + 1e-15)
        nonconvex += step * penalty.weak_convexity(level) >= 1.0
        points = np.linspace(0.0, s, 2001)
        for _ in range(3):
            values = objective(penalty, points, s, step, level)
            best = points[np.argmin(values)]
            width = points[1] - points[0]
            points = np.linspace(max(best - width, 0.0), min(best + width, s), 2001)
        own = objective(penalty, np.array([r]), s, step, level)[0]
        assert own <= np.min(values) + ROUNDING * (1 + abs(own))
        assert own >= np.min(values) - 1e-9 * (1 + abs(own))
        # two minimisers of almost the same value: the smaller may be the one
        assert abs(r - best) < POSITION * (1 + s) or r < best
    assert nonconvex >= 100 or penalty.convex


@pytest.mark.parametrize("kind", DRAWN)
def test_a_nonzero_prox_solves_its_equation(kind):
    """r + step p'(r) = s says where r is to SOLVED, which values of the objective cannot."""
    moved = 0
    for penalty, s, step, level in random_cases(kind):
        r = radial_prox(penalty.code, *penalty.parameters, s, step, level)
        slope = penalty.radial_derivative(np.array([r]), np.array([level]))[0]
        if r > 0.0:
            assert abs(r + step * slope - s) <= SOLVED * (1 + s)
            moved += r < s
    assert moved >= 20 or kind == "l0"  # which moves nothing but to zero


@pytest.mark.parametrize(
    ("penalty", "step", "threshold", "above"),
    [
        (gp.GroupMCP(gamma=2.0), 8.0, 4.0, 4.0),  # sqrt(step * gamma)
        (gp.GroupMCP(gamma=2.0), 2.0, 2.0, 2.0),  # step = gamma
        (gp.GroupSCAD(gamma=3.0), 16.0, 8.0, 8.0),  # sqrt(step * (gamma + 1))
        (gp.GroupSCAD(gamma=3.0), 4.0, 4.0, 4.0),  # step = gamma + 1
        (gp.GroupMCP(gamma=3.0).rescaled(0.25), 48.0, 24.0, 24.0),
        (gp.GroupCappedL1(theta=0.5), 4.0, 2.0, 2.0),  # sqrt(2 * step * theta)
        (gp.GroupTransformedL1(a=1.0), 4.0, 3.5, 3.0),  # sqrt(2 * step * (a + 1)) - a / 2
        (gp.GroupL0(), 8.0, 4.0, 4.0),  # sqrt(2 * step)
        (gp.GroupLq(q=0.5), 8.0, 6.0, 4.0),  # 3 / 2 step**(2 / 3)
        (gp.GroupCEL0(), 8.0, 4.0, 4.0),  # sqrt(2 * step)
    ],
)
def test_a_tie_gives_the_smaller_minimiser(penalty, step, threshold, above):
    np.testing.assert_array_equal(penalty.prox([threshold], step, 1.0), [0.0])
    assert penalty.prox([threshold * (1 + 1e-12)], step, 1.0)[0] == pytest.approx(above)


def test_a_tie_of_scad_with_a_soft_branch_gives_the_smaller_minimiser():
    # gamma <= 1 + step <= gamma + 2: soft up to (gamma + 1 + step) / 2 = 3.5
    penalty = gp.GroupSCAD(gamma=3.0)
    assert penalty.prox([3.5], 3.0, 1.0)[0] == 0.5
    assert penalty.prox([3.5 + 1e-9], 3.0, 1.0)[0] == 3.5 + 1e-9


def test_a_block_keeps_its_direction_and_shape():
    b = np.array([[1.0, -2.0], [0.5, 4.0], [0.0, 1.0]])
    for penalty in (gp.GroupLasso(), gp.GroupElasticNet(), gp.GroupMCP(), gp.GroupSCAD()):
        x = penalty.prox(b, 0.7, 1.1)
        assert x.shape == b.shape
        assert x.ravel() @ b.ravel() == pytest.approx(np.linalg.norm(x) * np.linalg.norm(b))
    np.testing.assert_array_equal(gp.GroupLasso().prox(np.zeros((2, 2)), 1.0, 1.0), 0.0)


def test_the_elementwise_prox_is_one_prox_per_coefficient():
    b = np.array([[1.0, -2.0, 0.3], [0.5, 4.0, 0.0]])
    for name in ("lasso", "elastic_net", "mcp", "scad"):
        penalty, group = gp.get(name), gp.get(f"group_{name}")
        if name == "scad":
            group = gp.GroupSCAD(gamma=3.7)
        ones = np.array([[group.prox([x], 0.9, 0.8)[0] for x in row] for row in b])
        np.testing.assert_array_equal(penalty.prox(b, 0.9, 0.8), ones)


def test_sparse_group_prox_is_the_minimiser_of_the_block():
    rng = np.random.default_rng(5)
    for _ in range(40):
        penalty = gp.SparseGroupLasso(alpha=float(rng.uniform()))
        b, step = rng.normal(size=4) * 2, float(rng.uniform(0.2, 2))
        x = penalty.prox(b, step, 0.7)

        def value(z, b=b, penalty=penalty, step=step):
            return 0.5 * np.sum((z - b) ** 2) + step * penalty.value(z, 0.7)

        starts = (b, x + 0.01 * rng.normal(size=4))
        found = [minimize(value, start, method="Nelder-Mead").fun for start in starts]
        assert value(x) <= min(found) + ROUNDING
        assert all(value(x) <= value(x + 1e-4 * rng.normal(size=4)) for _ in range(20))


def test_zero_and_unpenalised_blocks_pass_through():
    for name in gp.names():
        penalty = gp.get(name)
        np.testing.assert_array_equal(penalty.prox([1.5, -0.2], 2.0, 0.0), [1.5, -0.2])
        np.testing.assert_array_equal(penalty.prox([0.0, 0.0], 2.0, 1.0), [0.0, 0.0])
