"""From the response as the user has it to the numbers that a family fits.

Labels become one-hot rows or 0/1, counts become proportions with the trials as weights, and
``family="auto"`` is resolved: labels are classes, any other number is gaussian.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from grpsparse.errors import ResponseError, WeightsError, listed
from grpsparse.families.cox import Cox
from grpsparse.families.labels import Classes, Column, read_column
from grpsparse.families.protocol import Family
from grpsparse.families.registry import get
from grpsparse.families.several import SEVERAL, read_responses, takes_several
from grpsparse.groups import FloatArray
from grpsparse.survival import Surv

__all__ = ["Response", "encode_response"]

SURVIVAL = "cox"  # the family of survival times
_FEW = 10  # up to so many distinct values, numbers may be meant as classes


@dataclass(frozen=True, slots=True)
class Response:
    """A response ready to be fitted.

    Parameters
    ----------
    family : Family
        The family given, or chosen from the response.
    y : ndarray of shape (n, K)
        The encoded response.
    classes : tuple, optional
        The labels in order, or the names of several responses; None for one column of numbers,
        proportions and counts.
    weights_factor : ndarray of shape (n,), optional
        Trials per row, to be multiplied into the weights; from two columns of counts.
    notes : tuple of str
        Sentences to print about what was chosen.
    """

    family: Family
    y: FloatArray
    classes: tuple[Any, ...] | None = None
    weights_factor: FloatArray | None = None
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[Any, ...] | None:
        """The classes of a response that has some, None where `classes` names responses."""
        return None if takes_several(self.family) else self.classes

    def check(self, weights: FloatArray, name: str) -> None:
        """Check what the rows of positive weight leave of the response.

        Parameters
        ----------
        weights : ndarray of shape (n,)
        name : str
            The response's name, for messages.

        Raises
        ------
        WeightsError
            No row of positive weight.
        ResponseError
            A class without one, or values that the family can't have.
        """
        if not (weights > 0).any():
            raise WeightsError("no row of positive weight is left; at least one row must count.")
        if self.labels is not None:
            y = self.y if self.y.shape[1] > 1 else np.hstack([1.0 - self.y, self.y])
            seen = np.asarray((y[weights > 0] > 0).any(axis=0)).tolist()
            gone = [repr(each) for each, here in zip(self.labels, seen, strict=True) if not here]
            if gone:
                raise ResponseError(
                    f"{name} has no row of positive weight in class {', '.join(gone)}; leave the "
                    "class out or give its rows weight."
                )
        self.family.check_response(self.y, weights, name=name)


def encode_response(
    values: Any,
    *,
    family: str | Family = "auto",
    name: str = "y",
    weights: FloatArray | None = None,
) -> Response:
    """Encode a response for its family.

    Parameters
    ----------
    values : Surv, or array_like of shape (n,), (n, 2) or (n, K)
        Survival times, numbers, strings, booleans or a pandas Categorical, without missing
        values; two columns are counts of successes and failures, unless the family is one of
        several responses.
    family : str or Family
        ``"auto"`` takes labels for classes, survival times for cox and any other number for
        gaussian.
    name : str
        The response's name, for messages.
    weights : ndarray of shape (n,), optional
        Observation weights: what stands in a row of weight 0 may be what the family can't have.

    Returns
    -------
    Response

    Raises
    ------
    ResponseError
        If the family cannot have the response.
    FamilyError
        If there is no such family.

    Examples
    --------
    >>> response = encode_response(["no", "yes", "no"])
    >>> response.family, response.classes
    (Binomial(), ('no', 'yes'))
    >>> response.y.ravel()
    array([0., 1., 0.])
    """
    chosen = None if isinstance(family, str) and family == "auto" else get(family)
    if isinstance(values, Surv) or (chosen is not None and chosen.name == SURVIVAL):
        return _encode_survival(values, chosen, name, weights)
    shape = np.shape(values)
    several = chosen is not None and takes_several(chosen)
    if not (len(shape) == 1 or (len(shape) == 2 and (several or shape[1] in {1, 2}) and shape[1])):
        raise ResponseError(
            f"{name} has the shape {shape}; give one column, two columns of counts (successes, "
            f'failures) with family="binomial", or one column per response with family="{SEVERAL}".'
        )
    if shape[0] == 0:
        raise ResponseError(f"{name} has no rows; give at least one row of data.")
    if chosen is not None and several and (shape[1:] > (1,) or chosen.name == SEVERAL):
        response = Response(chosen, *read_responses(values, name))
    elif len(shape) == 2 and shape[1] == 2:
        response = _encode_counts(values, chosen, name)
    else:
        response = _encode_column(read_column(values, name), chosen, name)
    counted = np.ones(shape[0]) if weights is None else weights
    if response.weights_factor is not None:
        counted = counted * response.weights_factor
    response.check(counted, name)
    return response if counted.all() else _possible(response, counted, name)


def _encode_survival(
    values: Any, family: Family | None, name: str, weights: FloatArray | None
) -> Response:
    """Lay survival times out in columns, and give the family the labels of strata."""
    if not isinstance(values, Surv):
        raise ResponseError(
            f"{name} is no survival time, which family={SURVIVAL!r} needs; give gs.Surv(time, "
            "event) beside a matrix, or write Surv(time, event) to the left of `~`."
        )
    chosen = get(SURVIVAL) if family is None else family
    if not isinstance(chosen, Cox):
        raise ResponseError(
            f"{name} is a survival time, which the {chosen.name} family cannot have; give "
            f'family="{SURVIVAL}" or leave it out.'
        )
    notes = () if family is not None else (f"family: {SURVIVAL} (chosen from survival times)",)
    response = Response(replace(chosen, strata=values.labels), values.table(), notes=notes)
    response.check(np.ones(len(values)) if weights is None else weights, name)
    return response


def _possible(response: Response, weights: FloatArray, name: str) -> Response:
    """Return the response with rows of weight 0 in the range of the others, if it has to be.

    No fit sees what stands there, but a family could not work out its loss.
    """
    try:
        response.family.check_response(response.y, np.ones_like(weights), name=name)
    except ResponseError:
        seen = response.y[weights > 0]
        inside = np.clip(response.y, seen.min(axis=0), seen.max(axis=0))
        return replace(response, y=np.where(weights[:, None] > 0, response.y, inside))
    return response


def _encode_column(column: Column, family: Family | None, name: str) -> Response:
    """Encode one column by what it holds and by what the family wants."""
    if column.kind == "number":
        _check_finite(column.numbers(), name)
    if family is None:
        return _encode_auto(column, name)
    if family.hessian == "softmax":
        return _encode_classes(column, family, name)
    if family.name == "binomial":
        if column.kind == "number" and _is_proportion(column.numbers(), name):
            return Response(family, column.numbers()[:, None])
        return _encode_classes(column, family, name)
    if column.kind == "label":
        shown = listed(column.classes(name).labels)
        raise ResponseError(
            f'{name} holds labels ({shown}); family="{family.name}" needs numbers. Convert the '
            'response, or leave family="auto" to fit its classes.'
        )
    return Response(family, column.numbers()[:, None])


def _encode_auto(column: Column, name: str) -> Response:
    """Encode a column whose family is chosen from it."""
    if column.kind != "number":
        return _encode_classes(column, None, name)
    notes = ["family: gaussian (chosen from a numeric response)"]
    distinct = np.unique(column.values)
    if 2 <= len(distinct) <= _FEW and np.all(distinct == np.round(distinct)):
        other = "binomial" if len(distinct) == 2 else "multinomial"
        notes.append(
            f"{name} has {len(distinct)} distinct whole numbers; if they are classes, give "
            f'family="{other}", if they are counts, family="poisson"'
        )
    return Response(get("gaussian"), column.numbers()[:, None], notes=tuple(notes))


def _encode_classes(column: Column, family: Family | None, name: str) -> Response:
    """Encode a column of classes: 0/1 for the second of two, else one-hot rows."""
    found = column.classes(name)
    _check_classes(found, column, name)
    size = len(found.labels)
    notes = []
    if family is None:
        family = get("binomial" if size == 2 else "multinomial")
        notes.append(f"family: {family.name} (chosen from a response of {size} levels)")
    if found.dropped:
        notes.append(f"{name}: categories without rows are left out: {listed(found.dropped)}")
    if family.hessian == "softmax":
        y = np.eye(size)[found.codes]
    elif size == 2:
        y = found.codes[:, None].astype(np.float64)
    else:
        raise ResponseError(
            f"{name} has {size} levels ({listed(found.labels)}); a binomial response has 2. Give "
            'family="multinomial" for classes, or two columns (successes, failures) for counts.'
        )
    return Response(family, y, classes=found.labels, notes=tuple(notes))


def _check_classes(found: Classes, column: Column, name: str) -> None:
    """Refuse one class, and values that are too many to be classes."""
    size, rows = len(found.labels), len(found.codes)
    if size == 1:
        raise ResponseError(
            f"{name} has one class only ({found.labels[0]!r}); a fit needs rows of two or more."
        )
    whole = column.kind != "number" or bool(np.all(column.values == np.round(column.values)))
    many, sparse = size > _FEW, 2 * size > rows
    if (many and sparse) or (not whole and size > 2 and (many or sparse)):
        raise ResponseError(
            f"{name} has {size} distinct values in {rows} rows ({listed(found.labels)}), too many "
            "to be classes. Check that it is the response"
            + ("." if column.kind == "label" else ', or give family="gaussian".')
        )


def _is_proportion(numbers: FloatArray, name: str) -> bool:
    """Return whether numbers are proportions, not two labels; raise if they are neither."""
    distinct = np.unique(numbers)
    whole = bool(np.all(distinct == np.round(distinct)))
    outside = (numbers < 0.0) | (numbers > 1.0)
    if not outside.any():
        return not whole
    if not whole and len(distinct) != 2:
        row = int(np.argmax(outside))
        raise ResponseError(
            f"{name} is {numbers[row]:g} in row {row}; binomial proportions lie in [0, 1]. Divide "
            "by the number of trials and give the trials as weights."
        )
    return False


def _check_finite(numbers: FloatArray, name: str) -> None:
    bad = ~np.isfinite(numbers)
    if bad.any():
        row = int(np.argmax(bad))
        raise ResponseError(
            f"{name} is {numbers[row]} in row {row}; a response has finite values only. Drop the "
            "row or correct it."
        )


def _encode_counts(values: Any, family: Family | None, name: str) -> Response:
    """Turn counts of successes and failures into proportions, with the trials as weights."""
    if family is None or family.name != "binomial":
        given = "auto" if family is None else family.name
        raise ResponseError(
            f'{name} has two columns but family="{given}"; two columns are counts of successes '
            f'and failures, for which give family="binomial", or responses, family="{SEVERAL}".'
        )
    try:
        counts = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ResponseError(
            f"{name} has two columns that are not numbers; give counts of successes and failures."
        ) from None
    bad = ~(np.isfinite(counts) & (counts >= 0.0)).all(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        shown = ", ".join(f"{count:g}" for count in counts[row])
        raise ResponseError(
            f"{name} is ({shown}) in row {row}; counts are finite and not negative."
        )
    trials = counts.sum(axis=1)
    if not trials.any():
        raise ResponseError(f"{name} has no trial in any row; counts must not all be 0.")
    # a row without trials has weight 0, whatever its proportion
    share = counts[:, 0] / np.where(trials > 0.0, trials, 1.0)
    return Response(family, share[:, None], weights_factor=trials)
