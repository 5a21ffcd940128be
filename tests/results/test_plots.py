"""Plots hold the lines, ticks and marks that they promise."""

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest

from grpsparse.errors import OptionError
from grpsparse.groups import TermColumns
from grpsparse.results.axes import lambda_ticks, positions, spread


@pytest.fixture(autouse=True)
def agg():
    from matplotlib import pyplot as plt

    assert mpl.get_backend().lower() == "agg"
    yield
    plt.close("all")


def lines_of(axes):
    """Return the data of the drawn lines, without the zero line and vertical lines."""
    return [line.get_xydata() for line in axes.lines if len(line.get_xdata()) > 2]


def texts_of(axes):
    return [text.get_text() for text in axes.texts]


def top_of(axes):
    axes.figure.canvas.draw()
    (top,) = axes.child_axes
    return top


def test_norm_path(make_path, lambdas):
    axes = make_path().plot()
    lines = lines_of(axes)
    assert len(lines) == 2  # z is never selected
    np.testing.assert_allclose(lines[0][:, 0], -np.log10(lambdas))
    np.testing.assert_allclose(lines[0][:, 1], [0.0, 0.5, 1.0, 1.5])
    # f lies on zero first, where lines would hide each other.
    np.testing.assert_allclose(lines[1][:, 1], [np.nan, 0.0, 0.25, 0.28125**0.5])
    assert texts_of(axes) == ["f", "x"]
    assert axes.get_ylabel() == "Norm of the term"
    top = top_of(axes)
    assert [tick.get_text() for tick in top.get_xticklabels()] == ["0", "1", "2", "2"]
    assert top.get_xlabel() == "Number of terms"


def test_coefficients_of_a_term_share_colour_and_dashes(make_path):
    axes = make_path().plot("coef")
    styles = [(line.get_color(), line.get_linestyle()) for line in axes.lines[:4]]
    assert len(set(styles)) == 2
    assert styles[1] == styles[2] == styles[3]
    assert texts_of(axes) == ["f[a]", "f[b]", "f[c]", "x"]


def test_coefficients_of_classes_need_a_class(make_path):
    path = make_path("multinomial", n_classes=3)
    with pytest.raises(OptionError, match="choose one by `class_`"):
        path.plot("coef")
    with pytest.raises(OptionError, match="'none'"):
        path.plot("coef", class_="none")
    axes = path.plot("coef", class_="high")
    np.testing.assert_allclose(lines_of(axes)[0][:, 1], [0.0, 0.5, 1.0, 1.5])
    assert axes.get_ylabel() == "Coefficient, class high"
    with pytest.raises(OptionError, match="share theirs"):
        path.plot("norm", class_="high")
    separate = make_path("multinomial", n_classes=3, separate=True)
    assert len(lines_of(separate.plot("norm", class_="mid"))) == 0
    np.testing.assert_allclose(
        lines_of(separate.plot())[0][:, 1], np.sqrt(2) * np.array([0.0, 0.5, 1.0, 1.5])
    )


def test_cv_curve(make_path, make_cv):
    cv = make_cv(make_path())
    axes = cv.plot()
    (bars,) = axes.containers
    np.testing.assert_allclose(bars.lines[0].get_ydata(), cv.cv_mean)
    heights = [segment[:, 1] for segment in bars.lines[2][0].get_segments()]
    np.testing.assert_allclose(heights, np.stack([cv.cv_mean - cv.cv_se, cv.cv_mean + cv.cv_se], 1))
    marks = [line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 2]
    np.testing.assert_allclose(marks, -np.log10([0.2, 0.4]))
    assert texts_of(axes) == ["min", "1se"]
    assert axes.get_ylabel() == "Mean squared error"
    assert axes.get_xlabel() == "Lambda (log scale)"


def test_path_of_a_cv_marks_both_lambdas(make_path, make_cv):
    cv = make_cv(make_path(), index_1se=2)
    assert texts_of(cv.plot("norm"))[-1] == "min = 1se"
    assert texts_of(cv.plot("coef", lines={"mine": 0.3}))[-1] == "mine"
    with pytest.raises(OptionError, match="no option n_labels"):
        cv.plot(n_labels=3)
    with pytest.raises(OptionError, match="'curve'"):
        cv.plot("curve")


def test_only_the_largest_lines_are_labelled(make_path):
    n_terms = 40
    terms = tuple(TermColumns(f"t{k}", "column", (f"t{k}",), np.array([k])) for k in range(n_terms))
    path = make_path()
    coef = np.linspace(0, 1, 4)[:, None, None] * np.arange(1.0, n_terms + 1)[:, None]
    path = replace(
        path,
        model=replace(path.model, terms=terms),
        raw_coef=coef,
        group_norms=coef[:, :, 0],
        lambda_=np.array([1.0, 0.1, 0.01, 0.0]),
    )
    axes = path.plot(n_labels=5)
    assert texts_of(axes) == ["t35", "t36", "t37", "t38", "t39"]
    assert axes.get_xlabel() == "Lambda (log scale); 35 lines in grey without a label"
    assert axes.get_xticklabels()[-1].get_text() == "0"


def test_axes_that_are_given_are_used(make_path, make_cv):
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    assert make_path().plot(ax=axes) is axes
    axes = Figure().add_subplot()
    assert make_cv(make_path()).plot(ax=axes) is axes


def test_a_figure_is_600_pixels_wide(make_path):
    axes = make_path().plot()
    assert axes.figure.get_figwidth() * axes.figure.dpi == 600


def test_a_path_of_one_lambda_is_drawn(make_path):
    path = make_path()
    fields = ("lambda_", "raw_coef", "raw_intercept", "group_norms", "deviance", "certificate")
    for value in (0.2, 0.0):
        one = replace(path, **{name: getattr(path, name)[2:3] for name in fields})
        one = replace(one, lambda_=np.array([value]))
        one.plot().figure.canvas.draw()


def test_zero_has_a_place_after_the_others():
    lambda_ = np.array([1.0, 0.1, 0.0])
    assert positions(lambda_)[2] > positions(lambda_)[1]
    assert positions(np.array([0.0])).tolist() == [0.0]


@pytest.mark.parametrize("low", [1e-8, 1e-4, 0.1, 0.49])
def test_ticks_are_few_and_inside(low):
    ticks = lambda_ticks(np.geomspace(0.5, low, 50))
    assert 2 <= ticks.size <= 8
    assert ticks.max() <= 0.51
    assert ticks.min() >= low * 0.98


def test_labels_do_not_overlap():
    wanted = np.sort(np.random.default_rng(0).uniform(size=12))
    moved = spread(wanted, 0.07)
    assert np.diff(moved).min() > 0.07 - 1e-12
    np.testing.assert_allclose(moved.mean(), wanted.mean())
