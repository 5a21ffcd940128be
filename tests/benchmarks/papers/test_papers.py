"""The paper benches on small sizes, their measures against brute force, and their records."""

from __future__ import annotations

import json

import numpy as np
import pytest

import grpsparse as gs

from . import agreement, grid, multitask, overlap, published, recovery, report, signals, stages
from .__main__ import RESULTS, main, parse
from .designs import f1_score, predictive_values, toeplitz_form, toeplitz_rows
from .discarding import discarding_path, violation
from .studies import STUDIES
from .study import Missing, Study, conduct, read_runs
from .tables import load

ROUNDING = 1e-12
SAME_FIT = 1e-5  # of coefficients, where certificates are 1e-9
STILL_MOVING = 1e-4  # of lambda_max, what proximal gradient steps leave when they stop


def toy(fail: bool = False) -> Study:
    """Two cells whose measures are known."""

    def run(cell, seed):
        if fail and cell["a"] == 2:
            raise Missing("the second cell")
        return {"x": float(cell["a"] * seed), "curve": [1.0, float(seed)]}

    return Study("toy", "A toy", lambda: [{"a": 1}, {"a": 2}], run, 3)


def quiet(_: str) -> None:
    """Say nothing."""


def test_means_and_standard_errors(tmp_path):
    records = conduct(toy(), 3, tmp_path, tell=quiet)["records"]
    assert [r["mean"] for r in records] == [
        {"x": 1.0, "curve": [1.0, 1.0]},
        {"x": 2.0, "curve": [1.0, 1.0]},
    ]
    expected = np.std([0.0, 2.0, 4.0], ddof=1) / np.sqrt(3)
    assert records[1]["se"]["x"] == pytest.approx(expected, rel=1e-2)  # three digits
    assert records[1]["se"]["curve"][0] == 0.0
    assert json.loads((tmp_path / "toy.json").read_text())["records"] == records


def test_a_study_goes_on_where_it_stopped(tmp_path):
    conduct(toy(), 1, tmp_path, tell=quiet)
    runs = tmp_path / "toy.runs.jsonl"
    before = runs.read_text()
    runs.write_text(before + '{"cell": {"a"')  # a run that was cut off
    records = conduct(toy(), 2, tmp_path, tell=quiet)["records"]
    assert runs.read_text().startswith(before)
    assert [r["seeds"] for r in records] == [2, 2]
    assert len(read_runs(runs)) == 4


def test_what_is_missing_is_left_out_and_said(tmp_path):
    said = []
    records = conduct(toy(fail=True), 2, tmp_path, tell=said.append)["records"]
    assert [r["cell"]["a"] for r in records] == [1]
    assert "the second cell" in said[-1]


def test_some_cells_alone(tmp_path):
    records = conduct(toy(), 1, tmp_path, only={"a": "2"}, tell=quiet)["records"]
    assert [r["cell"]["a"] for r in records] == [2]


def test_rows_have_the_covariance_they_should():
    rng = np.random.default_rng(1)
    rows, p, rho = 200_000, 4, 0.9
    X = toeplitz_rows(rng, rows, p, rho)
    expected = rho ** np.abs(np.subtract.outer(np.arange(p), np.arange(p)))
    # five standard deviations of a product of two unit normal variables
    np.testing.assert_allclose(X.T @ X / rows, expected, atol=5.0 * np.sqrt(2.0 / rows))
    b = np.array([1.0, 0.0, -2.0, 0.5])
    assert toeplitz_form(b, rho) == pytest.approx(b @ expected @ b, rel=ROUNDING)


def test_measures_of_selection():
    chosen = np.array([True, True, False, False, False])
    true = np.array([True, False, True, False, False])
    assert f1_score(chosen, true) == pytest.approx(2 / 4)
    assert predictive_values(chosen, true) == pytest.approx((1 / 2, 2 / 3))


def test_half_the_loss_is_the_penalty_twice():
    r, l = np.linspace(0.0, 3.0, 61), 0.4
    for name in ("mcp", "scad"):
        half, plain = signals.PENALTIES[name, "half"], signals.PENALTIES[name, "plain"]
        ours = np.array([half.value(x, 2.0 * l) for x in r])
        theirs = np.array([plain.value(x, l) for x in r])
        np.testing.assert_allclose(ours, 2.0 * theirs, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("family", ["gaussian", "binomial"])
def test_signals_on_a_small_scale(family, monkeypatch):
    monkeypatch.setattr(signals, "LAMBDAS", 8)
    for cell in signals.cells()[:3] + signals.cells()[-3:]:
        if cell["family"] == family:
            found = signals.run(cell, 0, rows=60, gap=5)
            assert 0.0 < found["error"] < 20.0
            if cell["scale"] != "discarding":
                assert found["worst_certificate"] <= signals.TOL


def test_the_grid_starts_at_lambda_max():
    X, y, _ = signals.draw("gaussian", 0.5, 3, 0, 60, 5)
    lambdas = signals.grid(X[:60], y[:60], 5)
    fit = gs.fit(X[:60], y[:60], penalty="mcp", n_lambda=2)
    assert lambdas[0] == pytest.approx(fit.lambda_[0], rel=1e-10)
    np.testing.assert_allclose(np.diff(lambdas), -lambdas[0] / 5)


def test_nothing_discarded_is_a_fit_of_the_package(monkeypatch):
    X, y, _ = signals.draw("gaussian", 0.1, 10, 0, 60, 5)
    X, y = (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()
    lambdas = signals.grid(X, y, 4)[:2]
    penalty = signals.PENALTIES["mcp", "plain"]
    monkeypatch.setattr("tests.benchmarks.papers.discarding.STILL", 1e-10)
    monkeypatch.setattr("tests.benchmarks.papers.discarding.STEPS", 20_000)
    # a rule that keeps everything: a lambda before that is far larger
    everything = np.append(1e6 * lambdas[0], lambdas)
    coef, apart = discarding_path(X, y, everything, penalty)
    fit = gs.fit(X, y, penalty=penalty, lambda_=lambdas, tol=1e-9)
    np.testing.assert_allclose(coef[1:], fit.coef_path, atol=SAME_FIT)
    assert violation(X, y, fit.coef_path[1], lambdas[1], penalty) / lambdas[0] < 1e-8
    assert np.max(apart[1:]) * everything[0] / lambdas[0] < STILL_MOVING


def test_stages_by_hand_lower_the_objective():
    found = stages.run({"noise": 1.0, "multiple": 1.0, "share": 0.1, "solver": "stages"}, 0)
    assert found["error"][1] < found["error"][0]
    assert found["rise"] <= ROUNDING * found["objective"][0]


@pytest.mark.skipif(not hasattr(gs.solvers, "Reweighted"), reason="no solver by stages")
def test_stages_of_the_package_are_those_by_hand():
    cell = {"noise": 1.0, "multiple": 1.0, "share": 0.1}
    one = stages.run({**cell, "solver": "stages"}, 0)
    other = stages.run({**cell, "solver": "reweighted"}, 0)
    np.testing.assert_allclose(other["error"], one["error"], rtol=SAME_FIT)


def test_the_grid_of_penalties_in_one_point():
    cell = {"family": "poisson", "level": 0.5, "active": 5, "rows": 100, "penalty": "group_lasso"}
    found = grid.run(cell, 0)
    assert found["worst_certificate"] <= grid.TOL
    with pytest.raises(Missing, match="nothing"):
        grid.run({**cell, "penalty": "nothing"}, 0)


def test_multitask_objective_is_lowest_where_slopes_are_lambda(monkeypatch):
    monkeypatch.setattr(multitask, "SIZES", {"a": (20, 60, 4, 3)})
    monkeypatch.setattr(multitask, "REPEATS", 1)
    found = multitask.run({"design": "a", "share": 20, "solver": "block_descent"}, 0)
    assert found["slope"][-1] == pytest.approx(1.0, abs=1e-6)
    assert min(found["objective"]) == pytest.approx(found["objective"][-1], rel=ROUNDING)


@pytest.mark.parametrize("method", recovery.METHODS)
def test_many_rows_recover_a_vector(method):
    assert recovery.run({"measurements": 200, "q": 1.0, "method": method}, 0)["success"] == 1.0


def test_variational_constant():
    # |b|^q = min over v of b^2 / (2 v^2) + C |v|^P
    for q in recovery.POWERS:
        power, constant = 2 * q / (2 - q), 0.5 * (2 - q) * q ** (q / (2 - q))
        v = np.geomspace(1e-3, 1e3, 400_001)
        assert np.min(0.5 * 1.7**2 / v**2 + constant * v**power) == pytest.approx(1.7**q, rel=1e-8)


def test_neighbouring_groups_cover_all_columns():
    assert len(overlap.neighbours(5)) == 199
    for shared in overlap.SHARINGS:
        groups = overlap.neighbours(shared)
        assert {len(group) for group in groups} == {overlap.SIZE}
        assert set().union(*groups) == set(range(overlap.COLUMNS))


def test_ridge_with_many_rows_is_least_squares():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 3))
    y = X @ [1.0, 2.0, 3.0] + 1e-6 * rng.standard_normal(400)
    np.testing.assert_allclose(overlap.ridge(X[:300], y[:300], X[300:]), y[300:], atol=1e-4)


@pytest.mark.parametrize("family", ["gaussian", "multinomial"])
def test_objective_of_a_fit_is_lowest_at_the_fit(family):
    X, y = agreement.draw(family, 0)
    fit = gs.fit(
        X,
        y,
        family=family,
        groups=np.repeat(np.arange(agreement.GROUPS), agreement.SIZE),
        group_weight=None,
        standardize=False,
        lambda_=[0.05],
        tol=1e-10,
    )
    value = agreement.objective(fit, X, y, agreement.SIZE)
    rng = np.random.default_rng(0)
    for _ in range(5):
        moved = fit.coef_path * (1.0 + 0.01 * rng.standard_normal(fit.coef_path.shape))
        assert agreement.objective(Moved(fit, moved), X, y, agreement.SIZE) > value


class Moved:
    """A fit with other coefficients."""

    def __init__(self, fit, coef_path):
        self.fit, self.coef_path = fit, coef_path

    def __getattr__(self, name):
        return getattr(self.fit, name)


def test_published_tables_are_whole():
    for tables in (
        published.AG_ERROR,
        published.NCVREG_ERROR,
        published.AG_PPV,
        published.NCVREG_PPV,
    ):
        assert {(f, p) for f in ("gaussian", "binomial") for p in ("mcp", "scad")} == set(tables)
    assert published.entry(published.AG_ERROR["binomial", "scad"], 0.9, 7) == 0.779


def test_a_mean_above_the_published_one_fails():
    cell = {"family": "gaussian", "rho": 0.1, "snr": 1, "penalty": "mcp", "scale": "plain"}
    mean = {"error": 0.139, "ppv": 0.4, "npv": 1, "sup_error": 9, "size": 50, "certificate": 0.0}
    record = {"cell": cell, "seeds": 100, "mean": mean, "se": {"error": 0.002}}
    assert "PASS" in report.signals([record])
    assert "FAIL" in report.signals([{**record, "mean": {**mean, "error": 0.141}}])


def test_there_are_results():
    assert {path.stem for path in RESULTS.glob("*.json")} <= set(STUDIES)


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_committed_results_can_be_shown(path):
    result = load(path)
    assert {"date", "machine", "versions", "commits", "parameters"} <= set(result)
    assert not any("dirty" in commit for commit in result["commits"])
    shown = report.show(path.stem, RESULTS)
    assert "PASS" in shown or "FAIL" in shown


def test_command_line(tmp_path, capsys):
    with pytest.raises(SystemExit):
        parse(["on9"])
    main(["on3", "--report", "--out", str(tmp_path)])
    assert "no result" in capsys.readouterr().out


@pytest.mark.slow
def test_a_path_goes_on_while_the_objective_falls():
    """At the 49th lambda violations rise for some rounds on the way to a lower minimum."""
    X, y, _ = signals.draw("gaussian", 0.5, 3, 2)
    X, y = X[: signals.ROWS], y[: signals.ROWS]
    lambdas = signals.grid(X, y, signals.LAMBDAS)
    fit = gs.fit(X, y, penalty=gs.MCP(gamma=3.0), lambda_=lambdas, tol=signals.TOL)
    assert fit.converged.all()
