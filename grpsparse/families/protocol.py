"""What a family is: a loss in the linear predictor, with its derivatives and its conjugate.

A family knows nothing of designs or penalties. Its functions take whole arrays: the response
``y`` and the linear predictor ``eta`` are always (n, K), K = 1 but for families of several
linear predictors, of any array library.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from grpsparse.backend import Array

__all__ = ["Family", "JointFamily", "ScaleFamily", "among", "has_baseline", "n_outputs"]


@runtime_checkable
class Family(Protocol):
    """A loss that is convex in the linear predictor, and the mean that goes with it.

    The families of this package are frozen dataclasses; any object that has these members can be
    passed as ``family=``.
    """

    @property
    def name(self) -> str:
        """Name in ``family=``, for example ``"poisson"``."""

    @property
    def title(self) -> str:
        """Name in print, for example ``"Poisson"``."""

    @property
    def hessian(self) -> str:
        """Shape of the curvature: ``"diagonal"``, ``"constant"`` (all ones), or ``"softmax"``.

        ``"piecewise"`` is diagonal, but jumps, stands in for a second derivative of 0, or bounds
        one that is not diagonal: then Newton's method is not expected to square its error at
        every step.
        """

    @property
    def rescale(self) -> float | None:
        """Scale v of nonconvex penalties; None: weighted mean curvature at the null fit."""

    @property
    def curvature_bound(self) -> float | None:
        """Largest second derivative, of the softmax the largest eigenvalue; None: no bound."""

    @property
    def default_measure(self) -> str:
        """Measure of cross-validation where the user names none."""

    def loss(self, y: Array, eta: Array) -> Array:
        """Return the loss of every row, (n,), without overflow."""

    def gradient(self, y: Array, eta: Array) -> Array:
        """Return the derivative of the loss in eta, (n, K); canonical: mean minus response."""

    def curvature(self, y: Array, eta: Array) -> Array:
        """Return what the second derivative is made of, (n, K).

        ``"diagonal"``: the second derivatives. ``"piecewise"``: these, or a positive number in
        their place. ``"softmax"``: the probabilities P, the Hessian of row i being
        ``diag(P_i) - P_i P_i'``.
        """

    def mean(self, eta: Array) -> Array:
        """Return the mean, (n, K), of a linear predictor."""

    def variance(self, eta: Array) -> Array:
        """Return the variance of the response up to a constant factor, (n, K)."""

    def slope(self, eta: Array) -> Array:
        """Return the derivative of the mean in its own linear predictor, (n, K)."""

    def link(self, mu: Array) -> Array:
        """Return the linear predictor of a mean, finite also at the ends of its range."""

    def saturated_loss(self, y: Array) -> Array:
        """Return the smallest loss of every row over eta, (n,)."""

    def conjugate(self, y: Array, theta: Array, offset: Array | float) -> Array:
        """Return the conjugate of ``z -> loss(y, offset + z)`` at -theta, (n,).

        Infinite outside the domain; rounding of a few units in the last place is inside.
        """

    def deviance(self, y: Array, mu: Array) -> Array:
        """Return twice the loss above the saturated one, (n,), as a function of the mean."""

    def check_response(self, y: Array, weights: Array, *, name: str = "the response") -> None:
        """Raise ResponseError for a response that the family cannot be fitted to.

        Parameters
        ----------
        y : array of shape (n, K)
            The encoded response.
        weights : array of shape (n,)
            Observation weights; rows of weight 0 are not looked at.
        name : str
            The response's name, for the message.
        """


@runtime_checkable
class JointFamily(Family, Protocol):
    """A family whose loss ties rows together, by a risk set or a common scale.

    Its members take all rows of positive weight at once and know their weights, which
    :meth:`among` gives them; "of a row" then means what, weighted and summed, is the whole.
    """

    @property
    def baseline(self) -> bool:
        """Whether a baseline of its own stands in for the intercept; see :func:`has_baseline`."""

    def n_outputs(self, y: Array) -> int:
        """Return the number of linear predictors K, which need not be that of y's columns."""

    def among(self, y: Array, weights: Array) -> JointFamily:
        """Return the family for rows y under weights (n,) that sum to one."""

    def information(self, y: Array, eta: Array, rows: Array) -> Array:
        """Return the Hessian of the mean loss on columns ``rows`` (m, n), (K m, K m).

        Classes are outermost. `curvature` may then be any diagonal that bounds it.
        """

    def conjugate_near(self, y: Array, eta: Array, theta: Array, offset: Array | float) -> Array:
        """Return a bound on `conjugate` from above, sharp near minus the gradient at eta, (n,)."""


@runtime_checkable
class ScaleFamily(JointFamily, Protocol):
    """A family that estimates the scale of the errors, so that lambda has no units."""

    def scale(self, y: Array, eta: Array) -> Array:
        """Return the scale: (1,), or (K,) where each response has its own."""

    def standardised(self, residual: Array) -> Array:
        """Return residuals (n, K) over their scale, however small that is."""


def n_outputs(family: Family, y: Array) -> int:
    """Return the number of linear predictors of a response (n, K)."""
    return family.n_outputs(y) if isinstance(family, JointFamily) else int(y.shape[1])


def among(family: Family, y: Array, weights: Array) -> Family:
    """Return a family bound to its rows if it ties them together, else itself.

    Parameters
    ----------
    family : Family
    y : array of shape (n, K)
    weights : array of shape (n,)
        On any scale.
    """
    return family.among(y, weights / weights.sum()) if isinstance(family, JointFamily) else family


def has_baseline(family: Family) -> bool:
    """Return whether a family's own baseline stands in for the intercept.

    Then nothing is added to the linear predictor, whose level the loss does not see, but columns
    are centred as they are beside an intercept.
    """
    return isinstance(family, JointFamily) and family.baseline
