"""One solver on one problem in a process of its own, which runs when it is told to.

The process generates the problem, fits a tiny one of the same kind (imports, compilation), and
tightens its tolerance until the path is accurate enough. Then every line ``go`` on standard input
is one timed fit. Events go to standard output, one JSON object a line; whatever the solver prints
goes to standard error.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import os
import resource
import sys
import time
import traceback
import warnings
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from .adapters import ADAPTERS
from .contract import Absent, Adapter, Ask
from .objective import Solution, best_known, evaluate, suboptimality
from .problems import PROBLEMS, Problem, Spec, fingerprint, make, tiny, training_part

if TYPE_CHECKING:
    from collections.abc import Sequence

TARGET = 1e-6  # accuracy over the path; KKT / lambda where the penalty is not convex
WARM_TOL = 1e-4


@dataclasses.dataclass(frozen=True)
class Trial:
    """Quality and time of a fit at one tolerance.

    Attributes
    ----------
    tol : float
    cpu, wall : float
    accuracy : float, optional
        Largest relative suboptimality; None where no reference is stored.
    mean_excess : float, optional
        Mean of the same; below 0 is better than the reference.
    kkt : float
    mean_objective : float
    n_points : int
        Lambdas that were solved.
    active : int
        Largest number of active groups.
    objective : list of float
    """

    tol: float
    cpu: float
    wall: float
    accuracy: float | None
    mean_excess: float | None
    kkt: float
    mean_objective: float
    n_points: int
    active: int
    objective: list[float]


@dataclasses.dataclass(frozen=True)
class Task:
    """A solver, a problem, and the part of it that is scored (the first fold, or all)."""

    adapter: Adapter
    problem: Problem
    scored: Problem
    threads: int
    limit: float

    def run(self, tol: float) -> tuple[list[Solution], float, float]:
        """Solutions, CPU seconds and wall seconds of one fit."""
        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        ask = Ask(tol, self.threads, wall + self.limit)
        solutions = self.adapter.solve(self.problem, ask)
        seconds = time.process_time() - cpu, time.perf_counter() - wall
        measured = [s.seconds for s in solutions if s.seconds is not None]
        if measured:
            seconds = sum(s[0] for s in measured), sum(s[1] for s in measured)
        return solutions, *seconds

    def trial(self, tol: float) -> Trial:
        """One fit, scored."""
        solutions, cpu, wall = self.run(tol)
        quality = evaluate(self.scored, solutions[0])
        best = best_known(self.scored.name)
        excess = None if best is None else suboptimality(quality.objective, best)
        return Trial(
            tol=tol,
            cpu=cpu,
            wall=wall,
            accuracy=None if excess is None else float(np.max(excess)),
            mean_excess=None if excess is None else float(np.mean(excess)),
            kkt=float(np.max(quality.kkt)),
            mean_objective=float(np.mean(quality.objective)),
            n_points=len(quality.objective),
            active=int(np.max(quality.active)),
            objective=[float(value) for value in quality.objective],
        )

    def verdict(self, trial: Trial) -> str:
        """Say whether a trial is accurate enough: ok, missed, or unfinished."""
        if trial.n_points < len(self.problem.lambdas):
            return "unfinished"
        if self.problem.spec.penalty == "mcp":
            return "ok" if trial.kkt <= TARGET else "missed"
        # Without a stored reference the tolerance asked for is all there is.
        return "ok" if trial.accuracy is None or trial.accuracy <= TARGET else "missed"


def open_task(solver: str, problem: Problem, *, threads: int = 1, limit: float = 600.0) -> Task:
    """Put solver and problem together."""
    scored = training_part(problem, 0) if problem.spec.folds else problem
    return Task(ADAPTERS[solver], problem, scored, threads, limit)


def tune(task: Task, tols: Sequence[float], say: Any) -> Trial:
    """Loosest tolerance that is accurate enough, or the last tried."""
    for tol in tols:
        trial = task.trial(tol)
        say("tried", trial=dataclasses.asdict(trial))
        if task.verdict(trial) != "missed":
            break
    return trial


def serve(arguments: argparse.Namespace, commands: IO[str], say: Any) -> None:
    """Prepare, then fit at every ``go``."""
    adapter = ADAPTERS[arguments.solver]
    try:
        version = adapter.version()
    except Absent as missing:
        say("absent", why=str(missing))
        return
    spec = Spec(**json.loads(arguments.spec)) if arguments.spec else PROBLEMS[arguments.problem]
    warm_up = tiny(spec)
    refusal = adapter.refusal(warm_up)
    if refusal:
        say("refused", why=refusal, version=version)
        return
    start = time.perf_counter()
    adapter.solve(warm_up, Ask(WARM_TOL, arguments.threads))
    cold = time.perf_counter() - start
    problem = make(arguments.problem, spec)
    say("loaded", version=version, cold=cold, fingerprint=fingerprint(problem))
    task = open_task(arguments.solver, problem, threads=arguments.threads, limit=arguments.limit)
    tols = [float(tol) for tol in arguments.tols.split(",") if tol] or adapter.tols
    trial = tune(task, tols, say)
    say("ready", tol=trial.tol, verdict=task.verdict(trial))
    for line in commands:
        if line.strip() != "go":
            break
        _, cpu, wall = task.run(trial.tol)
        say("time", cpu=cpu, wall=wall, peak_mb=peak_mb())


def peak_mb() -> float:
    """Largest resident memory of this process so far."""
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def parse() -> argparse.Namespace:
    """Read what the parent process has asked for."""
    parser = argparse.ArgumentParser(prog="worker", description=__doc__)
    parser.add_argument("--solver", required=True, choices=sorted(ADAPTERS))
    parser.add_argument("--problem", required=True)
    parser.add_argument("--spec", default="", help="JSON, in place of a named problem")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tols", default="", help="loose to tight; default the adapter's")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for one path")
    return parser.parse_args()


def main() -> None:
    """Keep standard output for events, and report what goes wrong as one."""
    events = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(event: str, **facts: Any) -> None:
        events.write(json.dumps({"event": event, **facts}) + "\n")
        events.flush()

    warnings.simplefilter("ignore")
    try:
        serve(parse(), sys.stdin, say)
    except Exception as error:  # noqa: BLE001  the parent goes on with the other solvers
        traceback.print_exc()
        say("failed", why=f"{type(error).__name__}: {error}"[:300])


if __name__ == "__main__":
    main()
