"""The penalised problem: objective, null fits, lambda_max and certificates."""

from grpsparse.problem.certificate import Certificate, certify
from grpsparse.problem.problem import PenaltySpec, Problem, State, build_problem
from grpsparse.problem.smooth import Observed

__all__ = [
    "Certificate",
    "Observed",
    "PenaltySpec",
    "Problem",
    "State",
    "build_problem",
    "certify",
]
