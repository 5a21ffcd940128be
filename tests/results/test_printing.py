"""What print shows, to the letter."""

from dataclasses import replace

import numpy as np
import pytest

from grpsparse import penalties
from grpsparse.folds import FoldPlan
from grpsparse.groups import Deferred, TermColumns
from grpsparse.results.tables import fixed, significant, split_call

CV = """\
Call: fit_cv("y ~ x + f + z", n_folds=3, seed=1)
Multinomial (3 classes), group lasso; n = 8, 5 columns in 3 terms;
  3 stratified folds
Measure: multinomial deviance

     Lambda  Index  Measure      SE  Terms  Nonzero
min  0.2000      2   1.2500  0.3000      2        8
1se  0.4000      1   1.5432  0.3000      1        2"""

PATH = """\
Call: fit("y ~ x + f + z")
Gaussian, group lasso; n = 8, 5 columns in 3 terms

Lambda  Index  Terms  Nonzero   %Dev
0.8000      0      0        0  -5.66
0.4000      1      1        1  39.62
0.2000      2      2        4  74.84
0.1000      3      2        4  78.62

Largest duality gap: 3.0e-08 (asked for 1e-07).
2 of 10 rows with missing values were dropped."""

SUMMARY = """\
Gaussian, group lasso; n = 8, 5 columns in 3 terms
lambda = 0.2000 (index 2 of 0 to 3); 74.84% of the deviance explained;
  2 terms with 4 coefficients; duality gap 3.0e-08

Term  Kind     Columns  Rank    Norm  Share  Enters at
x     numeric        1     1  1.0000  94.1%     0.4000
f     factor         3     2  0.2500   5.9%     0.2000

Not selected: z

Norm: standard deviation of the term's part of the linear predictor.

           Coefficient
Intercept       2.0000
x               1.0000
f[a]           -0.2500
f[b]            0.2500
f[c]            0.2500"""

BETWEEN = """\
Binomial (yes against no), group MCP (gamma = 3); n = 8, 5 columns in 3 terms
lambda = 0.3000 (between index 1 and 2 of 0 to 3);
  7.65% of the deviance explained; 2 terms with 4 coefficients
Interpolated between two solutions: not stationary.

Term  Kind     Columns  Rank    Norm  Share  Enters at
x     numeric        1     1  0.7500  97.3%     0.4000
f     factor         3     2  0.1250   2.7%     0.2000

Not selected: z

Norm: standard deviation of the term's part of the linear predictor."""


def test_print_of_a_path(make_path):
    path = make_path(notes=("2 of 10 rows with missing values were dropped.",))
    assert str(path) == repr(path) == PATH


def test_print_of_a_cross_validation(make_path, make_cv):
    cv = make_cv(make_path("multinomial", n_classes=3))
    assert str(cv) == repr(cv) == CV


def test_print_of_a_summary(make_path):
    assert str(make_path().summary(0.2, coefficients=True)) == SUMMARY


def test_an_interpolated_nonconvex_model_is_marked(make_path):
    summary = make_path("binomial", penalty="group_mcp").summary(0.3)
    assert str(summary) == BETWEEN
    assert not summary.stationary
    assert summary.certificate is None
    solved = make_path("binomial", penalty="group_mcp").summary(0.2)
    assert "KKT violation 3.0e-08" in str(solved)
    convex = str(make_path().summary(0.3))
    assert "Interpolated between two solutions: not a solution, and has no duality gap." in convex


def test_the_example_of_the_contract(make_path, make_cv):
    """The layout of the documentation, wrapped at 80 columns."""
    path = make_path("multinomial", n_classes=3)
    columns = tuple(f"brand[{k}]" for k in range(4))
    terms = (
        TermColumns("brand", "factor", columns, np.arange(4), "rms", tuple("abcd")),
        TermColumns("C(plan_type)", "factor", tuple("stuv"), np.arange(4, 8), "rms", tuple("stuv")),
        TermColumns("drugs", "numeric", ("drugs",), np.array([8])),
    )
    lambda_ = np.geomspace(0.5, 1e-3, 60)
    lambda_[[29, 41]] = 0.03456, 0.01234
    coef = np.ones((60, 9, 3))
    coef[29, 8] = 0.0
    norms = np.ones((60, 3))
    norms[29, 2] = 0.0
    training = replace(
        path.training,
        blocks=(np.zeros((172, 9)),),
        y=np.eye(3)[np.arange(172) % 3],
        rows=np.arange(172),
        n_given=172,
    )
    path = replace(
        path,
        model=replace(path.model, terms=terms),
        training=training,
        lambda_=lambda_,
        raw_coef=coef,
        raw_intercept=np.zeros((60, 3)),
        group_norms=norms,
        converged=np.ones(60, dtype=bool),
    )
    mean, se = np.full(60, 1.6), np.full(60, 0.1)
    mean[[41, 29]], se[[41, 29]] = (1.5432, 1.5710), (0.0321, 0.0333)
    cv = replace(
        make_cv(make_path("multinomial", n_classes=3)),
        path=path,
        call='fit_cv("share ~ brand + C(plan_type) + drugs", penalty="group_lasso", n_folds=5)',
        cv_mean=mean,
        cv_se=se,
        index_min=41,
        index_1se=29,
        plan=FoldPlan(np.arange(172) % 5, 5, stratified=True, clustered=False),
    )
    assert (
        str(cv)
        == """\
Call: fit_cv("share ~ brand + C(plan_type) + drugs", penalty="group_lasso",
      n_folds=5)
Multinomial (3 classes), group lasso; n = 172, 9 columns in 3 terms;
  5 stratified folds
Measure: multinomial deviance

      Lambda  Index  Measure      SE  Terms  Nonzero
min  0.01234     41   1.5432  0.0321      3       27
1se  0.03456     29   1.5710  0.0333      2       24"""
    )


def test_warnings_are_plain_lines(make_path, make_cv):
    path = make_path(notes=("2 of 10 rows with missing values were dropped.",))
    cv = make_cv(
        path, index_min=3, fold_converged=np.array([True, False, True]), notes=("AUC is noisy",)
    )
    assert str(cv).split("\n\n")[-1] == (
        "Warning: the minimum is at the smallest lambda of the path; a smaller\n"
        "  lambda_min_ratio may find a better one.\n"
        "Warning: 1 of 3 folds did not converge (fold 1).\n"
        "2 of 10 rows with missing values were dropped.\n"
        "AUC is noisy"
    )
    first = str(make_cv(path, index_min=0, index_1se=0))
    assert "Warning: the minimum is at the largest lambda of the path" in first


def test_unconverged_points_are_counted(make_path, make_cv):
    path = make_path(converged=np.array([True, True, False, False]))
    assert "Warning: 2 of 4 points did not converge." in str(path)
    text = str(make_cv(path))
    assert "Warning: 2 of 4 points of the path on all rows did not converge." in text


def test_a_long_path_is_thinned(make_path):
    path = make_path()
    long = {
        "lambda_": np.geomspace(1.0, 1e-4, 100),
        "raw_coef": np.zeros((100, 5, 1)),
        "raw_intercept": np.zeros((100, 1)),
        "group_norms": np.zeros((100, 3)),
        "deviance": np.full(100, path.null_deviance),
    }
    lines = str(replace(path, **long)).split("\n")
    table = lines[3 : lines.index("", 4)]
    assert len(table) == 21
    assert table[1].split()[1] == "0"
    assert table[-1].split()[:2] == ["0.0001000", "99"]
    assert "20 of 100 values of lambda shown." in lines


def test_classes_with_their_own_groups_show_their_norms(make_path):
    text = str(make_path("multinomial", n_classes=3, separate=True).summary(0.2))
    assert "Term  Columns  Rank    Norm     low     mid    high  Enters at" in text
    assert "x           1     1  1.4142  1.0000  0.0000  1.0000     0.4000" in text
    assert "Over several classes: the root of the sum of their squares." in text


def test_a_fit_of_columns_counts_columns_only(make_path):
    path = make_path(penalty="lasso")
    terms = tuple(
        TermColumns(name, "column", (name,), np.array([k])) for k, name in enumerate("abcde")
    )
    path = replace(
        path,
        model=replace(path.model, terms=terms),
        group_norms=np.abs(path.raw_coef[:, :, 0]),
        ranks=Deferred.of(np.ones(5, dtype=int)),
        settings=replace(path.settings, groups="column"),
    )
    assert str(path).split("\n")[1] == "Gaussian, lasso; n = 8, 5 columns"
    assert "Nonzero" in str(path.summary(0.2))


@pytest.mark.parametrize(
    ("penalty", "printed"),
    [
        (penalties.SparseGroupLasso(alpha=0.25), "sparse group lasso (alpha = 0.25)"),
        (penalties.GroupMCP(gamma=4.0).rescaled(0.25), "group MCP (gamma = 4)"),
        ("group_lasso", "group lasso"),
    ],
)
def test_the_penalty_is_printed_with_its_parameters(make_path, penalty, printed):
    first = str(make_path(penalty=penalty)).split("\n")[1]
    assert first == f"Gaussian, {printed}; n = 8, 5 columns in 3 terms"


def test_many_terms_and_classes_stay_within_the_page(make_path):
    names = [f"C(a_rather_long_name_of_a_variable_{k})" for k in range(60)]
    terms = tuple(
        TermColumns(name, "numeric", (name,), np.array([k])) for k, name in enumerate(names)
    )
    path = make_path("multinomial", n_classes=3)
    rng = np.random.default_rng(0)
    coef = rng.normal(size=(4, 60, 12)) * 1000.0
    coef[:, 50:] = 0.0
    path = replace(
        path,
        model=replace(path.model, terms=terms),
        classes=tuple(f"class_number_{k}" for k in range(12)),
        training=replace(path.training, blocks=(rng.normal(size=(8, 60)),), y=np.eye(12)[:8]),
        raw_coef=coef,
        raw_intercept=np.zeros((4, 12)),
        group_norms=np.sqrt((coef**2).sum(axis=2)),
        ranks=Deferred.of(np.ones(60, dtype=int)),
    )
    text = str(path.summary(0.2, coefficients=True))
    assert max(map(len, text.split("\n"))) <= 80
    assert "... and 20 terms of smaller norm." in text
    assert text.count("Intercept") > 1  # one block of classes after the other


def test_a_call_breaks_between_arguments_and_stays_one():
    call = (
        'Call: fit_cv("' + " + ".join(f"variable_{k}" for k in range(20)) + '", '
        "penalty=GroupMCP(gamma=4.0, rescale=True), n_folds=5)"
    )
    lines = split_call(call).split("\n")
    assert max(map(len, lines)) <= 80
    assert eval("\n".join(lines).removeprefix("Call: "), {"fit_cv": first, "GroupMCP": first}) == (
        " + ".join(f"variable_{k}" for k in range(20))
    )


def test_a_formula_that_breaks_has_one_piece_on_a_line():
    for count in range(8, 24):
        formula = " + ".join(f"variable_{k}" for k in range(count))
        for line in split_call(f'Call: fit("{formula}", n_lambda=20)').split("\n"):
            assert line.count('"') <= 2


def first(formula=None, **_):
    return formula


def test_numbers():
    assert significant(0.0) == "0"
    assert significant(float("nan")) == "-"
    assert significant(123456.0) == "1.235e+05"
    assert fixed([0.0, float("nan")]) == ["0.0000", "-"]
    assert fixed([1e12]) == ["1.000e+12"]
    assert fixed([999.5]) == ["999.5000"]


def test_a_certificate_that_is_not_finite_is_said_in_words(make_path):
    path = make_path()
    path = replace(
        path,
        certificate=np.array([0.0, 1e-9, 3e-8, np.inf]),
        converged=np.array([True, True, True, False]),
    )
    shown = str(path)
    assert "Largest duality gap: 3.0e-08 (asked for 1e-07)." in shown
    assert "1 of 4 points did not converge." in shown
    assert "1 of 4 points without a finite duality gap: there may be no optimum." in shown
    assert "no duality gap" in str(path.summary(0.1))
    assert "inf" not in shown.replace("finite", "")
