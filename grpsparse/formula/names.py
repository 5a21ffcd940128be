"""Names of terms: one spelling for each, and how a user's spelling finds it.

``b:a`` is ``a:b``, ``C( x )`` is ``C(x)``, backticks are optional around a column's name, and
a bare variable stands for the only term made of it: ``plan_type`` finds ``C(plan_type)``.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from grpsparse.errors import GroupError

__all__ = ["canonical_factor", "nearest", "resolve_term", "split_outside", "variables_of"]

_OPENERS = {"(": ")", "[": "]", "{": "}"}
_QUOTES = "'\"`"


def nearest(name: str, known: Iterable[Any], *, count: int = 3) -> str:
    """Return a sentence with the known names closest to an unknown one.

    Parameters
    ----------
    name : str
        The name that was not found.
    known : iterable
        The names that exist.
    count : int
        How many to list at most.

    Returns
    -------
    str
        ``"did you mean 'price'?"``, or a list of some known names where none is close.
    """
    names = list(dict.fromkeys(str(k) for k in known))
    lowered = {n.lower(): n for n in names}
    wanted = str(name).lower()
    close = difflib.get_close_matches(wanted, lowered, n=count, cutoff=0.6)
    if not close and len(wanted) > 1:
        close = [known for known in lowered if wanted in known][:count]
    if close:
        return "did you mean " + " or ".join(repr(lowered[c]) for c in close) + "?"
    if not names:
        return "there are no names to choose from."
    shown = ", ".join(repr(n) for n in names[:8])
    return f"known names are {shown}{', ...' if len(names) > 8 else ''}."


def split_outside(text: str, separator: str) -> list[str]:
    """Split a text at a separator that is outside quotes, backticks and brackets."""
    parts, closing, quote, start, at = [], [], "", 0, 0
    while at < len(text):
        char = text[at]
        if quote:
            if char == "\\" and quote != "`":
                at += 1
            elif char == quote:
                quote = ""
        elif char in _QUOTES:
            quote = char
        elif char in _OPENERS:
            closing.append(_OPENERS[char])
        elif closing and char == closing[-1]:
            closing.pop()
        elif not closing and text.startswith(separator, at):
            parts.append(text[start:at])
            at += len(separator) - 1
            start = at + 1
        at += 1
    return [*parts, text[start:]]


def canonical_factor(text: str) -> str:
    """Return the one spelling of a factor: spaces, quotes and braces made uniform."""
    bare = " ".join(text.split())
    for opener, closer in (("`", "`"), ("{", "}")):
        if len(bare) > 1 and bare.startswith(opener) and bare.endswith(closer):
            bare = bare[1:-1].strip()
    if bare.isidentifier() or "`" in bare:
        return bare
    try:
        return ast.unparse(ast.parse(bare, mode="eval")).replace("\n", " ")
    except (SyntaxError, ValueError):
        return bare


def variables_of(text: str) -> frozenset[str]:
    """Return the names that a factor reads as values, without the functions it calls."""
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError):
        return frozenset({text})
    called = {
        root.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(root := _root(node.func), ast.Name)
    }
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return frozenset(names - called - {"contr", "np"}) or frozenset({text})


def _root(node: ast.expr) -> ast.expr:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node


def _parts(name: str) -> tuple[str, ...]:
    return tuple(sorted(canonical_factor(part) for part in split_outside(name, ":")))


def _bare_parts(parts: tuple[str, ...]) -> tuple[str, ...]:
    bare = []
    for part in parts:
        names = variables_of(part)
        bare.append(next(iter(names)) if len(names) == 1 else part)
    return tuple(sorted(bare))


def resolve_term(name: str, terms: Sequence[Any]) -> int:
    """Return the position of the term that a user means by a name.

    Parameters
    ----------
    name : str
        A term as the user writes it: ``"b:a"`` for ``a:b``, ``"plan_type"`` for the only
        term made of that variable, spaces as they like.
    terms : sequence of TermColumns or str
        The terms of the model, or their names.

    Returns
    -------
    int
        Position among `terms`.

    Raises
    ------
    GroupError
        When no term has that name (with near matches), or when a bare variable is in
        several terms.

    Examples
    --------
    >>> resolve_term("b:C( a )", ["x", "C(a):b"])
    1
    """
    names = [str(getattr(term, "name", term)) for term in terms]
    if name in names:
        return names.index(name)
    if not isinstance(name, str):
        raise GroupError(f"A term is named by its text, not by {name!r}; {nearest(name, names)}")
    wanted = _parts(name)
    known = [_parts(n) for n in names]
    if wanted in known:
        return known.index(wanted)
    found = [i for i, parts in enumerate(known) if _bare_parts(parts) == _bare_parts(wanted)]
    exact = [i for i in found if _bare_parts(wanted) == wanted]
    if len(exact) == 1:
        return exact[0]
    if len(exact) > 1:
        several = ", ".join(names[i] for i in exact)
        raise GroupError(f"`{name}` could be any of the terms {several}; write one of them.")
    raise GroupError(f"There is no term `{name}`; {nearest(name, names)}")
