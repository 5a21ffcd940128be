"""Latent group lasso: groups may overlap, and coefficients are sums over their groups.

    Omega(b) = min { sum_g w_g ||v_g|| : sum_g v_g = b, v_g zero outside of group g }

Every group has coefficients v_g of its own, on which this is the group lasso: a column is
selected where any group that holds it is, so that supports are unions of groups. The dual ball
is ``||(Z'W theta)_g|| <= w_g`` for all g.

References: Jacob, Obozinski & Vert (2009), doi:10.1145/1553374.1553431; Obozinski, Jacob & Vert
(2011), arXiv:1110.0413; Lim & Hastie (2015), doi:10.1080/10618600.2014.938812, for interactions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from grpsparse.penalties.lasso import GroupLasso

__all__ = ["LatentGroupLasso"]


@dataclass(frozen=True, slots=True, repr=False)
class LatentGroupLasso(GroupLasso):
    """Group lasso on latent coefficients, for groups that overlap.

    Of one block, and of groups that do not overlap, it is the group lasso.

    Examples
    --------
    >>> LatentGroupLasso().prox([3.0, 4.0], 1.0, 2.5)
    array([1.5, 2. ])
    """

    name: ClassVar[str] = "latent_group_lasso"
    title: ClassVar[str] = "latent group lasso"
    overlap: ClassVar[str] = "latent"
