"""Backend: the one place that knows array libraries, devices and compilers.

This package imports nothing heavy by itself. :mod:`grpsparse.backend.prox` and the kernels
load numba, so the code that needs them imports them inside functions.
"""

from __future__ import annotations

from grpsparse.backend.codes import LINEAR, MCP, SCAD
from grpsparse.backend.functions import exp, is_long, log, log1p, running_sum
from grpsparse.backend.namespace import Array, namespace
from grpsparse.backend.segments import segment_entries, segment_norms, segment_sums

__all__ = ["LINEAR", "MCP", "SCAD", "Array", "exp", "log", "log1p", "namespace", "segment_entries"]
__all__ += ["is_long", "running_sum", "segment_norms", "segment_sums"]
