"""What a fit hands over to its results: the rows as fitted, and the settings in force.

The results layer never asks the engine for anything: predictions, reports and the certificate
are recomputed from these two records and from the coefficients of the design columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from grpsparse.groups import FloatArray, IntArray, side_by_side

__all__ = ["Settings", "Training"]


@dataclass(frozen=True, slots=True)
class Training:
    """The rows that were fitted, as residuals, `augment` and `check` need them.

    Parameters
    ----------
    blocks : tuple of ndarray, CellBlock or scipy sparse
        Design columns, not standardised, in blocks (n, m) side by side.
    y : ndarray of shape (n, K)
        Encoded response.
    weights : ndarray of shape (n,)
        Observation weights as given, not normalised.
    offset : ndarray of shape (n, K), optional
        Offset of the linear predictor.
    offset_name : str, optional
        Column that the offset came from: it is looked up again in new data. An offset given
        as an array (None here) has to be given again.
    rows : ndarray of int, shape (n,)
        Positions of the rows among those given.
    n_given : int
        Number of rows given, dropped ones included.
    index : Index, array or None
        Labels of the rows kept; None numbers them.
    """

    blocks: tuple[Any, ...]
    y: FloatArray
    weights: FloatArray
    offset: FloatArray | None
    offset_name: str | None
    rows: IntArray
    n_given: int
    index: Any = None
    _joined: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def X(self) -> Any:  # noqa: N802
        """Design columns (n, p), an array or scipy.sparse.csc_array, joined when asked for."""
        if "X" not in self._joined:
            self._joined["X"] = side_by_side(self.blocks, self.y.shape[0])
        return self._joined["X"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How the fit was called, after every "auto" was resolved.

    Parameters
    ----------
    call : str
        The call as printed: ``fit("share ~ brand", penalty="group_lasso")``.
    standardize : {"group", "column", "none"}
        Scale on which the penalty sees the coefficients.
    class_groups : {"shared", "separate"}
        Whether the classes share their groups.
    groups : {"term", "column", "labels", "lists"}
        What a group is; the last are unions of terms.
    intercept : bool
        Whether there is an intercept.
    tol : float
        Bound asked of the certificate.
    backend, dtype : str
        Where, and in which precision, the path was solved.
    notes : tuple of str
        Sentences to print: the family chosen, rows dropped, a path that stopped early.
    penalty_factor : tuple of float
        Penalty factors of the terms, or of unions of them, in order; empty if all are one.
    group_weight : {"sqrt_df", "none"}
        Base weight of a group: the root of its degrees of freedom, or 1.
    baseline : bool
        Whether the family's baseline hazard takes the place of the intercept.
    """

    call: str
    standardize: str
    class_groups: str
    groups: str
    intercept: bool
    tol: float
    backend: str = "numpy"
    dtype: str = "float64"
    notes: tuple[str, ...] = ()
    penalty_factor: tuple[float, ...] = ()
    group_weight: str = "sqrt_df"
    baseline: bool = False

    @property
    def centred(self) -> bool:
        """Whether columns were centred: beside an intercept, or a baseline in its place."""
        return self.intercept or self.baseline
