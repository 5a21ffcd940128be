"""Groups that overlap: latent ones are duplicated columns, norms are those of a cone solver."""

import numpy as np
import pandas as pd
import pytest

import grpsparse as gs

LISTS = [[0, 1, 2], [2, 3, 4], [4, 5, 6, 7], [0, 7]]
SAME = 1e-9  # of linear predictors that come from the same steps, or from gaps of 1e-13
CLOSE = 1e-5  # the root of gaps of 1e-11
CONE = 1e-7  # objectives of a cone solver
FAMILIES = ("gaussian", "binomial", "poisson", "multinomial", "huber")
NORMS = ("latent_group_lasso", "overlap_group_lasso")


def sample(family, n=70, p=8, seed=0):
    """Columns, and a response of which four of them know something."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.uniform(0.5, 2.0, p)
    eta = X[:, :4] @ np.array([0.7, -0.6, 0.5, 0.4]) + rng.normal(size=n)
    y = {
        "binomial": lambda: np.where(eta > 0, "yes", "no"),
        "poisson": lambda: rng.poisson(np.exp(0.3 * eta)).astype(float),
        "multinomial": lambda: np.where(eta > 1, "a", np.where(eta > -1, "b", "c")),
    }.get(family, lambda: eta)()
    return X, y


def duplicated(lists):
    """The columns of all groups, and their groups."""
    return np.concatenate(lists), np.repeat(np.arange(len(lists)), [len(each) for each in lists])


@pytest.mark.parametrize("standardize", ["group", "column", False])
@pytest.mark.parametrize("family", FAMILIES)
def test_latent_groups_are_duplicated_columns(family, standardize):
    X, y = sample(family)
    index, labels = duplicated(LISTS)
    common = {"family": family, "standardize": standardize, "tol": 1e-13}
    fit = gs.fit(X, y, groups=LISTS, penalty="latent_group_lasso", n_lambda=8, **common)
    again = gs.fit(X[:, index], y, groups=labels, lambda_=fit.lambda_, **common)
    assert fit.lambda_[0] == pytest.approx(again.lambda_[0], rel=SAME)
    np.testing.assert_allclose(
        fit.predict(type="link"), again.predict(type="link"), rtol=0, atol=SAME
    )
    np.testing.assert_allclose(fit.latent, again.raw_coef, rtol=0, atol=SAME)
    for at in fit.lambda_:
        columns = {f"x{j + 1}" for g in again.selected(at) for j in LISTS[int(g)]}
        assert set(fit.selected(at)) == columns


@pytest.mark.parametrize("factor", [1, {"x1 + x8": 0}])
@pytest.mark.parametrize("family", ["gaussian", "binomial", "multinomial"])
def test_latent_groups_without_latent_columns(family, factor):
    X, y = sample(family)
    common = {"family": family, "standardize": "column", "tol": 1e-11, "penalty_factor": factor}
    common |= {"groups": LISTS, "penalty": "latent_group_lasso"}
    fit = gs.fit(X, y, n_lambda=6, lambda_min_ratio=0.05, **common)
    dual = gs.fit(X, y, lambda_=fit.lambda_, solver="latent_dual", **common)
    assert dual.converged.all()
    np.testing.assert_allclose(dual.check(), dual.certificate, rtol=0, atol=1e-13)
    np.testing.assert_allclose(
        fit.predict(type="link"), dual.predict(type="link"), rtol=0, atol=CLOSE
    )


@pytest.mark.parametrize("name", NORMS)
def test_cone_solver_finds_no_lower_objective(name):
    cp = pytest.importorskip("cvxpy")
    X, y = sample("gaussian")
    n, p = X.shape
    fit = gs.fit(X, y, groups=LISTS, penalty=name, standardize=False, tol=1e-11, n_lambda=6)
    Z, r = X - X.mean(axis=0), y - y.mean()
    for place in (1, 3):
        at = fit.lambda_[place]
        b, paid, limits = cp.Variable(p), 0, []
        if name == "overlap_group_lasso":
            paid = sum(np.sqrt(len(g)) * cp.norm(b[g]) for g in LISTS)
        else:
            parts = [cp.Variable(len(g)) for g in LISTS]
            paid = sum(np.sqrt(len(g)) * cp.norm(v) for g, v in zip(LISTS, parts, strict=True))
            limits = [
                b[j] == sum(v[g.index(j)] for g, v in zip(LISTS, parts, strict=True) if j in g)
                for j in range(p)
            ]
        goal = cp.Minimize(cp.sum_squares(r - Z @ b) / (2 * n) + at * paid)
        cp.Problem(goal, limits).solve(solver="CLARABEL", tol_gap_rel=1e-11, tol_gap_abs=1e-11)
        coef = fit.raw_coef[place, :, 0]
        mine = (
            np.sum((r - Z @ coef) ** 2) / (2 * n) + at * fit.group_weights @ fit.group_norms[place]
        )
        assert mine <= goal.value + CONE * abs(goal.value)
        np.testing.assert_allclose(coef, b.value, rtol=0, atol=1e-4)  # its root


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("family", FAMILIES)
def test_certificates_and_zero_at_lambda_max(name, family):
    X, y = sample(family)
    fit = gs.fit(X, y, family=family, groups=LISTS, penalty=name, n_lambda=8)
    assert fit.converged.all()
    assert fit.certificate.min() > -1e-12
    np.testing.assert_allclose(fit.check(), fit.certificate, rtol=0, atol=1e-11)
    assert not fit.raw_coef[0].any()
    below = gs.fit(X, y, family=family, groups=LISTS, penalty=name, lambda_=0.999 * fit.lambda_[0])
    assert below.raw_coef.any()


@pytest.mark.parametrize("name", NORMS)
def test_groups_apart_are_group_lasso(name):
    X, y = sample("gaussian")
    apart = [[0, 3], [1, 2, 4], [5, 6, 7]]
    labels = [0, 1, 1, 0, 1, 2, 2, 2]
    common = {"standardize": "column", "tol": 1e-13, "n_lambda": 6}
    fit = gs.fit(X, y, groups=apart, penalty=name, **common)
    plain = gs.fit(X, y, groups=labels, **common)
    np.testing.assert_allclose(fit.predict(), plain.predict(), rtol=0, atol=SAME)
    np.testing.assert_allclose(fit.group_norms, plain.group_norms, rtol=0, atol=SAME)


@pytest.mark.parametrize("name", NORMS)
def test_order_does_not_matter(name):
    X, y = sample("binomial")
    rng = np.random.default_rng(4)
    order = rng.permutation(8)
    moved = [[int(np.flatnonzero(order == j)[0]) for j in g][::-1] for g in LISTS][::-1]
    fit = gs.fit(X, y, groups=LISTS, penalty=name, tol=1e-12, n_lambda=6)
    again = gs.fit(X[:, order], y, groups=moved, penalty=name, tol=1e-12, lambda_=fit.lambda_)
    np.testing.assert_allclose(
        fit.predict(type="link"), again.predict(type="link"), rtol=0, atol=CLOSE
    )
    np.testing.assert_allclose(fit.group_norms, again.group_norms[:, ::-1], rtol=0, atol=CLOSE)


@pytest.mark.parametrize("name", NORMS)
def test_replicates_are_fits_of_their_rows(name):
    X, y = sample("gaussian")
    halves = np.random.default_rng(2).integers(0, 2, size=(2, y.size))
    common = {"groups": LISTS, "penalty": name, "tol": 1e-12}
    at = gs.fit(X, y, n_lambda=5, **common).lambda_[1:]
    for half, fit in zip(
        halves, gs.fit_replicates(X, y, halves, lambda_=at, **common), strict=True
    ):
        rows = half > 0
        alone = gs.fit(X[rows], y[rows], lambda_=at, **common)
        np.testing.assert_allclose(fit.raw_coef, alone.raw_coef, rtol=0, atol=CLOSE)


@pytest.mark.parametrize("name", NORMS)
def test_cross_validation(name):
    X, y = sample("gaussian")
    cv = gs.fit_cv(X, y, groups=LISTS, penalty=name, n_folds=3, seed=1, n_lambda=8)
    assert cv.fold_converged.all()
    assert cv.cv_mean[cv.index_min] < cv.cv_mean[0]


def people(seed, n=160):
    """Two factors, two numbers, and a response with an interaction and no main effect of it."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(
        {
            "a": rng.choice(list("uvw"), n),
            "b": rng.choice(["no", "yes"], n),
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
        }
    )
    eta = data.x * (data.a == "u") - 0.5 * data.z * data.x + (data.b == "yes")
    data["y"] = eta + rng.normal(size=n)
    data["two"] = np.where(eta + rng.logistic(size=n) > 0, "in", "out")
    data["three"] = np.where(data.y > 1, "h", np.where(data.y > -0.5, "m", "l"))
    data["count"] = rng.poisson(np.exp(0.3 * eta)).astype(float)
    return data


FORMULAS = ("a*b + x*z", "a*x + b", "a*b*x", "x*z + a*x + b*x", "bs(x, df=4)*b + z")
RESPONSES = {"y": "gaussian", "two": "binomial", "three": "multinomial", "count": "poisson"}


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("response", RESPONSES)
def test_no_interaction_without_its_margins(formula, response):
    data = people(len(formula))
    fit = gs.fit(
        f"{response} ~ {formula}",
        data,
        family=RESPONSES[response],
        hierarchy="strong",
        n_lambda=25,
        lambda_min_ratio=0.02,
    )
    assert fit.converged.all()
    assert fit.penalty == gs.LatentGroupLasso()
    interactions = [name for name in fit.terms if ":" in name]
    seen = set()
    for at in fit.lambda_:
        chosen = set(fit.selected(at))
        for name in interactions:
            if name in chosen:
                seen.add(name)
                parts = set(name.split(":"))
                below = {t for t in fit.terms if set(t.split(":")) < parts}
                assert below <= chosen, (name, chosen)
                coef = fit.coef(at)
                for term in below:
                    assert np.any(coef.loc[term].to_numpy() != 0)
    assert seen, "no interaction was ever selected, so that nothing was tested"
    np.testing.assert_allclose(fit.check(), fit.certificate, rtol=0, atol=1e-10)


def test_hierarchy_does_not_depend_on_coding():
    data = people(3)
    common = {"hierarchy": "strong", "tol": 1e-13}
    fit = gs.fit("y ~ a*b + a*x", data, n_lambda=10, **common)
    renamed = data.assign(
        a=data.a.map({"u": "3", "v": "1", "w": "2"}),
        b=data.b.map({"no": "z", "yes": "a"}),
        x=9 - 4 * data.x,
    )
    for formula, rows in (
        ("y ~ C(a, contr.sum)*b + C(a, contr.sum)*x", data),
        ("y ~ x*a + b*a", data),
        ("y ~ a*b + a*x", renamed),
    ):
        again = gs.fit(formula, rows, lambda_=fit.lambda_, **common)
        assert again.lambda_[0] == pytest.approx(fit.lambda_[0], rel=SAME)
        np.testing.assert_allclose(fit.predict(), again.predict(), rtol=0, atol=SAME)


def test_hierarchy_is_groups_of_terms_with_their_margins():
    data = people(5)
    fit = gs.fit("y ~ a*b + x", data, hierarchy="strong", tol=1e-12, n_lambda=6)
    lists = {"a": ["a"], "b": ["b"], "x": ["x"], "a*b": ["a", "b", "b:a"]}
    again = gs.fit(
        "y ~ a*b + x", data, groups=lists, penalty="latent_group_lasso", tol=1e-12, n_lambda=6
    )
    assert fit.groups == again.groups == ("a", "b", "x", "a*b")
    np.testing.assert_allclose(fit.group_norms, again.group_norms, rtol=0, atol=CLOSE)
    ranks = dict(zip(fit.groups, fit.group_rank.tolist(), strict=True))
    assert ranks == {"a": 2, "b": 1, "x": 1, "a*b": 5}


def test_a_latent_group_norm_is_what_it_adds():
    data = people(6)
    fit = gs.fit("y ~ a*x", data, hierarchy="strong", n_lambda=6)
    spread = fit.predict(type="link").std(axis=0)
    assert (fit.group_norms.sum(axis=1) >= spread - 1e-9).all()
    parts = fit.predict(type="terms", lambda_=fit.lambda_[3])
    total = fit.predict(type="link", lambda_=fit.lambda_[3])
    np.testing.assert_allclose(parts.sum(axis=1), total, rtol=0, atol=1e-9)
