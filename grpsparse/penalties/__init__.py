"""Penalties, one concept per file: of whole groups, and elementwise with groups of one.

A penalty is a frozen object that meets :class:`~grpsparse.penalties.protocol.Penalty`, the
convex ones also :class:`~grpsparse.penalties.protocol.ConvexPenalty`. To add one, write its
file and enter it in :mod:`~grpsparse.penalties.registry`.
"""

from __future__ import annotations

from grpsparse.penalties.elastic_net import ElasticNet, GroupElasticNet
from grpsparse.penalties.lasso import GroupLasso, Lasso
from grpsparse.penalties.mcp import MCP, GroupMCP
from grpsparse.penalties.protocol import ConvexPenalty, Penalty, Segments
from grpsparse.penalties.registry import get, names
from grpsparse.penalties.scad import SCAD, GroupSCAD
from grpsparse.penalties.sparse_group_lasso import SparseGroupLasso

__all__ = [
    "MCP",
    "SCAD",
    "ConvexPenalty",
    "ElasticNet",
    "GroupElasticNet",
    "GroupLasso",
    "GroupMCP",
    "GroupSCAD",
    "Lasso",
    "Penalty",
    "Segments",
    "SparseGroupLasso",
    "get",
    "names",
]
