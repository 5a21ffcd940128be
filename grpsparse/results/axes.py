"""Axes of the plots: lambda below, numbers of terms above, labels at the ends of lines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from grpsparse.groups import FloatArray, IntArray

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "bottom_axis",
    "end_labels",
    "lambda_ticks",
    "new_axes",
    "positions",
    "spread",
    "top_axis",
    "vertical_lines",
]

SIZE = (6.0, 4.2)  # inches: 600 pixels wide at the usual 100 dots per inch
MAX_TICKS = 7
LABEL_WIDTH = 22


def new_axes(ax: Any) -> Any:
    """Return the axes given, or those of a new figure."""
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=SIZE, layout="constrained")[1]


def positions(lambda_: FloatArray, at: FloatArray | None = None) -> FloatArray:
    """Return places on the axis: -log10 of lambda, 0 one step beyond the others."""
    at = lambda_ if at is None else at
    positive = lambda_[lambda_ > 0]
    if positive.size == 0:
        return np.zeros(at.size)
    place = -np.log10(np.where(at > 0, at, positive[-1]))
    span = math.log10(positive[0] / positive[-1])
    return place + np.where(at > 0, 0.0, max(span / 12, 0.05))


def lambda_ticks(lambda_: FloatArray) -> FloatArray:
    """Choose round lambdas (1, 2, 5 times a power of ten) within the path, 0 if it is in it.

    Examples
    --------
    >>> lambda_ticks(np.array([0.4, 0.02, 0.003])).tolist()
    [0.2, 0.1, 0.05, 0.02, 0.01, 0.005]
    """
    positive = lambda_[lambda_ > 0]
    zero = [0.0] if positive.size < lambda_.size else []
    if positive.size == 0:
        return np.array(zero)
    low, high = float(positive[-1]), float(positive[0])
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((5, 2, 1), (3, 1), (1,)):
        ticks = [float(f"{digit}e{power}") for power in reversed(powers) for digit in digits]
        ticks = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
        if len(ticks) <= MAX_TICKS:
            break
    if len(ticks) < 2:
        ticks = sorted({float(f"{value:.2g}") for value in (high, low)}, reverse=True)
    step = math.ceil(len(ticks) / MAX_TICKS)
    return np.array(ticks[::step] + zero)


def bottom_axis(axes: Any, lambda_: FloatArray) -> FloatArray:
    """Put lambda below the axes, and return the places (L,) of the path."""
    x = positions(lambda_)
    ticks = lambda_ticks(lambda_)
    axes.set_xticks(positions(lambda_, ticks), [f"{tick:g}" for tick in ticks])
    axes.set_xlabel("Lambda (log scale)")
    margin = 0.02 * (x[-1] - x[0]) or 0.5
    axes.set_xlim(x[0] - margin, x[-1] + margin)
    return x


def top_axis(axes: Any, x: FloatArray, n_terms: IntArray) -> None:
    """Put the numbers of terms above the axes."""
    top = axes.secondary_xaxis("top")
    shown = np.unique(np.round(np.linspace(0, x.size - 1, min(x.size, 9))).astype(int))
    top.set_xticks(x[shown], [str(count) for count in n_terms[shown]])
    top.tick_params(length=2)
    top.set_xlabel("Number of terms")


def vertical_lines(axes: Any, lambda_: FloatArray, marks: Mapping[str, float]) -> None:
    """Mark lambdas by dashed vertical lines, labelled inside the axes at the top."""
    at: dict[float, list[str]] = {}
    for label, value in marks.items():
        clamped = float(np.clip(value, lambda_[-1], lambda_[0]))
        at.setdefault(float(positions(lambda_, np.array([clamped]))[0]), []).append(label)
    for place, labels in at.items():
        axes.axvline(place, color="#404040", linewidth=0.9, linestyle=(0, (4, 3)), zorder=0.5)
        axes.annotate(
            " = ".join(labels),
            (place, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-3, -4),
            textcoords="offset points",
            rotation=90,
            ha="right",
            va="top",
            fontsize="small",
            color="#404040",
        )


def spread(wanted: FloatArray, gap: float) -> FloatArray:
    """Move sorted places apart to at least `gap`, as little as possible in squares.

    Places that would overlap are pooled into runs of equal gaps around their mean: isotonic
    regression of the places less their ranks times the gap.

    Examples
    --------
    >>> spread(np.array([0.0, 0.0, 3.0]), 1.0).tolist()
    [-0.5, 0.5, 3.0]
    """
    from scipy.optimize import isotonic_regression

    if wanted.size == 0:
        return wanted
    ladder = gap * np.arange(wanted.size)
    moved: FloatArray = isotonic_regression(wanted - ladder).x + ladder
    return moved


def end_labels(
    axes: Any, x: float, values: FloatArray, labels: Sequence[str], colours: Sequence[str]
) -> None:
    """Write labels to the right of the ends of lines, moved apart where they would overlap."""
    axes.autoscale_view()  # so that the scale is final before heights are read off it
    ends = np.column_stack([np.full(values.size, x), values])
    wanted = axes.transAxes.inverted().transform(axes.transData.transform(ends))[:, 1]
    height = axes.get_position().height * axes.figure.get_size_inches()[1] * 72
    gap = 10.5 / max(height, 1.0)
    order = np.argsort(values, kind="stable")
    places = spread(wanted[order], gap)
    if places.size:  # back inside, where the ends crowd at an edge
        places = places - max(0.0, places[-1] - 1.0)
        places = places + max(0.0, -places[0])
    for place, line in zip(places, order, strict=True):
        text = labels[line]
        text = text if len(text) <= LABEL_WIDTH else f"{text[: LABEL_WIDTH - 3]}..."
        axes.annotate(
            text,
            (x, values[line]),
            xytext=(1.03, place),
            textcoords="axes fraction",
            va="center",
            fontsize="small",
            color=colours[line],
            arrowprops={
                "arrowstyle": "-",
                "color": colours[line],
                "linewidth": 0.5,
                "relpos": (0, 0.5),
            },
            annotation_clip=False,
        )
