"""Laws of the radial functions: derivatives, concavity, scale, and the objects themselves."""

from __future__ import annotations

import copy
import pickle

import array_api_strict
import numpy as np
import pytest

import grpsparse.penalties as gp
from grpsparse.errors import LambdaError, OptionError, PenaltyError

DIFFERENCE = 1e-6  # central differences with h = 1e-6, away from the kinks of p'
EXACT = 1e-13

OBJECTS = (
    gp.GroupLasso(),
    gp.AdaptiveGroupLasso(gamma=2.0),
    gp.LatentGroupLasso(),
    gp.OverlapGroupLasso(),
    gp.GroupElasticNet(alpha=0.3),
    gp.SparseGroupLasso(alpha=0.2),
    gp.GroupMCP(gamma=2.5),
    gp.GroupMCP(gamma=3.0).rescaled(0.25),
    gp.GroupSCAD(gamma=3.3),
    gp.GroupSCAD().rescaled(2.0),
    gp.GroupCappedL1(theta=2.0),
    gp.GroupCappedL1(),
    gp.GroupCappedL1().rescaled(0.25),
    gp.GroupTransformedL1(a=0.8),
    gp.GroupTransformedL1(a=5.0),
    gp.GroupLogSum(eps=0.7),
    gp.GroupCEL0(),
    gp.GroupCEL0().rescaled(0.25),
    gp.GroupLq(q=0.5),
    gp.GroupLq(q=0.9),
    gp.GroupL0(),
    gp.CompositeMCP(gamma=2.0),
    gp.CompositeMCP().rescaled(0.25),
    gp.GroupExponentialLasso(),
    gp.GroupExponentialLasso(tau=2.0).rescaled(0.25),
)
MULTIPLE = 1.0  # of the level, at which capped-L1 is flat by default
TINY = 1e-8  # a norm at which the penalty is its tangent at 0, to eight digits
EVERY = tuple(gp.get(name) for name in gp.names())


def grid(penalty, seed=0, n=400):
    """Norms and levels, away from the points where p' has a corner."""
    rng = np.random.default_rng(seed)
    norm, level = rng.uniform(0.01, 6.0, n), rng.uniform(0.1, 2.0, n)
    keep = np.ones(n, dtype=bool)
    for corner in corners(penalty, level):
        keep &= np.abs(norm - corner) > 1e-3
    return norm[keep], level[keep]


def corners(penalty, level):
    """The norms at which p' has a corner or a jump."""
    first, second = penalty.parameters
    if isinstance(penalty, gp.GroupMCP | gp.GroupSCAD):
        return level / second, first * level / second
    if isinstance(penalty, gp.CompositeMCP):
        return (penalty.gamma * np.sqrt(level) / penalty.scale,)
    if isinstance(penalty, gp.GroupCappedL1):
        return (first + second * level,)
    return (np.sqrt(2 * level / first),) if isinstance(penalty, gp.GroupCEL0) else ()


@pytest.mark.parametrize("penalty", OBJECTS, ids=repr)
def test_derivative_is_the_difference_quotient_of_the_value(penalty):
    norm, level = grid(penalty)
    h = 1e-6
    slope = (penalty.radial_value(norm + h, level) - penalty.radial_value(norm - h, level)) / (
        2 * h
    )
    np.testing.assert_allclose(penalty.radial_derivative(norm, level), slope, atol=DIFFERENCE)


@pytest.mark.parametrize("penalty", OBJECTS, ids=repr)
def test_curvature_is_the_difference_quotient_of_the_derivative(penalty):
    norm, level = grid(penalty)
    h = 1e-6
    bend = (
        penalty.radial_derivative(norm + h, level) - penalty.radial_derivative(norm - h, level)
    ) / (2 * h)
    np.testing.assert_allclose(penalty.radial_curvature(norm, level), bend, atol=DIFFERENCE)


@pytest.mark.parametrize("penalty", OBJECTS, ids=repr)
def test_weak_convexity_is_the_largest_negative_curvature(penalty):
    norm, level = grid(penalty)
    assert penalty.weak_convexity(0.0) == 0.0
    assert penalty.weak_convexity(np.zeros(3)) == 0.0
    if penalty.steep or isinstance(penalty, gp.GroupCappedL1):
        assert penalty.weak_convexity(level) == np.inf  # an infinite slope or a concave kink
        return
    bends = [penalty.radial_curvature(at, level) for at in (norm, np.full_like(norm, TINY))]
    assert penalty.weak_convexity(level) == pytest.approx(max(0.0, -np.min(bends)))


@pytest.mark.parametrize("penalty", OBJECTS, ids=repr)
def test_value_starts_at_zero_with_the_slope_there(penalty):
    level = np.array([0.0, 0.7, 2.0])
    zero = np.zeros(3)
    slope = penalty.radial_value(np.full(3, TINY), level) / TINY
    np.testing.assert_array_equal(penalty.radial_value(zero, level), zero)
    if penalty.steep:
        slope = np.where(level > 0, np.inf, 0.0)
    np.testing.assert_allclose(penalty.radial_derivative(zero, level), slope, rtol=1e-6)
    np.testing.assert_array_equal(penalty.radial_value(level, zero), zero)


def test_mcp_and_scad_are_the_formulas_of_their_papers():
    t, level, gamma = np.linspace(0, 6, 61), np.full(61, 1.3), 2.7
    mcp = np.where(t <= gamma * 1.3, 1.3 * t - t**2 / (2 * gamma), gamma * 1.3**2 / 2)
    np.testing.assert_allclose(gp.GroupMCP(gamma=gamma).radial_value(t, level), mcp)
    middle = (2 * gamma * 1.3 * t - t**2 - 1.3**2) / (2 * (gamma - 1))
    scad = np.where(t <= 1.3, 1.3 * t, np.where(t <= gamma * 1.3, middle, 1.3**2 * (gamma + 1) / 2))
    np.testing.assert_allclose(gp.GroupSCAD(gamma=gamma).radial_value(t, level), scad)


def test_later_penalties_are_the_formulas_of_their_papers():
    t, l = np.linspace(0, 6, 61), np.full(61, 1.3)
    expected = {
        gp.GroupCappedL1(theta=2.2): 1.3 * np.minimum(t, 2.2),
        gp.GroupCappedL1(): 1.3 * np.minimum(t, 1.3 * MULTIPLE),
        gp.GroupCappedL1().rescaled(0.5): 1.3 * np.minimum(t, 2.6 * MULTIPLE),
        gp.GroupTransformedL1(a=0.4): 1.3 * 1.4 * t / (0.4 + t),
        gp.GroupLogSum(eps=0.3): 1.3 * np.log(1 + t / 0.3),
        gp.GroupLq(q=0.3): 1.3 * t**0.3,
        gp.GroupL0(): 1.3 * (t > 0),
        gp.GroupCEL0(): 1.3 - 0.5 * np.maximum(np.sqrt(2.6) - t, 0) ** 2,
        gp.GroupCEL0().rescaled(0.25): 1.3 - 0.125 * np.maximum(np.sqrt(10.4) - t, 0) ** 2,
    }
    for penalty, values in expected.items():
        np.testing.assert_allclose(penalty.radial_value(t, l), values, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("v", [1.0, 0.25, 3.0])
def test_cel0_is_an_mcp(v):
    t, level = np.linspace(0, 6, 61), 1.3
    cel0, own = gp.GroupCEL0().rescaled(v), np.sqrt(2 * level * v)
    for step in (0.1, 1.0, 5.0):
        mcp = gp.GroupMCP(gamma=2.0, scale=2.0 * v)  # concavity gamma / scale = 1 / v
        for s in t:
            ours, theirs = cel0.prox([s], step, level), mcp.prox([s], step, own)
            np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-14)
    for function in ("radial_value", "radial_derivative", "radial_curvature"):
        ours = getattr(cel0, function)(t, np.full(61, level))
        theirs = getattr(mcp, function)(t, np.full(61, own))
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-14)


def test_limits_are_the_group_lasso():
    t, level = np.linspace(0, 6, 61), np.full(61, 1.3)
    lasso = gp.GroupLasso()
    for penalty, factor in (
        (gp.GroupLogSum(eps=1e9), 1e9),
        (gp.GroupTransformedL1(a=1e9), 1.0),
        (gp.GroupCappedL1(theta=1e9), 1.0),
        (gp.GroupLq(q=1 - 1e-9), 1.0),
    ):
        value = penalty.radial_value(t, factor * level)
        np.testing.assert_allclose(value, lasso.radial_value(t, level), rtol=1e-8)
        for s in t[::6]:
            ours = penalty.prox([s], 0.9, factor * 1.3)
            np.testing.assert_allclose(ours, lasso.prox([s], 0.9, 1.3), atol=1e-7)


RESCALED = (
    gp.GroupMCP(),
    gp.GroupSCAD(),
    gp.MCP(),
    gp.SCAD(),
    gp.CompositeMCP(),
    gp.GroupExponentialLasso(),
)


@pytest.mark.parametrize("penalty", RESCALED, ids=repr)
def test_rescaled_is_p_of_v_t_over_v(penalty):
    norm, level = grid(penalty)
    scaled = penalty.rescaled(0.25)
    np.testing.assert_allclose(
        scaled.radial_value(norm, level), penalty.radial_value(0.25 * norm, level) / 0.25
    )
    assert repr(penalty.rescaled(1.0)) == repr(penalty)
    assert repr(scaled).endswith("rescale=True, scale=0.25)")
    assert type(scaled) is type(penalty)
    # it replaces, so that resolving twice is the same as once
    assert scaled.rescaled(0.25) == scaled


def test_rescaled_mcp_has_gamma_over_v():
    norm, level = grid(gp.GroupMCP())
    np.testing.assert_allclose(
        gp.GroupMCP(gamma=3.0).rescaled(0.25).radial_value(norm, level),
        gp.GroupMCP(gamma=12.0).radial_value(norm, level),
    )


def test_rescaling_can_be_refused_and_leaves_convex_penalties_alone():
    assert gp.GroupMCP(rescale=False).rescaled(0.25) == gp.GroupMCP(rescale=False)
    assert gp.GroupCappedL1(theta=0.5).rescaled(0.25) == gp.GroupCappedL1(theta=0.5)
    assert gp.SCAD(rescale=False).rescaled(0.25).parameters == (3.7, 1.0)
    for penalty in EVERY:
        if penalty.convex:
            assert penalty.rescaled(0.25) is penalty


def test_elementwise_value_is_the_sum_over_coefficients():
    b = np.array([[0.5, -2.0], [0.0, 7.0]])
    for name in ("lasso", "elastic_net", "mcp", "scad"):
        penalty = gp.get(name)
        ones = sum(penalty.value([x], 0.8) for x in b.ravel())
        assert penalty.value(b, 0.8) == pytest.approx(ones)
    assert gp.Lasso().value(b, 0.8) == pytest.approx(0.8 * 9.5)


def test_value_of_a_block_uses_its_frobenius_norm():
    b = np.array([[3.0, 0.0], [0.0, -4.0]])
    assert gp.GroupLasso().value(b, 2.0) == pytest.approx(10.0)
    assert gp.SparseGroupLasso(alpha=0.25).value(b, 2.0) == pytest.approx(
        0.75 * 2 * 5 + 0.25 * 2 * 7
    )


def test_derivative_has_the_shape_of_its_argument():
    mcp = gp.GroupMCP(gamma=2.0)
    assert mcp.derivative(1.0, 1.0) == 0.5
    assert isinstance(mcp.derivative(1.0, 1.0), float)
    np.testing.assert_allclose(mcp.derivative([[0.0, 1.0, 5.0]], 1.0), [[1.0, 0.5, 0.0]])
    np.testing.assert_allclose(gp.GroupLasso().derivative([0.0, 1.0], 2.0), [2.0, 2.0])


@pytest.mark.parametrize("penalty", OBJECTS, ids=repr)
def test_array_api_strict_gives_the_same_numbers(penalty):
    norm, level = grid(penalty)
    xp = array_api_strict
    for function in (penalty.radial_value, penalty.radial_derivative, penalty.radial_curvature):
        got = function(xp.asarray(norm), xp.asarray(level))
        np.testing.assert_allclose(np.asarray(got), function(norm, level), atol=EXACT)
    for function in (penalty.zero_limit, penalty.least_norm):
        got = function(xp.asarray(level), xp.asarray(norm))
        np.testing.assert_allclose(np.asarray(got), function(level, norm), atol=EXACT)
    assert penalty.weak_convexity(xp.asarray(level)) == penalty.weak_convexity(level)


def test_names_resolve_to_default_objects():
    assert gp.names() == (
        "group_lasso",
        "group_elastic_net",
        "sparse_group_lasso",
        "adaptive_group_lasso",
        "latent_group_lasso",
        "overlap_group_lasso",
        "group_mcp",
        "group_scad",
        "group_capped_l1",
        "group_transformed_l1",
        "group_log_sum",
        "group_lq",
        "group_l0",
        "group_cel0",
        "composite_mcp",
        "group_exponential_lasso",
        "trace_norm",
        "group_l1_l2",
        "group_hoyer",
        "group_cardinality",
        "lasso",
        "elastic_net",
        "mcp",
        "scad",
    )
    assert gp.get("scad") == gp.SCAD(gamma=3.7)
    assert gp.get(gp.GroupMCP(gamma=5)) == gp.GroupMCP(gamma=5.0)
    for penalty in EVERY:
        assert isinstance(penalty, gp.Penalty)
        assert isinstance(penalty, gp.ConvexPenalty) == penalty.convex
        assert isinstance(penalty, gp.MatrixPenalty) == penalty.matrix
        assert penalty.name == gp.get(penalty.name).name
        assert len(penalty.parameters) == 2


@pytest.mark.parametrize("penalty", EVERY, ids=repr)
def test_objects_are_values(penalty):
    assert pickle.loads(pickle.dumps(penalty)) == penalty
    assert copy.copy(penalty) == penalty
    assert hash(penalty) == hash(copy.deepcopy(penalty))
    with pytest.raises((AttributeError, TypeError)):
        penalty.alpha = 0.1
    assert eval(repr(penalty), vars(gp)) == penalty


@pytest.mark.parametrize(
    ("penalty", "words"),
    [
        ("group_lass", "did you mean 'group_lasso'"),
        ("Lasso", "did you mean 'lasso'"),
        ("grLasso", "Penalties are group_lasso, "),
        (3.0, "a penalty object"),
        (None, "a penalty object"),
        (gp.GroupMCP, "a penalty object"),
    ],
)
def test_unknown_penalties_raise(penalty, words):
    with pytest.raises(PenaltyError, match=words):
        gp.get(penalty)


@pytest.mark.parametrize(
    ("kind", "arguments", "words"),
    [
        (gp.GroupMCP, {"gamma": 1.0}, "GroupMCP: `gamma` is 1.0; give a number above 1"),
        (gp.MCP, {"gamma": "3"}, "MCP: `gamma` is '3'"),
        (gp.GroupSCAD, {"gamma": 2}, "a number above 2"),
        (gp.SCAD, {"gamma": float("inf")}, "a number above 2"),
        (gp.GroupMCP, {"gamma": float("nan")}, "a number above 1"),
        (gp.GroupMCP, {"gamma": True}, "is True"),
        (gp.GroupMCP, {"rescale": 1}, "give True or False"),
        (gp.GroupMCP, {"scale": 0.0}, "a positive number"),
        (gp.GroupElasticNet, {"alpha": 0.0}, r"a number in \(0, 1\]"),
        (gp.ElasticNet, {"alpha": 1.5}, r"ElasticNet: `alpha` is 1.5"),
        (gp.GroupCappedL1, {"theta": 0.0}, "GroupCappedL1: `theta` is 0.0; give a positive number"),
        (gp.GroupCappedL1, {"scale": 0.0}, "a positive number"),
        (gp.GroupTransformedL1, {"a": -1.0}, "a positive number"),
        (gp.GroupLogSum, {"eps": float("inf")}, "a positive number"),
        (gp.GroupLq, {"q": 1.0}, "GroupLq: `q` is 1.0; give a number between 0 and 1"),
        (gp.GroupLq, {"q": 0}, "a number between 0 and 1"),
        (gp.GroupCEL0, {"scale": 0.0}, "a positive number"),
        (gp.AdaptiveGroupLasso, {"gamma": 0}, "AdaptiveGroupLasso: `gamma` is 0; give a positive"),
        (gp.CompositeMCP, {"gamma": 1.0}, "CompositeMCP: `gamma` is 1.0; give a number above 1"),
        (gp.CompositeMCP, {"rescale": "no"}, "give True or False"),
        (gp.GroupExponentialLasso, {"tau": 0.0}, "`tau` is 0.0; give a positive number"),
        (gp.SparseGroupLasso, {"alpha": -0.1}, r"a number in \[0, 1\]"),
        (gp.SparseGroupLasso, {"alpha": False}, r"a number in \[0, 1\]"),
    ],
)
def test_parameters_out_of_range_raise(kind, arguments, words):
    with pytest.raises(PenaltyError, match=words):
        kind(**arguments)


def test_numpy_numbers_become_python_floats():
    assert repr(gp.GroupMCP(gamma=np.int64(4))) == "GroupMCP(gamma=4.0, rescale=True)"
    assert repr(gp.SparseGroupLasso(alpha=np.float32(0.5))) == "SparseGroupLasso(alpha=0.5)"
    assert repr(gp.GroupLasso()) == "GroupLasso()"


def test_a_bad_lambda_or_step_raises():
    penalty = gp.GroupLasso()
    for bad in (-1.0, float("nan"), float("inf")):
        with pytest.raises(LambdaError, match="`lambda_` is"):
            penalty.value([1.0], bad)
    for bad in (0.0, -1.0, float("nan")):
        with pytest.raises(OptionError, match="`step` is"):
            penalty.prox([1.0], bad, 1.0)


def test_adaptive_factors():
    penalty = gp.AdaptiveGroupLasso(gamma=0.5)
    norms = np.array([0.0, 3.0, 0.75, 1e-40])
    np.testing.assert_allclose(penalty.factors(norms), [1e10, 1.0, 2.0, 1e10])
    np.testing.assert_allclose(penalty.factors(7.0 * norms), penalty.factors(norms))
    np.testing.assert_array_equal(penalty.factors(np.zeros(3)), 1.0)
    assert penalty.factors([]).shape == (0,)


STEEP = [gp.GroupL0(), *(gp.GroupLq(q=q) for q in (0.1, 0.5, 2 / 3, 0.95))]


@pytest.mark.parametrize("penalty", STEEP, ids=repr)
@pytest.mark.parametrize("curvature", [0.25, 1.0, 3.0])
def test_limits_of_a_steep_penalty_are_those_of_its_prox(penalty, curvature):
    """Zero stays up to the limit of the gradient, and then the norm is the least one at once."""
    level = np.array([0.7])
    bend = np.array([curvature])
    limit, least = (f(level, bend)[0] for f in (penalty.zero_limit, penalty.least_norm))
    step = 1 / curvature
    below, above = (penalty.prox([step * limit * by], step, 0.7)[0] for by in (1 - 1e-12, 1 + 1e-9))
    assert below == 0.0
    assert above == pytest.approx(least, rel=1e-7)
    # both minimise the same objective
    assert 0.5 * curvature * least**2 - limit * least + penalty.value([least], 0.7) == (
        pytest.approx(0.0, abs=1e-12)
    )


def test_limits_of_others_are_their_slopes():
    level, bend = np.array([0.0, 0.7, 1.3]), np.array([0.1, 1.0, 3.0])
    for penalty in EVERY:
        if not penalty.steep:
            slope = penalty.radial_derivative(np.zeros(3), level)
            np.testing.assert_array_equal(penalty.zero_limit(level, bend), slope)
            np.testing.assert_array_equal(penalty.least_norm(level, bend), 0.0)


def test_the_largest_norm_wins_as_q_falls_to_l0():
    for s in (0.5, 1.5, 3.0):
        np.testing.assert_allclose(
            gp.GroupLq(q=1e-9).prox([s], 1.0, 1.0), gp.GroupL0().prox([s], 1.0, 1.0), atol=1e-7
        )
