"""Missing values: which rows go, and what to say about them."""

from __future__ import annotations

import numpy as np

from grpsparse.errors import DataError
from grpsparse.groups import BoolArray, IntArray

__all__ = ["MissingRows"]


class MissingRows:
    """Rows that are missing in some column, with the column that each count belongs to.

    Parameters
    ----------
    n : int
        Number of rows.
    """

    def __init__(self, n: int) -> None:
        self._gone = np.zeros(n, dtype=np.bool_)
        self._counts: dict[str, IntArray] = {}
        self._computed: dict[str, IntArray] = {}

    @property
    def any(self) -> bool:
        """Whether some row is missing."""
        return bool(self._gone.any())

    def add(
        self, name: str, gone: BoolArray, *, among: IntArray | None = None, computed: bool = False
    ) -> None:
        """Count the rows missing in one column.

        Parameters
        ----------
        name : str
            The column, or the expression that came out missing.
        gone : ndarray of bool
            Which rows.
        among : ndarray of int, optional
            The rows that `gone` is about; all by default.
        computed : bool
            Whether the values were there and the expression gave none.
        """
        if not gone.any():
            return
        rows = np.flatnonzero(gone) if among is None else among[gone]
        (self._computed if computed else self._counts)[name] = rows
        self._gone[rows] = True

    def kept(self) -> IntArray:
        """Return the rows that are complete.

        Raises
        ------
        DataError
            When there are none.
        """
        rows = np.flatnonzero(~self._gone)
        if len(rows) == 0:
            raise DataError(
                f"No row is complete: missing values in {self._listed()} leave none of the "
                f"{len(self._gone)} rows; leave such a variable out, or fill it."
            )
        return rows

    def _listed(self) -> str:
        both = {**self._counts, **self._computed}
        ordered = sorted(both.items(), key=lambda item: -len(item[1]))
        shown = ", ".join(f"{name}: {len(rows)}" for name, rows in ordered[:5])
        return shown + (", ..." if len(ordered) > 5 else "")

    def complaint(self) -> str:
        """Return the message for ``na_action="raise"``: columns and rows."""
        parts = []
        for name, rows in {**self._counts, **self._computed}.items():
            listed = ", ".join(str(r) for r in rows[:5]) + (", ..." if len(rows) > 5 else "")
            parts.append(f"`{name}` (rows {listed})")
        return (
            f"Missing values in {'; '.join(parts)}, rows counted from 0; fill them, drop the "
            'rows, or use na_action="drop".'
        )

    def notes(self) -> tuple[str, ...]:
        """Return the sentences to print about the rows that were dropped."""
        if not self.any:
            return ()
        total = int(self._gone.sum())
        rows = "1 row" if total == 1 else f"{total} rows"
        return (f"{rows} with missing values dropped ({self._listed()})",)
