"""CVFit: a path with its cross-validated error, and the two lambdas that it chooses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.results.choice import Choice, resolve
from grpsparse.results.path_fit import PathFit

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from grpsparse.folds import FoldPlan
    from grpsparse.results.summary import PathSummary

__all__ = ["CVFit"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CVFit:
    """A path on all rows, and its error on rows that were held out.

    Made by :func:`grpsparse.fit_cv`. Methods take ``lambda_="1se"`` (the default), ``"min"`` or
    a number.

    Parameters
    ----------
    path : PathFit
        The fit to all rows.
    call : str
        The call as printed: ``fit_cv("share ~ brand", n_folds=5)``.
    measure : str
        Name of the measure of error.
    cv_mean, cv_se : ndarray of shape (L,)
        Mean over folds, and its standard error.
    index_min, index_1se : int
        Positions of the best lambda, and of the largest within one standard error of it.
    plan : FoldPlan
        The folds of the rows as fitted.
    oof : ndarray of shape (n_given, [K,] L)
        Out-of-fold means, rows as in the data given, NaN where dropped.
    oof_index : ndarray of int
        Positions on the path of the last axis of `oof`: all of them, or where that would be too
        large ``[index_min, index_1se]``.
    fold_converged : ndarray of bool, shape (F,) or (F, L)
        Whether the fits of each fold converged.
    seed : int, optional
        Seed of the folds.
    notes : tuple of str
        Sentences to print about folds and measure.

    Examples
    --------
    >>> import grpsparse as gs
    >>> births = gs.datasets.load("birthwt")
    >>> cv = gs.fit_cv("low ~ race + smoke + ht", births, family="binomial", n_folds=5, seed=1)
    >>> cv.selected("min"), cv.predict(births.head(2), "min").round(2)
    (['race', 'smoke', 'ht'], array([0.29, 0.31]))
    >>> int(cv.confusion("min").to_numpy().sum())
    189
    """

    path: PathFit
    call: str
    measure: str
    cv_mean: FloatArray
    cv_se: FloatArray
    index_min: int
    index_1se: int
    plan: FoldPlan
    oof: FloatArray
    oof_index: IntArray
    fold_converged: BoolArray
    seed: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def lambda_(self) -> FloatArray:
        """The lambdas, decreasing, (L,)."""
        return self.path.lambda_

    @property
    def lambda_min(self) -> float:
        """The lambda with the best mean."""
        return float(self.lambda_[self.index_min])

    @property
    def lambda_1se(self) -> float:
        """The largest lambda within one standard error of the best."""
        return float(self.lambda_[self.index_1se])

    @property
    def n_terms(self) -> IntArray:
        """Number of terms selected by the fit to all rows, (L,)."""
        return self.path.n_terms

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return self.plan.n_folds

    @property
    def folds(self) -> IntArray:
        """Fold of every row of the data given, -1 where the row was dropped."""
        out = np.full(self.path.training.n_given, -1, dtype=np.int64)
        out[self.path.training.rows] = self.plan.assignment
        return out

    def coef(self, lambda_: Choice = "1se") -> pd.DataFrame:
        """Return coefficients as :meth:`PathFit.coef` does."""
        return self.path.coef(resolve(self, lambda_))

    def selected(self, lambda_: Choice = "1se") -> list[str]:
        """Return the terms with a nonzero coefficient, as :meth:`PathFit.selected` does."""
        return self.path.selected(resolve(self, lambda_))

    def term_norms(self, lambda_: Choice = "1se") -> pd.Series | pd.DataFrame:
        """Return norms of terms as :meth:`PathFit.term_norms` does."""
        return self.path.term_norms(resolve(self, lambda_))

    def predict(
        self,
        new: Any = None,
        lambda_: Choice = "1se",
        *,
        type: str = "response",  # noqa: A002
        offset: Any = None,
        unseen: str = "raise",
    ) -> Any:
        """Predict as :meth:`PathFit.predict` does."""
        at = resolve(self, lambda_)
        return self.path.predict(new, at, type=type, offset=offset, unseen=unseen)

    def residuals(
        self,
        lambda_: Choice = "1se",
        *,
        type: str = "response",  # noqa: A002
    ) -> FloatArray:
        """Return residuals of the fit to all rows, as :meth:`PathFit.residuals` does."""
        return self.path.residuals(resolve(self, lambda_), type=type)

    def survival(self, new: Any = None, lambda_: Choice = "1se", **options: Any) -> pd.DataFrame:
        """Return survival curves of a Cox model, as :meth:`PathFit.survival` does."""
        return self.path.survival(new, resolve(self, lambda_), **options)

    def baseline_hazard(self, lambda_: Choice = "1se") -> pd.DataFrame:
        """Return the baseline hazard of a Cox model, as :meth:`PathFit.baseline_hazard` does."""
        return self.path.baseline_hazard(resolve(self, lambda_))

    def summary(self, lambda_: Choice = "1se", *, coefficients: bool = False) -> PathSummary:
        """Summarise the model at one lambda, as :meth:`PathFit.summary` does."""
        summary = self.path.summary(resolve(self, lambda_), coefficients=coefficients)
        return replace(summary, name=f"lambda_{lambda_}") if isinstance(lambda_, str) else summary

    def confusion(self, lambda_: Choice = "1se") -> pd.DataFrame:
        """Cross-tabulate the classes with their out-of-fold predictions.

        Parameters
        ----------
        lambda_ : {"1se", "min"} or float
            Place on the path.

        Returns
        -------
        pandas.DataFrame
            Observed classes in rows, predicted in columns; counts, or sums of weights.
        """
        from grpsparse.results.held_out import confusion

        return confusion(self, resolve(self, lambda_))

    def measures(self) -> pd.DataFrame:
        """Compute every measure that the family has, from out-of-fold predictions.

        Returns
        -------
        pandas.DataFrame
            A row per measure: its mean over folds at min and 1se, and the standard errors.
        """
        from grpsparse.results.held_out import measures

        return measures(self)

    def tidy(self) -> pd.DataFrame:
        """Return one row per lambda: mean, standard error and size of the model."""
        from grpsparse.results.tidy import tidy_cv

        return tidy_cv(self)

    def glance(self) -> pd.DataFrame:
        """Return one row that describes the choice of lambda."""
        from grpsparse.results.tidy import glance_cv

        return glance_cv(self)

    def augment(self, lambda_: Choice = "1se") -> pd.DataFrame:
        """Return the rows as fitted with response, fitted values and residuals."""
        return self.path.augment(resolve(self, lambda_))

    @property
    def diagnostics(self) -> pd.DataFrame:
        """What every point of the fit to all rows cost, as :attr:`PathFit.diagnostics`."""
        return self.path.diagnostics

    def plot(self, kind: str = "error", **options: Any) -> Any:
        """Draw the curve of errors, or the path with the chosen lambdas marked.

        Parameters
        ----------
        kind : {"error", "norm", "coef", "diagnostics"}
            Mean error with one-standard-error bars, or a path as :meth:`PathFit.plot` draws.
        **options
            As for :meth:`PathFit.plot`; ``"error"`` takes ``ax`` only.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from grpsparse.results.plots import plot_cv

        return plot_cv(self, kind=kind, **options)

    def save(self, path: str | Path) -> None:
        """Write the fit to exactly this path, one file that :func:`grpsparse.load` reads."""
        from grpsparse.results.save import save

        save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> CVFit:
        """Read a fit that `save` wrote."""
        from grpsparse.results.save import load_as

        return load_as(cls, path)

    def __str__(self) -> str:
        from grpsparse.results.printing import cv_text

        return cv_text(self)

    def __repr__(self) -> str:
        return str(self)
