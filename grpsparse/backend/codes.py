"""The integer codes by which compiled code knows the shape of a penalty.

A kernel gets a code with two numbers ``a`` and ``b``; what they mean is written here, and the
arithmetic is in :func:`grpsparse.backend.prox.radial_prox`.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CAPPED", "CEL0", "L0", "LINEAR", "LOG_SUM", "LQ", "MCP", "SCAD", "TRANSFORMED"]

LINEAR: Final = 0  # p(t; l) = a*l*t + b*l*t**2/2
MCP: Final = 1  # p(t; l) = P(b*t; l)/b, P the MCP of concavity a
SCAD: Final = 2  # p(t; l) = P(b*t; l)/b, P the SCAD of concavity a
CAPPED: Final = 3  # p(t; l) = l*min(t, a + b*l)
TRANSFORMED: Final = 4  # p(t; l) = l*(a + 1)*t/(a + t)
LOG_SUM: Final = 5  # p(t; l) = l*log(1 + t/a)
CEL0: Final = 6  # p(t; l) = the MCP of level sqrt(2*l*a) and concavity 1/a
LQ: Final = 7  # p(t; l) = l*t**a
L0: Final = 8  # p(t; l) = l where t > 0
