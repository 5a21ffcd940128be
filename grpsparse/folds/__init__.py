"""Folds: which rows are held out together."""

from __future__ import annotations

from grpsparse.folds.make import make_folds
from grpsparse.folds.plan import FoldPlan, check_training_classes

__all__ = ["FoldPlan", "check_training_classes", "make_folds"]
