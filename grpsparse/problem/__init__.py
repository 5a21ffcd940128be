"""The penalised problem: objective, null fits, lambda_max and certificates."""

from grpsparse.problem.blocks import Blocks
from grpsparse.problem.certificate import Checked, certify, dual_point, left_over
from grpsparse.problem.grams import GroupGrams, Matrices
from grpsparse.problem.moments import Moments, moments_of
from grpsparse.problem.overlap import columns_of, overlap_spec
from grpsparse.problem.pivotal import PivotalLambda
from grpsparse.problem.problem import NullFit, Problem, State, build_problem
from grpsparse.problem.smooth import Observed, loss_hessian
from grpsparse.problem.weights import PenaltySpec, group_weights

__all__ = [
    "Blocks",
    "Checked",
    "GroupGrams",
    "Matrices",
    "Moments",
    "NullFit",
    "Observed",
    "PenaltySpec",
    "PivotalLambda",
    "Problem",
    "State",
    "build_problem",
    "certify",
    "columns_of",
    "dual_point",
    "group_weights",
    "left_over",
    "loss_hessian",
    "moments_of",
    "overlap_spec",
]
