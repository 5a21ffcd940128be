"""What the duality gap needs: feasibility, maximality, conjugates, and the critical lambda."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.optimize import minimize

import grpsparse.penalties as gp
from grpsparse.backend import segment_sums

EXACT = 1e-13

CONVEX = (
    gp.GroupLasso(),
    gp.AdaptiveGroupLasso(gamma=0.5),
    gp.LatentGroupLasso(),
    gp.OverlapGroupLasso(),
    gp.GroupElasticNet(alpha=0.4),
    gp.GroupElasticNet(alpha=1.0),
    gp.SparseGroupLasso(alpha=0.0),
    gp.SparseGroupLasso(alpha=0.05),
    gp.SparseGroupLasso(alpha=0.7),
    gp.SparseGroupLasso(alpha=1.0),
)


@dataclass(frozen=True)
class Rows:
    starts: np.ndarray

    @property
    def curvature(self):
        return np.ones(self.starts.size - 1)


def instance(seed, classes=3):
    """Seven groups, one of rank 0 at each end, one unpenalised with a zero correlation."""
    rng = np.random.default_rng(seed)
    sizes = np.array([0, 3, 1, 0, 5, 2, 0])
    segments = Rows(np.concatenate([[0], np.cumsum(sizes)]))
    correlation = rng.normal(size=(sizes.sum(), classes)) * np.exp(rng.normal(size=(11, 1)))
    weight = rng.uniform(0.5, 2.0, size=7)
    weight[2] = 0.0
    correlation[3] = 0.0
    return correlation, segments, weight, weight > 0


def blocks(correlation, segments):
    return [
        correlation[a:b] for a, b in zip(segments.starts[:-1], segments.starts[1:], strict=True)
    ]


def excess(penalty, block, level, l1_level):
    """How far the block is outside its dual ball, relative to the level."""
    cut = np.maximum(np.abs(block) - penalty.l1_fraction * l1_level, 0.0)
    return np.linalg.norm(cut) - penalty.parameters[0] * level


def largest_excess(penalty, correlation, segments, level, l1_level):
    return max(
        excess(penalty, block, l, l1)
        for block, l, l1 in zip(blocks(correlation, segments), level, l1_level, strict=True)
        if l > 0 or l1 > 0
    )


def has_ball(penalty):
    return penalty.parameters[1] == 0.0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("penalty", CONVEX, ids=repr)
def test_dual_scale_is_feasible_and_the_largest(penalty, seed):
    correlation, segments, weight, penalised = instance(seed)
    for lambda_ in (1e-3, 0.3, 2.0, 50.0):
        level, l1_level = lambda_ * weight, lambda_ * penalised
        scale = penalty.dual_scale(correlation, segments, level, l1_level)
        assert 0.0 < scale <= 1.0
        if not has_ball(penalty):
            assert scale == 1.0
            continue
        assert largest_excess(penalty, scale * correlation, segments, level, l1_level) <= 0.0
        if scale < 1.0:
            more = scale * (1 + EXACT) * correlation
            assert largest_excess(penalty, more, segments, level, l1_level) > 0.0


@pytest.mark.parametrize("penalty", CONVEX, ids=repr)
def test_dual_scale_and_conjugate_pass_over_unpenalised_groups(penalty):
    correlation, segments, weight, penalised = instance(0)
    level, l1_level = 0.3 * weight, 0.3 * penalised
    rounding = correlation.copy()
    rounding[3] = 1e-14
    assert penalty.dual_scale(rounding, segments, level, l1_level) == penalty.dual_scale(
        correlation, segments, level, l1_level
    )
    zero = np.zeros(7)
    assert penalty.dual_scale(correlation, segments, zero, zero) == 1.0
    assert penalty.conjugate(correlation, segments, zero, zero) == 0.0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("penalty", CONVEX, ids=repr)
def test_conjugate_is_the_supremum(penalty, seed):
    correlation, segments, weight, penalised = instance(seed)
    level, l1_level = 0.6 * weight, 0.6 * penalised
    scaled = correlation * penalty.dual_scale(correlation, segments, level, l1_level)
    best = 0.0
    for block, l, l1 in zip(blocks(scaled, segments), level, l1_level, strict=True):
        if block.size == 0 or l == 0:
            continue

        def negative(b, block=block, l=l, l1=l1):
            norm = np.linalg.norm(b)
            radial = penalty.radial_value(np.array([norm]), np.array([l]))[0]
            return radial + penalty.l1_fraction * l1 * np.sum(np.abs(b)) - b @ block.ravel()

        best -= min(minimize(negative, 0.3 * block.ravel()).fun, 0.0)
    # inside the ball of a norm the supremum is 0, where the optimiser meets a kink
    assert penalty.conjugate(scaled, segments, level, l1_level) == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize("penalty", CONVEX, ids=repr)
def test_fenchel_young_is_an_equality_at_a_subgradient(penalty):
    rng = np.random.default_rng(3)
    b = rng.normal(size=(4, 2))
    norm, level = np.array([np.linalg.norm(b)]), np.array([0.8 * 1.7])
    z = penalty.radial_derivative(norm, level) * b / norm
    z = z + penalty.l1_fraction * 0.8 * np.sign(b)
    segments = Rows(np.array([0, 4]))
    l1_level = np.array([0.8])
    value = penalty.radial_value(norm, level)[0] + penalty.l1_fraction * 0.8 * np.abs(b).sum()
    conjugate = penalty.conjugate(z, segments, level, l1_level)
    assert value + conjugate == pytest.approx(np.sum(z * b))
    assert penalty.dual_scale(z, segments, level, l1_level) == pytest.approx(1.0, abs=EXACT)


def short_step(penalty, level):
    """A step short enough for one minimum at every point up to the critical one."""
    if penalty.steep:
        return 1.0  # its limits are those of the curvature 1
    if isinstance(penalty, gp.GroupCappedL1):
        fixed, share = penalty.parameters
        return min(1.0, (fixed + share * level) / level)
    bend = penalty.weak_convexity(level)
    return 0.5 / bend if bend >= 1.0 else 1.0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", [name for name in gp.names() if not gp.get(name).joint])
def test_critical_lambda_is_where_the_first_group_leaves_zero(name, seed):
    penalty = gp.get(name)
    correlation, segments, weight, penalised = instance(seed)
    if penalty.elementwise:
        segments = Rows(np.arange(12))
        correlation, weight = correlation[:, :1], np.ones(11)
        penalised = np.arange(11) != 3
    critical = penalty.critical_lambda(correlation, segments, weight, penalised)

    def leaves(lambda_):
        if penalty.matrix:  # rows over their weights leave zero together
            over = np.repeat(penalised / np.where(penalised, weight, 1.0), np.diff(segments.starts))
            return bool(np.any(penalty.prox(over[:, None] * correlation, 1.0, lambda_) != 0.0))
        moved = []
        for block, w, seen in zip(blocks(correlation, segments), weight, penalised, strict=True):
            if block.size == 0 or not seen:
                continue
            if penalty.bilevel and not penalty.nested:
                moved.append(excess(penalty, block, lambda_ * w, lambda_) > 0)
            else:
                step = short_step(penalty, lambda_ * w)
                # the concavity of a nested penalty is that of a block of one coefficient
                step /= block.size if penalty.nested else 1.0
                moved.append(np.any(penalty.prox(step * block, step, lambda_ * w) != 0.0))
        return any(moved)

    assert not leaves(critical)
    assert leaves(critical * (1 - EXACT))


def test_critical_lambda_of_nothing_is_zero():
    correlation, segments, weight, penalised = instance(0)
    for name in gp.names():
        critical = gp.get(name).critical_lambda
        assert critical(correlation, segments, weight, np.zeros(7, dtype=bool)) == 0.0
        assert critical(0.0 * correlation, segments, weight, penalised) == 0.0


def test_sparse_group_lasso_has_its_two_ends():
    correlation, segments, weight, penalised = instance(1)
    group, single = gp.SparseGroupLasso(alpha=0.0), gp.SparseGroupLasso(alpha=1.0)
    arguments = (correlation, segments, weight, penalised)
    assert group.critical_lambda(*arguments) == pytest.approx(
        gp.GroupLasso().critical_lambda(*arguments), rel=EXACT
    )
    seen = np.repeat(penalised, np.diff(segments.starts))
    assert single.critical_lambda(*arguments) == pytest.approx(
        np.max(np.abs(correlation[seen])), rel=EXACT
    )


def test_critical_lambda_is_proportional_to_the_correlation():
    correlation, segments, weight, penalised = instance(2)
    for penalty in CONVEX:
        one = penalty.critical_lambda(correlation, segments, weight, penalised)
        tiny = penalty.critical_lambda(1e-9 * correlation, segments, weight, penalised)
        assert tiny == pytest.approx(1e-9 * one, rel=EXACT)


def test_segment_sums_count_empty_segments_as_zero():
    starts = np.array([0, 0, 2, 2, 3, 3])
    np.testing.assert_array_equal(
        segment_sums(np.array([1.0, 2.0, 4.0]), starts), [0.0, 3.0, 0.0, 4.0, 0.0]
    )
    np.testing.assert_array_equal(segment_sums(np.zeros(0), np.array([0, 0])), [0.0])
