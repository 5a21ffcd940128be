"""Penalty factors: from a number, a dict by name, or an array, one for every group."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np

from grpsparse.design import MatrixSpec, resolve_label
from grpsparse.errors import GroupError
from grpsparse.groups import FloatArray, Model
from grpsparse.unions import Unions

__all__ = ["penalty_factors"]


def penalty_factors(given: Any, model: Model, unions: Unions | None = None) -> FloatArray:
    """Return the factor of every term, or of every union of terms.

    Parameters
    ----------
    given : number, mapping by name, or sequence
    model : Model
    unions : Unions, optional
        Groups, which then have the factors.

    Raises
    ------
    GroupError
        Unknown names, another number of factors, or one that is negative or not a number.
    """
    count = len(model.terms) if unions is None else len(unions)
    if not isinstance(given, Mapping):
        return _factor_array(given, count, "terms" if unions is None else "groups")
    factor = np.ones(count)
    for name, value in given.items():
        place = _term_number(name, model) if unions is None else _union_number(name, model, unions)
        factor[place] = _factor(value, name)
    return factor


def _union_number(name: Any, model: Model, unions: Unions) -> int:
    """Return the position of a group by its name, or by the term whose own group it is."""
    if str(name) in unions.names:
        return unions.names.index(str(name))
    own = {int(unions.of_group(g)[0]): g for g in range(len(unions)) if unions.is_single(g)}
    last = unions.terms[unions.starts[1:] - 1]
    if np.array_equal(last, np.arange(len(model.terms))):  # every term with its margins
        own = dict(zip(last.tolist(), last.tolist(), strict=True))
    near = get_close_matches(str(name), unions.names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    try:
        return own[_term_number(name, model)]
    except (GroupError, KeyError):
        shown = ", ".join(map(repr, unions.names[:8])) + (", ..." if len(unions) > 8 else "")
        raise GroupError(
            f"There is no group {name!r}; {hint}`penalty_factor` goes by groups: {shown}."
        ) from None


def _term_number(name: Any, model: Model) -> int:
    if isinstance(model, MatrixSpec):
        return resolve_label(name, model)
    from grpsparse.formula import resolve_term

    return resolve_term(name, model.terms)


def _factor(value: Any, name: Any) -> float:
    ok = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not ok or not np.isfinite(value) or value < 0:
        raise GroupError(
            f"`penalty_factor` of {name!r} is {value!r}; it is a number of at least 0."
        )
    return float(value)


def _factor_array(given: Any, n_terms: int, what: str) -> FloatArray:
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise GroupError(
            f"`penalty_factor` is {given!r}; give a number, a dict by name or one number for each."
        ) from None
    if values.ndim == 0:
        return np.full(n_terms, _factor(float(values), f"all {what}"))
    if values.shape != (n_terms,):
        raise GroupError(
            f"`penalty_factor` has shape {values.shape} for {n_terms} {what}; give one number per "
            f"{what[:-1]}, in the order of `fit.{what}`, or a dict."
        )
    bad = np.flatnonzero(~np.isfinite(values) | (values < 0))
    if bad.size:
        _factor(float(values[bad[0]]), int(bad[0]))
    return values
