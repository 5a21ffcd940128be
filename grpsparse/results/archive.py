"""Arrays, sparse matrices and labels to and from the entries of an ``.npz`` file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Reader", "Writer"]

_PLAIN = "biufcUSmM"  # kinds of arrays that need no pickle


@dataclass(frozen=True, slots=True)
class Writer:
    """Entries of a file that is being written."""

    arrays: dict[str, Any] = field(default_factory=dict)

    def array(self, name: str, values: Any) -> None:
        """Add an array; None adds nothing."""
        if values is not None:
            self.arrays[name] = np.asarray(values)

    def matrix(self, name: str, values: Any) -> None:
        """Add a dense or sparse matrix; None adds nothing."""
        if values is None or not hasattr(values, "tocsc"):
            self.array(name, values)
            return
        stored = values.tocsc()
        self.array(f"{name}.data", stored.data)
        self.array(f"{name}.indices", stored.indices)
        self.array(f"{name}.indptr", stored.indptr)
        self.array(f"{name}.shape", stored.shape)

    def labels(self, name: str, values: Any) -> dict[str, Any] | None:
        """Add a tuple of labels or the index of a frame, and return how to read it.

        Numbers, strings, booleans and dates come back as they are, as do tuples of them; of any
        other object its text comes back.
        """
        if values is None:
            return None
        if isinstance(values, (tuple, list)):
            return {"kind": "tuple", "values": [_plain(value) for value in values]}
        names = [_plain(each) for each in getattr(values, "names", [None])]
        if type(values).__name__ == "RangeIndex":
            bounds = [values.start, values.stop, values.step]
            return {"kind": "range", "names": names, "values": bounds}
        array = np.asarray(values)
        if array.dtype.kind in _PLAIN:
            self.array(name, array)
            return {"kind": "array", "names": names}
        return {"kind": "index", "names": names, "values": [_plain(value) for value in array]}


@dataclass(frozen=True, slots=True)
class Reader:
    """Entries of a file that was read."""

    arrays: dict[str, Any]

    def array(self, name: str) -> Any:
        """Return an array that has to be there."""
        return self.arrays[name]

    def optional(self, name: str) -> Any:
        """Return an array, or None."""
        return self.arrays.get(name)

    def matrix(self, name: str) -> Any:
        """Return a dense or sparse matrix, or None."""
        if f"{name}.data" not in self.arrays:
            return self.optional(name)
        from scipy import sparse

        parts = tuple(self.arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
        return sparse.csc_array(parts, shape=tuple(self.arrays[f"{name}.shape"].tolist()))

    def labels(self, name: str, described: dict[str, Any] | None) -> Any:
        """Return labels as the writer described them."""
        if described is None:
            return None
        kind, values = described["kind"], described.get("values")
        if kind == "tuple":
            return tuple(_tupled(value) for value in values or ())
        import pandas as pd

        names = [_tupled(each) for each in described["names"]]
        if kind == "range":
            return pd.RangeIndex(*(values or ()), name=names[0])
        if len(names) > 1:
            return pd.MultiIndex.from_tuples(map(_tupled, values or ()), names=names)
        if kind == "array":
            return pd.Index(self.arrays[name], name=names[0])
        return pd.Index([_tupled(value) for value in values or ()], name=names[0])


def _plain(value: Any) -> Any:
    """Return a label as JSON can hold it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _tupled(value: Any) -> Any:
    """Return a label from JSON."""
    return tuple(map(_tupled, value)) if isinstance(value, list) else value
