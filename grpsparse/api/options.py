"""The arguments of a fit, checked once and with every "auto" resolved."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, TypedDict

import numpy as np

from grpsparse.api.overlap import are_lists
from grpsparse.api.unknown import refuse_unknown
from grpsparse.errors import BackendError, LambdaError, OptionError, PenaltyError
from grpsparse.families import Family
from grpsparse.groups import FloatArray
from grpsparse.penalties import GroupLasso, LatentGroupLasso, Penalty
from grpsparse.penalties import get as get_penalty
from grpsparse.problem import PivotalLambda
from grpsparse.solvers import Solver
from grpsparse.solvers import get as get_solver

__all__ = ["FitKeywords", "Options", "Resolved", "resolve"]

TOLERANCE = {"float64": 1e-7, "float32": 1e-5}


class FitKeywords(TypedDict, total=False):
    """Keyword arguments of :func:`grpsparse.fit`, which documents them."""

    family: str | Family
    penalty: str | Penalty
    groups: str | Sequence[Any] | Mapping[Hashable, Any]
    hierarchy: str | None
    class_groups: str
    penalty_factor: float | Mapping[Hashable, float] | Sequence[float] | FloatArray
    group_weight: str | None
    standardize: str | bool
    intercept: bool
    lambda_: float | str | PivotalLambda | Sequence[float] | FloatArray | None
    n_lambda: int
    lambda_min_ratio: float | None
    weights: Any
    offset: Any
    max_terms: int | None
    solver: str | Solver
    backend: str
    dtype: str
    na_action: str
    tol: float | None
    progress: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The same, with defaults, as a record."""

    family: str | Family = "auto"
    penalty: str | Penalty = "group_lasso"
    groups: Any = "auto"
    hierarchy: str | None = None
    class_groups: str = "auto"
    penalty_factor: Any = 1
    group_weight: str | None = "sqrt_df"
    standardize: str | bool = "auto"
    intercept: bool = True
    lambda_: Any = None
    n_lambda: int = 100
    lambda_min_ratio: float | None = None
    weights: Any = None
    offset: Any = None
    max_terms: int | None = None
    solver: str | Solver = "auto"
    backend: str = "auto"
    dtype: str = "float64"
    na_action: str = "drop"
    tol: float | None = None
    progress: bool | None = None

    @classmethod
    def of(cls, keywords: Mapping[str, Any], *, also: Sequence[str] = ()) -> Options:
        """Build from keywords, naming one that no fit has and the verb does not take `also`.

        Raises
        ------
        OptionError
            An unknown keyword.
        """
        refuse_unknown(keywords, [*also, *(each.name for each in fields(cls))])
        return cls(**keywords)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Settings of the engine, no "auto" left."""

    penalty: Penalty
    solver: Solver
    by_column: bool
    labels: Any  # one label per column at the matrix door, else None
    lists: Any  # groups as lists of their members, else None
    hierarchical: bool
    shared: bool
    standardize: str
    tol: float
    sqrt_df: bool  # whether the base weight is the root of a group's degrees of freedom

    @property
    def single_columns(self) -> bool:
        """Whether the penalty sees single columns, so that their coding matters."""
        return self.by_column or self.penalty.bilevel


def resolve(options: Options, *, formula: bool) -> Resolved:
    """Resolve the arguments that do not depend on the data.

    Raises
    ------
    GrpsparseError
        An argument out of its range, or two that exclude each other.
    """
    penalty = get_penalty(options.penalty)
    _check_plain(options)
    hierarchical = options.hierarchy is not None
    if hierarchical:
        penalty = _hierarchical(options, penalty, formula=formula)
    lists = options.groups if are_lists(options.groups) else None
    if lists is None:
        by_column, labels = _grouping(options, penalty, formula=formula)
    elif penalty.elementwise:
        raise PenaltyError(_elementwise(penalty, "`groups` with lists"))
    else:
        by_column, labels = False, None
    shared = _choice("class_groups", options.class_groups, ("auto", "shared", "separate"))
    if penalty.elementwise and shared == "shared":
        raise PenaltyError(_elementwise(penalty, "class_groups='shared'"))
    if penalty.matrix and shared == "separate":
        raise PenaltyError(
            f"the {penalty.title} is one of the matrix of all responses, so "
            "class_groups='separate' cannot hold; drop it."
        )
    return Resolved(
        penalty,
        get_solver(penalty.solver if _is_auto(options.solver) else options.solver),
        by_column,
        labels,
        lists,
        hierarchical,
        shared == "shared" or (shared == "auto" and not penalty.elementwise),
        _standardize(options, penalty),
        _tolerance(options),
        options.group_weight is not None and not penalty.matrix,
    )


def _hierarchical(options: Options, penalty: Penalty, *, formula: bool) -> Penalty:
    """Return the penalty of latent groups, or raise where there is no hierarchy to hold."""
    _choice("hierarchy", options.hierarchy, ("strong",))
    if not formula:
        raise OptionError(
            "hierarchy='strong' needs a formula, whose interactions say which terms belong "
            "together; for a matrix give `groups` as lists of columns."
        )
    if not _is_auto(options.groups):
        raise OptionError("hierarchy='strong' makes the groups itself; leave `groups` out.")
    if type(penalty) is GroupLasso:
        return LatentGroupLasso()
    if penalty.overlap != "latent":
        raise PenaltyError(
            f"hierarchy='strong' has groups that overlap, which the {penalty.title} does not take "
            "as latent groups; use 'latent_group_lasso'."
        )
    return penalty


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def _elementwise(penalty: Penalty, what: str) -> str:
    return (
        f"the {penalty.title} penalises every coefficient by itself, so {what} cannot hold; "
        f"drop it, or take the group penalty (such as 'group_lasso')."
    )


def _grouping(options: Options, penalty: Penalty, *, formula: bool) -> tuple[bool, Any]:
    groups = options.groups
    if not isinstance(groups, str):
        if formula:
            raise OptionError(
                "`groups` is a sequence of labels, which belongs to a matrix; with a formula the "
                "terms are the groups ('term'), or every column ('column'), or lists of terms."
            )
        if penalty.elementwise:
            raise PenaltyError(_elementwise(penalty, "`groups` with labels"))
        return False, groups
    _choice("groups", groups, ("auto", "term", "column"))
    if groups == "term" and not formula:
        raise OptionError(
            "groups='term' needs a formula; for a matrix give one label per column, or 'column'."
        )
    if penalty.elementwise:
        if groups == "term":
            raise PenaltyError(_elementwise(penalty, "groups='term'"))
        return True, None
    return groups == "column" or (groups == "auto" and not formula), None


def _standardize(options: Options, penalty: Penalty) -> str:
    asked = options.standardize
    if asked is False or asked is None:
        return "none"
    if not isinstance(asked, str) or asked not in ("auto", "group", "column"):
        raise OptionError(f"`standardize` is {asked!r}; it is 'group', 'column', False or 'auto'.")
    single = penalty.elementwise or penalty.bilevel
    if asked == "group" and single:
        raise PenaltyError(
            f"the {penalty.title} looks at single columns, so their group cannot be made "
            "orthonormal (standardize='group'); use 'column' or False."
        )
    if asked == "auto":
        return "column" if single else "group"
    return asked


def _tolerance(options: Options) -> float:
    if options.tol is None:
        return TOLERANCE[options.dtype]
    tol = options.tol
    if isinstance(tol, bool) or not isinstance(tol, int | float) or not 0 < tol < 1:
        raise OptionError(f"`tol` is {tol!r}; it is a number between 0 and 1, such as 1e-7.")
    return float(tol)


def _check_plain(options: Options) -> None:
    """Check the arguments that are a choice or a number."""
    _choice("backend", options.backend, ("auto", "numpy", "cupy"))
    if options.backend == "cupy":
        raise BackendError(
            "backend='cupy' is not part of this version; use backend='numpy' with arrays on the "
            "host."
        )
    _choice("dtype", options.dtype, tuple(TOLERANCE))
    _choice("na_action", options.na_action, ("drop", "raise"))
    if options.group_weight not in ("sqrt_df", None):
        raise OptionError(
            f"`group_weight` is {options.group_weight!r}; it is 'sqrt_df', or None for weights "
            "of 1."
        )
    if not isinstance(options.intercept, bool | np.bool_):
        raise OptionError(f"`intercept` is {options.intercept!r}; it is True or False.")
    if options.progress is not None and not isinstance(options.progress, bool):
        raise OptionError(f"`progress` is {options.progress!r}; it is True, False or None.")
    _whole("n_lambda", options.n_lambda)
    if options.max_terms is not None:
        _whole("max_terms", options.max_terms)
    ratio = options.lambda_min_ratio
    if ratio is not None and not (isinstance(ratio, int | float) and 0 < ratio < 1):
        raise LambdaError(f"`lambda_min_ratio` is {ratio!r}; it is between 0 and 1, such as 1e-3.")


def _choice(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in allowed:
        near = get_close_matches(value, allowed, n=1) if isinstance(value, str) else []
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise OptionError(
            f"`{name}` is {value!r}; {hint}it is one of {', '.join(map(repr, allowed))}."
        )
    return value


def _whole(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise OptionError(f"`{name}` is {value!r}; it is a whole number of at least 1.")
