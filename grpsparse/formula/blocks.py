"""Blocks: the columns of a term from its encoded factors.

The columns of an interaction are all products of one column of each factor, the first factor
running fastest; of pure factors that is one indicator for each cell. Cells, and cells times
one number, are never written out: they stay one code for each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from grpsparse.formula.factors import Encoded
from grpsparse.groups import CellBlock, CodeArray, FloatArray, IntArray

__all__ = ["cell_codes", "dense_block", "spread", "term_block"]


def cell_codes(parts: Sequence[Encoded]) -> CodeArray | None:
    """Return the cell of each row, -1 where a level is unseen; None unless all are factors."""
    cells: CodeArray | None = None
    stride = 1
    for part in parts:
        if part.codes is None:
            return None
        if cells is None:
            cells = part.codes
        else:
            unseen = (cells < 0) | (part.codes < 0)
            cells = cells + np.int32(stride) * part.codes
            cells[unseen] = -1
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


def term_block(parts: Sequence[Encoded], *, scale: float = 1.0) -> CellBlock | FloatArray:
    """Return the columns (n, m) of a term: cells as codes, all else dense."""
    factors = [part for part in parts if part.codes is not None]
    others = [part for part in parts if part.codes is None]
    cells = cell_codes(factors)
    if cells is None or any(part.width != 1 for part in others):
        return dense_block(parts, scale=scale)
    values = dense_block(others, scale=scale)[:, 0] if others else None
    if values is None and scale != 1.0:
        values = np.full(cells.size, scale)
    width = int(np.prod([part.width for part in factors]))
    if (cells < 0).any():
        cells = np.where(cells < 0, np.int32(width), cells)
    return CellBlock(cells, width, values)


def spread(block: CellBlock | FloatArray, rows: IntArray, n: int) -> CellBlock | FloatArray:
    """Return a block with its rows at the places `rows` of n, and rows of 0 between them."""
    if rows.size == n:
        return block
    if isinstance(block, CellBlock):
        codes = np.full(n, block.n_levels, dtype=np.int32)
        codes[rows] = block.codes
        values = None
        if block.values is not None:
            values = np.zeros(n)
            values[rows] = block.values
        return CellBlock(codes, block.n_levels, values)
    placed = np.zeros((n, block.shape[1]))
    placed[rows] = block
    return placed


def _indicators(codes: CodeArray, width: int, scale: float) -> FloatArray:
    block = np.zeros((len(codes), width))
    seen = np.flatnonzero(codes >= 0)
    block[seen, codes[seen]] = scale
    return block


def _row_products(first: FloatArray, second: FloatArray) -> FloatArray:
    product = second[:, :, None] * first[:, None, :]
    return product.reshape(len(first), -1)
