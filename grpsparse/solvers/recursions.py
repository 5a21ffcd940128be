"""Accelerated proximal gradient steps, one recursion for each kind of penalty.

Steps are 1 / L, where L need not be known: on the way from y to its proximal point x the
curvature of the loss is sum_i w_i (g_i(x) - g_i(y)) (eta_i(x) - eta_i(y)) over ||x - y||^2, on
average there and back, and that there alone follows from the values of the loss. Neither costs a
product with the columns; the first, being made of differences, holds to rounding. Where one exceeds
L, L is raised and the step is taken again.

References: Beck & Teboulle (2009), doi:10.1137/080716542; O'Donoghue & Candes (2015),
doi:10.1007/s10208-013-9150-3, for restarts; Ghadimi & Lan (2016),
doi:10.1007/s10107-015-0871-8, for smooth nonconvex parts, with the step lengths of Yang, Asgharian,
Bhatnagar & Lin (2024); Li & Lin (2015), Advances in Neural Information Processing Systems 28,
for the monotone form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np

from grpsparse.backend import LINEAR
from grpsparse.groups import FloatArray
from grpsparse.solvers.composite import Composite
from grpsparse.solvers.legs import Limits, Reached

__all__ = ["Concave", "monotone", "restarted", "split"]

RAISED = 1.02  # over the curvature met, so that it is not met again at once
TWICE = 2.0  # where the curvature met is no number
UP = 1.0 + 1e-12  # curvature over L that is rounding


@dataclass(frozen=True, slots=True)
class Stepped:
    """A proximal step from y.

    Parameters
    ----------
    x : ndarray
        The proximal point.
    eta : ndarray
        Its linear predictor.
    change : ndarray
        x - y.
    gradient : ndarray
        At y, of what the step is along.
    bound : float
        The L that it was taken with.
    """

    x: FloatArray
    eta: FloatArray
    change: FloatArray
    gradient: FloatArray
    bound: float

    @property
    def mapping(self) -> float:
        """Length of the gradient mapping at y."""
        return self.bound * float(np.linalg.norm(self.change))


Prox = Callable[[FloatArray, float], FloatArray]


def step_from(
    composite: Composite,
    y: FloatArray,
    eta: FloatArray,
    bound: float,
    *,
    prox: Prox | None = None,
    also: FloatArray | float = 0.0,
) -> Stepped:
    """Take a proximal gradient step with an L that bounds the curvature on its way.

    Parameters
    ----------
    composite : Composite
    y, eta : ndarray
        A point and its linear predictor.
    bound : float
        The L to try first.
    prox : callable, optional
        A proximal map in place of the penalty's.
    also : ndarray, optional
        What joins the gradient of the loss.
    """
    residual = composite.data.residual(eta)
    gradient = composite.pulled(residual) + also
    weights, prox = composite.data.weights[:, None], prox or composite.prox
    while True:
        x = prox(y - gradient / bound, 1.0 / bound)
        change = x - y
        moved = composite.predictor(x)
        turned = residual - composite.data.residual(moved)
        met = float(np.sum(weights * turned * (moved - eta)))
        length = float(np.vdot(change, change))
        if length == 0.0 or bound >= composite.highest:
            return Stepped(x, moved, change, gradient, bound)
        if met <= UP * bound * length:
            # there and back the curvature is as large as that; there alone it may be twice
            if 2.0 * met <= bound * length:
                return Stepped(x, moved, change, gradient, bound)
            met = max(met, composite.curvature_there(eta, moved, residual))
        if met <= UP * bound * length:
            return Stepped(x, moved, change, gradient, bound)
        bound = RAISED * met / length if isfinite(met) else TWICE * bound
        bound = min(bound, composite.highest)


def opened(composite: Composite, at: Reached, limits: Limits) -> tuple[FloatArray, float, float]:
    """Return the linear predictor of a point, a first L, and the promise that is enough."""
    eta = composite.predictor(at.x)
    bound = at.stiffness or composite.largest_curvature(eta)
    return eta, bound, max(limits.enough, composite.noise(eta))


def restarted(composite: Composite, at: Reached, limits: Limits, *, restart: str) -> Reached:
    """Run FISTA for a convex penalty, and drop the momentum where it points uphill.

    Parameters
    ----------
    composite, at, limits
    restart : {"gradient", "function", "never"}
        What tells uphill: the angle between the last change and the gradient mapping, or the
        objective.
    """
    x, t = at.x, 1.0
    eta, bound, enough = opened(composite, at, limits)
    y, eta_y, value = x, eta, np.inf
    for count in range(1, limits.most + 1):
        step = step_from(composite, y, eta_y, bound)
        bound = step.bound
        if composite.promise(step.mapping) <= enough:
            return Reached(step.x, count, settled=True, stiffness=bound)
        back = step.x - x
        if restart == "gradient" and np.vdot(step.change, back) < 0.0:
            t = 1.0
        if restart == "function":
            before, value = value, composite.value(step.x, step.eta)
            t = 1.0 if value > before else t
        after = 0.5 * (1.0 + sqrt(1.0 + 4.0 * t * t))
        share, t = (t - 1.0) / after, after
        y, eta_y = step.x + share * back, step.eta + share * (step.eta - eta)
        x, eta = step.x, step.eta
    return Reached(x, limits.most, settled=False, stiffness=bound)


def split(composite: Composite, at: Reached, limits: Limits, *, steps: str) -> Reached:
    """Move the concave part of a penalty into the loss, and step along two sequences.

    With p(r) = p'(0) r + q(r) the part q is smooth, and what is left is a group lasso, whose
    proximal map is a soft threshold. Momentum is dropped where it points against the step.

    Parameters
    ----------
    composite, at, limits
    steps : {"optimal", "classical"}
        Weights and lengths of the aggressive sequence: a' = 2 / (1 + sqrt(1 + 4 / a**2)) with the
        step over a, or a = 2 / (k + 1) with k / 2 times the step.
    """
    concave = Concave.of(composite)
    ahead = aggregate = at.x
    eta, bound, enough = opened(composite, at, limits)
    bound = max(bound, concave.weak)
    share, k = 1.0, 0
    for count in range(1, limits.most + 1):
        k += 1
        share = 2.0 / (1.0 + sqrt(1.0 + 4.0 / share**2)) if steps == "optimal" else 2.0 / (k + 1)
        middle = (1.0 - share) * aggregate + share * ahead
        eta = composite.predictor(middle)
        also = concave.gradient(middle)
        step = step_from(composite, middle, eta, bound, prox=concave.prox, also=also)
        bound = step.bound
        if composite.promise(step.mapping) <= enough:
            return Reached(step.x, count, settled=True, stiffness=bound)
        if np.vdot(step.change, step.x - aggregate) < 0.0:
            ahead, share, k = step.x, 1.0, 0
        else:
            length = (1.0 / share if steps == "optimal" else 0.5 * k) / bound
            ahead = concave.prox(ahead - length * step.gradient, length)
        aggregate = step.x
    return Reached(aggregate, limits.most, settled=False, stiffness=bound)


@dataclass(frozen=True, slots=True)
class Concave:
    """A penalty of finite slope at 0 as a group lasso plus a smooth concave part q.

    Parameters
    ----------
    composite : Composite
    level : ndarray of shape (g,)
        Levels lambda w of the penalty.
    slope : ndarray of shape (g,)
        p'(0).
    weak : float
        Largest -q'', in x.
    """

    composite: Composite
    level: FloatArray
    slope: FloatArray
    weak: float

    @classmethod
    def of(cls, composite: Composite) -> Concave:
        """Split the penalty of a composite."""
        penalty = composite.problem.penalty
        level = composite.lambda_ * composite.blocks.weight
        slope = penalty.radial_derivative(np.zeros_like(level), level)
        weak = max(
            (
                penalty.weak_convexity(each) / scale
                for each, scale in zip(level.tolist(), composite.scale.tolist(), strict=True)
            ),
            default=0.0,
        )
        return cls(composite, level, slope, weak)

    def prox(self, x: FloatArray, step: float) -> FloatArray:
        """Return the proximal point of the group lasso."""
        return self.composite.radial(x, step, LINEAR, (1.0, 0.0), self.slope)

    def gradient(self, x: FloatArray) -> FloatArray:
        """Return the gradient of q: (p'(r) - p'(0)) times the direction of every block."""
        composite = self.composite
        norms, penalty = composite.norms(x), composite.problem.penalty
        pull = np.empty_like(norms)
        for v, each in enumerate(norms.T):
            change = penalty.radial_derivative(each, self.level) - self.slope
            pull[:, v] = np.divide(change, each, out=np.zeros_like(each), where=each > 0)
        out = x.copy()
        out[: composite.n_free] = 0.0
        out[composite.n_free :] *= np.repeat(
            pull / composite.scale[:, None], composite.blocks.sizes, axis=0
        )
        return out


def monotone(composite: Composite, at: Reached, limits: Limits) -> Reached:
    """Step with the proximal map of the whole penalty from two points, and keep the better.

    One is ahead with momentum, the other is where the recursion stands, from which a step
    lowers the objective of any penalty whose proximal map is a global minimiser.
    """
    x, other, before = at.x, at.x, at.x
    eta, bound, enough = opened(composite, at, limits)
    eta_other = eta_before = eta
    t, last = 1.0, 0.0
    for count in range(1, limits.most + 1):
        plain = step_from(composite, x, eta, bound)
        bound = plain.bound
        if composite.promise(plain.mapping) <= enough:
            return Reached(plain.x, count, settled=True, stiffness=bound)
        pull, push = last / t, (last - 1.0) / t if last else 0.0
        y = x + pull * (other - x) + push * (x - before)
        eta_y = eta + pull * (eta_other - eta) + push * (eta - eta_before)
        bold = step_from(composite, y, eta_y, bound)
        bound = bold.bound
        better = composite.value(bold.x, bold.eta) < composite.value(plain.x, plain.eta)
        chosen = bold if better else plain
        before, eta_before, other, eta_other = x, eta, bold.x, bold.eta
        x, eta = chosen.x, chosen.eta
        last, t = t, 0.5 * (1.0 + sqrt(1.0 + 4.0 * t * t))
    return Reached(x, limits.most, settled=False, stiffness=bound)
