"""Generalised linear models with group-sparse coefficients.

A formula turns a data frame into a design in which every term is a group; group lasso, sparse
group lasso and nonconvex group penalties are fitted along a path of lambda, cross-validated,
printed, and every point is proved optimal by a certificate.

    >>> import grpsparse as gs
    >>> plans = gs.datasets.load("medicare")
    >>> cv = gs.fit_cv("share ~ brand + C(plan_type) + drugs", plans, n_folds=5, seed=1)
    >>> cv.lambda_1se > cv.lambda_min
    True

Names are loaded when they are first used, so that importing the package stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from grpsparse.errors import ConvergenceWarning, GrpsparseError

if TYPE_CHECKING:
    from grpsparse import datasets, families, penalties, solvers
    from grpsparse.api import fit, fit_cv, fit_replicates
    from grpsparse.families import Family
    from grpsparse.inflation import vif
    from grpsparse.penalties import (
        MCP,
        SCAD,
        AdaptiveGroupLasso,
        CompositeMCP,
        ElasticNet,
        GroupCappedL1,
        GroupCardinality,
        GroupCEL0,
        GroupElasticNet,
        GroupExponentialLasso,
        GroupHoyer,
        GroupL0,
        GroupL1L2,
        GroupLasso,
        GroupLogSum,
        GroupLq,
        GroupMCP,
        GroupSCAD,
        GroupTransformedL1,
        Lasso,
        LatentGroupLasso,
        OverlapGroupLasso,
        Penalty,
        SparseGroupLasso,
        TraceNorm,
    )
    from grpsparse.problem import PivotalLambda
    from grpsparse.results import CVFit, PathFit, load
    from grpsparse.solvers import BlockDescent, Solver
    from grpsparse.survival import Surv

__version__ = "0.1.0"

__all__ = [
    "MCP",
    "SCAD",
    "AdaptiveGroupLasso",
    "BlockDescent",
    "CVFit",
    "CompositeMCP",
    "ConvergenceWarning",
    "ElasticNet",
    "Family",
    "GroupCEL0",
    "GroupCappedL1",
    "GroupCardinality",
    "GroupElasticNet",
    "GroupExponentialLasso",
    "GroupHoyer",
    "GroupL0",
    "GroupL1L2",
    "GroupLasso",
    "GroupLogSum",
    "GroupLq",
    "GroupMCP",
    "GroupSCAD",
    "GroupTransformedL1",
    "GrpsparseError",
    "Lasso",
    "LatentGroupLasso",
    "OverlapGroupLasso",
    "PathFit",
    "Penalty",
    "PivotalLambda",
    "Solver",
    "SparseGroupLasso",
    "Surv",
    "TraceNorm",
    "datasets",
    "families",
    "fit",
    "fit_cv",
    "fit_replicates",
    "load",
    "penalties",
    "solvers",
    "vif",
]

# Where the names of __all__ live; those not listed are penalties.
_HOME = {
    **dict.fromkeys(("fit", "fit_cv", "fit_replicates"), "api"),
    **dict.fromkeys(("CVFit", "PathFit", "load"), "results"),
    **dict.fromkeys(("BlockDescent", "Solver"), "solvers"),
    "Family": "families",
    "PivotalLambda": "problem",
    "Surv": "survival",
    "vif": "inflation",
}
_MODULES = ("datasets", "errors", "families", "penalties", "solvers")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"grpsparse.{name}")
    if name not in __all__:
        raise AttributeError(f"module 'grpsparse' has no attribute {name!r}")
    value = getattr(import_module(f"grpsparse.{_HOME.get(name, 'penalties')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
