"""Families: gaussian, binomial, multinomial and poisson, one file each.

A family is a frozen object that meets :class:`~grpsparse.families.protocol.Family`. To add one,
write its file and enter it in :mod:`~grpsparse.families.registry`.
"""

from __future__ import annotations

from grpsparse.families.binomial import Binomial
from grpsparse.families.gaussian import Gaussian
from grpsparse.families.multinomial import Multinomial
from grpsparse.families.poisson import Poisson
from grpsparse.families.protocol import Family
from grpsparse.families.registry import get, names
from grpsparse.families.response import Response, encode_response

__all__ = [
    "Binomial",
    "Family",
    "Gaussian",
    "Multinomial",
    "Poisson",
    "Response",
    "encode_response",
    "get",
    "names",
]
