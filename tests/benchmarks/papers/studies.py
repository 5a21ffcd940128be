"""All experiments by name."""

from __future__ import annotations

from . import agreement, grid, multitask, overlap, recovery, signals, stages
from .study import Study

STUDIES: dict[str, Study] = {
    module.STUDY.name: module.STUDY
    for module in (overlap, multitask, recovery, stages, grid, signals, agreement)
}
