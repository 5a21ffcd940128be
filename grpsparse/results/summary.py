"""Summary of one model of a path: its terms, how much each does, and when it came in.

The norm of a term is the weighted standard deviation of what it adds to the linear predictor
(over several classes, the root of the sum of squares). Its share is of the sum of squared norms.
There are no Wald p-values: selection makes them wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from grpsparse.groups import FloatArray, IntArray, members
from grpsparse.results.choice import Choice, place
from grpsparse.results.classes import outputs_name
from grpsparse.results.norms import effect_sizes, selected_terms
from grpsparse.results.points import locate
from grpsparse.results.residuals import deviance_at
from grpsparse.results.scale import at_floor, scale_at
from grpsparse.results.tidy import class_labels, coef_table

if TYPE_CHECKING:
    import pandas as pd

    from grpsparse.results.path_fit import PathFit
    from grpsparse.results.points import Points

__all__ = ["PathSummary", "summarise"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PathSummary:
    """One model of a path, printed as a table of terms.

    Parameters
    ----------
    title : tuple of str
        Family, penalty and size of the data.
    lambda_ : float
        Where on the path.
    between : tuple of int
        Positions of the solved points beside it, twice the same at a solved point.
    n_lambda : int
        Length of the path.
    dev_ratio : float
        Share of the null deviance that is explained.
    certificate : float or None
        Certificate of a solved point; None in between.
    certificate_kind : {"duality_gap", "stationarity"}
        What it is.
    table : pandas.DataFrame
        One row per term, largest norm first: kind, levels of a factor, columns, rank (missing where
        groups are unions of terms), df
        (nonzero coefficients), norm, share, and the largest lambda with the term in it. Where
        classes have their own groups, the norm of each class as well.
    coefficients : pandas.DataFrame
        All coefficients, as :meth:`PathFit.coef` returns them.
    n_classes : int
        Number of linear predictors.
    by_columns : bool
        Whether single columns are penalised, so that terms can be selected in part.
    show_coefficients : bool
        Whether coefficients are printed.
    name : str
        What lambda is called in print.
    outputs : str
        What several linear predictors are called: classes or responses.
    scale : tuple of float
        Scale of the errors, one or one per response, where the family estimates it.
    floored : bool
        Whether one of them is the smallest that the family allows.
    """

    title: tuple[str, ...]
    lambda_: float
    between: tuple[int, int]
    n_lambda: int
    dev_ratio: float
    certificate: float | None
    certificate_kind: str
    table: pd.DataFrame
    coefficients: pd.DataFrame
    n_classes: int
    by_columns: bool
    show_coefficients: bool = False
    name: str = "lambda"
    outputs: str = "classes"
    scale: tuple[float, ...] = ()
    floored: bool = False

    @property
    def stationary(self) -> bool:
        """Whether this is a solution, not a mixture of the two beside it."""
        return self.between[0] == self.between[1]

    @property
    def selected(self) -> list[str]:
        """Names of the terms with a nonzero coefficient, in the order of the table."""
        return [str(name) for name in self.table.index[self.table["df"] > 0]]

    def __str__(self) -> str:
        from grpsparse.results.printing import summary_text

        return summary_text(self)

    def __repr__(self) -> str:
        return str(self)


def summarise(fit: PathFit, lambda_: Choice, *, coefficients: bool = False) -> PathSummary:
    """Summarise one model of a path as `PathFit.summary` documents."""
    from grpsparse.results.printing import title_of

    points = locate(fit.lambda_, place(fit, lambda_))
    scale = scale_at(fit, points)
    left, right = int(points.left[0]), int(points.right[0])
    solved = left == right
    penalty = fit.penalty
    return PathSummary(
        title=title_of(fit),
        lambda_=float(points.values[0]),
        between=(left, right),
        n_lambda=int(fit.lambda_.size),
        dev_ratio=1.0 - float(deviance_at(fit, points)[0]) / fit.null_deviance,
        certificate=float(fit.certificate[left]) if solved else None,
        certificate_kind=fit.certificate_kind,
        table=term_table(fit, points),
        coefficients=coef_table(fit, points),
        n_classes=int(fit.raw_intercept.shape[1]),
        by_columns=fit.settings.groups in ("column", "lists")
        or penalty.l1_fraction > 0
        or penalty.nested,
        show_coefficients=coefficients,
        name=f"lambda_{lambda_}" if isinstance(lambda_, str) else "lambda",
        outputs=outputs_name(fit),
        scale=() if scale is None else tuple(scale[0].tolist()),
        floored=scale is not None and at_floor(fit, scale[0]),
    )


def term_table(fit: PathFit, points: Points) -> pd.DataFrame:
    """Make the table of terms at one place on the path.

    Parameters
    ----------
    fit : PathFit
        The path.
    points : Points
        One place on it.

    Returns
    -------
    pandas.DataFrame
    """
    import pandas as pd

    terms = fit.model.terms
    coef = points.take(fit.raw_coef)[0]
    sizes = effect_sizes(fit.training, terms, coef, leak=fit.leak, intercept=fit.settings.centred)
    norm = np.sqrt(np.sum(sizes**2, axis=1))
    total = float(np.sum(norm**2))
    data: dict[str, Any] = {
        "kind": [term.kind for term in terms],
        "levels": pd.array(
            [None if term.levels is None else len(term.levels) for term in terms], dtype="Int64"
        ),
        "columns": _reported_columns(fit),
        "rank": _ranks(fit) if fit.unions is None else pd.array([None] * len(terms), dtype="Int64"),
        "df": _nonzero(fit, points),
        "norm": norm,
        "share": norm**2 / total if total > 0 else np.zeros(norm.size),
        "entry": entries(fit),
    }
    if fit.settings.class_groups == "separate" and sizes.shape[1] > 1:
        labels = class_labels(fit)
        data |= {f"norm[{label}]": sizes[:, place] for place, label in enumerate(labels)}
    order = np.argsort(-norm, kind="stable")
    return pd.DataFrame(data, index=pd.Index(fit.terms, name="term")).iloc[order]


def entries(fit: PathFit) -> FloatArray:
    """Return the largest lambda at which each term is selected, NaN for never, (T,)."""
    active = selected_terms(fit)
    return np.where(active.any(axis=0), fit.lambda_[active.argmax(axis=0)], np.nan)


def _reported_columns(fit: PathFit) -> IntArray:
    return np.bincount(fit.layout.term, minlength=len(fit.terms))


def _ranks(fit: PathFit) -> IntArray:
    """Return the rank of each term, for groups of single columns their sum."""
    if fit.group_rank.size == len(fit.terms):
        return fit.group_rank
    index, starts = members(fit.model.terms)
    owner = np.repeat(np.arange(len(fit.terms)), np.diff(starts))
    total = np.bincount(owner, weights=fit.group_rank[index], minlength=len(fit.terms))
    return total.astype(np.int64)


def _nonzero(fit: PathFit, points: Points) -> IntArray:
    """Return the number of nonzero coefficients of each term's own columns."""
    from grpsparse.results.report import report

    coef, intercept = points.take(fit.raw_coef), points.take(fit.raw_intercept)
    own, _ = report(fit.layout, coef, intercept)
    nonzero = np.count_nonzero(own[0], axis=1)
    return np.bincount(fit.layout.term, weights=nonzero, minlength=len(fit.terms)).astype(int)
