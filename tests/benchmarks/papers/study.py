"""What an experiment is: cells, a run for one cell and one seed, and means over the seeds.

Every run is kept as one line of a file of its own as soon as it is done, so that an experiment
goes on where it was stopped. The result is made from these lines: for each cell the means of
all measures over the seeds, and their standard errors, sd / sqrt(number of seeds).
"""

from __future__ import annotations

import dataclasses
import json
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.machine import circumstances, commit
from tests.benchmarks.race import ROOT
from tests.benchmarks.report import write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

Cell = dict[str, Any]
Measures = dict[str, Any]

PACE = 60.0  # seconds between two writings of the means


class Missing(Exception):
    """A part of the package that a run needs is not there; the message says which."""


@dataclasses.dataclass(frozen=True)
class Study:
    """One experiment.

    Attributes
    ----------
    name, title : str
    cells : function
        Returns the cells, each with what :attr:`run` needs to know.
    run : function
        From a cell and a seed to measures: numbers, or lists of numbers. It may raise
        :class:`Missing`.
    seeds : int
        Seeds 0, 1, ... of the committed result.
    parameters : dict
        What all cells share, for the record.
    published : function, optional
        From a cell to the numbers that others have published for it.
    digits : int
        Significant digits of means in the result.
    """

    name: str
    title: str
    cells: Callable[[], list[Cell]]
    run: Callable[[Cell, int], Measures]
    seeds: int
    parameters: dict[str, Any] = dataclasses.field(default_factory=dict)
    published: Callable[[Cell], Measures] | None = None
    digits: int = 6


def key_of(cell: Cell) -> str:
    """One text for equal cells."""
    return json.dumps(cell, sort_keys=True)


def conduct(
    study: Study,
    seeds: int,
    out: Path,
    *,
    jobs: int = 1,
    only: dict[str, str] | None = None,
    tell: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Run what is not yet in the file of runs, and return the result, which is written too."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{study.name}.runs.jsonl"
    cells = study.cells()
    mend(path)
    found = {(key_of(run["cell"]), run["seed"]) for run in read_runs(path)}
    # Seeds outside: a run that is stopped has covered all cells alike.
    wanted = [c for c in cells if all(str(c.get(k)) == v for k, v in (only or {}).items())]
    todo = [(c, s) for s in range(seeds) for c in wanted if (key_of(c), s) not in found]
    tell(f"{study.name}: {len(todo)} runs to do, {len(found)} done before")
    last, missing = time.monotonic(), {}
    mark = commit(ROOT)
    with path.open("a", encoding="utf-8") as file:
        for cell, seed, measures in outcomes(study, todo, jobs):
            if isinstance(measures, str):
                missing.setdefault(measures, key_of(cell))
                continue
            line = {"cell": cell, "seed": seed, "commit": mark, "measures": measures}
            file.write(json.dumps(line) + "\n")
            file.flush()
            if time.monotonic() - last > PACE:
                last = time.monotonic()
                publish(study, cells, path, out)
                tell(f"{study.name}: seed {seed}")
    for reason, first in missing.items():
        tell(f"{study.name}: left out, {reason} (first {first})")
    return publish(study, cells, path, out)


def outcomes(
    study: Study, todo: Iterable[tuple[Cell, int]], jobs: int
) -> Iterator[tuple[Cell, int, Measures | str]]:
    """Measures of every run, or what it misses."""
    if jobs == 1:
        for cell, seed in todo:
            yield cell, seed, attempt(study.run, cell, seed)
        return
    with ProcessPoolExecutor(jobs) as pool:
        tasks = {pool.submit(attempt, study.run, cell, seed): (cell, seed) for cell, seed in todo}
        for task in as_completed(tasks):
            yield *tasks[task], task.result()


def attempt(run: Callable[[Cell, int], Measures], cell: Cell, seed: int) -> Measures | str:
    """Measures, or the reason why there are none."""
    try:
        return run(cell, seed)
    except Missing as reason:
        return str(reason)


def mend(path: Path) -> None:
    """Drop a last line that was cut off."""
    if path.exists():
        kept = path.read_text(encoding="utf-8")
        path.write_text(kept[: kept.rfind("\n") + 1], encoding="utf-8")


def read_runs(path: Path) -> list[dict[str, Any]]:
    """Runs that were kept."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def publish(study: Study, cells: list[Cell], path: Path, out: Path) -> dict[str, Any]:
    """Write the means of the runs of these cells as JSON, one cell a line."""
    runs = read_runs(path)
    result = {
        "study": study.name,
        "title": study.title,
        **circumstances(ROOT),
        "commits": sorted({run["commit"] for run in runs}),
        "parameters": study.parameters,
        "records": [record for cell in cells for record in summary(study, cell, runs)],
    }
    write(out / f"{study.name}.json", result)
    return result


def summary(study: Study, cell: Cell, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The record of a cell, none if nothing was run."""
    key = key_of(cell)
    own = {run["seed"]: run["measures"] for run in runs if key_of(run["cell"]) == key}
    if not own:
        return []
    mean, error = means(list(own.values()), study.digits)
    record = {"cell": cell, "seeds": len(own), "mean": mean, "se": error}
    if study.published is not None:
        record["published"] = study.published(cell)
    return [record]


def means(measures: list[Measures], digits: int) -> tuple[Measures, Measures]:
    """Means and standard errors of every measure; of these three digits."""
    mean, error = {}, {}
    for name in measures[0]:
        values = np.array([m[name] for m in measures], dtype=float)
        mean[name] = rounded(values.mean(axis=0), digits)
        alone = np.full(values.shape[1:], np.nan)
        spread = values.std(axis=0, ddof=1) if len(values) > 1 else alone
        error[name] = rounded(spread / np.sqrt(len(values)), 3)
    return mean, error


def rounded(values: np.ndarray, digits: int) -> Any:
    """So many significant digits; None where there is no number."""
    if np.ndim(values) > 0:
        return [rounded(value, digits) for value in values]
    return float(f"{values:.{digits}g}") if np.isfinite(values) else None
