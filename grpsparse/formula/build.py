"""Building: a formula and data become the blocks, the response and the spec of a model.

Rows with a missing value in a variable that is used are dropped first, so that what is learned
(levels, knots, means) comes from the rows that are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from grpsparse.errors import DataError, FormulaError, OptionError
from grpsparse.formula.blocks import term_block
from grpsparse.formula.evaluate import check_finite, evaluate, missing_rows, sort_value
from grpsparse.formula.factors import Encoded, Factor, learn
from grpsparse.formula.frames import Table, array_like, cut, kind_of, read_table
from grpsparse.formula.layout import check_unique, lay_out
from grpsparse.formula.missing import MissingRows
from grpsparse.formula.names import nearest
from grpsparse.formula.parse import Expression, ParsedFormula, parse_formula
from grpsparse.formula.response import assemble_response, response_value
from grpsparse.formula.scope import Scope, bind
from grpsparse.formula.spec import ModelSpec, take_rows
from grpsparse.groups import IntArray
from grpsparse.survival import Surv

__all__ = ["ModelFrame", "build_model"]


@dataclass(frozen=True, slots=True)
class ModelFrame:
    """A formula evaluated on data.

    Parameters
    ----------
    blocks : tuple
        One (n, m) block of columns for each term of ``spec.terms``: a float64 array, or a
        ``scipy.sparse.csc_array`` for the indicators of a large factor or interaction.
    spec : ModelSpec
        What re-creates the design on new data.
    response : pandas.Series, DataFrame or Surv
        The raw response: n values, several columns, or survival times.
    response_name : str
        The left side as written.
    extra : dict of str to ndarray
        The further columns asked for, cut to the kept rows.
    rows : ndarray of int
        Positions of the kept rows in the data given.
    n_given : int
        Number of rows given.
    index : pandas.Index
        Labels of the kept rows.
    notes : tuple of str
        Sentences to print: rows dropped, columns that ``.`` left out.
    """

    blocks: tuple[Any, ...]
    spec: ModelSpec
    response: Any
    response_name: str
    extra: dict[str, Any]
    rows: IntArray
    n_given: int
    index: Any
    notes: tuple[str, ...]


def build_model(
    formula: str,
    data: Any = None,
    *,
    scope: Mapping[str, Any] | None = None,
    single_columns: bool = False,
    extra: Mapping[str, str] | None = None,
    na_action: str = "drop",
) -> ModelFrame:
    """Evaluate a formula on data.

    Parameters
    ----------
    formula : str
        ``"y ~ x + C(z)"``. Counts are ``cbind(s, f)``, ``s + f`` or ``[s, f]`` on the left,
        survival times ``Surv(time, event)`` or ``Surv(start, stop, event)``, whose strata are a
        summand ``strata(z)`` on the right or ``Surv(time, event, strata=z)``.
        ``.`` stands for all columns but those of the response and of `extra`. A column whose
        name is not a Python name stands in backticks, an integer name too.
    data : pandas, polars or pyarrow frame, or mapping of columns, optional
        None takes the variables from `scope`.
    scope : mapping, optional
        The caller's names: functions and values inside calls, and without `data` the
        variables too.
    single_columns : bool
        True where the penalty sees single columns: a contrast written by the user is then
        the design, otherwise only how coefficients are reported.
    extra : mapping of str to str, optional
        Further columns by role, such as ``{"weights": "w"}``.
    na_action : {"drop", "raise"}
        What to do with missing values in the variables used.

    Returns
    -------
    ModelFrame

    Raises
    ------
    FormulaError, DataError, OptionError
        See the messages; every one says what to do.

    Examples
    --------
    >>> frame = build_model("y ~ a + x", {"y": [1, 2, 4], "a": ["u", "v", "u"], "x": [3, 1, 2]})
    >>> frame.spec.columns
    ('a[u]', 'a[v]', 'x')
    """
    if na_action not in ("drop", "raise"):
        raise OptionError(f"`na_action` is {na_action!r}; it is 'drop' or 'raise'.")
    scope, extra = scope or {}, dict(extra or {})
    table = None if data is None else read_table(data)
    parsed = parse_formula(
        formula,
        available=None if table is None else table.names,
        leave_out=tuple(extra.values()),
    )
    if table is None:
        table = _scope_table(parsed, scope, extra)
    if table.n == 0:
        raise DataError("The data have no rows; a model needs some.")
    return _build(parsed, table, scope, single_columns, extra, na_action)


def _build(
    parsed: ParsedFormula,
    table: Table,
    scope: Mapping[str, Any],
    single_columns: bool,
    extra: dict[str, str],
    na_action: str,
) -> ModelFrame:
    evaluation = _Evaluation.start(parsed, table, scope)
    missing = MissingRows(table.n)
    for expression in evaluation.expressions:
        if not expression.handles_missing:
            for name in evaluation.variables[expression.text]:
                missing.add(name, evaluation.series[name].isna().to_numpy())
    for role, name in extra.items():
        missing.add(name, _extra_column(table, name, role).isna().to_numpy())
    values, states = evaluation.run(missing)
    if missing.any and na_action == "raise":
        raise DataError(missing.complaint())
    rows = missing.kept()
    factors: dict[str, Factor] = {}
    encoded: dict[str, Encoded] = {}
    for text, expression in parsed.factors.items():
        factors[text], encoded[text] = learn(
            expression,
            values[text],
            variables=evaluation.variables[text],
            state=states[text],
            single_columns=single_columns,
        )
    spec = _spec(parsed, factors, evaluation, single_columns)
    blocks = tuple(
        term_block([encoded[text] for text in plan.factors], scale=plan.scale)
        for plan in parsed.terms
    )
    return ModelFrame(
        blocks=blocks,
        spec=spec,
        response=assemble_response([values[part.text] for part in parsed.response], parsed),
        response_name=parsed.response_name,
        extra={role: table.column(name).iloc[rows].to_numpy() for role, name in extra.items()},
        rows=rows,
        n_given=table.n,
        index=table.index[rows] if len(rows) < table.n else table.index,
        notes=(*_notes(parsed, extra), *missing.notes()),
    )


def _spec(
    parsed: ParsedFormula,
    factors: dict[str, Factor],
    evaluation: _Evaluation,
    single_columns: bool,
) -> ModelSpec:
    terms = lay_out(parsed.terms, factors, intercept=parsed.intercept)
    check_unique(terms)
    used = {name for factor in factors.values() for name in factor.variables}
    names = {n for e in parsed.factors.values() for n in (*e.values, *e.calls)}
    return ModelSpec(
        formula=parsed.text,
        response=parsed.response_name,
        intercept=parsed.intercept,
        single_columns=single_columns,
        factors=factors,
        plans=parsed.terms,
        kinds={n: kind_of(s) for n, s in evaluation.series.items() if n in used},
        scope=Scope({n: v for n, v in evaluation.scope.items() if n in names}),
        terms=terms,
    )


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """The factors and the response of a formula, bound to a table and a scope."""

    expressions: tuple[Expression, ...]
    variables: dict[str, tuple[str, ...]]
    series: dict[str, Any]
    scope: dict[str, Any]
    response: frozenset[str]

    @classmethod
    def start(cls, parsed: ParsedFormula, table: Table, scope: Mapping[str, Any]) -> _Evaluation:
        expressions = (*parsed.response, *parsed.factors.values())
        variables: dict[str, tuple[str, ...]] = {}
        taken: dict[str, Any] = {}
        known = dict.fromkeys(table.names)
        for expression in expressions:
            variables[expression.text], used = bind(expression, columns=known, scope=scope)
            taken.update(used)
        _check_values(taken, table)
        series = {name: table.column(name) for part in variables.values() for name in part}
        for name, column in series.items():
            if kind_of(column) == "number":
                check_finite(column.to_numpy(dtype=np.float64), name)
        texts = frozenset(part.text for part in parsed.response)
        return cls(expressions, variables, series, taken, texts)

    def run(self, missing: MissingRows) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Evaluate on the kept rows, again where a value that came out missing drops rows."""
        values: dict[str, Any] = {}
        states: dict[str, dict[str, Any]] = {e.text: {} for e in self.expressions}
        pending = list(self.expressions)
        while pending:
            rows = missing.kept()
            for expression in pending:
                values[expression.text] = self._one(expression, rows, states[expression.text])
            lost = np.zeros(len(rows), dtype=np.bool_)
            for expression in self.expressions:
                gone = missing_rows(values[expression.text])
                missing.add(expression.name, gone, among=rows, computed=True)
                lost |= gone
            if not lost.any():
                break
            values = {
                text: value[~lost] if isinstance(value, Surv) else take_rows(value, ~lost)
                for text, value in values.items()
            }
            pending = [e for e in self.expressions if states[e.text]]
            for expression in pending:
                states[expression.text] = {}
        return values, states

    def _one(self, expression: Expression, rows: IntArray, state: dict[str, Any]) -> Any:
        columns = {n: cut(self.series[n], rows) for n in self.variables[expression.text]}
        raw = evaluate(expression, columns, scope=self.scope, state=state)
        sort: Callable[..., Any] = (
            response_value if expression.text in self.response else sort_value
        )
        return sort(raw, expression.name, len(rows))


def _check_values(taken: Mapping[str, Any], table: Table) -> None:
    for name, value in taken.items():
        if isinstance(value, pd.Series) and len(value) == table.n > 1:
            raise FormulaError(
                f"`{name}` is a Series of the calling scope with one value a row; add it to `data` "
                "as a column, so that it goes with its rows and can be given for new data."
            )


def _extra_column(table: Table, name: str, role: str) -> Any:
    if name not in table.names:
        raise DataError(f"`{role}` names the column '{name}'; {nearest(name, table.names)}")
    series = table.column(name)
    if kind_of(series) == "number":
        check_finite(series.to_numpy(dtype=np.float64), name)
    return series


def _notes(parsed: ParsedFormula, extra: dict[str, str]) -> tuple[str, ...]:
    notes = []
    if extra and parsed.has_dot:
        notes.append(f"`.` leaves out {', '.join(dict.fromkeys(extra.values()))}")
    notes.extend(
        f"`{e.name}` depends on all rows together and is computed anew on new data; "
        "center(), scale() and poly() keep what training fixed"
        for e in parsed.factors.values()
        if e.uses_whole_column
    )
    return tuple(notes)


def _scope_table(parsed: ParsedFormula, scope: Mapping[str, Any], extra: dict[str, str]) -> Table:
    expressions = (*parsed.response, *parsed.factors.values())
    needed = [e.text for e in expressions if e.lookup] + list(extra.values())
    for name in needed:
        if name not in scope:
            listed = [k for k, v in scope.items() if array_like(v)]
            raise FormulaError(
                f"There is no variable `{name}` in the calling scope, and no `data` was given; "
                f"{nearest(name, listed)}"
            )
        if not array_like(scope[name]):
            raise DataError(
                f"`{name}` in the calling scope is of type {type(scope[name]).__name__}, not a "
                "column of values; give a sequence, or `data`."
            )
    inside = [n for e in expressions if not e.lookup for n in e.values]
    columns = {n: scope[n] for n in needed}
    lengths = {len(v) for v in columns.values()}
    for name in inside:
        if name in scope and array_like(scope[name]):
            if not lengths:
                lengths = {len(scope[name])}
            if len(scope[name]) in lengths:
                columns[name] = scope[name]
    return read_table(columns, what="scope")
