"""What every mask does with its input first."""

import numpy as np

from anmf._core.arrays import is_array, moved, namespace


def checked_sources(sources):
    """Sources as a finite floating array (n, n_sources, m), and its namespace."""
    sources = sources if is_array(sources) else np.asarray(sources)
    check_axes("sources", sources)
    return as_floating("sources", sources), namespace(sources)


def checked_mixture(mixture, sources):
    """Mixture as a finite floating array (n, m) that belongs to sources (n, n_sources, m)."""
    return as_floating("mixture", as_mixture(mixture, sources))


def as_mixture(mixture, sources):
    """Mixture as an array (n, m), if it belongs to sources or a mask (n, n_sources, m)."""
    mixture = mixture if is_array(mixture) else moved(np.asarray(mixture), sources)
    expected = (sources.shape[0], sources.shape[2])
    if tuple(mixture.shape) != expected:
        raise ValueError(
            f"mixture has shape {tuple(mixture.shape)}; expected (n, m) = {expected}, the shape of "
            f"the sources, {tuple(sources.shape)}, without their axis 1; cut both to one length"
        )
    return mixture


def check_axes(name, x):
    """Raise unless `x` has the form (n, n_sources, m) and isn't empty."""
    if x.ndim != 3 or 0 in x.shape:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}; expected (n, n_sources, m), sources at axis 1; "
            "put them there with numpy.stack(sources, axis=1)"
        )


def as_floating(name, x):
    """`x` in a floating dtype, real or complex, if it holds finite numbers."""
    xp = namespace(x)
    if not xp.isdtype(x.dtype, ("real floating", "complex floating")):
        return xp.astype(x, xp.float64)
    if not bool(xp.all(xp.isfinite(x))):
        raise ValueError(f"{name} contains NaN or infinity; expected finite numbers: clean it")
    return x
