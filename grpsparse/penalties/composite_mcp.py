"""Composite MCP: an MCP of group sums of MCPs, p(b) = M(sum_j M(|b_j|; L, g); L, m g L / 2).

M(t; L, a) = L t - t**2 / (2 a) up to t = a L and constant beyond, L = sqrt(l), g is gamma, and m
the number of coefficients of the block. The slope is l where the block is zero; it falls with
every coefficient, and is zero for the whole block once all of them are past g L, where the outer
function becomes flat too. Outside the gaussian family P(v b; l) / v takes its place, v the
curvature of the loss, as for MCP.

References: Breheny & Huang (2009), doi:10.4310/SII.2009.v2.n3.a10; Huang, Breheny & Ma (2012),
doi:10.1214/12-STS392, for its name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from typing import ClassVar

import numpy as np

from grpsparse.backend import Array, codes, namespace
from grpsparse.groups import FloatArray
from grpsparse.penalties.block import Rescaled
from grpsparse.penalties.checks import check_number
from grpsparse.penalties.dual import largest
from grpsparse.penalties.nested import NestedFunctions
from grpsparse.penalties.protocol import Curve

__all__ = ["CompositeMCP"]

FULL = 1.0 - 1e-13  # of the outer plateau, where rounding of a sum may end


@dataclass(frozen=True, slots=True, repr=False)
class CompositeMCP(Rescaled, NestedFunctions):
    """Composite MCP.

    With several classes a block is all coefficients of its columns: m counts columns times
    classes where classes are shared. The square root of the level makes gamma depend on the
    units of the response.

    Parameters
    ----------
    gamma : float
        Concavity, above 1.
    rescale : bool
        Whether a family may rescale the penalty by its curvature.
    scale : float
        The curvature v; set by :meth:`rescaled`, not by users.

    Raises
    ------
    PenaltyError
        If a parameter is out of its range.

    Examples
    --------
    >>> CompositeMCP(gamma=3.0).value([4.0, 3.0], 1.0)
    1.5
    >>> CompositeMCP(gamma=3.0).prox([4.0, 0.5], 1.0, 1.0)
    array([4., 0.])
    """

    gamma: float = 3.0
    rescale: bool = True
    scale: float = field(default=1.0, kw_only=True)

    name: ClassVar[str] = "composite_mcp"
    title: ClassVar[str] = "composite MCP"

    def __post_init__(self) -> None:
        check_number(self, "gamma", lambda x: x > 1.0, "a number above 1")
        self.check_rescaling()

    def inner(self, size: Array, level: Array) -> Curve:
        """Return the MCP of level sqrt(level) of v size."""
        xp = namespace(size, level)
        t, root = self.scale * size, xp.sqrt(level)
        inside = t < self.gamma * root
        left = root - t / self.gamma
        value = xp.where(inside, 0.5 * t * (root + left), 0.5 * self.gamma * level)
        slope = self.scale * xp.where(inside, left, 0.0 * left)
        bend = xp.where(inside, -(self.scale**2) / self.gamma + 0.0 * left, 0.0 * left)
        return value, slope, bend

    def outer(self, total: Array, level: Array, count: Array | int) -> Curve:
        """Return the MCP over v that is flat where all of `count` coefficients are."""
        xp = namespace(total, level)
        root = xp.sqrt(level)
        plateau = 0.5 * self.gamma * count * level
        inside = total < FULL * plateau
        share = xp.where(inside, total / xp.where(inside, plateau, 1.0 + 0.0 * plateau), 1.0)
        value = root * plateau * share * (1.0 - 0.5 * share) / self.scale
        slope = root * (1.0 - share) / self.scale
        steep = root / xp.where(inside, plateau, 1.0 + 0.0 * plateau) / self.scale
        return value, slope, xp.where(inside, -steep, 0.0 * steep)

    def weak_convexity(self, level: Array | float) -> float:
        """Return v 3 sqrt(max(level)) / gamma, the concavity of a block of one coefficient at 0."""
        return 3.0 * self.scale * sqrt(largest(level)) / self.gamma

    def thresholds(self, size: FloatArray, level: float) -> FloatArray:
        """Return where coefficients leave zero as the inner slope's factor falls; and gamma."""
        root, v = level**0.5, self.scale
        firm, hard = size / (v * root), size**2 / (self.gamma * level)
        turn = self.gamma / v**2  # from here on the inner problem is not convex
        return np.append(np.where(firm < turn, firm, hard), turn)

    def shrunk(self, size: FloatArray, mu: float, level: float) -> FloatArray:
        """Return the minimisers r of (r - size)**2 / 2 + mu inner(r)."""
        from grpsparse.backend.prox import radial_prox

        if mu == 0.0:
            return size.copy()
        v, root = self.scale, level**0.5
        found = [radial_prox(codes.MCP, self.gamma, v, s, mu * v, root) for s in size.tolist()]
        return np.array(found)
