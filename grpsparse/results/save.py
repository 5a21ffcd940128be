"""Save a fit to one file, and load it without running code from it.

The file is NumPy's ``.npz``: arrays, and one JSON text for everything else. Families and
penalties are stored by name with their parameters, the model by its own description; nothing
is pickled, and only classes of this package are ever made.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zipfile import BadZipFile

import numpy as np

from grpsparse.errors import DataError, OptionError
from grpsparse.folds import FoldPlan
from grpsparse.groups import Deferred
from grpsparse.record import Effort
from grpsparse.results.archive import Reader, Writer, decode, encode
from grpsparse.results.cv_fit import CVFit
from grpsparse.results.path_fit import PathFit
from grpsparse.results.record import Settings, Training
from grpsparse.unions import Unions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["load", "load_as", "save"]

T = TypeVar("T", PathFit, CVFit)

FORMAT = 1

# The only models that a file can name, and where they live.
MODELS = {"ModelSpec": "grpsparse.formula", "MatrixSpec": "grpsparse.design"}

_PATH_ARRAYS = (
    "lambda_",
    "raw_coef",
    "raw_intercept",
    "group_norms",
    "group_weights",
    "certificate",
    "converged",
    "n_iter",
    "deviance",
)
_EFFORT_ARRAYS = (
    "groups",
    "passes",
    "sweeps",
    "newton_steps",
    "working_set",
    "stages",
    "seconds_screen",
    "seconds_solve",
    "seconds_certify",
)
_CV_ARRAYS = ("cv_mean", "cv_se", "oof", "oof_index", "fold_converged")


def save(fit: PathFit | CVFit, path: str | Path) -> None:
    """Write a fit to exactly this path.

    Parameters
    ----------
    fit : PathFit or CVFit
        What to write, training rows included.
    path : str or Path
        File to write; no suffix is added.

    Raises
    ------
    OptionError
        If the family or penalty is not one of this package.
    """
    out = Writer()
    meta: dict[str, Any] = {"format": FORMAT, "kind": type(fit).__name__}
    if isinstance(fit, CVFit):
        meta["cv"] = _write_cv(out, fit)
        meta["path"] = _write_path(out, fit.path)
    else:
        meta["path"] = _write_path(out, fit)
    arrays = {"meta": np.array(json.dumps(meta)), **out.arrays}
    with Path(path).open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load(path: str | Path, *, scope: Mapping[str, Any] | None = None) -> PathFit | CVFit:
    """Read a fit that `save` wrote; no code from the file is run.

    Parameters
    ----------
    path : str or Path
        File to read.
    scope : mapping, optional
        Functions that the formula calls: a file holds their names only, and predictions for new
        rows need them.

    Returns
    -------
    PathFit or CVFit

    Raises
    ------
    DataError
        If the file is not a saved fit, or was written by a later version.

    Examples
    --------
    >>> import grpsparse as gs
    >>> from tempfile import TemporaryDirectory
    >>> births = gs.datasets.load("birthwt")
    >>> with TemporaryDirectory() as folder:
    ...     gs.fit("bwt ~ race + smoke", births).save(f"{folder}/births.fit")
    ...     gs.load(f"{folder}/births.fit").terms
    ('race', 'smoke')
    """
    with Path(path).open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            meta = json.loads(str(arrays["meta"]))
            version = meta["format"]
        except (AttributeError, BadZipFile, EOFError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{str(path)!r} is not a fit that grpsparse saved ({error}); give a file written "
                "by `save`."
            ) from error
    if version != FORMAT:
        raise DataError(
            f"{str(path)!r} has format {version}, this version reads format {FORMAT}; update "
            "grpsparse, or fit again."
        )
    stored_arrays = Reader(arrays)
    try:
        fit = _read_path(stored_arrays, meta["path"], scope)
        return _read_cv(stored_arrays, meta["cv"], fit) if meta["kind"] == "CVFit" else fit
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{str(path)!r} is damaged: {error} is missing or of the wrong kind; fit again."
        ) from error


def load_as(kind: type[T], path: str | Path) -> T:
    """Read a fit of one kind.

    Raises
    ------
    DataError
        If the file holds the other.
    """
    loaded = load(path)
    if not isinstance(loaded, kind):
        raise DataError(f"{path} holds a {type(loaded).__name__}, not a {kind.__name__}.")
    return loaded


def _write_path(out: Writer, fit: PathFit) -> dict[str, Any]:
    training = fit.training
    for name in _PATH_ARRAYS:
        out.array(f"path.{name}", getattr(fit, name))
    out.array("path.group_rank", fit.group_rank)
    for name in _EFFORT_ARRAYS if fit.effort is not None else ():
        out.array(f"effort.{name}", getattr(fit.effort, name))
    for name in ("y", "weights", "offset", "rows"):
        out.array(f"training.{name}", getattr(training, name))
    out.array("path.latent", fit.latent)
    out.matrix("path.leak", fit.leak)
    return {
        "model": {"type": _model_type(fit.model), "state": fit.model.to_dict()},
        "family": _describe(fit.family, _families()),
        "penalty": _describe(fit.penalty, _penalties()),
        "settings": {each.name: getattr(fit.settings, each.name) for each in fields(Settings)},
        "classes": out.labels("path.classes", fit.classes),
        "index": out.labels("training.index", training.index),
        "blocks": [
            out.block(f"training.block{place}", block)
            for place, block in enumerate(training.blocks)
        ],
        "offset_name": training.offset_name,
        "n_given": int(training.n_given),
        "unions": None if fit.unions is None else fit.unions.to_dict(),
        "certificate_kind": fit.certificate_kind,
        "null_deviance": float(fit.null_deviance),
        "lambda_pivotal": fit.lambda_pivotal,
        "arithmetic": None if fit.effort is None else fit.effort.arithmetic,
    }


def _read_path(stored: Reader, meta: dict[str, Any], scope: Mapping[str, Any] | None) -> PathFit:
    training = Training(
        blocks=tuple(
            stored.block(f"training.block{place}", n_levels)
            for place, n_levels in enumerate(meta["blocks"])
        ),
        y=stored.array("training.y"),
        weights=stored.array("training.weights"),
        offset=stored.optional("training.offset"),
        offset_name=meta["offset_name"],
        rows=stored.array("training.rows"),
        n_given=meta["n_given"],
        index=stored.labels("training.index", meta["index"]),
    )
    settings: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in meta["settings"].items()
    }
    return PathFit(
        model=_model(meta["model"], scope),
        family=_rebuild(meta["family"], _families()),
        penalty=_rebuild(meta["penalty"], _penalties()),
        training=training,
        settings=Settings(**settings),
        classes=stored.labels("path.classes", meta["classes"]),
        leak=stored.matrix("path.leak"),
        unions=Unions.of(meta["unions"]) if meta.get("unions") else None,
        latent=stored.optional("path.latent"),
        certificate_kind=meta["certificate_kind"],
        null_deviance=meta["null_deviance"],
        lambda_pivotal=meta.get("lambda_pivotal"),
        ranks=Deferred.of(stored.array("path.group_rank")),
        effort=_read_effort(stored, meta.get("arithmetic")),
        **{name: stored.array(f"path.{name}") for name in _PATH_ARRAYS},
    )


def _read_effort(stored: Reader, arithmetic: str | None) -> Effort | None:
    if arithmetic is None:
        return None
    arrays = {name: stored.array(f"effort.{name}") for name in _EFFORT_ARRAYS}
    return Effort(**arrays, arithmetic=arithmetic)


def _write_cv(out: Writer, cv: CVFit) -> dict[str, Any]:
    for name in _CV_ARRAYS:
        out.array(f"cv.{name}", getattr(cv, name))
    out.array("cv.assignment", cv.plan.assignment)
    return {
        "call": cv.call,
        "measure": cv.measure,
        "index_min": int(cv.index_min),
        "index_1se": int(cv.index_1se),
        "seed": None if cv.seed is None else int(cv.seed),
        "notes": cv.notes,
        "plan": {
            "n_folds": int(cv.plan.n_folds),
            "stratified": bool(cv.plan.stratified),
            "clustered": bool(cv.plan.clustered),
            "notes": cv.plan.notes,
            "labels": out.labels("cv.labels", cv.plan.labels),
        },
    }


def _read_cv(stored: Reader, meta: dict[str, Any], path: PathFit) -> CVFit:
    plan = FoldPlan(
        assignment=stored.array("cv.assignment"),
        n_folds=meta["plan"]["n_folds"],
        stratified=meta["plan"]["stratified"],
        clustered=meta["plan"]["clustered"],
        notes=tuple(meta["plan"]["notes"]),
        labels=stored.labels("cv.labels", meta["plan"]["labels"]),
    )
    return CVFit(
        path=path,
        call=meta["call"],
        measure=meta["measure"],
        index_min=meta["index_min"],
        index_1se=meta["index_1se"],
        plan=plan,
        seed=meta["seed"],
        notes=tuple(meta["notes"]),
        **{name: stored.array(f"cv.{name}") for name in _CV_ARRAYS},
    )


def _families() -> Callable[[str], Any]:
    from grpsparse import families

    return families.get


def _penalties() -> Callable[[str], Any]:
    from grpsparse import penalties

    return penalties.get


def _describe(part: Any, get: Callable[[str], Any]) -> dict[str, Any]:
    """Return the name and the parameters of a family or a penalty."""
    try:
        known = type(get(part.name)) is type(part) and is_dataclass(part)
    except ValueError:
        known = False
    if not known:
        raise OptionError(
            f"{part!r} can't be saved, because loading could not make it again without running "
            "code; save the arrays of the fit yourself, or use a family and a penalty of "
            "grpsparse."
        )
    values = {each.name: getattr(part, each.name) for each in fields(part) if each.init}
    several = {name: encode(value) for name, value in values.items() if isinstance(value, tuple)}
    return {"name": part.name, "parameters": {**values, **several}}


def _rebuild(meta: dict[str, Any], get: Callable[[str], Any]) -> Any:
    """Make a family or a penalty from its name and its parameters."""
    given = meta["parameters"].items()
    several = {name: tuple(decode(value)) for name, value in given if isinstance(value, list)}
    return replace(get(meta["name"]), **{**meta["parameters"], **several})


def _model_type(model: Any) -> str:
    name = type(model).__name__
    if name not in MODELS:
        raise OptionError(
            f"a model of type {name!r} can't be saved; fit from a formula or a matrix."
        )
    return name


def _model(meta: dict[str, Any], scope: Mapping[str, Any] | None) -> Any:
    if meta["type"] not in MODELS:
        raise DataError(f"the file names a model of unknown type {meta['type']!r}; fit again.")
    maker = getattr(import_module(MODELS[meta["type"]]), meta["type"])
    model = maker.from_dict(meta["state"])
    return model if scope is None else model.with_scope(scope)
