"""The worked example of CONTRIBUTING.md does what it says."""

from __future__ import annotations

import re
import sys
from math import exp, expm1
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from grpsparse.backend import codes, prox
from grpsparse.penalties import Penalty

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXPONENTIAL = 97  # a code that no penalty has
GRID = np.linspace(0.0, 6.0, 60_001)
# The grid is 1e-4 apart, and the objective is flat at its minimum.
FINE = 1e-6


def example(name: str) -> str:
    return re.search(rf"<!-- example: {name} -->\n```python\n(.*?)```", TEXT, re.DOTALL).group(1)


@pytest.fixture
def exponential(monkeypatch):
    scalar = {
        "njit": lambda **_: lambda function: function,
        "exp": exp,
        "expm1": expm1,
        "MOST_STEPS": prox.MOST_STEPS,
        "ACCURACY": prox.ACCURACY,
    }
    exec(example("prox"), scalar)
    original = prox.radial_prox

    def radial_prox(code, a, b, s, step, level):
        if code == EXPONENTIAL:
            return scalar["_exponential"](a, s, step * level)
        return original(code, a, b, s, step, level)

    monkeypatch.setattr(codes, "EXPONENTIAL", EXPONENTIAL, raising=False)
    monkeypatch.setattr(prox, "radial_prox", radial_prox)
    module = ModuleType("exponential")
    monkeypatch.setitem(sys.modules, "exponential", module)
    exec(example("penalty"), module.__dict__)
    return module.GroupExponential


def test_example_is_a_penalty(exponential):
    assert isinstance(exponential(a=0.5), Penalty)


@pytest.mark.parametrize("a", [0.3, 1.0])
@pytest.mark.parametrize("step", [0.2, 1.0, 4.0])
@pytest.mark.parametrize("length", [0.1, 0.9, 1.7, 3.0])
def test_example_prox_is_the_global_minimiser(exponential, a, step, length):
    penalty = exponential(a=a)

    def objective(r):
        return (r - length) ** 2 / 2 + step * penalty.radial_value(r, np.array(0.7))

    found = penalty.prox(np.array([length, 0.0]), step, 0.7)[0]
    assert objective(found) <= objective(GRID).min() + FINE


def test_example_slope_is_a_difference_quotient(exponential):
    penalty, norm, width = exponential(a=0.5), np.array([0.2, 1.0]), 1e-6
    level = np.array([0.7, 0.3])
    up, down = (penalty.radial_value(norm + h, level) for h in (width, -width))
    assert penalty.radial_derivative(norm, level) == pytest.approx((up - down) / (2 * width))
    assert penalty.weak_convexity(level) >= -penalty.radial_curvature(norm, level).min()
