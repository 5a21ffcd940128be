"""``python -m tests.benchmarks``: what to measure, and where to write it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from . import fresh, report, scaling
from .adapters import ADAPTERS, PROJECT
from .machine import circumstances
from .problems import PROBLEMS, TITLES
from .race import BASELINE, ROOT, Rules, race

PEERS = tuple(name for name in ADAPTERS if name != PROJECT)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    add = parser.add_argument
    add("--peers", default="", help=f"comma list of {', '.join(PEERS)}")
    add("--problems", default="", help="comma list, or all: " + ", ".join(TITLES))
    add("--threads", type=int, default=1)
    add("--repeats", type=int, default=5)
    add("--timeout", type=float, default=600.0, help="seconds for one path")
    add(
        "--tol",
        action="append",
        default=[],
        metavar="SOLVER=TOL,...",
        help="tolerances to try, loose to tight, in place of the solver's list",
    )
    add(
        "--peer-python",
        default=os.environ.get("PEERS_PY", sys.executable),
        help="interpreter that has the Python peers ($PEERS_PY)",
    )
    add("--project", type=Path, default=ROOT, help="checkout to measure")
    add("--baseline", type=Path, help="another checkout, raced as a solver of its own")
    add("--scaling", action="store_true", help="cost exponents in n and in p")
    add(
        "--memory",
        nargs="?",
        type=int,
        const=1_000_000,
        metavar="ROWS",
        help="peak memory on many rows of factors",
    )
    add("--cold", action="store_true", help="import and first fit without compiled code")
    add("--out", type=Path, help="JSON file to write")
    add("--report", type=Path, nargs="+", metavar="FILE", help="show earlier results instead")
    add("--markdown", action="store_true", help="print the table for a README")
    chosen = parser.parse_args(arguments)
    chosen.problems = comma_list(parser, "--problems", chosen.problems, list(PROBLEMS))
    chosen.peers = comma_list(parser, "--peers", chosen.peers, list(PEERS))
    return chosen


def comma_list(
    parser: argparse.ArgumentParser, option: str, text: str, known: list[str]
) -> list[str]:
    """Names of a comma list, all of them known."""
    names = known if text == "all" else [name for name in text.split(",") if name]
    wrong = [name for name in names if name not in known]
    if wrong:
        parser.error(f"{option}: {', '.join(wrong)} is not among {', '.join(known)}")
    return names


def rules_of(chosen: argparse.Namespace) -> Rules:
    """How the races are run."""
    pairs = [text.split("=", 1) for text in chosen.tol]
    return Rules(
        threads=chosen.threads,
        repeats=chosen.repeats,
        timeout=chosen.timeout,
        project=chosen.project.resolve(),
        baseline=chosen.baseline and chosen.baseline.resolve(),
        peer_python=chosen.peer_python,
        tols={name: [float(tol) for tol in tols.split(",")] for name, tols in pairs},
    )


def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    """Run what is asked for; the JSON file is written after every part."""
    rules = rules_of(chosen)
    result = {
        **circumstances(rules.project),
        "settings": {"threads": rules.threads, "repeats": rules.repeats},
        "records": [],
    }

    def keep(name: str, value: Any) -> None:
        result[name] = value
        if chosen.out:
            report.write(chosen.out, result)

    solvers = [PROJECT, *([BASELINE] if rules.baseline else []), *chosen.peers]
    for problem in chosen.problems:
        entries = race(problem, solvers, rules=rules, tell=say)
        keep("records", result["records"] + [entry.record() for entry in entries])
    variables = fresh.environment(rules.project, rules.threads)
    if chosen.cold:
        keep("cold", fresh.cold(variables))
        say(fresh.describe_cold(result["cold"]))
    if chosen.memory:
        keep("memory", fresh.memory(variables, chosen.memory))
        say(fresh.describe_memory(result["memory"]))
    if chosen.scaling:
        keep("scaling", scaling.scaling(rules, say))
        say(scaling.describe(result["scaling"]))
    return result


def say(line: str) -> None:
    """Progress, apart from the table."""
    print(line, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Measure, or read what was measured, and print a table."""
    chosen = parse(arguments)
    results = report.read(chosen.report) if chosen.report else [measure(chosen)]
    print(report.show(results, as_markdown=chosen.markdown))


if __name__ == "__main__":
    main()
