"""Measures of prediction, and their losses row by row.

The conventions for classes are glmnet's: a deviance is ``2 (saturated - fitted log
likelihood)``, hence -2 log p of the observed class, with p clipped to [1e-5, 1 - 1e-5]; squared
and absolute errors of probabilities are summed over all classes, two of them in the binomial
family, so that the Brier score is the mean squared error.

References: Friedman, Hastie & Tibshirani (2010), doi:10.18637/jss.v033.i01; Brier (1950).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from grpsparse.errors import OptionError
from grpsparse.groups import FloatArray

__all__ = ["HasDeviance", "Measure", "measures_for", "resolve_measure", "row_losses"]

CLIP = 1e-5


class HasDeviance(Protocol):
    """A family, as far as a measure needs to know one."""

    @property
    def name(self) -> str:
        """Name of the family."""

    def deviance(self, y: FloatArray, mu: FloatArray) -> FloatArray:
        """Return the deviance of every row at the means."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure of prediction.

    Parameters
    ----------
    name : str
        What the user types.
    title : str
        What is printed.
    larger_is_better : bool
        True for the AUC and the concordance.
    by_rows : bool
        Whether the measure is a mean of row losses.
    beside_training : bool
        Whether held-out rows are judged beside the training rows: a partial likelihood.
    """

    name: str
    title: str
    larger_is_better: bool = False
    by_rows: bool = True
    beside_training: bool = False


_TITLES = {
    "deviance": "deviance",
    "class": "classification error",
    "auc": "AUC",
    "c_index": "concordance",
    "brier": "Brier score",
    "mse": "mean squared error",
    "mae": "mean absolute error",
}
_EPONYMS = {
    "gaussian": "Gaussian",
    "poisson": "Poisson",
    "huber": "Huber",
    "cox": "partial likelihood",
    "mgaussian": "Gaussian",
    "negative_binomial": "negative binomial",
}
_EVERY = ("deviance", "mse", "mae")
_ALLOWED = {
    "binomial": ("deviance", "class", "auc", "brier", "mse", "mae"),
    "multinomial": ("deviance", "class", "brier", "mse", "mae"),
    "sqrt_gaussian": ("mse", "mae"),  # its deviance is of all rows together
    "cox": ("deviance", "c_index"),
}


def measures_for(family_name: str) -> tuple[Measure, ...]:
    """Return every measure that a family can have, in the order of the documentation."""
    names = _ALLOWED.get(family_name, _EVERY)
    return tuple(resolve_measure(name, family_name) for name in names)


def resolve_measure(name: str, family_name: str) -> Measure:
    """Look up a measure by name.

    Parameters
    ----------
    name : str
        ``"deviance" "class" "auc" "brier" "mse" "mae" "c_index"``.
    family_name : str
        Name of the family, which decides what is allowed and the title.

    Returns
    -------
    Measure

    Raises
    ------
    OptionError
        If there is no such measure, or the family can't have it.

    Examples
    --------
    >>> resolve_measure("deviance", "multinomial").title
    'multinomial deviance'
    """
    allowed = _ALLOWED.get(family_name, _EVERY)
    if name not in allowed:
        problem = f"is not for the {family_name} family" if name in _TITLES else "is not a measure"
        wanted = ", ".join(repr(each) for each in allowed)
        raise OptionError(
            f"`measure` {name!r} {problem}; the {family_name} family can have {wanted}."
        )
    title = _TITLES[name]
    if name == "deviance":
        title = f"{_EPONYMS.get(family_name, family_name)} {title}"
    ranks = name in {"auc", "c_index"}
    joint = name == "deviance" and family_name == "cox"
    return Measure(
        name, title, larger_is_better=ranks, by_rows=not (ranks or joint), beside_training=joint
    )


def row_losses(
    measure: Measure, family: str | HasDeviance, y: FloatArray, mu: FloatArray
) -> FloatArray:
    """Compute the loss of every row at every lambda.

    Parameters
    ----------
    measure : Measure
        A measure that is a mean over rows.
    family : str or family
        ``"gaussian" "binomial" "multinomial" "poisson"``; for the deviance of any other
        family the object itself.
    y : ndarray of shape (n, K)
        Encoded response: one-hot rows for several classes, proportions for two.
    mu : ndarray of shape (n, K, L)
        Predicted means; the probability of the second class for two.

    Returns
    -------
    ndarray of shape (n, L)

    Raises
    ------
    OptionError
        For a measure that is not a mean over rows.
    """
    name = family if isinstance(family, str) else family.name
    if name == "binomial":
        y = np.concatenate([1.0 - y, y], axis=1)
        mu = np.concatenate([1.0 - mu, mu], axis=1)
    if not measure.by_rows:
        raise OptionError(f"{measure.title} is not a mean over rows; use `score_fold`.")
    if measure.name == "deviance" and name not in _DEVIANCES:
        if isinstance(family, str):
            raise OptionError(
                f"there is no deviance for the family named {name!r}; give the family itself."
            )
        columns = [family.deviance(y, mu[:, :, each]) for each in range(mu.shape[2])]
        return np.stack(columns, axis=1)
    loss = _DEVIANCES[name] if measure.name == "deviance" else _LOSSES[measure.name]
    return loss(y, mu)


def _xlogy(x: FloatArray, y: FloatArray) -> FloatArray:
    positive = x > 0
    result: FloatArray = np.where(positive, x * np.log(np.where(positive, y, 1.0)), 0.0)
    return result


def _class_deviance(y: FloatArray, mu: FloatArray) -> FloatArray:
    fitted = np.einsum("nk,nkl->nl", y, np.log(np.clip(mu, CLIP, 1.0 - CLIP)))
    saturated = _xlogy(y, y).sum(axis=1, keepdims=True)
    deviance: FloatArray = 2.0 * (saturated - fitted)
    return deviance


def _class_error(y: FloatArray, mu: FloatArray) -> FloatArray:
    return 1.0 - np.take_along_axis(y, mu.argmax(axis=1), axis=1)


def _poisson_deviance(y: FloatArray, mu: FloatArray) -> FloatArray:
    y = y[:, :, None]
    ratio = y / np.maximum(mu, np.finfo(np.float64).tiny)
    deviance: FloatArray = np.sum(2.0 * (_xlogy(y, ratio) - (y - mu)), axis=1)
    return deviance


def _squared_error(y: FloatArray, mu: FloatArray) -> FloatArray:
    error: FloatArray = np.sum((mu - y[:, :, None]) ** 2, axis=1)
    return error


def _absolute_error(y: FloatArray, mu: FloatArray) -> FloatArray:
    error: FloatArray = np.sum(np.abs(mu - y[:, :, None]), axis=1)
    return error


_RowLoss = Callable[[FloatArray, FloatArray], FloatArray]
_DEVIANCES: dict[str, _RowLoss] = {
    "gaussian": _squared_error,
    "binomial": _class_deviance,
    "multinomial": _class_deviance,
    "poisson": _poisson_deviance,
}
_LOSSES: dict[str, _RowLoss] = {
    "class": _class_error,
    "brier": _squared_error,
    "mse": _squared_error,
    "mae": _absolute_error,
}
