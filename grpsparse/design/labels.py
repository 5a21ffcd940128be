"""Labels: which columns of a matrix are a group, and which group a user means.

A label is any hashable; columns of equal labels are a group, in order of first appearance,
wherever they stand. The group is called ``str(label)``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from grpsparse.errors import GroupError, listed
from grpsparse.groups import IntArray, PlainTerms, TermColumns, term_names

__all__ = ["group_columns", "lay_out", "resolve_labels"]


def group_columns(
    groups: Any, names: Sequence[str], *, named: bool, single_columns: bool
) -> tuple[tuple[Hashable, ...], IntArray] | None:
    """Read the argument `groups` of the matrix door.

    Parameters
    ----------
    groups : str, sequence or mapping
        ``"auto"`` or ``"column"``; one label per column; or labels by column name.
    names : sequence of str
        Names of the columns.
    named : bool
        Whether the names are the user's.
    single_columns : bool
        Whether the penalty sees single columns, so that there can be no other groups.

    Returns
    -------
    labels : tuple
        The distinct labels in order of first appearance.
    codes : ndarray of int, shape (p,)
        Which of them each column has. None for both where each column is a group.

    Raises
    ------
    GroupError
        For labels that do not match the columns, are missing, or read the same.
    """
    if isinstance(groups, str):
        if groups in ("auto", "column"):
            return None
        raise GroupError(
            f"`groups` is {groups!r}, but a matrix has no terms; give 'column', one label per "
            "column, or use a formula and let terms be groups."
        )
    listed = groups if _whole_numbers(groups) else _listed(groups, names, named)
    if len(listed) != len(names):
        raise GroupError(
            f"`groups` has {len(listed)} labels but X has {len(names)} columns; "
            "give one label per column, or use a formula and let terms be groups."
        )
    if single_columns:
        raise GroupError(
            "`groups` has labels, but this penalty sees single columns; leave `groups` out, or "
            "choose a group penalty such as 'group_lasso'."
        )
    if _whole_numbers(listed):
        return _numbered(listed)
    labels, codes = _coded(listed, names)
    _check_labels(labels, codes, names)
    return labels, codes


def _whole_numbers(groups: Any) -> bool:
    """Return whether labels are an array of integers, which need no look at each."""
    return type(groups) is np.ndarray and groups.ndim == 1 and groups.dtype.kind in "iu"


def _numbered(numbers: Any) -> tuple[tuple[Hashable, ...], IntArray]:
    """Return the distinct labels in order of first appearance, and which each column has."""
    if (numbers[1:] >= numbers[:-1]).all():
        opens = np.ones(numbers.size, dtype=np.bool_)
        np.not_equal(numbers[1:], numbers[:-1], out=opens[1:])
        return tuple(numbers[opens].tolist()), np.cumsum(opens, dtype=np.int64) - 1
    distinct, first, codes = np.unique(numbers, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size)
    return tuple(distinct[order].tolist()), place[codes]


def _listed(groups: Any, names: Sequence[str], named: bool) -> list[Any]:
    """Return the labels column by column."""
    if isinstance(groups, Mapping):
        return _by_name({str(k): v for k, v in groups.items()}, names)
    if named and hasattr(groups, "index") and hasattr(groups, "to_numpy"):
        keys = [str(k) for k in groups.index]
        plain = keys == [str(i) for i in range(len(keys))]
        if len(set(keys)) == len(keys) and (not plain or set(keys) == set(names)):
            return _by_name(dict(zip(keys, groups.tolist(), strict=True)), names)
    if getattr(groups, "ndim", 1) != 1:
        raise GroupError(
            f"`groups` has shape {tuple(groups.shape)}; give one label per column, a flat sequence."
        )
    for method in ("tolist", "to_list", "to_pylist"):
        if hasattr(groups, method):
            return list(getattr(groups, method)())
    if isinstance(groups, set | frozenset | bytes) or not isinstance(groups, Iterable):
        raise GroupError(
            f"`groups` is of type {type(groups).__name__}; give 'column', or a sequence of one "
            "label per column."
        )
    return list(groups)


def _by_name(labels: Mapping[str, Any], names: Sequence[str]) -> list[Any]:
    known = set(names)
    absent = [name for name in names if name not in labels]
    unknown = [name for name in labels if name not in known]
    if absent or unknown:
        what = "no label for the column" if absent else "a label for the unknown column"
        raise GroupError(
            f"`groups` has {what}{'s' * (len(absent or unknown) > 1)} {listed(absent or unknown)}; "
            "give every column of X a label, by its name, and no other."
        )
    return [labels[name] for name in names]


def _coded(listed: list[Any], names: Sequence[str]) -> tuple[tuple[Hashable, ...], IntArray]:
    kinds = set(map(type, listed))
    if any(kind is tuple or issubclass(kind, np.generic) for kind in kinds):
        listed = [_plain(label) for label in listed]
    seen: dict[Any, int] = {}
    try:
        codes = [seen.setdefault(label, len(seen)) for label in listed]
    except TypeError:
        position, label = next((i, v) for i, v in enumerate(listed) if not _hashable(v))
        raise GroupError(
            f"The label of column {names[position]!r} is {label!r}, which can't be compared as a "
            f"label (type {type(label).__name__}); use text, a number or a tuple."
        ) from None
    return tuple(seen), np.array(codes, dtype=np.int64)


def _plain(label: Any) -> Any:
    if isinstance(label, np.generic):
        return label.item()
    return tuple(_plain(part) for part in label) if type(label) is tuple else label


def _hashable(label: Any) -> bool:
    try:
        hash(label)
    except TypeError:
        return False
    return True


def _check_labels(labels: Sequence[Hashable], codes: IntArray, names: Sequence[str]) -> None:
    for code in [i for i, label in enumerate(labels) if _missing(label)]:
        first = names[int(np.argmax(codes == code))]
        raise GroupError(
            f"The label of column {first!r} in `groups` is missing ({labels[code]!r}); give every "
            "column a label."
        )
    texts = list(map(str, labels))
    if len(set(texts)) == len(texts):
        return
    spelled: dict[str, Hashable] = {}
    for text, label in zip(texts, labels, strict=True):
        if text in spelled:
            raise GroupError(
                f"The labels {spelled[text]!r} and {label!r} in `groups` both read {text!r}; "
                "rename one, so that groups can be told apart."
            )
        spelled[text] = label


def _missing(label: Hashable) -> bool:
    if isinstance(label, str | int):
        return False
    if label is None or type(label).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(label, float | complex) and label != label  # noqa: PLR0124


def lay_out(
    names: Sequence[str], labels: Sequence[Hashable] | None, codes: IntArray | None
) -> PlainTerms:
    """Return the groups of a matrix.

    Parameters
    ----------
    names : sequence of str
        Names of the columns.
    labels : sequence, optional
        Distinct labels; None makes each column a group.
    codes : ndarray of int, shape (p,), optional
        Which label each column has.
    """
    if labels is None or codes is None:
        every = np.arange(len(names) + 1, dtype=np.int64)
        return PlainTerms("column", names, names, every[:-1], every)
    order = np.argsort(codes, kind="stable").astype(np.int64)
    starts = np.zeros(len(labels) + 1, dtype=np.int64)
    np.cumsum(np.bincount(codes, minlength=len(labels)), out=starts[1:])
    return PlainTerms("group", tuple(map(str, labels)), names, order, starts)


def resolve_labels(
    keys: Iterable[Any], terms: Sequence[TermColumns], labels: Sequence[Hashable] | None
) -> list[int]:
    """Return the positions of the groups that a user means.

    Parameters
    ----------
    keys : iterable
        Labels, or the names of groups: ``str(label)``.
    terms : sequence of TermColumns
        The groups.
    labels : sequence, optional
        Their labels as given; None where each column is a group.

    Raises
    ------
    GroupError
        For a key that is no label (with near matches), or two keys for one group.
    """
    names = term_names(terms)
    by_name = {name: position for position, name in enumerate(names)}
    by_label = {label: position for position, label in enumerate(labels or ())}
    found: dict[int, Any] = {}
    for given in keys:
        key = _plain(given)
        position = by_label.get(key, by_name.get(str(key)))
        if position is None:
            raise GroupError(f"There is no group {key!r}; {_nearest(str(key), terms)}")
        if position in found:
            raise GroupError(
                f"{found[position]!r} and {key!r} are the same group, {names[position]!r}; "
                "name it once."
            )
        found[position] = key
    return list(found)


def _nearest(wanted: str, terms: Sequence[TermColumns]) -> str:
    owner = next((term for term in terms if wanted in term.columns), None)
    if owner is not None:
        return f"{wanted!r} is a column of the group {owner.name!r}."
    names = term_names(terms)
    close = get_close_matches(wanted, names, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(map(repr, close)) + "?"
    return f"the groups are {listed(names)}."
