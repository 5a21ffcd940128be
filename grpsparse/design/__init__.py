"""Design matrices as operators, their standardised coordinates, and the matrix door."""

from grpsparse.design.matrix import MatrixFrame, MatrixSpec, matrix_model, resolve_label
from grpsparse.design.response import read_response
from grpsparse.design.standardise import Standardised, standardise
from grpsparse.design.storage import Design, assemble
from grpsparse.design.transform import ColumnScale
from grpsparse.design.unite import unite

__all__ = [
    "ColumnScale",
    "Design",
    "MatrixFrame",
    "MatrixSpec",
    "Standardised",
    "assemble",
    "matrix_model",
    "read_response",
    "resolve_label",
    "standardise",
    "unite",
]
