"""The penalties by name.

A new penalty is a file of its own, an entry here, and, if its shape is new, one branch of
:func:`grpsparse.backend.prox.radial_prox` with its code.
"""

from __future__ import annotations

from difflib import get_close_matches

from grpsparse.errors import PenaltyError, lacking
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
from grpsparse.penalties.overlap import OverlapGroupLasso
from grpsparse.penalties.protocol import Penalty
from grpsparse.penalties.scad import SCAD, GroupSCAD
from grpsparse.penalties.sparse_group_lasso import SparseGroupLasso
from grpsparse.penalties.trace_norm import TraceNorm
from grpsparse.penalties.transformed_l1 import GroupTransformedL1

__all__ = ["get", "names"]

_PENALTIES: dict[str, Penalty] = {
    penalty.name: penalty
    for penalty in (
        GroupLasso(),
        GroupElasticNet(),
        SparseGroupLasso(),
        AdaptiveGroupLasso(),
        LatentGroupLasso(),
        OverlapGroupLasso(),
        GroupMCP(),
        GroupSCAD(),
        GroupCappedL1(),
        GroupTransformedL1(),
        GroupLogSum(),
        GroupLq(),
        GroupL0(),
        GroupCEL0(),
        CompositeMCP(),
        GroupExponentialLasso(),
        TraceNorm(),
        GroupL1L2(),
        GroupHoyer(),
        GroupCardinality(),
        Lasso(),
        ElasticNet(),
        MCP(),
        SCAD(),
    )
}


def names() -> tuple[str, ...]:
    """Return the names that ``penalty=`` takes: of whole groups first, then of columns.

    Examples
    --------
    >>> names()[:3]
    ('group_lasso', 'group_elastic_net', 'sparse_group_lasso')
    """
    return tuple(_PENALTIES)


def get(penalty: str | Penalty) -> Penalty:
    """Return the penalty of a name, with its default parameters; an object passes through.

    Parameters
    ----------
    penalty : str or Penalty
        A name of :func:`names`, or a penalty object.

    Returns
    -------
    Penalty

    Raises
    ------
    PenaltyError
        If there is no penalty of that name, or the object is not a penalty.

    Examples
    --------
    >>> get("group_mcp")
    GroupMCP(gamma=3.0, rescale=True)
    """
    if isinstance(penalty, str):
        if penalty in _PENALTIES:
            return _PENALTIES[penalty]
        near = get_close_matches(penalty.lower(), _PENALTIES, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise PenaltyError(
            f"unknown penalty {penalty!r}: {hint}Penalties are {', '.join(names())}."
        )
    if isinstance(penalty, type) or not isinstance(penalty, Penalty):
        raise PenaltyError(
            f"`penalty` is {penalty!r}. {lacking(penalty, Penalty)}Give a name "
            f"({', '.join(names())}) or a penalty object such as gs.GroupMCP(gamma=3)."
        )
    return penalty
