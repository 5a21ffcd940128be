"""Simulate `medicare.csv`: plan-years of an invented market, alike within a plan.

Nothing here is observed. A plan p of brand b has a level that lasts over its years,

    level_p = brand_b + type_p + drugs_p - price_p + cover_p + stars_p + N(0, PLAN_SD),

where price_p raises the premiums and cover_p lowers deductibles, copays and the yearly limit, and
each of its years adds N(0, YEAR_SD). The 47 lowest plan-years are the class "low", the next 60
"mid", the 65 highest "high". Ancillary benefits (dental, vision, ...) have no part in the level.
Since most of a plan's level recurs every year while its terms hardly move, a plan that random
folds hold out is also in the training rows: they look better than folds that keep the years of a
plan together.

In the spirit of the study of plan market shares in arXiv:2511.08603; its figures are not used.

Run ``python datasets/make_medicare.py [path]`` to write the file again, byte for byte.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SEED = 102  # of a hundred tried: balanced brands, both accuracies and the collinearity plain to see
YEARS = range(2018, 2024)
LENGTHS = (2, 3, 4, 5, 6) * 8 + (4, 4, 4)  # years a plan is offered: 43 plans, 172 plan-years
COUNTS = (47, 60, 65)
CUTS = (0.3, 1.5)  # market share in per cent
PLAN_SD = 0.65
YEAR_SD = 0.3

BRANDS = {"Alder": 1.3, "Birch": 0.3, "Cedar": -0.4, "Hazel": -1.1}
TYPES = {"HMO": 0.0, "HMO-POS": 0.1, "PPO": -1.2}
ANCILLARY = ("dental", "vision", "hearing", "fitness", "transport", "meals", "telehealth")


def simulate(seed: int = SEED) -> list[dict[str, Any]]:
    """Return the plan-years, one dict a row, ordered by plan and year."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    levels: list[float] = []
    for number, length in enumerate(rng.permutation(LENGTHS), start=1):
        plan = _plan(rng)
        first = int(rng.integers(YEARS[0], YEARS[-1] - length + 2))
        for year in range(first, first + int(length)):
            rows.append({"plan": f"P{number:02d}", "year": year, **_year(rng, plan, year)})
            levels.append(plan["level"] + YEAR_SD * rng.standard_normal())
    for row, share in zip(rows, _market_shares(np.array(levels)), strict=True):
        row["market_share"] = f"{share:.3f}"
        row["share"] = ("low", "mid", "high")[int(np.searchsorted(CUTS, share))]
    return rows


def _plan(rng: np.random.Generator) -> dict[str, Any]:
    """Draw what stays with a plan: its brand, type, drug cover, prices and level."""
    brand = str(rng.choice(list(BRANDS), p=(0.35, 0.25, 0.2, 0.2)))
    kind = str(rng.choice(list(TYPES), p=(0.5, 0.2, 0.3)))
    drugs = bool(rng.random() < 0.8)
    price, cover = rng.standard_normal(2)
    stars = rng.standard_normal()
    level = (
        BRANDS[brand]
        + TYPES[kind]
        + 1.2 * drugs
        - 0.7 * price
        + 0.5 * cover
        + 0.3 * stars
        + PLAN_SD * rng.standard_normal()
    )
    return {
        "brand": brand,
        "plan_type": kind,
        "drugs": "yes" if drugs else "no",
        "level": float(level),
        "price": price + 0.3 * (kind == "PPO"),
        "cover": cover,
        "stars": stars,
        "habits": rng.standard_normal(12),
        "extras": rng.standard_normal(len(ANCILLARY) + 1),
    }


def _year(rng: np.random.Generator, plan: dict[str, Any], year: int) -> dict[str, Any]:
    """Draw one year's terms around those of the plan."""
    price, cover, habit = plan["price"], plan["cover"], plan["habits"]
    drugs = plan["drugs"] == "yes"
    since = year - YEARS[0]
    wobble = 0.12 * rng.standard_normal(12) + habit
    premium = _dollars(38 + 28 * price + 10 * wobble[0] + since, 0.1)
    drug_premium = _dollars(26 + 5 * price + 12 * wobble[1] + since, 0.1) if drugs else 0.0
    terms = {
        "star_rating": _stars(3.9 + 0.4 * wobble[2] + 0.3 * plan["stars"]),
        "premium": premium,
        "drug_premium": drug_premium,
        "total_premium": _dollars(premium + drug_premium - 2 + 6 * rng.standard_normal(), 0.1),
        "deductible": _dollars(150 - 90 * cover + 80 * wobble[3], 5),
        "drug_deductible": _dollars(190 + 110 * wobble[4] - 30 * cover, 5) if drugs else 0.0,
        "primary_copay": _dollars(9 - 4 * cover + 5 * wobble[5], 1),
        "specialist_copay": _dollars(36 - 6 * cover + 7 * wobble[6], 1),
        "urgent_copay": _dollars(38 + 11 * wobble[7], 1),
        "emergency_copay": _dollars(88 + 6 * wobble[8] + 2 * since, 5),
        "inpatient_copay": _dollars(330 - 40 * cover + 60 * wobble[9], 5),
        "ambulance_copay": _dollars(255 + 35 * wobble[10], 5),
        "out_of_pocket_max": _dollars(5900 - 700 * cover + 700 * wobble[11] + 80 * since, 50),
    }
    extras = plan["extras"] + 1.0 * rng.standard_normal(len(ANCILLARY) + 1)
    offered = extras[:-1] > -0.6 + 0.2 * np.arange(len(ANCILLARY))
    return {
        **{name: plan[name] for name in ("brand", "plan_type", "drugs")},
        **{name: f"{value:g}" for name, value in terms.items()},
        **dict(zip(ANCILLARY, np.where(offered, "yes", "no"), strict=True)),
        "over_the_counter": f"{_dollars(45 + 25 * extras[-1], 5):g}",
    }


def _dollars(value: float, step: float) -> float:
    """Round an amount to its step, none below zero."""
    return float(max(0.0, round(float(value) / step) * step))


def _stars(value: float) -> float:
    """Round a rating to half stars, from 2.5 to 5."""
    return float(np.clip(round(2 * value) / 2, 2.5, 5.0))


def _market_shares(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share in per cent: log-linear in the level, half as steep above the upper cut."""
    ordered = np.sort(levels)
    low, high = np.cumsum(COUNTS[:2])
    at = [(ordered[k - 1] + ordered[k]) / 2 for k in (low, high)]
    slope = (np.log(CUTS[1]) - np.log(CUTS[0])) / (at[1] - at[0])
    gain = levels - at[0] - np.maximum(levels - at[1], 0.0) / 2
    return np.asarray(CUTS[0] * np.exp(slope * gain))


def write(path: Path) -> None:
    """Write the simulated rows as CSV."""
    rows = simulate()
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).with_name("medicare.csv"))
