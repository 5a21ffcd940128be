"""What people in a hurry type: each gives a clear error of the package, never a traceback."""

from __future__ import annotations

import pandas as pd
import pytest

from grpsparse.errors import FormulaError, GrpsparseError
from grpsparse.formula import build_model

DATA = pd.DataFrame(
    {"y": [1.0, 2, 4, 3], "x": [1.0, 2, 3, 5], "g": list("abab"), "drug cov": [1, 0, 1, 1]}
)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ x | g", r"\|"),
        ("y ~ (x | g)", r"\|"),
        ("y | x ~ g", r"\|"),
        ("y ~ (1 | g)", r"\|"),
        ("y x", "0 `~`"),
        ("y = x", "0 `~`"),
        ("y ~ x ~ g", "2 `~`"),
        ("~ x", "no response"),
        ("y ~", "no right side"),
        ("y ~ 0", "neither terms"),
        ("y ~ x +", "cannot be read"),
        ("y ~ x g", "cannot be read"),
        ("y ~ drug cov", "cannot be read"),
        ("y ~ I(x", "cannot be read"),
        ("y ~ I(x +)", "read"),
        ("y ~ factor(g)", r"C\(x\)"),
        ("y ~ as.factor(g)", r"C\(x\)"),
        ("y ~ x + offset(g)", "argument `offset`"),
        ("y ~ s(x)", r"bs\(x"),
        ("y ~ ns(x, 3)", r"cr\(x"),
        ("y ~ x == 2", r"I\(x == 1\)"),
        ("y ~ 3*x", "cannot be read"),
        ("y ~ 'x'", "cannot be read"),
        ("y ~ np.log(g)", "cannot be evaluated"),
        ("y ~ bs(x)", None),
        ("y ~ cr(x)", "cannot be evaluated"),
        ("y ~ poly(g, 2)", "cannot be evaluated"),
        ("y ~ X", "did you mean 'x'"),
        ("Y ~ x", "did you mean 'y'"),
        ("y ~ x.__class__", "x.__class__"),
        ("y ~ I(x.to_csv('f'))", "to_csv"),
        ("y ~ open('f')", "no function `open`"),
        ("y ~ x.mean", "There is no variable `x.mean`"),
        ("y ~ x.mean()", "one float"),
        ("", "0 `~`"),
    ],
)
def test_formulas(formula, message, dense):
    if message is None:
        assert dense(build_model(formula, DATA))[0].shape == (4, 3)
        return
    with pytest.raises(FormulaError, match=message):
        build_model(formula, DATA)


@pytest.mark.parametrize("formula", [None, 3, ["y", "x"], DATA, b"y ~ x"])
def test_a_formula_is_a_text(formula):
    with pytest.raises(FormulaError, match="text"):
        build_model(formula, DATA)


def test_swapped_arguments():
    with pytest.raises(GrpsparseError):
        build_model(DATA, "y ~ x")


def test_errors_are_plain_text():
    with pytest.raises(FormulaError) as caught:
        build_model("y ~ x +", DATA)
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_formulas_over_several_lines():
    built = build_model("y ~ x\n   + C(g)\t+ `drug cov`", DATA)
    assert [t.name for t in built.spec.terms] == ["x", "C(g)", "drug cov"]
    assert built.spec.formula == "y ~ x + C(g) + `drug cov`"


def test_a_module_is_no_variable_of_the_response():
    built = build_model("np.log(y) ~ np.log(x)", DATA)
    assert [t.name for t in built.spec.terms] == ["np.log(x)"]
    with pytest.raises(FormulaError, match="also on the right"):
        build_model("np.log(y) ~ np.log(y)", DATA)
