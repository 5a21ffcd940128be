"""Newton's method on a smooth part whose entries meet kinks."""

from __future__ import annotations

import numpy as np

from grpsparse.families import Gaussian
from grpsparse.penalties import Lasso
from grpsparse.problem import Observed
from grpsparse.problem.smooth import newton
from grpsparse.solvers.curved import PenaltyBlocks


def test_nothing_is_left_to_move_where_all_entries_have_met_their_kink():
    rng = np.random.default_rng(0)
    rows, y = rng.normal(size=(2, 20)), rng.normal(size=(20, 1))
    data = Observed(Gaussian(), y, np.full(20, 1 / 20), np.zeros((20, 1)))
    spans, levels = np.array([[0, 1, 0, 1], [1, 2, 0, 1]]), np.array([[10.0, 0.0]] * 2)
    theta = np.array([[0.1], [-0.2]])
    blocks = PenaltyBlocks.of(Lasso(), spans, levels, theta.shape)
    found = newton(data, rows, theta, penalty=blocks.curved(blocks.free_entries(theta)))
    assert not found.theta.any()
    np.testing.assert_array_equal(found.eta, 0.0)
