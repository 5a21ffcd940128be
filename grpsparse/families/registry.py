"""The families by name. A new family is a file of its own and an entry here."""

from __future__ import annotations

from difflib import get_close_matches

from grpsparse.errors import FamilyError, lacking
from grpsparse.families.binomial import Binomial
from grpsparse.families.cox import Cox
from grpsparse.families.gamma import Gamma
from grpsparse.families.gaussian import Gaussian
from grpsparse.families.huber import Huber
from grpsparse.families.mgaussian import MultiGaussian
from grpsparse.families.multinomial import Multinomial
from grpsparse.families.negative_binomial import NegativeBinomial
from grpsparse.families.poisson import Poisson
from grpsparse.families.protocol import Family
from grpsparse.families.sqrt_gaussian import SqrtGaussian

__all__ = ["get", "names"]

_FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Gaussian(),
        Binomial(),
        Multinomial(),
        Poisson(),
        Huber(),
        Gamma(),
        NegativeBinomial(),
        MultiGaussian(),
        SqrtGaussian(),
        Cox(),
    )
}


def names() -> tuple[str, ...]:
    """Return the names that ``family=`` takes, besides ``"auto"``.

    Examples
    --------
    >>> names()  # doctest: +NORMALIZE_WHITESPACE
    ('gaussian', 'binomial', 'multinomial', 'poisson', 'huber', 'gamma', 'negative_binomial',
     'mgaussian', 'sqrt_gaussian', 'cox')
    """
    return tuple(_FAMILIES)


def get(family: str | Family) -> Family:
    """Return the family of a name; a family passes through.

    Parameters
    ----------
    family : str or Family
        A name of :func:`names`, or an object with the members of a family.

    Returns
    -------
    Family

    Raises
    ------
    FamilyError
        If there is no family of that name, or the object is not a family.

    Examples
    --------
    >>> get("poisson")
    Poisson()
    """
    if isinstance(family, str):
        if family in _FAMILIES:
            return _FAMILIES[family]
        near = get_close_matches(family.lower(), _FAMILIES, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise FamilyError(f"unknown family {family!r}: {hint}Families are {', '.join(names())}.")
    if isinstance(family, type) or not isinstance(family, Family):
        raise FamilyError(
            f"`family` is {family!r}. {lacking(family, Family)}Give a name "
            f"({', '.join(names())}) or a family object such as gs.families.Poisson()."
        )
    return family
