"""Results as a plain table, as a Markdown table and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from .adapters import PROJECT
from .problems import PROBLEMS, TITLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

Record = dict[str, Any]

HEAD = ("problem", "solver", "cpu s", "min-max", "accuracy", "KKT", "tol", "ratio", "note")


def median(record: Record) -> float:
    """Median CPU seconds."""
    return float(np.median([time["cpu"] for time in record["times"]]))


def is_timed(record: Record) -> bool:
    """Whether the record counts: accurate enough, and timed."""
    return record["status"] == "ok" and bool(record["times"])


def ratio(record: Record, ours: Record | None) -> float | None:
    """Seconds of a solver over those of the project."""
    if ours is None or not is_timed(record) or not is_timed(ours):
        return None
    return median(record) / median(ours)


def best_peer(records: Iterable[Record]) -> Record | None:
    """Fastest of the solvers that are neither the project nor a checkout of it."""
    peers = [r for r in records if is_timed(r) and r["solver"] not in {PROJECT, "baseline"}]
    return min(peers, key=median, default=None)


def by_problem(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Records of each problem, the last of each solver, in the order of the list of problems."""
    last = {(r["problem"], r["solver"]): r for r in records}
    order = list(PROBLEMS)
    names = sorted({name for name, _ in last}, key=lambda n: order.index(n) if n in order else 99)
    return {name: [r for (own, _), r in last.items() if own == name] for name in names}


def table(records: Iterable[Record]) -> str:
    """Plain table of every solver on every problem."""
    rows = [HEAD]
    for group in by_problem(records).values():
        ours = next((r for r in group if r["solver"] == PROJECT), None)
        rows += [row(r, ours, best_peer(group)) for r in group]
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(HEAD))]
    left = {0, 1, len(HEAD) - 1}
    lines = [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in rows
    ]
    return "\n".join(lines)


def row(record: Record, ours: Record | None, best: Record | None) -> tuple[str, ...]:
    """Cells of one record; the project's own ratio is that of the best peer."""
    head = (record["problem"], record["solver"])
    if not record["times"]:
        note = f"{record['status']}: {record['note']}" if record["note"] else record["status"]
        return (*head, *[""] * (len(HEAD) - 3), note)
    cpu = [time["cpu"] for time in record["times"]]
    last = record["trials"][-1]
    compared = best if record is ours else record
    value = None if compared is None else ratio(compared, ours)
    return (
        *head,
        f"{np.median(cpu):.3f}",
        f"{min(cpu):.3f}-{max(cpu):.3f}",
        accuracy(record),
        f"{last['kkt']:.1e}",
        f"{last['tol']:.0e}",
        "" if value is None else f"{value:.2f}",
        "" if record["status"] == "ok" else record["status"],
    )


def accuracy(record: Record) -> str:
    """Relative suboptimality; of a penalty that is not convex, the mean against the reference."""
    last = record["trials"][-1]
    spec = PROBLEMS.get(record["problem"])
    if spec is not None and spec.penalty == "mcp" and last["mean_excess"] is not None:
        return f"mean {last['mean_excess']:+.1e}"
    return "" if last["accuracy"] is None else f"{last['accuracy']:.1e}"


def markdown(records: Sequence[Record]) -> str:
    """Table for a README: one row for each problem, one column for each solver."""
    groups = by_problem(records)
    seen = [r["solver"] for r in records if is_timed(r) and r["solver"] != PROJECT]
    peers = list(dict.fromkeys(seen))
    head = ["problem", PROJECT, *peers, "best peer / grpsparse"]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for name, group in groups.items():
        found = {r["solver"]: r for r in group}
        best = best_peer(group)
        value = None if best is None else ratio(best, found.get(PROJECT))
        cells = [f"{name}: {TITLES.get(name, '')}".rstrip(": "), *seconds(found, [PROJECT, *peers])]
        lines.append("| " + " | ".join([*cells, "" if value is None else f"{value:.1f}"]) + " |")
    return "\n".join(lines)


def seconds(found: dict[str, Record], solvers: Iterable[str]) -> list[str]:
    """Median CPU seconds of each solver, empty where it has none that count."""
    return [
        f"{median(found[name]):.2f}" if name in found and is_timed(found[name]) else ""
        for name in solvers
    ]


def caption(results: Sequence[Record]) -> str:
    """Circumstances of the last result, and the versions of all solvers."""
    last, records = results[-1], [r for result in results for r in result["records"]]
    found = {r["solver"]: r["facts"].get("version", "") for r in records if is_timed(r)}
    peers = [f"{name} {version}" for name, version in found.items() if name != PROJECT]
    threads, repeats = last["settings"]["threads"], last["settings"]["repeats"]
    machine, versions = last["machine"], last["versions"]
    software = [f"{name} {versions[name]}" for name in ("python", "numpy", "numba")]
    parts = [
        f"CPU seconds, {threads} {'thread' if threads == 1 else 'threads'}, median of {repeats}",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['os']}",
        ", ".join(software + peers),
        f"{last['date'][:10]}, commit {last['commit']}",
    ]
    return "; ".join(part for part in parts if part) + "."


def write(path: Path, result: Record) -> None:
    """Write a result as JSON, one record a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, value in result.items():
        text = json.dumps(value)
        if name == "records":
            text = "[\n  " + ",\n  ".join(json.dumps(r) for r in value) + "\n ]"
        lines.append(f" {json.dumps(name)}: {text}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def read(paths: Iterable[Path]) -> list[Record]:
    """Several results, in the order of the files."""
    return [json.loads(path.read_text()) for path in paths]


def show(results: Sequence[Record], *, as_markdown: bool = False) -> str:
    """Table of the records of several results, of which later ones win."""
    records = [record for result in results for record in result["records"]]
    if not records:
        return ""
    return f"{markdown(records)}\n\n{caption(results)}" if as_markdown else table(records)
