"""Penalties, one concept per file: of whole groups, and elementwise with groups of one.

A penalty is a frozen object that meets :class:`~grpsparse.penalties.protocol.Penalty`, the
convex ones also :class:`~grpsparse.penalties.protocol.ConvexPenalty`. To add one, write its
file and enter it in :mod:`~grpsparse.penalties.registry`.
"""

from __future__ import annotations

from grpsparse.penalties.adaptive import AdaptiveGroupLasso
from grpsparse.penalties.capped_l1 import GroupCappedL1
from grpsparse.penalties.cardinality import GroupCardinality
from grpsparse.penalties.cel0 import GroupCEL0
from grpsparse.penalties.composite_mcp import CompositeMCP
from grpsparse.penalties.elastic_net import ElasticNet, GroupElasticNet
from grpsparse.penalties.group_exponential import GroupExponentialLasso
from grpsparse.penalties.hoyer import GroupHoyer
from grpsparse.penalties.l0 import GroupL0
from grpsparse.penalties.l1_l2 import GroupL1L2
from grpsparse.penalties.lasso import GroupLasso, Lasso
from grpsparse.penalties.latent import LatentGroupLasso
from grpsparse.penalties.log_sum import GroupLogSum
from grpsparse.penalties.lq import GroupLq
from grpsparse.penalties.mcp import MCP, GroupMCP
from grpsparse.penalties.overlap import OverlapGroupLasso, OverlapNorm
from grpsparse.penalties.protocol import (
    AdaptivePenalty,
    ConvexPenalty,
    JointPenalty,
    MatrixPenalty,
    NestedPenalty,
    Penalty,
    Segments,
)
from grpsparse.penalties.registry import get, names
from grpsparse.penalties.scad import SCAD, GroupSCAD
from grpsparse.penalties.sparse_group_lasso import SparseGroupLasso
from grpsparse.penalties.trace_norm import TraceNorm
from grpsparse.penalties.transformed_l1 import GroupTransformedL1

__all__ = [
    "MCP",
    "SCAD",
    "AdaptiveGroupLasso",
    "AdaptivePenalty",
    "CompositeMCP",
    "ConvexPenalty",
    "ElasticNet",
    "GroupCEL0",
    "GroupCappedL1",
    "GroupCardinality",
    "GroupElasticNet",
    "GroupExponentialLasso",
    "GroupHoyer",
    "GroupL0",
    "GroupL1L2",
    "GroupLasso",
    "GroupLogSum",
    "GroupLq",
    "GroupMCP",
    "GroupSCAD",
    "GroupTransformedL1",
    "JointPenalty",
    "Lasso",
    "LatentGroupLasso",
    "MatrixPenalty",
    "NestedPenalty",
    "OverlapGroupLasso",
    "OverlapNorm",
    "Penalty",
    "Segments",
    "SparseGroupLasso",
    "TraceNorm",
    "get",
    "names",
]
