"""Measurements in fresh processes: the first fit, and memory on many rows.

``python -m benchmarks.fresh import|fit KIND|memory ROWS`` is what the processes run; each prints
one JSON object.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .worker import peak_mb

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_FITS = ("gaussian", "binomial", "multinomial", "factors")
N_FACTORS = 20
MAX_LEVELS = 10_000
N_FOLDS = 5


def run(arguments: list[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Result of this module in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.fresh", *arguments],
            env=dict(environment),
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return {"failed": lines[-1][:300] if lines else f"code {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def cold(environment: Mapping[str, str], repeats: int = 3) -> dict[str, Any]:
    """Import time and first fits, with an empty cache of compiled code and with a filled one.

    Returns
    -------
    dict
        For each of ``import``, ``cold KIND`` and ``cached KIND`` the wall seconds of every run
        and their median.
    """
    runs: dict[str, list[float]] = {}
    for _ in range(repeats):
        for kind in FIRST_FITS:
            with tempfile.TemporaryDirectory(prefix="benchmark-numba-") as cache:
                own = {**environment, "NUMBA_CACHE_DIR": cache}
                for state in ("cold", "cached"):
                    seconds = run(["fit", kind], own)
                    if "failed" in seconds:
                        return seconds
                    runs.setdefault(f"{state} {kind}", []).append(seconds["fit"])
                    runs.setdefault("import", []).append(seconds["import"])
    return {name: {"seconds": s, "median": float(np.median(s))} for name, s in runs.items()}


def memory(environment: Mapping[str, str], n_rows: int = 1_000_000) -> dict[str, Any]:
    """Peak memory and times of a fit and of its cross-validation on many rows of factors."""
    return run(["memory", str(n_rows)], environment)


def first_fit(kind: str) -> dict[str, float]:
    """Import the package and fit a small model, in this process."""
    data = small_data(kind)
    start = time.perf_counter()
    import grpsparse as gs

    imported = time.perf_counter()
    if kind == "factors":
        import pandas as pd

        gs.fit("y ~ a + b", pd.DataFrame(data), family="binomial")
    else:
        groups = np.repeat(np.arange(10), 4)
        gs.fit(data["X"], data["y"], groups=groups, family=kind)
    return {"import": imported - start, "fit": time.perf_counter() - imported}


def small_data(kind: str) -> dict[str, Any]:
    """Two hundred rows of forty columns, or of two factors."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((200, 40))
    eta = X[:, 0] + rng.standard_normal(200)
    if kind == "factors":
        levels = np.array(["p", "q", "r"])
        a, b = (levels[rng.integers(0, 3, 200)] for _ in range(2))
        return {"a": a, "b": b, "y": (eta + (a == "p") > 0).astype(float)}
    classes = np.array(["p", "q", "r"])[np.digitize(eta, [-0.7, 0.7])]
    return {"X": X, "y": {"gaussian": eta, "multinomial": classes}.get(kind, 1.0 * (eta > 0))}


def many_rows(n_rows: int) -> dict[str, Any]:
    """Fit and cross-validate twenty factors of up to MAX_LEVELS levels, in this process."""
    import grpsparse as gs

    data = factor_frame(n_rows)
    formula = "y ~ " + " + ".join(name for name in data if name != "y")
    found: dict[str, Any] = {"rows": n_rows, "columns": n_columns(data), "data_mb": peak_mb()}
    for name, verb in (
        ("fit", lambda: gs.fit(formula, data)),
        ("fit_cv", lambda: gs.fit_cv(formula, data, n_folds=N_FOLDS, seed=1)),
    ):
        wall, cpu = time.perf_counter(), time.process_time()
        verb()
        found[name] = {
            "cpu": time.process_time() - cpu,
            "wall": time.perf_counter() - wall,
            "peak_mb": peak_mb(),
        }
    return found


def factor_frame(n_rows: int) -> Any:
    """Data frame of categoricals with levels of unequal frequency, a fifth of them active."""
    import pandas as pd

    rng = np.random.default_rng(2026)
    most = min(MAX_LEVELS, n_rows // 10)
    levels = np.unique(np.geomspace(min(10, most), most, N_FACTORS).astype(int))
    eta, data = np.zeros(n_rows), {}
    for j, k in enumerate(levels):
        cuts = np.cumsum(rng.dirichlet(np.full(k, 2.0)))
        codes = np.minimum(np.searchsorted(cuts, rng.random(n_rows)), k - 1).astype(np.int32)
        data[f"f{j:02d}"] = pd.Categorical.from_codes(codes, categories=range(k))
        if j % 5 == 0:
            eta += rng.standard_normal(k)[codes]
    return pd.DataFrame({**data, "y": eta + rng.standard_normal(n_rows)})


def n_columns(data: Any) -> int:
    """Levels of all factors."""
    return sum(len(data[name].cat.categories) for name in data if name != "y")


def describe_cold(found: dict[str, Any]) -> str:
    """Medians, one a line."""
    if "failed" in found:
        return f"cold start failed: {found['failed']}"
    return "\n".join(f"{name:20} {facts['median']:7.3f} s" for name, facts in found.items())


def describe_memory(found: dict[str, Any]) -> str:
    """Times and peak memory."""
    if "failed" in found:
        return f"memory run failed: {found['failed']}"
    size = f"{found['rows']} rows, {N_FACTORS} factors, {found['columns']} levels"
    lines = [f"{size}; {found['data_mb']:.0f} MB with the data in memory"]
    for name in ("fit", "fit_cv"):
        facts = found[name]
        lines.append(f"{name:8} {facts['cpu']:8.1f} cpu s  peak {facts['peak_mb']:8.0f} MB")
    return "\n".join(lines)


def environment(project: Path, threads: int) -> dict[str, str]:
    """Variables under which the fresh processes run."""
    from .race import ROOT, THREAD_VARIABLES

    path = os.pathsep.join([str(project), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    fixed = dict.fromkeys(THREAD_VARIABLES, str(threads))
    return {**os.environ, **fixed, "PYTHONPATH": path.rstrip(os.pathsep), "MPLBACKEND": "Agg"}


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    print(json.dumps(first_fit(rest[0]) if what == "fit" else many_rows(int(rest[0]))))
