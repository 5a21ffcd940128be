"""The scale of the errors along a path, of families that estimate it with the coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grpsparse.families import ScaleFamily, among
from grpsparse.groups import FloatArray
from grpsparse.results.points import Points
from grpsparse.results.residuals import training_predictor

if TYPE_CHECKING:
    from grpsparse.results.path_fit import PathFit

__all__ = ["at_floor", "scale_at", "scale_path"]

CHUNK = 4_000_000  # entries of linear predictors held at a time


def scale_at(fit: PathFit, points: Points) -> FloatArray | None:
    """Return the scale at places on a path, (M, 1) or (M, K); None where there is none."""
    y = fit.training.y
    family = among(fit.family, y, fit.training.weights)
    if not isinstance(family, ScaleFamily):
        return None
    eta = training_predictor(fit, points)
    return np.stack([family.scale(y, eta[:, :, m]) for m in range(eta.shape[2])])


def at_floor(fit: PathFit, scale: FloatArray) -> bool:
    """Return whether any of the scales at one place (1,) or (K,) is the smallest allowed."""
    return bool(np.any(scale <= np.asarray(getattr(fit.family, "sigma0", 0.0))))


def scale_path(fit: PathFit) -> FloatArray | None:
    """Return the scale of every solution, (L,) or (L, K); None where there is none."""
    if not isinstance(fit.family, ScaleFamily):
        return None
    step = max(1, CHUNK // max(fit.training.y.size, 1))
    parts = []
    for first in range(0, fit.lambda_.size, step):
        chosen = np.arange(first, min(first + step, fit.lambda_.size))
        values, none = fit.lambda_[chosen], np.zeros(chosen.size)
        parts.append(scale_at(fit, Points(values, chosen, chosen, none, single=False)))
    scale = np.concatenate([part for part in parts if part is not None])
    return scale[:, 0] if scale.shape[1] == 1 else scale
