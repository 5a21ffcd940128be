"""Arrays, sparse matrices and labels to and from the entries of an ``.npz`` file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from grpsparse.errors import DataError
from grpsparse.groups import CellBlock

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

    def block(self, name: str, values: Any) -> int | None:
        """Add a block of design columns, and return its levels if it is one of cells."""
        if not isinstance(values, CellBlock):
            self.matrix(name, values)
            return None
        self.array(f"{name}.codes", values.codes)
        self.array(f"{name}.values", values.values)
        return values.n_levels

    def labels(self, name: str, values: Any) -> dict[str, Any] | None:
        """Add a tuple of labels or the index of a frame, and return how to read it.

        Numbers, strings, booleans, dates, intervals and tuples of them come back as they are; of
        any other object its text does.
        """
        if values is None:
            return None
        if isinstance(values, (tuple, list)):
            return {"kind": "tuple", "values": encode(values)}
        names = encode(getattr(values, "names", [None]))
        if type(values).__name__ == "RangeIndex":
            bounds = [values.start, values.stop, values.step]
            return {"kind": "range", "names": names, "values": bounds}
        array = np.asarray(values)
        if array.dtype.kind in _PLAIN:
            self.array(name, array)
            return {"kind": "array", "names": names}
        return {"kind": "index", "names": names, "values": encode(array)}


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

    def block(self, name: str, n_levels: int | None) -> Any:
        """Return a block of design columns, of cells if it has levels."""
        if n_levels is None:
            return self.matrix(name)
        codes = np.asarray(self.array(f"{name}.codes"), dtype=np.int32)
        return CellBlock(codes, n_levels, self.optional(f"{name}.values"))

    def labels(self, name: str, described: dict[str, Any] | None) -> Any:
        """Return labels as the writer described them."""
        if described is None:
            return None
        kind, values = described["kind"], described.get("values")
        if kind == "tuple":
            return tuple(decode(values))
        import pandas as pd

        names = decode(described["names"])
        if kind == "range":
            start, stop, step = values or (0, 0, 1)
            return pd.RangeIndex(start, stop, step, name=names[0])
        if len(names) > 1:
            return pd.MultiIndex.from_tuples(decode(values), names=names)
        if kind == "array":
            return pd.Index(self.arrays[name], name=names[0])
        return pd.Index(decode(values), name=names[0])


def encode(values: Any) -> list[Any]:
    """Return labels as JSON can hold them; of an object that it can't, the text."""
    from grpsparse.formula.serial import encode_json

    out = []
    for value in values:
        try:
            out.append(encode_json(value))
        except DataError:
            out.append(str(value))
    return out


def decode(values: Any) -> list[Any]:
    """Return the labels that `encode` wrote."""
    from grpsparse.formula.serial import decode

    return [decode(value) for value in values or ()]
