"""Fit and cross-validate twenty factors of up to ten thousand levels, and watch the memory.

``python -m benchmarks.many_rows ROWS`` prints times and peak memory as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from .first import timed
from .worker import peak_mb

N_FACTORS = 20
MAX_LEVELS = 10_000
N_FOLDS = 5
ACTIVE_EVERY = 5  # of the factors


def factor_frame(n_rows: int) -> Any:
    """Data frame of categoricals with levels of unequal frequency."""
    import pandas as pd

    rng = np.random.default_rng(2026)
    most = min(MAX_LEVELS, n_rows // 10)
    levels = np.geomspace(min(10, most), most, N_FACTORS).round().astype(int)
    eta, data = np.zeros(n_rows), {}
    for j, k in enumerate(levels):
        cuts = np.cumsum(rng.dirichlet(np.full(k, 2.0)))
        codes = np.minimum(np.searchsorted(cuts, rng.random(n_rows)), k - 1).astype(np.int32)
        data[f"f{j:02d}"] = pd.Categorical.from_codes(codes, categories=range(k))
        if j % ACTIVE_EVERY == 0:
            eta += rng.standard_normal(k)[codes]
    return pd.DataFrame({**data, "y": eta + rng.standard_normal(n_rows)})


def main(n_rows: int) -> None:
    """Fit, cross-validate, and print."""
    import grpsparse as gs

    data = factor_frame(n_rows)
    names = [name for name in data if name != "y"]
    formula = "y ~ " + " + ".join(names)
    columns = sum(len(data[name].cat.categories) for name in names)
    found: dict[str, Any] = {"rows": n_rows, "columns": columns, "data_mb": peak_mb()}
    for name, work in (
        ("fit", lambda: gs.fit(formula, data)),
        ("fit_cv", lambda: gs.fit_cv(formula, data, n_folds=N_FOLDS, seed=1)),
    ):
        # The peak of the process so far, so that of the fit comes first.
        found[name] = {**timed(work), "peak_mb": peak_mb()}
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]))
