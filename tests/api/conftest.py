"""A table and a matrix that a hurried user may bring."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def table() -> pd.DataFrame:
    """Sixty rows of numbers, text, classes and counts."""
    rng, n = np.random.default_rng(0), 60
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
            "f": rng.choice(list("abc"), n),
            "i": rng.integers(0, 4, n),
            "b": rng.random(n) < 0.5,
            "c": pd.Categorical(rng.choice(["u", "v", "w"], n)),
            "k": rng.poisson(2, n),
            "w": rng.random(n) + 0.1,
            "s": rng.choice(["no", "yes"], n),
            "cluster": rng.integers(0, 12, n),
            "same": np.full(n, 3.0),
            "one": np.full(n, "a"),
        }
    )


@pytest.fixture
def X(table: pd.DataFrame) -> np.ndarray:
    """Two columns of the table."""
    return table[["x", "z"]].to_numpy()


@pytest.fixture
def y(table: pd.DataFrame) -> np.ndarray:
    """The response of the table."""
    return table["y"].to_numpy()
