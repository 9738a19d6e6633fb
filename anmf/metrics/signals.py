"""What every metric does with its input first: one library, real numbers, matching shapes."""

import numpy as np

from anmf._core.arrays import is_array, is_foreign, like, namespace


def as_pair(reference, estimate, *, axis=-1, zero_mean=False):
    """Reference and estimate as real floating arrays of one library, checked.

    Parameters
    ----------
    reference, estimate : array-like
        Of shapes that broadcast, and of equal length along `axis`. Integers become float64.
    axis : int
        Axis of the samples (features, or instants) of one signal.
    zero_mean : bool
        Whether to take off the mean along `axis`. A constant becomes zero exactly.

    Returns
    -------
    reference, estimate : array
    xp : namespace

    Raises
    ------
    ValueError
        For complex, empty, NaN or infinite data, and for shapes that don't fit.
    """
    reference, estimate = as_arrays(reference, estimate)
    xp = namespace(reference, estimate)
    reference = _real("reference", reference, xp)
    estimate = _real("estimate", estimate, xp)
    _check_shapes(reference, estimate, axis)
    if zero_mean:
        reference, estimate = (centred(x, axis, xp) for x in (reference, estimate))
    return reference, estimate, xp


def as_waveforms(reference, estimate):
    """Reference and estimate (..., n_times, n_sources) of the same shape, checked as by `as_pair`.

    Returns
    -------
    reference, estimate : array
    xp : namespace

    Raises
    ------
    ValueError
        As by `as_pair`, and for another orientation or another number of estimates than of sources.
    """
    reference, estimate = as_arrays(reference, estimate)
    for name, x in (("reference", reference), ("estimate", estimate)):
        check_orientation(name, x, -2)
    reference, estimate, xp = as_pair(reference, estimate, axis=-2)
    if tuple(reference.shape) != tuple(estimate.shape):
        raise ValueError(
            f"estimate has shape {tuple(estimate.shape)}; expected that of the reference, "
            f"(..., n_times, n_sources) = {tuple(reference.shape)}; to pick one estimate for each "
            "source, use anmf.metrics.permutation_invariant"
        )
    return reference, estimate, xp


def check_orientation(name, x, axis):
    """Raise unless `x` has sources next to the time axis −1 or −2, and fewer than samples."""
    form = "(..., n_times, n_sources)" if axis == -2 else "(..., n_sources, n_features)"
    if x.ndim < 2:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}; expected {form}; a single source is x[:, None]"
        )
    n_sources, n_times = x.shape[-3 - axis], x.shape[axis]
    if n_sources > n_times:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}; read as {form}, that is {n_sources} sources of "
            f"{n_times} samples; swap the last two axes, or set axis"
        )


def centred(x, axis, xp):
    """`x` without its mean along `axis`; a constant becomes zero exactly."""
    constant = xp.max(x, axis=axis, keepdims=True) == xp.min(x, axis=axis, keepdims=True)
    return xp.where(constant, 0 * x, x - xp.mean(x, axis=axis, keepdims=True))


def as_arrays(reference, estimate):
    """Both as arrays; a NumPy array or a list goes where the other one is."""
    pair = [x if is_array(x) else np.asarray(x) for x in (reference, estimate)]
    for i in range(2):
        if is_foreign(pair[i]) and not is_foreign(pair[1 - i]):
            xp = namespace(pair[i])
            floating = xp.isdtype(pair[i].dtype, "real floating")
            if pair[1 - i].dtype.kind != "c":  # complex data stay as they are, to be refused
                dtype = pair[i].dtype if floating else xp.float64
                pair[1 - i] = like(pair[1 - i], pair[i], dtype=dtype)
    return tuple(pair)


def _real(name, x, xp):
    """`x` in a real floating dtype, if it holds finite numbers."""
    if xp.isdtype(x.dtype, "complex floating"):
        raise ValueError(
            f"{name} is complex ({x.dtype}); expected real numbers: take waveforms (the inverse "
            "STFT), or magnitudes"
        )
    if 0 in x.shape:
        raise ValueError(f"{name} is empty: shape {tuple(x.shape)}; it needs at least one sample")
    if not xp.isdtype(x.dtype, "real floating"):
        return xp.astype(x, xp.float64)
    if not bool(xp.all(xp.isfinite(x))):
        raise ValueError(
            f"{name} contains NaN or infinity; expected finite numbers: leave such signals out"
        )
    return x


def _check_shapes(reference, estimate, axis):
    shapes = tuple(reference.shape), tuple(estimate.shape)
    try:
        lengths = [shape[axis] for shape in shapes]
        np.broadcast_shapes(*shapes)
    except (IndexError, ValueError):
        lengths = [0, 1]
    if lengths[0] != lengths[1]:
        raise ValueError(
            f"reference and estimate have shapes {shapes[0]} and {shapes[1]}; expected the same "
            f"length along axis={axis}, and the same shape otherwise; cut both to the shorter one"
        )
