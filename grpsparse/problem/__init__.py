"""The penalised problem: objective, null fits, lambda_max and certificates."""

from grpsparse.problem.blocks import Blocks
from grpsparse.problem.certificate import Checked, certify, dual_point
from grpsparse.problem.problem import NullFit, PenaltySpec, Problem, State, build_problem
from grpsparse.problem.smooth import Observed

__all__ = [
    "Blocks",
    "Checked",
    "NullFit",
    "Observed",
    "PenaltySpec",
    "Problem",
    "State",
    "build_problem",
    "certify",
    "dual_point",
]
