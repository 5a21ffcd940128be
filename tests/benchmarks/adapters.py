"""The solvers: one module for each package, one class for each way to call it.

An adapter solves the objective of ``problems`` exactly; what it rescales for that is noted where
it does so. To add a solver, write a class with the members of :class:`Adapter` and list it here.
"""

from __future__ import annotations

from .contract import Absent, Adapter, Ask
from .with_adelie import Adelie, AdelieStrong
from .with_celer import Celer
from .with_grpsparse import Project
from .with_r import Glmnet, Grpreg
from .with_skglm import Skglm

__all__ = ["ADAPTERS", "PROJECT", "Absent", "Adapter", "Ask"]

PROJECT = Project.name
ADAPTERS: dict[str, Adapter] = {
    adapter.name: adapter
    for adapter in (Project(), Adelie(), AdelieStrong(), Celer(), Skglm(), Glmnet(), Grpreg())
}
