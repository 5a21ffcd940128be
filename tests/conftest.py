"""What every test shares: one thread per process, no window, and no device unless there is one."""

from __future__ import annotations

import os

# Set before numpy and matplotlib are imported: they read these once.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest  # noqa: E402

# Of other penalties every third family is tested by default, all of them with `-m slow`; those that
# are slow for another reason too are rare, and `.ci/run` leaves them out.
CORE = ("group_lasso", "sparse_group_lasso", "group_mcp", "lasso")
EVERY = 3


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a device on a machine without one; mark what is left to the slow tests."""
    for item in items:
        if _thinned(item):
            rare = item.get_closest_marker("slow") is not None
            item.add_marker(pytest.mark.rare if rare else pytest.mark.slow)
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not _has_device():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no NVIDIA device with CuPy"))


def _thinned(item: pytest.Item) -> bool:
    """Tell whether a test of one family and one penalty is one of those that are left out."""
    from grpsparse import families, penalties

    params = getattr(getattr(item, "callspec", None), "params", {}).values()
    given = [value for value in params if isinstance(value, str)]
    family = [families.names().index(value) for value in given if value in families.names()]
    penalty = [penalties.names().index(value) for value in given if value in penalties.names()]
    if not family or not penalty or set(given) & set(CORE):
        return False
    return (family[0] + penalty[0]) % EVERY > 0


def _has_device() -> bool:
    try:
        import cupy
    except ImportError:
        return False
    try:
        return bool(cupy.cuda.runtime.getDeviceCount() > 0)
    except cupy.cuda.runtime.CUDARuntimeError:
        return False
