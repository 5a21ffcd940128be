"""Columns of a built model, written out."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def dense():
    """Return a function from a model frame to the columns (n, m) of each of its terms."""

    def written_out(built) -> tuple[np.ndarray, ...]:
        return tuple(b.toarray() if hasattr(b, "toarray") else b for b in built.blocks)

    return written_out
