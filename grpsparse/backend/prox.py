"""The scalar proximal maps: every separable group penalty needs only these.

For a block v the minimiser of ``||x - v||**2 / 2 + step * p(||x||)`` points along v, and its
length solves the same problem in one dimension. :func:`radial_prox` returns the GLOBAL
minimiser for any step, the smaller one where two exist, also where the step is so long that
the one-dimensional problem is not convex.

References: Breheny & Huang (2015), doi:10.1007/s11222-013-9424-2, for the firm thresholds; Xu,
Chang, Xu & Zhang (2012), doi:10.1109/TNNLS.2012.2197412, and Chen, Shen & Suter (2016),
doi:10.1049/iet-spr.2015.0244, for powers; Zhang & Xin (2017), doi:10.4310/CMS.2017.v15.n2.a9,
for the thresholds of transformed L1.
"""

from __future__ import annotations

from math import acos, acosh, cos, cosh, log1p, nan, pi, sqrt

from numba import njit

from grpsparse.backend.codes import CAPPED, CEL0, L0, LINEAR, LOG_SUM, LQ, MCP, SCAD, TRANSFORMED

__all__ = ["radial_prox"]

ACCURACY = 1e-15  # relative change at which Newton's method for a root has ended
MOST_STEPS = 60
HALF, TWO_THIRDS = 0.5, 2.0 / 3.0  # powers whose root is in closed form
TIE = 1.0 + 1e-15  # powers are rounded, and a tie is to give the smaller minimiser
FAR = 1e3  # over the least norm, from which Newton's method is done in a step or two


@njit(nogil=True, inline="always")
def _linear(alpha: float, ridge: float, s: float, step: float, level: float) -> float:
    """Soft threshold at ``alpha``, then shrink by the ridge part."""
    cut = s - step * alpha * level
    if cut <= 0.0:
        return 0.0
    return cut / (1.0 + step * ridge * level)


@njit(nogil=True, inline="always")
def _mcp(gamma: float, s: float, step: float, level: float) -> float:
    """Firm threshold; a hard one where the step is not below ``gamma``."""
    if gamma <= step:
        return s if s > level * sqrt(step * gamma) else 0.0
    if s > gamma * level:
        return s
    if s <= step * level:
        return 0.0
    return gamma * (s - step * level) / (gamma - step)


@njit(nogil=True, inline="always")
def _scad(gamma: float, s: float, step: float, level: float) -> float:
    """Soft, then linear, then no threshold; the middle goes when the step is long."""
    if step > gamma + 1.0:
        return s if s > level * sqrt(step * (gamma + 1.0)) else 0.0
    convex = gamma > 1.0 + step
    if s <= level * (1.0 + step if convex else 0.5 * (gamma + 1.0 + step)):
        return max(s - step * level, 0.0)
    if not convex or s > gamma * level:
        return s
    return ((gamma - 1.0) * s - gamma * step * level) / (gamma - 1.0 - step)


@njit(nogil=True, inline="always")
def _capped(theta: float, s: float, mu: float) -> float:
    """Soft below the cap, nothing beyond; hard where the step passes the cap at once."""
    if mu > 2.0 * theta:
        return s if s > sqrt(2.0 * mu * theta) else 0.0
    return max(s - mu, 0.0) if s <= theta + 0.5 * mu else s


@njit(nogil=True, inline="always")
def _transformed(a: float, s: float, mu: float) -> float:
    """Nothing up to the threshold, beyond it the larger root of r + mu p'(r) = s."""
    pull = mu * (a + 1.0)
    if s <= (pull / a if pull <= 0.5 * a * a else sqrt(2.0 * pull) - 0.5 * a):
        return 0.0
    r = s
    for _ in range(MOST_STEPS):
        # the left side is convex in r, so that Newton's method from s never passes the root
        slope = pull * (a / (a + r)) / (a + r)
        change = (r + slope - s) / (1.0 - 2.0 * slope / (a + r))
        r -= change
        if not change > ACCURACY * r:
            break
    return max(r, 0.0)


@njit(nogil=True, inline="always")
def _log_sum(eps: float, s: float, mu: float) -> float:
    """Return the larger root of a quadratic, where that beats 0."""
    inside = (s + eps) * (s + eps) - 4.0 * mu
    if inside < 0.0 or s * eps <= mu <= eps * eps:
        return 0.0
    root = sqrt(inside)
    # the same root in two ways, whichever adds rather than cancels
    r = 0.5 * (s - eps + root) if s > eps else 2.0 * (s * eps - mu) / (eps - s + root)
    if r <= 0.0:
        return 0.0
    gain = r * (s - 0.5 * r) - mu * log1p(r / eps) if mu > eps * eps else 1.0
    return r if gain > 0.0 else 0.0


@njit(nogil=True, inline="always")
def _half(s: float, mu: float) -> float:
    """Return the larger root of r + mu / (2 sqrt(r)) = s above the threshold."""
    third = s / 3.0
    angle = acos(0.25 * mu / (third * sqrt(third)))
    return 2.0 * third * (1.0 + cos(2.0 * (pi - angle) / 3.0))


@njit(nogil=True, inline="always")
def _two_thirds(s: float, mu: float) -> float:
    """Return the larger root of r + 2 mu / (3 r**(1/3)) = s above the threshold."""
    root = sqrt(2.0 * mu)
    angle = acosh(1.6875 * (s / root) * (s / (2.0 * mu)))
    a = 2.0 / sqrt(3.0) * sqrt(root * cosh(angle / 3.0))
    return (0.5 * (a + sqrt(2.0 * s / a - a * a))) ** 3


@njit(nogil=True, inline="always")
def _power(q: float, s: float, mu: float) -> float:
    """Nothing up to the threshold, beyond it the larger root of r + mu q r**(q - 1) = s."""
    if mu <= 0.0:
        return s
    least = (2.0 * mu * (1.0 - q)) ** (1.0 / (2.0 - q))
    if s <= 0.5 * least * (2.0 - q) / (1.0 - q) * TIE:
        return 0.0
    if s < FAR * least:
        if q == HALF:
            return _half(s, mu)
        if q == TWO_THIRDS:
            return _two_thirds(s, mu)
    r = s
    for _ in range(MOST_STEPS):
        # convex in r, so that Newton's method from s never passes the root
        slope = mu * q * r ** (q - 1.0)
        change = (r + slope - s) / (1.0 + (q - 1.0) * slope / r)
        r -= change
        if not change > ACCURACY * r:
            break
    return r


@njit(cache=True, nogil=True)
def radial_prox(  # noqa: PLR0911
    code: int, a: float, b: float, s: float, step: float, level: float
) -> float:
    """Minimise ``(r - s)**2 / 2 + step * p(r; level)`` over r >= 0.

    Parameters
    ----------
    code : int
        A code of :mod:`grpsparse.backend.codes`.
    a, b : float
        The parameters that the code gives a meaning to.
    s : float
        Length of the block, at least 0.
    step : float
        Any positive number.
    level : float
        ``lambda_`` times the weight of the group, at least 0.

    Returns
    -------
    float
        The global minimiser; the smaller one of two.
    """
    if code == LINEAR:
        return _linear(a, b, s, step, level)
    # with u = b*r, p(r) = P(u)/b turns into a step b*step for P at b*s
    if code == MCP:
        return _mcp(a, b * s, b * step, level) / b
    if code == SCAD:
        return _scad(a, b * s, b * step, level) / b
    if code == CAPPED:
        return _capped(a + b * level, s, step * level)
    if code == TRANSFORMED:
        return _transformed(a, s, step * level)
    if code == LOG_SUM:
        return _log_sum(a, s, step * level)
    if code == CEL0:
        return _mcp(1.0 / a, s, step, sqrt(2.0 * level * a))
    if code == LQ:
        return _power(a, s, step * level)
    if code == L0:
        return s if s > sqrt(2.0 * step * level) else 0.0
    return nan  # a code without a branch must not pass for another
