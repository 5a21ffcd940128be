"""Loops over rows are vectorised: what the compiler made of them holds packed multiplications.

A loop over too many arrays, or a sum in an array's entry, stays scalar without a word, and
costs a factor of eight.
"""

from __future__ import annotations

import os
import platform
import re

import numba
import numpy as np
import pytest

from grpsparse.backend import kernels, rows
from grpsparse.path import Grid, fit_path
from grpsparse.solvers import BlockDescent

pytestmark = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT)
    or os.environ.get("NUMBA_CPU_NAME") == "generic"
    or platform.machine().lower() not in {"x86_64", "amd64", "arm64", "aarch64"},
    reason="no compiled code with vector registers to look at",
)

N, K = 64, 4
VECTOR = r"<(\d+) x float>"
PACKED = re.compile(rf"= fmul [a-z ]*{VECTOR}|call [a-z ]*{VECTOR} @llvm\.fmuladd")

ROWS = np.ones((8, N), dtype=np.float32)
RESIDUAL = np.ones((K, N), dtype=np.float32)
OUT = np.zeros((8, K))
STEP = np.ones((8, K))
MEAN = np.zeros(N, dtype=np.float32)


def dots_of_eight(x, r, out):
    rows._two_by_four(x, 0, r, 0, out, 0, 0)


def dots_of_four(x, r, out):
    rows._four_by_one(x, 0, r, 0, out, 0, 0)


def dot(x, r):
    return rows._one_by_one(x, 0, r, 0)


def combine(x, step, change):
    rows._combine(x, 0, 8, 1, step, change)


def diagonal_change(change, curvature, mean):
    return rows.weighted_change(change, 0, 1, None, curvature, mean)


def softmax_change(change, chances, curvature, mean):
    return rows.weighted_change(change, 0, 4, chances, curvature, mean)


def diagonal_subtract(change, curvature, mean, residual, moved):
    rows.subtract(change, 0, 1, None, curvature, mean, residual, moved)


def softmax_subtract(change, chances, curvature, mean, residual, moved):
    rows.subtract(change, 0, 4, chances, curvature, mean, residual, moved)


# How many packed multiplications a loop over rows has at least, from its formula.
LOOPS = {
    "dots_of_eight": (dots_of_eight, (ROWS, RESIDUAL, OUT), 8),
    "dots_of_four": (dots_of_four, (ROWS, RESIDUAL, OUT), 4),
    "dot": (dot, (ROWS, RESIDUAL), 1),
    "combine": (combine, (ROWS, STEP, RESIDUAL), 6),
    "diagonal_change": (diagonal_change, (RESIDUAL, RESIDUAL, MEAN), 2),
    "softmax_change": (softmax_change, (RESIDUAL, RESIDUAL, RESIDUAL, MEAN), 4),
    "diagonal_subtract": (diagonal_subtract, (RESIDUAL, RESIDUAL, MEAN, RESIDUAL, RESIDUAL), 1),
    "softmax_subtract": (
        softmax_subtract,
        (RESIDUAL, RESIDUAL, RESIDUAL, MEAN, RESIDUAL, RESIDUAL),
        2,
    ),
}


def compiled(function, arguments):
    """Return the optimised LLVM code of a function and all it calls."""
    made = numba.njit(function)
    made(*(each.copy() for each in arguments))
    (code,) = made.inspect_llvm().values()
    return code


@pytest.mark.parametrize("name", LOOPS)
def test_loops_over_rows_are_vectorised(name):
    function, arguments, least = LOOPS[name]
    code = compiled(function, arguments)
    widths = [int(a or b) for a, b in PACKED.findall(code)]
    assert len(widths) >= least
    assert min(widths) >= 4


def test_a_sum_in_an_entry_would_be_found():
    """The test has teeth: the same product, kept in an array, stays scalar."""

    def kept_in_an_entry(x, r, out):
        for i in range(x.shape[1]):
            out[0, 0] += x[0, i] * r[0, i]

    code = compiled(kept_in_an_entry, (ROWS, RESIDUAL, OUT))
    assert not PACKED.search(code)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "least"), [("gaussian", 50), ("multinomial", 40)])
def test_the_kernel_as_a_whole_is_vectorised(data, family, least, monkeypatch):
    """Inlined into the kernel the loops are still packed: as many as they are by themselves."""
    options = {"nogil": True, "error_model": "numpy", "_nrt": False}
    fresh = numba.njit(**options)(kernels.descend.py_func)
    monkeypatch.setattr(kernels, "descend", fresh)
    problem = data.problem(family, "group_lasso")
    grid = Grid(problem.lambda_max * np.array([1.0, 0.5]), automatic=False)
    fit_path(problem, grid, solver=BlockDescent(arithmetic="residual"), tol=1e-7)
    (code,) = fresh.inspect_llvm().values()
    packed = PACKED.findall(code)
    assert len(packed) >= least
