"""Terms and groups: which columns belong together, and what they stand for.

A term of a formula, a label of the matrix door or a single column is one group. This module
is the vocabulary that the formula layer, the designs, the problem and the results share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BoolArray",
    "CellBlock",
    "CodeArray",
    "Deferred",
    "FloatArray",
    "IntArray",
    "Margin",
    "Model",
    "NumberedNames",
    "PlainTerms",
    "SingleArray",
    "TermColumns",
    "members",
    "side_by_side",
    "term_names",
]

T = TypeVar("T")

FloatArray = NDArray[np.float64]
SingleArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
CodeArray = NDArray[np.int32]

DENSE_ENTRIES = 4_000_000  # of a matrix that cells are written out in


@dataclass(frozen=True, slots=True)
class CellBlock:
    """Columns of which a row has at most one that is not zero, as one code for each row.

    Parameters
    ----------
    codes : ndarray of int32, shape (n,)
        The column of each row, `n_levels` where a row has none.
    n_levels : int
        Number of columns.
    values : ndarray of shape (n,), optional
        What stands in that column; None is 1, the indicators of a factor.
    """

    codes: CodeArray
    n_levels: int
    values: FloatArray | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.codes.shape[0], self.n_levels

    def tocsc(self) -> Any:
        """Return the columns as a scipy.sparse.csc_array."""
        from scipy import sparse as sp

        present = self.codes < self.n_levels
        codes = self.codes[present]
        values = np.ones(codes.size) if self.values is None else self.values[present]
        pointers = np.zeros(present.size + 1, dtype=np.int32)
        np.cumsum(present, out=pointers[1:])
        return sp.csr_array((values, codes, pointers), shape=self.shape).tocsc()

    def toarray(self) -> FloatArray:
        """Return the columns, dense."""
        dense = np.zeros(self.shape)
        present = np.flatnonzero(self.codes < self.n_levels)
        dense[present, self.codes[present]] = 1.0 if self.values is None else self.values[present]
        return dense


def side_by_side(blocks: Sequence[Any], n_rows: int) -> Any:
    """Return blocks as one matrix (n, p): an array, or a scipy.sparse.csc_array where it is large.

    Parameters
    ----------
    blocks : sequence of ndarray, CellBlock or scipy sparse
        Columns (n, m) of each term. Sparse ones stay sparse, cells become so where a dense
        matrix had more than some millions of entries.
    n_rows : int
        Number of rows, for no blocks.
    """
    if len(blocks) == 1 and not hasattr(blocks[0], "tocsc"):
        return blocks[0]
    coded = [isinstance(block, CellBlock) for block in blocks]
    large = n_rows * sum(block.shape[1] for block in blocks) > DENSE_ENTRIES
    kept = [hasattr(b, "tocsc") and (large or not c) for b, c in zip(blocks, coded, strict=True)]
    if any(kept):
        from scipy import sparse as sp

        parts = [b.tocsc() if hasattr(b, "tocsc") else sp.csc_array(b) for b in blocks]
        return sp.csc_array(sp.hstack(parts, format="csc"))
    dense = [block.toarray() if c else block for block, c in zip(blocks, coded, strict=True)]
    return np.concatenate([np.empty((n_rows, 0)), *dense], axis=1)


@dataclass(frozen=True, slots=True)
class Margin:
    """A term of the formula that is contained in an interaction.

    Parameters
    ----------
    term : int
        Position of the margin among the terms.
    span : ndarray of shape (m, k), optional
        Matrix with ``margin columns = interaction columns @ span``, or None where the
        interaction's columns do not span the margin (a number was left out of it).
    """

    term: int
    span: FloatArray | None


@dataclass(frozen=True, slots=True)
class TermColumns:
    """One term: its name, its columns in the design, and how they are reported.

    Parameters
    ----------
    name : str
        Term name as printed, for example ``C(plan_type)`` or ``a:b``.
    kind : str
        One of ``"numeric"``, ``"factor"``, ``"spline"``, ``"interaction"``, ``"column"``,
        ``"group"`` (the last two from the matrix door).
    columns : tuple of str
        Names of the design columns.
    index : ndarray of int
        Their positions among the p columns of the design.
    scale : str
        ``"rms"`` for indicator and cell columns, whose scale is the square root of their
        weighted frequency; ``"sd"`` otherwise.
    levels : tuple, optional
        Levels of a factor, in order.
    margins : tuple of Margin
        For an interaction: its margins that are in the formula.
    report_columns, report_coding
        Names and coding matrix (levels x columns) of a contrast in which the coefficients
        of a factor are reported; None reports the columns themselves.
    """

    name: str
    kind: str
    columns: tuple[str, ...]
    index: IntArray
    scale: str = "sd"
    levels: tuple[Any, ...] | None = None
    margins: tuple[Margin, ...] = ()
    report_columns: tuple[str, ...] | None = None
    report_coding: FloatArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class NumberedNames(Sequence[str]):
    """The names x1, x2, ... of columns that have none.

    Parameters
    ----------
    size : int

    Examples
    --------
    >>> NumberedNames(2) == ("x1", "x2")
    True
    """

    size: int

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...

    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        if isinstance(place, slice):
            return tuple(f"x{number + 1}" for number in range(*place.indices(self.size)))
        return f"x{range(self.size)[place] + 1}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, NumberedNames):
            return self.size == other.size
        return isinstance(other, tuple | list) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))


@dataclass(frozen=True, slots=True, eq=False)
class PlainTerms(Sequence[TermColumns]):
    """Terms of a matrix, of which there may be many: each is made when it is looked at.

    Parameters
    ----------
    kind : str
        ``"column"`` or ``"group"``.
    names : sequence of str
        Names of the G terms.
    columns : sequence of str
        Names of the p columns.
    order : ndarray of int, shape (p,)
        Positions of the columns, term after term.
    starts : ndarray of int, shape (G + 1,)
        The columns of term g are ``order[starts[g]:starts[g + 1]]``.

    Examples
    --------
    >>> every = np.arange(3)
    >>> terms = PlainTerms("group", ("a", "b"), ("u", "v", "w"), every, np.array([0, 2, 3]))
    >>> [(term.name, term.columns) for term in terms]
    [('a', ('u', 'v')), ('b', ('w',))]
    """

    kind: str
    names: Sequence[str]
    columns: Sequence[str]
    order: IntArray
    starts: IntArray

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, place: int) -> TermColumns: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[TermColumns, ...]: ...

    def __getitem__(self, place: int | slice) -> TermColumns | tuple[TermColumns, ...]:
        if isinstance(place, slice):
            return tuple(self._make(g) for g in range(*place.indices(len(self))))
        return self._make(range(len(self))[place])

    def __iter__(self) -> Iterator[TermColumns]:
        return map(self._make, range(len(self)))

    def _make(self, g: int) -> TermColumns:
        index = self.order[self.starts[g] : self.starts[g + 1]]
        columns = tuple(self.columns[position] for position in index.tolist())
        return TermColumns(self.names[g], self.kind, columns, index)


def members(terms: Sequence[TermColumns]) -> tuple[IntArray, IntArray]:
    """Return the columns of all terms, one after the other, and where each term starts.

    Parameters
    ----------
    terms : sequence of TermColumns

    Returns
    -------
    index : ndarray of int
    starts : ndarray of int, shape (len(terms) + 1,)
    """
    if isinstance(terms, PlainTerms):
        return terms.order, terms.starts
    parts = [np.empty(0, np.int64), *(np.asarray(term.index, np.int64) for term in terms)]
    return np.concatenate(parts), np.cumsum([part.size for part in parts])


def term_names(terms: Sequence[TermColumns]) -> tuple[str, ...]:
    """Return the names of terms."""
    if isinstance(terms, PlainTerms):
        return tuple(terms.names)
    return tuple(term.name for term in terms)


class Deferred(Generic[T]):
    """A value that is worked out when it is first asked for.

    Parameters
    ----------
    make : callable

    Examples
    --------
    >>> Deferred(lambda: 6 * 7).value
    42
    """

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], T]) -> None:
        self._make: Callable[[], T] | None = make
        self._made: Any = None

    @property
    def value(self) -> T:
        """The value."""
        if self._make is not None:
            self._made, self._make = self._make(), None
        made: T = self._made
        return made

    @classmethod
    def of(cls, value: T) -> Deferred[T]:
        """Return one whose value is known."""
        return cls(lambda: value)

    def __reduce__(self) -> Any:
        return type(self).of, (self.value,)


class Model(Protocol):
    """What re-creates the design on new data: a formula's spec, or a matrix's shape."""

    @property
    def terms(self) -> Sequence[TermColumns]:
        """The terms, in the order in which they are printed."""

    @property
    def columns(self) -> Sequence[str]:
        """Names of the p design columns, without the intercept."""

    @property
    def formula(self) -> str | None:
        """The formula as written, None at the matrix door."""

    @property
    def response(self) -> str:
        """Name of the response."""

    def matrix(self, new: Any, *, unseen: str = "raise") -> tuple[Any, BoolArray, Any]:
        """Return the design (m, p) of new rows, which rows are complete, and their index."""

    def column(self, new: Any, name: str) -> FloatArray:
        """Return one numeric column of the new data."""

    def to_dict(self) -> dict[str, Any]:
        """Return a description made of JSON types only."""
