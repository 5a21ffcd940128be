"""Layout: names, positions and margins of the terms, from the factors alone.

A term u is a margin of an interaction t when its factors are some of t's. Where the factors
left out are all categorical, their indicators sum to one, so that u's columns are sums of
t's: ``columns of u = columns of t @ span``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from grpsparse.errors import FormulaError
from grpsparse.formula.factors import Factor
from grpsparse.formula.parse import TermPlan
from grpsparse.groups import FloatArray, IntArray, Margin, TermColumns

__all__ = ["check_unique", "lay_out"]

# A span is stored dense; above this many entries it is left to the data.
_LARGEST_SPAN = 20_000_000


def lay_out(
    plans: Sequence[TermPlan], factors: Mapping[str, Factor], *, intercept: bool
) -> tuple[TermColumns, ...]:
    """Return the terms with their columns and margins.

    Parameters
    ----------
    plans : sequence of TermPlan
        The terms as parsed.
    factors : mapping of str to Factor
        The factors learned, by text.
    intercept : bool
        Whether there is an intercept; without one no contrast is reported.
    """
    terms: list[TermColumns] = []
    start = 0
    for plan in plans:
        parts = [factors[text] for text in plan.factors]
        columns = _column_names(parts)
        index = np.arange(start, start + len(columns), dtype=np.int64)
        start += len(columns)
        alone = parts[0] if len(parts) == 1 else None
        reported = alone is not None and intercept and plan.scale == 1.0
        terms.append(
            TermColumns(
                name=_term_name(plan, factors),
                kind="interaction" if alone is None else alone.kind,
                columns=columns,
                index=index,
                scale="rms" if all(part.is_cells for part in parts) else "sd",
                levels=None if alone is None else alone.levels,
                margins=_margins(plan, plans, factors),
                report_columns=alone.report_columns if alone and reported else None,
                report_coding=alone.report_coding if alone and reported else None,
            )
        )
    return tuple(terms)


def _term_name(plan: TermPlan, factors: Mapping[str, Factor]) -> str:
    names = []
    for text in plan.factors:
        name = factors[text].expression.name
        names.append(f"`{name}`" if ":" in name and factors[text].expression.lookup else name)
    if plan.scale != 1.0:
        names.insert(0, f"{plan.scale:g}")
    return ":".join(names)


def _column_names(parts: Sequence[Factor]) -> tuple[str, ...]:
    reverse = product(*(part.columns for part in reversed(parts)))
    return tuple(":".join(reversed(names)) for names in reverse)


def _margins(
    plan: TermPlan, plans: Sequence[TermPlan], factors: Mapping[str, Factor]
) -> tuple[Margin, ...]:
    own = set(plan.factors)
    return tuple(
        Margin(place, _span(plan, other, factors))
        for place, other in enumerate(plans)
        if set(other.factors) < own
    )


def _span(plan: TermPlan, margin: TermPlan, factors: Mapping[str, Factor]) -> FloatArray | None:
    left_out = [factors[text] for text in plan.factors if text not in margin.factors]
    if not all(factor.is_cells for factor in left_out):
        return None
    places = _places(plan, factors)
    widths = [len(factors[text].columns) for text in margin.factors]
    m, k = len(next(iter(places.values()))), int(np.prod(widths))
    if m * k > _LARGEST_SPAN:
        return None
    target = np.zeros(m, dtype=np.int64)
    stride = 1
    for text, width in zip(margin.factors, widths, strict=True):
        target += stride * places[text]
        stride *= width
    span = np.zeros((m, k))
    span[np.arange(m), target] = margin.scale / plan.scale
    return span


def _places(plan: TermPlan, factors: Mapping[str, Factor]) -> dict[str, IntArray]:
    widths = [len(factors[text].columns) for text in plan.factors]
    m = int(np.prod(widths))
    places, stride = {}, 1
    for text, width in zip(plan.factors, widths, strict=True):
        places[text] = np.arange(m, dtype=np.int64) // stride % width
        stride *= width
    return places


def check_unique(terms: Sequence[TermColumns]) -> None:
    """Raise when two columns of a design have one name.

    Raises
    ------
    FormulaError
        Naming the column.
    """
    seen: dict[str, str] = {}
    for term in terms:
        for column in term.columns:
            if column in seen:
                raise FormulaError(
                    f"The terms `{seen[column]}` and `{term.name}` both give a column `{column}`; "
                    "rename a level or a variable."
                )
            seen[column] = term.name
