"""A progress bar on a terminal, where the work is long."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["LONG_WORK", "progress_bar"]

LONG_WORK = 2e8  # entries of X times points, from which a bar is shown unasked


@contextmanager
def progress_bar(
    asked: bool | None, *, work: float, total: int, what: str
) -> Iterator[Callable[[], None] | None]:
    """Yield a function to call after every point, or None where no bar is wanted.

    Parameters
    ----------
    asked : bool, optional
        None shows the bar on a terminal when the work is long.
    work : float
        Entries of X times number of points.
    total : int
        Number of points.
    what : str
        Words before the bar.
    """
    shown = (sys.stderr.isatty() and work > LONG_WORK) if asked is None else asked
    if not shown:
        yield None
        return
    from tqdm import tqdm

    with tqdm(total=total, desc=what, file=sys.stderr, leave=False) as bar:
        yield lambda: bar.update() and None
