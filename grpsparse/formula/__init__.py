"""Formulas: from a text and a table to blocks of columns, and the spec that repeats it.

`build_model` evaluates a formula on data; the `ModelSpec` it returns re-creates the design on
new data. This is the only package that knows formulaic.
"""

from __future__ import annotations

from grpsparse.formula.build import ModelFrame, build_model
from grpsparse.formula.names import resolve_term
from grpsparse.formula.spec import ModelSpec

__all__ = ["ModelFrame", "ModelSpec", "build_model", "resolve_term"]
