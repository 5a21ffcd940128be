"""Predict from the coefficients of a path, for the rows that were fitted or for new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from grpsparse.errors import OptionError, WeightsError
from grpsparse.groups import BoolArray, FloatArray
from grpsparse.results.choice import places
from grpsparse.results.classes import classes_of, output_name
from grpsparse.results.norms import contribution
from grpsparse.results.points import LambdaLike, Points
from grpsparse.results.report import constants, effective

if TYPE_CHECKING:
    import pandas as pd

    from grpsparse.results.path_fit import PathFit

__all__ = ["linear_predictor", "means", "new_rows", "predict", "predict_terms"]

TYPES = ("response", "link", "class", "terms")


def predict(
    fit: PathFit,
    new: Any = None,
    *,
    lambda_: LambdaLike = None,
    type: str = "response",  # noqa: A002
    offset: Any = None,
    unseen: str = "raise",
) -> Any:
    """Predict as `PathFit.predict` documents."""
    check_type(fit, type)
    points = places(fit, lambda_)
    X, complete, index, shift = new_rows(fit, new, offset=offset, unseen=unseen)
    if type == "terms":
        return predict_terms(fit, points, X, complete=complete, index=index, offset=shift)
    eta = linear_predictor(
        X, points.take(fit.raw_coef), points.take(fit.raw_intercept), leak=fit.leak, offset=shift
    )
    if type == "class":
        return squeeze(_labels(fit, means(fit, eta), complete), points)
    values = eta if type == "link" else means(fit, eta)
    values[~complete] = np.nan
    return squeeze(values, points)


def check_type(fit: PathFit, wanted: str) -> None:
    """Raise unless the type of prediction exists, for this family."""
    if wanted not in TYPES:
        raise OptionError(f"`type` is {wanted!r}; give one of {', '.join(map(repr, TYPES))}.")
    if wanted == "class" and classes_of(fit) is None:
        raise OptionError(
            f"`type` is 'class', but the response of this {fit.family.name} fit has no classes; "
            "use 'response' or 'link'."
        )


def new_rows(
    fit: PathFit, new: Any, *, offset: Any = None, unseen: str = "raise"
) -> tuple[Any, BoolArray, Any, FloatArray | None]:
    """Build what the linear predictor of rows needs.

    Returns
    -------
    X : matrix of shape (m, p)
        Design columns.
    complete : ndarray of bool, shape (m,)
        False where a variable or the offset is missing.
    index : Index, array or None
        Labels of the rows.
    offset : ndarray of shape (m, K), optional
        The offset, 0 where missing.
    """
    if unseen not in {"raise", "shrink"}:
        raise OptionError(f"`unseen` is {unseen!r}; give 'raise' or 'shrink'.")
    training = fit.training
    if new is None:
        X, index = training.X, training.index
        complete = np.ones(X.shape[0], dtype=np.bool_)
        shift = training.offset if offset is None else _offset(fit, new, offset, X.shape[0])
    else:
        X, complete, index = fit.model.matrix(new, unseen=unseen)
        shift = _offset(fit, new, offset, X.shape[0])
    if shift is not None:
        missing: BoolArray = np.any(np.isnan(shift), axis=1)
        complete = complete & ~missing
        shift = np.where(missing[:, None], 0.0, shift)
    return X, complete, index, shift


def linear_predictor(
    X: Any,
    coef: FloatArray,
    intercept: FloatArray,
    *,
    leak: Any = None,
    offset: FloatArray | None = None,
) -> FloatArray:
    """Compute the linear predictor of rows at M points of a path.

    Parameters
    ----------
    X : matrix of shape (m, p)
        Design columns, dense or sparse.
    coef : ndarray of shape (M, p, K)
        Coefficients of the design columns.
    intercept : ndarray of shape (M, K)
        Intercepts.
    leak : sparse matrix of shape (p, p), optional
        Shift of the margins by their interactions.
    offset : ndarray of shape (m, K), optional
        Added as it is.

    Returns
    -------
    ndarray of shape (m, K, M)
    """
    coef = effective(coef, leak)
    n_points, n_columns, n_classes = coef.shape
    wide = np.moveaxis(coef, 0, 2).reshape(n_columns, n_classes * n_points)
    active = np.flatnonzero(wide.any(axis=1))
    columns = X if active.size == n_columns else X[:, active]
    eta = np.asarray(columns @ wide[active], dtype=np.float64)
    eta = eta.reshape(X.shape[0], n_classes, n_points) + intercept.T
    return eta if offset is None else eta + offset[:, :, None]


def means(fit: PathFit, eta: FloatArray) -> FloatArray:
    """Return the means (m, K, M) of linear predictors (m, K, M)."""
    out = np.empty_like(eta)
    for point in range(eta.shape[2]):
        out[:, :, point] = fit.family.mean(np.ascontiguousarray(eta[:, :, point]))
    return out


def predict_terms(
    fit: PathFit,
    points: Points,
    X: Any,
    *,
    complete: BoolArray,
    index: Any,
    offset: FloatArray | None,
) -> pd.DataFrame:
    """Split the linear predictor into its terms; each row sums to it."""
    import pandas as pd

    coef, intercept = points.take(fit.raw_coef), points.take(fit.raw_intercept)
    moved = constants(fit.layout, effective(coef, fit.leak))
    parts: dict[str, FloatArray] = {}
    total = intercept + sum(moved.values())
    if fit.settings.intercept:
        parts["Intercept"] = np.broadcast_to(total, (X.shape[0], *total.shape))
    for position, term in enumerate(fit.model.terms):
        values = np.stack([contribution(X, term, each, leak=fit.leak) for each in coef], axis=1)
        parts[term.name] = values - moved[position] if position in moved else values
        if fit.settings.baseline:
            parts[term.name] = values - _training_means(fit, term, coef)
    if offset is not None:
        offset = offset - _offset_mean(fit)
        parts["offset"] = np.repeat(offset[:, None, :], len(points.values), axis=1)
    data: dict[Any, FloatArray] = {}
    for class_position, label in enumerate(fit.classes or (None,)):
        if class_position >= intercept.shape[1]:
            break
        for name, values in parts.items():
            for point, at in enumerate(points.values):
                key = _key(fit, name, label, None if points.single else float(at))
                data[key] = np.where(complete, values[:, point, class_position], np.nan)
    frame = pd.DataFrame(data, index=_row_index(index, X.shape[0]))
    if isinstance(frame.columns, pd.MultiIndex):
        frame.columns = frame.columns.set_names(_level_names(fit, points))
    return frame


def _training_means(fit: PathFit, term: Any, coef: FloatArray) -> FloatArray:
    """Return the weighted means (M, K) of a term's part over the rows as fitted."""
    share = fit.training.weights / fit.training.weights.sum()
    return np.stack(
        [share @ contribution(fit.training.X, term, each, leak=fit.leak) for each in coef]
    )


def _offset_mean(fit: PathFit) -> Any:
    """Return what a baseline takes of an offset: its weighted mean over the rows as fitted."""
    if not fit.settings.baseline or fit.training.offset is None:
        return 0.0
    return fit.training.weights @ fit.training.offset / fit.training.weights.sum()


def squeeze(values: Any, points: Points) -> Any:
    """Drop the class axis (the second) where it has length 1, and the lambda axis of one point."""
    if values.shape[1] == 1:
        values = values[:, 0]
    return values[..., 0] if points.single else values


def _labels(fit: PathFit, mean: FloatArray, complete: BoolArray) -> Any:
    """Return the predicted classes (m, 1, M) as objects, None where a row is not complete."""
    names = np.empty(len(fit.classes or ()), dtype=object)
    names[:] = fit.classes
    codes = (mean[:, 0] > 0.5).astype(int) if mean.shape[1] == 1 else mean.argmax(axis=1)
    labels = names[codes]
    labels[~complete] = None
    return labels[:, None, :]


def _key(fit: PathFit, name: str, label: Any, at: float | None) -> Any:
    """Return a column label: term, then class and lambda where there are several."""
    key: tuple[Any, ...] = (name,)
    if fit.raw_coef.shape[2] > 1:
        key = (label, name)
    if at is not None:
        key = (*key, at)
    return key if len(key) > 1 else name


def _level_names(fit: PathFit, points: Points) -> list[str]:
    """Return the names of the levels of the column labels."""
    names = [output_name(fit), "term"] if fit.raw_coef.shape[2] > 1 else ["term"]
    return names if points.single else [*names, "lambda_"]


def _row_index(index: Any, n_rows: int) -> Any:
    """Return labels for a DataFrame's rows."""
    return range(n_rows) if index is None else index


def _offset(fit: PathFit, new: Any, offset: Any, n_rows: int) -> FloatArray | None:
    """Return the offset (m, K) of rows: as given, looked up again, or none."""
    name = offset if isinstance(offset, str) else None
    if offset is None:
        if fit.training.offset is None:
            return None
        name = fit.training.offset_name
        if name is None:
            raise WeightsError(
                "the fit had an offset that was given as an array, so new rows need one too; "
                f"give `offset` with {n_rows} values (zeros for none)."
            )
    n_classes = fit.raw_intercept.shape[1]
    if name is not None and new is None:
        raise WeightsError(
            f"`offset` names the column {name!r}, but no new data were given; leave it out to "
            "use the offset of the fit, or give an array."
        )
    given = fit.model.column(new, name) if name is not None else offset
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise WeightsError(
            f"`offset` is not numeric ({type(given).__name__}); give {n_rows} numbers."
        ) from None
    if values.ndim <= 1:
        values = values.reshape(-1, 1)
    if values.ndim != 2 or values.shape[0] != n_rows or values.shape[1] not in {1, n_classes}:
        raise WeightsError(
            f"`offset` has shape {np.shape(given)} for {n_rows} rows and {n_classes} linear "
            f"predictors; give an array of shape ({n_rows},) or ({n_rows}, {n_classes})."
        )
    if np.isinf(values).any():
        raise WeightsError("`offset` has infinite values; give finite numbers.")
    return np.broadcast_to(values, (n_rows, n_classes))
