"""The smooth problem behind a group penalty: coefficients as products of factors.

    ||t|| = min over v of  t**2 / (2 v**2) + v**2 / 2,    at v**2 = ||t||,
    ||t||**q = min over v of  t**2 / (2 v**2) + C |v|**P,  P = 2 q / (2 - q),
                                                           C = (2 - q) q**(q / (2 - q)) / 2,

so that a penalised fit is a ridge regression with one factor v for each block, to be minimised
over the factors. Coefficients are eliminated, and what is left is

    F(v) = min over theta of  loss(theta) + sum_g l_g (||theta_g||**2 / (2 v_g**2) + C |v_g|**P)
    dF / dv_g = -v_g ||c_g||**2 / l_g + C P l_g |v_g|**(P - 1) sign(v_g),  c = Z'W(y - mu),

which has a continuous derivative for q > 2/3. For q = 1 it has no minima but global ones: a
stationary point is optimal where ||c_g|| <= l_g for every block, and a block at v_g = 0 that
violates this has a direction of descent. Zero itself is stationary, so no factor starts there.
A ridge part of the penalty joins the one under the minimum.

References: Poon & Peyre (2021), "Smooth bilevel programming for sparse regularization".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from grpsparse.backend import codes, segment_norms
from grpsparse.groups import FloatArray, IntArray
from grpsparse.penalties import Penalty
from grpsparse.solvers.eliminate import Eliminated, Elimination

__all__ = ["SMALLEST_POWER", "Factors", "Minimum", "Variational", "minimise", "minimum"]
__all__ += ["variational"]

SMALLEST_POWER = 2.0 / 3.0  # of Lq, at and below which the smooth problem has no derivative at 0
FLOOR = 1e-3  # of the largest factor, below which none starts
EXCESS = 1e-6  # relative, of a block's slope over the penalty's at zero, that is one to follow
LIFTS = 5  # times that blocks which stay at zero against their slope are lifted
FLATTEST = 1e-12  # slope in units of the scale, below which rounding decides
LINE_STEPS = 40


@dataclass(frozen=True, slots=True)
class Variational:
    """A penalty l (slope t**q + ridge t**2 / 2) as a minimum over a factor.

    Parameters
    ----------
    power : float
        P of the factor.
    constant : float
        C of its penalty.
    slope, ridge : float
    """

    power: float
    constant: float
    slope: float = 1.0
    ridge: float = 0.0

    @classmethod
    def of(cls, q: float, slope: float = 1.0, ridge: float = 0.0) -> Variational:
        """Return the form of a power q in (2/3, 1] of the norm."""
        return cls(2.0 * q / (2.0 - q), 0.5 * (2.0 - q) * q ** (q / (2.0 - q)), slope, ridge)

    def factor(self, norm: FloatArray) -> FloatArray:
        """Return the factor at which the minimum over v is attained."""
        best: FloatArray = (norm**2 / (self.constant * self.power)) ** (1.0 / (self.power + 2.0))
        return best

    @property
    def convex(self) -> bool:
        """Whether what is stationary is optimal where no push on a zero factor exceeds 1."""
        return self.power == 2.0


def variational(penalty: Penalty) -> Variational | None:
    """Return the form of a penalty, None where there is no smooth one."""
    first, second = penalty.parameters
    if penalty.code == codes.LINEAR and penalty.l1_fraction == 0:
        return Variational.of(1.0, first, second)
    if penalty.code == codes.LQ and first > SMALLEST_POWER:
        return Variational.of(first)
    return None


class Factors:
    """F over the factors of blocks, in units in which both are about one.

    Parameters
    ----------
    eliminate : Elimination
    starts : ndarray of int, shape (G + 1,)
        Rows of the blocks.
    level : ndarray of shape (G,)
    form : Variational
    scale : float
        Unit of F.

    Attributes
    ----------
    form : Variational
    unit : ndarray of shape (G, 1)
        Units of the factors.
    calls : int
        Ridge regressions so far.
    """

    def __init__(
        self,
        eliminate: Elimination,
        starts: IntArray,
        level: FloatArray,
        form: Variational,
        scale: float,
    ) -> None:
        self._eliminate, self._starts, self.form = eliminate, starts, form
        self._level: FloatArray = level[:, None]
        self._scale = scale
        self.unit: FloatArray = np.sqrt(scale / (form.slope * self._level))
        self.calls = 0

    def at(self, factor: FloatArray) -> Eliminated:
        """Return the ridge regression of factors (G, K'), in units of `unit`."""
        self.calls += 1
        form, squares = self.form, (self.unit * factor) ** 2
        spread = squares / (self._level * (form.slope + form.ridge * squares))
        return self._eliminate(np.repeat(spread, np.diff(self._starts), axis=0))

    def push(self, factor: FloatArray, found: Eliminated) -> FloatArray:
        """Return ||c_g|| over the penalty's slope at zero and ridge; 1 holds a factor of q = 1."""
        norms = segment_norms(found.correlation, self._starts, shared=factor.shape[1] == 1)
        bent = self.form.slope + self.form.ridge * (self.unit * factor) ** 2
        pushed: FloatArray = norms / (self._level * bent)
        return pushed

    def __call__(self, factor: FloatArray) -> tuple[float, FloatArray]:
        """Return F and its gradient at factors (G, K')."""
        form, found = self.form, self.at(factor)
        size = np.abs(self.unit * factor)
        paid = form.constant * form.slope * float(np.sum(self._level * size**form.power))
        # of v in its unit, whose square is the scale over the level
        pull = form.constant * form.power * size ** (form.power - 1.0) / self.unit
        gradient = np.copysign(pull, factor) - factor * self.push(factor, found) ** 2
        return (found.value + paid) / self._scale, gradient


@dataclass(frozen=True, slots=True)
class Minimum:
    """Where the factors ended.

    Parameters
    ----------
    factor : ndarray of shape (G, K')
        In their units.
    found : Eliminated
    push : ndarray of shape (G, K')
        At most 1, up to accuracy, at the optimum of a convex penalty.
    """

    factor: FloatArray
    found: Eliminated
    push: FloatArray


def minimise(
    function: Callable[[FloatArray], tuple[float, FloatArray]],
    start: FloatArray,
    *,
    memory: int,
    max_iter: int,
    flat: float,
) -> tuple[FloatArray, int]:
    """Return where L-BFGS ends, and the number of evaluations.

    Parameters
    ----------
    function : callable
        Gives value and gradient at an array of the shape of `start`, in units of one.
    start : ndarray
    memory, max_iter : int
        Pairs of steps that are remembered; largest number of iterations.
    flat : float
        Largest derivative at which it stops.
    """
    from scipy.optimize import minimize

    def flattened(point: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = function(point.reshape(start.shape))
        return value, gradient.ravel()

    done: Any = minimize(
        flattened,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={
            "maxcor": memory,
            "maxiter": max_iter,
            "maxfun": 2 * max_iter,
            "maxls": LINE_STEPS,
            "ftol": 0.0,
            "gtol": max(flat, FLATTEST),
        },
    )
    return done.x.reshape(start.shape), int(done.nfev)


def minimum(
    factors: Factors, start: FloatArray, *, memory: int, max_iter: int, flat: float
) -> Minimum:
    """Minimise F by L-BFGS, and lift blocks that stay at zero although they should not.

    Parameters
    ----------
    factors : Factors
    start : ndarray of shape (G, K')
        None of them zero.
    memory, max_iter, flat
        See :func:`minimise`.
    """
    factor = start
    for _ in range(LIFTS):
        factor, _ = minimise(factors, factor, memory=memory, max_iter=max_iter, flat=flat)
        found = factors.at(factor)
        push = factors.push(factor, found)
        floor = FLOOR * np.abs(factor).max()
        stuck = (push > 1.0 + EXCESS) & (np.abs(factor) < floor)
        if not factors.form.convex or not stuck.any():
            break
        factor = np.where(stuck, floor, factor)
    return Minimum(factor, found, push)
