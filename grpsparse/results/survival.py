"""Hazards and survival curves of a Cox model, and its rows as counts of events.

The baseline's cumulative hazard jumps at every event time by the mass of the steps there over
their sums of exp(eta), Breslow's or Efron's estimator by the family's ties, and

    S(t | x) = exp(-H0(t) exp(eta)),

eta being the linear predictor `predict(type="link")`, which has mean 0 over the rows as fitted:
the baseline is the hazard of a row in their middle. A row's expected number of events is
exp(eta) (H0(stop) - H0(start)); with it residuals are those of a Poisson count.

References: Breslow (1974), doi:10.2307/2529620; Therneau & Grambsch (2000), Modeling Survival Data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from grpsparse.errors import OptionError
from grpsparse.families import Cox, among
from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.results.points import locate
from grpsparse.results.predict import linear_predictor, new_rows
from grpsparse.results.residuals import training_predictor

if TYPE_CHECKING:
    import pandas as pd

    from grpsparse.families.risk_sets import RiskSets
    from grpsparse.results.path_fit import PathFit

__all__ = ["baseline_hazard", "counts", "strata_of", "survival_curves"]


def baseline_hazard(fit: PathFit, lambda_: float) -> pd.DataFrame:
    """Return the baseline hazard, that of a row with linear predictor 0, the mean as fitted.

    Parameters
    ----------
    fit : PathFit
        Of the Cox family.
    lambda_ : float
        Place on the path.

    Returns
    -------
    pandas.DataFrame
        A row per event time, in strata one after the other: ``stratum`` where there are any,
        ``time``, the ``hazard`` that it adds, ``cumulative_hazard`` and ``survival``.

    Raises
    ------
    OptionError
        A fit of another family.
    """
    import pandas as pd

    sets, jump, largest = _jumps(fit, lambda_)
    with np.errstate(over="ignore"):  # a baseline far from the data
        hazard = jump * np.exp(-largest[sets.stratum])
    total = np.concatenate([np.cumsum(hazard[sets.stratum == k]) for k in range(largest.size)])
    data: dict[str, Any] = {}
    if _strata(fit):
        data["stratum"] = _labels(fit)[sets.codes[sets.stratum]]
    data |= {"time": sets.times, "hazard": hazard, "cumulative_hazard": total}
    return pd.DataFrame(data | {"survival": np.exp(-total)})


def survival_curves(
    fit: PathFit,
    new: Any,
    *,
    lambda_: float,
    times: Any = None,
    strata: Any = None,
    type: str = "survival",  # noqa: A002
    offset: Any = None,
    unseen: str = "raise",
) -> pd.DataFrame:
    """Return the probability of no event by some times, or the cumulative hazard, row by row.

    Parameters
    ----------
    fit : PathFit
        Of the Cox family.
    new : data frame, dict or matrix, optional
        As for :meth:`PathFit.predict`; None for the rows as fitted.
    lambda_ : float
        Place on the path.
    times : array_like, optional
        Times at least 0; by default all event times. After the last event time of a stratum
        nothing is known, and curves stay where they are.
    strata : array_like or str, optional
        Stratum of every new row, or the column of `new` that holds it.
    type : {"survival", "hazard"}
        S(t), or H(t) = -log S(t).
    offset, unseen
        As for :meth:`PathFit.predict`.

    Returns
    -------
    pandas.DataFrame
        Times in rows, a column per row of `new`; NaN where a variable is missing.

    Raises
    ------
    OptionError
        A fit of another family, times that are none, or new rows without their stratum.
    """
    import pandas as pd

    if type not in {"survival", "hazard"}:
        raise OptionError(f"`type` is {type!r}; give 'survival' or 'hazard'.")
    sets, jump, largest = _jumps(fit, lambda_)
    at = np.unique(sets.times) if times is None else _times(times)
    points = locate(fit.lambda_, lambda_)
    X, complete, index, shift = new_rows(fit, new, offset=offset, unseen=unseen)
    coef, intercept = points.take(fit.raw_coef), points.take(fit.raw_intercept)
    eta = linear_predictor(X, coef, intercept, leak=fit.leak, offset=shift)[:, 0, 0]
    member = _members(fit, new, strata, eta.size)
    hazard = np.full((at.size, eta.size), np.nan)
    for place, code in enumerate(sets.codes.tolist()):
        rows = np.flatnonzero(complete & (member == code))
        own = sets.stratum == place
        reached = np.searchsorted(sets.times[own], at, side="right")
        total = np.concatenate([[0.0], np.cumsum(jump[own])])[reached]
        with np.errstate(over="ignore", invalid="ignore"):
            risk = np.exp(eta[rows] - largest[place])
            hazard[:, rows] = np.where(total[:, None] > 0, total[:, None] * risk, 0.0)
    columns = range(eta.size) if index is None else index
    values = np.exp(-hazard) if type == "survival" else hazard
    return pd.DataFrame(values, index=pd.Index(at, name="time"), columns=columns)


def counts(fit: PathFit, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return events (n, 1) and expected events (n, 1, M) at linear predictors (n, 1, M).

    Rows of weight 0 belong to no risk set: they have 0 expected events.
    """
    family: Any = among(fit.family, fit.training.y, fit.training.weights)
    expected = [family.curvature(fit.training.y, each) for each in np.moveaxis(eta, 2, 0)]
    return fit.training.y[:, 2:3], np.stack(expected, axis=2)


def strata_of(fit: PathFit) -> dict[str, Any]:
    """Return the column of the rows' strata by its name, empty where there are none."""
    if not _strata(fit):
        return {}
    return {"stratum": _labels(fit)[fit.training.y[:, 3].astype(np.int64)]}


def _jumps(fit: PathFit, lambda_: float) -> tuple[RiskSets, FloatArray, FloatArray]:
    """Return risk sets, jumps (T,) relative to exp(-largest), and the largest eta (strata,)."""
    if not isinstance(fit.family, Cox):
        raise OptionError(
            f"a fit of the {fit.family.name} family has no hazard; only survival times have: fit "
            "gs.Surv(time, event), or Surv(time, event) ~ x."
        )
    eta = training_predictor(fit, locate(fit.lambda_, lambda_))[:, 0, 0]
    family = fit.family.among(fit.training.y, fit.training.weights / fit.training.weights.sum())
    sets = family.risk_sets(fit.training.y)
    found = sets.exponentials(eta)
    return sets, sets.jumps(found), found.largest


def _strata(fit: PathFit) -> tuple[Any, ...]:
    return fit.family.strata if isinstance(fit.family, Cox) else ()


def _labels(fit: PathFit) -> Any:
    labels = np.empty(len(_strata(fit)), dtype=object)
    labels[:] = _strata(fit)
    return labels


def _times(times: Any) -> FloatArray:
    try:
        at = np.atleast_1d(np.asarray(times, dtype=np.float64))
    except (TypeError, ValueError):
        at = np.array([np.nan])
    if at.ndim != 1 or not (at >= 0).all():
        raise OptionError(f"`times` is {times!r}; give numbers of at least 0, or None.")
    return at


def _members(fit: PathFit, new: Any, strata: Any, n: int) -> IntArray:
    """Return the code of every row's stratum, (n,)."""
    known = _strata(fit)
    if not known:
        return np.zeros(n, dtype=np.int64)
    if strata is None and new is None:
        return fit.training.y[:, 3].astype(np.int64)
    if strata is None:
        raise OptionError(
            f"the model has {len(known)} strata, each with a baseline of its own; give `strata`, "
            "the label of every new row's stratum."
        )
    labels = _given_labels(new, strata)
    place = {label: code for code, label in enumerate(known)}
    unknown: BoolArray = np.array([label not in place for label in labels], dtype=np.bool_)
    if len(labels) != n or unknown.any():
        came = f"{len(labels)} labels for {n} rows"
        if len(labels) == n:
            came = f"the label {labels[int(np.argmax(unknown))]!r}"
        shown = ", ".join(map(repr, known[:6])) + (", ..." if len(known) > 6 else "")
        raise OptionError(f"`strata` has {came}; give one of {shown} for every row.")
    return np.array([place[label] for label in labels], dtype=np.int64)


def _given_labels(new: Any, strata: Any) -> list[Any]:
    """Return labels as given, or of a column of the new rows."""
    try:
        given = new[strata] if isinstance(strata, str) else strata
        labels = given.tolist() if hasattr(given, "tolist") else list(given)
        hash(tuple(labels))
    except (KeyError, IndexError, TypeError):
        raise OptionError(
            f"`strata` is {strata!r}; give the label of every new row, or the name of a column of "
            "the new data that holds them."
        ) from None
    return labels
