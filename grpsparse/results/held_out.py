"""Out-of-fold predictions: confusion of classes, and every measure of a family."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grpsparse.errors import OptionError
from grpsparse.groups import FloatArray
from grpsparse.results.classes import classes_of
from grpsparse.results.points import locate

if TYPE_CHECKING:
    import pandas as pd

    from grpsparse.results.cv_fit import CVFit

__all__ = ["confusion", "measures", "out_of_fold"]


def out_of_fold(cv: CVFit, lambda_: float) -> FloatArray:
    """Return the out-of-fold means (n, K) of the rows as fitted, at any lambda.

    Raises
    ------
    OptionError
        If the predictions at this lambda were not kept.
    """
    points = locate(cv.lambda_, lambda_)
    left, right = int(points.left[0]), int(points.right[0])
    kept = cv.oof_index.tolist()
    if left not in kept or right not in kept:
        raise OptionError(
            f"out-of-fold predictions at lambda_ = {lambda_:g} were not kept, because those of the "
            "whole path would take more than 1 GB; use '1se' or 'min'."
        )
    stored = cv.oof[cv.path.training.rows]
    share = float(points.fraction[0])
    low, high = stored[..., kept.index(left)], stored[..., kept.index(right)]
    values: FloatArray = low if left == right else (1.0 - share) * low + share * high
    return values.reshape(values.shape[0], -1)


def confusion(cv: CVFit, lambda_: float) -> pd.DataFrame:
    """Cross-tabulate as `CVFit.confusion` documents."""
    from grpsparse.measures import confusion_matrix

    path = cv.path
    classes = classes_of(path)
    if classes is None:
        raise OptionError(
            f"the response of this {path.family.name} fit has no classes to confuse; use "
            "`measures()` for its errors."
        )
    y, mean = path.training.y, out_of_fold(cv, lambda_)
    if y.shape[1] == 1:
        if not np.isin(y, (0.0, 1.0)).all():
            raise OptionError(
                "the response is made of proportions, which are not classes; use `measures()`."
            )
        observed, predicted = (values[:, 0] > 0.5 for values in (y, mean))
    else:
        observed, predicted = y.argmax(axis=1), mean.argmax(axis=1)
    weights = path.training.weights
    return confusion_matrix(
        observed.astype(np.int64),
        np.where(np.isnan(mean).any(axis=1), -1, predicted).astype(np.int64),
        classes,
        None if np.all(weights == 1) else weights,
    )


def _of_curve(cv: CVFit, name: str) -> list[float]:
    """Return a measure of whole folds from the curve: out-of-fold predictions do not tell it."""
    if cv.measure != name:
        return [np.nan] * 4
    chosen = (cv.index_min, cv.index_1se)
    return [float(part[place]) for place in chosen for part in (cv.cv_mean, cv.cv_se)]


def measures(cv: CVFit) -> pd.DataFrame:
    """Compute every measure as `CVFit.measures` documents."""
    import pandas as pd

    from grpsparse.measures import cv_curve, measures_for, score_folds

    path = cv.path
    mean = np.stack([out_of_fold(cv, at) for at in (cv.lambda_min, cv.lambda_1se)], axis=2)
    rows: dict[str, list[float]] = {}
    for measure in measures_for(path.family.name):
        if measure.beside_training:
            rows[measure.name] = _of_curve(cv, measure.name)
            continue
        try:
            scores = score_folds(
                measure,
                path.family,
                path.training.y,
                mean,
                weights=path.training.weights,
                assignment=cv.plan.assignment,
            )
        except OptionError:  # an AUC that is not defined on these folds
            rows[measure.name] = [np.nan] * 4
            continue
        average, error = cv_curve(scores.values, scores.weights)
        rows[measure.name] = [average[0], error[0], average[1], error[1]]
    columns = ["min", "min_se", "1se", "1se_se"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("measure")
