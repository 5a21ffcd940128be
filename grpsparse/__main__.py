"""Command line: fit, cross-validate and predict without writing Python.

    python -m grpsparse fit-cv "share ~ brand + drugs" medicare --folds 5 --seed 1
    python -m grpsparse fit "low ~ age + C(race)" births.csv --penalty group_mcp:gamma=4 --save f
    python -m grpsparse predict f new.csv --lambda 0.05 --output predictions.csv

DATA is a CSV or Parquet file, or the name of a data set that grpsparse ships. Mistakes are one
line on stderr and exit code 2.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grpsparse.errors import (
    DataError,
    FamilyError,
    GrpsparseError,
    LambdaError,
    OptionError,
    PenaltyError,
)

if TYPE_CHECKING:
    import pandas as pd

    from grpsparse.results import CVFit, PathFit

__all__ = ["main"]

MISTAKE = 2  # exit code, as argparse has it
PARQUET = (".parquet", ".pq")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; None takes those of the process.

    Returns
    -------
    int
        0, or 2 after a mistake, which is told in one line on stderr.
    """
    options = _parser().parse_args(argv)
    with warnings.catch_warnings():
        warnings.showwarning = _warn
        try:
            options.run(options)
        except (GrpsparseError, OSError) as error:
            print(f"grpsparse: {' '.join(str(error).split())}", file=sys.stderr)
            return MISTAKE
    return 0


def _run_fit(options: argparse.Namespace) -> None:
    from grpsparse import fit
    from grpsparse.results.plain import path_record

    _check_outputs(options.plot, options.save)
    result = fit(options.formula, read_data(options.data), **_arguments(options))
    _finish(result, options)
    print(_json(path_record(result)) if options.json else result)


def _run_fit_cv(options: argparse.Namespace) -> None:
    from grpsparse import fit_cv
    from grpsparse.results.plain import cv_record

    _check_outputs(options.plot, options.save)
    arguments = _arguments(options)
    if options.folds is not None:
        whole = options.folds.isdecimal()
        arguments["n_folds" if whole else "folds"] = int(options.folds) if whole else options.folds
    result = fit_cv(options.formula, read_data(options.data), **arguments)
    _finish(result, options)
    print(_json(cv_record(result)) if options.json else f"{result}\n\n{result.summary()}")


def _run_predict(options: argparse.Namespace) -> None:
    from grpsparse import load

    _check_outputs(options.output)
    fit = load(options.model)
    at = _place(fit, options.lambda_)
    new = read_data(options.data)
    values = fit.predict(new, at, type=options.type, offset=options.offset, unseen=options.unseen)
    table = _prediction_table(fit, values, index=new.index, type=options.type)
    if options.output is None:
        print(table.to_csv(index_label="row"), end="")
    elif options.output.suffix in PARQUET:
        table.to_parquet(options.output)
    else:
        table.to_csv(options.output, index_label="row")


def read_data(name: str) -> pd.DataFrame:
    """Read a CSV or Parquet file, or a data set that grpsparse ships.

    Raises
    ------
    DataError
        If there is neither such a file nor such a data set, or it can't be read.
    """
    import pandas as pd

    path = Path(name)
    if path.is_file():
        read = pd.read_parquet if path.suffix in PARQUET else pd.read_csv
        try:
            return read(path)
        except (ImportError, ValueError) as error:
            raise DataError(
                f"{name!r} can't be read ({error}); give a CSV or a Parquet file."
            ) from error
    from grpsparse import datasets

    if path.suffix or name not in datasets.names():
        raise DataError(
            f"{name!r} is neither a file nor a data set; data sets are "
            f"{', '.join(datasets.names())}."
        )
    return datasets.load(name)


def read_penalty(text: str) -> Any:
    """Make a penalty from ``name`` or ``name:parameter=value,...``.

    Raises
    ------
    PenaltyError
        For an unknown name or parameter, or a value out of range.

    Examples
    --------
    >>> read_penalty("group_mcp:gamma=4").gamma
    4.0
    """
    from grpsparse import penalties

    return _with_parameters(text, penalties.get, "--penalty", PenaltyError)


def read_family(text: str) -> Any:
    """Make a family from ``name`` or ``name:parameter=value,...``.

    Raises
    ------
    FamilyError
        For an unknown name or parameter, or a value out of range.

    Examples
    --------
    >>> read_family("huber:delta=2").delta
    2.0
    >>> read_family("cox:ties=efron")
    Cox(ties='efron')
    """
    from grpsparse import families

    return _with_parameters(text, families.get, "--family", FamilyError)


def _with_parameters(
    text: str, get: Callable[[str], Any], option: str, error: type[GrpsparseError]
) -> Any:
    """Return what a name stands for, with the parameters behind its colon."""
    name, _, rest = text.partition(":")
    part = get(name)
    known = [each.name for each in fields(part) if each.init and not each.kw_only]
    values: dict[str, Any] = {}
    for given in filter(None, rest.split(",")):
        key, _, value = given.partition("=")
        if key not in known or not value:
            raise error(
                f"{given!r} in {option} {text!r} is not a parameter of {name!r}; give "
                f"{' or '.join(f'{each}=VALUE' for each in known) or 'the name alone'}."
            )
        named = isinstance(getattr(part, key), str)
        values[key] = value if named else _value(value, given, option, error)
    return replace(part, **values) if values else part


def _json(record: dict[str, Any]) -> str:
    return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)


def _arguments(options: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments that were given; the others keep the defaults of the library."""
    given = {name: getattr(options, name, None) for name in options.passed}
    for option, read in (("penalty", read_penalty), ("family", read_family)):
        text = str(given.get(option) or "")
        if text and text != "auto":
            found = read(text)
            given[option] = found if ":" in text else text
    asked = given.get("lambda_")
    if asked is not None:
        named = asked == "pivotal"
        given["lambda_"] = asked if named else [_lambda(part) for part in str(asked).split(",")]
    if given.get("standardize") == "none":
        given["standardize"] = False
    return {name: value for name, value in given.items() if value is not None}


def _finish(result: PathFit | CVFit, options: argparse.Namespace) -> None:
    """Write the plot and the fit where asked to."""
    if options.plot is not None:
        from matplotlib.figure import Figure

        from grpsparse.results.axes import SIZE

        figure = Figure(figsize=SIZE, layout="constrained")
        result.plot(ax=figure.add_subplot())
        try:
            figure.savefig(options.plot, format=options.plot.suffix[1:] or "png")
        except ValueError as error:
            raise OptionError(f"--plot {str(options.plot)!r}: {error}.") from error
    if options.save is not None:
        result.save(options.save)


def _check_outputs(*paths: Path | None) -> None:
    """Raise before a long fit where a file could not be written after it."""
    for path in paths:
        if path is not None and not path.absolute().parent.is_dir():
            raise OptionError(
                f"the folder of {str(path)!r} does not exist; make it, or write elsewhere."
            )


def _place(fit: PathFit | CVFit, text: str | None) -> Any:
    """Return the lambda of a prediction: by name for a cross-validated fit, else a number."""
    from grpsparse.results import CVFit

    if text == "pivotal":
        return text
    if isinstance(fit, CVFit):
        return "1se" if text is None else text if text in {"1se", "min"} else _lambda(text)
    if text is None or text in {"1se", "min"}:
        raise LambdaError(
            "the file holds a path without cross-validation, which has no 1se and no min; give "
            "--lambda NUMBER."
        )
    return _lambda(text)


def _lambda(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise LambdaError(f"--lambda is {text!r}; give a number from 0 up.") from None


def _value(text: str, part: str, option: str, error: type[GrpsparseError]) -> float | bool:
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    try:
        return float(text)
    except ValueError:
        raise error(f"{part!r} in {option} has no number; give one, or true/false.") from None


def _prediction_table(fit: PathFit | CVFit, values: Any, *, index: Any, type: str) -> pd.DataFrame:  # noqa: A002
    """Make a table of predictions: one column, or one per class or term."""
    import pandas as pd

    path: Any = getattr(fit, "path", fit)
    if isinstance(values, pd.DataFrame):
        return values.set_axis(
            [key if isinstance(key, str) else ":".join(map(str, key)) for key in values.columns],
            axis=1,
        )
    if values.ndim == 1:
        return pd.DataFrame({type: values}, index=index)
    return pd.DataFrame(values, index=index, columns=[str(label) for label in path.classes])


def _warn(
    message: Warning | str,
    category: type[Warning],  # noqa: ARG001
    filename: str,  # noqa: ARG001
    lineno: int,  # noqa: ARG001
    file: Any = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    print(f"grpsparse: warning: {' '.join(str(message).split())}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="grpsparse", description="Group-sparse generalised linear models."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_fit(commands)
    _add_fit_cv(commands)
    _add_predict(commands)
    return parser


def _add_fit(commands: Any) -> None:
    command = commands.add_parser("fit", help="fit a path over lambda and print it")
    names = _add_model(command)
    command.add_argument("--lambda", dest="lambda_", metavar="L1,L2", help="lambdas to solve at")
    command.set_defaults(run=_run_fit, passed=(*names, "lambda_"))


def _add_fit_cv(commands: Any) -> None:
    command = commands.add_parser("fit-cv", help="choose lambda by cross-validation and print it")
    names = _add_model(command)
    more = command.add_argument_group("cross-validation")
    more.add_argument("--folds", metavar="N", help="number of folds, or a column of fold ids")
    more.add_argument("--fold-groups", metavar="COLUMN", help="keep rows of a cluster together")
    more.add_argument("--seed", type=int, help="seed of the folds")
    more.add_argument("--measure", help="deviance, class, auc, brier, mse, mae or c_index")
    more.add_argument(
        "--no-stratify",
        dest="stratify",
        action="store_false",
        default=None,
        help="do not balance the classes over the folds",
    )
    command.set_defaults(
        run=_run_fit_cv, passed=(*names, "fold_groups", "seed", "measure", "stratify")
    )


def _add_model(command: Any) -> tuple[str, ...]:
    """Add what both fits take, and return the names that go to the library."""
    command.add_argument("formula", metavar="FORMULA", help='such as "y ~ x + C(f)"')
    command.add_argument("data", metavar="DATA", help="CSV or Parquet file, or a data set's name")
    command.add_argument(
        "--penalty", metavar="NAME[:KEY=VALUE,...]", help="such as group_mcp:gamma=4"
    )
    command.add_argument(
        "--family", metavar="NAME[:KEY=VALUE,...]", help="such as poisson, or huber:delta=2"
    )
    command.add_argument("--groups", choices=("term", "column"), help="what a group is")
    command.add_argument(
        "--class-groups", choices=("shared", "separate"), help="one set of groups, or one per class"
    )
    command.add_argument(
        "--standardize", choices=("group", "column", "none"), help="scale that is penalised"
    )
    command.add_argument("--weights", metavar="COLUMN", help="observation weights")
    command.add_argument("--offset", metavar="COLUMN", help="added to the linear predictor")
    command.add_argument("--n-lambda", type=int, metavar="N", help="length of the path")
    command.add_argument("--lambda-min-ratio", type=float, metavar="R", help="last over first")
    command.add_argument("--max-terms", type=int, metavar="N", help="stop the path beyond these")
    command.add_argument("--tol", type=float, help="bound on the certificate")
    command.add_argument("--na-action", choices=("drop", "raise"), help="missing values")
    command.add_argument("--plot", type=Path, metavar="FILE", help="write a PNG, PDF or SVG")
    command.add_argument("--save", type=Path, metavar="FILE", help="write the fit for `predict`")
    command.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return (
        "penalty",
        "family",
        "groups",
        "class_groups",
        "standardize",
        "weights",
        "offset",
        "n_lambda",
        "lambda_min_ratio",
        "max_terms",
        "tol",
        "na_action",
    )


def _add_predict(commands: Any) -> None:
    command = commands.add_parser("predict", help="predict new rows with a saved fit")
    command.add_argument("model", metavar="MODEL", help="file written by --save")
    command.add_argument("data", metavar="DATA", help="CSV or Parquet file, or a data set's name")
    command.add_argument("--lambda", dest="lambda_", metavar="1se|min|pivotal|NUMBER")
    kinds = ("response", "link", "class", "terms")
    command.add_argument("--type", choices=kinds, default="response")
    command.add_argument("--offset", metavar="COLUMN", help="added to the linear predictor")
    command.add_argument("--unseen", choices=("raise", "shrink"), default="raise")
    command.add_argument("--output", type=Path, metavar="FILE", help="CSV or Parquet; else stdout")
    command.set_defaults(run=_run_predict)


if __name__ == "__main__":
    sys.exit(main())
