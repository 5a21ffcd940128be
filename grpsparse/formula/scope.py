"""Scope: the functions and values that a formula takes from its surroundings.

Functions of the formula language (``C``, ``poly``, ``bs``, ``np`` ...) are always there. What
else a formula names inside a call comes from the caller, and travels with the fitted model:
values in full, functions by reference within one Python, by name alone in a saved file.
"""

from __future__ import annotations

import pickle
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
from formulaic.transforms import TRANSFORMS
from formulaic.transforms.contrasts import Contrasts
from formulaic.transforms.hashed import hashed as hash_values

from grpsparse.errors import FormulaError
from grpsparse.formula.names import nearest
from grpsparse.formula.parse import Expression, hint_for
from grpsparse.survival import Surv, strata_labels

__all__ = ["LANGUAGE", "Absent", "Labelled", "Scope", "bind", "is_contrast"]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Values marked as a factor, with the contrast and levels the user gave."""

    values: Any
    contrasts: Any = None
    levels: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """A name of the scope that a saved model could not carry."""

    name: str


def _mark(
    data: Any, contrasts: Any = None, *, levels: Any = None, spans_intercept: bool = True
) -> Labelled:
    del spans_intercept  # factors are built whole here, whatever they span
    if isinstance(data, Labelled):
        contrasts = data.contrasts if contrasts is None else contrasts
        levels = data.levels if levels is None else levels
        data = data.values
    return Labelled(data, contrasts, None if levels is None else tuple(levels))


def _mark_hashed(data: Any, levels: int, contrasts: Any = None, **options: Any) -> Labelled:
    values = np.asarray(hash_values(data, levels, contrasts, **options))
    return Labelled(values, contrasts, tuple(range(levels)))


def _columns(*parts: Any) -> Any:
    return np.column_stack([np.asarray(part) for part in parts])


LANGUAGE: dict[str, Any] = {
    **TRANSFORMS,
    "C": _mark,
    "hashed": _mark_hashed,
    "cbind": _columns,
    "Surv": Surv,
    "strata": strata_labels,
}

_BUILTIN_NAMES = frozenset(
    (
        *("abs", "bool", "dict", "float", "int", "len", "list", "max", "min"),
        *("pow", "range", "round", "set", "slice", "str", "sum", "tuple"),
    )
)


@dataclass(frozen=True)
class Scope:
    """Functions and values from the caller, by name.

    Parameters
    ----------
    values : dict
        What the formula uses of the caller's names.
    """

    values: dict[str, Any] = field(default_factory=dict)

    def __reduce__(self) -> tuple[Any, ...]:
        kept = {name: _portable(name, value) for name, value in self.values.items()}
        return (Scope, (kept,))

    def __deepcopy__(self, memo: object) -> Scope:
        return self

    def need(self, name: str) -> Any:
        """Return a value, or say that it has to be supplied."""
        value = self.values[name]
        if isinstance(value, Absent):
            raise FormulaError(
                f"The formula uses `{name}`, which a saved model cannot carry; supply it when "
                f"loading, as in scope={{'{name}': {name}}}."
            )
        return value


def _portable(name: str, value: Any) -> Any:
    if isinstance(value, ModuleType):
        return Absent(name)
    try:
        pickle.dumps(value)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError, OSError):
        return Absent(name)
    return value


def bind(
    expression: Expression, *, columns: Collection[str], scope: Mapping[str, Any]
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Sort the names of an expression into columns and values of the scope.

    Parameters
    ----------
    expression : Expression
        A factor as parsed.
    columns : collection of str
        Names that stand for columns, in order.
    scope : mapping
        The caller's names.

    Returns
    -------
    variables : tuple of str
        Columns that the expression reads.
    used : dict
        Names it takes from the scope, functions included.

    Raises
    ------
    FormulaError
        For a name that is neither, with near matches.
    """
    variables: list[str] = []
    used: dict[str, Any] = {}
    for name in expression.values:
        if name in columns and name not in expression.calls:
            variables.append(name)
        elif expression.lookup:
            raise _unknown(name, expression, columns, scope)
        elif name in ("np", "contr"):
            continue
        elif name in scope:
            used[name] = scope[name]
        elif name not in LANGUAGE and name not in _BUILTIN_NAMES:
            raise _unknown(name, expression, columns, scope)
    for name in expression.calls:
        if name in scope and _can_be_called(name, scope[name]):
            used[name] = scope[name]
        elif name not in LANGUAGE and name not in _BUILTIN_NAMES:
            raise _unknown(name, expression, columns, scope, function=True)
    return tuple(variables), used


def _can_be_called(name: str, value: Any) -> bool:
    # `from math import log` would shadow the formula's log, which works on columns.
    plain_math = name in LANGUAGE and getattr(value, "__module__", None) == "math"
    return isinstance(value, Absent) or (callable(value) and not plain_math)


def _unknown(
    name: str,
    expression: Expression,
    columns: Any,
    scope: Mapping[str, Any],
    *,
    function: bool = False,
) -> FormulaError:
    if function:
        functions = [k for k, v in {**LANGUAGE, **scope}.items() if callable(v)]
        advice = hint_for(name + "(").strip() or nearest(name, functions)
        return FormulaError(f"There is no function `{name}` for `{expression.text}`. {advice}")
    where = "" if expression.lookup else f" in `{expression.text}`"
    beside = " (the calling scope has one, but variables come from `data`)" if name in scope else ""
    return FormulaError(
        f"There is no variable `{name}`{where} among the columns{beside}; {nearest(name, columns)}"
    )


def is_contrast(value: Any) -> bool:
    """Whether a value of the scope is a contrast, which prediction does not need."""
    return isinstance(value, Contrasts) or (
        isinstance(value, type) and issubclass(value, Contrasts)
    )
