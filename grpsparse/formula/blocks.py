"""Blocks: the columns of a term from its encoded factors.

The columns of an interaction are all products of one column of each factor, the first factor
running fastest; of pure factors that is one indicator for each cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
from scipy import sparse

from grpsparse.formula.factors import Encoded
from grpsparse.groups import FloatArray, IntArray

__all__ = ["SPARSE_ABOVE", "cell_codes", "dense_block", "term_block"]

SPARSE_ABOVE = 2_000_000
"""Entries above which the indicators of a term are stored sparse."""


def cell_codes(parts: Sequence[Encoded]) -> IntArray | None:
    """Return the cell of each row, -1 where a level is unseen; None unless all are factors."""
    cells: IntArray | None = None
    stride = 1
    for part in parts:
        if part.codes is None:
            return None
        if cells is None:
            cells = part.codes
        else:
            unseen = (cells < 0) | (part.codes < 0)
            cells = np.where(unseen, -1, cells + stride * part.codes)
        stride *= part.width
    return cells


def dense_block(parts: Sequence[Encoded], *, scale: float = 1.0) -> FloatArray:
    """Return the columns (n, m) of a term, dense."""
    cells = cell_codes(parts)
    if cells is not None:
        width = int(np.prod([part.width for part in parts]))
        return _indicators(cells, width, scale)
    matrices = [
        part.matrix if part.codes is None else _indicators(part.codes, part.width, 1.0)
        for part in parts
    ]
    known = [np.asarray(m, dtype=np.float64) for m in matrices if m is not None]
    # a copy, so that a block never changes with the user's data
    return np.array(scale * reduce(_row_products, known), order="C")


def term_block(parts: Sequence[Encoded], *, scale: float = 1.0) -> Any:
    """Return the columns (n, m) of a term, sparse (CSC) for large indicators."""
    cells = cell_codes(parts)
    width = int(np.prod([part.width for part in parts]))
    if cells is None or len(cells) * width <= SPARSE_ABOVE:
        return dense_block(parts, scale=scale)
    seen = np.flatnonzero(cells >= 0)
    order = seen[np.argsort(cells[seen], kind="stable")]
    counts = np.bincount(cells[seen], minlength=width)
    pointers = np.concatenate([[0], np.cumsum(counts)])
    values = np.full(len(order), scale)
    return sparse.csc_array((values, order, pointers), shape=(len(cells), width))


def _indicators(codes: IntArray, width: int, scale: float) -> FloatArray:
    block = np.zeros((len(codes), width))
    seen = np.flatnonzero(codes >= 0)
    block[seen, codes[seen]] = scale
    return block


def _row_products(first: FloatArray, second: FloatArray) -> FloatArray:
    product = second[:, :, None] * first[:, None, :]
    return product.reshape(len(first), -1)
