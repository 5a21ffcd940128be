"""The command line, with fits that are handed to it."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest

import grpsparse
from grpsparse.__main__ import main, read_data, read_family, read_penalty
from grpsparse.errors import (
    ConvergenceWarning,
    DataError,
    FamilyError,
    LambdaError,
    PenaltyError,
)
from grpsparse.results import load

pytestmark = pytest.mark.usefixtures("fake_model", "calls")

FORMULA = "y ~ x + f + z"


@pytest.fixture
def calls(monkeypatch, make_path, make_cv):
    """Let the library answer with results made by hand, and note what it was asked."""
    asked = []

    def fit(formula, data, **options):
        asked.append((formula, data, options))
        return make_path("binomial")

    def fit_cv(formula, data, **options):
        asked.append((formula, data, options))
        return make_cv(make_path("multinomial", n_classes=3))

    monkeypatch.setattr(grpsparse, "fit", fit, raising=False)
    monkeypatch.setattr(grpsparse, "fit_cv", fit_cv, raising=False)
    monkeypatch.setattr(grpsparse, "load", load, raising=False)
    return asked


@pytest.fixture
def table(tmp_path, data):
    data.to_csv(tmp_path / "data.csv", index=False)
    return str(tmp_path / "data.csv")


def test_fit_cv_prints_result_and_summary(calls, table, capsys, make_path, make_cv):
    assert main(["fit-cv", FORMULA, table]) == 0
    cv = make_cv(make_path("multinomial", n_classes=3))
    out, err = capsys.readouterr()
    assert out == f"{cv}\n\n{cv.summary()}\n"
    assert err == ""
    formula, frame, options = calls[0]
    assert formula == FORMULA
    assert frame["f"].tolist() == list("aabbccaa")
    assert options == {}  # everything else keeps the library's defaults


def test_options_reach_the_library(calls, table):
    arguments = (
        "--penalty sparse_group_lasso:alpha=0.5 --family multinomial --folds 5 --seed 1 "
        "--fold-groups plan --measure class --no-stratify --weights w --offset o "
        "--standardize none --class-groups separate --groups term --n-lambda 20 "
        "--lambda-min-ratio 0.01 --max-terms 3 --tol 1e-9 --na-action raise"
    )
    assert main(["fit-cv", FORMULA, table, *arguments.split()]) == 0
    options = calls[0][2]
    assert options.pop("penalty").alpha == 0.5
    assert options == {
        "family": "multinomial",
        "n_folds": 5,
        "seed": 1,
        "fold_groups": "plan",
        "measure": "class",
        "stratify": False,
        "weights": "w",
        "offset": "o",
        "standardize": False,
        "class_groups": "separate",
        "groups": "term",
        "n_lambda": 20,
        "lambda_min_ratio": 0.01,
        "max_terms": 3,
        "tol": 1e-9,
        "na_action": "raise",
    }


def test_folds_may_be_a_column(calls, table):
    assert main(["fit-cv", FORMULA, table, "--folds", "year"]) == 0
    assert calls[0][2] == {"folds": "year"}


def test_fit_prints_the_path(calls, table, capsys, make_path):
    assert main(["fit", FORMULA, table, "--lambda", "0.5,0.1"]) == 0
    assert capsys.readouterr().out == f"{make_path('binomial')}\n"
    assert calls[0][2] == {"lambda_": [0.5, 0.1]}


def test_json_of_a_cross_validation(table, capsys):
    assert main(["fit-cv", FORMULA, table, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["lambda_min"] == 0.2
    assert record["lambda_1se"] == 0.4
    assert record["selected"] == {"min": ["x", "f"], "1se": ["x"]}
    assert record["classes"] == ["low", "mid", "high"]
    assert record["table"][1] == {
        "lambda": 0.4,
        "cv_mean": 1.5432,
        "cv_se": 0.3,
        "n_terms": 1,
        "nonzero": 2,
    }
    assert record["coefficients"][1] == {
        "term": "x",
        "column": "x",
        "estimate": {"low": -0.5, "mid": 0.0, "high": 0.5},
    }


def test_json_of_a_path(table, capsys):
    assert main(["fit", FORMULA, table, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["certificate_kind"] == "duality_gap"
    assert len(record["table"]) == 4
    assert record["coefficients"][1]["estimate"] == 1.5


def test_plot_and_save_write_exactly_those_files(table, tmp_path):
    names = ["plot.png", "plot", "model"]
    assert main(["fit", FORMULA, table, "--plot", str(tmp_path / names[0])]) == 0
    arguments = ["--plot", str(tmp_path / names[1]), "--save", str(tmp_path / names[2])]
    assert main(["fit-cv", FORMULA, table, *arguments]) == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([*names, "data.csv"])
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert load(tmp_path / "model").lambda_min == 0.2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.csv"], "'nothing.csv' is neither a file nor a data set; data sets are anes96,"),
        (["nothing"], "'nothing' is neither a file nor a data set"),
        (["DATA", "--penalty", "group_laso"], "group_lasso"),
        (["DATA", "--family", "hubert"], "huber"),
        (["DATA", "--family", "huber:gamma=1"], "give delta=VALUE"),
        (["DATA", "--family", "poisson:theta=1"], "the name alone"),
        (["DATA", "--penalty", "group_mcp:alpha=1"], "give gamma=VALUE or rescale=VALUE"),
        (["DATA", "--save", "/no/such/folder/model"], "the folder of '/no/such/folder/model'"),
        (["DATA", "--plot", "FOLDER/plot.xyz"], "xyz"),
        (["DATA", "--plot", "FOLDER"], "irectory"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(table, tmp_path, capsys, arguments, message):
    text = [a.replace("DATA", table).replace("FOLDER", str(tmp_path)) for a in arguments]
    assert main(["fit-cv", FORMULA, *text]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("grpsparse: ")
    assert err.count("\n") == 1
    assert message in err


def test_usage_errors_exit_with_2(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["fit-cv", FORMULA])
    assert stop.value.code == 2
    assert "DATA" in capsys.readouterr().err


def test_warnings_are_lines_on_stderr(table, capsys, monkeypatch, make_path):
    def warned(*_, **__):
        warnings.simplefilter("always")
        warnings.warn("2 of 4 points did not converge.", ConvergenceWarning, stacklevel=2)
        return make_path()

    monkeypatch.setattr(grpsparse, "fit", warned)
    assert main(["fit", FORMULA, table]) == 0
    assert capsys.readouterr().err == "grpsparse: warning: 2 of 4 points did not converge.\n"


def test_predict_writes_rows_in_order(table, tmp_path, capsys):
    model = str(tmp_path / "model")
    main(["fit-cv", FORMULA, table, "--save", model])
    capsys.readouterr()
    assert main(["predict", model, table]) == 0
    printed = pd.read_csv(pd.io.common.StringIO(capsys.readouterr().out), index_col="row")
    cv = load(model)
    assert printed.columns.tolist() == ["low", "mid", "high"]
    np.testing.assert_allclose(printed, cv.predict())
    output = tmp_path / "out.csv"
    arguments = ["--lambda", "min", "--type", "class", "--output", str(output)]
    assert main(["predict", model, table, *arguments]) == 0
    assert pd.read_csv(output)["class"].tolist() == ["high"] * 8
    arguments = ["--lambda", "0.3", "--type", "terms", "--output", str(tmp_path / "out.parquet")]
    assert main(["predict", model, table, *arguments]) == 0
    terms = pd.read_parquet(tmp_path / "out.parquet")
    assert terms.columns[:4].tolist() == ["low:Intercept", "low:x", "low:f", "low:z"]


def test_predict_of_a_path_needs_a_number(table, tmp_path, capsys):
    model = str(tmp_path / "model")
    main(["fit", FORMULA, table, "--save", model])
    assert main(["predict", model, table]) == 2
    assert "give --lambda NUMBER" in capsys.readouterr().err
    assert main(["predict", model, table, "--lambda", "few"]) == 2
    assert "'few'" in capsys.readouterr().err
    assert main(["predict", model, table, "--lambda", "0.2"]) == 0
    first = capsys.readouterr().out.splitlines()[:2]
    assert first == ["row,response", f"0,{load(model).predict(None, 0.2)[0]}"]
    assert main(["predict", str(tmp_path / "missing"), table, "--lambda", "0.2"]) == 2
    assert "missing" in capsys.readouterr().err


def test_data_are_read_from_parquet_and_by_name(tmp_path, data):
    data.to_parquet(tmp_path / "data.parquet")
    pd.testing.assert_frame_equal(read_data(str(tmp_path / "data.parquet")), data)
    assert len(read_data("medicare")) > 100
    (tmp_path / "bad.parquet").write_text("not parquet")
    with pytest.raises(DataError, match="can't be read"):
        read_data(str(tmp_path / "bad.parquet"))


def test_penalties_with_parameters():
    penalty = read_penalty("group_mcp:gamma=4,rescale=false")
    assert (penalty.gamma, penalty.rescale) == (4.0, False)
    with pytest.raises(PenaltyError, match="no number"):
        read_penalty("group_mcp:gamma=big")
    with pytest.raises(PenaltyError, match="the name alone"):
        read_penalty("group_lasso:alpha=1")


def test_lambdas_are_numbers(table, capsys):
    assert main(["fit", FORMULA, table, "--lambda", "0.5,few"]) == 2
    assert "'few'" in capsys.readouterr().err
    assert issubclass(LambdaError, ValueError)


def test_families_with_parameters(calls, table):
    assert read_family("negative_binomial:theta=2.5").theta == 2.5
    with pytest.raises(FamilyError, match="has no number"):
        read_family("huber:delta=big")
    with pytest.raises(FamilyError, match="positive number"):
        read_family("huber:delta=0")
    assert read_family("cox:ties=efron").ties == "efron"
    with pytest.raises(FamilyError, match="'breslow' or 'efron'"):
        read_family("cox:ties=exact")
    assert main(["fit", FORMULA, table, "--family", "huber:delta=2"]) == 0
    assert calls[0][2]["family"].delta == 2.0
    assert main(["fit", FORMULA, table, "--family", "auto"]) == 0
    assert calls[1][2]["family"] == "auto"
