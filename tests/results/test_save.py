"""Fits that go through a file come back as they were, and no code runs on the way."""

import json
import pickle
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grpsparse import penalties
from grpsparse.errors import DataError, OptionError
from grpsparse.groups import CellBlock
from grpsparse.results import CVFit, PathFit, load

pytestmark = pytest.mark.usefixtures("fake_model")


def same(first, second):
    """Say whether two field values are equal."""
    if hasattr(first, "tocsc"):
        first, second = first.toarray(), second.toarray()
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and np.array_equal(first, second, equal_nan=True)
    if isinstance(first, pd.Index):
        return first.equals(second)
    return first == second


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"family": "binomial", "penalty": penalties.get("group_mcp").rescaled(0.25)},
        {"family": "multinomial", "n_classes": 3, "separate": True, "notes": ("2 rows",)},
        {"contrast": True, "offset": np.ones((8, 1)), "offset_name": "exposure"},
        *({"penalty": name} for name in penalties.names()),
        {"leak": sparse.csc_array(([-0.5], ([0], [2])), shape=(5, 5))},
    ],
)
def test_path_round_trip(make_path, tmp_path, options):
    path = make_path(**options)
    path.save(tmp_path / "model")
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
    back = load(tmp_path / "model")
    for each in fields(PathFit):
        if each.name in {"model", "training", "layout", "ranks", "effort"}:
            continue
        assert same(getattr(path, each.name), getattr(back, each.name)), each.name
    assert same(path.group_rank, back.group_rank)
    for name in ("X", "y", "weights", "offset", "offset_name", "rows", "n_given", "index"):
        first, second = (getattr(fit.training, name) for fit in (path, back))
        assert same(first, second), name
    assert str(back) == str(path)
    np.testing.assert_array_equal(back.predict(), path.predict())
    assert str(back.summary(0.3)) == str(path.summary(0.3))


def test_cv_round_trip(make_path, make_cv, tmp_path):
    cv = make_cv(make_path("multinomial", n_classes=3), notes=("noisy",))
    cv.save(str(tmp_path / "cv.model"))
    back = load(str(tmp_path / "cv.model"))
    assert isinstance(back, CVFit)
    assert str(back) == str(cv)
    assert back.folds.tolist() == cv.folds.tolist()
    np.testing.assert_array_equal(back.oof, cv.oof)
    assert back.measures().equals(cv.measures())
    assert CVFit.load(tmp_path / "cv.model").lambda_min == cv.lambda_min
    with pytest.raises(DataError, match="not a PathFit"):
        PathFit.load(tmp_path / "cv.model")


def test_sparse_rows_stay_sparse(make_path, tmp_path):
    path = make_path()
    path = replace(
        path, training=replace(path.training, blocks=(sparse.csc_array(path.training.X),))
    )
    path.save(tmp_path / "model")
    back = load(tmp_path / "model")
    assert sparse.issparse(back.training.X)
    np.testing.assert_array_equal(back.predict(), path.predict())


def test_factors_stay_codes(make_path, tmp_path):
    path = make_path()
    X = path.training.X
    codes = X[:, 1:].argmax(axis=1).astype(np.int32)
    blocks = (X[:, :1], CellBlock(codes, X.shape[1] - 1, np.arange(8.0)))
    path = replace(path, training=replace(path.training, blocks=blocks))
    path.save(tmp_path / "model")
    back = load(tmp_path / "model")
    kept = back.training.blocks[1]
    assert isinstance(kept, CellBlock)
    np.testing.assert_array_equal(kept.codes, codes)
    np.testing.assert_array_equal(back.training.X, path.training.X)
    np.testing.assert_array_equal(back.predict(), path.predict())


@pytest.mark.parametrize(
    "index",
    [
        None,
        pd.RangeIndex(8),
        pd.Index(range(10, 18), name="plan"),
        pd.date_range("2020-01-01", periods=8, name="day"),
        pd.Index(list("abcdefgh"), name="plan"),
        pd.MultiIndex.from_product([["a", "b"], [1, 2, 3, 4]]),
    ],
)
def test_row_labels_come_back(make_path, tmp_path, index):
    path = make_path()
    path = replace(path, training=replace(path.training, index=index))
    path.save(tmp_path / "model")
    back = load(tmp_path / "model").augment(0.2)
    pd.testing.assert_frame_equal(back, path.augment(0.2), check_index_type=False, check_freq=False)


@pytest.mark.parametrize(
    "classes",
    [
        (0, 1),
        (False, True),
        (0.5, 1.5),
        (pd.Interval(0, 1), pd.Interval(1, 2)),
        (np.str_("a"), np.str_("b")),
    ],
)
def test_classes_come_back(make_path, tmp_path, classes):
    make_path("binomial", classes=classes).save(tmp_path / "model")
    back = load(tmp_path / "model").classes
    assert back == classes
    assert [type(each) for each in back] == [
        type(each.item() if hasattr(each, "item") else each) for each in classes
    ]


@dataclass(frozen=True)
class OwnPenalty:
    name: str = "own"
    title: str = "own"
    convex: bool = True
    l1_fraction: float = 0.0


def test_an_own_penalty_cannot_be_saved(make_path, tmp_path):
    path = replace(make_path(), penalty=OwnPenalty())
    with pytest.raises(OptionError, match="can't be saved"):
        path.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code from the file was run",))


def test_pickles_are_refused(tmp_path):
    (tmp_path / "pickle").write_bytes(pickle.dumps(Bomb()))
    with (tmp_path / "object").open("wb") as file:
        np.savez(file, meta=np.array([Bomb()], dtype=object), allow_pickle=True)
    (tmp_path / "text").write_text("no fit at all")
    (tmp_path / "empty").write_bytes(b"")
    for name in ("pickle", "object", "text", "empty"):
        with pytest.raises(DataError, match="not a fit that grpsparse saved"):
            load(tmp_path / name)


def test_files_of_other_makers_are_refused(make_path, tmp_path):
    make_path().save(tmp_path / "model")
    with np.load(tmp_path / "model") as stored:
        arrays = dict(stored)
    meta = json.loads(str(arrays["meta"]))

    def rewrite(**changes):
        with (tmp_path / "changed").open("wb") as file:
            np.savez(file, **(arrays | {"meta": np.array(json.dumps(meta | changes))}))
        return tmp_path / "changed"

    with pytest.raises(DataError, match="format 99"):
        load(rewrite(format=99))
    other = meta["path"] | {"model": {"type": "os.system", "state": {}}}
    with pytest.raises(DataError, match=r"unknown type 'os\.system'"):
        load(rewrite(path=other))
    with pytest.raises(DataError, match="damaged"):
        load(rewrite(path={}))


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")
