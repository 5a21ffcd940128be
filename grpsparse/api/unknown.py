"""Unknown arguments of a verb, answered with the nearest name there is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from typing import ParamSpec, TypeVar

from grpsparse.errors import OptionError

__all__ = ["names_unknown", "refuse_unknown"]

P = ParamSpec("P")
R = TypeVar("R")


def refuse_unknown(given: Iterable[str], known: Sequence[str]) -> None:
    """Raise for an argument that there is not.

    Raises
    ------
    OptionError
        Naming it and, where one is near, the argument that may be meant.
    """
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}."
            raise OptionError(f"a fit has no argument `{name}`; {hint}")


def names_unknown(verb: Callable[P, R]) -> Callable[P, R]:
    """Make a verb refuse unknown keywords by name; its signature stays."""
    known = tuple(signature(verb).parameters)

    @wraps(verb)
    def checked(*args: P.args, **keywords: P.kwargs) -> R:
        refuse_unknown(keywords, known)
        return verb(*args, **keywords)

    return checked
