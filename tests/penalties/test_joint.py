"""Penalties of all norms at once: proximal maps by brute force, slopes, and what zero allows."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import array_api_strict
import numpy as np
import pytest

import grpsparse.penalties as gp
from grpsparse.errors import PenaltyError

EXCESS = 1e-10  # of the objective over the best that a search finds
SEARCHED = 1e-9  # by which the last grid of a search may miss its minimum
SAME = 1e-8  # of proximal points: roots of what the eigenvalues of rounded matrices are worth
DIFFERENCE = 1e-6  # central differences with h = 1e-6
EXACT = 1e-13
LARGEST = 6  # groups, all subsets of which are tried
COUNT = 1000
GRID, ZOOMS = 15, 8  # points of a side, and how often they are taken around the best one

DRAWN = {
    "l1_l2": lambda rng, w: gp.GroupL1L2(
        alpha=min(1.0, float(w.min())) * float(rng.choice([0.0, rng.uniform(), 1.0]))
    ),
    "hoyer": lambda *_: gp.GroupHoyer(),
    "cardinality": lambda rng, _: gp.GroupCardinality(k=int(rng.integers(1, 4))),
}


class Rows(NamedTuple):
    """Rows sorted by group, and a curvature of each."""

    starts: np.ndarray
    curvature: np.ndarray


def random_cases(kind, most, count=COUNT, seed=0):
    """Norms, weights, steps and parameters; some norms are equal, some zero."""
    rng = np.random.default_rng([list(DRAWN).index(kind), seed])
    for _ in range(count):
        size = int(rng.integers(1, most + 1))
        weight = rng.choice([1.0, 1.0, np.sqrt(2.0), 0.5, 2.3], size)
        norms = rng.uniform(0.0, 3.0, size) * rng.choice([0.0, 1.0, 1.0, 1.0], size)
        if rng.uniform() < 0.2:
            norms = np.round(norms)
        level = float(rng.choice([0.3, 1.0, 2.0]))
        yield DRAWN[kind](rng, weight), norms, weight, float(np.exp(rng.uniform(-4, 2))), level


def objective(penalty, x, y, weight, step, level):
    return 0.5 * np.sum((x - y) ** 2) + step * penalty.joint_value(x, weight, level)


def limit_of(penalty, x, weight, level, curvature):
    """The limits where the curvature along one group is that along all."""
    return penalty.joint_limit(x, weight, level, np.full_like(x, curvature), curvature)


def values(penalty, x, y, weight, mu):
    """The objective of many points (m, G) by its formula, written out once more."""
    length = np.sqrt(np.sum(x**2, axis=1))
    total = x @ weight
    if isinstance(penalty, gp.GroupL1L2):
        paid = total - penalty.alpha * length
    elif isinstance(penalty, gp.GroupHoyer):
        paid = np.where(length > 0, total / np.where(length > 0, length, 1.0), 0.0) ** 2
    else:
        paid = np.where(np.sum(x > 0, axis=1) > penalty.k, np.inf, 0.0)
    return 0.5 * np.sum((x - y) ** 2, axis=1) + mu * paid


def searched(penalty, y, weight, mu):
    """The least value of zero and of directions on the faces of a cube, each of the best length."""
    best, others = 0.5 * float(y @ y), y.size - 1
    for face in range(y.size):
        low, high = np.zeros(others), np.ones(others)
        for _ in range(ZOOMS):
            places = np.indices((GRID,) * others).reshape(others, GRID**others).T / (GRID - 1)
            mesh = low + (high - low) * places
            u = np.insert(mesh, face, 1.0, axis=1)
            along = u @ y
            if isinstance(penalty, gp.GroupL1L2):
                along -= mu * (u @ weight - penalty.alpha * np.sqrt(np.sum(u**2, axis=1)))
            length = np.maximum(along, 0.0) / np.sum(u**2, axis=1)
            found = values(penalty, u * length[:, None], y, weight, mu)
            best = min(best, float(found.min()))
            width = 2.0 * (high - low) / (GRID - 1)
            centre = mesh[np.argmin(found)]
            low, high = np.maximum(centre - width, 0.0), np.minimum(centre + width, 1.0)
    return best


@pytest.mark.parametrize("kind", DRAWN)
def test_joint_prox_is_the_global_minimiser(kind):
    """Against a search over directions of up to three norms, at short and long steps."""
    zero = part = whole = 0
    for penalty, y, weight, step, level in random_cases(kind, 3):
        x = penalty.joint_prox(y, weight, step, level)
        assert x.shape == y.shape
        assert (x >= 0.0).all()
        own = objective(penalty, x, y, weight, step, level)
        best = searched(penalty, y, weight, step * level)
        assert own <= best + EXCESS * (1 + abs(own))
        assert own >= best - SEARCHED * (1 + abs(own))
        zero += not x.any()
        whole += (x > 0).all() and y.size > 1
        part += x.any() and not (x > 0).all()
    assert min(part, whole) >= 100
    assert zero >= 50


def smallest(y, weight, mu):
    """The Hoyer prox by trying every subset: the eigenvector of its matrix, where it is inside."""
    best, point = 0.0, np.zeros(y.size)
    for count in range(1, y.size + 1):
        for chosen in map(list, combinations(range(y.size), count)):
            a, b = weight[chosen], y[chosen]
            roots, vectors = np.linalg.eigh(mu * np.outer(a, a) - 0.5 * np.outer(b, b))
            u = vectors[:, 0] * np.sign(vectors[:, 0].sum())
            if roots[0] < best and (u > 0).all():
                best, point = roots[0], np.zeros(y.size)
                point[chosen] = u * (u @ b)
    return best, point


def test_the_hoyer_prox_is_the_best_eigenvector_of_all_subsets():
    moved = 0
    for penalty, y, weight, step, level in random_cases("hoyer", LARGEST):
        x = penalty.joint_prox(y, weight, step, level)
        best, point = smallest(y, weight, step * level)
        own = objective(penalty, x, y, weight, step, level) - 0.5 * np.sum(y**2)
        assert abs(own - best) <= EXCESS
        if best < -1e-3:  # where zero is clearly worse, there is one minimiser
            np.testing.assert_allclose(x, point, atol=SAME)
            moved += (x > 0).sum() > 1
    assert moved >= 200


def test_the_cardinality_prox_is_the_best_of_all_subsets():
    for penalty, y, weight, step, level in random_cases("cardinality", LARGEST, count=300):
        x = penalty.joint_prox(y, weight, step, level)
        kept = min(penalty.k, y.size)
        best = min(
            0.5 * np.sum(np.delete(y, chosen) ** 2) for chosen in combinations(range(y.size), kept)
        )
        assert objective(penalty, x, y, weight, step, level) == pytest.approx(best, abs=EXACT)


@pytest.mark.parametrize("kind", DRAWN)
def test_a_proximal_point_solves_its_equation(kind):
    """x - y + step slope(x) = 0 in groups that are in, and y <= step slope(x) in the others."""
    for penalty, y, weight, step, level in random_cases(kind, LARGEST):
        x = penalty.joint_prox(y, weight, step, level)
        if not x.any():
            continue
        slope = penalty.joint_slope(x, weight, level)
        inside = x > 0
        np.testing.assert_allclose((x - y + step * slope)[inside], 0.0, atol=1e-12 * (1 + step))
        assert (y[~inside] <= step * slope[~inside] + 1e-12 * (1 + step)).all()


@pytest.mark.parametrize("kind", DRAWN)
def test_a_proximal_point_is_one_of_a_step_of_no_gradient(kind):
    """Limits and least lengths are those of the prox: its points keep them, cut ones do not."""
    for penalty, y, weight, step, level in random_cases(kind, LARGEST, count=300):
        x = penalty.joint_prox(y, weight, step, level)
        gradient = (y - x) / step  # minus that of the loss, by which x is its own proximal point
        limit = limit_of(penalty, x, weight, level, 1.0 / step)
        outside = x == 0
        assert (gradient[outside] <= limit[outside] + 1e-12 * (1 + 1 / step)).all()
        length = float(np.linalg.norm(x))
        assert length >= penalty.joint_least(x, weight, level, 1.0 / step) * (1 - EXACT)


@pytest.mark.parametrize("kind", DRAWN)
def test_points_within_their_limits_are_proximal(kind):
    """The converse: a stationary point that keeps limits and least length is its own prox."""
    rng = np.random.default_rng(8)
    held = missed = 0
    for penalty, x, weight, step, level in random_cases(kind, 5, count=600, seed=1):
        slope = penalty.joint_slope(x, weight, level)
        curvature = 1.0 / step
        limit = limit_of(penalty, x, weight, level, curvature)
        gradient = np.where(x > 0, np.where(np.isfinite(slope), slope, 0.0), 0.0)
        gradient += (x == 0) * limit * rng.uniform(0.0, 0.999, x.size)
        long = np.linalg.norm(x) > penalty.joint_least(x, weight, level, curvature)
        if isinstance(penalty, gp.GroupL1L2) and 0 < np.linalg.norm(x) <= step * level * 1.0:
            continue  # below, stationary points of several groups need not be minima
        y = x + step * gradient
        if (y < 0).any():
            continue
        again = penalty.joint_prox(y, weight, step, level)
        same = bool(np.allclose(again, x, atol=SAME))
        assert same == (long or not x.any())
        held, missed = held + same, missed + (not same)
    assert held >= 100
    assert missed >= 50 or kind == "l1_l2"


def test_hoyer_leaves_zero_where_its_limit_says():
    weight, penalty = np.array([1.0, 2.0, 0.7]), gp.GroupHoyer()
    for step in (0.1, 1.0, 7.0):
        limit = limit_of(penalty, np.zeros(3), weight, 0.6, 1.0 / step)
        assert not penalty.joint_prox(step * limit * (1 - 1e-12), weight, step, 0.6).any()
        for g in range(3):
            y = step * limit * np.where(np.arange(3) == g, 1 + 1e-9, 0.3)
            assert np.flatnonzero(penalty.joint_prox(y, weight, step, 0.6)).tolist() == [g]


@pytest.mark.parametrize("kind", ["l1_l2", "hoyer"])
def test_slopes_are_difference_quotients(kind):
    h = 1e-6
    for penalty, y, weight, _, level in random_cases(kind, LARGEST, count=200):
        x = np.where(y > 0.05, y, 0.0)
        if not x.any() or np.count_nonzero(x) < 2:
            continue
        slope = penalty.joint_slope(x, weight, level)
        for g in range(x.size):
            up, down = x.copy(), x.copy()
            up[g] += h
            down[g] = abs(down[g] - h) if x[g] > 0 else h  # one-sided at zero
            width = 2 * h if x[g] > 0 else h
            low = penalty.joint_value(down if x[g] > 0 else x, weight, level)
            found = (penalty.joint_value(up, weight, level) - low) / width
            assert found == pytest.approx(slope[g], abs=DIFFERENCE * 100)


def test_slopes_of_zero_are_those_of_a_group_alone():
    weight = np.array([1.0, 1.5])
    zero = np.zeros(2)
    np.testing.assert_allclose(
        gp.GroupL1L2(alpha=0.4).joint_slope(zero, weight, 2.0), [1.2, 2.2], rtol=EXACT
    )
    np.testing.assert_array_equal(gp.GroupHoyer().joint_slope(zero, weight, 2.0), np.inf)
    np.testing.assert_array_equal(gp.GroupHoyer().joint_slope(zero, weight, 0.0), 0.0)
    np.testing.assert_array_equal(gp.GroupCardinality(k=1).joint_slope(zero, weight, 2.0), 0.0)


@pytest.mark.parametrize("kind", DRAWN)
def test_a_block_alone_is_the_joint_penalty_of_one_norm(kind):
    for penalty, y, _, step, level in random_cases(kind, 1, count=100):
        one = np.ones(1)
        assert penalty.value(y, level) == pytest.approx(penalty.joint_value(y, one, level))
        np.testing.assert_allclose(
            penalty.prox(y, step, level), penalty.joint_prox(y, one, step, level), atol=EXACT
        )
        slope = penalty.joint_slope(y, one, level)
        np.testing.assert_allclose(penalty.derivative(y, level), slope, atol=EXACT)


@pytest.mark.parametrize("kind", ["l1_l2", "hoyer"])
def test_critical_lambda_is_where_the_first_group_leaves_zero(kind):
    for penalty, y, weight, _, _ in random_cases(kind, LARGEST, count=200):
        rows = Rows(np.arange(y.size + 1), np.full(y.size, 0.8))
        if not y.any() or getattr(penalty, "alpha", 0.0) == weight.min():
            continue
        critical = penalty.critical_lambda(y[:, None], rows, weight, np.ones(y.size, dtype=bool))
        step = 1 / 0.8  # of no consequence to L1-L2
        assert not penalty.joint_prox(step * y, weight, step, critical).any()
        assert penalty.joint_prox(step * y, weight, step, critical * (1 - 1e-12)).any()


def test_critical_lambda_where_a_group_alone_is_not_penalised():
    """Zero is never stationary then, and a path begins where that of the group lasso does."""
    y, weight = np.array([[0.5], [1.0], [2.0]]), np.array([1.0, 1.5, 1.0])
    rows, seen = Rows(np.arange(4), np.ones(3)), np.ones(3, dtype=bool)
    penalty = gp.GroupL1L2(alpha=1.0)
    assert penalty.critical_lambda(y, rows, weight, seen) == pytest.approx(2.0)
    assert penalty.joint_prox(y[:, 0], weight, 1.0, 50.0).any()
    with pytest.raises(PenaltyError, match=r"alpha is 1, but a group has the weight 0\.9, and"):
        penalty.critical_lambda(y, rows, 0.9 * weight, seen)
    cardinality = gp.GroupCardinality(k=1)
    assert cardinality.critical_lambda(y, rows, weight, seen) == 1.0
    assert cardinality.critical_lambda(y, rows, weight, ~seen) == 0.0


def test_special_cases():
    rng = np.random.default_rng(3)
    for _ in range(50):
        y, weight = rng.uniform(0, 3, 5), rng.uniform(0.5, 2, 5)
        lasso = np.maximum(y - 0.7 * weight, 0.0)
        plain = gp.GroupL1L2(alpha=0.0).joint_prox(y, weight, 0.7, 1.0)
        np.testing.assert_allclose(plain, lasso, rtol=EXACT)
        # the Hoyer penalty of groups in one direction only is L0 with squared weights
        one = np.where(np.arange(5) == 2, y, 0.0)
        hard = one if y[2] ** 2 > 2 * 0.7 * weight[2] ** 2 else np.zeros(5)
        np.testing.assert_allclose(gp.GroupHoyer().joint_prox(one, weight, 0.7, 1.0), hard)
        # and does not depend on scale
        value = gp.GroupHoyer().joint_value(y, weight, 1.0)
        assert gp.GroupHoyer().joint_value(9.0 * y, weight, 1.0) == pytest.approx(value)
        assert np.array_equal(gp.GroupCardinality(k=5).joint_prox(y, weight, 0.7, 1.0), y)


def test_ties_go_to_the_first_groups_and_to_zero():
    ones = np.ones(3)
    alone = gp.GroupL1L2(alpha=0.5).joint_prox(ones, ones, 1.0, 1.0)  # max c = 0
    np.testing.assert_array_equal(alone, [0.5, 0.0, 0.0])
    kept = gp.GroupCardinality(k=2).joint_prox(ones, ones, 1.0, 1.0)
    np.testing.assert_array_equal(kept, [1.0, 1.0, 0.0])
    assert not gp.GroupHoyer().joint_prox(2.0 * ones, ones, 2.0, 1.0).any()  # y = sqrt(2 mu) w
    grown = gp.GroupHoyer().joint_prox(2.0 * ones * (1 + 1e-9), ones, 2.0, 1.0)
    np.testing.assert_allclose(grown, 2.0, rtol=1e-8)


@pytest.mark.parametrize("kind", DRAWN)
def test_nothing_is_done_without_groups_or_lambda(kind):
    penalty = DRAWN[kind](np.random.default_rng(0), np.ones(1))
    none, norms, weight = np.zeros(0), np.array([0.3, 0.0, 2.0, 1.0, 5.0]), np.ones(5)
    assert penalty.joint_prox(none, none, 1.0, 1.0).shape == (0,)
    assert penalty.joint_slope(none, none, 1.0).shape == (0,)
    assert penalty.joint_value(none, none, 1.0) == 0.0
    np.testing.assert_array_equal(penalty.joint_prox(norms, weight, 1.0, 0.0), norms)
    np.testing.assert_array_equal(penalty.joint_slope(norms, weight, 0.0), 0.0)
    np.testing.assert_array_equal(limit_of(penalty, norms, weight, 0.0, 2.0), 0.0)
    assert penalty.joint_value(norms, weight, 0.0) == 0.0


@pytest.mark.parametrize("kind", DRAWN)
def test_array_api_strict_gives_the_same_numbers(kind):
    xp = array_api_strict
    for penalty, y, weight, step, level in random_cases(kind, LARGEST, count=50):
        strict, heavy = xp.asarray(y), xp.asarray(weight)
        for function, more in (
            ("joint_prox", (step, level)),
            ("joint_slope", (level,)),
            ("joint_value", (level,)),
            ("joint_least", (level, 2.0)),
        ):
            got = getattr(penalty, function)(strict, heavy, *more)
            expected = getattr(penalty, function)(y, weight, *more)
            np.testing.assert_allclose(np.asarray(got), expected, atol=EXACT)
        got = penalty.joint_limit(strict, heavy, level, heavy, 2.0)
        expected = penalty.joint_limit(y, weight, level, weight, 2.0)
        np.testing.assert_allclose(np.asarray(got), expected, atol=EXACT)


def test_bad_parameters_raise():
    for alpha in (-0.1, 1.5, True, "1"):
        with pytest.raises(PenaltyError, match=r"GroupL1L2: `alpha` .* a number in \[0, 1\]"):
            gp.GroupL1L2(alpha=alpha)
    for k in (0, -1, 2.5, True, "2", float("inf")):
        with pytest.raises(PenaltyError, match=r"GroupCardinality: `k` .* a whole number of at"):
            gp.GroupCardinality(k=k)
    assert repr(gp.GroupCardinality(k=4.0)) == "GroupCardinality(k=4)"
    for name in ("group_l1_l2", "group_hoyer", "group_cardinality"):
        assert isinstance(gp.get(name), gp.JointPenalty)
