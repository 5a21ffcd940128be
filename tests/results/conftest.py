"""Results built by hand: a path whose every number is known without an engine."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from grpsparse import families, penalties
from grpsparse.errors import UnseenLevelError
from grpsparse.folds import FoldPlan
from grpsparse.groups import Deferred, TermColumns
from grpsparse.record import Effort
from grpsparse.results import CVFit, PathFit, Settings, Training
from grpsparse.results.save import MODELS

TREATMENT = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


@dataclass(frozen=True)
class FakeModel:
    """y ~ x + f + z with f a factor of three levels; design columns x, f[a], f[b], f[c], z."""

    terms: tuple[TermColumns, ...]
    formula: str | None = "y ~ x + f + z"
    response: str = "y"

    @property
    def columns(self):
        return tuple(column for term in self.terms for column in term.columns)

    def matrix(self, new: Any, *, unseen: str = "raise"):
        frame = pd.DataFrame(new)
        known = {"a": 1, "b": 2, "c": 3}
        X = np.zeros((len(frame), 5))
        complete = frame[["x", "f", "z"]].notna().all(axis=1).to_numpy()
        X[complete, 0] = frame["x"].to_numpy(float)[complete]
        X[complete, 4] = frame["z"].to_numpy(float)[complete]
        for row in np.flatnonzero(complete):
            level = frame["f"].iloc[row]
            if level in known:
                X[row, known[level]] = 1.0
            elif unseen == "raise":
                raise UnseenLevelError(f"level {level!r} of f was not seen in training.")
        return X, complete, frame.index

    def column(self, new: Any, name: str):
        return pd.DataFrame(new)[name].to_numpy(float)

    def to_dict(self):
        coded = self.terms[1].report_coding is not None
        return {"coded": coded, "formula": self.formula}

    @classmethod
    def from_dict(cls, content):
        return cls(make_terms(contrast=content["coded"]), content["formula"])


def make_terms(*, contrast: bool = False):
    factor = TermColumns(
        "f", "factor", ("f[a]", "f[b]", "f[c]"), np.array([1, 2, 3]), "rms", ("a", "b", "c")
    )
    if contrast:
        factor = replace(factor, report_columns=("f[T.b]", "f[T.c]"), report_coding=TREATMENT)
    return (
        TermColumns("x", "numeric", ("x",), np.array([0])),
        factor,
        TermColumns("z", "numeric", ("z",), np.array([4])),
    )


# Columns x, f[a], f[b], f[c], z at four lambdas: x comes in second, f third, z never.
COEF = np.array(
    [
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [0.5, 0.0, 0.0, 0.0, 0.0],
        [1.0, -0.25, 0.25, 0.25, 0.0],
        [1.5, -0.5, 0.25, 0.75, 0.0],
    ]
)
# With unit weights: x has unit variance, f has the shares 1/2, 1/4, 1/4.
NORMS = np.array([[0.0, 0.0, 0.0], [0.5, 0.0, 0.0], [1.0, 0.25, 0.0], [1.5, 0.28125**0.5, 0.0]])
LAMBDAS = np.array([0.8, 0.4, 0.2, 0.1])
EFFORT = Effort(
    groups=np.array([0, 1, 3, 3]),
    passes=np.array([0.0, 1.0, 0.25, 0.5]),
    sweeps=np.array([1, 4, 6, 9]),
    newton_steps=np.array([1, 2, 2, 1]),
    working_set=np.array([0, 1, 2, 2]),
    stages=np.zeros(4, dtype=int),
    seconds_screen=np.array([0.001, 0.001, 0.002, 0.001]),
    seconds_solve=np.array([0.0, 0.004, 0.003, 0.002]),
    seconds_certify=np.array([0.0, 0.001, 0.001, 0.001]),
    arithmetic="residual",
)
DATA = pd.DataFrame(
    {
        "x": [-1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0],
        "f": list("aabbccaa"),
        "z": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
    },
    index=list("stuvwxyz"),
)


@pytest.fixture
def data():
    return DATA.copy()


@pytest.fixture
def lambdas():
    return LAMBDAS.copy()


def build_path(
    family: str = "gaussian",
    *,
    n_classes: int = 1,
    contrast: bool = False,
    separate: bool = False,
    penalty: Any = "group_lasso",
    intercept: bool = True,
    offset: Any = None,
    offset_name: str | None = None,
    weights: Any = None,
    leak: Any = None,
    notes: tuple[str, ...] = (),
    model: Any = None,
    **fields: Any,
) -> PathFit:
    """Build a path with the coefficients of this file, class k having (k - 1) times them."""
    chosen, shape = families.get(family), penalties.get(penalty)
    model = FakeModel(make_terms(contrast=contrast)) if model is None else model
    X = model.matrix(DATA)[0]
    scale = np.ones(1) if n_classes == 1 else np.arange(n_classes) - 1.0
    coef = COEF[:, :, None] * scale
    const = np.tile(2.0 * scale, (LAMBDAS.size, 1)) if intercept else np.zeros((4, scale.size))
    y, classes = {
        "gaussian": (np.array([1.0, 3.0, 2.0, 5.0, 1.0, 4.0, 0.0, 3.0])[:, None], None),
        "poisson": (np.array([1.0, 3.0, 2.0, 5.0, 1.0, 4.0, 0.0, 3.0])[:, None], None),
        "binomial": (np.array([0.0, 1, 0, 1, 1, 1, 0, 1])[:, None], ("no", "yes")),
        "multinomial": (np.eye(3)[[0, 2, 1, 2, 0, 1, 0, 2]], ("low", "mid", "high")),
    }[family]
    weights = np.ones(8) if weights is None else weights
    norms = NORMS[:, :, None] * np.abs(scale) if separate else NORMS * np.linalg.norm(scale)
    shift = 0.0 if offset is None else offset
    eta = np.einsum("ij,ljk->lik", X, coef) + const[:, None, :] + shift
    deviance = np.array([weights @ chosen.deviance(y, chosen.mean(each)) for each in eta])
    null = chosen.mean(chosen.link(np.tile(weights @ y / weights.sum(), (8, 1))))
    values = {
        "model": model,
        "family": chosen,
        "penalty": shape,
        "training": Training(
            blocks=(X,),
            y=y,
            weights=weights,
            offset=offset,
            offset_name=offset_name,
            rows=np.array([0, 1, 2, 3, 5, 6, 7, 8]),
            n_given=10,
            index=DATA.index,
        ),
        "settings": Settings(
            call='fit("y ~ x + f + z")',
            standardize="group",
            class_groups="separate" if separate else "shared",
            groups="term",
            intercept=intercept,
            tol=1e-7,
            notes=notes,
        ),
        "classes": classes,
        "lambda_": LAMBDAS,
        "raw_coef": coef,
        "raw_intercept": const,
        "leak": leak,
        "group_norms": norms,
        "group_weights": np.array([1.0, np.sqrt(2.0), 1.0]),
        "ranks": Deferred.of(np.array([1, 2, 1])),
        "certificate": np.array([0.0, 1e-9, 3e-8, 5e-9]),
        "certificate_kind": "duality_gap" if shape.convex else "stationarity",
        "converged": np.ones(4, dtype=bool),
        "n_iter": np.array([0, 3, 5, 7]),
        "deviance": deviance,
        "null_deviance": float(weights @ chosen.deviance(y, null)),
        "effort": EFFORT,
    }
    return PathFit(**(values | fields))


def build_cv(path: PathFit, **fields: Any) -> CVFit:
    """Build a cross-validation: three folds, and out-of-fold means equal to the fitted ones."""
    training = path.training
    fitted = np.asarray(path.predict())
    oof = np.full((training.n_given, *fitted.shape[1:]), np.nan)
    oof[training.rows] = fitted
    values = {
        "path": path,
        "call": 'fit_cv("y ~ x + f + z", n_folds=3, seed=1)',
        "measure": path.family.default_measure,
        "cv_mean": np.array([2.5, 1.5432, 1.25, 1.375]),
        "cv_se": np.array([0.4, 0.3, 0.3, 0.31]),
        "index_min": 2,
        "index_1se": 1,
        "plan": FoldPlan(
            assignment=np.array([0, 1, 2, 0, 1, 2, 0, 1]),
            n_folds=3,
            stratified=path.classes is not None,
            clustered=False,
            labels=(0, 1, 2),
        ),
        "oof": oof,
        "oof_index": np.arange(path.lambda_.size),
        "fold_converged": np.ones(3, dtype=bool),
        "seed": 1,
    }
    return CVFit(**(values | fields))


@pytest.fixture
def make_path():
    return build_path


@pytest.fixture
def make_cv():
    return build_cv


@pytest.fixture
def fake_model(monkeypatch):
    """Let files name the model of these tests."""
    monkeypatch.setitem(sys.modules, "fake_models", SimpleNamespace(FakeModel=FakeModel))
    monkeypatch.setitem(MODELS, "FakeModel", "fake_models")
    return FakeModel
