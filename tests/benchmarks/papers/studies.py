"""All experiments by name."""

from __future__ import annotations

from . import grid, signals, stages
from .study import Study

STUDIES: dict[str, Study] = {
    study.name: study for study in (stages.STUDY, grid.STUDY, signals.STUDY)
}
