"""Run the code blocks of vignettes, and write their outputs and figures anew.

A vignette is Markdown. Its ``python`` blocks run in order in one namespace, in a folder with an
empty folder `figures` and the `results` of the paper benches inside; what a block prints stands in
the ``text`` block right below it.

    python tests/vignettes/regenerate.py              # all vignettes
    python tests/vignettes/regenerate.py quickstart   # one of them

Look at the difference before it is committed: the prose quotes these numbers.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

__all__ = ["FOLDER", "Block", "blocks", "execute", "figures", "rewrite", "steady"]

FOLDER = Path(__file__).resolve().parents[2] / "vignettes"
RESULTS = FOLDER.parent / "tests" / "benchmarks" / "papers" / "results"
PYTHON = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n*^```text\n(?P<output>.*?)^```\n)?",
    re.DOTALL | re.MULTILINE,
)
# A certificate this small is rounding, and differs between machines.
TINY = 1e-7
SMALL_NUMBER = re.compile(r"-?\d(?:\.\d+)?e-\d\d")
FIGURE = re.compile(r"!\[[^\]]*\]\((figures/[^)]+\.png)\)")


class Block(NamedTuple):
    """One python block: its code, the output below it, and its first line in the file."""

    code: str
    output: str
    line: int


def blocks(text: str) -> list[Block]:
    """Return the python blocks of a vignette, in order."""
    found = []
    for match in PYTHON.finditer(text):
        line = text.count("\n", 0, match.start("code"))
        found.append(Block(match["code"], match["output"] or "", line))
    return found


def figures(text: str) -> list[str]:
    """Return the figures that a vignette shows."""
    return FIGURE.findall(text)


def steady(text: str) -> str:
    """Put one word for every number below the tolerance of a fit."""
    return SMALL_NUMBER.sub(lambda m: "tiny" if abs(float(m[0])) < TINY else m[0], text)


def execute(path: Path, folder: Path) -> list[str]:
    """Run the blocks of a vignette in `folder`, and return what each prints."""
    from matplotlib import pyplot as plt

    (folder / "figures").mkdir(exist_ok=True)
    (folder / "results").symlink_to(RESULTS, target_is_directory=True)
    namespace = {"__name__": "__main__"}
    printed = []
    with contextlib.chdir(folder), plt.style.context("default"):
        for block in blocks(path.read_text(encoding="utf-8")):
            out = io.StringIO()
            # Blank lines put the line numbers of the file into tracebacks.
            code = compile("\n" * block.line + block.code, str(path), "exec")
            with contextlib.redirect_stdout(out):
                exec(code, namespace)
            printed.append("".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines()))
        plt.close("all")
    return printed


def rewrite(text: str, printed: list[str]) -> str:
    """Return the vignette with these outputs below its blocks."""
    outputs = iter(printed)

    def block(match: re.Match[str]) -> str:
        output, before = next(outputs), match["output"] or ""
        output = before if steady(output) == steady(before) else output
        code = f"```python\n{match['code']}```\n"
        return f"{code}\n```text\n{output}```\n" if output else code

    return PYTHON.sub(block, text)


def main(names: list[str]) -> None:
    """Write the outputs and figures of the vignettes of these names, or of all."""
    os.environ["MPLBACKEND"] = "Agg"
    warnings.simplefilter("error")
    (FOLDER / "figures").mkdir(exist_ok=True)
    for path in sorted(FOLDER.glob("*.md")):
        if names and path.stem not in names:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            printed = execute(path, Path(scratch))
            text = rewrite(path.read_text(encoding="utf-8"), printed)
            path.write_text(text, encoding="utf-8")
            for figure in sorted(Path(scratch, "figures").glob("*.png")):
                shutil.copyfile(figure, FOLDER / "figures" / figure.name)
        print(f"{path.name}: {len(printed)} blocks")


if __name__ == "__main__":
    main(sys.argv[1:])
