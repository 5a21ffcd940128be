"""Groups as lists of terms or of columns, which may overlap, and strong hierarchy.

A formula's lists name its terms, a matrix's name columns or count them from 0. With
``hierarchy="strong"`` the groups follow from the formula: every term with all of its margins, a
main effect by itself. An interaction then never comes without what it is an interaction of.

References: Bien, Taylor & Tibshirani (2013), doi:10.1214/13-AOS1096, for the notion; Lim & Hastie
(2015), doi:10.1080/10618600.2014.938812, for groups of an interaction with its mains.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from itertools import combinations
from typing import Any

import numpy as np

from grpsparse.design import MatrixSpec
from grpsparse.errors import FormulaError, GroupError, PenaltyError, listed
from grpsparse.groups import Model
from grpsparse.penalties import Penalty
from grpsparse.unions import Unions

__all__ = ["are_lists", "check_overlap", "read_lists", "strong_hierarchy"]

NAMED_BY = 3  # members that a group without a name is called by


def are_lists(groups: Any) -> bool:
    """Return whether `groups` are lists of members, not one label per column.

    Examples
    --------
    >>> are_lists([[0, 1], [1, 2]]), are_lists({"low": [0, 1]}), are_lists([("a", 1), ("a", 2)])
    (True, True, False)
    """
    if isinstance(groups, str) or not isinstance(groups, Sequence | Mapping | np.ndarray):
        return False
    if isinstance(groups, np.ndarray) and groups.dtype != object:
        return False
    each = groups.values() if isinstance(groups, Mapping) else groups
    kinds = (list, set, frozenset, range, np.ndarray)
    return any(isinstance(one, kinds) for one in each)


def read_lists(groups: Any, model: Model) -> Unions:
    """Read groups that are lists of terms of a formula, or of columns of a matrix.

    Parameters
    ----------
    groups : sequence of lists, or mapping of names to lists
    model : Model

    Raises
    ------
    GroupError
        A list that is empty or names a member twice, an unknown member, two groups of the same
        members, or members that are in no group.

    Examples
    --------
    >>> from grpsparse.design import matrix_model
    >>> model = matrix_model([[1, 2, 3], [4, 5, 7]]).spec
    >>> read_lists([[0, 1], ["x2", "x3"]], model).names
    ('x1 + x2', 'x2 + x3')
    """
    named = isinstance(groups, Mapping)
    keys = [str(key) for key in groups] if named else [None] * len(groups)
    lists: dict[str, list[int]] = {}
    seen: dict[frozenset[int], str] = {}
    for number, (key, given) in enumerate(zip(keys, _values(groups), strict=True)):
        what = f"group {number}" if key is None else f"group {key!r}"
        found = _members(given, model, what)
        name = _name(found, model) if key is None else key
        if frozenset(found) in seen:
            raise GroupError(
                f"`groups` has {what} of the same members as {seen[frozenset(found)]}; leave one "
                "out."
            )
        seen[frozenset(found)] = what
        while name in lists:  # long lists may begin and end alike
            name = f"{name} ({number})"
        lists[name] = found
    held = {member for found in lists.values() for member in found}
    left = [member for member in range(len(model.terms)) if member not in held]
    if left:
        kind = _kind(model)
        names = listed([model.terms[member].name for member in left])
        raise GroupError(
            f"`groups` leaves out the {kind}{'s' * (len(left) > 1)} {names}; give every {kind} a "
            "group, of its own and with `penalty_factor` 0 if it is to carry no penalty."
        )
    return Unions.of(lists)


def strong_hierarchy(model: Any) -> Unions:
    """Return for every term of a formula the group of it with its margins, in order.

    Raises
    ------
    FormulaError
        An interaction without one of its margins in the formula.
    """
    place = {frozenset(plan.factors): t for t, plan in enumerate(model.plans)}
    lists: dict[str, list[int]] = {}
    for t, (plan, term) in enumerate(zip(model.plans, model.terms, strict=True)):
        parts = plan.factors
        sizes = range(1, len(parts))
        margins = [some for size in sizes for some in combinations(parts, size)]
        missing = [":".join(some) for some in margins if frozenset(some) not in place]
        if missing:
            raise FormulaError(
                f"hierarchy='strong' needs all margins of `{term.name}` in the formula, which "
                f"lacks {listed(missing)}; write {'*'.join(parts)}, or give `groups` "
                "yourself."
            )
        name = "*".join(parts) if margins else term.name
        lists[name] = [*(place[frozenset(some)] for some in margins), t]
    return Unions.of(lists)


def check_overlap(penalty: Penalty, unions: Unions) -> None:
    """Raise PenaltyError where groups overlap and the penalty has no meaning for that."""
    if unions.overlapping and penalty.overlap == "none":
        raise PenaltyError(
            f"`groups` overlap, which the {penalty.title} does not allow; take "
            "'latent_group_lasso' (a column is in where any of its groups is) or "
            "'overlap_group_lasso' (a column is out where any of its groups is)."
        )


def _values(groups: Any) -> list[Any]:
    return list(groups.values() if isinstance(groups, Mapping) else groups)


def _members(given: Any, model: Model, what: str) -> list[int]:
    """Return the positions of a group's members, as they are listed."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise GroupError(
            f"`groups` has {given!r} for {what}; every group is a list, [{given!r}] for one member."
        )
    found = [_member(one, model, what) for one in given]
    if not found:
        raise GroupError(f"`groups` has nothing in {what}; leave it out, or name its members.")
    twice = [member for member in found if found.count(member) > 1] if len(found) > 1 else []
    if twice:
        raise GroupError(
            f"`groups` has {model.terms[twice[0]].name!r} twice in {what}; name it once."
        )
    return sorted(found) if isinstance(given, set | frozenset) else found


def _member(given: Any, model: Model, what: str) -> int:
    """Return the position of a term of a formula, or of a column by its name or number."""
    if not isinstance(model, MatrixSpec):
        from grpsparse.formula import resolve_term

        if not isinstance(given, str):
            raise GroupError(f"`groups` has {given!r} in {what}; a formula's terms go by name.")
        return resolve_term(given, model.terms)
    count = len(model.columns)
    if isinstance(given, int | np.integer) and not isinstance(given, bool):
        if 0 <= given < count:
            return int(given)
        raise GroupError(
            f"`groups` has column {given} in {what}, but X has {count} columns, 0 to {count - 1}."
        )
    if str(given) in model.columns:
        return list(model.columns).index(str(given))
    near = get_close_matches(str(given), list(model.columns), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise GroupError(
        f"`groups` has {given!r} in {what}, which is no column; {hint}Give names of columns, or "
        f"their numbers from 0 to {count - 1}."
    )


def _name(found: Sequence[int], model: Model) -> str:
    """Return what a group without a name is called."""
    names = [model.terms[member].name for member in found]
    if len(names) > NAMED_BY:
        names = [names[0], "...", names[-1]]
    return " + ".join(names)


def _kind(model: Model) -> str:
    return "column" if isinstance(model, MatrixSpec) else "term"
