"""The call as it is printed: what the user typed, without data and seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["call_text"]

LONGEST_LIST = 6  # entries of a sequence that are printed


def call_text(function: str, first: Any, arguments: Mapping[str, Any]) -> str:
    """Return ``fit("y ~ x", penalty="group_lasso")``.

    Parameters
    ----------
    function : str
    first : str or matrix
        A formula is shown, a matrix is called X.
    arguments : mapping
        Keyword arguments as given.

    Examples
    --------
    >>> call_text("fit", "y ~ x", {"penalty": "group_mcp", "n_lambda": 20})
    'fit("y ~ x", penalty="group_mcp", n_lambda=20)'
    """
    parts = [_shown(first) if isinstance(first, str) else "X, y"]
    parts += [f"{name}={_shown(value)}" for name, value in arguments.items()]
    return f"{function}({', '.join(parts)})"


def _shown(value: Any) -> str:
    if isinstance(value, str):
        quote = "'" if '"' in value else '"'
        return f"{quote}{value}{quote}"
    if isinstance(value, bool | int | float | type(None)):
        return repr(value)
    if isinstance(value, np.generic):
        return repr(value.item())
    if isinstance(value, list | tuple | dict) and len(value) <= LONGEST_LIST:
        return repr(value)
    module = type(value).__module__
    if module.startswith("grpsparse.") or module == "grpsparse":
        return repr(value)
    return "..."
