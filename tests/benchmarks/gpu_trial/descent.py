"""The kernel of descent.cu, compiled for a device or, with shim.h, for this processor.

Both are called alike, with one record of pointers and sizes, so that everything around the
kernel can be tested without a device.
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
POINTERS = [
    "columns",
    "starts",
    "diagonal",
    "level",
    "mass",
    "residual",
    "queue",
    "length",
    "tolerance",
    "beta",
    "scale",
    "effort",
]
JOB = np.dtype(
    [(name, np.uintp) for name in POINTERS]
    + [(name, np.int32) for name in ("n_columns", "n_groups", "room", "max_sweeps")]
    + [("gamma", np.float32)],
    align=True,
)
ENTRY_BYTES = 16 + 4  # of shared memory for a group in the queue
LARGEST_SHARED = 227 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Variant:
    """What the kernel is compiled for.

    Attributes
    ----------
    size, n : int
        Columns of the largest group; rows.
    threads : int
        Threads of a block.
    buffer : {0, 1, 2}
        Load a tile when it is visited, or one visit ahead to shared memory, or to registers.
    adapt : {0, 1}
        Whether the scalar metrics follow the observed curvature.
    fast : {0, 1}
        Approximate division and square root; on a device only.
    warp : int
        Threads that exchange values; 32 on a device.
    """

    size: int
    n: int
    threads: int = 256
    buffer: int = 2
    adapt: int = 1
    fast: int = 0
    warp: int = 32

    @property
    def rows(self) -> int:
        """Rows with their padding."""
        return -(-self.n // 4) * 4

    def definitions(self) -> list[str]:
        """Return the options that fix the constants of the kernel."""
        names = ("size", "rows", "threads", "buffer", "adapt")
        return [f"-D{name.upper()}={getattr(self, name)}" for name in names]

    def shared_bytes(self, room: int) -> int:
        """Return the dynamic shared memory of a block whose queue has `room` places."""
        return ENTRY_BYTES * room + (self.buffer == 1) * 8 * self.size * self.rows


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """Where arrays live and kernels run.

    Attributes
    ----------
    xp : module
        numpy or cupy.
    compile : callable
        Variant -> function of (number of tasks, job, shared bytes).
    wait : callable
        Return once everything asked for is done.
    """

    xp: Any
    compile: Callable[[Variant], Callable[[int, np.ndarray, int], None]]
    wait: Callable[[], None]

    def host(self, array: Any) -> np.ndarray:
        """Return the array as a NumPy array."""
        return array if self.xp is np else self.xp.asnumpy(array)

    def seconds(self, work: Callable[[], Any]) -> float:
        """Return the wall time of `work` with everything it asked for."""
        self.wait()
        start = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - start


def processor() -> Machine:
    """Return this processor, one block after another."""
    return Machine(np, _compile_for_processor, lambda: None)


def device() -> Machine:
    """Return the current NVIDIA device."""
    import cupy

    return Machine(cupy, _compile_for_device, cupy.cuda.Device().synchronize)


def _compile_for_processor(variant: Variant) -> Callable[[int, np.ndarray, int], None]:
    compiler = os.environ.get("CXX", "g++")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "descent.so"
        subprocess.run(
            [
                *(compiler, "-std=c++20", "-O2", "-fPIC", "-shared", "-pthread"),
                *("-Wall", "-Werror", "-Wno-unknown-pragmas"),
                *(*variant.definitions(), f"-DWARP={variant.warp}"),
                *("-x", "c++", str(HERE / "descent.cu"), "-o", str(library)),
            ],
            check=True,
        )
        function = ctypes.CDLL(str(library)).descend_tasks
    function.argtypes = [ctypes.c_int, ctypes.c_void_p]
    function.restype = None
    return lambda tasks, job, _: function(tasks, job.ctypes.data)


def _compile_for_device(variant: Variant) -> Callable[[int, np.ndarray, int], None]:
    import cupy

    options = ("-std=c++17", *variant.definitions(), *["--use_fast_math"] * variant.fast)
    module = cupy.RawModule(code=(HERE / "descent.cu").read_text(encoding="utf-8"), options=options)
    kernel = module.get_function("descend")
    kernel.max_dynamic_shared_size_bytes = LARGEST_SHARED - kernel.shared_size_bytes

    def launch(tasks: int, job: np.ndarray, shared: int) -> None:
        kernel((tasks,), (variant.threads,), (job,), shared_mem=shared)

    return launch


def pack(arrays: dict[str, Any], **numbers: float) -> np.ndarray:
    """Return the record that the kernel takes; the arrays have to outlive its use."""
    job = np.zeros(1, dtype=JOB)
    for name in POINTERS:
        array = arrays[name]
        wanted = 8 if name == "beta" else 4
        if not array.flags.c_contiguous or array.dtype.itemsize != wanted:
            raise ValueError(f"`{name}` is {array.dtype} with strides {array.strides}")
        job[name] = array.ctypes.data if isinstance(array, np.ndarray) else array.data.ptr
    for name, value in numbers.items():
        job[name] = value
    return job
