"""How many threads may be used."""

from __future__ import annotations

import numba

__all__ = ["thread_count"]


def thread_count() -> int:
    """Return the number of threads that numba was given (``NUMBA_NUM_THREADS``)."""
    return int(numba.get_num_threads())
