"""Adaptive group lasso, p(t; l) = l t with weights from a first fit: w_g (max_h r_h / r_g)**gamma.

r_g is the norm of group g in the first fit, so that large groups are shrunk less and groups
that it leaves out stay out. Given the weights it is the group lasso: convex, with its dual.

The first fit is the group lasso with the base weights at 5% of its lambda_max, in place of the
unpenalised fit of the references: it is finite also where classes separate or columns outnumber
rows, and leaves out most groups of noise. It is a function of the rows and weights alone, made
anew for every fold and replicate. Dividing by the largest norm only puts lambda on the usual
scale.

References: Zou (2006), doi:10.1198/016214506000000735; Wang & Leng (2008),
doi:10.1016/j.csda.2008.05.006; Wei & Huang (2010), doi:10.3150/10-BEJ252, for a group lasso first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from grpsparse.groups import FloatArray
from grpsparse.penalties.checks import check_number
from grpsparse.penalties.lasso import GroupLasso

__all__ = ["AdaptiveGroupLasso"]

OUT = 1e10  # factor of a group that stays out, finite so that it can be multiplied by 0


@dataclass(frozen=True, slots=True, repr=False)
class AdaptiveGroupLasso(GroupLasso):
    """Adaptive group lasso.

    The weights are on the fit as ``group_weights``, and certificates are those of the group
    lasso with these weights. At lambda 0 every group is in, also those that the first fit left
    out.

    Parameters
    ----------
    gamma : float
        Power of the first fit's norms, above 0.

    Raises
    ------
    PenaltyError
        If gamma is not positive.

    Examples
    --------
    >>> AdaptiveGroupLasso(gamma=2.0).factors([4.0, 2.0, 1.0])
    array([ 1.,  4., 16.])
    """

    gamma: float = 1.0

    name: ClassVar[str] = "adaptive_group_lasso"
    title: ClassVar[str] = "adaptive group lasso"
    adaptive: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_number(self, "gamma", lambda x: x > 0.0, "a positive number")

    def factors(self, norms: ArrayLike) -> FloatArray:
        """Return what multiplies the weights of groups with these norms in the first fit.

        Parameters
        ----------
        norms : array_like of shape (G,)
            Norms, at least 0.

        Returns
        -------
        ndarray of shape (G,)
            From 1 for the largest norm up to 1e10, which keeps a group out.
        """
        size = np.asarray(norms, dtype=float)
        share = size / np.max(size, initial=0.0) if size.any() else np.ones_like(size)
        least: float = OUT ** (-1.0 / self.gamma)
        factors: FloatArray = np.maximum(share, least) ** -self.gamma
        return factors
