"""All experiments by name."""

from __future__ import annotations

from . import signals
from .study import Study

STUDIES: dict[str, Study] = {study.name: study for study in (signals.STUDY,)}
