"""Weights of groups: penalty factors times the root of degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grpsparse.design import Standardised
from grpsparse.families import n_outputs
from grpsparse.groups import FloatArray
from grpsparse.penalties import Penalty
from grpsparse.problem.smooth import Observed

__all__ = ["PenaltySpec", "group_weights"]


@dataclass(frozen=True, slots=True)
class PenaltySpec:
    """A penalty with what turns groups into weighted blocks.

    Parameters
    ----------
    penalty : Penalty
    factor : ndarray of shape (G,)
        Penalty factors; 0 leaves a group unpenalised.
    sqrt_df : bool
        Whether the base weight is sqrt(rank * K'); 1 otherwise.
    shared : bool
        Whether a block spans all classes.
    """

    penalty: Penalty
    factor: FloatArray
    sqrt_df: bool
    shared: bool


def group_weights(coordinates: Standardised, data: Observed, spec: PenaltySpec) -> FloatArray:
    """Return the weights w_g of groups, (G,), 0 for one without rank.

    Parameters
    ----------
    coordinates : Standardised
        Of the groups.
    data : Observed
    spec : PenaltySpec
    """
    if not spec.sqrt_df:
        return spec.factor * coordinates.present
    count = n_outputs(data.family, data.y)
    copies = 1
    if spec.shared and count > 1:
        copies = count - 1 if data.family.hessian == "softmax" else count
    weights: FloatArray = spec.factor * np.sqrt(coordinates.rank * copies)
    return weights
