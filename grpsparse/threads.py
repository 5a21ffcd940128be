"""Threads over replicates: kernels and BLAS let go of the interpreter while they compute."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

__all__ = ["each_of"]


@contextmanager
def each_of(count: int) -> Iterator[Callable[[Callable[[Any], None], Sequence[Any]], None]]:
    """Give a function that applies another to every item, by threads where there are several.

    There are as many threads as numba may use (``NUMBA_NUM_THREADS``).
    """

    def in_turn(function: Callable[[Any], None], items: Sequence[Any]) -> None:
        for item in items:
            function(item)

    if count == 1:
        yield in_turn
        return
    from grpsparse.backend.limits import thread_count

    threads = min(count, thread_count())
    if threads == 1:
        yield in_turn
        return
    with ThreadPoolExecutor(threads) as pool:

        def together(function: Callable[[Any], None], items: Sequence[Any]) -> None:
            if len(items) == 1:
                function(items[0])
                return
            for _ in pool.map(function, items):  # raises what a thread raised
                pass

        yield together
