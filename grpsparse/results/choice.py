"""Choice of lambda by name: ``"pivotal"`` on a path, ``"1se"`` and ``"min"`` after folds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpsparse.errors import LambdaError
from grpsparse.results.points import LambdaLike, Points, locate, one_lambda

if TYPE_CHECKING:
    from grpsparse.results.cv_fit import CVFit
    from grpsparse.results.path_fit import PathFit

__all__ = ["PIVOTAL", "Choice", "place", "places", "resolve"]

Choice = str | float
PIVOTAL = "pivotal"


def places(fit: PathFit, lambda_: LambdaLike) -> Points:
    """Find places on the path of a fit, given as numbers or by name."""
    return locate(fit.lambda_, pivotal(fit, lambda_) if isinstance(lambda_, str) else lambda_)


def place(fit: PathFit, lambda_: Choice) -> float:
    """Return one place on the path of a fit as a number."""
    return pivotal(fit, lambda_) if isinstance(lambda_, str) else one_lambda(lambda_)


def pivotal(fit: PathFit, name: str) -> float:
    """Return the number that a name stands for.

    Raises
    ------
    LambdaError
        Another name, or a path without its pivotal lambda.
    """
    if name != PIVOTAL:
        raise LambdaError(f"lambda_ is {name!r}; give a number from 0 up, or 'pivotal'.")
    if fit.lambda_pivotal is None:
        raise LambdaError(
            "this fit has no pivotal lambda, so a number must be given for `lambda_`; fits with "
            "family='sqrt_gaussian' have one unless they are given numbers."
        )
    if fit.lambda_pivotal < fit.lambda_[-1]:
        raise LambdaError(
            f"the path ends at {fit.lambda_[-1]:.4g}, before its pivotal lambda "
            f"{fit.lambda_pivotal:.4g}; fit with a larger `max_terms`."
        )
    return fit.lambda_pivotal


def resolve(cv: CVFit, lambda_: Choice) -> float:
    """Return the number that a choice of lambda stands for."""
    if isinstance(lambda_, str):
        if lambda_ == PIVOTAL and cv.path.lambda_pivotal is not None:
            return pivotal(cv.path, lambda_)
        if lambda_ not in {"1se", "min"}:
            raise LambdaError(f"lambda_ is {lambda_!r}; give '1se', 'min' or a number.")
        return cv.lambda_1se if lambda_ == "1se" else cv.lambda_min
    try:
        return float(lambda_)
    except (TypeError, ValueError):
        raise LambdaError(f"lambda_ is {lambda_!r}; give '1se', 'min' or a number.") from None
