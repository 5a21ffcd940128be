"""Families of losses, one file each.

A family is a frozen object that meets :class:`~grpsparse.families.protocol.Family`. To add one,
write its file and enter it in :mod:`~grpsparse.families.registry`.
"""

from __future__ import annotations

from grpsparse.families.adaptive import Adaptive, for_data
from grpsparse.families.binomial import Binomial
from grpsparse.families.cox import Cox
from grpsparse.families.gamma import Gamma
from grpsparse.families.gaussian import Gaussian
from grpsparse.families.huber import Huber
from grpsparse.families.mgaussian import MultiGaussian
from grpsparse.families.multinomial import Multinomial
from grpsparse.families.negative_binomial import NegativeBinomial
from grpsparse.families.poisson import Poisson
from grpsparse.families.protocol import (
    Family,
    JointFamily,
    ScaleFamily,
    among,
    has_baseline,
    n_outputs,
)
from grpsparse.families.registry import get, names
from grpsparse.families.response import Response, encode_response
from grpsparse.families.several import takes_several
from grpsparse.families.sqrt_gaussian import SqrtGaussian

__all__ = [
    "Adaptive",
    "Binomial",
    "Cox",
    "Family",
    "Gamma",
    "Gaussian",
    "Huber",
    "JointFamily",
    "MultiGaussian",
    "Multinomial",
    "NegativeBinomial",
    "Poisson",
    "Response",
    "ScaleFamily",
    "SqrtGaussian",
    "among",
    "encode_response",
    "for_data",
    "get",
    "has_baseline",
    "n_outputs",
    "names",
    "takes_several",
]
