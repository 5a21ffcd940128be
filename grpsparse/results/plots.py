"""Plots: the path of norms or coefficients, and the curve of cross-validated errors.

Lambda decreases from left to right on a log scale, the number of terms stands on the top axis,
and lines are labelled at their ends. Colours differ in lightness and lines in dashes, so that
the plots can be read in grey.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from grpsparse.errors import OptionError
from grpsparse.groups import FloatArray, IntArray
from grpsparse.results.axes import bottom_axis, end_labels, new_axes, top_axis, vertical_lines
from grpsparse.results.classes import output_name, outputs_name
from grpsparse.results.diagnostics import plot_diagnostics
from grpsparse.results.norms import selected_terms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grpsparse.results.cv_fit import CVFit
    from grpsparse.results.path_fit import PathFit

__all__ = ["plot_cv", "plot_fit", "plot_path"]

COLOURS = ("#0072B2", "#D55E00", "#000000", "#009E73", "#CC79A7", "#56B4E9", "#8C5A00", "#5B3A8E")
DASHES = ("-", "--", "-.", (0, (1, 1)), (0, (6, 1, 1, 1, 1, 1)))
FAINT = "#B8B8B8"


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a path: values (L, N), the label and the colour group of each."""

    values: FloatArray
    labels: tuple[str, ...]
    group: IntArray
    title: str


def plot_fit(fit: PathFit, *, kind: str, **options: Any) -> Any:
    """Draw what `PathFit.plot` documents."""
    if kind == "diagnostics":
        from grpsparse.results.diagnostics import plot_diagnostics

        return plot_diagnostics(fit, **options)
    return plot_path(fit, kind=kind, **options)


def plot_path(
    fit: PathFit,
    *,
    kind: str = "auto",
    ax: Any = None,
    class_: Any = None,
    lines: Mapping[str, float] | None = None,
    n_labels: int = 12,
) -> Any:
    """Draw the path of norms or coefficients over lambda.

    Parameters
    ----------
    fit : PathFit
        What to draw.
    kind : {"auto", "norm", "coef"}
        Norms of the terms on the standardised scale, or coefficients; auto draws coefficients
        where each has its own penalty and there is one class.
    ax : matplotlib.axes.Axes, optional
        Where to draw; None makes a figure.
    class_ : optional
        Class whose coefficients, or whose norms where classes are separate, are drawn.
    lines : mapping of str to float, optional
        Lambdas to mark by vertical lines, by label.
    n_labels : int
        Lines to colour and label, the largest at the end of the path; others are grey.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    OptionError
        For an unknown kind or class.
    """
    drawn = _norm_lines(fit, class_) if _kind(fit, kind) == "norm" else _coef_lines(fit, class_)
    axes = new_axes(ax)
    x = bottom_axis(axes, fit.lambda_)
    named = _named(drawn.values, n_labels)
    faint = np.setdiff1d(np.flatnonzero(drawn.values.any(axis=0)), named)
    if faint.size:
        axes.plot(x, _risen(drawn.values[:, faint]), color=FAINT, linewidth=0.6, zorder=1)
    style = {group: place for place, group in enumerate(dict.fromkeys(drawn.group[named]))}
    colours = []
    for line in named:
        place = style[drawn.group[line]]
        colours.append(COLOURS[place % len(COLOURS)])
        dashes: Any = DASHES[(place // len(COLOURS) + place) % len(DASHES)]
        values = _risen(drawn.values[:, line])
        mark = "o" if x.size == 1 else None  # a line through one point is not seen
        axes.plot(x, values, color=colours[-1], linestyle=dashes, linewidth=1.5, marker=mark)
    axes.axhline(0.0, color="#606060", linewidth=0.6, zorder=0)
    axes.set_ylabel(drawn.title)
    end_labels(axes, x[-1], drawn.values[-1, named], [drawn.labels[k] for k in named], colours)
    if faint.size:
        axes.set_xlabel(f"{axes.get_xlabel()}; {faint.size} lines in grey without a label")
    top_axis(axes, x, fit.n_terms)
    vertical_lines(axes, fit.lambda_, lines or {})
    return axes


def plot_cv(cv: CVFit, *, kind: str = "error", ax: Any = None, **options: Any) -> Any:
    """Draw cross-validated errors over lambda, or a path with the chosen lambdas marked.

    Parameters
    ----------
    cv : CVFit
        What to draw.
    kind : {"error", "auto", "norm", "coef", "diagnostics"}
        Means with one-standard-error bars, the path as :func:`plot_path` draws it, or its cost.
    ax : matplotlib.axes.Axes, optional
        Where to draw; None makes a figure.
    **options
        Of :func:`plot_path`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    OptionError
        For an unknown kind, or an option that ``"error"`` does not have.
    """
    from grpsparse.measures import resolve_measure

    marks = {"min": cv.lambda_min, "1se": cv.lambda_1se}
    if kind == "diagnostics":
        return plot_diagnostics(cv.path, **({"lines": marks} | options))
    if kind != "error":
        return plot_path(cv.path, kind=kind, ax=ax, **({"lines": marks} | options))
    if options:
        raise OptionError(
            f"a plot of kind 'error' has no option {', '.join(options)}; use kind='norm' or 'coef'."
        )
    axes = new_axes(ax)
    x = bottom_axis(axes, cv.lambda_)
    axes.errorbar(
        x,
        cv.cv_mean,
        yerr=np.nan_to_num(cv.cv_se),
        fmt="o",
        markersize=3,
        color="#B03A00",
        ecolor="#9A9A9A",
        elinewidth=0.8,
        capsize=1.5,
        capthick=0.8,
    )
    axes.set_ylabel(_sentence(resolve_measure(cv.measure, cv.path.family.name).title))
    top_axis(axes, x, cv.n_terms)
    vertical_lines(axes, cv.lambda_, marks)
    return axes


def _kind(fit: PathFit, kind: str) -> str:
    """Resolve "auto": coefficients where each is penalised alone, norms where groups are."""
    if kind not in {"auto", "norm", "coef"}:
        raise OptionError(f"`kind` is {kind!r}; give 'auto', 'norm', 'coef' or 'diagnostics'.")
    if kind != "auto":
        return kind
    single = fit.settings.groups == "column" or len(fit.terms) == len(fit.columns)
    return "coef" if single and fit.raw_intercept.shape[1] == 1 else "norm"


def _norm_lines(fit: PathFit, class_: Any) -> Lines:
    norms, title = fit.norm_path, "Norm of the term"
    if class_ is not None and norms.ndim == 2:
        raise OptionError(
            "`class_` chooses among classes with their own groups, but these share theirs; leave "
            "it out, or use kind='coef'."
        )
    if norms.ndim == 3 and class_ is not None:
        norms, title = norms[:, :, _class(fit, class_)], f"{title}, {output_name(fit)} {class_}"
    elif norms.ndim == 3:
        norms = np.sqrt(np.sum(norms**2, axis=2))
    return Lines(norms, fit.terms, np.arange(len(fit.terms)), title)


def _coef_lines(fit: PathFit, class_: Any) -> Lines:
    coef, title = fit.coef_path, "Coefficient"
    if coef.ndim == 3:
        if class_ is None:
            raise OptionError(
                f"there are coefficients for {coef.shape[2]} {outputs_name(fit)}; choose one by "
                "`class_`, or use kind='norm'."
            )
        coef, title = coef[:, :, _class(fit, class_)], f"Coefficient, {output_name(fit)} {class_}"
    # A margin of an interaction has a coefficient before it is selected; only its own is drawn.
    selected = np.any(selected_terms(fit), axis=0)[fit.layout.term]
    return Lines(np.where(selected, coef, 0.0), fit.columns, fit.layout.term, title)


def _class(fit: PathFit, class_: Any) -> int:
    classes = list(fit.classes or range(fit.raw_intercept.shape[1]))
    if class_ not in classes:
        raise OptionError(f"`class_` is {class_!r}; give one of {', '.join(map(repr, classes))}.")
    return classes.index(class_)


def _named(values: FloatArray, n_labels: int) -> IntArray:
    """Return the lines to label, in the order of the columns: the largest at the end."""
    size = np.abs(values).max(axis=0)
    rank = np.lexsort((-size, -np.abs(values[-1])))
    chosen = [line for line in rank[: max(0, n_labels)] if size[line] > 0]
    return np.sort(np.array(chosen, dtype=np.int64))


def _risen(values: FloatArray) -> FloatArray:
    """Return lines without the stretches where they lie on zero, which would hide each other."""
    flat = values == 0
    hidden = flat.copy()
    hidden[1:] &= flat[:-1]
    hidden[:-1] &= flat[1:]
    return np.where(hidden, np.nan, values)


def _sentence(title: str) -> str:
    return title[:1].upper() + title[1:]
