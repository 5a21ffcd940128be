"""What every test shares: one thread per process, no window, and no device unless there is one."""

from __future__ import annotations

import os

# Set before numpy and matplotlib are imported: they read these once.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a device on a machine without one."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not _has_device():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no NVIDIA device with CuPy"))


def _has_device() -> bool:
    try:
        import cupy
    except ImportError:
        return False
    try:
        return bool(cupy.cuda.runtime.getDeviceCount() > 0)
    except cupy.cuda.runtime.CUDARuntimeError:
        return False
