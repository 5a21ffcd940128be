"""The verbs: fit, fit_cv, fit_replicates."""

from __future__ import annotations

import sys
from collections import ChainMap
from collections.abc import Hashable, Mapping, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from grpsparse.api.assemble import path_fit, warn_unconverged
from grpsparse.api.call import call_text
from grpsparse.api.crossval import fold_plan, run_cv
from grpsparse.api.door import Opened, open_door
from grpsparse.api.grid import data_choose, make_grid
from grpsparse.api.options import FitKeywords, Options, resolve
from grpsparse.api.progress import progress_bar
from grpsparse.api.unknown import names_unknown
from grpsparse.errors import GrpsparseError, WeightsError
from grpsparse.groups import FloatArray
from grpsparse.path import Path, fit_path, fit_paths
from grpsparse.problem import Problem

if TYPE_CHECKING:
    from grpsparse.families import Family
    from grpsparse.penalties import Penalty
    from grpsparse.problem import PivotalLambda
    from grpsparse.results import CVFit, PathFit
    from grpsparse.solvers import Solver

__all__ = ["fit", "fit_cv", "fit_replicates"]


@names_unknown
def fit(
    formula: Any,
    data: Any = None,
    *,
    family: str | Family = "auto",
    penalty: str | Penalty = "group_lasso",
    groups: str | Sequence[Any] | Mapping[Hashable, Any] = "auto",
    hierarchy: str | None = None,
    class_groups: str = "auto",
    penalty_factor: float | Mapping[Hashable, float] | Sequence[float] | FloatArray = 1,
    group_weight: str | None = "sqrt_df",
    standardize: str | bool = "auto",
    intercept: bool = True,
    lambda_: float | str | PivotalLambda | Sequence[float] | FloatArray | None = None,
    n_lambda: int = 100,
    lambda_min_ratio: float | None = None,
    weights: Any = None,
    offset: Any = None,
    max_terms: int | None = None,
    solver: str | Solver = "auto",
    backend: str = "auto",
    dtype: str = "float64",
    na_action: str = "drop",
    tol: float | None = None,
    progress: bool | None = None,
) -> PathFit:
    """Fit a group-penalised generalised linear model along a path of lambda.

    Minimises over intercept b0 and coefficients B

        sum_i w_i loss(y_i, b0 + x_i'B + offset_i) / sum_i w_i + sum_g p(||B_g||; lambda w_g)

    with B on the standardised scale inside the penalty; every number that comes back is on
    the original scale, and every point carries a certificate of optimality.

    Parameters
    ----------
    formula : str or matrix
        A formula such as ``"share ~ brand + C(plan_type)"``, each term of which is a group; or
        a matrix X (n, p): NumPy, SciPy sparse, or a DataFrame of numbers. A float64 array in
        column (Fortran) order is used where it is: leave it as it is while the fit is in use.
    data : DataFrame, dict or response, optional
        For a formula: pandas, polars or pyarrow data, or a dict of columns; left out, the
        variables are the caller's. For a matrix: the response y.
    family : str or Family
        A name of :func:`grpsparse.families.names` (``"gaussian"``, ``"binomial"``, ...), or an
        object such as ``gs.families.Huber(delta=2.0)``; ``"auto"`` takes a categorical, string
        or boolean response as classes, survival times as cox, any other as gaussian.
    penalty : str or Penalty
        A name of :func:`grpsparse.penalties.names`, or an object such as
        ``GroupMCP(gamma=4)``. ``"lasso"``, ``"elastic_net"``, ``"mcp"`` and ``"scad"`` see
        single coefficients, as any other does with ``groups="column"``.
    groups : {"auto", "term", "column"}, sequence or dict
        What is a group: a term of the formula, every column, or for a matrix one label per
        column. Auto: term for a formula, column for a matrix. Or lists (in a dict: by name) of
        terms or columns, which may overlap: `latent_group_lasso` and `overlap_group_lasso`.
    hierarchy : {None, "strong"}
        ``"strong"``: latent groups of terms with their margins, which come with interactions.
    class_groups : {"auto", "shared", "separate"}
        With several classes or responses: a group spans all of them, or each has its own.
    penalty_factor : number, dict or sequence
        Multiplies the groups' weights: by term name or label, or in the order of ``fit.terms``
        (of ``fit.groups`` where these are lists). 0 leaves a group unpenalised.
    group_weight : {"sqrt_df", None}
        Base weight of a group: the root of its degrees of freedom, or 1.
    standardize : {"auto", "group", "column", False}
        Make each group orthonormal under the weights (so that a factor's coding does not
        matter), or each column of unit variance, or neither.
    intercept : bool
        ``0 +`` or ``-1`` in a formula says False too.
    lambda_ : float, sequence, "pivotal" or PivotalLambda, optional
        Given values, solved whole; otherwise `n_lambda` values from lambda_max down to
        `lambda_min_ratio` times it (default 1e-4, or 1e-2 unless n > p), on a log scale.
        An automatic path ends where nothing more is explained. For ``"sqrt_gaussian"`` it holds
        the pivotal lambda too, and ends there with ``"pivotal"`` or a `gs.PivotalLambda`.
    n_lambda : int
    lambda_min_ratio : float, optional
    weights, offset : array or str, optional
        Observation weights (>= 0) and a known part of the linear predictor, (n,) or (n, K):
        arrays over the rows of the data, or column names.
    max_terms : int, optional
        Stop once more groups than this are active.
    solver : str or Solver
        A name of :func:`grpsparse.solvers.names`, or an object such as
        ``gs.solvers.ADMM(rho=0.5)``; auto takes what suits the penalty.
    backend : {"auto", "numpy"}
    dtype : {"float64", "float32"}
        Storage of dense columns; certificates are computed in float64, of the columns as stored.
    na_action : {"drop", "raise"}
        What a formula does with missing values in its variables.
    tol : float, optional
        Bound on every point's certificate; 1e-7, or 1e-5 in float32. From 1e-4 on, dense
        columns are rounded to single precision in between, which certificates allow for.
    progress : bool, optional
        Show a bar; None shows it on a terminal when the work is long.

    Returns
    -------
    PathFit

    Raises
    ------
    GrpsparseError
        Whatever is wrong with the input; see :mod:`grpsparse.errors`. Points that do not reach
        `tol` are warned of once, by a ConvergenceWarning.

    References
    ----------
    Yuan & Lin (2006), doi:10.1111/j.1467-9868.2005.00532.x; Simon & Tibshirani (2012),
    doi:10.5705/ss.2011.075, for orthonormal groups.

    Examples
    --------
    >>> import grpsparse as gs
    >>> births = gs.datasets.load("birthwt")
    >>> model = gs.fit("low ~ race + smoke + bs(age, df=4)", births, family="binomial")
    >>> model.selected(model.lambda_[5])
    ['race', 'smoke']
    """
    given = dict(locals())
    del given["formula"], given["data"]
    options = Options(**given)
    opened = _open(formula, data, options, depth=3)
    typed = {name: value for name, value in given.items() if value is not _DEFAULTS[name]}
    call = call_text("fit", formula, typed)
    result = path_fit(opened, _full_path(opened), opened.weights, call)
    warn_unconverged([result], opened.resolved.solver, stacklevel=4)
    return result


COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
_DEFAULTS = {name: each.default for name, each in signature(fit).parameters.items()}


def fit_cv(
    formula: Any,
    data: Any = None,
    *,
    n_folds: int = 10,
    folds: Any = None,
    fold_groups: Any = None,
    stratify: bool = True,
    measure: str | None = None,
    seed: int | None = None,
    **keywords: Unpack[FitKeywords],
) -> CVFit:
    """Fit a path and cross-validate it.

    Every fold refits standardisation and weights on its training rows, those of an adaptive
    penalty by a first fit of its own, and is solved at the lambdas of the path on all rows.

    Parameters
    ----------
    formula, data
        As for :func:`fit`.
    n_folds : int
        Number of folds, at least 2.
    folds : array, str or splitter, optional
        Fold id per row, the column that holds it, or a scikit-learn splitter whose test sets
        cover every row once; replaces `n_folds`.
    fold_groups : array or str, optional
        Cluster of every row, or its column: rows of one cluster stay in one fold.
    stratify : bool
        Balance classes, or events, over folds.
    measure : str, optional
        ``"deviance"``, ``"class"``, ``"auc"``, ``"brier"``, ``"mse"`` or ``"mae"``; by default
        the deviance, and the mean squared error for gaussian. For survival times
        ``"deviance"``, which judges held-out rows beside training rows, or ``"c_index"``.
    seed : int, optional
        Seed of the folds.
    **keywords
        Every keyword of :func:`fit`.

    Returns
    -------
    CVFit

    Raises
    ------
    GrpsparseError
        Whatever is wrong with the input; among others a class that is missing from the
        training rows of a fold.

    Examples
    --------
    >>> import grpsparse as gs
    >>> plans = gs.datasets.load("medicare")
    >>> cv = gs.fit_cv("share ~ brand + C(plan_type)", plans, n_folds=5, seed=1)
    >>> cv.selected("min")
    ['brand', 'C(plan_type)']
    """
    options = Options.of(keywords, also=tuple(_CV_DEFAULTS))
    extra = {"folds": folds if _per_row(folds) else None, "fold_groups": fold_groups}
    opened = _open(formula, data, options, depth=2, extra=extra)
    plan = fold_plan(opened, n_folds=n_folds, folds=folds, stratify=stratify, seed=seed)
    typed: dict[str, Any] = {
        name: value
        for name, value in (("folds", folds), ("fold_groups", fold_groups), ("measure", measure))
        if value is not None
    }
    if folds is None and n_folds != _CV_DEFAULTS["n_folds"]:
        typed["n_folds"] = n_folds
    if not stratify:
        typed["stratify"] = stratify
    given = {**keywords, **typed}
    result = run_cv(
        opened,
        plan,
        measure=measure,
        seed=seed,
        calls=(call_text("fit", formula, keywords), call_text("fit_cv", formula, given)),
    )
    warn_unconverged([result.path], opened.resolved.solver, stacklevel=3)
    return result


_CV_DEFAULTS: dict[str, Any] = dict(fit_cv.__kwdefaults__ or {})


def fit_replicates(
    formula: Any,
    data: Any = None,
    replicate_weights: Any = None,
    **keywords: Unpack[FitKeywords],
) -> list[PathFit]:
    """Fit the same model under several sets of weights, on one path of lambda.

    Bootstrap samples, half-samples and the jackknife are all sets of weights. A replicate
    equals a separate fit on its rows of positive weight: ranks, frequencies, group weights and
    standardisation belong to it, and a level without rows there has coefficient 0.

    Parameters
    ----------
    formula, data
        As for :func:`fit`.
    replicate_weights : array_like of shape (F, n)
        Non-negative factors of the observation weights, over the rows given.
    **keywords
        Every keyword of :func:`fit`.

    Returns
    -------
    list of PathFit
        F fits at the lambdas of the fit to all rows.

    Raises
    ------
    GrpsparseError
        Whatever is wrong with the input.

    Examples
    --------
    >>> import grpsparse as gs
    >>> import numpy as np
    >>> births = gs.datasets.load("birthwt")
    >>> halves = np.random.default_rng(1).integers(0, 2, size=(3, len(births)))
    >>> fits = gs.fit_replicates("bwt ~ race + smoke + age", births, halves)
    >>> [round(float(each.dev_ratio[-1]), 2) for each in fits]
    [0.17, 0.1, 0.16]
    """
    options = Options.of(keywords)
    opened = _open(formula, data, options, depth=2)
    factors = _replicate_factors(replicate_weights, opened)
    call = call_text("fit_replicates", formula, keywords)
    weights = [opened.weights * factor for factor in factors]
    problems = [_replicate(opened, each, number) for number, each in enumerate(weights)]
    # the fit to all rows chooses the lambdas, or where they end
    chosen = data_choose(options) or options.max_terms is not None
    if chosen:
        problems.insert(0, opened.problem(opened.weights))
    grid = make_grid(options, problems[0])
    total = len(problems) * grid.values.size
    work = float(np.prod(opened.design.shape)) * total
    resolved = opened.resolved
    with progress_bar(options.progress, work=work, total=total, what="replicates") as tick:
        paths = fit_paths(problems, grid, solver=resolved.solver, tol=resolved.tol, on_point=tick)
    fits = [
        path_fit(opened, path, each, call)
        for path, each in zip(paths[1:] if chosen else paths, weights, strict=True)
    ]
    warn_unconverged(fits, resolved.solver, stacklevel=3)
    return fits


def _open(
    formula: Any,
    data: Any,
    options: Options,
    *,
    depth: int,
    extra: Mapping[str, Any] | None = None,
) -> Opened:
    """Open the door; a formula sees the names of the frame `depth` calls up."""
    resolved = resolve(options, formula=isinstance(formula, str))
    scope: Mapping[str, Any] = {}
    if isinstance(formula, str):
        scope = _caller_scope(depth + 1)
    return open_door(formula, data, options, resolved, scope=scope, extra=extra)


def _caller_scope(depth: int) -> Mapping[str, Any]:
    """Return the names of the frame `depth` calls up; a comprehension sees those around it."""
    frame = sys._getframe(depth)  # noqa: SLF001
    seen = [frame.f_locals]
    while frame.f_code.co_name in COMPREHENSIONS and frame.f_back is not None:
        frame = frame.f_back
        seen.append(frame.f_locals)
    return ChainMap(*seen, frame.f_globals)


def _full_path(opened: Opened) -> Path:
    """Solve the path on all rows."""
    problem = opened.problem(opened.weights)
    grid = make_grid(opened.options, problem)
    resolved = opened.resolved
    work = float(np.prod(opened.design.shape)) * grid.values.size
    bar = progress_bar(opened.options.progress, work=work, total=grid.values.size, what="path")
    with bar as tick:
        return fit_path(problem, grid, solver=resolved.solver, tol=resolved.tol, on_point=tick)


def _per_row(folds: Any) -> bool:
    """Return whether folds are ids of rows (or their column), not a splitter or pairs."""
    if folds is None or (hasattr(folds, "split") and not isinstance(folds, str)):
        return False
    if isinstance(folds, str):
        return True
    return np.ndim(folds) == 1 if hasattr(folds, "__len__") and not _pairs(folds) else False


def _pairs(folds: Any) -> bool:
    first = next(iter(folds), None)
    return isinstance(first, tuple) and len(first) == 2


def _replicate(opened: Opened, weights: FloatArray, number: int) -> Problem:
    """Return the problem of one replicate, which an error names."""
    try:
        return opened.problem(weights)
    except GrpsparseError as error:
        raise type(error)(f"replicate {number}: {error}") from error


def _replicate_factors(given: Any, opened: Opened) -> FloatArray:
    try:
        factors = np.atleast_2d(np.asarray(given, dtype=np.float64))
    except (TypeError, ValueError):
        raise WeightsError("`replicate_weights` holds something that is not a number.") from None
    if given is None or factors.ndim != 2 or factors.shape[1] != opened.n_given or not len(factors):
        raise WeightsError(
            f"`replicate_weights` has shape {np.shape(given)}; it is (F, {opened.n_given}), a row "
            "per replicate and a column per row of the data."
        )
    factors = factors[:, opened.rows]
    bad = ~np.isfinite(factors).all(axis=1) | (factors < 0).any(axis=1)
    bad |= ~(factors * opened.weights).any(axis=1)
    if bad.any():
        raise WeightsError(
            f"`replicate_weights` row {int(np.flatnonzero(bad)[0])} has a negative, missing or "
            "infinite weight, or leaves no row; give finite weights of at least 0."
        )
    return factors
