"""The ways in which functions are compiled, as keywords of numba's njit."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["FAST", "INNER", "KERNEL", "LEAN", "ONCE"]

KERNEL: Final[Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
# Called by kernels only: without wrappers for Python a cold start is seconds shorter.
INNER: Final[Any] = {**KERNEL, "no_cpython_wrapper": True}
# Called in one place: part of the caller from the start. What is compiled by itself is optimised
# again in every caller above it, so that five levels of calls take twice as long as two. It pays
# for functions of a few lines, and not for one that holds many of them: numba copies them often.
ONCE: Final[Any] = {**KERNEL, "inline": "always"}
LEAN: Final[Any] = {"_nrt": False}  # allocates nothing, so that no references are counted
FAST: Final = {"reassoc", "nsz", "contract", "arcp"}  # sums may be taken in another order
