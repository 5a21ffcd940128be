"""What is said of groups that can't be read, and of penalties that don't allow them."""

import numpy as np
import pandas as pd
import pytest

import grpsparse as gs
from grpsparse import errors

LATENT = "latent_group_lasso"


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(size=(20, 3))


@pytest.fixture(scope="module")
def y():
    return np.random.default_rng(1).normal(size=20)


@pytest.fixture(scope="module")
def frame(X, y):
    return pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=y)


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ([[0, 1], [1, 3]], "column 3 in group 1, but X has 3 columns"),
        ([[0, 1], [-1, 2]], "column -1"),
        ([[0, 1], ["x22", 2]], "did you mean 'x2'"),
        ([[0, 1], [True, 2]], "True in group 1"),
        ([[0, 1], []], "nothing in group 1"),
        ([[0, 1, 0], [2]], "'x1' twice in group 0"),
        ([[0, 1], [1, 2], [1, 0]], "group 2 of the same members as group 0"),
        ([[0, 1], "x3"], "every group is a list, ['x3'] for one member"),
        ([[0, 1]], "leaves out the column 'x3'"),
        ({"one": [0]}, "leaves out the columns 'x2', 'x3'"),
        ({"one": [0, 7], "two": [1, 2]}, "group 'one'"),
    ],
)
def test_bad_lists(X, y, groups, says):
    with pytest.raises(errors.GroupError) as caught:
        gs.fit(X, y, groups=groups, penalty=LATENT)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ([["a", "d"], ["b", "c"]], "d"),
        ([["a", 1], ["b", "c"]], "1 in group 0; a formula's terms go by name"),
        ([["a"], ["b"]], "leaves out the term 'c'"),
    ],
)
def test_bad_lists_of_terms(frame, groups, says):
    with pytest.raises(errors.GroupError) as caught:
        gs.fit("y ~ a + b + c", frame, groups=groups, penalty=LATENT)
    assert says in str(caught.value)


@pytest.mark.parametrize("penalty", ["group_lasso", "group_mcp", "sparse_group_lasso"])
def test_penalties_that_groups_may_not_overlap_for(X, y, penalty):
    with pytest.raises(errors.PenaltyError, match="latent_group_lasso"):
        gs.fit(X, y, groups=[[0, 1], [1, 2]], penalty=penalty)
    gs.fit(X, y, groups=[[0, 1], [2]], penalty=penalty, n_lambda=5)


def test_single_coefficients_have_no_lists(X, y):
    with pytest.raises(errors.PenaltyError, match="`groups` with lists"):
        gs.fit(X, y, groups=[[0, 1], [2]], penalty="lasso")


def test_norms_of_one_vector_are_not_orthonormal(X, y):
    with pytest.raises(errors.PenaltyError, match="standardize='group'"):
        gs.fit(X, y, groups=[[0, 1], [1, 2]], penalty="overlap_group_lasso", standardize="group")


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        ({"hierarchy": "weak"}, errors.OptionError, "'strong'"),
        ({"hierarchy": True}, errors.OptionError, "True"),
        ({"hierarchy": "strong", "groups": "term"}, errors.OptionError, "leave `groups` out"),
        ({"hierarchy": "strong", "penalty": "group_mcp"}, errors.PenaltyError, "latent"),
        ({"hierarchy": "strong", "penalty": "lasso"}, errors.PenaltyError, "latent"),
        ({"hierarchy": "strong", "penalty": "overlap_group_lasso"}, errors.PenaltyError, "latent"),
    ],
)
def test_hierarchy_excludes(frame, arguments, kind, says):
    with pytest.raises(kind) as caught:
        gs.fit("y ~ a*b", frame, **arguments)
    assert says in str(caught.value)


def test_hierarchy_needs_a_formula_with_its_margins(X, y, frame):
    with pytest.raises(errors.OptionError, match="needs a formula"):
        gs.fit(X, y, hierarchy="strong")
    with pytest.raises(errors.FormulaError, match="lacks 'b'; write a\\*b"):
        gs.fit("y ~ a + a:b", frame, hierarchy="strong")
    with pytest.raises(errors.FormulaError, match="lacks 'a:c'"):
        gs.fit("y ~ a*b*c - a:c", frame, hierarchy="strong")


@pytest.mark.parametrize(
    ("solver", "penalty", "says"),
    [
        ("block_descent", "overlap_group_lasso", "overlap; take 'overlapping'"),
        ("accelerated", "overlap_group_lasso", "overlap; take 'overlapping'"),
        ("overlapping", LATENT, "for 'overlap_group_lasso'"),
        ("latent_dual", LATENT, "standardize='column'"),
        ("latent_dual", "overlap_group_lasso", "for 'latent_group_lasso'"),
    ],
)
def test_solvers_that_do_not_fit(X, y, solver, penalty, says):
    with pytest.raises(errors.OptionError) as caught:
        gs.fit(X, y, groups=[[0, 1], [1, 2]], penalty=penalty, solver=solver)
    assert says in str(caught.value)


def test_penalty_factors_go_by_group(X, y, frame):
    lists = {"one": [0, 1], "two": [1, 2], "three": [0]}
    fit = gs.fit(X, y, groups=lists, penalty=LATENT, penalty_factor={"two": 0, "x1": 2}, n_lambda=4)
    np.testing.assert_allclose(fit.group_weights, [2**0.5, 0.0, 2.0])
    with pytest.raises(errors.GroupError, match="no group 'twp'; did you mean 'two'"):
        gs.fit(X, y, groups=lists, penalty=LATENT, penalty_factor={"twp": 0})
    with pytest.raises(errors.GroupError, match="3 groups"):
        gs.fit(X, y, groups=lists, penalty=LATENT, penalty_factor=[1, 2])
    strong = gs.fit("y ~ a*b", frame, hierarchy="strong", penalty_factor={"b:a": 2}, n_lambda=4)
    np.testing.assert_allclose(strong.group_weights, [1.0, 1.0, 2.0 * 3**0.5])


def test_labels_that_are_tuples_stay_labels(X, y):
    fit = gs.fit(X, y, groups=[("a", 1), ("a", 1), ("b", 2)], n_lambda=4)
    assert fit.terms == fit.groups == ("('a', 1)", "('b', 2)")
