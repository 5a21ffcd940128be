"""The curve of a measure over lambda, and the lambdas chosen from it.

With m_k the weighted mean of the row losses over fold k and W_k the fold's weight,

    cv_mean = sum_k W_k m_k / sum_k W_k
    cv_se   = sqrt(sum_k W_k (m_k - cv_mean)^2 / sum_k W_k / (F - 1))

which are glmnet's. Below three rows a fold, rows take the place of folds.

References: Friedman, Hastie & Tibshirani (2010), doi:10.18637/jss.v033.i01.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from grpsparse.errors import DataError, OptionError
from grpsparse.groups import FloatArray, IntArray
from grpsparse.measures.losses import HasDeviance, Measure, row_losses
from grpsparse.measures.roc import auc
from grpsparse.measures.survival import concordance

__all__ = [
    "FoldScores",
    "check_defined",
    "choose",
    "cv_curve",
    "rows_as_folds",
    "score_fold",
    "score_folds",
]

MIN_ROWS_PER_FOLD = 3
MIN_ROWS_PER_AUC = 10
# Means that differ by rounding alone are ties: sums of the same errors in another order.
TIE = 1e-12


@dataclass(frozen=True, slots=True)
class FoldScores:
    """A measure on every fold.

    Parameters
    ----------
    values : ndarray of shape (F, L)
        Mean of every fold, or loss of every row where rows take the place of folds; NaN
        where the measure is not defined.
    weights : ndarray of shape (F,)
        Weight of every fold.
    notes : tuple of str
        Sentences to print.
    """

    values: FloatArray
    weights: FloatArray
    notes: tuple[str, ...] = ()


def score_fold(
    measure: Measure,
    family: str | HasDeviance,
    y: FloatArray,
    mu: FloatArray,
    weights: FloatArray,
) -> FloatArray:
    """Compute a measure on the held-out rows of one fold, of shape (L,).

    Shapes are those of :func:`row_losses`; rows of weight 0 do not count. NaN where the fold
    has no weight, for the AUC only one class, or for the concordance no pair to compare.
    """
    used = weights > 0
    if not used.any():
        return np.full(mu.shape[2], np.nan)
    y, mu, weights = y[used], mu[used], weights[used]
    if measure.beside_training:
        raise OptionError(f"the {measure.title} needs training rows; use `partial_deviance`.")
    if measure.name == "c_index":
        return concordance(y, mu[:, 0, :], weights)
    if measure.name == "auc":
        return auc(y[:, 0], mu[:, 0, :], weights)
    mean: FloatArray = weights @ row_losses(measure, family, y, mu) / weights.sum()
    return mean


def rows_as_folds(measure: Measure, n: int, n_folds: int) -> tuple[bool, tuple[str, ...]]:
    """Say whether rows take the place of folds, with notes to print.

    They do below three rows a fold, where fold means are too noisy for a standard error. The
    AUC or concordance of a row does not exist, so it raises there; below ten rows a fold it is
    kept, where glmnet changes to the deviance, with a note. A partial likelihood is of folds.

    Raises
    ------
    OptionError
        For the AUC with fewer than three rows a fold.
    """
    rows = n / n_folds
    if measure.beside_training:
        return False, ()
    if rows < MIN_ROWS_PER_FOLD and not measure.by_rows:
        raise OptionError(
            f"`measure` {measure.name!r} with {n} rows in {n_folds} folds has fewer than "
            f"{MIN_ROWS_PER_FOLD} rows a fold, where it is not defined; lower `n_folds` or use "
            "`measure='deviance'`."
        )
    if rows < MIN_ROWS_PER_FOLD:
        note = f"fewer than {MIN_ROWS_PER_FOLD} rows a fold: standard errors are over rows"
        return True, (note,)
    if rows < MIN_ROWS_PER_AUC and not measure.by_rows:
        return False, (f"{measure.title} of fewer than {MIN_ROWS_PER_AUC} rows a fold is noisy",)
    return False, ()


def score_folds(
    measure: Measure,
    family: str | HasDeviance,
    y: FloatArray,
    mu: FloatArray,
    *,
    weights: FloatArray,
    assignment: IntArray,
) -> FoldScores:
    """Compute a measure on every fold.

    Parameters
    ----------
    measure, family, y, mu
        As for :func:`row_losses`; `mu` are out-of-fold predictions.
    weights : ndarray of shape (n,)
        Observation weights, on any scale.
    assignment : ndarray of shape (n,)
        Fold of every row, numbered from 0.

    Returns
    -------
    FoldScores
        To be handed to :func:`cv_curve`.

    Raises
    ------
    OptionError
        For the AUC, if no fold has both classes or there are fewer than three rows a fold.
    """
    n_folds = int(assignment.max()) + 1
    single, notes = rows_as_folds(measure, y.shape[0], n_folds)
    if single:
        return FoldScores(row_losses(measure, family, y, mu), weights, notes)
    values = np.empty((n_folds, mu.shape[2]))
    for fold in range(n_folds):
        rows = assignment == fold
        values[fold] = score_fold(measure, family, y[rows], mu[rows], weights[rows])
    totals = np.bincount(assignment, weights=weights, minlength=n_folds).astype(np.float64)
    return check_defined(measure, FoldScores(values, totals, notes))


_LACKING = {
    "auc": ("AUC", "held-out rows of both classes", "of one class", "`measure='deviance'`"),
    "c_index": (
        "concordance",
        "a held-out pair to compare",
        "without a pair",
        "`measure='deviance'`",
    ),
    "deviance": ("partial likelihood deviance", "a held-out event", "without events", "more rows"),
}


def check_defined(measure: Measure, scores: FoldScores) -> FoldScores:
    """Return the scores with a note on folds of one class, where there is no AUC.

    Raises
    ------
    OptionError
        If every fold is such.
    """
    present = scores.weights > 0
    undefined = int(np.sum(np.isnan(scores.values).all(axis=1) & present))
    if measure.by_rows or not undefined:
        return scores
    title, lacking, without, instead = _LACKING[measure.name]
    if undefined == np.sum(present):
        raise OptionError(
            f"no fold has {lacking}, so there is no {title}; use stratified folds, fewer "
            f"of them, or {instead}."
        )
    note = f"{title} is not defined in {undefined} folds {without}, which are left out"
    return replace(scores, notes=(*scores.notes, note))


def cv_curve(values: FloatArray, fold_weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Average fold values, with standard errors.

    Parameters
    ----------
    values : ndarray of shape (F, L)
        The measure on every fold. A fold that is NaN at every lambda, or has no weight, is
        left out; a NaN elsewhere makes the mean at its lambda NaN, because means over
        different folds could not be compared.
    fold_weights : ndarray of shape (F,)
        Weights of the folds.

    Returns
    -------
    mean, se : ndarray of shape (L,)
        `se` is NaN where only one fold is left.

    Raises
    ------
    DataError
        If no fold is left.
    """
    used = (fold_weights > 0) & ~np.isnan(values).all(axis=1)
    if not used.any():
        raise DataError(
            "no fold has a defined measure: every held-out row has weight 0 or a NaN "
            "prediction; check `weights` and the fit on all rows."
        )
    values, share = values[used], fold_weights[used] / fold_weights[used].sum()
    mean: FloatArray = share @ values
    if share.size == 1:
        return mean, np.full(mean.shape, np.nan)
    se: FloatArray = np.sqrt(share @ (values - mean) ** 2 / (share.size - 1))
    return mean, se


def choose(
    lambda_: FloatArray, mean: FloatArray, se: FloatArray, *, larger_is_better: bool
) -> tuple[int, int]:
    """Choose the best lambda, and the largest within one standard error of it.

    Parameters
    ----------
    lambda_, mean, se : ndarray of shape (L,)
        The curve, in any order. NaN means are never chosen; a NaN standard error at the best
        lambda counts as 0.
    larger_is_better : bool
        Direction of the measure.

    Returns
    -------
    index_min, index_1se : int
        Positions in `lambda_`. Of equal means the largest lambda is taken.

    Raises
    ------
    DataError
        If every mean is NaN.
    """
    loss = np.where(np.isnan(mean), np.inf, -mean if larger_is_better else mean)
    best = float(loss.min())
    if not np.isfinite(best):
        raise DataError(
            "the cross-validated measure is not finite at any lambda; check that the folds "
            "converged and that the predictions are finite."
        )
    slack = TIE * abs(best)
    index_min = _largest(lambda_, loss <= best + slack)
    margin = 0.0 if np.isnan(se[index_min]) else float(se[index_min])
    return index_min, _largest(lambda_, loss <= loss[index_min] + margin + slack)


def _largest(lambda_: FloatArray, candidates: Any) -> int:
    return int(np.argmax(np.where(candidates, lambda_, -np.inf)))
