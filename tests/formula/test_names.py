"""Names of terms, and how a user's spelling finds them."""

from __future__ import annotations

import pytest

from grpsparse.errors import GroupError
from grpsparse.formula import build_model, resolve_term
from grpsparse.formula.names import canonical_factor, split_outside

DATA = {
    "y": [1.0, 2, 3, 4],
    "a": list("uvuv"),
    "plan_type": list("ppqq"),
    "x": [1.0, 2, 4, 3],
    "my col": [1.0, 5, 3, 2],
}
FORMULA = "y ~ x + np.log( x ) + C( plan_type ) + `my col` + {x+1} + a:C(plan_type) + I(x**2):a"


@pytest.fixture
def terms():
    return build_model(FORMULA, DATA).spec.terms


def test_spaces_are_uniform(terms):
    assert [t.name for t in terms] == [
        "x",
        "np.log(x)",
        "C(plan_type)",
        "my col",
        "{x + 1}",
        "a:C(plan_type)",
        "I(x ** 2):a",
    ]


@pytest.mark.parametrize(
    ("spelling", "place"),
    [
        ("x", 0),
        ("np.log(x)", 1),
        ("np.log( x )", 1),
        ("C(plan_type)", 2),
        ("plan_type", 2),
        ("C( plan_type)", 2),
        ("my col", 3),
        ("`my col`", 3),
        ("{x+1}", 4),
        ("x+1", 4),
        ("a:C(plan_type)", 5),
        ("C(plan_type):a", 5),
        ("plan_type : a", 5),
        ("a:I(x**2)", 6),
    ],
)
def test_spellings_that_are_found(terms, spelling, place):
    assert resolve_term(spelling, terms) == place


def test_a_misspelling_offers_near_names(terms):
    with pytest.raises(GroupError, match=r"did you mean 'C\(plan_type\)'"):
        resolve_term("C(plan_typ)", terms)
    with pytest.raises(GroupError, match=r"no term `nothing`; known names are .x."):
        resolve_term("nothing", terms)


def test_a_bare_name_of_two_terms_is_ambiguous():
    names = ["C(x)", "np.log(x)", "z"]
    with pytest.raises(GroupError, match=r"C\(x\), np.log\(x\)"):
        resolve_term("x", names)


def test_quotes_do_not_matter():
    names = ['C(g, contr.treatment("HMO"))'.replace('"', "'")]
    assert resolve_term('C(g,contr.treatment("HMO"))', names) == 0
    assert resolve_term("g", names) == 0


def test_only_a_text_names_a_term(terms):
    with pytest.raises(GroupError, match="text"):
        resolve_term(3, terms)


def test_colons_inside_brackets_and_quotes_do_not_split():
    assert split_outside("C(x)[1:2]:`a:b`:f('u:v')", ":") == ["C(x)[1:2]", "`a:b`", "f('u:v')"]
    assert canonical_factor(" I( x**2 ) ") == "I(x ** 2)"


def test_a_column_with_a_colon_keeps_its_backticks():
    data = {"y": [1.0, 2, 3], "a:b": [1.0, 2, 4], "g": list("uvu")}
    spec = build_model("y ~ `a:b` + `a:b`:g", data).spec
    assert [t.name for t in spec.terms] == ["`a:b`", "`a:b`:g"]
    assert resolve_term("g:`a:b`", spec.terms) == 1


def test_the_same_interaction_twice_is_one_term():
    spec = build_model("y ~ a:x + x:a + a:x", DATA).spec
    assert [t.name for t in spec.terms] == ["a:x"]
