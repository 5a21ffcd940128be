"""Solvers in turn: every one waits in a process of its own and runs when it is asked.

Whatever the machine does to one of them in a round it does to all, and no solver's data or
threads are in the way of another's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import numpy as np

from .adapters import PROJECT
from .objective import REFERENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .problems import Spec

ROOT = Path(__file__).resolve().parents[2]
PYTHON_PEERS = ("adelie", "adelie-strong", "celer", "skglm")
BASELINE = "baseline"
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
START_SECONDS = 600.0  # to generate data and to compile
SAME_DATA = 1e-9  # relative; BLAS sums in another order elsewhere


@dataclasses.dataclass(frozen=True)
class Rules:
    """How a race is run.

    Attributes
    ----------
    threads, repeats : int
    timeout : float
        Seconds for one path before a solver is killed.
    project : Path
        Checkout that is measured.
    baseline : Path, optional
        Another checkout, which races as ``baseline``.
    peer_python : str
        Interpreter of the Python peers.
    tols : dict
        Tolerances to try, by solver, in place of the adapter's.
    """

    threads: int = 1
    repeats: int = 5
    timeout: float = 600.0
    project: Path = ROOT
    baseline: Path | None = None
    peer_python: str = sys.executable
    tols: dict[str, list[float]] = dataclasses.field(default_factory=dict)


class Silent(Exception):
    """A worker said nothing in time, or ended."""


class Worker:
    """Process of one solver on one problem.

    Parameters
    ----------
    solver, problem : str
    rules : Rules
    folder : Path
        For what the process prints to standard error; also its working directory.
    spec : Spec, optional
        In place of the named problem's.
    """

    def __init__(
        self, solver: str, problem: str, *, rules: Rules, folder: Path, spec: Spec | None = None
    ) -> None:
        self.solver, self.rules = solver, rules
        self.log = folder / f"{solver}.log"
        with self.log.open("w") as errors:
            self.process = subprocess.Popen(
                self.command(problem, spec),
                env=self.environment(),
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self.listen, args=(self.process.stdout,), daemon=True).start()

    def command(self, problem: str, spec: Spec | None) -> list[str]:
        """Command line of the process."""
        python = self.rules.peer_python if self.solver in PYTHON_PEERS else sys.executable
        name = PROJECT if self.solver == BASELINE else self.solver
        tols = ",".join(f"{tol:g}" for tol in self.rules.tols.get(self.solver, []))
        given = json.dumps(dataclasses.asdict(spec)) if spec else ""
        options = {
            "solver": name,
            "problem": problem,
            "spec": given,
            "threads": self.rules.threads,
            "tols": tols,
            "limit": 0.9 * self.rules.timeout,
        }
        return [
            python,
            "-m",
            "benchmarks.worker",
            *(f"--{key}={value}" for key, value in options.items()),
        ]

    def environment(self) -> dict[str, str]:
        """Fixed threads, and the checkout to measure before what is installed."""
        checkout = self.rules.baseline if self.solver == BASELINE else self.rules.project
        before = [str(checkout), str(ROOT / "tests")]
        after = os.environ.get("PYTHONPATH")
        threads = dict.fromkeys(THREAD_VARIABLES, str(self.rules.threads))
        path = os.pathsep.join([*before, after] if after else before)
        return {**os.environ, **threads, "PYTHONPATH": path}

    def listen(self, stream: IO[str]) -> None:
        """Collect events until the process ends."""
        for line in stream:
            self.events.put(json.loads(line))
        self.events.put({"event": "ended"})

    def next_event(self, timeout: float) -> dict[str, Any]:
        """Wait for an event; Silent if it does not come."""
        try:
            event = self.events.get(timeout=timeout)
        except queue.Empty:
            raise Silent(f"killed after {timeout:g} s") from None
        if event["event"] == "ended":
            raise Silent(self.last_words())
        return event

    def last_words(self) -> str:
        """Last line of what the process printed."""
        lines = self.log.read_text().strip().splitlines()
        return lines[-1][:300] if lines else f"ended with code {self.process.poll()}"

    def go(self) -> dict[str, Any]:
        """One timed fit."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.next_event(self.rules.timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()


@dataclasses.dataclass
class Entry:
    """What is known of one solver on one problem.

    Attributes
    ----------
    problem, solver : str
    status : {"ok", "missed", "unfinished", "absent", "refused", "failed"}
        Missed: not accurate enough at the tightest tolerance. Unfinished: out of time.
    note : str
    facts : dict
        Version, seconds to compile, tolerance.
    trials : list of dict
        Every tolerance tried, with its quality.
    times : list of dict
        CPU and wall seconds and peak memory of every timed fit.
    """

    problem: str
    solver: str
    status: str = "failed"
    note: str = ""
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    trials: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    times: list[dict[str, float]] = dataclasses.field(default_factory=list)

    def median(self) -> float:
        """Median CPU seconds."""
        return float(np.median([time["cpu"] for time in self.times]))

    def record(self) -> dict[str, Any]:
        """Everything but the objectives of trials before the last, for JSON."""
        trials = [{k: v for k, v in t.items() if k != "objective"} for t in self.trials]
        objective = self.trials[-1]["objective"] if self.trials else []
        return dataclasses.asdict(self) | {"trials": trials, "objective": objective}


def race(
    problem: str,
    solvers: Sequence[str],
    *,
    rules: Rules,
    tell: Callable[[str], None] = print,
    spec: Spec | None = None,
) -> list[Entry]:
    """Prepare the solvers one after another, then time them in turn."""
    entries = [Entry(problem, solver) for solver in solvers]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        ready: list[tuple[Entry, Worker]] = []
        for entry in entries:
            worker = Worker(entry.solver, problem, rules=rules, folder=folder, spec=spec)
            stack.enter_context(worker)
            prepare(entry, worker, named=spec is None)
            tell(f"{problem} {entry.solver}: {preparation(entry)}")
            if entry.status in {"ok", "missed"}:
                ready.append((entry, worker))
            else:
                worker.process.kill()
        for turn in range(rules.repeats):
            # Another solver starts each round.
            first = turn % max(1, len(ready))
            for entry, worker in ready[first:] + ready[:first]:
                take_turn(entry, worker)
    for entry in entries:
        if entry.status in {"ok", "missed"}:
            times = " ".join(f"{time['cpu']:.3f}" for time in entry.times)
            tell(f"{problem} {entry.solver}: {times}")
    return entries


def prepare(entry: Entry, worker: Worker, *, named: bool) -> None:
    """Read a worker's events until it is ready or has given up."""
    try:
        while True:
            loaded = "fingerprint" in entry.facts
            event = worker.next_event(worker.rules.timeout if loaded else START_SECONDS)
            kind = event.pop("event")
            if kind == "tried":
                entry.trials.append(event["trial"])
            elif kind == "loaded":
                entry.facts |= event
                check_data(entry.problem, event["fingerprint"], named=named)
            else:
                finish(entry, kind, event)
                return
    except Silent as silence:
        slow = "killed" in str(silence)
        entry.status, entry.note = ("unfinished" if slow else "failed"), str(silence)
    except DifferentData as difference:
        entry.status, entry.note = "failed", str(difference)


def finish(entry: Entry, kind: str, event: dict[str, Any]) -> None:
    """Take the event that ends the preparation."""
    if kind != "ready":
        entry.status, entry.note = kind, event["why"]
        return
    entry.facts["tol"] = event["tol"]
    entry.status = event["verdict"]
    if entry.status == "unfinished":
        entry.note = f"{entry.trials[-1]['n_points']} lambdas in time"


def take_turn(entry: Entry, worker: Worker) -> None:
    """One timed fit, unless the solver has failed before."""
    if entry.status not in {"ok", "missed"}:
        return
    try:
        event = worker.go()
    except (Silent, BrokenPipeError) as silence:
        entry.status, entry.note = "failed", str(silence)
        return
    if event.pop("event") == "time":
        entry.times.append(event)
    else:
        entry.status, entry.note = "failed", event["why"]


class DifferentData(Exception):
    """The problem is not the one whose reference is stored."""


def check_data(problem: str, fingerprint: list[float], *, named: bool = True) -> None:
    """Raise if the stored reference belongs to other data."""
    known = json.loads((REFERENCE / "fingerprints.json").read_text()) if named else {}
    if problem not in known:
        return
    if not np.allclose(fingerprint, known[problem], rtol=SAME_DATA, atol=1e-6):
        raise DifferentData(
            f"{problem} has other data here than its stored reference: {fingerprint} against "
            f"{known[problem]}; another NumPy or SciPy draws other numbers"
        )


def preparation(entry: Entry) -> str:
    """One line on how the preparation went."""
    if not entry.trials or entry.status in {"absent", "refused", "failed"}:
        return f"{entry.status} ({entry.note})" if entry.note else entry.status
    last = entry.trials[-1]
    accuracy = "unknown" if last["accuracy"] is None else f"{last['accuracy']:.1e}"
    return (
        f"{entry.status}, tol {last['tol']:g}, accuracy {accuracy}, "
        f"KKT {last['kkt']:.1e}, cpu {last['cpu']:.3f} s"
    )
