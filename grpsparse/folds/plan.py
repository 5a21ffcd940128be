"""The assignment of rows to folds, as every later step sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grpsparse.errors import ResponseError
from grpsparse.groups import FloatArray, IntArray

__all__ = ["FoldPlan", "check_training_classes"]


@dataclass(frozen=True, slots=True)
class FoldPlan:
    """An assignment of rows to folds.

    Parameters
    ----------
    assignment : ndarray of shape (n,)
        Fold of every row, 0 to ``n_folds - 1``.
    n_folds : int
        Number of folds.
    stratified : bool
        Whether the folds were balanced over classes.
    clustered : bool
        Whether rows of one cluster stay together.
    notes : tuple of str
        Sentences to print.
    labels : tuple
        What the user called each fold; its number where folds were made here.
    """

    assignment: IntArray
    n_folds: int
    stratified: bool
    clustered: bool
    notes: tuple[str, ...] = ()
    labels: tuple[object, ...] = ()

    @property
    def title(self) -> str:
        """Words for print, such as ``5 stratified folds``."""
        kind = "stratified folds" if self.stratified else "folds"
        return f"{self.n_folds} {kind}" + (" of whole clusters" if self.clustered else "")

    def replicate_weights(self) -> FloatArray:
        """Return the (n_folds, n) factors of the training weights: 0 on held-out rows."""
        fold = np.arange(self.n_folds)[:, None]
        kept: FloatArray = np.not_equal(self.assignment, fold).astype(np.float64)
        return kept


def check_training_classes(
    plan: FoldPlan, codes: IntArray, classes: Sequence[object], weights: FloatArray | None = None
) -> None:
    """Raise if the training rows of a fold lack a class, naming both.

    Parameters
    ----------
    plan : FoldPlan
        The folds.
    codes : ndarray of shape (n,)
        Class of every row, as a position in `classes`.
    classes : sequence
        Names of the classes.
    weights : ndarray of shape (n,), optional
        Observation weights; rows of weight 0 do not count.

    Raises
    ------
    ResponseError
        If all rows of a class are in one fold.
    """
    used = np.ones(codes.shape, dtype=np.bool_) if weights is None else weights > 0
    table = np.zeros((len(classes), plan.n_folds), dtype=np.int64)
    np.add.at(table, (codes[used], plan.assignment[used]), 1)
    trained = table.sum(axis=1, keepdims=True) - table
    lacking = np.argwhere((trained == 0) & (table > 0))
    if lacking.size:
        code, fold = (int(position) for position in lacking[0])
        raise ResponseError(
            f"class {classes[code]!r} has all its rows ({table[code, fold]}) in fold "
            f"{plan.labels[fold]!r}, so the training rows of that fold lack it; merge or drop "
            "the class, or give folds that divide its rows."
        )
