"""Parsing: the text of a formula becomes factors, terms and a response.

formulaic reads the formula; what is left here is what a regression asks of it: one response,
one right side without ``|``, terms by degree, and which names each factor reads or calls.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from formulaic.errors import FormulaicError
from formulaic.parser import DefaultFormulaParser
from formulaic.parser.algos.tokenize import tokenize
from formulaic.parser.types import Factor as ParsedFactor
from formulaic.parser.types import Term as ParsedTerm
from formulaic.utils.code import sanitize_variable_names

from grpsparse.errors import FormulaError
from grpsparse.formula.names import split_outside
from grpsparse.formula.strata import split_strata

__all__ = [
    "Expression",
    "ParsedFormula",
    "TermPlan",
    "hint_for",
    "parse_formula",
    "read_expression",
]

_RIGHT = DefaultFormulaParser(feature_flags={"TWOSIDED"})
_LEFT = DefaultFormulaParser(include_intercept=False, feature_flags={"TWOSIDED"})
_ANSI = re.compile(r"\x1b\[[0-9;]*m")

# A factor that calls one of these deals with missing values by itself.
_AWARE_OF_MISSING = frozenset(
    (
        *("fillna", "isna", "isnull", "notna", "notnull", "isnan", "nan_to_num", "where"),
        *("mask", "combine_first", "ffill", "bfill", "interpolate"),
    )
)
# A factor that calls one of these needs all rows at once, so new data give other values.
_WHOLE_COLUMN = frozenset(
    (
        *("mean", "average", "std", "var", "median", "quantile", "percentile", "nanmean"),
        *("sum", "min", "max", "rank", "cumsum", "diff", "shift", "qcut", "lag"),
    )
)
# A formula computes columns; it reads and writes no files, also when it comes from one.
_REFUSED = frozenset(
    (
        *("load", "loadtxt", "genfromtxt", "fromfile", "fromregex", "memmap", "DataSource"),
        *("save", "savez", "savez_compressed", "savetxt", "tofile", "dump", "dumps"),
        *("lib", "ctypeslib", "f2py", "testing", "core", "ctypes", "pipe", "eval", "query"),
        *("to_pickle", "to_csv", "to_sql", "to_hdf", "to_excel", "to_json", "to_clipboard"),
    )
)
_DOT = re.compile(r"(?<![\w.)\]`])\.(?![\w.])")
# formulaic takes a column called 1 for the intercept, so numbers in backticks carry a mark.
_MARK = "\u2063"
_NUMBER_NAME = re.compile(r"`(\d[\d.]*)`")
_HINTS = {
    "as.factor(": "write C(x) for a factor",
    "factor(": "write C(x) for a factor",
    "offset(": "give the offset by the argument `offset`",
    "ns(": "write cr(x, df=4) for a natural spline",
    "s(": "write bs(x, df=4) or cr(x, df=4) for a smooth",
    "==": "write {x == 1} or I(x == 1) for a comparison",
}


@dataclass(frozen=True, slots=True)
class Expression:
    """One factor of a formula: its text and the names in it.

    Parameters
    ----------
    text : str
        What is evaluated; the name of a column for a lookup.
    lookup : bool
        True for a plain column.
    values, calls : tuple of str
        Names read as values, and names called as functions.
    methods : frozenset of str
        Every function or method called, by its last name.
    """

    text: str
    lookup: bool
    values: tuple[str, ...]
    calls: tuple[str, ...] = ()
    methods: frozenset[str] = frozenset()

    @property
    def handles_missing(self) -> bool:
        """Whether the expression deals with missing values by itself."""
        return not self.methods.isdisjoint(_AWARE_OF_MISSING)

    @property
    def uses_whole_column(self) -> bool:
        """Whether a value depends on the other rows, so that new data give other values."""
        return not self.methods.isdisjoint(_WHOLE_COLUMN)

    @property
    def name(self) -> str:
        """The factor as printed: an operation outside a call stands in braces."""
        if self.lookup or self.text[-1:] in ")]" or self.text.isidentifier():
            return self.text
        return f"{{{self.text}}}"


@dataclass(frozen=True, slots=True)
class TermPlan:
    """A term: the texts of its factors, in the user's order, and a literal multiplier."""

    factors: tuple[str, ...]
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class ParsedFormula:
    """A formula read.

    Parameters
    ----------
    text : str
        The formula as written, in one line.
    response_name : str
        The left side as written.
    response : tuple of Expression
        One factor, or several for columns of counts.
    factors : dict of str to Expression
        The factors of the right side by their text.
    terms : tuple of TermPlan
        The terms by degree, without the intercept.
    intercept : bool
        Whether there is an intercept.
    """

    text: str
    response_name: str
    response: tuple[Expression, ...]
    factors: dict[str, Expression]
    terms: tuple[TermPlan, ...]
    intercept: bool

    @property
    def has_dot(self) -> bool:
        """Whether the right side has a ``.``."""
        return bool(_DOT.search(split_outside(self.text, "~")[1]))


def parse_formula(
    formula: str, *, available: Iterable[str] | None = None, leave_out: Sequence[str] = ()
) -> ParsedFormula:
    """Read a formula.

    Parameters
    ----------
    formula : str
        For example ``"share ~ brand + C(plan_type) + drugs"``.
    available : iterable of str, optional
        Names of the columns, which ``.`` stands for.
    leave_out : sequence of str
        Columns that ``.`` leaves out besides the response.

    Raises
    ------
    FormulaError
        For a formula that cannot be read, has no left side, a ``|``, or its response on the
        right side.
    """
    left, right = _sides(formula)
    observed, right = split_strata(left, right)
    response = _response(observed)
    used = {name for part in response for name in part.values}
    skipped = used.union(leave_out)
    columns = None if available is None else list(available)
    open_names = None if columns is None else [name for name in columns if name not in skipped]
    parsed = sorted(_read(_RIGHT, right, open_names), key=lambda term: term.degree)
    factors: dict[str, Expression] = {}
    terms = [plan for term in parsed if (plan := _plan(term, factors)).factors or plan.scale == 1.0]
    intercept = any(not plan.factors for plan in terms)
    kept = tuple(plan for plan in terms if plan.factors)
    if not kept and not intercept:
        raise FormulaError(
            f"`{formula}` has neither terms nor an intercept; `y ~ 1` is the intercept alone."
        )
    if observed != left:  # a variable may make strata and be a term
        used = {name for part in _response(left) for name in part.values}
    own = used - {"np", "contr"} if columns is None else used.intersection(columns)
    for text, expression in factors.items():
        if own.intersection(expression.values):
            raise FormulaError(
                f"The response `{left}` is also on the right side, in `{text}`; "
                "a response cannot explain itself, so take it out."
            )
    name = _inner_name(left)
    return ParsedFormula(" ".join(formula.split()), name, response, factors, kept, intercept)


def _inner_name(left: str) -> str:
    plain = " ".join(left.split())
    if plain.startswith("`") and plain.endswith("`") and plain.count("`") == 2:
        return plain[1:-1]
    return plain


def _sides(formula: str) -> tuple[str, str]:
    if not isinstance(formula, str):
        raise FormulaError(
            f"A formula is a text such as 'y ~ x + C(z)', not {type(formula).__name__}."
        )
    sides = split_outside(formula, "~")
    if len(sides) != 2:
        raise FormulaError(
            f"`{formula}` has {len(sides) - 1} `~`; a formula has one, as in 'y ~ x + C(z)'."
        )
    left, right = sides[0].strip(), sides[1].strip()
    if not left:
        raise FormulaError(f"`{formula}` has no response; write it to the left of `~`.")
    if not right:
        raise FormulaError(
            f"`{formula}` has no right side; write `{left} ~ 1` for the intercept alone."
        )
    return left, right


def _response(left: str) -> tuple[Expression, ...]:
    text = f"cbind({left[1:-1]})" if left.startswith("[") and left.endswith("]") else left
    terms = _read(_LEFT, text, None)
    written = [] if "(" in text else [" ".join(piece.split()) for piece in text.split("+")]
    if len(set(written)) < len(written):  # the parser takes a + a for a
        raise FormulaError(f"The response `{left}` names a variable twice; name each once.")
    parts = []
    for term in terms:
        if len(term.factors) != 1 or term.degree != 1:
            raise FormulaError(
                f"The response `{left}` is not one variable; write one, or `cbind(successes, "
                "failures)` for counts."
            )
        parts.append(_expression(term.factors[0]))
    if not parts:
        raise FormulaError(
            f"The response `{left}` names no variable; write one, or several for counts or for "
            "several responses."
        )
    return tuple(parts)


def _read(parser: DefaultFormulaParser, text: str, available: list[str] | None) -> list[ParsedTerm]:
    context: dict[str, Any] = {}
    if available is not None:
        names = [_MARK + name if name[:1].isdigit() else name for name in available]
        context["__formulaic_variables_available__"] = names
    text = _NUMBER_NAME.sub(rf"`{_MARK}\1`", text)
    try:
        barred = any(t.kind is t.Kind.OPERATOR and "|" in t.token for t in tokenize(text))
        terms = [] if barred else list(parser.get_terms(text, context=context).root)
    except (FormulaicError, SyntaxError, ValueError, AttributeError, TypeError) as error:
        text = text.replace(_MARK, "")
        cause = _ANSI.sub("", str(error)).replace(_MARK, "").replace("⧛", "").replace("⧚", "")
        reason = " ".join(cause.split("\n\n")[0].split()).rstrip(".")
        if _DOT.search(text) and available is None:
            reason = "`.` stands for the columns of `data`, which was not given"
        raise FormulaError(f"`{text}` cannot be read: {reason}.{hint_for(text)}") from error
    if barred:
        raise FormulaError(
            f"`{text}` has a `|`; parts behind a bar are not supported, so write the terms with "
            "`+` (and I(a | b) for a logical or)."
        )
    return terms


def hint_for(text: str) -> str:
    """Return what to write instead of a habit from R, or nothing."""
    for habit, advice in _HINTS.items():
        if re.search(r"(?<![\w.])" + re.escape(habit), text) or (habit == "==" and habit in text):
            return f" Here, {advice}."
    return ""


def _plan(term: ParsedTerm, factors: dict[str, Expression]) -> TermPlan:
    scale, texts = 1.0, []
    for factor in term.factors:
        if factor.eval_method is ParsedFactor.EvalMethod.LITERAL:
            scale *= float(factor.expr)
            continue
        expression = _expression(factor)
        texts.append(expression.text)
        factors.setdefault(expression.text, expression)
    if scale == 0.0:
        raise FormulaError(f"`{term}` multiplies by 0; leave the term out instead.")
    return TermPlan(tuple(texts), scale)


def _expression(factor: ParsedFactor) -> Expression:
    lookup = factor.eval_method is ParsedFactor.EvalMethod.LOOKUP
    return read_expression(factor.expr.replace(_MARK, ""), lookup=lookup)


def read_expression(text: str, *, lookup: bool) -> Expression:
    """Find the names in a factor, without evaluating it.

    Parameters
    ----------
    text : str
        The factor.
    lookup : bool
        Whether it is the name of a column.

    Raises
    ------
    FormulaError
        When it is no Python expression, or reaches for files or for Python's internals.
    """
    if lookup:
        return Expression(text, True, (text,))
    aliases: dict[str, str] = {}
    try:
        tree = ast.parse(sanitize_variable_names(text, {}, aliases), mode="eval")
    except SyntaxError as error:
        raise FormulaError(
            f"`{text}` is not an expression that Python can read.{hint_for(text)}"
        ) from error
    names = _Names(aliases)
    names.visit(tree)
    return Expression(
        text,
        False,
        tuple(dict.fromkeys(names.values)),
        tuple(dict.fromkeys(names.calls)),
        frozenset(names.methods),
    )


class _Names(ast.NodeVisitor):
    """Collect the free names of an expression."""

    def __init__(self, aliases: dict[str, str]) -> None:
        self.aliases = aliases
        self.values: list[str] = []
        self.calls: list[str] = []
        self.methods: list[str] = []
        self.bound: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        if node.id not in self.bound:
            self.values.append(self.aliases.get(node.id, node.id))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr.startswith("_") or node.attr in _REFUSED:
            raise FormulaError(
                f"`{node.attr}` cannot be used in a formula; compute the column before."
            )
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name):
            self.calls.append(node.func.id)
            self.methods.append(node.func.id)
            if node.func.id == "Q" and node.args and isinstance(node.args[0], ast.Constant):
                self.values.append(str(node.args[0].value))
        else:
            if isinstance(node.func, ast.Attribute):
                self.methods.append(node.func.attr)
            self.visit(node.func)
        for child in (*node.args, *node.keywords):
            self.visit(child)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._scoped(node, {arg.arg for arg in node.args.args})

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._scoped(node, _targets(node.generators))

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._scoped(node, _targets(node.generators))

    def _scoped(self, node: ast.AST, names: set[str]) -> None:
        outer, self.bound = self.bound, self.bound | names
        self.generic_visit(node)
        self.bound = outer


def _targets(generators: list[ast.comprehension]) -> set[str]:
    return {
        node.id for g in generators for node in ast.walk(g.target) if isinstance(node, ast.Name)
    }
