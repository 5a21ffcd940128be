"""Where the stored numbers of the R packages are found."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def reference():
    """Return a reader of the stored reference files, by path such as ``cases/ID.json``."""
    home = Path(os.environ.get("GRPSPARSE_REFERENCE", Path(__file__).parents[1] / "reference"))
    if not home.is_dir():
        pytest.skip("no reference files; set GRPSPARSE_REFERENCE to their folder")
    return lambda path: json.loads((home / path).read_text())
