"""Measures of held-out predictions: row losses, the AUC, and their curve over lambda."""

from __future__ import annotations

from grpsparse.measures.confusion import confusion_matrix
from grpsparse.measures.curve import (
    FoldScores,
    check_defined,
    choose,
    cv_curve,
    rows_as_folds,
    score_fold,
    score_folds,
)
from grpsparse.measures.losses import (
    HasDeviance,
    Measure,
    measures_for,
    resolve_measure,
    row_losses,
)
from grpsparse.measures.roc import auc
from grpsparse.measures.survival import concordance, event_weight, partial_deviance

__all__ = [
    "FoldScores",
    "HasDeviance",
    "Measure",
    "auc",
    "check_defined",
    "choose",
    "concordance",
    "confusion_matrix",
    "cv_curve",
    "event_weight",
    "measures_for",
    "partial_deviance",
    "resolve_measure",
    "row_losses",
    "rows_as_folds",
    "score_fold",
    "score_folds",
]
