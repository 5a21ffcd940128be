"""Groups that are unions of terms, and may overlap.

A term of a formula, or a column of a matrix, may belong to several groups: to its own and to
that of an interaction, say, or to neighbouring windows of a signal. Terms stay what
coefficients are reported for; groups are what the penalty sees. A term is selected where any
group that holds it is, so that an interaction whose group holds its margins never comes without
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grpsparse.backend import segment_entries
from grpsparse.groups import BoolArray, IntArray, PlainTerms, TermColumns, members

__all__ = ["Unions"]


@dataclass(frozen=True, slots=True, eq=False)
class Unions:
    """Groups of terms.

    Parameters
    ----------
    names : tuple of str
        Names of the G groups.
    terms : ndarray of int
        Positions of their terms, group after group.
    starts : ndarray of int, shape (G + 1,)
        The terms of group g are ``terms[starts[g]:starts[g + 1]]``.

    Examples
    --------
    >>> unions = Unions.of({"a": [0], "b": [1], "a*b": [0, 1, 2]})
    >>> unions.overlapping, unions.hold(np.array([[False, False, True]])).tolist()
    (True, [[True, True, True]])
    """

    names: tuple[str, ...]
    terms: IntArray
    starts: IntArray

    @classmethod
    def of(cls, lists: dict[str, list[int]]) -> Unions:
        """Return the groups of names with positions of terms."""
        parts = [np.empty(0, np.int64), *(np.asarray(each, np.int64) for each in lists.values())]
        starts = np.cumsum([part.size for part in parts])
        return cls(tuple(lists), np.concatenate(parts), starts)

    def to_dict(self) -> dict[str, list[int]]:
        """Return the positions of terms by name of group, in JSON types."""
        return {name: self.of_group(g).tolist() for g, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    @property
    def overlapping(self) -> bool:
        """Whether a term is in several groups."""
        return bool((np.bincount(self.terms, minlength=1) > 1).any())

    def of_group(self, g: int) -> IntArray:
        """Return the positions of a group's terms."""
        return self.terms[self.starts[g] : self.starts[g + 1]]

    def is_single(self, g: int) -> bool:
        """Return whether a group is one term."""
        return bool(self.starts[g + 1] - self.starts[g] == 1)

    def columns(self, terms: Sequence[TermColumns]) -> tuple[IntArray, IntArray]:
        """Return the design columns of all groups, one after the other, and where each starts."""
        index, first = members(terms)
        sizes = np.concatenate([[0], np.cumsum(np.diff(first)[self.terms])])
        return index[segment_entries(self.terms, first)], sizes[self.starts].astype(np.int64)

    def as_terms(self, terms: Sequence[TermColumns], columns: Sequence[str]) -> PlainTerms:
        """Return the groups as terms of their own, whose columns overlap."""
        return PlainTerms("group", self.names, columns, *self.columns(terms))

    def hold(self, groups: BoolArray) -> BoolArray:
        """Return which terms (L, T) are in any of the groups (L, G)."""
        owner = np.repeat(np.arange(len(self)), np.diff(self.starts))
        out = np.zeros((groups.shape[0], int(self.terms.max(initial=-1)) + 1), dtype=np.bool_)
        point, entry = np.nonzero(groups[:, owner])
        out[point, self.terms[entry]] = True
        return out
