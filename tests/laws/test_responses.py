"""Several gaussian responses: certificates, and what they reduce to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import grpsparse as gs
from grpsparse.errors import FormulaError, OptionError, ResponseError

TIGHT = 1e-13
SAME = 1e-9  # two problems that are one, solved at TIGHT
RECOMPUTED = 1e-11  # rounding of sums in another order
GAP_FLOOR = -1e-12
N, K = 60, 3
GROUPS = list("aaabbccdee")
SHORT: dict[str, Any] = {"family": "mgaussian", "n_lambda": 6, "lambda_min_ratio": 0.05}


class Case:
    """A matrix with sparse columns, three correlated responses, weights and an offset."""

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        self.X = rng.normal(size=(N, len(GROUPS)))
        self.X[:, 5:] = np.where(rng.random((N, 5)) < 0.6, 0.0, self.X[:, 5:])
        noise = rng.normal(size=(N, 1)) + 0.5 * rng.normal(size=(N, K))
        self.y = self.X[:, :4] @ rng.normal(size=(4, K)) + noise + [0.0, 5.0, -1.0]
        self.weights = rng.uniform(0.5, 2.0, N)
        self.offset = 0.3 * rng.normal(size=(N, K))
        self.frame = pd.DataFrame(self.y, columns=["u", "v", "w"])
        self.frame["f"] = rng.choice(list("pqr"), N)
        self.frame["x"] = rng.normal(size=N)
        self.frame["z"] = self.X[:, 0]

    def fit(self, **options: Any) -> gs.PathFit:
        """Fit the matrix, by groups where the penalty has some."""
        chosen = gs.penalties.get(options.get("penalty", "group_lasso"))
        groups = {} if chosen.elementwise else {"groups": GROUPS}
        return gs.fit(
            options.pop("X", self.X), options.pop("y", self.y), **SHORT | groups | options
        )


@pytest.fixture
def three() -> Case:
    """The case."""
    return Case()


def certified(fit: gs.PathFit) -> None:
    assert fit.converged.all()
    assert (fit.certificate >= GAP_FLOOR).all()
    np.testing.assert_allclose(fit.check(), fit.certificate, rtol=1e-5, atol=RECOMPUTED)


@pytest.mark.parametrize("class_groups", ["shared", "separate"])
@pytest.mark.parametrize("standardize", ["group", "column", False])
def test_paths_are_certified_and_start_at_lambda_max(
    three: Case, penalty: str, standardize: Any, class_groups: str
) -> None:
    chosen = gs.penalties.get(penalty)
    if chosen.elementwise and class_groups == "shared":
        return
    if standardize == "group" and (chosen.elementwise or chosen.bilevel):
        return
    options = {"penalty": penalty, "standardize": standardize, "class_groups": class_groups}
    for more in ({}, {"weights": three.weights, "offset": three.offset, "intercept": False}):
        fit = three.fit(**options, **more)
        certified(fit)
        if chosen.constraint:  # every lambda above 0 is the same problem
            continue
        top = float(fit.lambda_[0])
        norms = three.fit(lambda_=[top, 0.99 * top], tol=1e-12, **options, **more).group_norms
        assert not norms[0].any()
        assert norms[1].any()


@pytest.mark.parametrize("name", ["group_lasso", "sparse_group_lasso", "group_mcp", "lasso"])
@pytest.mark.parametrize("arithmetic", ["residual", "gram"])
@pytest.mark.parametrize("storage", [np.asfortranarray, sparse.csc_array])
def test_storages_and_arithmetics(three: Case, name: str, arithmetic: str, storage: Any) -> None:
    """Sparse columns too, whose visits touch single rows for one response only."""
    options = {"penalty": name, "tol": TIGHT if name != "group_mcp" else 1e-12}
    fit = three.fit(X=storage(three.X), solver=gs.BlockDescent(arithmetic=arithmetic), **options)
    certified(fit)
    plain = three.fit(**options)
    np.testing.assert_allclose(fit.lambda_, plain.lambda_, rtol=1e-10)
    np.testing.assert_allclose(fit.predict(), plain.predict(), atol=SAME)


def test_single_precision(three: Case) -> None:
    fit = three.fit(dtype="float32")
    assert fit.converged.all()


@pytest.mark.parametrize("name", ["group_lasso", "group_mcp", "lasso", "elastic_net"])
def test_one_response_is_gaussian(three: Case, name: str) -> None:
    one = three.fit(y=three.y[:, :1], penalty=name, tol=1e-12)
    other = three.fit(y=three.y[:, 0], penalty=name, tol=1e-12, family="gaussian")
    np.testing.assert_allclose(one.lambda_, other.lambda_, rtol=1e-12)
    np.testing.assert_allclose(one.predict(), other.predict(), atol=1e-7)


@pytest.mark.parametrize("name", ["group_lasso", "group_scad", "lasso"])
def test_separate_groups_are_separate_fits(three: Case, name: str) -> None:
    options = {"penalty": name, "weights": three.weights, "tol": 1e-12}
    fit = three.fit(class_groups="separate", offset=three.offset, **options)
    for k in range(K):
        options |= {"offset": three.offset[:, k], "lambda_": fit.lambda_, "family": "gaussian"}
        alone = three.fit(y=three.y[:, k], **options)
        np.testing.assert_allclose(fit.predict()[:, k], alone.predict(), atol=1e-6)


def test_shared_groups_turn_with_the_responses(three: Case) -> None:
    """Frobenius norms do not see a rotation: Y Q has the coefficients B Q."""
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(K, K)))
    for name in ("group_lasso", "group_mcp", "group_elastic_net"):
        fit = three.fit(penalty=name, tol=1e-12)
        other = three.fit(y=three.y @ turn, penalty=name, tol=1e-12)
        np.testing.assert_allclose(other.lambda_, fit.lambda_, rtol=1e-10)
        np.testing.assert_allclose(other.coef_path, fit.coef_path @ turn, atol=1e-6)


def test_group_weights_count_responses(three: Case) -> None:
    sizes = np.array([3, 2, 2, 1, 2])
    np.testing.assert_allclose(three.fit().group_weights, np.sqrt(K * sizes), rtol=1e-14)
    separate = three.fit(class_groups="separate")
    np.testing.assert_allclose(separate.group_weights, np.sqrt(sizes), rtol=1e-14)


def test_weights_are_repeated_rows(three: Case) -> None:
    times = np.random.default_rng(3).integers(1, 4, N)
    rows = np.repeat(np.arange(N), times)
    fit = three.fit(weights=times, offset=three.offset, tol=TIGHT)
    other = three.fit(X=three.X[rows], y=three.y[rows], offset=three.offset[rows], tol=TIGHT)
    np.testing.assert_allclose(other.lambda_, fit.lambda_, rtol=1e-10)
    np.testing.assert_allclose(other.predict(), fit.predict()[rows], atol=SAME)


def test_units_of_the_responses(three: Case) -> None:
    one, other = three.fit(tol=TIGHT), three.fit(y=1e4 * three.y, tol=TIGHT)
    np.testing.assert_allclose(other.lambda_, 1e4 * one.lambda_, rtol=1e-10)
    np.testing.assert_allclose(1e-4 * other.predict(), one.predict(), atol=SAME)


def test_no_penalty_is_least_squares(three: Case) -> None:
    A = np.hstack([np.ones((N, 1)), three.X])
    root = np.sqrt(three.weights)[:, None]
    best, *_ = np.linalg.lstsq(root * A, root * (three.y - three.offset), rcond=None)
    fit = three.fit(weights=three.weights, offset=three.offset, lambda_=[0.1, 0.0], tol=TIGHT)
    np.testing.assert_allclose(fit.predict(lambda_=0.0), A @ best + three.offset, atol=1e-7)
    whole = float(three.weights @ np.sum((three.y - A @ best - three.offset) ** 2, axis=1))
    assert fit.deviance[-1] == pytest.approx(whole, rel=1e-10)


def test_unpenalised_terms(three: Case) -> None:
    fit = three.fit(penalty_factor={"b": 0, "d": 2.0}, tol=1e-12)
    certified(fit)
    assert fit.coef_path[0, 3:5].all()


@pytest.mark.parametrize("left", ["cbind(u, v, w)", "u + v + w", "[u, v, w]"])
def test_formulas_name_the_responses(three: Case, left: str) -> None:
    fit = gs.fit(f"{left} ~ f*x + z", three.frame, **SHORT)
    certified(fit)
    assert fit.classes == ("u", "v", "w")
    assert list(fit.coef(float(fit.lambda_[3])).columns) == ["u", "v", "w"]
    other = gs.fit("v + u + w ~ f*x + z", three.frame, tol=1e-12, **SHORT)
    fit = gs.fit(f"{left} ~ f*x + z", three.frame, tol=1e-12, **SHORT)
    np.testing.assert_allclose(other.predict()[:, [1, 0, 2]], fit.predict(), atol=1e-6)
    assert fit.predict(three.frame.iloc[:4]).shape == (4, K, len(fit.lambda_))
    assert "Multi-response Gaussian (3 responses)" in str(fit)
    assert "Over several responses" in str(fit.summary(float(fit.lambda_[3])))
    assert {"fitted[v]", f"{left}[w]"} <= set(fit.augment(float(fit.lambda_[3])).columns)
    parts = fit.predict(type="terms", lambda_=float(fit.lambda_[3]))
    total = parts.T.groupby(level="response").sum().T[["u", "v", "w"]]
    np.testing.assert_allclose(total, fit.predict(lambda_=float(fit.lambda_[3])), atol=1e-10)


def test_two_columns_are_what_the_family_says(three: Case) -> None:
    """Counts for binomial, responses for mgaussian, and neither without a family."""
    counts = three.frame[["u", "v"]].abs().round().astype(int)
    data = three.frame.assign(s=counts["u"], t=counts["v"])
    assert gs.fit("cbind(s, t) ~ x", data, family="binomial", n_lambda=3).classes is None
    assert gs.fit("cbind(s, t) ~ x", data, **SHORT).classes == ("s", "t")
    with pytest.raises(ResponseError, match='family="mgaussian"'):
        gs.fit("cbind(s, t) ~ x", data, n_lambda=3)
    with pytest.raises(ResponseError, match='family="mgaussian"'):
        gs.fit("u + v + w ~ x", data, n_lambda=3)


def test_frames_name_the_responses(three: Case) -> None:
    assert three.fit(y=three.frame[["u", "v", "w"]]).classes == ("u", "v", "w")
    assert three.fit().classes == ("y1", "y2", "y3")


@pytest.mark.parametrize("class_groups", ["shared", "separate"])
def test_folds_by_hand(three: Case, class_groups: str, tmp_path: Any) -> None:
    options = {**SHORT, "groups": GROUPS, "class_groups": class_groups, "weights": three.weights}
    cv = gs.fit_cv(three.X, three.y, n_folds=4, seed=2, tol=TIGHT, **options)
    w = three.weights
    losses = np.sum((three.y[:, :, None] - cv.oof) ** 2, axis=1)
    for fold in range(4):
        held = cv.folds == fold
        options |= {"weights": np.where(held, 0.0, w), "lambda_": cv.lambda_, "tol": TIGHT}
        alone = gs.fit(three.X, three.y, **options)
        np.testing.assert_allclose(cv.oof[held], alone.predict()[held], atol=SAME)
    np.testing.assert_allclose(cv.cv_mean, w @ losses / w.sum(), rtol=1e-10)
    assert list(cv.measures().index) == ["deviance", "mse", "mae"]
    cv.save(tmp_path / "cv.fit")
    assert str(gs.load(tmp_path / "cv.fit")) == str(cv)
    with pytest.raises(OptionError, match="no classes"):
        cv.predict(type="class")
    with pytest.raises(OptionError, match="no classes"):
        cv.confusion()


@pytest.mark.parametrize("class_groups", ["shared", "separate"])
def test_replicates_are_separate_fits(three: Case, class_groups: str) -> None:
    factors = np.random.default_rng(4).integers(0, 3, size=(3, N)).astype(float)
    options = {"class_groups": class_groups, "groups": GROUPS, "tol": TIGHT, **SHORT}
    fits = gs.fit_replicates(three.X, three.y, factors, weights=three.weights, **options)
    for fit, factor in zip(fits, factors, strict=True):
        options |= {"weights": factor * three.weights, "lambda_": fit.lambda_}
        alone = gs.fit(three.X, three.y, **options)
        np.testing.assert_allclose(fit.coef_path, alone.coef_path, atol=SAME)


def test_residuals(three: Case) -> None:
    fit = three.fit(weights=three.weights)
    at = float(fit.lambda_[-1])
    left = three.y - fit.predict(lambda_=at)
    np.testing.assert_allclose(fit.residuals(lambda_=at, type="response"), left, atol=1e-12)
    each = fit.residuals(lambda_=at, type="deviance")
    assert np.sum(each**2) == pytest.approx(fit.deviance[-1])


def test_messages(three: Case) -> None:
    y = three.y.copy()
    y[:, 1] = 4.0
    with pytest.raises(ResponseError, match="number 2 of 3 is constant"):
        three.fit(y=y)
    y[5, 1] = np.nan
    with pytest.raises(ResponseError, match="response 'y2' is nan in row 5"):
        three.fit(y=y)
    with pytest.raises(ResponseError, match="columns that are not numbers"):
        three.fit(y=three.frame[["u", "f"]])
    with pytest.raises(ResponseError, match="two responses called 'u'"):
        three.fit(y=three.frame[["u", "u"]])
    with pytest.raises(FormulaError, match="each must be a column of numbers"):
        gs.fit("u + f ~ x", three.frame, **SHORT)
    with pytest.raises(ResponseError, match="shape"):
        gs.fit(three.X, three.y, n_lambda=3)
