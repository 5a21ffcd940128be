"""Times until an event, some of them censored: what a Cox model is fitted to.

A row is under observation from `start` (exclusive) to `stop` (inclusive), and at `stop` either
has its event or is censored. Rows are compared with rows of their own stratum only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grpsparse.errors import ResponseError
from grpsparse.groups import BoolArray, FloatArray, IntArray

__all__ = ["Surv", "strata_labels"]


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Surv:
    """Survival times: ``Surv(time, event)``, or ``Surv(start, stop, event)``.

    Parameters
    ----------
    time : array_like of shape (n,)
        Time of the event or of censoring, at least 0; with three columns the time from which a
        row is under observation (exclusive).
    stop : array_like of shape (n,), optional
        Time of the event or of censoring, above the start.
    event : array_like of shape (n,)
        Whether the event happened: booleans, 0 and 1, or 1 and 2 as in R (2 is the event).
    strata : array_like of shape (n,) or a list of them, optional
        Labels of strata, each with a baseline hazard of its own.

    Raises
    ------
    ResponseError
        Times that are negative or not finite, a start that is not below its stop, an event that
        is not one of the two codes, or columns of different length.

    Examples
    --------
    >>> Surv([5.0, 2.0, 8.0], [True, False, True])
    Surv: 3 rows, 2 events; times 2 to 8
    >>> Surv([0, 3], [3, 9], [0, 1], strata=["a", "b"])
    Surv: 2 rows, 1 event in 2 strata; times 3 to 9
    """

    start: FloatArray | None
    stop: FloatArray
    event: BoolArray
    stratum: IntArray | None
    labels: tuple[Any, ...]

    def __init__(self, time: Any, stop: Any = None, event: Any = None, *, strata: Any = None):
        if event is None:
            time, stop, event = None, time, stop
        elif stop is None:  # both by name
            time, stop = None, time
        if event is None:
            raise ResponseError("Surv has times but no events; give Surv(time, event).")
        ends = _times(stop, "time" if time is None else "stop")
        begins = None if time is None else _times(time, "start", n=ends.size)
        happened = _events(event, ends.size)
        if begins is not None and not (begins < ends).all():
            row = int(np.argmin(begins < ends))
            raise ResponseError(
                f"Surv has start {begins[row]:g} and stop {ends[row]:g} in row {row}; a row is "
                "under observation from start (exclusive) to stop, so start lies below stop."
            )
        codes, labels = (None, ()) if strata is None else _strata(strata, ends.size)
        self._set(begins, ends, happened, codes, labels)

    def _set(
        self,
        start: FloatArray | None,
        stop: FloatArray,
        event: BoolArray,
        stratum: IntArray | None,
        labels: tuple[Any, ...],
    ) -> None:
        for name, value in (("start", start), ("stop", stop), ("event", event)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "stratum", stratum)
        object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        return int(self.stop.size)

    def __getitem__(self, rows: Any) -> Surv:
        """Return some rows, by a slice, numbers or a mask."""
        part: Surv = object.__new__(Surv)
        start = None if self.start is None else self.start[rows]
        stratum = None if self.stratum is None else self.stratum[rows]
        part._set(start, self.stop[rows], self.event[rows], stratum, self.labels)
        return part

    @property
    def shape(self) -> tuple[int]:
        """One entry per row."""
        return (len(self),)

    def table(self) -> FloatArray:
        """Return start (-infinity where there is none), stop, event and stratum, (n, 4)."""
        n = len(self)
        start = np.full(n, -np.inf) if self.start is None else self.start
        stratum = np.zeros(n) if self.stratum is None else self.stratum
        return np.column_stack([start, self.stop, self.event, stratum]).astype(np.float64)

    def __repr__(self) -> str:
        n, events = len(self), int(self.event.sum())
        text = f"Surv: {n} row{'s' * (n != 1)}, {events} event{'s' * (events != 1)}"
        if self.labels:
            text += f" in {len(self.labels)} strata"
        return f"{text}; times {self.stop.min():g} to {self.stop.max():g}" if n else text


def _column(values: Any, name: str, n: int | None) -> Any:
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or (n is not None and array.size != n):
        wanted = "one value per row" if n is None else f"{n} values, one per row"
        raise ResponseError(f"Surv: `{name}` has the shape {array.shape}; give {wanted}.")
    return array


def _times(values: Any, name: str, *, n: int | None = None) -> FloatArray:
    array = _column(values, name, n)
    try:
        times = array.astype(np.float64)
    except (TypeError, ValueError):
        raise ResponseError(
            f"Surv: `{name}` holds {array.dtype} values; give times as numbers, such as days."
        ) from None
    bad = ~np.isfinite(times) | (times < 0.0)
    if array.dtype.kind in "mM" or bad.any():
        row = int(np.argmax(bad))
        came = f"{times[row]:g} in row {row}" if bad.any() else f"of type {array.dtype}"
        raise ResponseError(
            f"Surv: `{name}` is {came}; times are finite numbers of at least 0. Count from the "
            "start of observation, and drop rows without a time."
        )
    return np.asarray(times + 0.0)  # -0.0 is 0.0


def _events(values: Any, n: int) -> BoolArray:
    array = _column(values, "event", n)
    if array.dtype.kind == "b":
        return np.asarray(array)
    try:
        codes = array.astype(np.float64)
    except (TypeError, ValueError):
        codes = np.full(n, np.nan)
    found = np.unique(codes)
    for event, other in ((1.0, 0.0), (2.0, 1.0)):
        # ones alone are events, as in R
        if np.isin(found, (event, other)).all():
            return np.asarray(codes == event)
    wrong = ~np.isin(codes, (0.0, 1.0, 2.0))
    row = int(np.argmax(wrong if wrong.any() else codes == 0.0))
    raise ResponseError(
        f"Surv: `event` is {np.asarray(array)[row]} in row {row}; give booleans, 0 (censored) and "
        "1 (event), or 1 (censored) and 2 (event)."
    )


def strata_labels(*columns: Any) -> Any:
    """Combine columns into one of labels; several become tuples.

    Examples
    --------
    >>> strata_labels(["a", "b"], [1, 1]).tolist()
    [('a', 1), ('b', 1)]
    """
    if len(columns) == 1:
        return columns[0]
    labels = np.empty(len(columns[0]), dtype=object)
    labels[:] = list(zip(*(np.asarray(each).tolist() for each in columns), strict=True))
    return labels


def _is_missing(label: Any) -> bool:
    """Return whether a label is None, NaN, NaT or NA, of which the last has no truth value."""
    try:
        return label is None or bool(label != label)  # noqa: PLR0124
    except TypeError:
        return True


def _strata(values: Any, n: int) -> tuple[IntArray, tuple[Any, ...]]:
    if np.ndim(values) == 2 and hasattr(values, "T"):
        values = strata_labels(*np.asarray(values).T)
    if isinstance(values, Sequence) and len(values) and np.ndim(values[0]) == 1:
        several = not isinstance(values[0], tuple)
        values = strata_labels(*values) if several else values
    items = list(values.tolist() if hasattr(values, "tolist") else values)
    if len(items) != n:
        raise ResponseError(f"Surv: `strata` has {len(items)} labels for {n} rows; give one each.")
    plain = [each.item() if isinstance(each, np.generic) else each for each in items]
    for row, label in enumerate(plain):
        if _is_missing(label):
            raise ResponseError(f"Surv: `strata` is missing in row {row}; drop it or give a label.")
    distinct = set(plain)
    try:
        labels = sorted(distinct)
    except TypeError:
        labels = sorted(distinct, key=lambda each: (type(each).__name__, str(each)))
    place = {label: code for code, label in enumerate(labels)}
    return np.array([place[each] for each in plain], dtype=np.int64), tuple(labels)
