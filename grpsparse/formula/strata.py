"""Strata of survival times: a summand of the right side that belongs to the left.

``Surv(time, event) ~ x + strata(z)`` compares rows within their stratum, which is the same as
``Surv(time, event, strata=z) ~ x``; several calls, or several columns in one, are combined.
"""

from __future__ import annotations

import re

from grpsparse.errors import FormulaError
from grpsparse.formula.names import split_outside

__all__ = ["split_strata"]

_CALL = re.compile(r"(?<![\w.])strata\(")


def split_strata(left: str, right: str) -> tuple[str, str]:
    """Move summands ``strata(...)`` from the right side of a formula to its survival times.

    Raises
    ------
    FormulaError
        Strata inside a term, or of what is no survival time.

    Examples
    --------
    >>> split_strata("Surv(time, event)", "x + strata(z)")
    ('Surv(time, event, strata=strata(z))', 'x')
    """
    summands = [each.strip() for each in split_outside(right, "+")]
    found = [each for each in summands if _is_call(each)]
    rest = [each for each in summands if each not in found]
    if found and not (left.startswith("Surv(") and left.endswith(")")):
        raise FormulaError(
            f"`{found[0]}` is for survival times, Surv(time, event) to the left of `~`; for a "
            "factor write C(x)."
        )
    if any(_CALL.search(each) for each in rest):
        raise FormulaError(
            f"`{right}` has strata() inside a term; it stands by itself, as in `x + strata(z)`."
        )
    if not found:
        return left, right
    columns = ", ".join(each[len("strata(") : -1] for each in found)
    return f"{left[:-1]}, strata=strata({columns}))", " + ".join(rest) or "1"


def _is_call(summand: str) -> bool:
    """Return whether a summand is one call of strata()."""
    one = all(len(split_outside(summand, separator)) == 1 for separator in ":*-/")
    return one and summand.startswith("strata(") and summand.endswith(")")
