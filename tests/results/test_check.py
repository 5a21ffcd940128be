"""The certificate worked out a second time agrees with the engine's, and notices what is wrong."""

import ast
import inspect
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import grpsparse as gs
from grpsparse import families
from grpsparse.groups import Deferred
from grpsparse.results import check, check_conjugate, check_loss, check_scale
from grpsparse.results.check_loss import Rows

# These tests compare two computations of one number, whether or not it is small.
pytestmark = pytest.mark.filterwarnings("ignore::grpsparse.ConvergenceWarning")

LOOSE, TIGHT = 1e-7, 1e-13
# What two ways to the same number may differ by, at either tolerance of the fit: the certificate
# is a difference of sums of order one.
AGREES = {LOOSE: 1e-9, TIGHT: 1e-12}
SHORT = {"n_lambda": 6, "lambda_min_ratio": 0.05}
GROUPS = [0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4, 5]
N = 70
FAMILIES = ("gaussian", "binomial", "poisson", "multinomial", "huber", "gamma")
FAMILIES += ("negative_binomial", "mgaussian", "sqrt_gaussian")


def make_rows(family):
    """Make a design far from zero mean and unit variance, and a response of the family."""
    rng = np.random.default_rng(11)
    X = rng.normal(size=(N, len(GROUPS))) * rng.uniform(0.3, 4.0, len(GROUPS)) + 2.0
    signal = (X[:, 0] - 2.0) / X[:, 0].std() - 0.5 * (X[:, 3] - 2.0) / X[:, 3].std()
    y = {
        "gaussian": signal + rng.normal(size=N),
        "sqrt_gaussian": signal + rng.normal(size=N),
        "binomial": (rng.random(N) < 1 / (1 + np.exp(-signal))).astype(int),
        "poisson": rng.poisson(np.exp(0.5 * signal)),
        "mgaussian": np.outer(signal, [1.0, 0.0, -2.0]) + rng.normal(size=(N, 3)),
        "huber": signal + rng.standard_t(1.5, size=N),
        "gamma": np.exp(0.5 * signal) * rng.gamma(2.0, 0.5, size=N),
        "negative_binomial": rng.negative_binomial(1.5, 1.5 / (1.5 + np.exp(0.5 * signal))),
        "multinomial": np.array(list("abc"))[np.digitize(signal + rng.normal(size=N), [-0.7, 0.7])],
    }[family]
    return X, y


def agree(fit, tol):
    """Compare both certificates of a fit, where it converged."""
    again, stored = fit.check()[fit.converged], fit.certificate[fit.converged]
    np.testing.assert_allclose(again, stored, rtol=0.0, atol=AGREES[tol])
    assert again.min() > -1e-12
    assert again.max() < 3.0 * tol  # stationarity of the MCP ends in rounding at 2.5e-13


SCALES = {
    "group_lasso": ["group", "column", False],
    "group_elastic_net": ["group", "column"],
    "sparse_group_lasso": ["column", False],
    "group_mcp": ["group", False],
    "group_scad": ["group", "column"],
    "adaptive_group_lasso": ["group", "column"],
    "latent_group_lasso": ["group", "column"],
    "overlap_group_lasso": ["column", False],
    "group_capped_l1": ["group", "column"],
    "group_transformed_l1": ["group", False],
    "group_log_sum": ["column", False],
    "group_lq": ["group", "column"],
    "group_l0": ["group", False],
    "group_cel0": ["group", "column"],
    "composite_mcp": ["column", False],
    "group_exponential_lasso": ["column", False],
    "trace_norm": ["group", "column", False],
    "group_l1_l2": ["group", "column"],
    "group_hoyer": ["group", False],
    "group_cardinality": ["column", False],
    "lasso": ["column", False],
    "elastic_net": ["column"],
    "mcp": ["column"],
    "scad": ["column", False],
}


@pytest.mark.parametrize("tol", [LOOSE, TIGHT])
@pytest.mark.parametrize("penalty", SCALES)
@pytest.mark.parametrize("family", FAMILIES)
def test_agrees_with_the_engine(family, penalty, tol):
    if gs.penalties.get(penalty).steep and gs.families.get(family).curvature_bound is None:
        pytest.skip(f"the curvature of the {family} family has no bound")
    matrix = gs.penalties.get(penalty).matrix
    if matrix and gs.families.get(family).hessian != "constant":
        pytest.skip(f"the curvature of the {family} family is not constant")
    X, y = make_rows(family)
    rng = np.random.default_rng(5)
    n_classes = 3 if family in {"multinomial", "mgaussian"} else 1
    offset = 0.3 * rng.normal(size=(N, n_classes))
    weighted = {
        "weights": np.where(np.arange(N) < 4, 0.0, rng.uniform(0.5, 2.0, N)),
        "offset": offset if n_classes > 1 else offset[:, 0],
    }
    single = penalty in {"lasso", "elastic_net", "mcp", "scad"}
    groups = {} if single else {"groups": GROUPS}
    factor = np.ones(len(GROUPS) if single else 6)
    factor[0], factor[1] = 0.0, 2.0
    sharing = ["auto"] if single or matrix or n_classes == 1 else ["shared", "separate"]
    if (penalty, family) == ("group_hoyer", "multinomial"):
        sharing = ["shared"]  # a shift of separate classes has no best size
    for scale in SCALES[penalty]:
        for class_groups in sharing:
            for options in (
                {},
                {"intercept": False, **weighted},
                {"penalty_factor": factor, "group_weight": None, **weighted},
            ):
                fit = gs.fit(
                    X,
                    y,
                    family=family,
                    penalty=penalty,
                    standardize=scale,
                    class_groups=class_groups,
                    tol=tol,
                    **groups,
                    **SHORT,
                    **options,
                )
                agree(fit, tol)


def make_frame():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(
        {
            "a": rng.choice(list("uvwx"), 120, p=[0.5, 0.3, 0.15, 0.05]),
            "b": rng.choice(list("pqr"), 120),
            "x": rng.normal(size=120) + 3.0,
            "z": 2020.0 + rng.integers(-4, 5, 120),
        }
    )
    effect = (frame.a == "v") - 0.7 * (frame.a == "w") * (frame.b == "p") + 0.4 * (frame.x - 3.0)
    frame["y"] = effect + 0.5 * rng.normal(size=120)
    frame["cls"] = np.array(["lo", "mid", "hi"])[np.digitize(frame.y, [-0.3, 0.6])]
    return frame


@pytest.mark.parametrize("response", ["y", "cls"])
@pytest.mark.parametrize("penalty", ["group_lasso", "group_mcp", "sparse_group_lasso", "lasso"])
@pytest.mark.parametrize(
    "terms",
    [
        "a * b + z",
        "a + x + a:x",
        "x + a:x",
        "a:b + x",
        "bs(x, df=5) + a",
        "0 + a * b",
        'C(a, contr.treatment("u")) + x',
        "x + I(2 * x) + a",
    ],
)
def test_agrees_on_formulas(terms, penalty, response):
    fit = gs.fit(f"{response} ~ {terms}", make_frame(), penalty=penalty, tol=TIGHT, **SHORT)
    agree(fit, TIGHT)


def test_agrees_where_columns_of_terms_are_groups():
    frame = make_frame()
    factor = {"a": 0.0, "x": 3.0}
    options = {"groups": "column", "penalty_factor": factor, "tol": TIGHT, **SHORT}
    for standardize in ("group", "column"):
        agree(gs.fit("y ~ a + b + x", frame, standardize=standardize, **options), TIGHT)


def test_agrees_on_dependent_constant_and_sparse_columns():
    X, y = make_rows("gaussian")
    wide = np.column_stack([X, X[:, 0] + X[:, 1], X[:, 5], np.full(N, 0.1), np.zeros(N)])
    groups = [*GROUPS, 0, 2, 4, 9]
    for penalty in ("group_lasso", "group_mcp"):
        for options in ({}, {"penalty_factor": {0: 0.0, 2: 0.0}}, {"standardize": False}):
            fit = gs.fit(wide, y, groups=groups, penalty=penalty, tol=TIGHT, **SHORT, **options)
            assert fit.group_rank.tolist() == [3, 2, 1, 4, 1, 1, 0]
            agree(fit, TIGHT)
    thin = sparse.csc_array(np.where(X > 3.0, X, 0.0))
    agree(gs.fit(thin, y, tol=TIGHT, **SHORT), TIGHT)


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson", "multinomial"])
def test_at_lambda_zero_every_group_is_unpenalised(family):
    X, y = make_rows(family)
    for penalty in ("group_lasso", "sparse_group_lasso", "group_mcp"):
        fit = gs.fit(
            X[:, :6],
            y,
            family=family,
            penalty=penalty,
            groups=GROUPS[:6],
            lambda_=[0.1, 0.0],
            tol=TIGHT,
        )
        agree(fit, TIGHT)
        # a certificate is of this lambda: the fit at 0.1 is far from solving lambda 0
        moved = replace(fit, raw_coef=fit.raw_coef[[0, 0]], raw_intercept=fit.raw_intercept[[0, 0]])
        assert moved.check()[1] > 1e-3


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson", "multinomial"])
@pytest.mark.parametrize("penalty", ["group_lasso", "group_elastic_net", "group_mcp"])
def test_notices_a_changed_coefficient(family, penalty):
    X, y = make_rows(family)
    options = {"groups": GROUPS, "penalty_factor": {1: 0.0}, "tol": 1e-9, **SHORT}
    fit = gs.fit(X, y, family=family, penalty=penalty, **options)
    assert fit.check().max() < 1e-9
    last = fit.raw_coef[-1]
    for column in (0, 3):  # of a penalised and of an unpenalised group
        changed = fit.raw_coef.copy()
        changed[-1, column] = 1.01 * last[column]
        found = replace(fit, raw_coef=changed).check()
        assert found[-1] > 1e-7
        np.testing.assert_array_equal(found[:-1], fit.check()[:-1])
    shifted = replace(fit, raw_intercept=fit.raw_intercept + 0.01 * np.arange(1, y.ndim + 1))
    if family != "multinomial":  # there, the same shift of all classes changes nothing
        assert shifted.check().min() > 1e-7
    dropped = fit.raw_coef.copy()
    dropped[-1, :3] = 0.0
    assert replace(fit, raw_coef=dropped).check()[-1] > 1e-4


def test_notices_a_solution_of_another_problem():
    X, y = make_rows("gaussian")
    fit = gs.fit(X, y, groups=GROUPS, tol=1e-9, **SHORT)
    for field, value in (
        ("penalty_factor", (1.0, 1.0, 1.0, 1.0, 1.0, 0.5)),
        ("group_weight", "none"),
        ("standardize", "column"),
        ("groups", "column"),
    ):
        other = replace(fit, settings=replace(fit.settings, **{field: value}))
        assert other.check().max() > 1e-4, field
    weights = np.linspace(1.0, 2.0, N)
    assert replace(fit, training=replace(fit.training, weights=weights)).check().max() > 1e-4
    assert replace(fit, lambda_=0.9 * fit.lambda_).check().min() > 1e-4


def test_reads_no_number_that_the_engine_stored():
    X, y = make_rows("poisson")
    for penalty in ("group_elastic_net", "group_mcp"):
        fit = gs.fit(X, y, family="poisson", penalty=penalty, groups=GROUPS, **SHORT)
        blank = replace(
            fit,
            certificate=np.full_like(fit.certificate, np.nan),
            group_norms=np.full_like(fit.group_norms, np.nan),
            group_weights=np.full_like(fit.group_weights, np.nan),
            ranks=Deferred.of(np.zeros_like(fit.group_rank)),
            deviance=np.full_like(fit.deviance, np.nan),
            null_deviance=np.nan,
        )
        np.testing.assert_array_equal(blank.check(), fit.check())


def test_imports_nothing_of_the_engine():
    forbidden = ("design", "problem", "solvers", "path", "screening", "backend", "penalties.dual")
    for module in (check, check_conjugate, check_loss, check_scale):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            names = [alias.name for alias in getattr(node, "names", [])]
            names.append(getattr(node, "module", None) or "")
            for name in names:
                part = name.removeprefix("grpsparse.")
                assert not part.startswith(forbidden) or part.startswith("path_fit"), name


def test_rows_of_weight_zero_are_not_there():
    X, y = make_rows("binomial")
    weights = np.where(np.arange(N) % 5 == 0, 0.0, 1.0 + np.arange(N) % 3)
    fit = gs.fit(X, y, groups=GROUPS, weights=weights, tol=1e-10, **SHORT)
    kept = weights > 0
    training = replace(
        fit.training, blocks=(X[kept],), y=fit.training.y[kept], weights=weights[kept]
    )
    np.testing.assert_allclose(
        replace(fit, training=training).check(), fit.check(), rtol=0, atol=1e-14
    )


def test_survives_a_file(tmp_path):
    X, y = make_rows("multinomial")
    factor = {1: 0.5}
    fit = gs.fit(X, y, groups=GROUPS, penalty_factor=factor, group_weight=None, **SHORT)
    fit.save(tmp_path / "fit")
    back = gs.load(tmp_path / "fit")
    assert back.settings == fit.settings
    np.testing.assert_array_equal(back.check(), fit.check())


def test_single_precision_is_certified_in_double():
    X, y = make_rows("gaussian")
    fit = gs.fit(X, y, groups=GROUPS, dtype="float32", **SHORT)
    # the columns that were fitted are those rounded to single precision
    np.testing.assert_allclose(fit.check(), fit.certificate, rtol=0, atol=1e-6)


def test_has_no_units():
    X, y = make_rows("gaussian")
    for penalty in ("group_lasso", "group_mcp"):
        fit = gs.fit(X, y, groups=GROUPS, penalty=penalty, tol=1e-3, **SHORT)
        scaled = replace(
            fit,
            training=replace(fit.training, blocks=(0.01 * X + 3.0,), y=1e6 * fit.training.y),
            raw_coef=1e8 * fit.raw_coef,
            raw_intercept=1e6 * fit.raw_intercept - 3e8 * fit.raw_coef.sum(axis=1),
            lambda_=1e6 * fit.lambda_,
        )
        np.testing.assert_allclose(scaled.check(), fit.check(), rtol=1e-6, atol=1e-12)


def test_separable_classes_have_a_finite_certificate():
    X, _ = make_rows("gaussian")
    y = (X[:, 0] > 2.0).astype(int)
    fit = gs.fit(X, y, n_lambda=30, lambda_min_ratio=1e-4, tol=1e-9)
    agree(fit, LOOSE)
    # a rough point whose projected residual leaves the domain of the conjugate
    rough = replace(fit, raw_coef=40.0 * fit.raw_coef, raw_intercept=40.0 * fit.raw_intercept)
    found = rough.check()
    assert np.isfinite(found).all()
    assert found[-1] > 1e-4


def test_unpenalised_fit_has_no_gradient():
    X, _ = make_rows("gaussian")
    for family in ("gaussian", "binomial", "poisson", "multinomial"):
        _, y = make_rows(family)
        encoded = gs.fit(X, y, family=family, n_lambda=1).training.y
        share = np.linspace(1.0, 2.0, N) / np.linspace(1.0, 2.0, N).sum()
        rows = Rows(families.get(family), encoded, np.zeros_like(encoded), share)
        spanned = check_loss.basis(rows.root.T * np.vstack([np.ones(N), X[:, :3].T]))
        eta = check_loss.unpenalised_fit(rows, spanned)
        assert np.abs(spanned @ (rows.root * rows.residual(eta))).max() < 1e-14
        left = eta - np.asarray((spanned.T @ (spanned @ (rows.root * eta))) / rows.root)
        assert np.abs(left).max() < 1e-12


@pytest.mark.oracle
@pytest.mark.parametrize("family", ["gaussian", "binomial", "multinomial"])
def test_certifies_what_another_solver_finds(family):
    cp = pytest.importorskip("cvxpy")
    X, y = make_rows(family)
    X = X[:, :6]
    fit = gs.fit(X, y, family=family, groups=GROUPS[:6], lambda_=[0.1, 0.02])
    encoded = fit.training.y
    n_classes = encoded.shape[1]
    centred = X - X.mean(axis=0)
    coef, intercept = fit.raw_coef.copy(), fit.raw_intercept.copy()
    for place, lambda_ in enumerate(fit.lambda_):
        b, b0 = cp.Variable((6, n_classes)), cp.Variable((1, n_classes))
        eta = np.ones((N, 1)) @ b0 + centred @ b
        loss = {
            "gaussian": lambda eta=eta: cp.sum_squares(encoded - eta) / 2,
            "binomial": lambda eta=eta: cp.sum(cp.logistic(eta) - cp.multiply(encoded, eta)),
            "multinomial": lambda eta=eta: (
                cp.sum(cp.log_sum_exp(eta, axis=1)) - cp.sum(cp.multiply(encoded, eta))
            ),
        }[family]()
        size = 0
        for g, members in enumerate(([0, 1, 2], [3, 4], [5])):
            spread = np.linalg.qr(centred[:, members] / np.sqrt(N), mode="r")
            width = len(members) * max(n_classes - 1, 1)
            assert np.isclose(fit.group_weights[g], np.sqrt(width))
            size = size + np.sqrt(width) * cp.norm(spread @ b[members], "fro")
        problem = cp.Problem(cp.Minimize(loss / N + float(lambda_) * size))
        problem.solve(solver="CLARABEL", tol_gap_abs=1e-9, tol_gap_rel=1e-9, tol_feas=1e-9)
        coef[place] = b.value
        intercept[place] = b0.value[0] - X.mean(axis=0) @ b.value
    other = replace(fit, raw_coef=coef, raw_intercept=intercept)
    assert other.check().max() < 1e-6
