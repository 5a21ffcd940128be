"""Serialising: what a fitted model keeps, in JSON types only, and back to the bit.

Floats are written by ``repr`` and so come back exactly. What JSON lacks is a one-key object
whose key starts with ``$``: ``{"$array": ...}``, ``{"$items": ...}`` and so on. Nothing is
ever unpickled or evaluated.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from grpsparse.errors import DataError
from grpsparse.formula.scope import Absent, is_contrast

__all__ = ["decode", "encode_json", "encode_scope_value"]


def encode_json(value: Any) -> Any:
    """Return a value as JSON types.

    Raises
    ------
    DataError
        For a value of a type that cannot be written.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    for kinds, write in _WRITERS:
        if isinstance(value, kinds):
            return write(value)
    raise DataError(
        f"{value!r} of type {type(value).__name__} cannot be saved; use numbers or text as levels."
    )


def encode_scope_value(name: str, value: Any) -> Any:
    """Return a value of the scope as JSON types; a function only by its name."""
    if is_contrast(value):
        return None
    try:
        return encode_json(value)
    except DataError:
        return {"$absent": name}


def _encode_mapping(value: Mapping[Any, Any]) -> Any:
    if all(isinstance(k, str) and not k.startswith("$") for k in value):
        return {k: encode_json(v) for k, v in value.items()}
    return {"$items": [[encode_json(k), encode_json(v)] for k, v in value.items()]}


def _encode_array(value: Any) -> Any:
    if value.dtype.kind not in "biuf":
        listed = [encode_json(v) for v in value.ravel().tolist()]
        return {"$array": [listed, "object", list(value.shape)]}
    listed = [encode_json(v) for v in value.ravel().tolist()]
    return {"$array": [listed, value.dtype.str, list(value.shape)]}


_WRITERS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (float, lambda v: float(v) if math.isfinite(v) else {"$float": repr(float(v))}),
    (list, lambda v: [encode_json(part) for part in v]),
    (tuple, lambda v: {"$tuple": [encode_json(part) for part in v]}),
    (Mapping, _encode_mapping),
    ((np.ndarray, pd.Series, pd.Index), lambda v: _encode_array(np.asarray(v))),
    (pd.Timedelta, lambda v: {"$timedelta": v.isoformat()}),
    (pd.Interval, lambda v: {"$interval": [*map(encode_json, (v.left, v.right)), v.closed]}),
    ((pd.Timestamp, dt.date), lambda v: {"$timestamp": pd.Timestamp(v).isoformat()}),
)


def decode(value: Any) -> Any:
    """Return the value that `encode_json` wrote."""
    if isinstance(value, list):
        return [decode(v) for v in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, content),) = value.items()
        if key.startswith("$"):
            return _decode_tagged(key, content)
    return {k: decode(v) for k, v in value.items()}


def _decode_tagged(key: str, content: Any) -> Any:
    match key:
        case "$float":
            return float(content)
        case "$tuple":
            return tuple(decode(v) for v in content)
        case "$items":
            return {decode(k): decode(v) for k, v in content}
        case "$array":
            listed, dtype, shape = content
            if np.dtype(dtype).kind not in "biufO":
                raise DataError(f"The file has an array of the unknown type {dtype!r}.")
            return np.array([decode(v) for v in listed], dtype=dtype).reshape(shape)
        case "$timestamp":
            return pd.Timestamp(content)
        case "$timedelta":
            return pd.Timedelta(content)
        case "$interval":
            left, right, closed = content
            return pd.Interval(decode(left), decode(right), closed=closed)
        case "$absent":
            return Absent(str(content))
    raise DataError(f"The file has a value of the unknown type {key!r}.")
