"""Print results: plain text, stable, at most 80 columns wide."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from grpsparse.results.classes import classes_of
from grpsparse.results.tables import (
    WIDTH,
    columns_of,
    fixed,
    paragraph,
    phrases,
    significant,
    split_call,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grpsparse.results.cv_fit import CVFit
    from grpsparse.results.path_fit import PathFit
    from grpsparse.results.summary import PathSummary

__all__ = ["cv_notes", "cv_text", "cv_warnings", "path_text", "summary_text", "title_of"]

CERTIFICATES = {"duality_gap": "duality gap", "stationarity": "KKT violation"}
MAX_ROWS = 20
MAX_TERMS = 30
NAME_WIDTH = 24
SHORTEST_NAME = 16


def title_of(fit: PathFit) -> tuple[str, ...]:
    """Return the phrases that describe a fit: family and penalty, then the size of the data.

    The first reads like ``Multinomial (3 classes), group lasso``, the second like
    ``n = 172, 9 columns in 3 terms``.
    """
    n_columns, n_terms = len(fit.columns), len(fit.terms)
    size = f"n = {fit.nobs}, {_count(n_columns, 'column')}"
    if fit.unions is not None:
        kind = "overlapping group" if fit.unions.overlapping else "group"
        if n_terms != n_columns:
            size += f" in {_count(n_terms, 'term')}"
        size += f" in {_count(len(fit.groups), kind)}"
    elif fit.settings.groups != "column" or n_terms != n_columns:
        size += f" in {_count(n_terms, 'group' if fit.settings.groups == 'labels' else 'term')}"
    return f"{_family(fit)}, {_penalty(fit)}", size


def path_text(fit: PathFit) -> str:
    """Return what `print` shows of a path."""
    n_lambda = fit.lambda_.size
    shown = np.unique(np.round(np.linspace(0, n_lambda - 1, min(n_lambda, MAX_ROWS))).astype(int))
    ratio, n_terms, df = fit.dev_ratio, fit.n_terms, fit.df
    rows = [
        [
            significant(fit.lambda_[k]),
            str(k),
            str(n_terms[k]),
            str(df[k]),
            f"{100 * ratio[k]:z.2f}",
        ]
        for k in shown
    ]
    lines = [
        split_call(f"Call: {fit.settings.call}"),
        phrases(title_of(fit)),
        "",
        table(["Lambda", "Index", "Terms", "Nonzero", "%Dev"], rows, left=0),
        "",
    ]
    if len(shown) < n_lambda:
        lines.append(f"{len(shown)} of {n_lambda} values of lambda shown.")
    lines += [*_pivotal_lines(fit), *_certificate_lines(fit)]
    lines += [paragraph(note) for note in fit.settings.notes]
    return "\n".join(lines)


def _pivotal_lines(fit: PathFit) -> list[str]:
    pivotal = fit.lambda_pivotal
    if pivotal is None:
        return []
    said = f"Pivotal lambda: {significant(pivotal)}"
    if pivotal > fit.lambda_[0]:
        return [f"{said}, above lambda_max: no term stands out from noise."]
    if pivotal < fit.lambda_[-1]:
        return [f"{said}, below the end of the path."]
    place = int(np.flatnonzero(fit.lambda_ <= pivotal)[0])
    return [f"{said} (index {place}), {_count(int(fit.n_terms[place]), 'term')} selected."]


def cv_text(cv: CVFit) -> str:
    """Return what `print` shows of a cross-validated path."""
    from grpsparse.measures import resolve_measure

    path, chosen = cv.path, (cv.index_min, cv.index_1se)
    measure = resolve_measure(cv.measure, path.family.name)
    n_terms, df = path.n_terms, path.df
    numbers = fixed([float(part[k]) for part in (cv.cv_mean, cv.cv_se) for k in chosen])
    rows = [
        [
            name,
            significant(path.lambda_[k]),
            str(k),
            numbers[place],
            numbers[place + 2],
            str(n_terms[k]),
            str(df[k]),
        ]
        for place, (name, k) in enumerate(zip(("min", "1se"), chosen, strict=True))
    ]
    lines = [
        split_call(f"Call: {cv.call}"),
        phrases([*title_of(path), cv.plan.title]),
        f"Measure: {measure.title}",
        "",
        table(["", "Lambda", "Index", "Measure", "SE", "Terms", "Nonzero"], rows),
    ]
    remarks = [*cv_warnings(cv), *cv_notes(cv)]
    lines += [""] * bool(remarks) + [paragraph(remark) for remark in remarks]
    return "\n".join(lines)


def summary_text(summary: PathSummary) -> str:
    """Return what `print` shows of a summary."""
    df = summary.table["df"]
    facts = [
        f"{summary.name} = {significant(summary.lambda_)} ({_place(summary)})",
        f"{100 * summary.dev_ratio:z.2f}% of the deviance explained",
        f"{_count(int((df > 0).sum()), 'term')} with {_count(int(df.sum()), 'coefficient')}",
    ]
    if summary.scale:
        numbers = ", ".join(map(significant, summary.scale))
        floor = " (at the floor sigma0)" if summary.floored else ""
        facts.append(f"{'scale' if len(summary.scale) == 1 else 'scales'} {numbers}{floor}")
    if summary.certificate is not None:
        kind = CERTIFICATES[summary.certificate_kind]
        known = np.isfinite(summary.certificate)
        facts.append(f"{kind} {significant(summary.certificate, 2)}" if known else f"no {kind}")
    lines = [phrases(summary.title), phrases(facts)]
    if not summary.stationary:
        state = "not a solution, and has no duality gap"
        if summary.certificate_kind == "stationarity":
            state = "not stationary"
        lines.append(paragraph(f"Interpolated between two solutions: {state}."))
    lines += ["", *_term_lines(summary)]
    if summary.show_coefficients:
        lines += ["", *_coefficient_lines(summary)]
    return "\n".join(lines)


def _term_lines(summary: PathSummary) -> list[str]:
    chosen = summary.table[summary.table["df"] > 0]
    lines = []
    if len(chosen):
        shown = chosen.iloc[:MAX_TERMS]
        classes = [name for name in shown.columns if str(name).startswith("norm[")]
        blocks = _term_blocks(summary, shown, classes)
        lines.append(blocks)
        if len(shown) < len(chosen):
            lines.append(f"... and {_count(len(chosen) - len(shown), 'term')} of smaller norm.")
    left = [str(name) for name in summary.table.index[summary.table["df"] == 0]]
    if left:
        lines += [""] * bool(len(chosen))
        named = ", ".join(left) if len(left) <= MAX_TERMS else f"{len(left)} terms"
        lines.append(paragraph(f"Not selected: {named}"))
    if len(chosen):
        lines += ["", "Norm: standard deviation of the term's part of the linear predictor."]
        several = summary.n_classes > 1
        lines += [
            f"Over several {summary.outputs}: the root of the sum of their squares."
        ] * several
    return lines


def _term_blocks(summary: PathSummary, shown: Any, classes: Sequence[str]) -> str:
    """Return the table of terms; kind and share give way to the norms of few classes."""
    size = "df" if summary.by_columns else "rank"
    cells: dict[str, list[str]] = {
        "Kind": list(shown["kind"]),
        "Columns": [str(count) for count in shown["columns"]],
        ("Nonzero" if summary.by_columns else "Rank"): [str(count) for count in shown[size]],
        "Norm": fixed(list(shown["norm"])),
    }
    by_class = {_short(name[5:-1], 10): fixed(list(shown[name])) for name in classes}
    entry = {"Enters at": [significant(value) for value in shown["entry"]]}
    without_kind = {name: column for name, column in cells.items() if name != "Kind"}
    if by_class and _room(without_kind | by_class | entry) >= SHORTEST_NAME:
        cells = without_kind | by_class
    else:
        cells["Share"] = [f"{100 * share:.1f}%" for share in shown["share"]]
    cells |= entry
    room = max(SHORTEST_NAME, _room(cells))
    cells = {"Term": [_short(str(name), room) for name in shown.index]} | cells
    rows = [list(row) for row in zip(*cells.values(), strict=True)]
    return table(list(cells), rows, left=2 if "Kind" in cells else 1)


def _room(cells: dict[str, list[str]]) -> int:
    """Return the width that columns leave for the names beside them."""
    return WIDTH - sum(2 + max(map(len, [head, *column])) for head, column in cells.items())


def _coefficient_lines(summary: PathSummary) -> list[str]:
    """Return the coefficients of the intercept and of selected terms, a block for each run."""
    keep = {"Intercept", *summary.selected}
    shown = summary.coefficients[
        [term in keep for term in summary.coefficients.index.get_level_values(0)]
    ]
    names = [_short(str(column), 36) for column in shown.index.get_level_values(1)]
    heads = [_short(str(name), 12) for name in shown.columns]
    if shown.shape[1] == 1:
        heads = ["Coefficient"]
    columns = [fixed(list(shown.iloc[:, place])) for place in range(shown.shape[1])]
    first = max(map(len, names))
    runs = columns_of(heads, [max(map(len, column)) for column in columns], first=first)
    blocks = []
    for run in runs:
        rows = [list(row) for row in zip(names, *columns[run], strict=True)]
        blocks.append(table(["", *heads[run]], rows))
    return ["\n\n".join(blocks)]


def cv_notes(cv: CVFit) -> list[str]:
    """Return what there is to say of data, folds and measure, each once."""
    return list(dict.fromkeys([*cv.path.settings.notes, *cv.plan.notes, *cv.notes]))


def cv_warnings(cv: CVFit) -> list[str]:
    """Return a line for a minimum at an end of the path, and for fits that did not converge."""
    lines = []
    last = cv.lambda_.size - 1
    if last > 0 and cv.index_min == last:
        lines.append(
            "Warning: the minimum is at the smallest lambda of the path; a smaller "
            "lambda_min_ratio may find a better one."
        )
    elif last > 0 and cv.index_min == 0:
        lines.append(
            "Warning: the minimum is at the largest lambda of the path; the penalised terms "
            "do not improve the prediction."
        )
    done = np.asarray(cv.fold_converged, dtype=np.bool_)
    failed = np.flatnonzero(~(done if done.ndim == 1 else done.all(axis=1)))
    if failed.size:
        which = ", ".join(str(fold) for fold in failed[:10]) + ("..." if failed.size > 10 else "")
        lines.append(
            f"Warning: {failed.size} of {_count(cv.n_folds, 'fold')} did not converge "
            f"({'folds' if failed.size > 1 else 'fold'} {which})."
        )
    missed = int(np.sum(~cv.path.converged))
    if missed:
        lines.append(
            f"Warning: {missed} of {_count(last + 1, 'point')} of the path on all rows did not "
            "converge."
        )
    return lines


def _certificate_lines(fit: PathFit) -> list[str]:
    kind = CERTIFICATES[fit.certificate_kind]
    finite = np.isfinite(fit.certificate)
    lines = []
    if finite.any():
        worst = significant(float(np.max(fit.certificate[finite])), 2)
        lines.append(f"Largest {kind}: {worst} (asked for {fit.settings.tol:.0e}).")
    missed = int(np.sum(~fit.converged))
    points = _count(fit.lambda_.size, "point")
    if missed:
        lines.append(f"Warning: {missed} of {points} did not converge.")
    if not finite.all():
        without = f"{int(np.sum(~finite))} of {points}"
        lines.append(f"Warning: {without} without a finite {kind}: there may be no optimum.")
    return lines


def _family(fit: PathFit) -> str:
    title = fit.family.title
    if fit.classes is None:
        return title
    if fit.raw_intercept.shape[1] == 1 and len(fit.classes) == 2:
        return f"{title} ({_short(str(fit.classes[1]))} against {_short(str(fit.classes[0]))})"
    kind = "responses" if classes_of(fit) is None else "classes"
    return f"{title} ({len(fit.classes)} {kind})"


def _penalty(fit: PathFit) -> str:
    """Return the title of the penalty with the numbers that the user can set."""
    settable = getattr(type(fit.penalty), "__dataclass_fields__", None)
    numbers = []
    for each in fields(fit.penalty) if settable else ():  # type: ignore[arg-type]
        value = getattr(fit.penalty, each.name)
        if each.init and not each.kw_only and isinstance(value, float):
            numbers.append(f"{each.name} = {value:g}")
    return f"{fit.penalty.title} ({', '.join(numbers)})" if numbers else fit.penalty.title


def _place(summary: PathSummary) -> str:
    left, right = summary.between
    where = f"index {left}" if left == right else f"between index {left} and {right}"
    return f"{where} of 0 to {summary.n_lambda - 1}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _short(text: str, width: int = NAME_WIDTH) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."
