"""Data sets to learn and test on, each with its source and its licence.

A data set is a description ``NAME.toml`` and, where it is shipped, a ``NAME.csv`` beside it. Those
of statsmodels are read from there, so that nothing is copied.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from textwrap import fill
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from grpsparse.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DatasetInfo", "describe", "load", "names"]


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """What a data set is and where it comes from.

    Parameters
    ----------
    name : str
        The name that `load` takes.
    description, source, licence : str
        One sentence each.
    response : str
        The column that is usually modelled.
    rows : int
        Number of rows.
    columns : mapping of str to str
        What each column means, in the order of the data.
    """

    name: str
    description: str
    source: str
    licence: str
    response: str
    rows: int
    columns: Mapping[str, str]

    def __str__(self) -> str:
        """Return the description as a page of plain text."""
        width = max(len(column) for column in self.columns)
        lines = [
            f"{self.name}: {self.description}",
            f"Source: {self.source}",
            f"Licence: {self.licence}",
            f"{self.rows} rows; usual response: {self.response}",
            *(f"  {column:<{width}}  {what}" for column, what in self.columns.items()),
        ]
        return "\n".join(
            fill(line, 80, subsequent_indent=" " * (width + 4), break_on_hyphens=False)
            for line in lines
        )


def names() -> tuple[str, ...]:
    """Return the names of the data sets, sorted.

    Examples
    --------
    >>> names()
    ('anes96', 'birthwt', 'housing', 'medicare', 'randhie', 'statecrime')
    """
    return tuple(sorted(path.stem for path in _folder().glob("*.toml")))


def describe(name: str) -> DatasetInfo:
    """Return what a data set is, without reading its rows.

    Parameters
    ----------
    name : str
        One of `names`.

    Raises
    ------
    DataError
        For an unknown name, with near matches.

    Examples
    --------
    >>> describe("birthwt").response
    'low'
    """
    record = _record(name)
    return DatasetInfo(
        name=name,
        description=record["description"],
        source=record["source"],
        licence=record["licence"],
        response=record["response"],
        rows=record["rows"],
        columns=MappingProxyType(record["columns"]),
    )


def load(name: str) -> pd.DataFrame:
    """Return a data set as a DataFrame.

    Columns whose levels have an order become a Categorical with that order; other strings stay
    strings. The frame's ``attrs`` carry `description`, `source` and `licence`.

    Parameters
    ----------
    name : str
        One of `names`.

    Raises
    ------
    DataError
        For an unknown name, with near matches, or if the package that holds the data is absent.

    Examples
    --------
    >>> load("medicare")["share"].value_counts(sort=False).to_dict()
    {'low': 47, 'mid': 60, 'high': 65}
    """
    import pandas as pd

    record = _record(name)
    if record.get("package") == "statsmodels":
        frame = _from_statsmodels(name)
    else:
        frame = pd.read_csv(_folder() / f"{name}.csv", encoding="utf-8")
    for kind in ("levels", "ordered"):
        for column, levels in record.get(kind, {}).items():
            dtype = pd.CategoricalDtype(levels, ordered=kind == "ordered")
            frame[column] = frame[column].astype(dtype)
    frame.attrs = {key: record[key] for key in ("description", "source", "licence")}
    return frame


def _folder() -> Path:
    """Return where the files lie: in the installed package, or in the source tree."""
    here = Path(__file__).parent
    installed = here / "_datasets"
    return installed if installed.is_dir() else here.parent / "datasets"


@cache
def _record(name: str) -> dict[str, Any]:
    """Read the description of a data set."""
    known = names()
    if name not in known:
        near = get_close_matches(str(name), known)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "choose one of these."
        raise DataError(
            f"There is no data set {name!r}; the data sets are {', '.join(known)}: {hint}"
        )
    return tomllib.loads((_folder() / f"{name}.toml").read_text(encoding="utf-8"))


def _from_statsmodels(name: str) -> pd.DataFrame:
    """Read a data set that statsmodels ships."""
    try:
        from statsmodels import datasets
    except ImportError as error:
        raise DataError(
            f"The data set {name!r} comes with statsmodels, which is not installed; "
            'run pip install "grpsparse[datasets]".'
        ) from error
    frame: pd.DataFrame = getattr(datasets, name).load_pandas().data
    return frame
