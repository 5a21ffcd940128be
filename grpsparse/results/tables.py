"""Plain text: aligned tables, wrapped lines, and numbers that fit a column."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

__all__ = [
    "WIDTH",
    "columns_of",
    "fixed",
    "paragraph",
    "phrases",
    "significant",
    "split_call",
    "table",
]

WIDTH = 80


def significant(value: float, digits: int = 4) -> str:
    """Return a number with this many significant digits, zeros at the end included.

    Examples
    --------
    >>> significant(0.012), significant(1234.5), significant(3e-7), significant(0.0)
    ('0.01200', '1234', '3.000e-07', '0')
    """
    if math.isnan(value):
        return "-"
    return "0" if value == 0 else f"{value:#.{digits}g}".rstrip(".")


def fixed(values: Sequence[float]) -> list[str]:
    """Return numbers with a common number of decimals: four at everyday sizes.

    Examples
    --------
    >>> fixed([1.54321, 0.0321]), fixed([20412.3, 310.2]), fixed([0.00012345])
    (['1.5432', '0.0321'], ['20412.3', '310.2'], ['0.00012345'])
    """
    largest = max((abs(value) for value in values if math.isfinite(value)), default=1.0)
    decimals = 4
    if largest >= 1000 or 0 < largest < 0.1:
        decimals = max(0, 5 - math.floor(math.log10(largest)) - (1 if largest < 1 else 0))
    if decimals > 9 or largest >= 1e9:
        return [significant(value) for value in values]
    return ["-" if math.isnan(value) else f"{value:.{decimals}f}" for value in values]


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Align a table: the first `left` columns to the left, the others to the right.

    Examples
    --------
    >>> print(table(["", "Lambda"], [["min", "0.1"], ["1se", "0.25"]]))
         Lambda
    min     0.1
    1se    0.25
    """
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(header))]
    text = []
    for line in lines:
        cells = [
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        text.append("  ".join(cells).rstrip())
    return "\n".join(text)


def columns_of(header: Sequence[str], widths: Sequence[int], *, first: int) -> list[slice]:
    """Divide columns into runs that fit the page beside a first column.

    Parameters
    ----------
    header : sequence of str
        Heads of the columns.
    widths : sequence of int
        Widths of their cells.
    first : int
        Width of the first column, which is repeated.

    Returns
    -------
    list of slice
    """
    runs, start, used = [], 0, first
    for place, (head, width) in enumerate(zip(header, widths, strict=True)):
        need = 2 + max(len(head), width)
        if used + need > WIDTH and place > start:
            runs.append(slice(start, place))
            start, used = place, first
        used += need
    return [*runs, slice(start, len(header))]


def paragraph(text: str, *, indent: str = "  ") -> str:
    """Wrap a sentence to the page, continuation lines indented."""
    return textwrap.fill(
        text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def split_call(text: str) -> str:
    """Wrap a call between its arguments, so that it stays a call that can be pasted.

    Examples
    --------
    >>> print(split_call('Call: fit("share ~ brand", penalty="group_lasso")'))
    Call: fit("share ~ brand", penalty="group_lasso")
    """
    if len(text) <= WIDTH:
        return text
    return _join(_arguments(text), separator=" ", indent=" " * 6)


def phrases(parts: Sequence[str]) -> str:
    """Join phrases by semicolons, breaking lines only between them where that is enough."""
    joined = "; ".join(parts)
    if len(joined) <= WIDTH:
        return joined
    pieces = [part + ";" for part in parts[:-1]] + [parts[-1]]
    return _join(pieces, separator=" ", indent="  ")


def _join(pieces: Sequence[str], *, separator: str, indent: str) -> str:
    lines = [pieces[0]]
    for piece in pieces[1:]:
        longer = f"{lines[-1]}{separator}{piece}"
        cut_literal = piece.startswith(("'", '"'))
        if len(longer) <= WIDTH and not cut_literal:
            lines[-1] = longer
        else:
            lines.append(indent + piece)
    return "\n".join(lines)


def _arguments(text: str) -> list[str]:
    """Cut a call after the commas between its arguments, and long strings between words."""
    pieces, depth, quote, start, skip = [], 0, "", 0, False
    for place, character in enumerate(text):
        if skip:
            skip = False
        elif character == "\\":
            skip = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth == 1:
            pieces.append(text[start : place + 1].strip())
            start = place + 1
    pieces.append(text[start:].strip())
    return [part for piece in pieces for part in _words(piece)]


def _words(piece: str) -> list[str]:
    """Cut a long string literal into adjacent ones, which Python joins again."""
    opening = min((piece.find(mark) for mark in "\"'" if mark in piece), default=-1)
    if opening < 0 or len(piece) <= WIDTH - 6:
        return [piece]
    quote = piece[opening]
    words = piece.split(" ")
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + len(word) + 8 > WIDTH - 6 and quote in lines[-1]:
            lines[-1] += f" {quote}"
            lines.append(f"{quote}{word}")
        else:
            lines[-1] += f" {word}"
    return lines
