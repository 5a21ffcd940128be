"""Solutions against the documented objective, written out once more and minimised by brute force.

The standardised scale comes from the columns as given: with S the covariance of a group's columns,
T_g = S^(1/2) B_g for "group" (up to a rotation), sd_j B_j for "column", B_j otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import huber, logsumexp, softmax

import grpsparse as gs

TIGHT = 1e-13
STEPS = 20_000  # of accelerated proximal gradient, or until nothing moves
STILL = 1e-12
SAME_OBJECTIVE = 1e-11  # of the null deviance
SAME_ETA = 1e-5  # the root of what the certificate and STILL leave
STEP = 1e-7  # of differences
PROXIMAL = 1e-8  # the same, where a proximal map of all norms multiplies it
NEARLY_ZERO = 1e-9  # by which a certificate of 1e-12 may miss a proximal point
SLOPE = 1e-5  # what rounding over STEP, and STEP times the curvature, may make of a zero slope
LABELS = np.array(["a", "a", "a", "b", "b", "c", "c", "d", "e", "e"])
FIRST, OUT = 0.05, 1e10  # of lambda_max, where an adaptive penalty's first fit is; of its zeros
ALPHA = {"sparse_group_lasso": 0.05, "group_elastic_net": 0.5, "elastic_net": 0.5}
GAMMA = {"group_mcp": 3.0, "mcp": 3.0, "group_scad": 4.0, "scad": 3.7}
# Their parameters are 1, and no family rescales them.
PLAIN = {
    "group_transformed_l1": lambda t, l: 2 * l * t / (1 + t),
    "group_log_sum": lambda t, l: l * np.log(1 + t),
    "group_lq": lambda t, l: l * np.sqrt(t),
    "group_l0": lambda t, l: l * (t > 0),
}


def composite_mcp(b: np.ndarray, l: float, v: float) -> float:
    """MCP of a sum of MCPs of level sqrt(l), the outer one as wide as all coefficients need."""
    root, gamma = np.sqrt(l), 3.0

    def mcp(t: np.ndarray | float, a: float) -> np.ndarray:
        return np.where(t <= a * root, root * t - t**2 / (2 * a), a * root**2 / 2)

    return float(mcp(mcp(v * b, gamma).sum(), b.size * gamma * root / 2)) / v


# Of all absolute coefficients of a block.
NESTED = {
    "composite_mcp": composite_mcp,
    "group_exponential_lasso": lambda b, l, v: 3 * l**2 * (1 - np.exp(-v * b.sum() / (3 * l))) / v,
}
# Of all norms r with their weights w; the parameters are 0.5 and 3.
JOINT = {
    "group_l1_l2": lambda r, w, l: l * (w @ r - 0.5 * np.linalg.norm(r)),
    "group_hoyer": lambda r, w, l: l * (w @ r) ** 2 / (r @ r) if r.any() else 0.0,
    "group_cardinality": lambda r, w, l: np.inf if np.count_nonzero(r) > 3 else 0.0,  # noqa: ARG005
}
CONVEX = (
    "group_lasso",
    "group_elastic_net",
    "sparse_group_lasso",
    "adaptive_group_lasso",
    "latent_group_lasso",
    "overlap_group_lasso",
    "lasso",
    "elastic_net",
    "trace_norm",
)


class Reference:
    """The objective of the documentation for a matrix of full rank with an intercept."""

    def __init__(self, case: Any, penalty: str, standardize: Any, *, plain: bool = False) -> None:
        n = len(case.y)
        self.family, self.penalty = case.family, penalty
        self.w = np.full(n, 1 / n) if plain else case.weights / case.weights.sum()
        y, self.at_risk = np.asarray(getattr(case.y, "event", case.y))[:, None], None
        if case.family == "cox":
            y = y.astype(float)
            self.at_risk = case.y.stop[:, None] <= case.y.stop
        if case.family in ("binomial", "multinomial"):
            levels = np.unique(case.y)
            y = (y == (levels if len(levels) > 2 else levels[1:])).astype(float)
        self.y = y
        self.offset = np.zeros_like(y) if plain else case.offset.reshape(y.shape)
        self.delta = getattr(case.given, "delta", None)
        self.shape = getattr(case.given, "theta", None)
        self.separate = penalty in ("lasso", "elastic_net", "mcp", "scad")
        labels = np.arange(case.X.shape[1]) if self.separate else LABELS
        self.groups = [np.flatnonzero(labels == g) for g in dict.fromkeys(labels.tolist())]
        copies = y.shape[1] - 1 if y.shape[1] > 1 and not self.separate else 1
        self.weight = [np.sqrt(len(g) * copies) for g in self.groups]
        self.X = case.X
        centred = case.X - self.w @ case.X
        self.root, self.Z = [], np.empty_like(centred)
        for g in self.groups:
            S = (centred[:, g] * self.w[:, None]).T @ centred[:, g]
            scale = {"group": np.linalg.cholesky(S).T, "column": np.diag(np.diag(S) ** 0.5)}
            self.root.append(scale.get(standardize, np.eye(len(g))))
            self.Z[:, g] = centred[:, g] @ np.linalg.inv(self.root[-1])

        if penalty == "adaptive_group_lasso":
            self.adapt(case, standardize, plain=plain)

    def adapt(self, case: Any, standardize: Any, *, plain: bool) -> None:
        """Divide weights by the norms of a group lasso at 5% of its lambda_max."""
        given = {} if plain else {"weights": case.weights, "offset": case.offset}
        options = {"standardize": standardize, "tol": TIGHT, **given}
        top = float(case.fit(n_lambda=2, **options).lambda_[0])
        first = case.fit(lambda_=[top * 0.5**k for k in range(5)] + [top * FIRST], **options)
        _, B = coefficients(first, -1)
        norms = [
            np.linalg.norm(root @ B[g]) for g, root in zip(self.groups, self.root, strict=True)
        ]
        pairs = zip(self.weight, norms, strict=True)
        self.weight = [w * max(norms) / r if r else OUT * w for w, r in pairs]

    def sigma(self, eta: np.ndarray) -> float:
        return max(float(np.sqrt(self.w @ (self.y - eta)[:, 0] ** 2)), 0.02)

    def loss(self, eta: np.ndarray) -> float:
        y, t = self.y, self.shape
        rows = {
            "gaussian": lambda: 0.5 * (y - eta) ** 2,
            "binomial": lambda: np.logaddexp(0, eta) - y * eta,
            "poisson": lambda: np.exp(eta) - y * eta,
            "multinomial": lambda: logsumexp(eta, axis=1, keepdims=True) * y - y * eta,
            "huber": lambda: huber(self.delta, y - eta),
            "gamma": lambda: y * np.exp(-eta) + eta,
            "negative_binomial": lambda: (y + t) * np.log(t + np.exp(eta)) - y * eta,
            "sqrt_gaussian": lambda: (y - eta) ** 2 / (2 * self.sigma(eta)) + self.sigma(eta) / 2,
            "cox": lambda: y * (np.log(self.at_risk @ (self.w[:, None] * np.exp(eta))) - eta),
        }[self.family]()
        return float(self.w @ rows.sum(axis=1))

    def residual(self, eta: np.ndarray) -> np.ndarray:
        mean = {
            "gaussian": lambda: eta,
            "binomial": lambda: 1 / (1 + np.exp(-eta)),
            "poisson": lambda: np.exp(eta),
            "multinomial": lambda: softmax(eta, axis=1),
        }.get(self.family)
        slope = {
            "huber": lambda: np.clip(eta - self.y, -self.delta, self.delta),
            "gamma": lambda: 1 - self.y / np.exp(eta),
            "cox": lambda: (
                np.exp(eta)
                * (
                    self.at_risk.T
                    @ (self.w[:, None] * self.y / (self.at_risk @ (self.w[:, None] * np.exp(eta))))
                )
                - self.y
            ),
            "negative_binomial": lambda: (
                self.shape * (np.exp(eta) - self.y) / (np.exp(eta) + self.shape)
            ),
            "sqrt_gaussian": lambda: (eta - self.y) / self.sigma(eta),
        }.get(self.family, lambda: mean() - self.y)()
        return self.w[:, None] * slope

    def rescale(self) -> float:
        """Return v of the nonconvex penalties; the null fit of counts is y's mean, if no offset."""
        fixed = {
            "gaussian": 1.0,
            "binomial": 0.25,
            "multinomial": 0.5,
            "huber": 1.0,
            "gamma": 1.0,
            "cox": 1.0,
        }
        mean = float(self.w @ self.y[:, 0])
        if self.family == "negative_binomial":
            return self.shape * mean / (mean + self.shape)
        if self.family == "sqrt_gaussian":
            return 1 / self.sigma(np.full_like(self.y, mean))
        return fixed.get(self.family, mean)

    def p(self, t: np.ndarray, l: float) -> np.ndarray:
        """Return p(t; l) of the table of penalties, without the single coefficients' part."""
        alpha = ALPHA.get(self.penalty, 1.0)
        if self.penalty in JOINT:
            return JOINT[self.penalty](np.atleast_1d(t), np.ones(1), l)
        if self.penalty == "sparse_group_lasso":
            return (1 - alpha) * l * t
        if self.penalty in CONVEX:
            return l * (alpha * t + (1 - alpha) * t**2 / 2)
        if self.penalty in PLAIN:
            return PLAIN[self.penalty](t, l)
        v = self.rescale()
        if self.penalty == "group_capped_l1":
            return l * np.minimum(t, l / v)
        if self.penalty == "group_cel0":
            return l - v / 2 * np.maximum(np.sqrt(2 * l / v) - t, 0) ** 2
        gamma = GAMMA[self.penalty]
        t = v * t
        if self.penalty.endswith("mcp"):
            return np.where(t <= gamma * l, l * t - t**2 / (2 * gamma), gamma * l**2 / 2) / v
        middle = (2 * gamma * l * t - t**2 - l**2) / (2 * (gamma - 1))
        return np.where(t <= l, l * t, np.where(t <= gamma * l, middle, l**2 * (gamma + 1) / 2)) / v

    def value(self, eta: np.ndarray, T: np.ndarray, lambda_: float) -> float:
        total = self.loss(eta)
        if self.penalty == "trace_norm":
            return total + lambda_ * float(np.linalg.norm(T, "nuc"))
        if self.penalty in JOINT:
            norms = np.array([np.linalg.norm(T[g]) for g in self.groups])
            return total + JOINT[self.penalty](norms, np.array(self.weight), lambda_)
        for g, weight in zip(self.groups, self.weight, strict=True):
            if self.penalty in NESTED:
                total += NESTED[self.penalty](np.abs(T[g]), lambda_ * weight, self.rescale())
            else:
                total += float(np.sum(self.p(self.norms(T[g]), lambda_ * weight)))
        single = ALPHA[self.penalty] if self.penalty == "sparse_group_lasso" else 0.0
        return total + single * lambda_ * float(np.abs(T).sum())

    def norms(self, block: np.ndarray) -> np.ndarray:
        return np.linalg.norm(block, axis=0 if self.separate else None, keepdims=True)

    def at(self, b0: np.ndarray, B: np.ndarray, lambda_: float) -> float:
        """Return the objective at coefficients of the columns as given."""
        T = np.empty_like(B)
        for g, root in zip(self.groups, self.root, strict=True):
            T[g] = root @ B[g]
        return self.value(self.offset + b0 + self.X @ B, T, lambda_)

    def prox(self, T: np.ndarray, step: float, lambda_: float) -> np.ndarray:
        """Return the proximal point of a convex penalty."""
        if self.penalty == "trace_norm":
            left, values, right = np.linalg.svd(T, full_matrices=False)
            return (left * np.maximum(values - step * lambda_, 0)) @ right
        alpha, out = ALPHA.get(self.penalty, 1.0), T.copy()
        l1, l2, ridge = 0.0, alpha, 1 - alpha
        if self.penalty == "sparse_group_lasso":
            l1, l2, ridge = alpha, 1 - alpha, 0.0
        out = np.sign(T) * np.maximum(np.abs(T) - step * lambda_ * l1, 0)
        for g, weight in zip(self.groups, self.weight, strict=True):
            l = step * lambda_ * weight
            norms = np.maximum(self.norms(out[g]), 1e-300)
            out[g] *= np.maximum(1 - l * l2 / norms, 0) / (1 + l * ridge)
        return out


def proximal_gradient(reference: Reference, lambda_: float) -> tuple[float, np.ndarray]:
    """Minimise by accelerated proximal gradient with restarts; return objective and eta."""
    n, K = reference.y.shape
    A = np.hstack([np.ones((n, 1)), reference.Z])
    now, look = np.zeros((2, A.shape[1], K))
    step, momentum = 4.0, 1.0
    for _ in range(STEPS):
        eta = reference.offset + A @ look
        slope, value = A.T @ reference.residual(eta), reference.loss(eta)
        while True:
            new = look - step * slope
            new[1:] = reference.prox(new[1:], step, lambda_)
            move = new - look
            bound = value + np.sum(slope * move) + np.sum(move**2) / (2 * step)
            if reference.loss(reference.offset + A @ new) <= bound + 1e-15 or step < 1e-3:
                break
            step *= 0.7
        if np.sum(move * (new - now)) < 0:
            momentum = 1.0
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        look = new + (momentum - 1) / following * (new - now)
        still = np.abs(new - now).max() < STILL and np.abs(move).max() < STILL
        now, momentum = new, following
        if still:
            break
    eta = reference.offset + A @ now
    return reference.value(eta, now[1:], lambda_), eta


def coefficients(fit: gs.PathFit, at: int) -> tuple[np.ndarray, np.ndarray]:
    B = fit.coef_path[at]
    return np.atleast_1d(fit.intercept_path[at]), B[:, None] if B.ndim == 1 else B


def set_of(labels: np.ndarray) -> list[Any]:
    """Return the labels in the order in which they come."""
    return list(dict.fromkeys(labels.tolist()))


def probabilities(family: str, eta: np.ndarray) -> np.ndarray:
    """Linear predictors up to what the family cannot see."""
    if family == "cox":
        return eta - eta.mean()
    return eta - eta.mean(axis=1, keepdims=True) if family == "multinomial" else eta


def standardisations(penalty: str) -> tuple[Any, ...]:
    chosen = gs.penalties.get(penalty)
    single = chosen.elementwise or chosen.bilevel
    return ("column", False) if single else ("group", "column", False)


@pytest.mark.parametrize("name", CONVEX)
def test_convex_fits_are_minima(case: Any, name: str) -> None:
    for standardize in standardisations(name)[:2]:
        fit = case.fit(
            penalty=name,
            standardize=standardize,
            weights=case.weights,
            offset=case.offset,
            n_lambda=4,
            tol=TIGHT,
        )
        reference = Reference(case, name, standardize)
        lambda_ = float(fit.lambda_[2])
        b0, B = coefficients(fit, 2)
        best, eta = proximal_gradient(reference, lambda_)
        ours = reference.offset + b0 + case.X @ B
        scale = fit.null_deviance / (2 * case.weights.sum())
        assert abs(reference.at(b0, B, lambda_) - best) <= SAME_OBJECTIVE * scale
        np.testing.assert_allclose(
            probabilities(case.family, ours), probabilities(case.family, eta), atol=SAME_ETA
        )


def test_no_direction_lowers_the_objective(case: Any, penalty: str) -> None:
    """Directional derivatives by differences: single coefficients, groups, and anything."""
    rng = np.random.default_rng(3)
    for standardize in standardisations(penalty):
        fit = case.fit(penalty=penalty, standardize=standardize, n_lambda=4, tol=1e-12)
        reference = Reference(case, penalty, standardize, plain=True)
        for at in (min(2, fit.lambda_.size - 1),):
            b0, B = coefficients(fit, at)
            lambda_ = float(fit.lambda_[at])
            value = reference.at(b0, B, lambda_)
            scale = max(float(fit.lambda_[0]), 1.0)
            for d0, D in directions(rng, B, reference.groups):
                moved = reference.at(b0 + STEP * d0, B + STEP * D, lambda_)
                assert (moved - value) / STEP >= -SLOPE * scale


def directions(rng: Any, B: np.ndarray, groups: list[np.ndarray]) -> Any:
    K = B.shape[1]
    for j in range(B.shape[0]):
        for k in range(K):
            D = np.zeros_like(B)
            D[j, k] = 1.0
            yield np.zeros(K), D
            yield np.zeros(K), -D
    for g in groups:
        for _ in range(4):
            D = np.zeros_like(B)
            D[g] = rng.normal(size=(len(g), K))
            yield np.zeros(K), D
        yield np.zeros(K), B * np.isin(np.arange(len(B)), g)[:, None]
        yield np.zeros(K), -B * np.isin(np.arange(len(B)), g)[:, None]
    for _ in range(10):
        yield rng.normal(size=K), rng.normal(size=B.shape)
    for k in range(K):
        yield np.eye(K)[k], np.zeros_like(B)
        yield -np.eye(K)[k], np.zeros_like(B)


def test_penalties_are_those_of_the_table(case: Any, penalty: str) -> None:
    """The table above is the one that penalty objects compute, without rescaling."""
    reference = Reference(case, penalty, False, plain=True)
    reference.rescale = lambda: 1.0
    chosen = gs.penalties.get(penalty)
    block, lambda_ = np.array([0.3, -0.2, 0.6]), 0.4
    if chosen.nested:
        expected = NESTED[penalty](np.abs(block), lambda_, 1.0)
        assert chosen.value(block, lambda_) == pytest.approx(expected, rel=1e-13)
        return
    blocks = [block[j : j + 1] for j in range(3)] if chosen.elementwise else [block]
    expected = sum(float(np.sum(reference.p(np.linalg.norm(b), lambda_))) for b in blocks)
    if penalty == "sparse_group_lasso":
        expected += 0.05 * lambda_ * np.abs(block).sum()
    assert float(chosen.value(block, lambda_)) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("name", ["group_l0", "group_lq"])
@pytest.mark.parametrize("standardize", ["group", "column"])
def test_blocks_of_a_steep_penalty_are_their_own_proximal_points(
    case: Any, name: str, standardize: str
) -> None:
    """At step 1 / L_g, L_g the family's largest curvature times the norm of Z_g'WZ_g."""
    fit = case.fit(penalty=name, standardize=standardize, n_lambda=6, tol=1e-12)
    reference = Reference(case, name, standardize, plain=True)
    chosen, bend = gs.penalties.get(name), reference.rescale()
    for at in range(6):
        b0, B = coefficients(fit, at)
        slope = reference.Z.T @ reference.residual(b0 + case.X @ B)
        trio = zip(reference.groups, reference.root, reference.weight, strict=True)
        for g, root, weight in trio:
            curvature = bend * np.linalg.norm(reference.Z[:, g], 2) ** 2 / len(case.y)
            level = float(fit.lambda_[at]) * weight
            T = root @ B[g]
            moved = chosen.prox(T - slope[g] / curvature, 1 / curvature, level)
            np.testing.assert_allclose(moved, T, atol=NEARLY_ZERO)
    assert fit.n_terms[-1] > 0


@pytest.mark.parametrize("name", JOINT)
@pytest.mark.parametrize("standardize", ["group", "column"])
def test_a_penalty_of_all_norms_has_proximal_points(case: Any, name: str, standardize: str) -> None:
    """At step 1 / L, L the family's largest curvature times the norm of Z'WZ."""
    if gs.families.get(case.family).curvature_bound is None:
        pytest.skip("there is no step")
    fit = case.fit(penalty=name, standardize=standardize, n_lambda=6, tol=1e-12)
    reference = Reference(case, name, standardize, plain=True)
    chosen = gs.penalties.get(name)
    bend = reference.rescale() * np.linalg.norm(reference.Z, 2) ** 2 / len(case.y)
    for at, lambda_ in enumerate(fit.lambda_.tolist()):
        b0, B = coefficients(fit, at)
        slope = reference.Z.T @ reference.residual(b0 + case.X @ B)
        pairs = zip(reference.groups, reference.root, strict=True)
        T = np.concatenate([root @ B[g] for g, root in pairs])
        ahead = T - slope / bend
        norms = np.array([np.linalg.norm(ahead[g]) for g in reference.groups])
        new = chosen.joint_prox(norms, np.array(reference.weight), 1 / bend, lambda_)
        for g, before, after in zip(reference.groups, norms, new, strict=True):
            np.testing.assert_allclose(T[g], ahead[g] * after / before, atol=PROXIMAL)
    assert fit.n_terms[-1] > 0


@pytest.mark.parametrize("standardize", ["group", "column", False])
def test_groups_at_right_angles_are_proximal_points(
    cases: Any, penalty: str, standardize: Any
) -> None:
    """Of the least squares coefficients: zero or not, where both are stationary."""
    chosen = gs.penalties.get(penalty)
    if chosen.matrix:
        pytest.skip("one block of all groups")
    if standardize == "group" and (chosen.elementwise or chosen.bilevel):
        pytest.skip("single columns")
    case = cases("gaussian")
    X = np.linalg.qr(case.X - case.X.mean(axis=0))[0] * np.sqrt(len(case.y))
    z = X.T @ (case.y - case.y.mean()) / len(case.y)
    labels = np.arange(10) if chosen.elementwise else LABELS
    groups = {} if chosen.elementwise else {"groups": labels}
    fit = gs.fit(
        X, case.y, penalty=penalty, standardize=standardize, n_lambda=8, tol=TIGHT, **groups
    )
    for at, lambda_ in enumerate(fit.lambda_.tolist()):
        for place, label in enumerate(set_of(labels)):
            inside = labels == label
            weight = float(fit.group_weights[place])
            if chosen.joint:
                norms = np.array([np.linalg.norm(z[labels == each]) for each in set_of(labels)])
                new = chosen.joint_prox(norms, fit.group_weights, 1.0, lambda_)
                expected = z[inside] * new[place] / norms[place]
            elif penalty == "sparse_group_lasso":
                single = np.sign(z[inside]) * np.maximum(np.abs(z[inside]) - 0.05 * lambda_, 0)
                expected = gs.GroupLasso().prox(single, 0.95, lambda_ * weight)
            else:
                expected = chosen.prox(z[inside], 1.0, lambda_ * weight)
            found = fit.coef_path[at][inside]
            if not found.any() and penalty in PLAIN and not chosen.steep:
                slope = chosen.derivative(0.0, lambda_ * weight)
                assert np.linalg.norm(z[inside]) <= slope * (1 + 1e-12)
                continue
            np.testing.assert_allclose(found, expected, atol=NEARLY_ZERO)
