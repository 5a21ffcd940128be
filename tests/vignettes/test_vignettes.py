"""Every vignette prints what it says it prints, and draws the figures it shows."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

RUN = runpy.run_path(str(Path(__file__).with_name("regenerate.py")), run_name="regenerate")
VIGNETTES = sorted(RUN["FOLDER"].glob("*.md"))
WIDTH = 80


@pytest.fixture(params=VIGNETTES, ids=lambda path: path.stem)
def vignette(request):
    return request.param


def test_vignette_prints_what_it_shows(vignette, tmp_path):
    text = vignette.read_text(encoding="utf-8")
    printed = RUN["execute"](vignette, tmp_path)
    for block, output in zip(RUN["blocks"](text), printed, strict=True):
        expected = RUN["steady"](block.output)
        assert RUN["steady"](output) == expected, f"{vignette.name}, line {block.line}"
    for figure in RUN["figures"](text):
        assert (tmp_path / figure).stat().st_size > 0
        assert (vignette.parent / figure).is_file()


def test_the_readme_prints_what_it_shows(tmp_path):
    readme = RUN["FOLDER"].parent / "README.md"
    printed = RUN["execute"](readme, tmp_path)
    for block, output in zip(RUN["blocks"](readme.read_text("utf-8")), printed, strict=True):
        assert RUN["steady"](output) == RUN["steady"](block.output)


def test_vignette_fits_the_page(vignette):
    for block in RUN["blocks"](vignette.read_text(encoding="utf-8")):
        for line in (block.code + block.output).splitlines():
            assert len(line) <= WIDTH, f"{vignette.name}, line {block.line}: {line}"


def test_every_figure_is_shown():
    shown = {name for path in VIGNETTES for name in RUN["figures"](path.read_text("utf-8"))}
    kept = {f"figures/{path.name}" for path in (RUN["FOLDER"] / "figures").iterdir()}
    assert kept == shown


def test_regenerating_replaces_outputs_only():
    text = "A\n\n```python\nprint(1)\n```\n\n```text\n2\n```\n\nB\n\n```python\nx = 1\n```\n"
    assert RUN["rewrite"](text, ["1\n", ""]) == text.replace("\n2\n", "\n1\n")
    bare = text.replace("\n```text\n2\n```\n", "")
    assert RUN["rewrite"](bare, ["1\n", ""]) == RUN["rewrite"](text, ["1\n", ""])


def test_only_rounding_may_differ():
    steady = RUN["steady"]
    assert steady("gap 1.0e-13, 0.12") == steady("gap 3.1e-09, 0.12")
    assert steady("gap 1.0e-06") != steady("gap 2.0e-06")
    text = "```python\nprint(1e-13)\n```\n\n```text\n1e-13\n```\n"
    assert RUN["rewrite"](text, ["2e-13\n"]) == text
