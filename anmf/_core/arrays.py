"""Array namespaces: which library an array belongs to, and how to move between it and the host."""

from typing import Any

import array_api_compat
import numpy as np
from scipy import sparse


def namespace(*arrays):
    """Array-API namespace of `arrays`; NumPy for SciPy's sparse matrices and for plain lists."""
    known = [a for a in arrays if is_array(a) and not sparse.issparse(a)]
    return array_api_compat.array_namespace(*known or [np.empty(0)])


def is_array(x):
    """Whether `x` is an array of some array-API library, or a SciPy sparse matrix."""
    return sparse.issparse(x) or array_api_compat.is_array_api_obj(x)


def is_foreign(x):
    """Whether `x` is an array of a library other than NumPy and SciPy."""
    return (
        not isinstance(x, np.ndarray)
        and not sparse.issparse(x)
        and array_api_compat.is_array_api_obj(x)
    )


def to_host(x: Any) -> np.ndarray:
    """Copy `x` to a NumPy array, from whatever library and device it lives on."""
    if not is_foreign(x):
        return np.asarray(x)
    if array_api_compat.is_cupy_array(x):
        return x.get()
    if array_api_compat.is_torch_array(x):
        return x.detach().cpu().numpy()
    xp = namespace(x)
    if hasattr(xp, "Device"):  # array_api_strict: leave the simulated accelerator
        x = array_api_compat.to_device(x, xp.Device("CPU_DEVICE"))
    return np.asarray(x)


def device(x):
    """Device that `x` lives on."""
    return array_api_compat.device(x)


def like(values, reference, dtype=None):
    """Put host `values` into the library and on the device of `reference`, in its dtype."""
    dtype = dtype or reference.dtype
    if not is_foreign(reference):
        return np.asarray(values, dtype=dtype)
    xp = namespace(reference)
    return xp.asarray(values, dtype=dtype, device=array_api_compat.device(reference))


def moved(values, reference):
    """Array `values` in the library, on the device and in the dtype of `reference`."""
    if sparse.issparse(reference):
        reference = reference.data
    if namespace(values) is namespace(reference):
        same_device = array_api_compat.device(values) == array_api_compat.device(reference)
        if same_device and values.dtype == reference.dtype:
            return values
    return like(to_host(values), reference)


def take_rows(x, rows):
    """Rows of `x` by host indices `rows`, whatever the library (SciPy sparse included)."""
    if sparse.issparse(x) or isinstance(x, np.ndarray):
        return x[rows]
    xp = namespace(x)
    return xp.take(x, like(rows, x, dtype=xp.int64), axis=0)


def put_rows(x, rows, values):
    """Copy of `x` whose rows at the different host indices `rows` are `values`."""
    if isinstance(x, np.ndarray):
        x = x.copy()
        x[rows] = values
        return x
    xp, place = namespace(x), np.full(x.shape[0], -1)
    place[rows] = np.arange(len(rows))
    spread = take_rows(values, np.maximum(place, 0))
    put = (place >= 0).reshape(-1, *(1,) * (x.ndim - 1))
    return xp.where(like(put, x, dtype=xp.bool), spread, x)


def total(x, xp):
    """Sum of all entries as a Python float, accumulated in double precision."""
    return float(xp.sum(x, dtype=xp.float64))


def weighted_inner(A, B, weight, xp):
    """Σ_i ω_i ⟨a_i, b_i⟩ over rows as a Python float; `weight` is a float or (n, 1)."""
    return total(xp.vecdot(A, B)[:, None] * weight, xp)


def random_generator(random_state):
    """NumPy Generator from an int, a Generator, a legacy RandomState or None (fresh entropy)."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**32, size=4, dtype=np.uint32))
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"random_state={random_state!r} must be None, an integer of at least 0, "
            "a numpy.random.Generator or a RandomState"
        ) from error
