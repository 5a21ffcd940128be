"""ADMM: loss and penalty each on a copy of the coefficients, b and z, which agree in the end.

    z <- prox_{P / rho}(b + y / rho)
    b <- argmin f(b) + <y, b> + rho ||b - z||^2 / 2
    y <- y + rho (b - z)

In this order y = -grad f(b) after every iteration, so the z step is a proximal gradient step from
b, whose length certifies z, and y is taken from the gradient: what the b step leaves undone does
not add up. The augmented Lagrangian

    f(b) + P(z) + <y, b - z> + rho ||b - z||^2 / 2

falls where rho > sqrt(2) L, L a bound on the curvature of the convex loss f: the z step, a global
minimiser, does not raise it, the b step lowers it by rho / 2 ||b - b'||^2 at least, and the y step
raises it by ||grad f(b) - grad f(b')||^2 / rho <= L^2 / rho ||b - b'||^2 at most. So a nonconvex
penalty takes rho = 1.5 L; a convex one converges for any rho, which balances the two residuals.
z is the answer, with zeros that are exact.

References: Boyd et al. (2011), doi:10.1561/2200000016, for convex problems and balancing, of
relative residuals after Wohlberg (2017), arXiv:1704.06209; Ke, Shin, Lou & Ahn (2024),
doi:10.1007/s10915-024-02571-9, for nonconvex group penalties.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

import numpy as np

from grpsparse.errors import OptionError
from grpsparse.groups import FloatArray
from grpsparse.solvers.composite import Composite
from grpsparse.solvers.legs import Legs, Limits, Reached
from grpsparse.solvers.proximal_point import Point, Ridge, proximal_point
from grpsparse.solvers.support import (
    check_flag,
    check_iterations,
)

__all__ = ["ADMM"]

GUARDED = 1.5  # rho over L of a nonconvex penalty: above sqrt(2)
FIRST = 0.1  # the same of a convex one, before residuals are balanced
EXACT = 1e-4  # of the z step's length times rho, to which the b step is solved
UNBALANCED = 5.0  # ratio of the residuals at which rho changes
CHANGE = 2.0  # factor by which it does
EVERY = 5  # iterations between changes
BALANCING = 60  # iterations of a leg after which rho stays
RAISED = 1.02  # over a curvature met


@dataclass(frozen=True, slots=True)
class ADMM(Legs):
    """Alternating direction method of multipliers, the smooth step last.

    Parameters
    ----------
    max_iter : int
        Largest number of iterations on the working set for one value of lambda.
    rho : float, optional
        Weight of the quadratic term over L, the largest curvature of the loss. By default 1.5
        for a nonconvex penalty, and for a convex one what balances the residuals.
    finish : bool
        Whether Newton's method gives the last digits on the active blocks where these are few.

    Raises
    ------
    OptionError
        An option out of its range.

    Notes
    -----
    A nonconvex penalty with rho of sqrt(2) or less may converge too, but nothing keeps the
    augmented Lagrangian from rising.

    Examples
    --------
    >>> import grpsparse as gs
    >>> births = gs.datasets.load("birthwt")
    >>> fit = gs.fit("bwt ~ race + smoke", births, solver=gs.solvers.ADMM(rho=0.5))
    >>> bool(fit.converged.all())
    True
    """

    max_iter: int = 20_000
    rho: float | None = None
    finish: bool = True

    name: ClassVar[str] = "admm"

    def __post_init__(self) -> None:
        check_iterations(self.max_iter)
        check_flag("finish", self.finish)
        rho = self.rho
        if rho is None:
            return
        number = isinstance(rho, int | float) and not isinstance(rho, bool)
        if not number or not (isfinite(rho) and rho > 0.0):
            raise OptionError(
                f"rho={rho!r}; give a positive number, a multiple of the largest curvature of "
                "the loss, or None for the default."
            )

    def recursion(self, composite: Composite, at: Reached, limits: Limits) -> Reached:
        """Iterate from b = x and y = -grad f(x)."""
        enough = max(limits.enough, composite.noise(composite.predictor(at.x)))
        iteration = Iteration.of(composite, at.x, at.stiffness, self.rho)
        for count in range(1, limits.most + 1):
            before = iteration.z
            iteration.step_z()
            if composite.promise(iteration.rho * iteration.apart) <= enough:
                return Reached(iteration.z, count, settled=True, stiffness=iteration.rho)
            iteration.step_b()
            if count % EVERY == 0 and count <= BALANCING:
                iteration.balance(before)
        return Reached(iteration.z, limits.most, settled=False, stiffness=iteration.rho)


class Iteration:
    """The copies b and z, with y = -grad f(b).

    Parameters
    ----------
    composite : Composite
    b : Point
    rho : float
    ratio : float or None
        Of rho to L, which rho follows where L was too small; None balances the residuals.
    """

    def __init__(self, composite: Composite, b: Point, rho: float, ratio: float | None) -> None:
        self.composite, self.b, self.z, self.rho, self.ratio = composite, b, b.x, rho, ratio
        self._ridge = Ridge.of(composite)

    @classmethod
    def of(cls, composite: Composite, x: FloatArray, rho: float, ratio: float | None) -> Iteration:
        """Start at b = x, with the rho of an earlier leg where it is not 0."""
        if ratio is None and not composite.problem.penalty.convex:
            ratio = GUARDED
        first, b, eta = (ratio or FIRST) * RAISED, Point.of(composite, x), composite.predictor(x)
        return cls(composite, b, rho or first * composite.largest_curvature(eta), ratio)

    @property
    def apart(self) -> float:
        """Distance of b and z."""
        return float(np.linalg.norm(self.b.x - self.z))

    @property
    def multiplier(self) -> FloatArray:
        """The y of both copies."""
        return -self.b.gradient

    def step_z(self) -> None:
        """Take the proximal step of the penalty."""
        self.z = self.composite.prox(self.b.x - self.b.gradient / self.rho, 1.0 / self.rho)

    def step_b(self) -> None:
        """Take the proximal step of the loss, and y with it."""
        old = self.b
        self.b = proximal_point(
            self.composite,
            self._ridge,
            old,
            shift=self.rho * self.z + old.gradient,
            rho=self.rho,
            enough=EXACT * self.rho * self.apart,
        )
        moved = float(np.linalg.norm(self.b.x - old.x))
        if self.ratio is not None and moved > 0.0:
            met = float(np.linalg.norm(self.b.gradient - old.gradient)) / moved
            if self.ratio * met > self.rho:
                self.rho = RAISED * self.ratio * met

    def balance(self, before: FloatArray) -> None:
        """Change rho where one relative residual is much larger than the other.

        Parameters
        ----------
        before : ndarray
            The z of the iteration before.
        """
        if self.ratio is not None:
            return
        size = max(float(np.linalg.norm(self.b.x)), float(np.linalg.norm(self.z)))
        primal = self.apart * float(np.linalg.norm(self.b.gradient))
        dual = self.rho * float(np.linalg.norm(self.z - before)) * size
        if primal > UNBALANCED * dual:
            self.rho *= CHANGE
        elif dual > UNBALANCED * primal:
            self.rho /= CHANGE

    def augmented_lagrangian(self) -> float:
        """Return f(b) + P(z) + <y, b - z> + rho ||b - z||^2 / 2."""
        apart = self.b.x - self.z
        eta = self.composite.predictor(self.b.x)
        loss = self.composite.data.loss(eta) + self.composite.paid(self.z)
        return loss + float(np.vdot(self.multiplier + 0.5 * self.rho * apart, apart))
