"""What a path cost: its work for every lambda, as a table and as a picture.

A pass is one product of all columns of X with a vector; products with a part of the columns
count as that part. Seconds are wall seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from grpsparse.errors import DataError
from grpsparse.groups import FloatArray, IntArray
from grpsparse.results.axes import bottom_axis, end_labels, vertical_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from grpsparse.record import Effort
    from grpsparse.results.path_fit import PathFit

__all__ = ["COUNTS", "SECONDS", "diagnostics", "plot_diagnostics"]

COUNTS = ("groups", "passes", "sweeps", "newton_steps", "working_set")
SECONDS = ("seconds_screen", "seconds_solve", "seconds_certify")

SIZE = (6.0, 7.0)  # inches
BLUE, RED, BLACK = "#0072B2", "#B03A00", "#303030"
STAGES = {"screen": "#F0C27B", "solve": "#3D8BC0", "certify": "#16324A"}
WIDE = 50.0  # ratio of counts from which their axis is logarithmic


def diagnostics(fit: PathFit) -> pd.DataFrame:
    """Make the table of `PathFit.diagnostics`.

    Parameters
    ----------
    fit : PathFit

    Returns
    -------
    pandas.DataFrame
        A row per lambda: ``lambda_``; ``groups`` whose gradient the checks worked out, once for
        every check; ``passes`` over X of these checks; ``sweeps``; ``newton_steps``; groups in
        the ``working_set``; ``seconds_screen``, ``seconds_solve`` and ``seconds_certify``; the
        ``certificate``; and the ``arithmetic``, ``"residual"``, ``"gram"`` or ``"exact"``, which
        ``attrs`` holds too.

    Raises
    ------
    DataError
        If the fit has no record of its work.

    Examples
    --------
    >>> import grpsparse as gs
    >>> fit = gs.fit("bwt ~ race + smoke", gs.datasets.load("birthwt"), lambda_=[50.0, 0.0])
    >>> fit.diagnostics[["lambda_", "working_set"]]
       lambda_  working_set
    0     50.0            2
    1      0.0            2
    """
    import pandas as pd

    effort = _effort(fit)
    data: dict[str, Any] = {"lambda_": fit.lambda_}
    data |= {name: getattr(effort, name) for name in (*COUNTS, *SECONDS)}
    data |= {"certificate": fit.certificate, "arithmetic": effort.arithmetic}
    table = pd.DataFrame(data)
    table.attrs["arithmetic"] = effort.arithmetic
    return table


def _effort(fit: PathFit) -> Effort:
    if fit.effort is None:
        raise DataError("this fit has no record of its work; fit again to have one.")
    return fit.effort


def plot_diagnostics(
    fit: PathFit, *, figure: Any = None, lines: Mapping[str, float] | None = None
) -> Any:
    """Draw the work of a path over lambda: groups, passes, steps and seconds.

    Parameters
    ----------
    fit : PathFit
        What to draw.
    figure : matplotlib.figure.Figure, optional
        Where to draw; None makes one.
    lines : mapping of str to float, optional
        Lambdas to mark by vertical lines, by label.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (4,)

    Raises
    ------
    DataError
        If the fit has no record of its work.
    """
    effort = _effort(fit)
    if figure is None:
        from matplotlib import pyplot as plt

        figure = plt.figure(figsize=SIZE, layout="constrained")
    panels = figure.subplots(4, sharex=True)
    x = bottom_axis(panels[-1], fit.lambda_)
    selected = np.count_nonzero(fit.group_norms.reshape(*fit.group_norms.shape[:2], -1).any(-1), 1)
    drawn = (
        _draw_groups(panels[0], x, effort, selected),
        _draw_passes(panels[1], x, effort),
        _draw_steps(panels[2], x, effort),
        _draw_seconds(panels[3], x, effort),
    )
    marks = dict(lines or {})
    for panel, labels in zip(panels, drawn, strict=True):
        _finish(panel)
        heights = np.array([height for height, _, _ in labels])
        names, colours = [name for _, name, _ in labels], [colour for *_, colour in labels]
        end_labels(panel, x[-1], heights, names, colours)
        vertical_lines(panel, fit.lambda_, marks)
        marks = {" " * place: at for place, at in enumerate(marks.values())}
    for panel in panels[:-1]:
        panel.tick_params(axis="x", labelbottom=False)
    return panels


Labels = list[tuple[float, str, str]]  # height at the end of a line, its name and colour


def _draw_groups(panel: Any, x: FloatArray, effort: Effort, selected: IntArray) -> Labels:
    """Draw how many groups were selected, swept, and checked."""
    kinds = (
        (selected, "selected", BLACK, (0, (1, 1))),
        (effort.working_set, "swept", BLUE, "-"),
        (effort.groups, "looked at", RED, "--"),
    )
    _curves(panel, x, kinds)
    panel.set_title("Groups selected, swept, and looked at in checks")
    return [(float(values[-1]), name, colour) for values, name, colour, _ in kinds]


def _draw_passes(panel: Any, x: FloatArray, effort: Effort) -> Labels:
    """Draw passes over X."""
    edges, heights = _steps(x, effort.passes)
    panel.fill_between(edges, heights, step="post", color="#B9C9D6", linewidth=0, zorder=0.4)
    panel.step(edges, heights, where="post", color="#5B7083", linewidth=0.8)
    total = float(effort.passes.sum())
    panel.set_title(f"Passes over X ({total:.3g} for {x.size} {_points(x)})")
    panel.set_ylim(bottom=0.0)
    return []


def _draw_steps(panel: Any, x: FloatArray, effort: Effort) -> Labels:
    """Draw sweeps and Newton steps."""
    kinds = (
        (effort.sweeps, "sweeps", BLUE, "-"),
        (effort.newton_steps, "Newton", RED, "--"),
    )
    _curves(panel, x, kinds)
    sweeps, steps = int(effort.sweeps.sum()), int(effort.newton_steps.sum())
    panel.set_title(
        f"Sweeps ({sweeps:,}) and Newton steps ({steps:,}), with {effort.arithmetic} updates"
    )
    return [(float(values[-1]), name, colour) for values, name, colour, _ in kinds]


def _draw_seconds(panel: Any, x: FloatArray, effort: Effort) -> Labels:
    """Draw the time of each stage, one on top of the other."""
    stages = [np.asarray(getattr(effort, name), dtype=np.float64) for name in SECONDS]
    total = sum(float(stage.sum()) for stage in stages)
    unit, factor = ("ms", 1e3) if max(stage.max() for stage in stages) < 1.0 else ("s", 1.0)
    floor = np.zeros(x.size)
    labels: Labels = []
    for stage, (name, colour) in zip(stages, STAGES.items(), strict=True):
        ceiling = floor + factor * stage
        edges, low = _steps(x, floor)
        _, high = _steps(x, ceiling)
        panel.fill_between(edges, low, high, step="post", color=colour, linewidth=0, zorder=0.4)
        labels.append((float(floor[-1] + ceiling[-1]) / 2.0, name, _dark(colour)))
        floor = ceiling
    panel.set_title(f"Time by stage, {unit} per lambda ({_span(total)} in all)")
    panel.set_ylim(bottom=0.0)
    return labels


def _curves(panel: Any, x: FloatArray, kinds: tuple[tuple[IntArray, str, str, Any], ...]) -> None:
    """Draw counts, on a log axis where they differ much."""
    counts = np.concatenate([values for values, *_ in kinds])
    mark = "o" if x.size == 1 else None
    for values, _, colour, dashes in kinds:
        panel.plot(x, values, color=colour, linestyle=dashes, linewidth=1.4, marker=mark)
    if counts.max(initial=0) > WIDE * max(1, int(np.median(counts))):
        panel.set_yscale("symlog", linthresh=1.0)
    else:
        panel.locator_params(axis="y", integer=True)
    panel.set_ylim(bottom=0.0)


def _steps(x: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return edges (L + 1,) around the places of the path, and a height for each of them."""
    if x.size == 1:
        edges = np.array([x[0] - 0.2, x[0] + 0.2])
    else:
        middle = (x[1:] + x[:-1]) / 2.0
        edges = np.concatenate([[2 * x[0] - middle[0]], middle, [2 * x[-1] - middle[-1]]])
    return edges, np.append(values, values[-1])


def _finish(panel: Any) -> None:
    """Set a title at the left, few ticks, and a quiet frame."""
    panel.set_title(panel.get_title(), loc="left", fontsize="medium")
    panel.set_title("")
    if panel.get_yscale() == "linear":
        panel.locator_params(axis="y", nbins=4)
    panel.grid(axis="y", color="#E4E4E4", linewidth=0.6)
    panel.set_axisbelow(True)
    for side in ("right", "top"):
        panel.spines[side].set_visible(False)
    panel.margins(y=0.08)


def _dark(colour: str) -> str:
    return {"#F0C27B": "#9A6A14"}.get(colour, colour)


def _points(x: FloatArray) -> str:
    return "lambda" if x.size == 1 else "lambdas"


def _span(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds < 1.0 else f"{seconds:.3g} s"
