"""DataFrames: coefficients, norms, and broom's three verbs tidy, glance and augment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from grpsparse.groups import FloatArray
from grpsparse.results.classes import classes_of, output_name
from grpsparse.results.norms import norms_at
from grpsparse.results.predict import means
from grpsparse.results.report import report
from grpsparse.results.residuals import deviance_at, training_predictor

if TYPE_CHECKING:
    import pandas as pd

    from grpsparse.results.cv_fit import CVFit
    from grpsparse.results.path_fit import PathFit
    from grpsparse.results.points import Points

__all__ = [
    "augment_path",
    "class_labels",
    "coef_table",
    "glance_cv",
    "glance_path",
    "norm_table",
    "tidy_cv",
    "tidy_path",
]


def class_labels(fit: PathFit) -> list[Any]:
    """Return the name of every linear predictor: classes, or "coef" where there is one."""
    n_classes = fit.raw_intercept.shape[1]
    if n_classes == 1:
        return ["coef"]
    return list(fit.classes) if fit.classes is not None else list(range(n_classes))


def coef_table(fit: PathFit, points: Points) -> pd.DataFrame:
    """Make the table of `PathFit.coef`."""
    import pandas as pd

    values, rows = _reported(fit, points)
    index = pd.MultiIndex.from_tuples(rows, names=["term", "column"])
    return _frame(values, index, fit=fit, points=points)


def norm_table(fit: PathFit, points: Points) -> pd.Series | pd.DataFrame:
    """Make the table of `PathFit.term_norms`."""
    import pandas as pd

    norms = norms_at(fit, points)
    index = pd.Index(fit.terms, name="term")
    if norms.ndim == 3:
        return _frame(norms, index, fit=fit, points=points)
    if points.single:
        return pd.Series(norms[0], index=index, name="norm")
    return pd.DataFrame(norms.T, index=index, columns=pd.Index(points.values, name="lambda_"))


def tidy_path(fit: PathFit, points: Points, *, zeros: bool) -> pd.DataFrame:
    """Make the long table of `PathFit.tidy`."""
    import pandas as pd

    values, rows = _reported(fit, points)
    n_classes = values.shape[2]
    terms, columns = (np.array(part, dtype=object) for part in zip(*rows, strict=True))
    keep = np.ones(values.shape, dtype=np.bool_) if zeros else values != 0
    point, row, label = np.nonzero(keep)
    data: dict[str, Any] = {
        "lambda_": points.values[point],
        "term": terms[row],
        "column": columns[row],
    }
    if n_classes > 1:
        names = np.empty(n_classes, dtype=object)
        names[:] = class_labels(fit)
        data[output_name(fit)] = names[label]
    ratio = 1.0 - deviance_at(fit, points) / fit.null_deviance
    data |= {"estimate": values[keep], "dev_ratio": ratio[point]}
    return pd.DataFrame(data).infer_objects()


def glance_path(fit: PathFit) -> pd.DataFrame:
    """Make the one row of `PathFit.glance`."""
    import pandas as pd

    row = {
        "family": fit.family.name,
        "penalty": fit.penalty.name,
        "nobs": fit.nobs,
        "n_columns": len(fit.columns),
        "n_terms": len(fit.terms),
        "n_lambda": int(fit.lambda_.size),
        "lambda_first": float(fit.lambda_[0]),
        "lambda_last": float(fit.lambda_[-1]),
        "null_deviance": float(fit.null_deviance),
        "dev_ratio": float(fit.dev_ratio[-1]),
        "n_not_converged": int(np.sum(~fit.converged)),
        "certificate_kind": fit.certificate_kind,
        "certificate": float(np.max(fit.certificate)),
    }
    return pd.DataFrame([row])


def augment_path(fit: PathFit, points: Points) -> pd.DataFrame:
    """Make the table of `PathFit.augment`."""
    import pandas as pd

    training = fit.training
    eta = training_predictor(fit, points)
    mean = means(fit, eta)
    index = range(fit.nobs) if training.index is None else training.index
    frames = []
    for point, at in enumerate(points.values):
        data: dict[str, Any] = {} if points.single else {"lambda_": np.full(fit.nobs, at)}
        if fit.settings.baseline:
            data |= _survival(fit, eta[:, :, point : point + 1])
        else:
            data |= _fitted(fit, mean[:, :, point])
        if np.any(training.weights != 1):
            data["weights"] = training.weights
        frames.append(pd.DataFrame(data, index=index))
    return frames[0] if points.single else pd.concat(frames)


def tidy_cv(cv: CVFit) -> pd.DataFrame:
    """Make the table of `CVFit.tidy`."""
    import pandas as pd

    return pd.DataFrame(
        {
            "lambda_": cv.lambda_,
            "cv_mean": cv.cv_mean,
            "cv_se": cv.cv_se,
            "n_terms": cv.n_terms,
            "df": cv.path.df,
            "dev_ratio": cv.path.dev_ratio,
        }
    )


def glance_cv(cv: CVFit) -> pd.DataFrame:
    """Make the one row of `CVFit.glance`."""
    chosen: dict[str, Any] = {"measure": cv.measure, "n_folds": cv.n_folds}
    for name, place in (("min", cv.index_min), ("1se", cv.index_1se)):
        chosen[f"lambda_{name}"] = float(cv.lambda_[place])
        chosen[f"cv_mean_{name}"] = float(cv.cv_mean[place])
        chosen[f"cv_se_{name}"] = float(cv.cv_se[place])
        chosen[f"n_terms_{name}"] = int(cv.n_terms[place])
    frame = glance_path(cv.path)
    for place, (name, value) in enumerate(chosen.items()):
        frame.insert(place, name, value)
    return frame


def _reported(fit: PathFit, points: Points) -> tuple[FloatArray, list[tuple[str, str]]]:
    """Return reported coefficients (M, rows, K) and their (term, column), Intercept first."""
    coef, intercept = report(
        fit.layout, points.take(fit.raw_coef), points.take(fit.raw_intercept), leak=fit.leak
    )
    names = fit.terms
    rows = [
        (names[term], column)
        for term, column in zip(fit.layout.term.tolist(), fit.columns, strict=True)
    ]
    if not fit.settings.intercept:
        return coef, rows
    stacked = np.concatenate([intercept[:, None, :], coef], axis=1)
    return stacked, [("Intercept", "Intercept"), *rows]


def _frame(values: FloatArray, index: Any, *, fit: PathFit, points: Points) -> pd.DataFrame:
    """Make a table of values (M, rows, K): a column per class or response, below it per lambda."""
    import pandas as pd

    labels = class_labels(fit)
    if points.single:
        name = None if len(labels) == 1 else output_name(fit)
        return pd.DataFrame(values[0], index=index, columns=pd.Index(labels, name=name))
    at = pd.Index(points.values, name="lambda_")
    columns: Any = at
    if len(labels) > 1:
        columns = pd.MultiIndex.from_product([labels, at], names=[output_name(fit), "lambda_"])
    wide = np.moveaxis(values, 0, 2).reshape(values.shape[1], -1)
    return pd.DataFrame(wide, index=index, columns=columns)


def _fitted(fit: PathFit, mean: FloatArray) -> dict[str, Any]:
    """Return response, fitted values and residuals of the rows, as columns."""
    y, classes, name = fit.training.y, classes_of(fit), fit.model.response
    if y.shape[1] == 1:
        observed = y[:, 0]
        data: dict[str, Any] = {name: observed}
        if classes is not None and np.isin(observed, (0.0, 1.0)).all():
            data[name] = _named(classes, observed.astype(int))
        return data | {"fitted": mean[:, 0], "residual": observed - mean[:, 0]}
    labels = class_labels(fit)
    if classes is None:
        return {
            f"{part}[{label}]": values[:, place]
            for part, values in ((name, y), ("fitted", mean), ("residual", y - mean))
            for place, label in enumerate(labels)
        }
    chances = {f"fitted[{label}]": mean[:, place] for place, label in enumerate(labels)}
    observed, predicted = y.argmax(axis=1), mean.argmax(axis=1)
    return {
        name: _named(classes, observed),
        "class": _named(classes, predicted),
        **chances,
        "residual": 1.0 - mean[np.arange(observed.size), observed],
    }


def _survival(fit: PathFit, eta: FloatArray) -> dict[str, Any]:
    """Return times, events, relative risks and martingale residuals of the rows, as columns."""
    from grpsparse.results.survival import counts, strata_of

    start, stop = fit.training.y[:, 0], fit.training.y[:, 1]
    data: dict[str, Any] = {"start": start} if np.isfinite(start).any() else {}
    events, expected = counts(fit, eta)
    data |= {"time": stop, "event": events[:, 0] == 1.0} | strata_of(fit)
    risk = means(fit, eta)[:, 0, 0]
    residual = events[:, 0] - expected[:, 0, 0]
    return data | {"fitted": risk, "expected": expected[:, 0, 0], "residual": residual}


def _named(classes: tuple[Any, ...], codes: Any) -> Any:
    """Return class names of positions, of the dtype of the names."""
    import pandas as pd

    return pd.Series(list(classes)).to_numpy()[codes]
