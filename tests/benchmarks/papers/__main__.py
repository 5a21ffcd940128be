"""``python -m tests.benchmarks.papers``: repeat an experiment, or show its committed result."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# One thread a run, as jobs are processes; numpy and numba read these once.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from .report import show  # noqa: E402
from .studies import STUDIES  # noqa: E402
from .study import conduct  # noqa: E402

RESULTS = Path(__file__).with_name("results")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.papers", description=__doc__)
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help=f"of {', '.join(STUDIES)}; none: all")
    add("--seeds", type=int, help="seeds 0, 1, ... (default: those of the committed result)")
    add("--out", type=Path, default=RESULTS, metavar="DIR", help="where results are")
    add("--jobs", type=int, default=1, help="processes")
    add(
        "--only",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="cells that have this value; several options narrow further",
    )
    add("--report", action="store_true", help="show the results that are there, and run nothing")
    chosen = parser.parse_args(arguments)
    wrong = [name for name in chosen.names if name not in STUDIES]
    if wrong:
        parser.error(f"{', '.join(wrong)} is not among {', '.join(STUDIES)}")
    chosen.names = chosen.names or list(STUDIES)
    chosen.only = dict(text.split("=", 1) for text in chosen.only)
    return chosen


def say(line: str) -> None:
    """Progress, apart from the tables."""
    print(line, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Run and show, or only show."""
    chosen = parse(arguments)
    for name in chosen.names:
        study = STUDIES[name]
        if not chosen.report:
            seeds = study.seeds if chosen.seeds is None else chosen.seeds
            conduct(study, seeds, chosen.out, jobs=chosen.jobs, only=chosen.only, tell=say)
        print(show(name, chosen.out))


if __name__ == "__main__":
    main()
