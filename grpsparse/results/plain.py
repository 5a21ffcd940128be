"""Results as plain JSON types, for other programs to read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from grpsparse.results.printing import cv_notes, cv_warnings

if TYPE_CHECKING:
    from grpsparse.results.cv_fit import CVFit
    from grpsparse.results.path_fit import PathFit

__all__ = ["cv_record", "path_record", "plain"]


def path_record(fit: PathFit) -> dict[str, Any]:
    """Describe a path in JSON types."""
    rows = zip(fit.lambda_, fit.n_terms, fit.df, fit.dev_ratio, fit.certificate, strict=True)
    names = ("lambda", "n_terms", "nonzero", "dev_ratio", "certificate")
    return _described(fit, fit.settings.call) | {
        "null_deviance": float(fit.null_deviance),
        "certificate_kind": fit.certificate_kind,
        "converged": bool(fit.converged.all()),
        "table": [dict(zip(names, map(plain, row), strict=True)) for row in rows],
        "coefficients": _coefficients(fit, float(fit.lambda_[-1])),
    }


def cv_record(cv: CVFit) -> dict[str, Any]:
    """Describe a cross-validated path in JSON types; coefficients are those at lambda_1se."""
    rows = zip(cv.lambda_, cv.cv_mean, cv.cv_se, cv.n_terms, cv.path.df, strict=True)
    names = ("lambda", "cv_mean", "cv_se", "n_terms", "nonzero")
    return _described(cv.path, cv.call) | {
        "measure": cv.measure,
        "n_folds": cv.n_folds,
        "seed": cv.seed,
        "lambda_min": cv.lambda_min,
        "lambda_1se": cv.lambda_1se,
        "index_min": int(cv.index_min),
        "index_1se": int(cv.index_1se),
        "table": [dict(zip(names, map(plain, row), strict=True)) for row in rows],
        "warnings": cv_warnings(cv),
        "selected": {"min": cv.selected("min"), "1se": cv.selected("1se")},
        "coefficients": _coefficients(cv.path, cv.lambda_1se),
        "notes": cv_notes(cv),
    }


def _described(fit: PathFit, call: str) -> dict[str, Any]:
    return {
        "call": call,
        "family": fit.family.name,
        "penalty": fit.penalty.name,
        "classes": None if fit.classes is None else [plain(label) for label in fit.classes],
        "nobs": fit.nobs,
        "terms": list(fit.terms),
        "columns": list(fit.columns),
        "notes": list(fit.settings.notes),
    }


def _coefficients(fit: PathFit, lambda_: float) -> list[dict[str, Any]]:
    table = fit.coef(lambda_)
    labels = [plain(label) for label in table.columns]
    rows = []
    for key, row in zip(table.index, table.to_numpy(), strict=True):
        values = [plain(value) for value in row]
        estimate = (
            values[0] if len(values) == 1 else dict(zip(map(str, labels), values, strict=True))
        )
        rows.append({"term": key[0], "column": key[1], "estimate": estimate})
    return rows


def plain(value: Any) -> Any:
    """Return a value that JSON has: null for NaN, text for what is no number."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
