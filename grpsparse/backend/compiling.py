"""The ways in which functions are compiled, as keywords of numba's njit."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["FAST", "INNER", "KERNEL", "LEAN"]

KERNEL: Final[Any] = {"nogil": True, "error_model": "numpy"}
# Called by kernels only: without wrappers for Python a cold start is seconds shorter.
INNER: Final[Any] = {**KERNEL, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
LEAN: Final[Any] = {"_nrt": False}  # allocates nothing, so that no references are counted
FAST: Final = {"reassoc", "nsz", "contract", "arcp"}  # sums may be taken in another order
