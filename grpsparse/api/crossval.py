"""Cross-validation of an opened model: folds, fits, curve, and the record of results."""

from __future__ import annotations

from typing import Any

import numpy as np

from grpsparse.api.assemble import path_fit
from grpsparse.api.door import Opened
from grpsparse.api.grid import grid_length, make_grid
from grpsparse.api.progress import progress_bar
from grpsparse.cv import HeldOut, cross_validate
from grpsparse.errors import OptionError
from grpsparse.folds import FoldPlan, check_training_classes, make_folds
from grpsparse.groups import FloatArray, IntArray
from grpsparse.measures import choose, cv_curve, resolve_measure
from grpsparse.results import CVFit

__all__ = ["fold_plan", "run_cv"]


def fold_plan(
    opened: Opened, *, n_folds: int, folds: Any, stratify: bool, seed: int | None
) -> FoldPlan:
    """Assign the kept rows to folds, and check that every fold can be trained.

    Raises
    ------
    GrpsparseError
        Folds that cannot be made, or a class missing from the training rows of a fold.
    """
    if not isinstance(stratify, bool | np.bool_):
        raise OptionError(f"`stratify` is {stratify!r}; it is True or False.")
    codes = _class_codes(opened)
    classes = opened.response.labels
    labels = None if codes is None or classes is None else np.array(classes, dtype=object)[codes]
    if opened.baseline:
        codes = opened.y[:, 2].astype(np.int64)
        labels = np.where(codes == 1, "event", "censored")
    plan = make_folds(
        opened.y.shape[0],
        n_folds=n_folds,
        folds=opened.extra.get("folds", folds),
        fold_groups=opened.extra.get("fold_groups"),
        stratify=labels if stratify else None,
        seed=seed,
        y=codes if codes is not None else opened.y[:, 0],
    )
    if codes is not None and classes is not None:
        check_training_classes(plan, codes, classes, opened.weights)
    return plan


def _class_codes(opened: Opened) -> IntArray | None:
    if opened.response.labels is None:
        return None
    if opened.y.shape[1] == 1:
        return np.asarray(opened.y[:, 0] > 0.5, dtype=np.int64)
    return np.asarray(opened.y.argmax(axis=1), dtype=np.int64)


def run_cv(
    opened: Opened,
    plan: FoldPlan,
    *,
    measure: str | None,
    seed: int | None,
    calls: tuple[str, str],
) -> CVFit:
    """Fit path and folds, and choose the two lambdas.

    Parameters
    ----------
    opened : Opened
    plan : FoldPlan
    measure : str, optional
    seed : int, optional
    calls : tuple of str
        The calls to print for the path and for the cross-validation.
    """
    family = opened.response.family
    chosen = resolve_measure(family.default_measure if measure is None else measure, family.name)
    resolved, options = opened.resolved, opened.options
    total = (plan.n_folds + 1) * grid_length(options)
    work = float(np.prod(opened.design.shape)) * total
    with progress_bar(options.progress, work=work, total=total, what="folds") as tick:
        held = cross_validate(
            opened.problem,
            lambda problem: make_grid(options, problem),
            plan,
            chosen,
            opened.weights,
            solver=resolved.solver,
            tol=resolved.tol,
            on_point=tick,
        )
    path = held.path
    mean, error = cv_curve(held.scores.values, held.scores.weights)
    best, within = choose(path.lambda_, mean, error, larger_is_better=chosen.larger_is_better)
    oof, index = _out_of_fold(opened, held, path.lambda_.size, best, within)
    return CVFit(
        path=path_fit(opened, path, opened.weights, calls[0]),
        call=calls[1],
        measure=chosen.name,
        cv_mean=mean,
        cv_se=error,
        index_min=best,
        index_1se=within,
        plan=plan,
        oof=oof,
        oof_index=index,
        fold_converged=np.stack([fold.converged for fold in held.fits]),
        seed=int(seed) if isinstance(seed, int | np.integer) else None,
        notes=held.scores.notes,
    )


def _out_of_fold(
    opened: Opened, held: HeldOut, n_points: int, best: int, within: int
) -> tuple[FloatArray, IntArray]:
    """Return out-of-fold means over the rows given, and the points of the path they are for."""
    every = held.whole is not None
    index = np.arange(n_points) if every else np.unique([within, best])
    means = held.means(index)
    out = np.full((opened.n_given, *means.shape[1:]), np.nan)
    out[opened.rows] = means
    return (out[:, 0] if means.shape[1] == 1 else out), index
