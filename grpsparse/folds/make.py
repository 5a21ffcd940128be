"""One door to folds, random or given."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from grpsparse.errors import OptionError
from grpsparse.folds.dealt import cluster_folds, dealt_folds
from grpsparse.folds.given import given_folds, keep_clusters
from grpsparse.folds.labels import label_codes
from grpsparse.folds.plan import FoldPlan
from grpsparse.groups import IntArray

__all__ = ["make_folds"]


def make_folds(
    n: int,
    *,
    n_folds: int = 10,
    folds: Any = None,
    fold_groups: Any = None,
    stratify: Any = None,
    seed: Any = None,
    X: Any = None,
    y: Any = None,
) -> FoldPlan:
    """Assign n rows to folds.

    Parameters
    ----------
    n : int
        Number of rows.
    n_folds : int
        Number of random folds, at least 2; not used where `folds` is given.
    folds : array_like of shape (n,), splitter, or iterable of pairs, optional
        A fold identifier per row (numbered in sorted order), an object with scikit-learn's
        ``split(X, y, groups)``, or (train, test) pairs of row numbers.
    fold_groups : array_like of shape (n,), optional
        Clusters; rows of one cluster are held out together. Passed to a splitter as its
        groups.
    stratify : array_like of shape (n,), optional
        Classes to balance over the folds; at best effort when there are clusters.
    seed : int, Generator or None
        Seed of ``numpy.random.default_rng``; None is random anew. Given folds do not use it.
    X, y : optional
        What a splitter is shown; by default an empty matrix and `stratify`.

    Returns
    -------
    FoldPlan
        A class with fewer rows than folds is a note in it, never a warning.

    Raises
    ------
    OptionError
        If the number of folds is out of range, labels are missing or of the wrong length,
        a given fold splits a cluster, or a row is not held out exactly once.

    Examples
    --------
    >>> plan = make_folds(6, n_folds=3, stratify=["a", "a", "a", "b", "b", "b"], seed=1)
    >>> plan.title, [int((plan.assignment == k).sum()) for k in range(3)]
    ('3 stratified folds', [2, 2, 2])
    """
    clusters = None if fold_groups is None else label_codes(fold_groups, n, name="fold_groups")
    if folds is not None:
        groups = None if clusters is None else clusters[0]
        shown = stratify if y is None else y
        plan = given_folds(folds, n, X=X, y=shown, groups=groups)
        return plan if clusters is None else keep_clusters(plan, *clusters)
    count = _fold_count(n_folds, n)
    rng = _generator(seed)
    classes = None if stratify is None else label_codes(stratify, n, name="stratify")
    codes = np.zeros(n, dtype=np.int64) if classes is None else classes[0]
    units: IntArray = np.arange(n, dtype=np.int64)
    notes: tuple[str, ...] = ()
    if clusters is None:
        assignment = dealt_folds(codes, count, rng)
    else:
        units = clusters[0]
        _check_clusters(len(clusters[1]), count)
        assignment = cluster_folds(units, codes, count, rng)
        notes = _uneven_note(assignment, count)
    if classes is not None:
        noun = "rows" if clusters is None else "clusters"
        notes = _small_class_note(codes, units, classes[1], count, noun) + notes
    return FoldPlan(
        assignment=assignment,
        n_folds=count,
        stratified=classes is not None,
        clustered=clusters is not None,
        notes=notes,
        labels=tuple(range(count)),
    )


def _fold_count(n_folds: Any, n: int) -> int:
    try:
        count = operator.index(n_folds)
    except TypeError as error:
        raise OptionError(
            f"`n_folds` is {n_folds!r}; give an integer between 2 and the {n} rows."
        ) from error
    if isinstance(n_folds, bool) or count < 2 or count > n:
        raise OptionError(f"`n_folds` is {n_folds}; give an integer between 2 and the {n} rows.")
    return count


def _check_clusters(n_clusters: int, n_folds: int) -> None:
    if n_clusters < n_folds:
        raise OptionError(
            f"`fold_groups` has {n_clusters} clusters, fewer than the {n_folds} folds; "
            f"lower `n_folds` to {n_clusters} or less, with at least two clusters."
        )


def _generator(seed: Any) -> np.random.Generator:
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"`seed` is {seed!r}; give None, a non-negative integer or a numpy Generator."
        ) from error


def _small_class_note(
    codes: IntArray, units: IntArray, names: tuple[object, ...], n_folds: int, noun: str
) -> tuple[str, ...]:
    pairs = np.unique(np.column_stack([codes, units]), axis=0)
    counts = np.bincount(pairs[:, 0], minlength=len(names))
    small = [
        f"{name} ({count})" for name, count in zip(names, counts, strict=True) if count < n_folds
    ]
    if not small:
        return ()
    return (f"classes in fewer {noun} than the {n_folds} folds: {', '.join(small)}",)


def _uneven_note(assignment: IntArray, n_folds: int) -> tuple[str, ...]:
    sizes = np.bincount(assignment, minlength=n_folds)
    if sizes.max() <= 2 * sizes.min():
        return ()
    return (f"whole clusters make uneven folds: {sizes.min()} to {sizes.max()} rows",)
