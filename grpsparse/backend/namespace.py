"""Which array library the arrays belong to.

Array code begins with ``xp = namespace(eta)`` and then uses the functions of the array API
standard only, so that the same lines run under NumPy, CuPy and array-api-strict.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

__all__ = ["Array", "namespace"]

Array: TypeAlias = Any
"""An array of any library that follows the array API standard."""


def namespace(*arrays: Array) -> Any:
    """Return the array API namespace that all arrays share.

    Parameters
    ----------
    *arrays : array
        At least one array; Python numbers are passed over.

    Returns
    -------
    module
        NumPy itself for NumPy arrays, else what array-api-compat gives.

    Raises
    ------
    TypeError
        If the arrays come from different libraries, or none is an array.

    Examples
    --------
    >>> import numpy as np
    >>> namespace(np.zeros(2)).__name__
    'numpy'
    """
    if all(isinstance(array, np.ndarray | float | int) for array in arrays):
        return np
    from array_api_compat import array_namespace

    return array_namespace(*arrays)
