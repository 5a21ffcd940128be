"""Generalised variance inflation factors: how far a term lies in the span of the others.

With R the correlation matrix of all columns, R_jj that of a term and R_-j that of the others,

    GVIF_j = det(R_jj) det(R_-j) / det(R)

is the factor by which the squared volume of the term's confidence ellipsoid grows for not being
orthogonal to the rest. It depends on the spaces that the terms span alone, not on coding: each
term enters as an orthonormal basis Q_j, for which GVIF_j = det of block j of the inverse of Q'Q.

References: Fox & Monette (1992), doi:10.1080/01621459.1992.10475190.
"""

from __future__ import annotations

import sys
from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from grpsparse.errors import FormulaError
from grpsparse.groups import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

    from grpsparse.formula.frames import Table

__all__ = ["generalised_vif", "vif"]

# Eigenvalues of a term's correlation matrix below this share of the largest count as zero.
RANK = 1e-9
# The same between terms: an inflation of 1e13 is still a number, and a warning.
COLLINEAR = 1e-14
# Centring leaves a constant column at rounding level; real columns stay far above.
CONSTANT = 1e-10
# Share of a term in a combination of columns that vanishes, above which the term is in it.
PRESENT = 1e-6

_NO_RESPONSE = "no response"


def vif(formula: str, data: Any = None, *, scope: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Compute the generalised variance inflation factor of every term of a formula.

    A factor is one term, whatever its coding. An interaction is made orthogonal to those of its
    margins that are in the formula, as in a fit, so that it does not inflate them. Without an
    intercept columns are not centred.

    Parameters
    ----------
    formula : str
        Terms as for :func:`grpsparse.fit`; the response may be left out, as in ``"~ a + b"``.
        Rows in which a variable is missing are left out.
    data : DataFrame, optional
        What the fit takes; None takes the variables from `scope`.
    scope : mapping, optional
        Names that the formula may use besides columns; by default those of the caller, as in
        a fit.

    Returns
    -------
    pandas.DataFrame
        Columns `term`, `df` (rank), `gvif` and `gvif_scaled` = gvif^(1 / (2 df)), which is
        comparable between terms: the square root of the usual factor where df is 1. A term
        collinear with others has inf, a constant one NaN.

    Raises
    ------
    FormulaError, DataError
        For a formula or data that a fit refuses.

    Examples
    --------
    >>> import grpsparse as gs
    >>> plans = {"premium": [1.0, 2.0, 3.0, 4.0], "drugs": [0.0, 1.0, 0.0, 1.0]}
    >>> print(gs.vif("~ premium + drugs", plans).round(3).to_string(index=False))
       term  df  gvif  gvif_scaled
    premium   1  1.25        1.118
      drugs   1  1.25        1.118
    """
    import pandas as pd

    from grpsparse.formula import build_model

    if scope is None:
        caller = sys._getframe(1)  # noqa: SLF001
        scope = ChainMap(caller.f_locals, caller.f_globals)
    formula, data = _two_sided(formula, data)
    frame = build_model(formula, data, scope=scope)
    terms = frame.spec.terms
    df, gvif = generalised_vif(
        [_dense(block) for block in frame.blocks],
        margins=[[margin.term for margin in term.margins] for term in terms],
        intercept=frame.spec.intercept,
    )
    with np.errstate(divide="ignore"):
        scaled = gvif ** (1.0 / (2.0 * df))
    names = [term.name for term in terms]
    return pd.DataFrame({"term": names, "df": df, "gvif": gvif, "gvif_scaled": scaled})


def _two_sided(formula: Any, data: Any) -> tuple[Any, Any]:
    from grpsparse.formula.names import split_outside

    sides = split_outside(formula, "~") if isinstance(formula, str) else []
    if len(sides) not in (1, 2) or (len(sides) == 2 and sides[0].strip()):
        return formula, data
    if data is None:
        raise FormulaError(
            f"`{formula}` has no response and there is no `data`; give one of the two, so that "
            "the number of rows is known."
        )
    return f"`{_NO_RESPONSE}` ~ {sides[-1]}", _with_response(data)


def _with_response(data: Any) -> Table:
    from grpsparse.formula.frames import read_table

    table = read_table(data)
    return table.beside(_NO_RESPONSE, np.arange(table.n, dtype=np.float64))


def _dense(block: Any) -> FloatArray:
    dense: FloatArray = block.toarray() if hasattr(block, "toarray") else np.asarray(block)
    return dense


def generalised_vif(
    blocks: Sequence[FloatArray],
    *,
    margins: Sequence[Sequence[int]] | None = None,
    intercept: bool = True,
) -> tuple[IntArray, FloatArray]:
    """Compute degrees of freedom and GVIF of blocks of columns.

    Parameters
    ----------
    blocks : sequence of ndarray of shape (n, p_j)
        Columns of every term in any coding, of any rank.
    margins : sequence of sequences of int, optional
        For every block the positions of blocks that it is made orthogonal to first, as an
        interaction to its margins.
    intercept : bool
        Whether the model has an intercept; the columns are centred if so.

    Returns
    -------
    df : ndarray of shape (J,)
        Ranks.
    gvif : ndarray of shape (J,)
        At least 1; inf where a combination of the block's columns lies in the span of the
        others, NaN where the rank is 0.
    """
    centred = [_centred(block) if intercept else block for block in blocks]
    bases = []
    for position, block in enumerate(centred):
        inside = margins[position] if margins is not None else ()
        kept = block
        if len(inside):
            span = _basis(np.hstack([centred[margin] for margin in inside]))
            kept = block - span @ (span.T @ block)
        bases.append(_basis(kept, scale=np.linalg.norm(blocks[position], axis=0)))
    df = np.array([basis.shape[1] for basis in bases], dtype=np.int64)
    gvif = np.full(len(bases), np.nan)
    if df.sum() > 0:
        gvif[df > 0] = _inflation(np.hstack(bases), df[df > 0])
    return df, gvif


def _centred(block: FloatArray) -> FloatArray:
    centred: FloatArray = block - block.mean(axis=0)
    return centred


def _basis(block: FloatArray, *, scale: FloatArray | None = None) -> FloatArray:
    norm = np.linalg.norm(block, axis=0)
    varies = norm > CONSTANT * (norm if scale is None else scale)
    if not varies.any():
        return np.zeros((block.shape[0], 0))
    left, singular, _ = np.linalg.svd(block[:, varies] / norm[varies], full_matrices=False)
    basis: FloatArray = left[:, singular**2 > RANK * singular[0] ** 2]
    return basis


def _inflation(bases: FloatArray, df: IntArray) -> FloatArray:
    triangle = np.linalg.qr(bases, mode="r")
    _, singular, right = np.linalg.svd(triangle)
    # With fewer rows than columns the last right vectors have no singular value: it is 0.
    size = np.zeros(right.shape[0])
    size[: singular.size] = singular
    whole = size**2 > COLLINEAR * size[0] ** 2
    ends = np.cumsum(df)
    gvif = np.empty(df.size)
    for position, (start, end) in enumerate(zip(ends - df, ends, strict=True)):
        part = right[:, start:end]
        if np.linalg.norm(part[~whole]) > PRESENT:
            gvif[position] = np.inf
            continue
        root = part[whole] / size[whole, None]
        gvif[position] = np.exp(max(0.0, float(np.linalg.slogdet(root.T @ root)[1])))
    return gvif
