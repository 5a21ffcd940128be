"""The proximal map of latent groups: duplicated variables solved by FISTA, and closed forms."""

import numpy as np
import pytest

from grpsparse.penalties.latent_prox import Membership, latent_prox

EXACT = 1e-12  # of squared radii, to which the multipliers are found
REFERENCE = 1e-9  # what FISTA on duplicates reaches


def drawn(seed):
    """Random overlapping groups that hold every row, levels, and a point."""
    rng = np.random.default_rng(seed)
    p, count, width = int(rng.integers(4, 25)), int(rng.integers(2, 12)), int(rng.integers(1, 3))
    lists = [rng.choice(p, int(rng.integers(1, p)), replace=False) for _ in range(count)]
    lists.append(np.arange(p))
    index = np.concatenate(lists)
    starts = np.concatenate([[0], np.cumsum([each.size for each in lists])])
    level = rng.uniform(0.2, 2.0, len(lists)) * np.sqrt(np.diff(starts))
    level *= rng.choice([0.1, 1.0, 3.0])
    v = rng.normal(size=(p, width)) * rng.choice([0.5, 2.0, 10.0])
    return v, index, starts, level


def by_duplicates(v, index, starts, level):
    """Minimise ||v - sum_g z_g||^2 / 2 + sum_g level_g ||z_g|| over the z_g, by FISTA."""
    owner = np.repeat(np.arange(level.size), np.diff(starts))
    bound = np.bincount(index).max()
    z = y = np.zeros((index.size, v.shape[1]))
    t = 1.0
    for _ in range(20_000):
        left = v.copy()
        np.subtract.at(left, index, y)
        u = y + left[index] / bound
        norms = np.sqrt(np.bincount(owner, (u**2).sum(axis=1)))
        new = u * np.maximum(1.0 - level / bound / np.maximum(norms, 1e-300), 0.0)[owner, None]
        t = 1.0 if np.vdot(y - new, new - z) > 0 else t
        after = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
        done = np.abs(new - z).max() < 1e-15
        y, z, t = new + (t - 1.0) / after * (new - z), new, after
        if done:
            break
    out = np.zeros_like(v)
    np.add.at(out, index, z)
    return out


@pytest.mark.parametrize("seed", range(60))
def test_equals_duplicated_variables(seed):
    v, index, starts, level = drawn(seed)
    b, _ = latent_prox(v, Membership.of(index, starts, v.shape[0]), level)
    np.testing.assert_allclose(b, by_duplicates(v, index, starts, level), rtol=0, atol=REFERENCE)


@pytest.mark.parametrize("hundred", range(10))
def test_optimal_and_split_into_its_groups(hundred):
    """The conditions of the minimum, which is one: 1,000 random cases."""
    for seed in range(100 * hundred + 60, 100 * hundred + 160):
        check_optimal(seed)


def check_optimal(seed):
    """The point less v is in the ball, and what is left splits into groups on its edge."""
    v, index, starts, level = drawn(seed)
    b, multipliers = latent_prox(v, Membership.of(index, starts, v.shape[0]), level)
    u = v - b
    squares = np.add.reduceat((u[index] ** 2).sum(axis=1), starts[:-1]) / level**2
    assert squares.max() <= 1.0 + EXACT
    np.testing.assert_allclose(squares[multipliers > 0], 1.0, atol=EXACT)
    latent = np.repeat(multipliers, np.diff(starts))[:, None] * u[index]
    total = np.zeros_like(v)
    np.add.at(total, index, latent)
    np.testing.assert_allclose(total, b, atol=EXACT * np.abs(v).max())


def test_groups_apart_are_soft_thresholds():
    v = np.array([[3.0], [4.0], [0.3], [0.4]])
    members = Membership.of(np.arange(4), np.array([0, 2, 4]), 4)
    b, _ = latent_prox(v, members, np.array([2.5, 1.0]))
    np.testing.assert_allclose(b[:2], 0.5 * v[:2], rtol=EXACT)
    assert not b[2:].any()


def test_a_level_of_zero_leaves_rows_as_they_are():
    v = np.array([[3.0], [4.0], [1.0]])
    members = Membership.of(np.array([0, 1, 1, 2]), np.array([0, 2, 4]), 3)
    b, _ = latent_prox(v, members, np.array([0.0, 5.0]))
    np.testing.assert_array_equal(b, [[3.0], [4.0], [0.0]])


def test_many_groups_in_a_chain():
    rng = np.random.default_rng(3)
    index = (np.arange(10) + 5 * np.arange(400)[:, None]).ravel()
    starts, level = 10 * np.arange(401), np.full(400, 2.0)
    v = rng.normal(size=(2005, 1))
    members = Membership.of(index, starts, 2005)
    b, multipliers = latent_prox(v, members, level)
    again, _ = latent_prox(v, members, level, multipliers)
    np.testing.assert_allclose(again, b, atol=EXACT)
    u = (v - b)[index].ravel()
    squares = np.add.reduceat(u**2, starts[:-1]) / level**2
    assert squares.max() <= 1.0 + EXACT
