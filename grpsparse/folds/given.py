"""Folds that the user brings: identifiers, (train, test) pairs, or a splitter.

A splitter is any object with scikit-learn's ``split(X, y, groups)``. Whatever the form, every row
is held out exactly once, and a fold is trained on all rows that it does not hold out.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from grpsparse.errors import OptionError
from grpsparse.folds.labels import label_codes
from grpsparse.folds.plan import FoldPlan
from grpsparse.groups import IntArray

__all__ = ["given_folds", "keep_clusters"]


def given_folds(folds: Any, n: int, *, X: Any, y: Any, groups: IntArray | None) -> FoldPlan:
    """Return the plan of given folds; X, y and groups are what a splitter is shown."""
    if isinstance(folds, (str, bytes)):
        raise OptionError(
            f"`folds` is {folds!r}, but there is no data to take a column from; give a fold "
            "identifier per row, or a splitter."
        )
    if callable(getattr(folds, "split", None)):
        pairs, notes = _split(folds, n, X=X, y=y, groups=groups)
        return _from_pairs(pairs, n, source=type(folds).__name__, notes=notes)
    if not hasattr(folds, "__len__") and isinstance(folds, Iterable):
        folds = list(folds)
    if isinstance(folds, (list, tuple)) and folds and all(map(_is_pair, folds)):
        return _from_pairs(list(folds), n, source="pairs", notes=())
    codes, labels = label_codes(folds, n, name="folds")
    if len(labels) < 2:
        raise OptionError(f"`folds` puts every row in fold {labels[0]!r}; give at least two folds.")
    return FoldPlan(
        assignment=codes, n_folds=len(labels), stratified=False, clustered=False, labels=labels
    )


def _split(
    splitter: Any, n: int, *, X: Any, y: Any, groups: IntArray | None
) -> tuple[list[Any], tuple[str, ...]]:
    name = type(splitter).__name__
    shown = np.zeros((n, 1)) if X is None else X
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            pairs = list(splitter.split(shown, y, groups))
        except (TypeError, ValueError) as error:
            raise OptionError(
                f"`folds` ({name}) could not split {n} rows: {error}; give another splitter, "
                "`fold_groups` if it needs groups, or fold identifiers."
            ) from error
    return pairs, tuple(f"{name}: {warning.message}" for warning in caught)


def _from_pairs(pairs: list[Any], n: int, *, source: str, notes: tuple[str, ...]) -> FoldPlan:
    assignment = np.full(n, -1, dtype=np.int64)
    times = np.zeros(n, dtype=np.int64)
    trained = np.zeros((len(pairs), n), dtype=np.bool_)
    for fold, pair in enumerate(pairs):
        train, test = (_row_numbers(rows, n, source=source) for rows in pair)
        if test.size == 0:
            raise OptionError(f"`folds` ({source}) holds no rows out in fold {fold}.")
        assignment[test] = fold
        times[test] += 1
        trained[fold, train] = True
    if len(pairs) < 2 or np.any(times != 1):
        raise OptionError(
            f"`folds` ({source}) makes {len(pairs)} folds, never holds out {np.sum(times == 0)} "
            f"of {n} rows and holds out {np.sum(times > 1)} more than once; every row must be "
            "held out exactly once in two or more folds, as KFold, StratifiedKFold or GroupKFold "
            "do (ShuffleSplit, TimeSeriesSplit and repeated folds don't)."
        )
    overlap = trained == (assignment == np.arange(len(pairs))[:, None])
    if overlap.any():
        fold = int(np.argmax(overlap.any(axis=1)))
        raise OptionError(
            f"`folds` ({source}) does not train fold {fold} on exactly the rows that it leaves "
            "in; a fold is fitted on every row that it does not hold out, so give train rows "
            "that are the complement of the test rows."
        )
    return FoldPlan(
        assignment=assignment,
        n_folds=len(pairs),
        stratified=False,
        clustered=False,
        notes=notes,
        labels=tuple(range(len(pairs))),
    )


def _is_pair(value: Any) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return False
    return all(hasattr(rows, "__len__") and not isinstance(rows, (str, bytes)) for rows in value)


def _row_numbers(rows: Any, n: int, *, source: str) -> IntArray:
    array = np.asarray(rows)
    if array.dtype == np.bool_ and array.shape == (n,):
        return np.flatnonzero(array).astype(np.int64)
    whole = array.ndim == 1 and (array.size == 0 or array.dtype.kind in "iu")
    numbers = array.astype(np.int64) if whole else np.array([-1])
    if numbers.size and (numbers.min() < 0 or numbers.max() >= n):
        raise OptionError(
            f"`folds` ({source}) has train or test rows that are not row numbers 0 to {n - 1} "
            "in one dimension; give integer positions."
        )
    if np.unique(numbers).size != numbers.size:
        raise OptionError(f"`folds` ({source}) repeats a row in one train or test set.")
    return numbers


def keep_clusters(plan: FoldPlan, clusters: IntArray, names: tuple[object, ...]) -> FoldPlan:
    """Return the plan marked as clustered, or raise if a fold splits a cluster."""
    first = np.unique(clusters, return_index=True)[1]
    split = plan.assignment != plan.assignment[first][clusters]
    if split.any():
        raise OptionError(
            f"`folds` spreads cluster {names[clusters[np.argmax(split)]]!r} of `fold_groups` over "
            "two folds; give folds that keep clusters whole, or leave `folds` out."
        )
    return replace(plan, clustered=True)
