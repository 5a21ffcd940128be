"""Norms of overlapping groups: their proximal map, their dual norm, slopes by differences."""

import numpy as np
import pytest

import grpsparse.penalties as gp
from grpsparse.backend.overlaps import take_up
from grpsparse.penalties.overlap_dual import dual_norm

EXACT = 1e-10
DIFFERENCE = 1e-6  # central differences of step 1e-6
BOUNDS = 1e-9  # between bounds of the dual norm
NEAR = 1e-3  # relative, of the edge to zero, where sweeps only creep towards a proximal point
CONE = 1e-6  # what a cone solver reaches by itself
# of cases, the first of which is tried by default
HUNDREDS = [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 10))]
BEYOND = 1.2  # times the dual norm, where some thousand sweeps surely find zero


def drawn(seed):
    """Random overlapping groups that hold every row, and a point of one sign."""
    rng = np.random.default_rng(seed)
    p = int(rng.integers(3, 12))
    lists = [
        np.sort(rng.choice(p, int(rng.integers(1, p)), replace=False))
        for _ in range(int(rng.integers(2, 7)))
    ]
    left = np.setdiff1d(np.arange(p), np.concatenate(lists))
    lists += [left] if left.size else []
    starts = np.concatenate([[0], np.cumsum([each.size for each in lists])])
    weight = np.sqrt(np.diff(starts)) * rng.uniform(0.5, 1.5, len(lists))
    return gp.OverlapNorm(np.concatenate(lists), starts, weight), rng.normal(size=(p, 1)), rng


def paid(norm, x):
    """The norm, group by group."""
    bounds = zip(norm.starts[:-1], norm.starts[1:], norm.weight, strict=True)
    return sum(w * np.linalg.norm(x[norm.index[a:b]]) for a, b, w in bounds)


@pytest.mark.parametrize("seed", range(20))
def test_proximal_point_is_lower_than_all_around(seed):
    norm, v, rng = drawn(seed)
    x = proximal(norm, v, 0.2)

    def value(z):
        return 0.5 * np.sum((z - v) ** 2) + 0.2 * paid(norm, z)

    for size in (1e-1, 1e-3, 1e-5):
        for _ in range(100):
            step = size * rng.normal(size=x.shape) * rng.integers(0, 2, size=x.shape)
            # strongly convex: what is away by d is higher by d^2 / 2, but for the point's error
            assert value(x + step) - value(x) >= 0.49 * np.sum(step**2) - 1e-12


def proximal(norm, v, level):
    """The proximal point of v (p, 1)."""
    sizes = norm.joint_prox(np.abs(v[:, 0]), np.ones(v.size), level, 1.0)
    return np.copysign(sizes, v[:, 0])[:, None]


def polished(norm, x, v, level):
    """Newton's method on the objective in the rows that are not zero, where it is smooth."""
    rows = np.flatnonzero(x)
    out = x[:, 0].copy()
    bounds = list(zip(norm.starts[:-1], norm.starts[1:], level, strict=True))
    for _ in range(50):
        gradient, hessian = out - v[:, 0], np.eye(out.size)
        for a, b, pull in bounds:
            own = norm.index[a:b]
            own = own[np.isin(own, rows)]
            length = np.linalg.norm(out[own])
            if length == 0.0:
                continue
            unit = out[own] / length
            gradient[own] += pull * unit
            hessian[np.ix_(own, own)] += pull / length * (np.eye(own.size) - np.outer(unit, unit))
        step = np.linalg.solve(hessian[np.ix_(rows, rows)], gradient[rows])
        out[rows] -= step
        if np.abs(step).max(initial=0.0) < 1e-15:
            break
    return out


def outside(norm, x, v):
    """The dual norm of v in the rows that are zero, of the groups that are: at most the step."""
    zero = x[:, 0] == 0.0
    bounds = zip(norm.starts[:-1], norm.starts[1:], strict=True)
    lists = [norm.index[a:b] for a, b in bounds]
    inside = np.array([zero[own].all() for own in lists])
    place = np.cumsum(zero) - 1
    lists = [place[own] for own, kept in zip(lists, inside, strict=True) if kept]
    if not lists:
        return 0.0
    starts = np.concatenate([[0], np.cumsum([own.size for own in lists])])
    return dual_norm(np.abs(v[zero, 0]), np.concatenate(lists), starts, norm.weight[inside])


@pytest.mark.parametrize("hundred", HUNDREDS)
def test_proximal_point_solves_its_equations(hundred):
    """1,000 random cases, steps short and long: rows in by Newton's method, others by the dual."""
    kept = 0
    for seed in range(100 * hundred + 1000, 100 * hundred + 1100):
        norm, v, rng = drawn(seed)
        step = float(np.exp(rng.uniform(-4.0, 1.0)))
        x = proximal(norm, v, step)
        scale = 1.0 + np.abs(v).max()
        again = polished(norm, x, v, step * norm.weight)
        np.testing.assert_allclose(again, x[:, 0], rtol=0, atol=EXACT * scale)
        assert outside(norm, x, v) <= step * (1.0 + BOUNDS)
        kept += x.any() and not x.all()
    assert kept >= 10


@pytest.mark.parametrize("seed", range(20))
def test_sweeps_know_how_far_they_are(seed):
    norm, v, _ = drawn(seed)
    exact = proximal(norm, v, 0.2)
    bounds = []
    for most in (1, 5, 33, 101):
        x, taken = v.copy(), np.zeros((norm.index.size, 1))
        gap = take_up(x, taken, norm.index, norm.starts, 0.2 * norm.weight, most, 0.0)
        bounds.append(np.sqrt(2.0 * gap))
        assert np.linalg.norm(x - exact) <= bounds[-1] + EXACT
        total = x.copy()
        np.add.at(total, norm.index, taken)
        np.testing.assert_allclose(total[x != 0], v[x != 0], atol=1e-12)
    assert bounds[-1] <= 0.1 * bounds[0] + EXACT


def test_sweeps_end_where_they_may():
    norm, v, _ = drawn(3)
    exact = proximal(norm, v, 0.2)
    for accuracy in (1e-2, 1e-6, 1e-12):
        x, _ = norm.taken_up(v, 0.2, accuracy=accuracy)
        assert np.linalg.norm(x - exact) <= np.sqrt(2.0 * accuracy) * np.linalg.norm(v)


@pytest.mark.parametrize(
    ("lists", "v", "weight", "step", "expected"),
    [
        # all groups are in, one of them by 2e-5: hundreds of sweeps take it for zero
        (
            [[2, 1, 0], [1, 2], [1]],
            np.ones(3),
            np.ones(3),
            0.9723121932552684,
            [0.028070663392198547, 2.1808878846285573e-05, 0.0007876708704741553],
        ),
        (
            [[2, 1, 0], [1, 2], [1]],
            np.ones(3),
            np.ones(3),
            0.9,
            [0.10491944382496354, 0.0010960570101518075, 0.01096057010117224],
        ),
        (
            [[0, 1, 2], [1, 2, 3], [2, 3], [3]],
            np.ones(4),
            np.array([1.9, 5.5, 2.9, 0.1]),
            0.3,
            [0.43, 0.0, 0.0, 0.0],
        ),
        ([[0, 1], [0, 1], [1]], np.array([1.0, 0.0]), np.ones(3), 0.4, [0.2, 0.0]),
    ],
)
def test_proximal_points_that_sweeps_creep_to(lists, v, weight, step, expected):
    """From up to millions of sweeps, whose gap was below 1e-24."""
    starts = np.concatenate([[0], np.cumsum([len(own) for own in lists])])
    norm = gp.OverlapNorm(np.concatenate(lists).astype(np.int64), starts, weight)
    x = proximal(norm, v[:, None], step)[:, 0]
    np.testing.assert_allclose(x, expected, rtol=0, atol=EXACT)
    assert (x >= 0.0).all()


def test_norms_are_equal_if_they_are_one():
    one, other = drawn(0)[0], drawn(1)[0]
    assert one == one
    assert one != other
    assert len({one, other}) == 2


@pytest.mark.parametrize("seed", range(40))
def test_dual_norm_is_between_bounds_that_meet(seed):
    norm, c, rng = drawn(seed)
    high = dual_norm(np.abs(c[:, 0]), norm.index, norm.starts, norm.weight)
    for _ in range(200):
        x = rng.normal(size=c.shape)
        assert np.vdot(c, x) <= high * paid(norm, x) * (1.0 + EXACT)
    low, at = 0.0, 0.9 * high
    for _ in range(3):  # a proximal point just inside is nearly the direction that is paid least
        x = proximal(norm, c, at)
        low = max(low, np.vdot(c, x) / paid(norm, x))
        at = low - NEAR * high
    assert high * (1.0 - NEAR) <= low <= high * (1.0 + EXACT)
    assert not proximal(norm, c, BEYOND * high).any()


def test_dual_norm_of_groups_apart_and_of_one_inside_another():
    index, starts = np.array([0, 1, 2]), np.array([0, 2, 3])
    c, weight = np.array([3.0, 4.0, 7.0]), np.array([1.0, 2.0])
    assert dual_norm(c, index, starts, weight) == pytest.approx(5.0, rel=EXACT)
    # ||b_12|| + |b_1|: c_1 may be 1 larger, so that 4 - t and 3 are no longer than t
    index, starts = np.array([0, 1, 0]), np.array([0, 2, 3])
    found = dual_norm(np.array([4.0, 3.0]), index, starts, np.ones(2))
    root = 25.0 / 8.0  # (4 - t)^2 + 9 = t^2
    assert found == pytest.approx(root, rel=EXACT)


@pytest.mark.parametrize("seed", range(10))
def test_slope_is_the_derivative(seed):
    norm, v, _ = drawn(seed)
    at, weight = np.abs(v[:, 0]) + 0.1, np.ones(v.size)
    slope = norm.joint_slope(at, weight, 0.7)
    for j in range(at.size):
        step = np.zeros_like(at)
        step[j] = 1e-6
        rise = norm.joint_value(at + step, weight, 0.7) - norm.joint_value(at - step, weight, 0.7)
        assert rise / 2e-6 == pytest.approx(slope[j], rel=DIFFERENCE)
    zero = np.zeros_like(at)
    step = np.eye(at.size)[0] * 1e-6
    assert norm.joint_value(step, weight, 0.7) / 1e-6 == pytest.approx(
        norm.joint_slope(zero, weight, 0.7)[0], rel=DIFFERENCE
    )


@pytest.mark.parametrize("seed", range(10))
def test_scaled_correlations_are_in_the_ball(seed):
    norm, c, _ = drawn(seed)
    scale = norm.scale_at(c, np.zeros_like(c), 0.3)
    found = dual_norm(np.abs(c[:, 0]), norm.index, norm.starts, norm.weight)
    assert scale == pytest.approx(min(1.0, 0.3 / found), rel=BOUNDS)


@pytest.mark.parametrize("seed", range(8))
def test_dual_norm_equals_that_of_a_cone_solver(seed):
    cp = pytest.importorskip("cvxpy")
    norm, c, _ = drawn(seed)
    sizes = np.diff(norm.starts)
    parts, radius = [cp.Variable(int(size)) for size in sizes], cp.Variable()
    total = np.zeros(c.size, dtype=object)
    limits = []
    for g, part in enumerate(parts):
        limits.append(cp.norm(part) <= radius * norm.weight[g])
        for place, row in enumerate(norm.index[norm.starts[g] : norm.starts[g + 1]]):
            total[row] = total[row] + part[place]
    limits += [total[row] == c[row, 0] for row in range(c.size)]
    cp.Problem(cp.Minimize(radius), limits).solve(solver="CLARABEL")
    found = dual_norm(np.abs(c[:, 0]), norm.index, norm.starts, norm.weight)
    assert found == pytest.approx(float(radius.value), rel=CONE)
