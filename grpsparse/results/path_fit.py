"""PathFit: a path of solutions over lambda, with everything a user asks of it.

The fields are what the engine found; every method hands them to a function of this package.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from grpsparse.groups import BoolArray, Deferred, FloatArray, IntArray, Model, term_names
from grpsparse.results.choice import PIVOTAL, Choice, place, places
from grpsparse.results.norms import chosen, norm_path, selected_groups, selected_terms
from grpsparse.results.points import LambdaLike
from grpsparse.results.predict import predict
from grpsparse.results.record import Settings, Training
from grpsparse.results.report import Layout, layout, report

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from grpsparse.families import Family
    from grpsparse.penalties import Penalty
    from grpsparse.record import Effort
    from grpsparse.results.summary import PathSummary
    from grpsparse.unions import Unions

__all__ = ["PathFit"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PathFit:
    """Solutions over a decreasing sequence of lambda, made by :func:`grpsparse.fit`.

    Arrays have the lambdas first. L is the number of lambdas, p of design columns, K of classes or
    responses (1 for most families), G of groups.

    Parameters
    ----------
    model : Model
        What re-creates the design on new data.
    family, penalty : Family, Penalty
        Distribution of the response, and penalty of the groups.
    training, settings : Training, Settings
        The rows that were fitted, and how.
    classes : tuple, optional
        Classes of the response in order, the second of two is modelled; or names of responses.
    lambda_ : ndarray of shape (L,)
        Decreasing.
    raw_coef, raw_intercept : ndarray of shape (L, p, K) and (L, K)
        Coefficients of the design columns, of a factor one for each level, and their intercepts.
    leak : scipy.sparse array of shape (p, p), optional
        Shift of margins by their interactions: the linear predictor is
        ``raw_intercept + X @ (raw_coef + leak @ raw_coef)``.
    group_norms : ndarray of shape (L, G) or (L, G, K)
        Norms of the standardised blocks, exactly 0 where a group is not selected.
    group_weights : ndarray of shape (G,)
        Weights w_g of the penalty.
    ranks : Deferred
        `group_rank`, when asked for.
    unions : Unions, optional
        Which terms the groups are unions of, where they are neither terms nor columns.
    latent : ndarray of shape (L, m, K), optional
        Coefficients of latent groups' columns, group after group, which add up to `raw_coef`.
    certificate : ndarray of shape (L,)
        Proof of each solution, a number without units.
    certificate_kind : {"duality_gap", "stationarity"}
        What the certificate is.
    converged, n_iter : ndarray of shape (L,)
        Whether the certificate is below the tolerance, and iterations spent.
    deviance, null_deviance : ndarray of shape (L,), and float
        Of each solution, and of intercept and offset alone.
    effort : Effort, optional
        What each point cost, see `diagnostics`.
    lambda_pivotal : float, optional
        Pivotal lambda; methods take ``lambda_="pivotal"`` for it.

    Examples
    --------
    >>> import grpsparse as gs
    >>> births = gs.datasets.load("birthwt")
    >>> fit = gs.fit("bwt ~ race + smoke", births, lambda_=[50.0, 0.0])
    >>> fit.selected(50.0), fit.predict({"race": "black", "smoke": 1}, 0.0).round()
    (['race', 'smoke'], array([2456.]))
    >>> bool(fit.check().max() < 1e-7)
    True
    """

    model: Model
    family: Family
    penalty: Penalty
    training: Training
    settings: Settings
    classes: tuple[Any, ...] | None
    lambda_: FloatArray
    raw_coef: FloatArray
    raw_intercept: FloatArray
    leak: Any = None
    group_norms: FloatArray
    group_weights: FloatArray
    ranks: Deferred[IntArray]
    unions: Unions | None = None
    latent: FloatArray | None = None
    certificate: FloatArray
    certificate_kind: str
    converged: BoolArray
    n_iter: IntArray
    deviance: FloatArray
    null_deviance: float
    effort: Effort | None = None
    lambda_pivotal: float | None = None
    layout: Layout = field(init=False)

    def __post_init__(self) -> None:
        plan = layout(self.model.terms, self.model.columns, intercept=self.settings.centred)
        object.__setattr__(self, "layout", plan)

    @property
    def coef_path(self) -> FloatArray:
        """Coefficients in the order of `columns`, (L, p) or (L, p, K)."""
        coef, _ = report(self.layout, self.raw_coef, self.raw_intercept, leak=self.leak)
        return coef[:, :, 0] if coef.shape[2] == 1 else coef

    @property
    def intercept_path(self) -> FloatArray:
        """Intercepts, (L,) or (L, K); zeros where a baseline hazard takes their place."""
        _, intercept = report(self.layout, self.raw_coef, self.raw_intercept, leak=self.leak)
        if self.settings.baseline:  # what is left only centres predictions
            intercept = np.zeros_like(intercept)
        return intercept[:, 0] if intercept.shape[1] == 1 else intercept

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the terms."""
        return term_names(self.model.terms)

    @property
    def group_rank(self) -> IntArray:
        """Ranks of the groups' columns as fitted, (G,)."""
        return self.ranks.value

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that coefficients are reported for, without the intercept."""
        return tuple(self.layout.columns)

    @property
    def formula(self) -> str | None:
        """The formula as written, None for a matrix."""
        return self.model.formula

    @property
    def nobs(self) -> int:
        """Number of rows that were fitted."""
        return int(self.training.y.shape[0])

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups that the penalty sees, (G,)."""
        if self.unions is not None:
            return self.unions.names
        return self.terms if self.settings.groups != "column" else tuple(self.model.columns)

    @property
    def norm_path(self) -> FloatArray:
        """Norms of the standardised terms, (L, T), or (L, T, K) where classes are separate."""
        return norm_path(self)

    @property
    def n_terms(self) -> IntArray:
        """Number of terms that are selected, unpenalised ones included, (L,)."""
        return np.asarray(selected_terms(self).sum(axis=1))

    @property
    def df(self) -> IntArray:
        """Number of nonzero coefficients without the intercept, (L,)."""
        path = self.coef_path
        return np.asarray(np.count_nonzero(path.reshape(path.shape[0], -1), axis=1))

    @property
    def dev_ratio(self) -> FloatArray:
        """Share of the null deviance that is explained, (L,)."""
        return 1.0 - self.deviance / self.null_deviance

    @property
    def scale_path(self) -> FloatArray | None:
        """Scale of the errors, (L,) or (L, K); None for a family that does not estimate it."""
        from grpsparse.results.scale import scale_path

        return scale_path(self)

    def coef(self, lambda_: LambdaLike = None) -> pd.DataFrame:
        """Return coefficients as a table.

        Parameters
        ----------
        lambda_ : float or sequence of float, optional
            Places on the path, interpolated linearly; None for all of it.

        Returns
        -------
        pandas.DataFrame
            Rows (term, column), the Intercept first. One column, or one per class or response;
            for several lambdas one for each of them below.
        """
        from grpsparse.results.tidy import coef_table

        return coef_table(self, places(self, lambda_))

    def term_norms(self, lambda_: LambdaLike = None) -> pd.Series | pd.DataFrame:
        """Return the norm of each term on the standardised scale, 0 where not selected.

        Indexed by term: a Series at one lambda, otherwise a column for each of `lambda_` (None:
        the whole path), and for each class where these are separate.
        """
        from grpsparse.results.tidy import norm_table

        return norm_table(self, places(self, lambda_))

    def selected(self, lambda_: Choice = PIVOTAL) -> list[str]:
        """Return the names of the terms with a nonzero coefficient at one place on the path.

        All of a latent group that is not zero; between two solutions, what is in either of them.
        """
        points = places(self, place(self, lambda_))
        return chosen(self.terms, selected_terms(self), points)

    def selected_groups(self, lambda_: Choice = PIVOTAL) -> list[str]:
        """Return the names of groups with a nonzero coefficient, as `selected` of terms."""
        points = places(self, place(self, lambda_))
        return chosen(self.groups, selected_groups(self), points)

    def predict(
        self,
        new: Any = None,
        lambda_: LambdaLike = None,
        *,
        type: str = "response",  # noqa: A002
        offset: Any = None,
        unseen: str = "raise",
    ) -> Any:
        """Predict for the rows that were fitted, or for new ones.

        Parameters
        ----------
        new : data frame, dict or matrix, optional
            New rows, of the kind the model was fitted to; None for the rows as fitted.
        lambda_ : float or sequence of float, optional
            Places on the path, interpolated linearly and clamped at its ends; None for all.
        type : {"response", "link", "class", "terms"}
            Means (probabilities; for survival times exp(link), the hazard over the baseline's),
            linear predictor (for survival times with mean 0 over the rows as fitted), most
            probable class, or the linear predictor split into terms.
        offset : array or str, optional
            Offset of the rows, or their column that holds it. An offset that the fit took from
            a column is looked up again; one that it was given as an array must be given again.
        unseen : {"raise", "shrink"}
            What to do with a level that training did not have: raise, or let the term
            contribute what its average level does.

        Returns
        -------
        ndarray or pandas.DataFrame
            One row per row of `new`, in its order, NaN (None for classes) where a variable is
            missing: (m,), or (m, K) for several classes, with a last axis for lambda unless
            `lambda_` is one number. ``"terms"`` is a DataFrame whose rows sum to the link.

        Raises
        ------
        OptionError
            For an unknown `type`, or "class" of a response that has none.
        WeightsError
            If an offset is missing or of the wrong shape.
        UnseenLevelError
            For an unseen level, unless `unseen` is ``"shrink"``.
        """
        return predict(self, new, lambda_=lambda_, type=type, offset=offset, unseen=unseen)

    def residuals(
        self,
        lambda_: LambdaLike = None,
        *,
        type: str = "response",  # noqa: A002
    ) -> FloatArray:
        """Return the residuals of the rows; see :func:`grpsparse.results.residuals.residuals`."""
        from grpsparse.results.residuals import residuals

        return residuals(self, places(self, lambda_), type=type)

    def baseline_hazard(self, lambda_: Choice = PIVOTAL) -> pd.DataFrame:
        """Return :func:`grpsparse.results.survival.baseline_hazard` of a Cox model."""
        from grpsparse.results.survival import baseline_hazard

        return baseline_hazard(self, place(self, lambda_))

    def survival(self, new: Any = None, lambda_: Choice = PIVOTAL, **options: Any) -> pd.DataFrame:
        """Return survival curves of a Cox model, a column per row of `new`.

        Options are those of :func:`grpsparse.results.survival.survival_curves`.
        """
        from grpsparse.results.survival import survival_curves

        return survival_curves(self, new, lambda_=place(self, lambda_), **options)

    def summary(self, lambda_: Choice = PIVOTAL, *, coefficients: bool = False) -> PathSummary:
        """Summarise the model at one lambda, term by term.

        The summary prints a table, with the coefficients if asked for; its `table` is a DataFrame.
        """
        from grpsparse.results.summary import summarise

        return summarise(self, lambda_, coefficients=coefficients)

    def tidy(self, lambda_: LambdaLike = None, *, zeros: bool = False) -> pd.DataFrame:
        """Return one row per coefficient and lambda, zeros only if asked for."""
        from grpsparse.results.tidy import tidy_path

        return tidy_path(self, places(self, lambda_), zeros=zeros)

    def glance(self) -> pd.DataFrame:
        """Return one row that describes the whole fit."""
        from grpsparse.results.tidy import glance_path

        return glance_path(self)

    def augment(self, lambda_: LambdaLike = None) -> pd.DataFrame:
        """Return the rows as fitted with response, fitted values and residuals."""
        from grpsparse.results.tidy import augment_path

        return augment_path(self, places(self, lambda_))

    @property
    def diagnostics(self) -> pd.DataFrame:
        """What every point cost; see :func:`grpsparse.results.diagnostics.diagnostics`."""
        from grpsparse.results.diagnostics import diagnostics

        return diagnostics(self)

    def plot(self, kind: str = "auto", **options: Any) -> Any:
        """Draw the path, or what it cost.

        Parameters
        ----------
        kind : {"auto", "norm", "coef", "diagnostics"}
            Norms of the terms, or coefficients (auto: these, where every term has one), or
            what each point cost.
        **options
            Of :func:`grpsparse.results.plots.plot_path`, or
            :func:`grpsparse.results.diagnostics.plot_diagnostics`.
        """
        from grpsparse.results.plots import plot_fit

        return plot_fit(self, kind=kind, **options)

    def check(self) -> FloatArray:
        """Recompute the certificate from the stored data, without the solver, (L,)."""
        from grpsparse.results.check import recompute

        certificate: FloatArray = recompute(self)
        return certificate

    @property
    def status(self) -> list[str]:
        """What every point is, in words; see :meth:`optimality`."""
        return [str(each) for each in self.optimality()["status"]]

    def optimality(self) -> pd.DataFrame:
        """Return what every point is; see :func:`grpsparse.results.optimality.optimality`."""
        from grpsparse.results.optimality import optimality

        return optimality(self)

    def save(self, path: str | Path) -> None:
        """Write the fit to exactly this path, one file that :func:`grpsparse.load` reads."""
        from grpsparse.results.save import save

        save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> PathFit:
        """Read a fit that `save` wrote."""
        from grpsparse.results.save import load_as

        return load_as(cls, path)

    def __str__(self) -> str:
        from grpsparse.results.printing import path_text

        return path_text(self)

    def __repr__(self) -> str:
        return str(self)
