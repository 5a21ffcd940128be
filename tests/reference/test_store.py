"""The stored files are those that the tests read."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

HOME = Path(__file__).parent


def read(folder):
    return {path.stem: json.loads(path.read_text()) for path in (HOME / folder).glob("*.json")}


def test_no_case_is_lost():
    cases = read("cases").values()
    assert Counter(case["kind"] for case in cases) == {"path": 93, "cv": 18}
    families = {"gaussian", "binomial", "multinomial", "poisson", "mgaussian", "cox"}
    assert {case["family"] for case in cases} == families
    assert {case["data"] for case in cases} == set(read("data"))
