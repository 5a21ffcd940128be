"""The whole chain of a CV curve against cv.glmnet, with a slow fit that knows nothing of ours.

Each fold is fitted by accelerated proximal gradient steps on columns standardised on its
training rows; the held-out means then go through the measures, the curve and the choice.
"""

from __future__ import annotations

import numpy as np
import pytest

from grpsparse.folds import make_folds
from grpsparse.measures import choose, cv_curve, resolve_measure, row_losses, score_folds

pytestmark = pytest.mark.oracle

# glmnet's multinomial fits are good to a stationarity of 1e-8, their probabilities to less.
FIT = 1e-6
EVERY = 4


def slow_mean(family, eta):
    if family == "gaussian":
        return eta
    if family == "poisson":
        return np.exp(eta)
    if family == "binomial":
        return 1 / (1 + np.exp(-eta))
    odds = np.exp(eta - eta.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def slow_loss(family, y, eta):
    if family == "gaussian":
        return 0.5 * np.sum((y - eta) ** 2, axis=1)
    if family == "poisson":
        return np.sum(np.exp(eta) - y * eta, axis=1)
    if family == "binomial":
        return np.sum(np.logaddexp(0, eta) - y * eta, axis=1)
    top = eta.max(axis=1, keepdims=True)
    return (top + np.log(np.exp(eta - top).sum(axis=1, keepdims=True)))[:, 0] - (y * eta).sum(1)


def shrink(coef, level, grouped):
    out = coef.copy()
    size = np.linalg.norm(coef[1:], axis=1, keepdims=True) if grouped else np.abs(coef[1:])
    out[1:] *= np.maximum(0, 1 - level / np.maximum(size, 1e-300))
    return out


def slow_fit(family, x, y, w, offset, lambda_, *, grouped, coef):
    """Minimise the weighted mean loss plus lambda times the (row) norms; x has an intercept."""
    step, momentum, ahead = 1.0, 1.0, coef
    for _ in range(20000):
        eta = x @ ahead + offset
        gradient = x.T @ (w[:, None] * (slow_mean(family, eta) - y))
        here = w @ slow_loss(family, y, eta)
        while True:
            new = shrink(ahead - step * gradient, step * lambda_, grouped)
            move = new - ahead
            bound = here + np.sum(gradient * move) + np.sum(move**2) / (2 * step)
            if w @ slow_loss(family, y, x @ new + offset) <= bound + 1e-14:
                break
            step /= 1.3
        # Restart the momentum where it points uphill.
        momentum = 1.0 if np.sum((ahead - new) * (new - coef)) > 0 else momentum
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new + (momentum - 1) / following * (new - coef)
        change, coef, momentum = np.abs(new - coef).max(), new, following
        if change < 1e-11:
            break
    return coef


def held_out_means(family, x, y, w, offset, lambdas, assignment, *, grouped):
    mu = np.empty((*y.shape, len(lambdas)))
    for fold in range(assignment.max() + 1):
        test = assignment == fold
        share = np.where(test, 0, w) / w[~test].sum()
        centre = share @ x
        scale = np.sqrt(share @ (x - centre) ** 2)
        z = np.column_stack([np.ones(len(x)), (x - centre) / np.where(scale > 0, scale, 1)])
        coef = np.zeros((z.shape[1], y.shape[1]))
        for position, lambda_ in enumerate(lambdas):
            coef = slow_fit(
                family,
                z[~test],
                y[~test],
                share[~test],
                offset[~test],
                lambda_,
                grouped=grouped,
                coef=coef,
            )
            mu[test, :, position] = slow_mean(family, z[test] @ coef + offset[test])
    return mu


CASES = [
    ("gaussian_mse", "mse"),
    ("gaussian_mae", "mae"),
    ("binomial_deviance", "deviance"),
    ("binomial_class", "class"),
    ("binomial_auc", "auc"),
    ("multinomial_grouped_deviance", "deviance"),
    ("multinomial_grouped_class", "class"),
    ("multinomial_ungrouped_deviance", "deviance"),
    ("poisson_weights", "deviance"),
]


@pytest.mark.parametrize(("name", "measure_name"), CASES)
def test_curve_is_glmnets(reference, name, measure_name):
    case = reference(f"cases/f_cvglmnet_{name}.json")
    data = reference(f"data/{case['data']}.json")
    family = case["family"]
    x = np.array(data["x"], dtype=float)
    y = np.array(data["y"], dtype=float)[:, None]
    if family == "multinomial":
        y = (y == np.unique(y)).astype(float)
    w = np.array(data["weights"]) if case["uses_weights"] else np.ones(len(x))
    offset = np.array(data["offset"]) if case["uses_offset"] else np.zeros(len(x))
    plan = make_folds(len(x), folds=case["foldid"])
    lambdas = case["lambda"][::EVERY]
    grouped = "_grouped" in name
    mu = held_out_means(family, x, y, w, offset[:, None], lambdas, plan.assignment, grouped=grouped)
    measure = resolve_measure(measure_name, family)
    scores = score_folds(measure, family, y, mu, weights=w, assignment=plan.assignment)
    mean, se = cv_curve(scores.values, scores.weights)
    np.testing.assert_allclose(mean, case["cvm"][::EVERY], rtol=FIT)
    np.testing.assert_allclose(se, case["cvse"][::EVERY], rtol=FIT)


@pytest.mark.parametrize("name", [name for name, _ in CASES])
def test_choice_is_glmnets(reference, name):
    case = reference(f"cases/f_cvglmnet_{name}.json")
    arrays = (np.array(case[key]) for key in ("lambda", "cvm", "cvse"))
    found = choose(*arrays, larger_is_better=case["measure"] == "AUC")
    assert found == (case["index_min"], case["index_1se"])


def test_choice_of_grpreg(reference):
    case = reference("cases/f_cvgrpreg_binomial_grlasso.json")
    arrays = (np.array(case[key]) for key in ("lambda", "cvm", "cvse"))
    assert choose(*arrays, larger_is_better=False)[0] == case["index_min"]


def test_rows_as_folds_give_grpregs_standard_error():
    # grpreg: sd over rows / sqrt(n); ours: sqrt(mean square / (n - 1)), the same number.
    rng = np.random.default_rng(0)
    y, mu = rng.normal(size=(20, 1)), rng.normal(size=(20, 1, 3))
    measure = resolve_measure("mse", "gaussian")
    assignment = np.arange(20) // 2
    scores = score_folds(measure, "gaussian", y, mu, weights=np.ones(20), assignment=assignment)
    losses = row_losses(measure, "gaussian", y, mu)
    np.testing.assert_allclose(
        cv_curve(scores.values, scores.weights)[1], losses.std(axis=0, ddof=1) / np.sqrt(20)
    )
    assert scores.notes == ("fewer than 3 rows a fold: standard errors are over rows",)
