"""Penalties of all norms in the engine: paths, screening, subsets, and what is refused."""

from __future__ import annotations

from itertools import combinations
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import grpsparse as gs
from grpsparse.problem import bounds

TIGHT = 1e-13
SAME = 1e-9  # of linear predictors, at TIGHT
SAME_LOSS = 1e-9  # relative, of deviances
RECOMPUTED = 1e-10  # two ways to one certificate
NAMES = ("group_l1_l2", "group_hoyer", "group_cardinality")
LABELS = np.repeat(np.arange(8), 2)


def rows(n: int = 60, rho: float = 0.8, seed: int = 0, groups: int = 8, signals: int = 3) -> Any:
    """Correlated columns in groups of two, a response, and the groups that are in it."""
    rng = np.random.default_rng(seed)
    p = 2 * groups
    root = np.linalg.cholesky(rho ** np.abs(np.subtract.outer(np.arange(p), np.arange(p))))
    X = rng.normal(size=(n, p)) @ root.T
    inside = rng.choice(groups, signals, replace=False)
    effects = np.where(np.isin(np.repeat(np.arange(groups), 2), inside), rng.normal(size=p), 0.0)
    eta = X @ effects
    return SimpleNamespace(X=X, y=eta + 0.7 * eta.std() * rng.normal(size=n), eta=eta)


def certified(fit: gs.PathFit) -> None:
    assert fit.converged.all()
    np.testing.assert_allclose(fit.check(), fit.certificate, atol=RECOMPUTED)


@pytest.mark.parametrize("name", NAMES)
def test_every_storage_and_weights_and_free_terms(name: str) -> None:
    rng = np.random.default_rng(4)
    n = 120
    data = {
        "f": rng.choice(list("pqr"), n),
        "g": rng.choice(list("stuv"), n),
        "x": rng.normal(size=n),
        "z": rng.uniform(size=n),
        "w": rng.uniform(0.5, 2.0, n),
    }
    data["y"] = (data["f"] == "p") + data["x"] * (data["g"] == "t") + rng.normal(size=n)
    fit = gs.fit(
        "y ~ z + f*g + x:g + x",
        data,
        penalty=name,
        weights="w",
        penalty_factor={"z": 0},
        n_lambda=6,
        lambda_min_ratio=0.1,
    )
    certified(fit)
    assert (fit.n_terms >= 1).all()
    case = rows()
    given = {"penalty": name, "groups": LABELS, "n_lambda": 6, "tol": TIGHT}
    one = gs.fit(case.X, case.y, **given)
    other = gs.fit(sparse.csc_array(case.X), case.y, **given)
    np.testing.assert_allclose(
        other.predict(type="link"), one.predict(type="link"), atol=SAME * np.std(case.y)
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_group_is_checked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a strong rule groups join only because they were found to violate."""
    case = rows(n=50, groups=60)
    given = {"penalty": name, "groups": np.repeat(np.arange(60), 2), "n_lambda": 6}
    monkeypatch.setattr(
        "grpsparse.screening.strong_rule",
        lambda problem, *_: np.zeros(problem.blocks.weight.size, dtype=bool),
    )
    fit = gs.fit(case.X, case.y, lambda_min_ratio=0.2, **given)
    certified(fit)
    assert fit.n_terms[-1] > 0


def test_l1_l2_without_a_share_is_the_group_lasso() -> None:
    case = rows()
    given = {"groups": LABELS, "n_lambda": 8, "tol": TIGHT}
    lasso = gs.fit(case.X, case.y, **given)
    ours = gs.fit(case.X, case.y, penalty=gs.GroupL1L2(alpha=0.0), **given)
    np.testing.assert_allclose(ours.lambda_, lasso.lambda_, rtol=1e-12)
    np.testing.assert_allclose(ours.predict(), lasso.predict(), atol=SAME * np.std(case.y))


def test_l1_l2_keeps_its_groups_longer_than_the_group_lasso() -> None:
    case = rows()
    lambda_ = 0.3 * gs.fit(case.X, case.y, groups=LABELS, n_lambda=2).lambda_[0]
    sizes = [
        np.linalg.norm(
            gs.fit(
                case.X, case.y, groups=LABELS, penalty=gs.GroupL1L2(alpha=alpha), lambda_=lambda_
            ).group_norms
        )
        for alpha in (0.0, 0.5, 1.0)
    ]
    assert sizes == sorted(sizes)
    assert sizes[2] > sizes[0] * 1.01


def test_l1_l2_where_a_group_alone_is_not_penalised() -> None:
    """The path begins at the lambda_max of the group lasso, and zero is nowhere a solution."""
    case = rows()
    given = {"groups": LABELS, "group_weight": None, "n_lambda": 8}
    fit = gs.fit(case.X, case.y, penalty=gs.GroupL1L2(alpha=1.0), **given)
    certified(fit)
    assert fit.lambda_[0] == pytest.approx(gs.fit(case.X, case.y, **given).lambda_[0])
    assert fit.n_terms[0] == 1
    inside = int(fit.selected(float(fit.lambda_[0]))[0]) == LABELS
    alone = gs.fit(case.X[:, inside], case.y, groups=[0, 0], lambda_=0.0)
    assert fit.deviance[0] == pytest.approx(alone.deviance[0], rel=1e-6)
    with pytest.raises(gs.GrpsparseError, match="an alpha of at most the smallest weight"):
        gs.fit(case.X, case.y, penalty="group_l1_l2", **given, penalty_factor=0.4)


RESPONSES = {
    "gaussian": lambda case, _: case.y,
    "binomial": lambda case, rng: (case.eta + 2.0 * rng.logistic(size=case.eta.size) > 0) * 1,
    "huber": lambda case, _: case.y,
    "multinomial": lambda case, rng: np.array(list("abc"))[
        np.digitize(case.eta + 3.0 * rng.logistic(size=case.eta.size), [-1.0, 1.0])
    ],
}


def deviance(case: Any, y: np.ndarray, subset: tuple[int, ...], family: str) -> float:
    """The least deviance of a subset of groups."""
    inside = np.isin(LABELS[: case.X.shape[1]], subset)
    given = {"groups": LABELS[: case.X.shape[1]][inside], "family": family, "lambda_": 0.0}
    return float(gs.fit(case.X[:, inside], y, tol=1e-9, **given).deviance[0])


@pytest.mark.parametrize("family", RESPONSES)
def test_small_subsets_are_the_best(family: str) -> None:
    """Of all subsets of two of five groups."""
    case = rows(n=150, rho=0.6, groups=5, signals=2)
    y = RESPONSES[family](case, np.random.default_rng(1))
    penalty = gs.GroupCardinality(k=2)
    fit = gs.fit(case.X, y, groups=LABELS[:10], family=family, penalty=penalty)
    best = min(deviance(case, y, subset, family) for subset in combinations(range(5), 2))
    assert fit.n_terms.tolist() == [2]
    assert fit.deviance[0] == pytest.approx(best, rel=SAME_LOSS)
    certified(fit)


def least_squares(Z: np.ndarray, y: np.ndarray, subset: Any) -> float:
    inside = np.isin(LABELS, subset)
    left = y - Z[:, inside] @ np.linalg.lstsq(Z[:, inside], y, rcond=None)[0]
    return float(left @ left)


def greedy(Z: np.ndarray, y: np.ndarray, k: int) -> list[int]:
    """The groups that forward selection by the residual sum of squares takes."""
    chosen: list[int] = []
    for _ in range(k):
        others = [g for g in range(8) if g not in chosen]
        chosen.append(min(others, key=lambda g: least_squares(Z, y, [*chosen, g])))
    return chosen


def test_exchanges_come_near_the_best_subset() -> None:
    """On strongly correlated columns, where thresholding from zero is the best subset nowhere.

    Exchanges find it in most cases, and on average miss far less than forward selection.
    """
    ours, forward = [], []
    for seed in range(15):
        case = rows(rho=0.95, seed=seed)
        Z, y = case.X - case.X.mean(axis=0), case.y - case.y.mean()
        fit = gs.fit(case.X, case.y, groups=LABELS, penalty=gs.GroupCardinality(k=3))
        certified(fit)
        best = min(least_squares(Z, y, subset) for subset in combinations(range(8), 3))
        ours.append(fit.deviance[0] / best - 1.0)
        forward.append(least_squares(Z, y, greedy(Z, y, 3)) / best - 1.0)
    assert np.sum(np.array(ours) < SAME_LOSS) >= 11
    assert np.mean(ours) < 0.5 * np.mean(forward)


def test_free_groups_are_not_counted_and_every_lambda_is_the_same() -> None:
    case = rows()
    penalty = gs.GroupCardinality(k=2)
    given = {"groups": LABELS, "penalty": penalty}
    fit = gs.fit(case.X, case.y, penalty_factor={5: 0.0}, **given)
    assert fit.n_terms.tolist() == [3]
    assert 5 in [int(name) for name in fit.selected(1.0)]
    three = gs.fit(case.X, case.y, lambda_=[20.0, 1.0, 0.0], **given)
    assert three.n_terms.tolist() == [2, 2, 8]
    np.testing.assert_array_equal(three.coef_path[0], three.coef_path[1])
    whole = gs.fit(case.X, case.y, groups=LABELS, penalty=gs.GroupCardinality(k=8), tol=TIGHT)
    least = gs.fit(case.X, case.y, groups=LABELS, lambda_=0.0, tol=TIGHT)
    np.testing.assert_allclose(whole.predict(), least.predict(), atol=SAME * np.std(case.y))


@pytest.mark.parametrize("name", ["group_l1_l2", "group_cardinality"])
def test_separate_classes_are_cases_of_their_own(name: str) -> None:
    rng = np.random.default_rng(6)
    X = rng.normal(size=(90, 16))
    Y = X[:, [0, 4, 8]] * 2.0 + rng.normal(size=(90, 3))
    given = {"groups": LABELS, "class_groups": "separate", "penalty": name, "n_lambda": 5}
    fit = gs.fit(X, Y, family="mgaussian", **given)
    certified(fit)
    for k in range(3):
        alone = gs.fit(X, Y[:, k], groups=LABELS, penalty=name, lambda_=fit.lambda_, tol=1e-9)
        ours = fit.predict()[:, k]
        np.testing.assert_allclose(ours, alone.predict(), atol=1e-5)
    if name == "group_cardinality":
        assert ((fit.group_norms > 0).sum(axis=1) == 3).all()


@pytest.mark.parametrize("name", NAMES)
def test_folds_and_replicates(name: str) -> None:
    case = rows(n=80, rho=0.3)
    given = {"groups": LABELS, "penalty": name, "n_lambda": 5, "lambda_min_ratio": 0.2}
    cv = gs.fit_cv(case.X, case.y, n_folds=4, seed=2, **given)
    assert np.isfinite(cv.cv_mean).all()
    assert cv.lambda_min in cv.lambda_
    weights = np.ones((2, 80))
    weights[0, :9] = weights[1, 70:] = 0.0
    ours = gs.fit_replicates(case.X, case.y, replicate_weights=weights, tol=TIGHT, **given)
    for replicate, each in zip(weights, ours, strict=True):
        inside = replicate > 0
        one = {**given, "lambda_": each.lambda_}
        alone = gs.fit(case.X[inside], case.y[inside], tol=TIGHT, **one)
        np.testing.assert_allclose(
            each.coef_path, alone.coef_path, atol=SAME * np.abs(alone.coef_path).max()
        )


def test_sizes_are_compared_by_the_same_folds() -> None:
    case = rows(n=120, rho=0.3, seed=3)
    folds = np.arange(120) % 5
    errors = [
        gs.fit_cv(
            case.X, case.y, groups=LABELS, folds=folds, penalty=gs.GroupCardinality(k=k)
        ).cv_mean[0]
        for k in (1, 2, 3, 4, 6)
    ]
    assert int(np.argmin(errors)) >= 2


def test_sweeps_refuse_and_bounds_are_needed() -> None:
    case = rows()
    for name in NAMES:
        with pytest.raises(gs.GrpsparseError, match="one penalty of all groups, and steps of"):
            gs.fit(case.X, case.y, groups=LABELS, penalty=name, solver="block_descent")
    counts = np.random.default_rng(0).poisson(2.0, 60)
    for name in NAMES[1:]:
        with pytest.raises(gs.GrpsparseError, match="the Poisson family has none"):
            gs.fit(case.X, counts, groups=LABELS, penalty=name, family="poisson")
    certified(gs.fit(case.X, counts, groups=LABELS, penalty=NAMES[0], family="poisson", n_lambda=5))


def test_many_columns_have_the_same_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """By products with the columns as by the matrix of their products."""
    case = rows(groups=40)
    given = {"groups": np.repeat(np.arange(40), 2), "penalty": "group_hoyer", "n_lambda": 2}
    one = gs.fit(case.X, case.y, penalty_factor={3: 0.0}, **given)
    monkeypatch.setattr(bounds, "SMALL", 10)
    other = gs.fit(case.X, case.y, penalty_factor={3: 0.0}, **given)
    np.testing.assert_allclose(other.lambda_, one.lambda_, rtol=1e-12)


def test_names_with_parameters_on_the_command_line() -> None:
    from grpsparse.__main__ import read_penalty

    assert read_penalty("group_cardinality:k=2") == gs.GroupCardinality(k=2)
    assert read_penalty("group_l1_l2:alpha=0.3") == gs.GroupL1L2(alpha=0.3)
    with pytest.raises(gs.GrpsparseError, match="a whole number of at least 1"):
        read_penalty("group_cardinality:k=2.5")
