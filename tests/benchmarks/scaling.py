"""Cost as a power of the number of rows and of columns.

The slope of log seconds over log size, by least squares. The number of active groups and the
accuracy asked for stay the same while the size doubles.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from .adapters import PROJECT
from .problems import Spec
from .race import race

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .race import Rules

TOL = 1e-6


@dataclasses.dataclass(frozen=True)
class Series:
    """A problem at several sizes.

    Attributes
    ----------
    title : str
    spec : Spec
    axis : {"n", "p"}
    sizes : tuple of int
    """

    title: str
    spec: Spec
    axis: str
    sizes: tuple[int, ...]


GAUSSIAN = Spec("gaussian", 1000, 1000, n_active=25)
BINOMIAL = Spec("binomial", 1000, 1000, n_active=25, ratio=0.1)
FACTORS = Spec("gaussian", 0, 30, design="factors")

SERIES = (
    Series("gaussian in p, n=1000", GAUSSIAN, "p", (5000, 10_000, 20_000, 40_000)),
    Series("gaussian in n, p=1000", GAUSSIAN, "n", (4000, 8000, 16_000, 32_000)),
    Series("binomial in p, n=1000", BINOMIAL, "p", (5000, 10_000, 20_000, 40_000)),
    Series("binomial in n, p=1000", BINOMIAL, "n", (4000, 8000, 16_000, 32_000)),
    Series("30 factors in n", FACTORS, "n", (50_000, 100_000, 200_000, 400_000)),
)


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Slope of log seconds over log size."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def scaling(
    rules: Rules, tell: Callable[[str], None] = print, series: Sequence[Series] = SERIES
) -> list[dict[str, Any]]:
    """Median CPU seconds of the project at every size of every series, and the exponents."""
    rules = dataclasses.replace(rules, tols={PROJECT: [TOL]})
    return [measure(one, rules, tell) for one in series]


def measure(series: Series, rules: Rules, tell: Callable[[str], None]) -> dict[str, Any]:
    """One series."""
    seconds: list[float] = []
    for size in series.sizes:
        spec = dataclasses.replace(series.spec, **{series.axis: size})
        entry = race(f"{series.title}: {size}", [PROJECT], rules=rules, tell=tell, spec=spec)[0]
        if not entry.times:
            return {"title": series.title, "failed": entry.note}
        seconds.append(entry.median())
    slope = exponent(series.sizes, seconds)
    found = {"title": series.title, "axis": series.axis, "sizes": list(series.sizes)}
    return {**found, "cpu": seconds, "exponent": slope}


def describe(found: Sequence[dict[str, Any]]) -> str:
    """Exponents, one a line."""
    lines = []
    for one in found:
        if "failed" in one:
            lines.append(f"{one['title']:26} failed: {one['failed']}")
            continue
        times = "  ".join(f"{s:.3f}" for s in one["cpu"])
        lines.append(f"{one['title']:26} exponent {one['exponent']:5.2f}  cpu s: {times}")
    return "\n".join(lines)
