"""Design matrices as operators, and their standardised coordinates."""

from grpsparse.design.standardise import Standardised, standardise
from grpsparse.design.storage import Design, assemble

__all__ = ["Design", "Standardised", "assemble", "standardise"]
