"""The work of a path, as a table and as a picture."""

from dataclasses import replace

import numpy as np
import pytest

import grpsparse as gs
from grpsparse.errors import DataError, OptionError
from grpsparse.results import load

pytestmark = pytest.mark.usefixtures("fake_model")

COLUMNS = ["lambda_", "groups", "passes", "sweeps", "newton_steps", "working_set"]
COLUMNS += ["seconds_screen", "seconds_solve", "seconds_certify", "certificate", "arithmetic"]


@pytest.fixture(autouse=True)
def agg():
    from matplotlib import pyplot as plt

    yield
    plt.close("all")


def test_table_has_a_row_per_lambda(make_path, lambdas):
    path = make_path()
    table = path.diagnostics
    assert table.columns.tolist() == COLUMNS
    assert table["lambda_"].tolist() == lambdas.tolist()
    assert table["passes"].tolist() == [0.0, 1.0, 0.25, 0.5]
    assert table["certificate"].tolist() == path.certificate.tolist()
    assert set(table["arithmetic"]) == {"residual"} == {table.attrs["arithmetic"]}


def test_cross_validation_hands_on_its_path(make_path, make_cv):
    cv = make_cv(make_path())
    assert cv.diagnostics.equals(cv.path.diagnostics)


def test_a_file_keeps_it(make_path, tmp_path):
    path = make_path()
    path.save(tmp_path / "fit")
    assert load(tmp_path / "fit").diagnostics.equals(path.diagnostics)


def test_a_fit_without_record_says_so(make_path, tmp_path):
    path = replace(make_path(), effort=None)
    path.save(tmp_path / "fit")
    for fit in (path, load(tmp_path / "fit")):
        with pytest.raises(DataError, match="no record of its work"):
            _ = fit.diagnostics
        with pytest.raises(DataError, match="no record of its work"):
            fit.plot("diagnostics")


@pytest.mark.parametrize("family", ["gaussian", "multinomial"])
def test_a_fit_counts_its_work(family):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 30))
    y = X[:, 0] + rng.normal(size=60)
    y = np.digitize(y, [-1, 1]).astype(str) if family == "multinomial" else y
    fit = gs.fit(X, y, groups=np.arange(30) // 3, family=family, n_lambda=10)
    table = fit.diagnostics
    assert len(table) == fit.lambda_.size
    assert (table[["groups", "passes", "sweeps", "working_set"]] >= 0).all(axis=None)
    assert table["sweeps"].sum() + table["newton_steps"].sum() > 0
    assert (table["working_set"] >= (fit.group_norms > 0).sum(axis=1)).all()
    seconds = table.filter(like="seconds_")
    assert seconds.sum().sum() > 0


def test_plot_is_four_panels_over_one_axis(make_path):
    panels = make_path().plot("diagnostics", lines={"here": 0.2})
    assert panels.shape == (4,)
    titles = [panel.get_title(loc="left") for panel in panels]
    assert titles == [
        "Groups selected, swept, and looked at in checks",
        "Passes over X (1.75 for 4 lambdas)",
        "Sweeps (20) and Newton steps (6), with residual updates",
        "Time by stage, ms per lambda (17 ms in all)",
    ]
    texts = [[text.get_text() for text in panel.texts] for panel in panels]
    assert sorted(texts[0]) == ["here", "looked at", "selected", "swept"]
    assert {"sweeps", "Newton"} < set(texts[2])
    assert {"screen", "solve", "certify"} < set(texts[3])
    assert panels[-1].get_xlabel() == "Lambda (log scale)"
    assert all(panel.get_xlim() == panels[0].get_xlim() for panel in panels)


def test_stages_are_stacked(make_path):
    panel = make_path().plot("diagnostics")[3]
    tops = [patch.get_paths()[0].vertices[:, 1].max() for patch in panel.collections[:3]]
    np.testing.assert_allclose(tops, [2.0, 5.0, 6.0])


def test_plot_of_a_cv_marks_both_lambdas(make_path, make_cv):
    panels = make_cv(make_path()).plot("diagnostics")
    texts = [text.get_text() for text in panels[0].texts]
    assert {"min", "1se"} < set(texts)


def test_counts_that_differ_much_are_on_a_log_axis(make_path):
    path = make_path()
    effort = replace(path.effort, groups=np.array([10_000, 2, 3, 10_000]))
    panels = replace(path, effort=effort).plot("diagnostics")
    assert [panel.get_yscale() for panel in panels] == ["symlog", *["linear"] * 3]


def test_a_path_of_one_lambda_is_drawn(make_path):
    path = make_path()
    first = {
        name: getattr(path, name)[:1]
        for name in ("lambda_", "raw_coef", "raw_intercept", "group_norms", "deviance")
    }
    effort = replace(
        path.effort,
        **{name: getattr(path.effort, name)[:1] for name in path.effort.__slots__[:-1]},
    )
    figure = replace(path, **first, effort=effort).plot("diagnostics")[0].figure
    figure.canvas.draw()


def test_a_figure_that_is_given_is_used(make_path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 7))
    panels = make_path().plot("diagnostics", figure=figure)
    assert all(panel.figure is figure for panel in panels)


def test_the_kinds_are_named(make_path):
    with pytest.raises(OptionError, match="'coef' or 'diagnostics'"):
        make_path().plot("work")
