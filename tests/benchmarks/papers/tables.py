"""Plain tables, and the line that says whether an experiment meets its acceptance."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

Record = dict[str, Any]


def load(path: Path) -> dict[str, Any] | None:
    """A result, if there is one."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def text(value: Any) -> str:
    """Three significant digits of a number, words as they are, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int) or value == int(value):
        return str(int(value))
    return f"{value:.2e}" if abs(value) < 1e-3 else f"{value:.3g}"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Columns as wide as their cells; the first to the left, the others to the right."""
    cells = [tuple(head), *(tuple(text(value) for value in row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = (
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )
    return "\n".join(lines)


def verdict(passed: bool, sentence: str) -> str:
    """PASS or FAIL, and what was asked."""
    return f"{'PASS' if passed else 'FAIL'}  {sentence}"


def pick(records: Iterable[Record], **cell: Any) -> list[Record]:
    """Records whose cell has these values."""
    return [r for r in records if all(r["cell"].get(k) == v for k, v in cell.items())]


def circumstances(result: dict[str, Any]) -> str:
    """Seeds, date, machine and commits, as one line."""
    seeds = sorted({record["seeds"] for record in result["records"]})
    span = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    machine = result["machine"]
    return (
        f"{span} seeds; {result['date'][:10]}, commit {', '.join(result['commits'])}; "
        f"{machine['cpu']}, {machine['os']}"
    )
