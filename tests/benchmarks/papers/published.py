"""Numbers of the papers, and of the reference runs, that results are held against.

ON6: means over 100 seeds, computed from the raw results that are stored with the authors' code
(github.com/Kaiyangshi-Ito/nonconvexAG); rows are correlations .1, .5, .9, columns SNR 1, 3, 7, 10.
ON3: a reference implementation by accelerated proximal gradient, 30 seeds.
"""

from __future__ import annotations

from typing import Any

CORRELATIONS = (0.1, 0.5, 0.9)
RATIOS = (1, 3, 7, 10)

Table = tuple[tuple[float, float, float, float], ...]

# (family, penalty): relative squared error of the accelerated gradient method.
AG_ERROR: dict[tuple[str, str], Table] = {
    ("gaussian", "mcp"): (
        (0.133, 0.049, 0.021, 0.014),
        (0.563, 0.169, 0.088, 0.059),
        (2.84, 2.00, 1.50, 1.08),
    ),
    ("gaussian", "scad"): (
        (0.128, 0.050, 0.022, 0.016),
        (0.521, 0.156, 0.085, 0.065),
        (2.84, 2.08, 1.28, 1.16),
    ),
    ("binomial", "mcp"): (
        (0.770, 0.555, 0.383, 0.310),
        (0.808, 0.654, 0.521, 0.469),
        (0.897, 0.834, 0.779, 0.753),
    ),
    ("binomial", "scad"): (
        (0.768, 0.556, 0.377, 0.311),
        (0.810, 0.656, 0.522, 0.474),
        (0.897, 0.839, 0.779, 0.757),
    ),
}
# The same of ncvreg, an R package by coordinate descent.
NCVREG_ERROR: dict[tuple[str, str], Table] = {
    ("gaussian", "mcp"): (
        (0.126, 0.048, 0.020, 0.014),
        (0.494, 0.161, 0.086, 0.059),
        (2.86, 1.92, 1.42, 1.13),
    ),
    ("gaussian", "scad"): (
        (0.131, 0.052, 0.021, 0.015),
        (0.485, 0.156, 0.083, 0.063),
        (2.93, 2.09, 1.30, 1.17),
    ),
    ("binomial", "mcp"): (
        (0.795, 0.605, 0.438, 0.381),
        (0.829, 0.674, 0.533, 0.480),
        (0.903, 0.825, 0.761, 0.737),
    ),
    ("binomial", "scad"): (
        (0.803, 0.603, 0.438, 0.377),
        (0.840, 0.682, 0.537, 0.481),
        (0.903, 0.813, 0.735, 0.712),
    ),
}
# Share of the selected that are true.
AG_PPV: dict[tuple[str, str], Table] = {
    ("gaussian", "mcp"): (
        (0.85, 0.84, 0.76, 0.80),
        (0.74, 0.73, 0.65, 0.49),
        (0.62, 0.51, 0.51, 0.37),
    ),
    ("gaussian", "scad"): (
        (0.75, 0.68, 0.58, 0.53),
        (0.62, 0.55, 0.42, 0.44),
        (0.49, 0.33, 0.20, 0.21),
    ),
    ("binomial", "mcp"): (
        (0.88, 0.91, 0.92, 0.92),
        (0.86, 0.89, 0.90, 0.91),
        (0.78, 0.80, 0.81, 0.80),
    ),
    ("binomial", "scad"): (
        (0.80, 0.87, 0.90, 0.91),
        (0.78, 0.86, 0.88, 0.90),
        (0.70, 0.77, 0.79, 0.79),
    ),
}
NCVREG_PPV: dict[tuple[str, str], Table] = {
    ("gaussian", "mcp"): (
        (0.43, 0.50, 0.54, 0.56),
        (0.41, 0.51, 0.55, 0.48),
        (0.39, 0.37, 0.48, 0.38),
    ),
    ("gaussian", "scad"): (
        (0.25, 0.28, 0.32, 0.35),
        (0.29, 0.31, 0.34, 0.41),
        (0.29, 0.27, 0.18, 0.21),
    ),
    ("binomial", "mcp"): (
        (0.37, 0.43, 0.46, 0.50),
        (0.40, 0.44, 0.45, 0.47),
        (0.37, 0.40, 0.42, 0.41),
    ),
    ("binomial", "scad"): (
        (0.22, 0.24, 0.27, 0.29),
        (0.27, 0.27, 0.27, 0.28),
        (0.31, 0.27, 0.27, 0.26),
    ),
}
# Standard deviation over seeds of the first table of AG_ERROR, the only one known.
AG_SPREAD: Table = (
    (0.022, 0.010, 0.004, 0.003),
    (0.124, 0.034, 0.016, 0.011),
    (0.39, 0.33, 0.33, 0.27),
)

# Noise: (error and its standard error of stage 1, the same of stage 2 and later).
STAGES: dict[float, tuple[tuple[float, float], tuple[float, float]]] = {
    1.0: ((0.864, 0.023), (0.402, 0.016)),
    5.0: ((4.06, 0.11), (2.01, 0.08)),
}


def entry(table: Table, rho: float, ratio: int) -> float:
    """The number of one correlation and one SNR."""
    return table[CORRELATIONS.index(rho)][RATIOS.index(ratio)]


def recovered(cell: dict[str, Any]) -> dict[str, float]:
    """What is published for a cell of ON6."""
    key, place = (cell["family"], cell["penalty"]), (cell["rho"], cell["snr"])
    tables = {
        "ag_error": AG_ERROR,
        "ncvreg_error": NCVREG_ERROR,
        "ag_ppv": AG_PPV,
        "ncvreg_ppv": NCVREG_PPV,
    }
    return {name: entry(table[key], *place) for name, table in tables.items()}
