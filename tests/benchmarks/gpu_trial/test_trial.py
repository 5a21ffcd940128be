"""The kernel's arithmetic, compiled with shim.h, against the same descent written plainly."""

from __future__ import annotations

import functools
import itertools
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.benchmarks.gpu_trial import descent, lockstep, trial

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")

N_ROWS, SIZES = 30, (3, 1, 5, 2, 4, 1)  # rows not a multiple of 4, ragged groups, an intercept
SINGLE = 2e-6  # a few roundings of float32
VARIANTS = {
    "one thread, fixed metric": descent.Variant(5, N_ROWS, threads=1, warp=1, buffer=2, adapt=0),
    "two warps": descent.Variant(5, N_ROWS, threads=16, warp=8, buffer=1),
}


@functools.cache
def compile_once(name):
    return VARIANTS[name], descent.processor().compile(VARIANTS[name])


@pytest.fixture(params=VARIANTS)
def compiled(request):
    return compile_once(request.param)


def tasks(gamma: float) -> dict[str, np.ndarray]:
    """Return three tasks that differ in weights and levels; the last has nothing to do."""
    rng = np.random.default_rng(5)
    starts = np.concatenate([[0], np.cumsum(SIZES)])
    columns = np.zeros((starts[-1], 32))
    for first, last in itertools.pairwise(starts):
        block = np.linalg.qr(rng.standard_normal((N_ROWS, last - first)))[0].T * np.sqrt(N_ROWS)
        columns[first:last, :N_ROWS] = block
    scales = np.ones(starts[-1]) if gamma else rng.uniform(0.5, 1.5, starts[-1])
    columns[:, :N_ROWS] *= scales[:, None]
    columns[-1, :N_ROWS] = scales[-1] = 1
    mass = np.zeros((3, 32))
    mass[:, :N_ROWS] = rng.integers(0, 3, (3, N_ROWS)) / N_ROWS
    y = 2 + rng.standard_normal(N_ROWS) + 0.04 * columns[:6, :N_ROWS].sum(axis=0)
    residual = np.zeros((3, 32))
    residual[:, :N_ROWS] = mass[:, :N_ROWS] * y
    level = np.array([[0.1], [0.2], [0.1]]) * np.append(np.sqrt(SIZES[:-1]), 0)
    single = {
        "columns": columns,
        "diagonal": scales**2,
        "level": level,
        "mass": mass,
        "residual": residual,
        "tolerance": np.array([1e-9, 1e-3, 0]),
        "scale": np.full((3, len(SIZES)), 3.0),
    }
    whole = {
        "starts": starts,
        "queue": np.array([[5, 0, 1, 2, 3, 4], [5, 4, 2, 0, 1, 1], [0] * 6]),
        "length": np.array([6, 4, 0]),
        "effort": np.zeros((3, 4)),
    }
    out = {name: value.astype(np.float32) for name, value in single.items()}
    out |= {name: value.astype(np.int32) for name, value in whole.items()}
    return out | {"beta": np.zeros((3, starts[-1]))}


def minimiser(u, curvature, level, gamma):
    """Minimise -u'b + b'diag(curvature)b / 2 + penalty, by a search for the length."""
    norm = np.linalg.norm(u)
    if level == 0:
        return u / curvature
    if norm <= level:
        return np.zeros_like(u)
    if gamma:  # one curvature, above 1 / gamma
        s = curvature[0]
        flat = norm > gamma * level * s
        return u / norm * (norm / s if flat else gamma * (norm - level) / (gamma * s - 1))
    top = norm / curvature.min()
    length = brentq(lambda t: np.linalg.norm(u / (curvature * t + level)) - 1, 0, top, xtol=1e-14)
    return u * length / (curvature * length + level)


def plain_sweep(job, task, groups, state, gamma, adapt):
    """Visit groups in float64; return the gain."""
    beta, residual, scale = state
    mass, gain = job["mass"][task].astype(float), 0.0
    for group in groups:
        own = slice(*job["starts"][group : group + 2])
        Z, D, s = job["columns"][own].astype(float), job["diagonal"][own], scale[group]
        gradient = Z @ residual
        for _ in range(30):
            level = float(job["level"][task, group])
            step = minimiser(gradient + s * D * beta[own], s * D, level, gamma) - beta[own]
            length, change = D @ step**2, step @ Z
            curvature = mass @ change**2
            if not adapt or curvature <= 1.3 * s * length:
                break
            s = 1.05 * curvature / length
        if length > 0:
            residual -= mass * change
            beta[own] += step
            gain += s * length
            scale[group] = max(0.8 * s, curvature / length) if adapt else s
    return gain


def plain(job, task, gamma, adapt, max_sweeps):
    """Solve one task in float64 by the kernel's schedule; return coefficients and visits."""
    state = (
        job["beta"][task].copy(),
        job["residual"][task].astype(float),
        job["scale"][task].astype(float),
    )
    queue = job["queue"][task, : job["length"][task]]
    tolerance, visits, sweeps, whole, full = float(job["tolerance"][task]), 0, 0, 0.0, True
    while sweeps < max_sweeps and len(queue):
        active = [
            g
            for g in queue
            if job["level"][task, g] == 0 or state[0][slice(*job["starts"][g : g + 2])].any()
        ]
        settled = False
        while not settled and sweeps < max_sweeps:
            groups = queue if full else active
            gain = plain_sweep(job, task, groups, state, gamma, adapt)
            visits, sweeps = visits + len(groups), sweeps + 1
            settled = full or gain <= max(0.05 * whole, 0.5 * tolerance)
            whole = gain if full else whole
        if full and whole <= tolerance:
            break
        full = not full
    return state[0], visits, sweeps


def run(compiled, job, gamma, max_sweeps):
    variant, launch = compiled
    record = descent.pack(
        job,
        n_columns=job["beta"].shape[1],
        n_groups=len(SIZES),
        room=job["queue"].shape[1],
        max_sweeps=max_sweeps,
        gamma=gamma,
    )
    launch(3, record, variant.shared_bytes(job["queue"].shape[1]))
    return job


@pytest.mark.parametrize("gamma", [0.0, 4.0])
@pytest.mark.parametrize("max_sweeps", [1, 60])
def test_equals_plain_descent(compiled, gamma, max_sweeps):
    job = run(compiled, tasks(gamma), gamma, max_sweeps)
    for task in range(3):
        beta, visits, sweeps = plain(tasks(gamma), task, gamma, compiled[0].adapt, max_sweeps)
        np.testing.assert_allclose(job["beta"][task], beta, atol=SINGLE)
        assert np.array_equal(job["beta"][task] == 0, beta == 0)
        assert (job["effort"][task, 0], job["effort"][task, 2]) == (visits, sweeps)


def test_repeats_exactly(compiled):
    runs = [run(compiled, tasks(0.0), 0.0, 5) for _ in range(3)]
    assert len({job["beta"].tobytes() for job in runs}) == 1


def test_too_short_metrics_are_redone():
    job = tasks(0.0)
    job["scale"][...] = 0.1
    assert run(compile_once("two warps"), job, 0.0, 60)["effort"][0, 3] > 0
    expected, *_ = plain(tasks(0.0), 0, 0.0, 1, 200)
    np.testing.assert_allclose(job["beta"][0], expected, atol=1e-4)


def test_path_is_certified_by_the_data_alone():
    problem = lockstep.make_problem(62, 60, n_lambda=8)
    variant = descent.Variant(problem.size, 62, threads=1, warp=1, buffer=0)
    found = trial.path(descent.processor(), problem, variant, tasks=3, tol=1e-5)
    assert found["least_gap_checked_on_host"] > -1e-14
    assert found["largest_gap_checked_on_host"] < 1e-5
    assert found["largest_gap"] < 1e-5
