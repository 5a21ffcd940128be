"""ModelSpec: everything that re-creates a formula's design on new data.

It keeps the parsed terms, the levels, codings and transform states that the training rows
fixed, and the values that the formula took from its caller; never the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from grpsparse.errors import DataError, OptionError
from grpsparse.formula.blocks import spread, term_block
from grpsparse.formula.evaluate import (
    Labels,
    Numbers,
    check_finite,
    evaluate,
    missing_rows,
    sort_value,
)
from grpsparse.formula.factors import Factor, encode
from grpsparse.formula.frames import Table, cut, kind_of, read_table
from grpsparse.formula.layout import lay_out
from grpsparse.formula.parse import TermPlan, read_expression
from grpsparse.formula.scope import Scope, bind
from grpsparse.formula.serial import decode, encode_json, encode_scope_value
from grpsparse.groups import BoolArray, FloatArray, TermColumns, side_by_side

__all__ = ["ModelSpec", "numeric_column", "take_rows"]

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """How a formula turns data into a design; meets `grpsparse.groups.Model`.

    Parameters
    ----------
    formula : str
        The formula as written.
    response : str
        Its left side.
    intercept : bool
        Whether it has an intercept.
    single_columns : bool
        Whether a written contrast is the design (True) or only reported (False).
    factors : dict of str to Factor
        The factors by text.
    plans : tuple of TermPlan
        The terms.
    kinds : dict of str to str
        What each variable held in training.
    scope : Scope
        Functions and values taken from the caller.
    terms : tuple of TermColumns
        The terms with their columns, in the order printed.
    """

    formula: str
    response: str
    intercept: bool
    single_columns: bool
    factors: dict[str, Factor]
    plans: tuple[TermPlan, ...]
    kinds: dict[str, str]
    scope: Scope
    terms: tuple[TermColumns, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the p columns of the design, without the intercept."""
        return tuple(column for term in self.terms for column in term.columns)

    def matrix(self, new: Any, *, unseen: str = "raise") -> tuple[Any, BoolArray, Any]:
        """Return the design of new rows.

        Parameters
        ----------
        new : pandas, polars or pyarrow frame, or mapping of columns or of single values
            It needs the variables of the right side only.
        unseen : {"raise", "shrink"}
            What to do with a level that training did not have; shrink leaves all its
            indicators 0, and a contrast that is the design at its training mean.

        Returns
        -------
        X : ndarray or scipy.sparse.csc_array of shape (m, p)
            One row for each row of `new`, in order; 0 where a variable is missing.
        complete : ndarray of bool, shape (m,)
            False where a variable is missing.
        index : pandas.Index
            Labels of the rows.

        Raises
        ------
        UnseenLevelError, DataError, FormulaError
            For unseen levels, a missing column, a variable of another type, infinity, or a
            function that a saved model could not carry.
        """
        if unseen not in ("raise", "shrink"):
            raise OptionError(f"`unseen` is {unseen!r}; it is 'raise' or 'shrink'.")
        table = read_table(new, what="new")
        series = {name: self._variable(table, name) for name in self.kinds}
        complete = np.ones(table.n, dtype=np.bool_)
        for factor in self.factors.values():
            if not factor.expression.handles_missing:
                for name in factor.variables:
                    complete &= ~series[name].isna().to_numpy()
        rows = np.flatnonzero(complete)
        if len(rows) == 0:
            return np.zeros((table.n, len(self.columns))), complete, table.index
        values = {text: self._evaluate(f, series, rows) for text, f in self.factors.items()}
        lost = np.zeros(len(rows), dtype=np.bool_)
        for value in values.values():
            lost |= missing_rows(value)
        complete[rows[lost]] = False
        rows = rows[~lost]
        encoded = {
            text: encode(self.factors[text], take_rows(value, ~lost), unseen=unseen)
            for text, value in values.items()
        }
        blocks = [
            term_block([encoded[text] for text in plan.factors], scale=plan.scale)
            for plan in self.plans
        ]
        placed = [spread(block, rows, table.n) for block in blocks]
        return side_by_side(placed, table.n), complete, table.index

    def column(self, new: Any, name: str) -> FloatArray:
        """Return a numeric column of new data, NaN where it is missing.

        Raises
        ------
        DataError
            When there is no such column, or it does not hold finite numbers.
        """
        return numeric_column(read_table(new, what="new"), name)

    def to_dict(self) -> dict[str, Any]:
        """Return the spec in JSON types, functions of the scope by name only."""
        scope = {k: encode_scope_value(k, v) for k, v in self.scope.values.items()}
        return {
            "format": _FORMAT,
            "formula": self.formula,
            "response": self.response,
            "intercept": self.intercept,
            "single_columns": self.single_columns,
            "factors": [_factor_to_dict(text, f) for text, f in self.factors.items()],
            "plans": [{"factors": list(p.factors), "scale": p.scale} for p in self.plans],
            "kinds": dict(self.kinds),
            "scope": scope,
        }

    @classmethod
    def from_dict(
        cls, content: Mapping[str, Any], *, scope: Mapping[str, Any] | None = None
    ) -> ModelSpec:
        """Return the spec that `to_dict` described; nothing is executed.

        Parameters
        ----------
        content : mapping
            What `to_dict` gave.
        scope : mapping, optional
            Functions that the formula calls and a file cannot carry.

        Raises
        ------
        DataError
            When the content is not such a description.
        """
        if content.get("format") != _FORMAT:
            raise DataError(
                f"The model's description has format {content.get('format')!r}; this version "
                f"reads format {_FORMAT}."
            )
        kept = {name: decode(value) for name, value in content["scope"].items()}
        kept.update({k: v for k, v in (scope or {}).items() if k in kept})
        factors = {part["text"]: _factor_from_dict(part, kept) for part in content["factors"]}
        plans = tuple(TermPlan(tuple(p["factors"]), float(p["scale"])) for p in content["plans"])
        intercept = bool(content["intercept"])
        return cls(
            formula=str(content["formula"]),
            response=str(content["response"]),
            intercept=intercept,
            single_columns=bool(content["single_columns"]),
            factors=factors,
            plans=plans,
            kinds=dict(content["kinds"]),
            scope=Scope(kept),
            terms=lay_out(plans, factors, intercept=intercept),
        )

    def with_scope(self, scope: Mapping[str, Any]) -> ModelSpec:
        """Return the spec with functions supplied that a file could not carry."""
        kept = {k: scope.get(k, v) for k, v in self.scope.values.items()}
        return replace(self, scope=Scope(kept))

    def _variable(self, table: Table, name: str) -> Any:
        series = table.column(name)
        kind, trained = kind_of(series), self.kinds[name]
        if trained == "number" and kind == "category" and series.cat.categories.dtype.kind in "iuf":
            series, kind = series.astype(np.float64), "number"
        if trained == "number" and kind in ("text", "date", "category"):
            raise DataError(
                f"`{name}` is {_KINDS[kind]} in the new data but held numbers in training; convert "
                "it to numbers."
            )
        if kind == "number":
            check_finite(series.to_numpy(dtype=np.float64), name)
        return series

    def _evaluate(self, factor: Factor, series: Mapping[str, Any], rows: Any) -> Any:
        expression = factor.expression
        columns = {name: cut(series[name], rows) for name in factor.variables}
        names = (*expression.values, *expression.calls)
        scope = {n: self.scope.need(n) for n in names if n in self.scope.values}
        raw = evaluate(expression, columns, scope=scope, state=factor.state)
        return sort_value(raw, expression.name, len(rows))


_KINDS = {"text": "text", "date": "a date", "category": "a categorical"}


def take_rows(value: Labels | Numbers, keep: BoolArray) -> Labels | Numbers:
    """Return an evaluated factor on some of its rows."""
    if keep.all():
        return value
    if isinstance(value, Numbers):
        return replace(value, matrix=value.matrix[keep])
    return replace(value, series=value.series[keep].reset_index(drop=True))


def numeric_column(table: Table, name: str) -> FloatArray:
    """Return a numeric column of a table, NaN where it is missing.

    Raises
    ------
    DataError
        When there is no such column, or it does not hold finite numbers.
    """
    series = table.column(name)
    if kind_of(series) not in ("number", "logical"):
        raise DataError(f"`{name}` does not hold numbers; give a column of numbers.")
    values: FloatArray = series.astype(np.float64).to_numpy()
    check_finite(values, name)
    return values


def _factor_to_dict(text: str, factor: Factor) -> dict[str, Any]:
    expression = factor.expression
    return {
        "text": text,
        "lookup": expression.lookup,
        "variables": list(factor.variables),
        "kind": factor.kind,
        "columns": list(factor.columns),
        "levels": encode_json(factor.levels),
        "coding": encode_json(factor.coding),
        "centre": encode_json(factor.centre),
        "report_columns": encode_json(factor.report_columns),
        "report_coding": encode_json(factor.report_coding),
        "state": encode_json(factor.state),
    }


def _factor_from_dict(part: Mapping[str, Any], scope: Mapping[str, Any]) -> Factor:
    # The names are found anew, so that a file can only ask for what a formula may.
    expression = read_expression(part["text"], lookup=bool(part["lookup"]))
    bind(expression, columns=frozenset(part["variables"]), scope=scope)
    return Factor(
        expression,
        tuple(part["variables"]),
        part["kind"],
        tuple(part["columns"]),
        levels=decode(part["levels"]),
        coding=decode(part["coding"]),
        centre=decode(part["centre"]),
        report_columns=decode(part["report_columns"]),
        report_coding=decode(part["report_coding"]),
        state=decode(part["state"]),
    )
