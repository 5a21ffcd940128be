"""Predictions: shapes, missing values, offsets, unseen levels, terms that sum to the link."""

import numpy as np
import pandas as pd
import pytest
from scipy import special

from grpsparse.errors import OptionError, UnseenLevelError, WeightsError

EXACT = 1e-14  # sums of a few products of exact numbers


@pytest.fixture
def new():
    return pd.DataFrame(
        {
            "x": [2.0, np.nan, -1.0, 0.0],
            "f": ["a", "b", None, "c"],
            "z": [0.0, 0.0, 0.0, 9.0],
            "exposure": [0.5, 0.5, 0.5, np.nan],
        },
        index=["p", "q", "r", "s"],
    )


def test_link_by_hand(make_path, new):
    link = make_path().predict(new, 0.2, type="link")
    np.testing.assert_allclose(link, [2 + 2 - 0.25, np.nan, np.nan, 2.25], atol=EXACT)


def test_interpolated_link_by_hand(make_path, new):
    link = make_path().predict(new, 0.3, type="link")
    np.testing.assert_allclose(link[[0, 3]], [2 + 1.5 - 0.125, 2.125], atol=EXACT)


@pytest.mark.parametrize(
    ("family", "n_classes", "one"),
    [("gaussian", 1, (4,)), ("binomial", 1, (4,)), ("multinomial", 3, (4, 3))],
)
def test_shapes(make_path, new, family, n_classes, one):
    path = make_path(family, n_classes=n_classes)
    assert path.predict(new, 0.2).shape == one
    assert path.predict(new).shape == (*one, 4)
    assert path.predict(new, [0.2, 0.1]).shape == (*one, 2)
    np.testing.assert_array_equal(path.predict(new)[..., 2], path.predict(new, 0.2))


def test_response_is_the_mean(make_path, new):
    link = make_path().predict(new, 0.2, type="link")
    np.testing.assert_allclose(
        make_path("binomial").predict(new, 0.2), special.expit(link), atol=EXACT
    )
    np.testing.assert_allclose(make_path("poisson").predict(new, 0.2), np.exp(link), rtol=EXACT)
    chances = make_path("multinomial", n_classes=3).predict(new, 0.2)
    scores = link[:, None] * [-1.0, 0.0, 1.0]
    np.testing.assert_allclose(chances, special.softmax(scores, axis=1), atol=EXACT)


def test_classes_are_labels_and_none(make_path, new):
    binomial = make_path("binomial").predict(new, 0.2, type="class")
    assert binomial.tolist() == ["yes", None, None, "yes"]
    many = make_path("multinomial", n_classes=3).predict(new, type="class")
    assert many.shape == (4, 4)
    assert many[:, 2].tolist() == ["high", None, None, "high"]


def test_class_of_a_number_raises(make_path, new):
    with pytest.raises(OptionError, match="no classes"):
        make_path().predict(new, 0.2, type="class")
    with pytest.raises(OptionError, match="'probs'"):
        make_path().predict(new, 0.2, type="probs")


@pytest.mark.parametrize("contrast", [False, True])
def test_terms_sum_to_the_link(make_path, new, contrast):
    path = make_path(contrast=contrast)
    parts = path.predict(new, 0.1, type="terms")
    assert parts.columns.tolist() == ["Intercept", "x", "f", "z"]
    assert parts.index.tolist() == ["p", "q", "r", "s"]
    link = path.predict(new, 0.1, type="link")
    np.testing.assert_allclose(parts.sum(axis=1, skipna=False), link, atol=EXACT)
    assert parts.loc["p", "Intercept"] == path.intercept_path[3]
    assert parts.loc["p", "f"] == (0.0 if contrast else -0.5)


def test_terms_of_classes_and_of_the_path(make_path, new):
    path = make_path("multinomial", n_classes=3)
    parts = path.predict(new, 0.1, type="terms")
    assert parts.columns.names == ["class", "term"]
    link = path.predict(new, 0.1, type="link")
    np.testing.assert_allclose(parts["high"].sum(axis=1, skipna=False), link[:, 2], atol=EXACT)
    every = make_path().predict(new, type="terms")
    assert every.columns.names == ["term", "lambda_"]
    assert every[("x", 0.1)].iloc[0] == 3.0


def test_terms_count_the_offset(make_path):
    offset = np.linspace(0, 1, 8)[:, None]
    path = make_path(offset=offset)
    parts = path.predict(None, 0.2, type="terms")
    np.testing.assert_array_equal(parts["offset"], offset[:, 0])
    link = path.predict(None, 0.2, type="link")
    np.testing.assert_allclose(parts.sum(axis=1), link, atol=EXACT)


def test_without_new_rows_the_fitted_ones_are_predicted(make_path, data):
    path = make_path("multinomial", n_classes=3)
    np.testing.assert_array_equal(path.predict(), path.predict(data))


def test_offset_of_a_column_is_looked_up_again(make_path, new):
    path = make_path(offset=np.ones((8, 1)), offset_name="exposure")
    plain = make_path().predict(new, 0.2, type="link")
    np.testing.assert_allclose(
        path.predict(new, 0.2, type="link"), [plain[0] + 0.5, np.nan, np.nan, np.nan], atol=EXACT
    )
    given = path.predict(new, 0.2, type="link", offset=np.zeros(4))
    np.testing.assert_array_equal(given, plain)
    named = make_path().predict(new, 0.2, type="link", offset="exposure")
    assert named[0] == plain[0] + 0.5


def test_offset_of_an_array_must_be_given_again(make_path, new):
    path = make_path(offset=np.ones((8, 1)))
    with pytest.raises(WeightsError, match="give `offset` with 4 values"):
        path.predict(new, 0.2)
    plain = make_path().predict(new, 0.2, type="link")
    link = path.predict(new, 0.2, type="link", offset=[1.0, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(link, plain + 1.0, atol=EXACT)


@pytest.mark.parametrize("wrong", [[1.0], np.ones((4, 2)), ["a"] * 4, [np.inf, 0, 0, 0]])
def test_an_offset_that_does_not_fit_raises(make_path, new, wrong):
    with pytest.raises(WeightsError):
        make_path().predict(new, 0.2, offset=wrong)


def test_an_offset_of_classes_broadcasts(make_path, new):
    path = make_path("multinomial", n_classes=3)
    plain = path.predict(new, 0.2)
    np.testing.assert_allclose(path.predict(new, 0.2, offset=np.ones(4)), plain, atol=EXACT)
    with pytest.raises(WeightsError, match=r"\(4,\) or \(4, 3\)"):
        path.predict(new, 0.2, offset=np.ones((4, 2)))


def test_unseen_level(make_path, new):
    new.loc["p", "f"] = "d"
    with pytest.raises(UnseenLevelError, match="'d'"):
        make_path().predict(new, 0.2)
    link = make_path().predict(new, 0.2, type="link", unseen="shrink")
    assert link[0] == 4.0  # the level effects average to zero
    coded = make_path(contrast=True).predict(new, 0.2, type="link", unseen="shrink")
    np.testing.assert_allclose(coded, link, atol=EXACT)
    with pytest.raises(OptionError, match="unseen"):
        make_path().predict(new, 0.2, unseen="ignore")


def test_sparse_training_rows_predict_alike(make_path):
    from dataclasses import replace

    from scipy import sparse

    path = make_path("multinomial", n_classes=3)
    sparse_rows = replace(path.training, blocks=(sparse.csc_array(path.training.X),))
    stored = replace(path, training=sparse_rows)
    np.testing.assert_allclose(stored.predict(), path.predict(), atol=EXACT)
    parts = path.predict(None, 0.1, type="terms")
    pd.testing.assert_frame_equal(stored.predict(None, 0.1, type="terms"), parts)
    np.testing.assert_allclose(
        stored.summary(0.15).table["norm"], path.summary(0.15).table["norm"], atol=EXACT
    )


def test_response_residuals(make_path):
    path = make_path()
    np.testing.assert_array_equal(
        path.residuals(0.2), path.training.y[:, 0] - path.predict(None, 0.2)
    )
    assert path.residuals().shape == (8, 4)


@pytest.mark.parametrize(
    ("family", "n_classes"), [("gaussian", 1), ("binomial", 1), ("poisson", 1), ("multinomial", 3)]
)
def test_squared_deviance_residuals_sum_to_the_deviance(make_path, family, n_classes):
    weights = np.arange(1.0, 9.0)
    path = make_path(family, n_classes=n_classes, weights=weights)
    residuals = path.residuals(type="deviance")
    np.testing.assert_allclose((residuals**2).sum(axis=0), path.deviance, rtol=1e-12)
    if n_classes == 1:
        np.testing.assert_array_equal(np.sign(residuals), np.sign(path.residuals()))


def test_pearson_and_working_residuals(make_path):
    path = make_path("binomial", weights=np.full(8, 4.0))
    mean, y = path.predict(None, 0.2), path.training.y[:, 0]
    variance = mean * (1 - mean)
    np.testing.assert_allclose(
        path.residuals(0.2, type="pearson"), 2 * (y - mean) / np.sqrt(variance), rtol=1e-12
    )
    np.testing.assert_allclose(
        path.residuals(0.2, type="working"), (y - mean) / variance, rtol=1e-12
    )
    many = make_path("multinomial", n_classes=3)
    chances = many.predict(None, 0.2)
    expected = (many.training.y - chances) / np.sqrt(chances * (1 - chances))
    np.testing.assert_allclose(many.residuals(0.2, type="pearson"), expected, rtol=1e-12)
    with pytest.raises(OptionError, match="'raw'"):
        path.residuals(0.2, type="raw")
