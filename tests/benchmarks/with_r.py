"""R packages, in one R process for each problem: data through files, commands through pipes.

R itself measures the CPU time of the call of the package (user and system, by ``proc.time``);
the transfer of data and coefficients is not timed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO

import numpy as np
import scipy.sparse as sp

from .contract import Absent, Ask, fold_by_fold, is_lasso, tolerances
from .objective import Solution
from .problems import Problem

SCRIPT = Path(__file__).with_name("peer.R")


class RPackage:
    """A package that R runs; ``peer.R`` has the calls."""

    name: str
    tols: tuple[float, ...]

    def __init__(self) -> None:
        self.session: Session | None = None

    def version(self) -> str:
        """Version of the package."""
        rscript = find_rscript()
        code = f'cat(as.character(packageVersion("{self.name}")))'
        done = subprocess.run([rscript, "-e", code], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Absent(self.name)
        return done.stdout.strip()

    def solve(self, problem: Problem, ask: Ask) -> list[Solution]:
        """One path, or one for each fold."""
        return fold_by_fold(self.fit, problem, ask)

    def fit(self, problem: Problem, ask: Ask) -> Solution:
        """Fit in the session of this problem, which is started where there is none."""
        if self.session is None or self.session.problem is not problem:
            if self.session:
                self.session.close()
            self.session = Session(self.name, problem)
        return self.session.fit(ask.tol)


class Glmnet(RPackage):
    """Lasso, and multinomial with groups of one column over the classes."""

    name = "glmnet"
    tols = tolerances(5, 16)

    def refusal(self, problem: Problem) -> str:
        """No groups of columns, no MCP, no folds."""
        spec = problem.spec
        rows = spec.family == "multinomial" and spec.groups == "single"
        covered = spec.design == "dense" and not spec.folds and (is_lasso(problem) or rows)
        return "" if covered else "no groups of columns"


class Grpreg(RPackage):
    """Group MCP. The package makes groups orthonormal, so only problems whose groups are so."""

    name = "grpreg"
    tols = tolerances(4, 12)

    def refusal(self, problem: Problem) -> str:
        """Orthonormal groups only."""
        spec = problem.spec
        covered = spec.orthonormal and spec.family == "gaussian" and not spec.folds
        return "" if covered else "another objective: makes groups orthonormal"


class Session:
    """R process that holds the data of one problem.

    Parameters
    ----------
    package : str
    problem : Problem
        With dense columns.
    """

    def __init__(self, package: str, problem: Problem) -> None:
        self.problem = problem
        self.folder = Path(tempfile.mkdtemp(prefix="benchmark-r-"))
        export(problem, self.folder)
        self.process = subprocess.Popen(
            [find_rscript(), "--vanilla", str(SCRIPT), package, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ,
        )

    def fit(self, tol: float) -> Solution:
        """Path at this tolerance with the seconds that R measured."""
        commands, answers = self.pipes()
        commands.write(f"{tol:.17g}\n")
        commands.flush()
        line = answers.readline().split()
        while line and line[0] != "done":
            line = answers.readline().split()
        if not line:
            raise RuntimeError("the R process ended; its last words are above")
        return self.read((float(line[1]), float(line[2])))

    def read(self, seconds: tuple[float, float]) -> Solution:
        """Coefficients from the file that R wrote."""
        classes, p = self.problem.spec.classes, self.problem.X.shape[1]
        values = np.fromfile(self.folder / "path.f64").reshape(-1, classes, p + 1)
        coefs = [sp.csc_matrix(point[:, 1:].T) for point in values]
        return Solution(values[:, :, 0], coefs, seconds)

    def pipes(self) -> tuple[IO[str], IO[str]]:
        """Ends of the pipes to R."""
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("the R process was started without pipes")
        return self.process.stdin, self.process.stdout

    def close(self) -> None:
        """End the process and remove its files."""
        commands, answers = self.pipes()
        commands.close()
        self.process.wait()
        answers.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __del__(self) -> None:
        if self.process.returncode is None:
            self.close()


def find_rscript() -> str:
    """Path of Rscript; the environment variable RSCRIPT goes first."""
    path = shutil.which(os.environ.get("RSCRIPT", "Rscript"))
    if not path:
        raise Absent("R")
    return path


def export(problem: Problem, folder: Path) -> None:
    """Write the data as raw float64 in column order."""
    spec = problem.spec
    y = problem.y if spec.classes == 1 else problem.y.argmax(axis=1) + 1.0
    n, p = problem.X.shape
    facts = [n, p, spec.classes, problem.gamma]
    for name, values in {
        "facts": np.array(facts, dtype=float),
        "X": problem.X.T,
        "y": y,
        "lambdas": problem.lambdas,
        "sizes": problem.sizes.astype(float),
        "weights": problem.weights,
    }.items():
        values.tofile(folder / f"{name}.f64")
