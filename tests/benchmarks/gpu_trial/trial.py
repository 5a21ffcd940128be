"""Measure the kernel: ``python -m tests.benchmarks.gpu_trial.trial --out FILE``.

On a device: its ceilings, visits per second by block size and buffering, paths of one replicate
and of many, and whether ten runs repeat bit for bit. With ``--processor`` the same through
shim.h, in small, which says nothing of speed but counts the work; with ``--resources`` only what
the compiler says of registers and spills.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import platform
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from .descent import HERE, LARGEST_SHARED, Machine, Variant, device, processor
from .lockstep import Lockstep, Problem, half_samples, make_problem, orthonormalised, relative_gap

BLOCK_SIZES = (128, 256, 512, 1024)
BUFFERS = (0, 1, 2)
N_GROUPS, N_ROWS, GROUP_SIZE = 900, 1000, 10
REPEATS = 10


def hardware(machine: Machine) -> dict[str, Any]:
    """Return what the numbers were measured on."""
    found = {"date": str(dt.datetime.now(tz=dt.UTC).date()), "numpy": np.__version__}
    if machine.xp is np:
        return found | {"machine": platform.processor() or platform.machine()}
    xp, runtime = machine.xp, machine.xp.cuda.runtime
    properties = runtime.getDeviceProperties(0)
    keys = ("multiProcessorCount", "l2CacheSize", "clockRate", "memoryClockRate")
    return found | {
        "machine": properties["name"].decode(),
        "driver": runtime.driverGetVersion(),
        "cuda": runtime.runtimeGetVersion(),
        "cupy": xp.__version__,
        **{key: properties[key] for key in keys if key in properties},
    }


def median_seconds(machine: Machine, work: Any, repeats: int = 5) -> float:
    """Return the median wall time after one run to warm up."""
    work()
    return statistics.median(machine.seconds(work) for _ in range(repeats))


def ceilings(machine: Machine, scale: int) -> dict[str, float]:
    """Return copy bandwidth and rates of products, in GB/s and Gflop/s."""
    xp = machine.xp
    out = {}
    source = xp.ones(2**20 * scale, xp.float32)
    target = xp.empty_like(source)
    seconds = median_seconds(machine, lambda: xp.copyto(target, source))
    out["copy_gb_s"] = 2 * source.nbytes / seconds / 1e9
    side = 256 * int(scale**0.5)
    rng = np.random.default_rng(0)
    square = xp.asarray(rng.standard_normal((side, side)))
    for dtype in ("float64", "float32"):
        a = square.astype(dtype)
        seconds = median_seconds(machine, lambda a=a: a @ a)
        out[f"gemm_{dtype}_gflop_s"] = 2 * side**3 / seconds / 1e9
        tall = xp.asarray(rng.standard_normal((100 * scale, N_ROWS))).astype(dtype)
        for width in (1, 11, 100):
            right = xp.asarray(rng.standard_normal((width, N_ROWS))).astype(dtype)
            seconds = median_seconds(machine, lambda tall=tall, right=right: right @ tall.T)
            out[f"pass_{dtype}_{width}_gb_s"] = tall.nbytes / seconds / 1e9
            out[f"pass_{dtype}_{width}_gflop_s"] = 2 * tall.size * width / seconds / 1e9
    return out


def throughput(
    machine: Machine, problem: Problem, variant: Variant, *, tasks: int, sweeps: int
) -> dict[str, Any]:
    """Time launches that visit every group, from zero, and check that they repeat."""
    xp = machine.xp
    state = Lockstep(
        machine, problem, row_weights=half_samples(len(problem.y), tasks), variant=variant
    )
    beta, scale, effort = (state.arrays[name] for name in ("beta", "scale", "effort"))
    first = [array.copy() for array in (beta, scale)]
    residual, _ = state.residual(beta)
    wanted = xp.ones((tasks, state.n_groups), bool)
    lambda_ = 0.1 * float(problem.lambdas[0])
    digests, times = set(), []
    for _ in range(REPEATS):
        beta[...], scale[...] = first
        effort[...] = 0
        state.kernel_seconds = 0.0
        busy = xp.ones(tasks, bool)
        state.descend(residual, wanted, lambda_, xp.zeros(tasks), busy, sweeps)
        times.append(state.kernel_seconds)
        digests.add(hashlib.sha256(machine.host(beta).tobytes()).hexdigest())
    visits, steps, *_ = machine.host(effort).sum(axis=0).tolist()
    seconds = statistics.median(times)
    return {
        "threads": variant.threads,
        "buffer": variant.buffer,
        "adapt": variant.adapt,
        "fast": variant.fast,
        "tasks": tasks,
        "visits": visits,
        "steps": steps,
        "seconds": seconds,
        "microseconds_per_visit": 1e6 * seconds * tasks / visits,
        "visits_per_second": visits / seconds,
        "tile_gb_s": 4 * visits * problem.size * variant.rows / seconds / 1e9,
        "repeats_exactly": len(digests) == 1,
    }


def path(
    machine: Machine, problem: Problem, variant: Variant, *, tasks: int, tol: float
) -> dict[str, Any]:
    """Solve a path, one replicate on all rows or half-samples; check one replicate on the host."""
    n = len(problem.y)
    weights = np.full((1, n), 1 / n) if tasks == 1 else half_samples(n, tasks)
    state = Lockstep(machine, problem, row_weights=weights, variant=variant)
    result = state.solve(tol=tol, keep=lambda beta: machine.host(beta[0]).copy())
    checked = np.unique(np.linspace(0, len(problem.lambdas) - 1, 11).astype(int))
    gaps = [
        relative_gap(problem, weights[0], result.beta[k], float(problem.lambdas[k]))
        for k in checked
    ]
    visits, steps, sweeps, redone = result.effort.mean(axis=0).tolist()
    return {
        "n": n,
        "p": len(problem.Z) - 1,
        "tasks": tasks,
        "tol": tol,
        "threads": variant.threads,
        "buffer": variant.buffer,
        "adapt": variant.adapt,
        "seconds": result.seconds,
        "kernel_seconds": result.kernel_seconds,
        "launches": result.launches,
        "visits_per_task": visits,
        "most_visits_of_a_task": int(result.effort[:, 0].max()),
        "steps_per_task": steps,
        "sweeps_per_task": sweeps,
        "redone_per_task": redone,
        "largest_gap": float(result.gap.max()),
        "largest_gap_checked_on_host": max(gaps),
        "least_gap_checked_on_host": min(gaps),
    }


def mcp(machine: Machine, problem: Problem, variant: Variant) -> dict[str, Any]:
    """Solve a group MCP path; return the largest violation of stationarity, checked on the host."""
    problem, n, gamma = orthonormalised(problem), len(problem.y), 3.0
    weights = np.full((1, n), 1 / n)
    state = Lockstep(machine, problem, row_weights=weights, variant=variant, gamma=gamma)
    result = state.solve(tol=1.0, epsilon=1e-9, keep=lambda beta: machine.host(beta[0]).copy())
    worst = 0.0
    for beta, lambda_ in zip(result.beta, problem.lambdas, strict=True):
        level = lambda_ * np.sqrt(problem.size)
        blocks = beta[:-1].reshape(-1, problem.size)
        rest = problem.y - beta[:-1] @ problem.Z[:-1]
        gradient = ((rest - rest.mean()) @ problem.Z[:-1].T / n).reshape(blocks.shape)
        norms = np.linalg.norm(blocks, axis=1)
        pull = np.maximum(level - norms / gamma, 0) / np.where(norms > 0, norms, 1)
        miss = np.linalg.norm(gradient - pull[:, None] * blocks, axis=1)
        worst = max(
            worst, float(np.where(norms > 0, miss, np.maximum(miss - level, 0)).max() / level)
        )
    return {
        "p": len(problem.Z) - 1,
        "seconds": result.seconds,
        "kernel_seconds": result.kernel_seconds,
        "visits": int(result.effort[0, 0]),
        "largest_violation": worst,
    }


def resources() -> list[dict[str, int]]:
    """Return registers and spilled bytes of every variant, as nvcc reports them for sm_90."""
    rows = []
    for threads in BLOCK_SIZES:
        for buffer in BUFFERS:
            variant = Variant(GROUP_SIZE, N_ROWS, threads=threads, buffer=buffer)
            command = ["nvcc", "-arch=sm_90", "-std=c++17", "-cubin", "-Xptxas", "-v"]
            command += [*variant.definitions(), "-o", "/dev/null", str(HERE / "descent.cu")]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
            found = re.search(r"(\d+) bytes spill stores.*?Used (\d+) registers", said, re.DOTALL)
            rows.append(
                {
                    "threads": threads,
                    "buffer": buffer,
                    "registers": int(found[2]),
                    "spilled_bytes": int(found[1]),
                    "shared_bytes_with_900_groups": variant.shared_bytes(N_GROUPS),
                }
            )
    return rows


def measure_device(machine: Machine, out: dict[str, Any]) -> None:
    """Fill `out` with everything measured on a device; minutes."""
    out["ceilings"] = ceilings(machine, 1024)
    working_set = make_problem(N_ROWS, N_GROUPS * GROUP_SIZE)
    out["throughput"] = rows = []
    variants = [
        Variant(GROUP_SIZE, N_ROWS, threads=threads, buffer=buffer)
        for threads in BLOCK_SIZES
        for buffer in BUFFERS
    ]
    variants += [
        Variant(GROUP_SIZE, N_ROWS, buffer=buffer, adapt=adapt, fast=fast)
        for buffer in (1, 2)
        for adapt, fast in ((0, 0), (1, 1))
    ]
    for variant in variants:
        rows += [
            throughput(machine, working_set, variant, tasks=tasks, sweeps=20)
            for tasks in (1, 100, 132, 264)
        ]
    exact = [row for row in rows if row["adapt"] and not row["fast"] and row["tasks"] == 100]
    best = min(exact, key=lambda row: row["seconds"])
    chosen = Variant(GROUP_SIZE, N_ROWS, threads=best["threads"], buffer=best["buffer"])
    small = make_problem(N_ROWS, 10_000)
    out["paths"] = paths = []
    for tol in (1e-3, 1e-5):  # twice: the first run warms up
        paths += [path(machine, small, chosen, tasks=1, tol=tol) for _ in range(2)]
        paths += [path(machine, small, chosen, tasks=100, tol=tol) for _ in range(2)]
    out["mcp"] = mcp(machine, small, chosen)
    large = make_problem(N_ROWS, 100_000)
    paths += [path(machine, large, chosen, tasks=1, tol=tol) for tol in (1e-3, 1e-5)]


def measure_processor(machine: Machine, out: dict[str, Any], rows: int, columns: int) -> None:
    """Fill `out` with the counts of work, through shim.h; times there mean nothing."""
    variants = [
        Variant(GROUP_SIZE, rows, threads=1, warp=1, buffer=0, adapt=adapt) for adapt in (1, 0)
    ]
    problem = make_problem(rows, columns)
    out["paths"] = [
        path(machine, problem, variant, tasks=tasks, tol=tol)
        for variant in variants
        for tasks in (1, 4)
        for tol in (1e-3, 1e-4, 1e-5)
        if tasks > 1 or variant.adapt
    ]
    out["mcp"] = mcp(machine, problem, variants[0])


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processor", action="store_true", help="count the work through shim.h")
    parser.add_argument("--resources", action="store_true", help="only registers and spills")
    parser.add_argument("--rows", type=int, default=N_ROWS, help="rows, with --processor")
    parser.add_argument("--columns", type=int, default=10_000, help="columns, with --processor")
    parser.add_argument("--out", type=Path, required=True, help="JSON to write or to add to")
    given = parser.parse_args()
    out = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}
    command = "python -m tests.benchmarks.gpu_trial.trial " + " ".join(sys.argv[1:])
    if given.resources:
        out["resources"] = {"command": command, "largest_shared": LARGEST_SHARED}
        out["resources"]["variants"] = resources()
    else:
        machine = processor() if given.processor else device()
        part = out.setdefault("processor" if given.processor else "device", {})
        part |= hardware(machine) | {"command": command}
        try:
            if given.processor:
                measure_processor(machine, part, given.rows, given.columns)
            else:
                measure_device(machine, part)
        finally:  # what was measured before a failure is kept
            given.out.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")
    given.out.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
