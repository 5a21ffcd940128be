"""Choice of lambda by name: ``"1se"``, ``"min"``, or a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpsparse.errors import LambdaError

if TYPE_CHECKING:
    from grpsparse.results.cv_fit import CVFit

__all__ = ["Choice", "resolve"]

Choice = str | float


def resolve(cv: CVFit, lambda_: Choice) -> float:
    """Return the number that a choice of lambda stands for."""
    if isinstance(lambda_, str):
        if lambda_ not in {"1se", "min"}:
            raise LambdaError(f"lambda_ is {lambda_!r}; give '1se', 'min' or a number.")
        return cv.lambda_1se if lambda_ == "1se" else cv.lambda_min
    try:
        return float(lambda_)
    except (TypeError, ValueError):
        raise LambdaError(f"lambda_ is {lambda_!r}; give '1se', 'min' or a number.") from None
