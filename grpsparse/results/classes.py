"""What the linear predictors of a fit are for: classes, responses, or one response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grpsparse.families import takes_several

if TYPE_CHECKING:
    from grpsparse.results.path_fit import PathFit

__all__ = ["classes_of", "output_name", "outputs_name"]


def classes_of(fit: PathFit) -> tuple[Any, ...] | None:
    """Return the classes of a response that has some; None where names are those of responses."""
    return None if takes_several(fit.family) else fit.classes


def output_name(fit: PathFit) -> str:
    """Return what one of several linear predictors is called in tables."""
    return "response" if takes_several(fit.family) else "class"


def outputs_name(fit: PathFit) -> str:
    """Return what several of them are called."""
    return "responses" if takes_several(fit.family) else "classes"
