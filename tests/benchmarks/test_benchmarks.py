"""The benchmark itself: its scores, its data, a whole race on a small problem, its writers."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from . import fresh, report, scaling
from .__main__ import main, parse, rules_of
from .adapters import ADAPTERS, PROJECT
from .contract import Absent, Ask
from .objective import REFERENCE, Solution, best_known, evaluate, suboptimality
from .problems import PROBLEMS, TITLES, Problem, Spec, fingerprint, make, training_part
from .race import ROOT, DifferentData, Rules, check_data, race
from .worker import open_task

SMALL = {
    "gaussian": Spec("gaussian", 60, 40, n_lambda=5),
    "binomial": Spec("binomial", 60, 40, n_lambda=5, ratio=0.2),
    "multinomial": Spec("multinomial", 60, 20, groups="single", classes=3, n_lambda=5, ratio=0.2),
    "mcp": Spec("gaussian", 60, 40, penalty="mcp", orthonormal=True, n_lambda=5, ratio=0.4),
    "sparse": Spec("gaussian", 400, 200, design="sparse", n_lambda=5, ratio=0.4),
    "factors": Spec("gaussian", 400, 4, design="factors", n_lambda=5),
    "folds": Spec("gaussian", 60, 40, folds=3, n_lambda=5, ratio=0.2),
}

# Sum of squares of X, a bilinear form of X, a linear one of y, lambda_max, one of the folds.
DRAWN = {
    "gaussian": (2400.0, -14.614139321310915, 13.336280730675213, 0.6939070689982413, 0.0),
    "binomial": (2400.0, -14.614139321310915, -1.027745071041791, 0.1532699088205866, 0.0),
    "multinomial": (1200.0, -11.264437007094692, -2.195930461134608, 0.2511765540099744, 0.0),
    "mcp": (2400.0, 54.74725792730193, 3.967735626965683, 0.5595457518931862, 0.0),
    "sparse": (420.464995334558, -3.4687043027930, -2.2505363026851, 0.0419580973501847, 0.0),
    "factors": (1600.0, -36.29703370400555, 32.05735645644397, 0.10120988150137894, 0.0),
    "folds": (2400.0, -14.614139321310915, 13.336280730675213, 0.693907068998241, 6.2749845955254),
}


def random_path(problem: Problem, seed: int = 0) -> Solution:
    """Coefficients of which half the groups are 0."""
    rng = np.random.default_rng(seed)
    shape = (len(problem.lambdas), problem.X.shape[1], problem.spec.classes)
    kept = np.repeat(rng.random(len(problem.sizes)) < 0.5, problem.sizes)
    coefs = [sp.csc_matrix(c) for c in rng.standard_normal(shape) * kept[:, None]]
    return Solution(rng.standard_normal((shape[0], shape[2])), coefs)


def brute_loss(problem: Problem, eta: np.ndarray) -> float:
    """Mean loss, row by row."""
    total = 0.0
    for y, row in zip(problem.y, eta, strict=True):
        if problem.spec.family == "gaussian":
            total += (y - row[0]) ** 2 / 2
        elif problem.spec.family == "binomial":
            total += np.log(1 + np.exp(row[0])) - y * row[0]
        else:
            total += np.log(np.sum(np.exp(row))) - row @ y
    return total / len(eta)


def brute_penalty(problem: Problem, norm: float, threshold: float) -> float:
    """Group lasso, or group MCP as the integral of its slope."""
    if problem.spec.penalty == "lasso":
        return threshold * norm
    r = np.linspace(0, norm, 20_001)
    return float(np.trapezoid(np.maximum(threshold - r / problem.gamma, 0), r))


def brute_objective(problem: Problem, intercept: np.ndarray, coef: np.ndarray, l: int) -> float:
    """Objective as problems.py writes it."""
    X = problem.X.toarray() if sp.issparse(problem.X) else problem.X
    total = brute_loss(problem, X @ coef + intercept)
    for start, size in zip(problem.starts, problem.sizes, strict=True):
        norm = float(np.linalg.norm(coef[start : start + size]))
        weight = np.sqrt(size * problem.spec.classes)
        total += brute_penalty(problem, norm, problem.lambdas[l] * weight)
    return total


@pytest.mark.parametrize("name", ["gaussian", "binomial", "multinomial", "mcp", "factors"])
def test_objective_equals_brute_force(name: str) -> None:
    problem = make(name, SMALL[name])
    path = random_path(problem)
    quality = evaluate(problem, path)
    expected = [
        brute_objective(problem, path.intercepts[l], c.toarray(), l)
        for l, c in enumerate(path.coefs)
    ]
    np.testing.assert_allclose(quality.objective, expected, rtol=1e-7)


@pytest.mark.parametrize("name", ["gaussian", "binomial", "multinomial", "mcp"])
def test_kkt_is_the_slope_of_the_objective(name: str) -> None:
    problem = make(name, SMALL[name])
    path = random_path(problem)
    dense = Solution(path.intercepts[2:3], [path.coefs[2].toarray() + 0.1])
    one = dataclasses.replace(problem, lambdas=problem.lambdas[2:3])
    quality = evaluate(one, dense)

    def value(intercept: np.ndarray, coef: np.ndarray) -> float:
        return float(evaluate(one, Solution(intercept[None], [coef])).objective[0])

    intercept, coef, step = dense.intercepts[0], dense.coefs[0], 1e-6
    slope = np.zeros_like(coef)
    for index in np.ndindex(coef.shape):
        shift = np.zeros_like(coef)
        shift[index] = step
        rise = value(intercept, coef + shift) - value(intercept, coef - shift)
        slope[index] = rise / (2 * step)
    distance = np.sqrt(np.add.reduceat((slope**2).sum(axis=1), problem.starts))
    worst = float(np.max(distance / (one.lambdas[0] * problem.weights)))
    free = [
        abs(value(intercept + e, coef) - value(intercept - e, coef)) / (2 * step)
        for e in step * np.eye(len(intercept))
    ]
    assert quality.kkt[0] == pytest.approx(max(worst, max(free) / one.lambdas[0]), rel=1e-4)


def test_kkt_of_zero_groups_is_what_exceeds_the_threshold() -> None:
    problem = make("gaussian", SMALL["gaussian"])
    zero = sp.csc_matrix((40, 1))
    quality = evaluate(problem, Solution(np.full((5, 1), problem.y.mean()), [zero] * 5))
    assert quality.kkt[0] == pytest.approx(0, abs=1e-12)
    expected = problem.lambdas[0] / problem.lambdas[3] - 1
    assert quality.kkt[3] == pytest.approx(expected, rel=1e-10)
    np.testing.assert_array_equal(quality.active, 0)


def test_suboptimality_is_relative_and_signed() -> None:
    best = np.array([2.0, 1.0, 0.5])
    np.testing.assert_allclose(suboptimality(np.array([2.2, 0.9]), best), [0.1, -0.1])
    assert np.isinf(suboptimality(np.array([np.nan]), best)[0])


@pytest.mark.parametrize("name", SMALL)
def test_generators_keep_their_draws(name: str) -> None:
    found = fingerprint(make(name, SMALL[name]))
    np.testing.assert_allclose(found, DRAWN[name], rtol=1e-9, atol=1e-9)


def test_every_problem_has_a_title_a_reference_and_a_fingerprint() -> None:
    fingerprints = json.loads((REFERENCE / "fingerprints.json").read_text())
    assert list(TITLES) == list(PROBLEMS)
    assert set(fingerprints) == set(PROBLEMS)
    for name, spec in PROBLEMS.items():
        best = best_known(f"{name}-fold0" if spec.folds else name)
        assert best is not None
        assert best.shape == (spec.n_lambda,)


def test_other_data_than_the_reference_are_refused() -> None:
    known = json.loads((REFERENCE / "fingerprints.json").read_text())["G1"]
    check_data("G1", known)
    with pytest.raises(DifferentData, match="G1 has other data"):
        check_data("G1", [known[0], known[1] + 0.1, *known[2:]])


def test_training_part_leaves_out_one_fold() -> None:
    problem = make("folds", SMALL["folds"])
    part = training_part(problem, 1)
    np.testing.assert_array_equal(part.X, problem.X[problem.fold_id != 1])
    np.testing.assert_array_equal(part.lambdas, problem.lambdas)


@pytest.mark.parametrize("name", SMALL)
def test_the_project_solves_the_objective(name: str) -> None:
    task = open_task(PROJECT, make(name, SMALL[name]))
    solutions, _, _ = task.run(1e-10)
    assert len(solutions) == max(1, SMALL[name].folds)
    assert np.max(evaluate(task.scored, solutions[0]).kkt) < 1e-4
    if SMALL[name].folds:
        other = evaluate(training_part(task.problem, 2), solutions[2])
        assert np.max(other.kkt) < 1e-4


def test_a_whole_race(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RSCRIPT", str(tmp_path / "nowhere"))
    rules = Rules(repeats=2, timeout=120, tols={PROJECT: [1e-12]})
    heard: list[str] = []
    entries = race(
        "own", [PROJECT, "glmnet"], rules=rules, spec=SMALL["gaussian"], tell=heard.append
    )
    ours, absent = entries
    assert ours.status == "ok"
    assert len(ours.times) == 2
    assert all(time["cpu"] > 0 for time in ours.times)
    assert ours.trials[-1]["kkt"] < 1e-4
    assert (absent.status, absent.note, absent.times) == ("absent", "R", [])
    assert any(line == "own glmnet: absent (R)" for line in heard)
    shown = report.table([entry.record() for entry in entries])
    assert "absent: R" in shown


def test_a_broken_solver_does_not_end_the_race() -> None:
    rules = Rules(peer_python="false", timeout=5)
    entry = race("own", ["adelie"], rules=rules, spec=SMALL["gaussian"], tell=lambda _: None)[0]
    assert entry.status == "failed"
    assert entry.times == []


@pytest.mark.slow
@pytest.mark.oracle
@pytest.mark.parametrize("spec", [
    dataclasses.replace(SMALL["gaussian"], groups="single"),
    SMALL["multinomial"],
])  # fmt: skip
def test_glmnet_solves_the_objective(spec: Spec) -> None:
    glmnet = ADAPTERS["glmnet"]
    try:
        glmnet.version()
    except Absent:
        pytest.skip("glmnet is not installed")
    problem = make("own", spec)
    assert glmnet.refusal(problem) == ""
    (path,) = glmnet.solve(problem, Ask(1e-14))
    assert path.seconds is not None
    assert np.max(evaluate(problem, path).kkt) < 1e-4


def record(problem: str, solver: str, cpu: list[float], status: str = "ok") -> report.Record:
    """Record as a race leaves it."""
    trial = {"tol": 1e-4, "accuracy": 2e-7, "mean_excess": -3e-5, "kkt": 1e-3}
    return {
        "problem": problem,
        "solver": solver,
        "status": status,
        "note": "" if cpu else "not here",
        "facts": {"version": "7"},
        "trials": [trial] if cpu else [],
        "times": [{"cpu": value, "wall": value, "peak_mb": 1.0} for value in cpu],
    }


RECORDS = [
    record("N1", PROJECT, [1.0, 3.0, 2.0]),
    record("N1", "skglm", [9.0, 7.0, 8.0]),
    record("G1", PROJECT, [0.5]),
    record("G1", "adelie", [1.5]),
    record("G1", "celer", [0.1], status="missed"),
    record("G1", "glmnet", [], status="absent"),
]

TABLE = """\
problem  solver     cpu s        min-max      accuracy      KKT    tol  ratio  note
G1       grpsparse  0.500    0.500-0.500       2.0e-07  1.0e-03  1e-04   3.00
G1       adelie     1.500    1.500-1.500       2.0e-07  1.0e-03  1e-04   3.00
G1       celer      0.100    0.100-0.100       2.0e-07  1.0e-03  1e-04         missed
G1       glmnet                                                                absent: not here
N1       grpsparse  2.000    1.000-3.000  mean -3.0e-05  1.0e-03  1e-04   4.00
N1       skglm      8.000    7.000-9.000  mean -3.0e-05  1.0e-03  1e-04   4.00"""

MARKDOWN = """\
| problem | grpsparse | skglm | adelie | best peer / grpsparse |
|---|---:|---:|---:|---:|
| G1: gaussian group lasso, n=1000, p=10 000 | 0.50 |  | 1.50 | 3.0 |
| N1: gaussian group MCP, n=1000, p=10 000 | 2.00 | 8.00 |  | 4.0 |"""


def test_tables() -> None:
    squeezed = [" ".join(line.split()) for line in report.table(RECORDS).splitlines()]
    assert squeezed == [" ".join(line.split()) for line in TABLE.splitlines()]
    assert report.markdown(RECORDS) == MARKDOWN


RESULT = {
    "date": "2026-11-22T13:00:00+00:00",
    "machine": {"cpu": "a processor", "cores": 2, "os": "Linux"},
    "versions": {"python": "3.11.2", "numpy": "2.4.6", "numba": "0.68.1"},
    "commit": "0123456789ab",
    "settings": {"threads": 1, "repeats": 5},
}


def test_json_is_read_back_and_later_files_win(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "a" / "old.json", tmp_path / "new.json"
    report.write(old, {**RESULT, "records": RECORDS})
    report.write(new, {**RESULT, "records": [record("G1", PROJECT, [0.3])]})
    assert report.read([old]) == [{**RESULT, "records": RECORDS}]
    main(["--report", str(old), str(new), "--markdown"])
    shown = capsys.readouterr().out
    assert "| 0.30 |  | 1.50 | 5.0 |" in shown
    assert shown.splitlines()[-1] == (
        "CPU seconds, 1 thread, median of 5; a processor, 2 cores, Linux; python 3.11.2, "
        "numpy 2.4.6, numba 0.68.1, skglm 7, adelie 7; 2026-11-22, commit 0123456789ab."
    )


def test_the_command_line() -> None:
    chosen = parse([
        "--problems", "G1,M1", "--peers", "adelie,grpreg", "--repeats", "3",
        "--tol", "adelie=1e-7,1e-8", "--peer-python", sys.executable,
    ])  # fmt: skip
    assert chosen.problems == ["G1", "M1"]
    rules = rules_of(chosen)
    assert (rules.threads, rules.repeats) == (1, 3)
    assert rules.tols == {"adelie": [1e-7, 1e-8]}
    with pytest.raises(SystemExit):
        parse(["--problems", "G7"])


def test_exponent_is_the_slope() -> None:
    sizes = np.array([1, 2, 4, 8])
    assert scaling.exponent(sizes, 3 * sizes**1.5) == pytest.approx(1.5)


@pytest.mark.slow
def test_a_fresh_process_reports_or_says_why() -> None:
    variables = fresh.environment(ROOT, threads=1)
    found = fresh.run("first", "gaussian", variables)
    assert found["import"]["wall"] < found["fit"]["wall"]
    text = fresh.describe_cold({"import": fresh.summary([found["import"]])})
    assert text.startswith("import")
    failed = fresh.run("first", "no such family", variables)
    assert failed == {"failed": "KeyError: 'no such family'"}
