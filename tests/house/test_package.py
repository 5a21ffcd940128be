"""The package as a whole: what it ships, what importing it costs, how its files are kept."""

from __future__ import annotations

import ast
import doctest
import importlib
import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "grpsparse").rglob("*.py"))
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in SOURCES
]
HEAVY = ("cupy", "matplotlib", "numba", "pandas", "scipy.stats", "sklearn", "statsmodels")
LONGEST = 400  # lines of a file; past this it holds more than one concept
README_COMMANDS = (
    (
        'pip install . && python -m grpsparse fit-cv "share ~ brand + C(plan_type) + drugs" '
        "medicare --penalty group_lasso --folds 5 --seed 1"
    ),
    'pip install ".[test]" && pytest',
)


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def run_python(code: str, folder: Path) -> str:
    """Run code in a fresh process that sees the same grpsparse as this one."""
    place = Path(find_spec("grpsparse").submodule_search_locations[0]).parent
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_importing_loads_nothing_heavy(tmp_path):
    loaded = run_python("import grpsparse, sys; print('\\n'.join(sys.modules))", tmp_path).split()
    assert [name for name in HEAVY if name in loaded] == []


def test_typed_marker_is_shipped():
    place = Path(find_spec("grpsparse").submodule_search_locations[0])
    assert (place / "py.typed").is_file()


@pytest.mark.parametrize("path", SOURCES, ids=MODULES)
def test_file_has_a_docstring_and_one_concept(path):
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "the module does not say what it is"
    assert len(text.splitlines()) <= LONGEST


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__")])
def test_examples_run(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != "cupy":
            raise
        pytest.skip("no CuPy")
    assert doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


def test_version_is_told_once(project):
    package = importlib.import_module("grpsparse")
    version = project["project"]["version"]
    assert package.__version__ == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_changelog_knows_its_four_headings():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = text.split("\n## ")[1]
    headings = re.findall(r"^### (\w+)$", newest, flags=re.MULTILINE)
    assert headings == ["New", "Changed", "Fixed", "Internal"]


@pytest.mark.parametrize("command", README_COMMANDS)
@pytest.mark.parametrize("file", ["README.md", ".ci/run"])
def test_readme_and_ci_give_the_same_commands(command, file):
    assert command in (ROOT / file).read_text(encoding="utf-8")


def test_script_points_at_main(project):
    module, _, function = project["project"]["scripts"]["grpsparse"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))
