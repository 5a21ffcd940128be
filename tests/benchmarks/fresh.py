"""Measurements in fresh processes: the first fit, and memory on many rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np

from .race import ROOT, THREAD_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FIRST_FITS = ("gaussian", "binomial", "multinomial", "factors")


def environment(project: Path, threads: int) -> dict[str, str]:
    """Variables under which the fresh processes run."""
    path = os.pathsep.join([str(project), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    fixed = dict.fromkeys(THREAD_VARIABLES, str(threads))
    return {**os.environ, **fixed, "PYTHONPATH": path.rstrip(os.pathsep), "MPLBACKEND": "Agg"}


def run(module: str, argument: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """What a module of this package prints in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{module}", argument],
            env=dict(variables),
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return {"failed": lines[-1][:300] if lines else f"ended with code {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def cold(variables: Mapping[str, str], repeats: int = 3) -> dict[str, Any]:
    """Import and first fits, with an empty cache of compiled code and with a filled one.

    Returns
    -------
    dict
        For ``import``, ``cold KIND`` and ``cached KIND``: CPU and wall seconds of every run, and
        the medians.
    """
    runs: dict[str, list[dict[str, float]]] = {}
    for kind in FIRST_FITS:
        for _ in range(repeats):
            with tempfile.TemporaryDirectory(prefix="benchmark-numba-") as cache:
                own = {**variables, "NUMBA_CACHE_DIR": cache}
                for state in ("cold", "cached"):
                    found = run("first", kind, own)
                    if "failed" in found:
                        return found
                    runs.setdefault("import", []).append(found["import"])
                    runs.setdefault(f"{state} {kind}", []).append(found["fit"])
    return {name: summary(times) for name, times in runs.items()}


def summary(times: list[dict[str, float]]) -> dict[str, Any]:
    """All seconds and their medians."""
    columns = {name: [time[name] for time in times] for name in ("cpu", "wall")}
    medians = {f"median_{name}": float(np.median(values)) for name, values in columns.items()}
    return {**medians, **columns}


def memory(variables: Mapping[str, str], n_rows: int = 1_000_000) -> dict[str, Any]:
    """Peak memory and times of a fit and of its cross-validation on many rows of factors."""
    return run("many_rows", str(n_rows), variables)


def describe_cold(found: dict[str, Any]) -> str:
    """Medians, one a line."""
    if "failed" in found:
        return f"cold start failed: {found['failed']}"
    return "\n".join(
        f"{name:20} cpu {facts['median_cpu']:7.3f} s  wall {facts['median_wall']:7.3f} s"
        for name, facts in found.items()
    )


def describe_memory(found: dict[str, Any]) -> str:
    """Times and peak memory."""
    if "failed" in found:
        return f"memory run failed: {found['failed']}"
    size = f"{found['rows']} rows, {found['columns']} levels of factors"
    lines = [f"{size}; {found['data_mb']:.0f} MB with the data in memory"]
    for name in ("fit", "fit_cv"):
        facts = found[name]
        lines.append(
            f"{name:8} cpu {facts['cpu']:8.1f} s  wall {facts['wall']:8.1f} s  "
            f"peak {facts['peak_mb']:8.0f} MB"
        )
    return "\n".join(lines)
