"""Multi-response gaussian family: loss sum_k (y_k - eta_k)**2 / 2, one linear predictor each.

Responses are on the scales they come with, so that one in large units weighs more. Where a group
spans all of them (`class_groups="shared"`) it enters for all responses at once.

References: Obozinski, Wainwright & Jordan (2011), doi:10.1214/09-AOS776, for the shared groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from grpsparse.backend import Array, namespace
from grpsparse.errors import ResponseError
from grpsparse.families.gaussian import Gaussian

__all__ = ["MultiGaussian"]


@dataclass(frozen=True, slots=True)
class MultiGaussian(Gaussian):
    """Gaussian family of several responses with the identity link.

    Examples
    --------
    >>> import numpy as np
    >>> MultiGaussian().loss(np.array([[3.0, 1.0]]), np.array([[1.0, 0.0]]))
    array([2.5])
    """

    name: ClassVar[str] = "mgaussian"
    title: ClassVar[str] = "Multi-response Gaussian"

    def check_response(self, y: Array, weights: Array, *, name: str = "the response") -> None:
        """Raise ResponseError for a constant response among them."""
        xp = namespace(y)
        seen = y[weights > 0]
        low, high = xp.min(seen, axis=0), xp.max(seen, axis=0)
        for k in range(y.shape[1]):
            if float(low[k]) == float(high[k]):
                raise ResponseError(
                    f"{name}: response number {k + 1} of {y.shape[1]} is constant "
                    f"({float(low[k]):g} in every row of positive weight); leave it out."
                )
