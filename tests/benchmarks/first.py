"""Import the package and fit a small model, in a process that has loaded nothing yet.

``python -m benchmarks.first KIND`` prints CPU and wall seconds as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def timed(work: Callable[[], Any]) -> dict[str, float]:
    """CPU and wall seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def load() -> None:
    """Import the package."""
    import grpsparse  # noqa: F401


def small_data(kind: str) -> dict[str, Any]:
    """Two hundred rows of forty columns, or of two factors."""
    import numpy as np

    rng = np.random.default_rng(1)
    X = rng.standard_normal((200, 40))
    eta = X[:, 0] + rng.standard_normal(200)
    names = np.array(["p", "q", "r"])
    if kind == "factors":
        a, b = (names[rng.integers(0, 3, 200)] for _ in range(2))
        return {"a": a, "b": b, "y": (eta + (a == "p") > 0).astype(float)}
    classes = names[np.digitize(eta, [-0.7, 0.7])]
    responses = {"gaussian": eta, "multinomial": classes, "binomial": 1.0 * (eta > 0)}
    return {"X": X, "y": responses[kind], "groups": [g for g in range(10) for _ in range(4)]}


def fit(kind: str, data: dict[str, Any]) -> None:
    """A hundred lambdas: a formula of two factors, or groups of four columns."""
    import grpsparse as gs

    if kind == "factors":
        gs.fit("y ~ a + b", data, family="binomial")
    else:
        gs.fit(data["X"], data["y"], groups=data["groups"], family=kind)


def main(kind: str) -> None:
    """Time both, and print."""
    imported = timed(load)
    data = small_data(kind)
    print(json.dumps({"import": imported, "fit": timed(lambda: fit(kind, data))}))


if __name__ == "__main__":
    main(sys.argv[1])
