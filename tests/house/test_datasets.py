"""Data sets: their shapes, their levels, their sources, and the simulation behind one of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from grpsparse import datasets
from grpsparse.errors import DataError
from grpsparse.inflation import vif

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "datasets"


@pytest.mark.parametrize("name", datasets.names())
def test_data_are_as_described(name):
    info = datasets.describe(name)
    frame = datasets.load(name)
    assert frame.shape == (info.rows, len(info.columns))
    assert list(frame.columns) == list(info.columns)
    assert info.response in frame.columns
    assert not frame.isna().any(axis=None)
    assert set(frame.attrs) == {"description", "source", "licence"}
    for key, value in frame.attrs.items():
        assert value == getattr(info, key)
        assert len(value) > 10


@pytest.mark.parametrize("name", datasets.names())
def test_readme_lists_the_data_set(name):
    info = datasets.describe(name)
    row = f"| `{name}` | {info.description} | {info.rows} | {info.source} | {info.licence} |"
    assert row in (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", datasets.names())
def test_description_prints_in_80_columns(name):
    text = str(datasets.describe(name))
    assert text.startswith(f"{name}: ")
    assert max(map(len, text.splitlines())) <= 80


def test_a_loaded_frame_is_the_callers_own():
    frame = datasets.load("birthwt")
    frame.loc[:, "low"] = 9
    assert datasets.load("birthwt")["low"].max() == 1


def test_unknown_name_is_told_its_neighbours():
    with pytest.raises(DataError, match=r"'medicar'.*anes96.*did you mean 'medicare'"):
        datasets.load("medicar")
    with pytest.raises(DataError, match="choose one"):
        datasets.describe("zzz")


def test_absent_statsmodels_is_told_with_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "statsmodels", None)
    with pytest.raises(DataError, match=re.escape('pip install "grpsparse[datasets]"')):
        datasets.load("anes96")


def test_birthwt_has_the_published_counts():
    frame = datasets.load("birthwt")
    assert frame["low"].sum() == 59
    assert (frame["low"] == (frame["bwt"] < 2500)).all()
    assert list(frame["race"].cat.categories) == ["white", "black", "other"]
    assert frame["race"].value_counts(sort=False).tolist() == [96, 26, 67]


def test_housing_is_a_full_table_of_1681_tenants():
    frame = datasets.load("housing")
    assert frame["Freq"].sum() == 1681
    assert len(frame[["Sat", "Infl", "Type", "Cont"]].drop_duplicates()) == 72
    assert frame["Sat"].cat.ordered
    assert list(frame["Sat"].cat.categories) == ["Low", "Medium", "High"]


def test_medicare_is_said_to_be_simulated():
    info = datasets.describe("medicare")
    assert info.description.startswith("SIMULATED")
    assert info.source.startswith("Simulated")


def test_medicare_classes_are_cut_from_the_market_share():
    frame = datasets.load("medicare")
    assert frame["share"].value_counts(sort=False).to_dict() == {"low": 47, "mid": 60, "high": 65}
    assert frame["share"].cat.ordered
    cut = np.searchsorted([0.3, 1.5], frame["market_share"])
    assert (frame["share"].cat.codes == cut).all()
    assert frame.groupby("year")["market_share"].sum().max() < 100


def test_medicare_plans_recur_over_years():
    frame = datasets.load("medicare")
    assert not frame.duplicated(["plan", "year"]).any()
    assert set(frame["year"]) == set(range(2018, 2024))
    assert frame.groupby("plan").size().min() >= 2
    assert (frame.groupby("plan")[["brand", "plan_type", "drugs"]].nunique() == 1).all(axis=None)


def test_medicare_has_three_collinear_terms_and_no_more():
    frame = datasets.load("medicare").drop(columns=["plan", "market_share", "share"])

    def above_ten(columns):
        table = vif("~ " + " + ".join(columns), frame)
        return sorted(table["term"][table["gvif"] > 10])

    collinear = ["drug_premium", "premium", "total_premium"]
    assert above_ten(frame.columns) == collinear
    assert above_ten(frame.columns.drop("total_premium")) == []


def test_medicare_is_simulated_byte_for_byte(tmp_path):
    again = tmp_path / "medicare.csv"
    script = FOLDER / "make_medicare.py"
    subprocess.run([sys.executable, str(script), str(again)], check=True)
    assert again.read_bytes() == (FOLDER / "medicare.csv").read_bytes()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The groups parameter:UserWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_random_folds_flatter_a_model_of_medicare():
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    frame = datasets.load("medicare")
    x = pd.get_dummies(frame.drop(columns=["plan", "share", "market_share"]), dtype=float)
    lasso = LogisticRegression(l1_ratio=1.0, solver="saga", C=0.25, max_iter=600, tol=1e-3)

    def accuracy(folds):
        model = make_pipeline(StandardScaler(), lasso)
        scores = cross_val_score(model, x, frame["share"], groups=frame["plan"], cv=folds)
        return float(scores.mean())

    random = accuracy(StratifiedKFold(5, shuffle=True, random_state=0))
    by_plan = accuracy(StratifiedGroupKFold(5, shuffle=True, random_state=0))
    assert 0.68 < random < 0.80
    assert 0.45 < by_plan < random - 0.1
