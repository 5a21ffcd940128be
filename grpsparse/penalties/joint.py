"""What penalties of all group norms at once share, and their public face.

The functions of one block are those of a block that is alone; ``joint_*`` see all norms.
"""

from __future__ import annotations

from typing import ClassVar

from grpsparse.backend import Array
from grpsparse.penalties.block import BlockFunctions
from grpsparse.penalties.protocol import JointPenalty

__all__ = ["JointFunctions"]


class JointFunctions(BlockFunctions):
    """A penalty of all norms whose zeros are judged by its slopes."""

    __slots__ = ()

    convex: ClassVar[bool] = False
    elementwise: ClassVar[bool] = False
    bilevel: ClassVar[bool] = False
    joint: ClassVar[bool] = True
    growing: ClassVar[bool] = False
    solver: ClassVar[str] = "accelerated"
    l1_fraction: ClassVar[float] = 0.0

    @property
    def most(self) -> int | None:
        """None: any number of groups may be in."""
        return None

    def joint_limit(
        self: JointPenalty,
        norms: Array,
        weight: Array,
        lambda_: float,
        alone: Array,  # noqa: ARG002
        together: float,  # noqa: ARG002
    ) -> Array:
        """Return the slopes."""
        return self.joint_slope(norms, weight, lambda_)

    def joint_least(
        self,
        norms: Array,  # noqa: ARG002
        weight: Array,  # noqa: ARG002
        lambda_: float,  # noqa: ARG002
        together: float,  # noqa: ARG002
    ) -> float:
        """Return 0."""
        return 0.0
