"""Contrasts: the coding matrix of a contrast that the user wrote.

A contrast that, with the intercept, spans every level is a way of reporting; one of lower
rank says that the effects lie in a subspace, and is a restriction of the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from formulaic.transforms.contrasts import Contrasts, CustomContrasts

from grpsparse.errors import FormulaError
from grpsparse.formula.names import nearest
from grpsparse.groups import FloatArray

__all__ = ["Coding", "coding_of"]


@dataclass(frozen=True, slots=True)
class Coding:
    """A contrast on the levels of a factor.

    Parameters
    ----------
    matrix : ndarray of shape (levels, columns)
        The coding.
    names : tuple of str
        Names of its columns.
    full : bool
        Whether, with a constant, it spans all levels.
    """

    matrix: FloatArray
    names: tuple[str, ...]
    full: bool


def coding_of(contrasts: Any, levels: tuple[Any, ...], *, name: str) -> Coding | None:
    """Return the coding of a contrast, None where none was written or there is one level.

    Parameters
    ----------
    contrasts : object
        A formulaic contrast, its class, a dict of weights or a matrix (levels x columns).
    levels : tuple
        Levels of the factor.
    name : str
        The factor as printed.

    Raises
    ------
    FormulaError
        For a contrast that does not fit the levels.
    """
    if contrasts is None or len(levels) < 2:
        return None
    try:
        if isinstance(contrasts, type) and issubclass(contrasts, Contrasts):
            contrasts = contrasts()
        if not isinstance(contrasts, Contrasts):
            contrasts = CustomContrasts(contrasts)
        listed = list(levels)
        matrix = np.asarray(
            contrasts.get_coding_matrix(listed, reduced_rank=True), dtype=np.float64
        )
        fields = contrasts.get_coding_column_names(listed, reduced_rank=True)
        pattern = contrasts.get_factor_format(listed, reduced_rank=True)
    except Exception as error:
        base = getattr(contrasts, "base", None)
        if isinstance(base, (str, int, float)) and base not in levels:
            raise FormulaError(
                f"The contrast of `{name}` starts from {base!r}, which is not a level; "
                f"{nearest(str(base), levels)}"
            ) from error
        raise FormulaError(
            f"The contrast of `{name}` does not fit its {len(levels)} levels "
            f"{_shown(levels)}: {error}"
        ) from error
    if matrix.ndim != 2 or len(matrix) != len(levels) or not np.isfinite(matrix).all():
        raise FormulaError(
            f"The contrast of `{name}` is a matrix of shape {matrix.shape}; it needs one row of "
            f"finite numbers for each of the {len(levels)} levels {_shown(levels)}."
        )
    beside_constant = np.column_stack([np.ones(len(levels)), matrix])
    full = int(np.linalg.matrix_rank(beside_constant)) == len(levels)
    return Coding(matrix, tuple(pattern.format(name=name, field=f) for f in fields), full)


def _shown(levels: tuple[Any, ...]) -> str:
    text = ", ".join(str(level) for level in levels[:8])
    return f"({text}{', ...' if len(levels) > 8 else ''})"
