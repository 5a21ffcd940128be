"""Results beside the published numbers, and PASS or FAIL for what each is to show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import published
from .grid import PENALTIES
from .multitask import TOLS
from .tables import Record, circumstances, load, pick, table, text, verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .study import Cell

STANDARD_ERRORS = 3.0  # that a mean may be above a published one
STAGE_ERRORS = 3.0  # of the difference of two means
SAME_OBJECTIVE = 1e-8  # of the null loss
SAME_CURVE = 1e-8  # relative, of the objectives of several solvers
BOUND = 1e-6  # by which the largest slope may exceed lambda


def show(name: str, folder: Path) -> str:
    """Title, tables, verdict and circumstances of one result."""
    result = load(folder / f"{name}.json")
    if result is None or not result["records"]:
        return f"{name}: no result in {folder}"
    body = WRITERS[name](result["records"])
    return f"{name.upper()}  {result['title']}\n\n{body}\n\n{circumstances(result)}\n"


# The authors' own penalty on our scale: what is held against their error.
OWN = {("gaussian", "plain"), ("binomial", "half")}


def signals(records: list[Record]) -> str:
    """ON6: one row for each cell, gated on the error where the penalty is the authors'."""
    rows = []
    judged = {True: 0, False: 0}
    for record in records:
        cell, mean, error = record["cell"], record["mean"], record["se"]
        others = published.recovered(cell)
        mark = "-"
        if (cell["family"], cell["scale"]) in OWN:
            limit = others["ag_error"] + STANDARD_ERRORS * allowance(cell, error["error"])
            judged[mean["error"] <= limit] += 1
            mark = "ok" if mean["error"] <= limit else "above"
        rows.append(
            (
                f"{cell['family']} {cell['penalty']} {cell['scale']}",
                cell["rho"],
                cell["snr"],
                record["seeds"],
                mean["error"],
                error["error"],
                others["ag_error"],
                others["ncvreg_error"],
                mark,
                mean["ppv"],
                others["ag_ppv"],
                others["ncvreg_ppv"],
                mean["npv"],
                mean["sup_error"],
                mean["size"],
                mean["certificate"],
            )
        )
    head = ("model", "rho", "SNR", "seeds", "error", "se", "AG", "ncvreg", "")
    head += ("PPV", "AG", "ncvreg", "NPV", "sup error", "size", "certificate")
    good, bad = judged[True], judged[False]
    sentence = f"error at most 3 standard errors above AG's: {good} of {good + bad} cells"
    return f"{table(head, rows)}\n\n{verdict(good > 0 and bad == 0, sentence)}"


def allowance(cell: Cell, own: float | None) -> float:
    """A published standard error where it is known, else our own."""
    if (cell["family"], cell["penalty"]) == ("gaussian", "mcp"):
        return published.entry(published.AG_SPREAD, cell["rho"], cell["snr"]) / 10.0
    return own or 0.0


def stages(records: list[Record]) -> str:
    """ON3: the best lambda and theta of every stage."""
    parts, passed = [], True
    for solver in ("stages", "reweighted"):
        for noise, (first, later) in published.STAGES.items():
            own = pick(records, solver=solver, noise=noise)
            if not own:
                continue
            best = [
                min(own, key=lambda r, s=s: r["mean"]["error"][s])
                for s in range(len(own[0]["mean"]["error"]))
            ]
            rows = [
                (
                    str(s + 1),
                    r["cell"]["multiple"],
                    r["cell"]["share"],
                    r["mean"]["error"][s],
                    r["se"]["error"][s],
                    (first, later)[s > 0][0],
                    r["mean"]["wrong"][s],
                    r["mean"]["oracle"],
                )
                for s, r in enumerate(best)
            ]
            head = ("stage", "theta", "lambda", "error", "se", "reference", "wrong", "oracle")
            parts.append(f"{solver}, noise sd {text(noise)}\n{table(head, rows)}")
            near = [
                abs(r[3] - r[5]) <= STAGE_ERRORS * np.hypot(r[4] or 0.0, e)
                for r, e in zip(rows[:2], (first[1], later[1]), strict=True)
            ]
            falls = max(r["mean"]["rise"] for r in own) <= 1e-9 * best[0]["mean"]["objective"][0]
            passed &= rows[1][3] < rows[0][3] and all(near) and falls
    sentence = "stage 2 below stage 1, both within 3 standard errors of the reference, monotone"
    return "\n\n".join([*parts, verdict(passed, sentence)])


def grid(records: list[Record]) -> str:
    """B1: error and F1 of every penalty; the ordering that is expected of a strong signal."""
    rows, wins, strong = [], 0, 0
    points = {tuple(v for k, v in r["cell"].items() if k != "penalty"): None for r in records}
    for family, level, active, n in points:
        own = {
            r["cell"]["penalty"]: r
            for r in pick(records, family=family, level=level, active=active, rows=n)
        }
        for measure in ("error", "f1"):
            values = [own[p]["mean"][measure] if p in own else None for p in PENALTIES]
            rows.append((f"{family} {measure}", level, active, n, *values))
        if family == "gaussian" and level == 20.0 and active < 20:
            strong += 1
            wins += own["group_mcp"]["mean"]["error"] < own["group_lasso"]["mean"]["error"]
    names = [name.removeprefix("group_") for name in PENALTIES]
    worst = max(r["mean"]["worst_certificate"] for r in records)
    sentence = f"group MCP below group lasso at SNR 20, up to 10 active: {wins} of {strong} cells"
    body = table(("model", "level", "active", "n", *names), rows)
    return f"{body}\n\nlargest certificate {text(worst)}\n{verdict(0 < strong == wins, sentence)}"


def overlap(records: list[Record]) -> str:
    """ON1: recovery, and seconds by overlap."""
    own = pick(records, part="recovery")
    names = ("missed", "wrong", "error", "debiased", "certificate")
    rows = [
        (f"{r['cell']['method']}, {rule}", *(r["mean"][f"{name}_{rule}"] for name in names))
        for rule in ("min", "1se")
        for r in own
    ]
    parts = [table(("method", *names), rows)]
    seconds = [
        (
            f"{r['cell']['shared']} shared",
            r["mean"]["copies"],
            r["cell"]["solver"],
            r["mean"]["seconds"],
            r["mean"]["certificate"],
        )
        for r in pick(records, part="time")
    ]
    head = ("groups of 10", "copies", "solver", "CPU s", "certificate")
    parts.append(table(head, seconds))
    error = {r["cell"]["method"]: r["mean"]["error_min"] for r in own}
    others = [value for method, value in error.items() if method != "latent"]
    passed = bool(others) and error["latent"] < min(others)
    parts.append(verdict(passed, "the latent penalty has the smallest error on new rows"))
    return "\n\n".join(parts)


def multitask(records: list[Record]) -> str:
    """ON2 (a), (b): seconds to reach relative accuracies."""
    rows, passed = [], True
    for design, share in {(r["cell"]["design"], r["cell"]["share"]): None for r in records}:
        own = pick(records, design=design, share=share)
        lowest = min(min(r["mean"]["objective"]) for r in own)
        for r in own:
            mean = r["mean"]
            gap = [(value - lowest) / lowest for value in mean["objective"]]
            passed &= gap[-1] <= SAME_CURVE and mean["slope"][-1] <= 1.0 + BOUND
            reached = [
                next((t for t, g in zip(mean["seconds"], gap, strict=True) if g <= a), None)
                for a in (1e-3, 1e-6, 1e-9)
            ]
            rows.append(
                (
                    f"({design}) {r['cell']['solver']}",
                    f"1/{share}",
                    *reached,
                    gap[-1],
                    mean["slope"][-1] - 1.0,
                    mean["rows"][-1],
                )
            )
    head = ("solver", "lambda", "s to 1e-3", "1e-6", "1e-9", "gap left", "slope - 1", "rows")
    sentence = f"one objective to 1e-8 at tol={TOLS[-1]:.0e}, slopes within lambda"
    return f"{table(head, rows)}\n\n{verdict(passed, sentence)}"


def recovery(records: list[Record]) -> str:
    """ON2 (c): success by the number of measurements."""
    parts, half = [], {}
    for method in ("varpro", "irls", "path"):
        own = pick(records, method=method)
        powers = list({r["cell"]["q"]: None for r in own})
        many = sorted({r["cell"]["measurements"] for r in own})
        rows = []
        for m in many:
            found = {r["cell"]["q"]: r["mean"]["success"] for r in pick(own, measurements=m)}
            rows.append((str(m), *(found.get(q) for q in powers)))
        parts.append(f"{method}\n{table(('rows', *(f'q = {q}' for q in powers)), rows)}")
        for q in powers:
            area = [r["mean"]["success"] for r in pick(own, q=q)]
            half[method, q] = sum(area) / len(area)
    passed = all(
        half[m, 0.67] > half[m, 1.0] for m in ("varpro", "irls", "path") if (m, 1.0) in half
    )
    parts.append(verdict(passed, "a smaller power recovers from fewer rows (mean success)"))
    return "\n\n".join(parts)


def agreement(records: list[Record]) -> str:
    """B9: objectives of every solver."""
    rows, worst = [], 0.0
    for family, penalty in {(r["cell"]["family"], r["cell"]["penalty"]): None for r in records}:
        own = pick(records, family=family, penalty=penalty)
        lowest = min(r["mean"]["objective"] for r in own)
        for r in own:
            mean = r["mean"]
            excess = mean["objective"] - lowest
            worst = max(worst, excess) if mean["convex"] else worst
            kind = "convex" if mean["convex"] else "nonconvex"
            rows.append(
                (
                    f"{family} {penalty}",
                    kind,
                    r["cell"]["solver"],
                    f"{mean['objective']:.9f}",
                    f"{excess:.1e}",
                    f"{mean['certificate']:.1e}",
                    mean["groups"],
                    mean["seconds"],
                )
            )
    head = ("problem", "", "solver", "objective", "excess", "certificate", "groups", "seconds")
    sentence = f"convex objectives within 1e-8 of the null loss: largest excess {worst:.1e}"
    return f"{table(head, rows)}\n\n{verdict(worst <= SAME_OBJECTIVE, sentence)}"


WRITERS: dict[str, Callable[[list[Record]], str]] = {
    "on1": overlap,
    "on2ab": multitask,
    "on2c": recovery,
    "on3": stages,
    "b1": grid,
    "on6": signals,
    "b9": agreement,
}
