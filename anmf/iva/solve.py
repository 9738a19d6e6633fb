"""AuxIVA on spectrograms: the loop."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from anmf._core.arrays import is_array, like, namespace, random_generator, to_host
from anmf._core.checks import check_choice, check_count, check_real
from anmf._core.iterate import IterationInfo, Outcome, iterate
from anmf._core.types import Array, RandomState
from anmf.iva.bands import Bands
from anmf.iva.dereverberation import reverberation
from anmf.iva.estimates import COMPILED, ArrayEstimates, PlaneEstimates
from anmf.iva.scaling import inverse
from anmf.iva.source_models import among, resolve_source_model
from anmf.iva.start import given_rows, make_columns, sounding, starting_rows
from anmf.iva.updates import UPDATES


class Separation(NamedTuple):
    """What `auxiva` returns.

    Parameters
    ----------
    spectrograms : complex array of shape (n_frequencies, n_sources, n_frames)
        The sources, at the scale that demixing happens to give: `demixing` times the microphones,
        less late reverberation. See `projection_back`.
    demixing : complex array of shape (n_frequencies, n_sources, n_channels)
        From the microphones to the sources.
    objective : ndarray of shape (n_iter,)
        After every iteration.
    mixing : complex array of shape (n_frequencies, n_channels, n_sources)
        Source k sounds at channel c like ``mixing[:, c, k]`` times its spectrogram.
    taps : complex array of shape (n_frequencies, n_taps, n_sources, n_channels)
        Filters of the delayed microphones, whose output is taken off.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.iva import auxiva
    >>> X = np.random.default_rng(0).normal(size=(5, 2, 60)) + 0j
    >>> found = auxiva(X, max_iter=3)
    >>> found.demixing.shape, found.objective.shape
    ((5, 2, 2), (3,))
    >>> bool(np.allclose(found.mixing @ found.spectrograms, X))
    True
    """

    spectrograms: Array
    demixing: Array
    objective: np.ndarray
    mixing: Array
    taps: Array


@dataclass
class Progress:
    """State of the loop; `demixing` is that of the bins that sound, of microphones of level 1."""

    estimates: Any
    bands: Bands
    learned: Any
    log_determinant: float
    weights: Any = None
    objective: float = 0.0
    converged: bool = False

    @property
    def demixing(self):
        """All rows, (n_active, n_channels, n_channels)."""
        return self.estimates.W


@dataclass(frozen=True)
class Demixed:
    """How the loop ended, and what it found for all bins, on the host in double precision.

    Attributes
    ----------
    outcome : Outcome
        Its state is None if all is silent.
    rows : ndarray (n_frequencies, n_channels, n_channels)
        Sources first, then the background.
    taps : ndarray (n_frequencies, n_taps, n_channels, n_channels)
    active : ndarray of bool (n_frequencies,)
        Bins that aren't silent.
    """

    outcome: Outcome
    rows: np.ndarray
    taps: np.ndarray
    active: np.ndarray


def auxiva(
    X: Array,
    *,
    n_sources: int | None = None,
    update: str = "iss2",
    source_model: Any = "cliques",
    max_iter: int = 20,
    tol: float = 0.0,
    init: str | ArrayLike = "identity",
    n_taps: int = 0,
    delay: int = 2,
    callback: Callable[[IterationInfo], Any] | None = None,
    random_state: RandomState = None,
    verbose: int = 0,
    n_threads: int | None = None,
) -> Separation:
    """Separate the spectrograms of several microphones, without knowing where anybody is.

    Parameters
    ----------
    X : complex array of shape (n_frequencies, n_channels, n_frames)
        Short-time spectra of the microphones, of NumPy or any array-API library.
    n_sources : int or None, default None
        At most n_channels, which None stands for.
    update : {'iss2', 'iss', 'ip2', 'ip'}, default 'iss2'
        A name of `anmf.iva.UPDATES`.
    source_model : str, object or callable, default 'cliques'
        A name of `anmf.iva.SOURCE_MODELS`, a model, or a function from powers to weights.
    max_iter : int, default 20
        Most iterations.
    tol : float, default 0.0
        Least change of the objective, relative to its first value, that doesn't stop the loop.
    init : {'identity', 'pca'} or array, default 'identity'
        Where demixing starts; an array of shape (n_frequencies, n_sources or n_channels,
        n_channels) has rows for `X` as it is.
    n_taps : int, default 0
        Delayed frames of the microphones that are taken off as late reverberation.
    delay : int, default 2
        Frames before the first of them, at least 1.
    callback : callable or None, default None
        Called with an `anmf._core.iterate.IterationInfo` after each iteration; a true result stops.
    random_state : int, Generator, RandomState or None, default None
        Seed; of influence with ``source_model='nmf'`` only.
    verbose : int, default 0
        A progress bar when positive.
    n_threads : int or None, default None
        Of compiled code; None for as many as Numba may use. It doesn't change the result.

    Returns
    -------
    Separation
        Sources at no particular scale, the demixing, and how the objective fell.

    Raises
    ------
    ValueError
        For anything wrong with the parameters, spectra that aren't complex and finite, or too few
        frames or channels.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.iva import auxiva, projection_back
    >>> rng = np.random.default_rng(0)
    >>> S = rng.laplace(size=(33, 2, 200)) * rng.gamma(0.3, size=(1, 2, 200)) + 0j
    >>> X = (rng.normal(size=(33, 2, 2)) + 1j * rng.normal(size=(33, 2, 2))) @ S
    >>> Y, W, objective, *_ = auxiva(X, max_iter=10)
    >>> Y.shape, W.shape, bool(np.all(np.diff(objective) <= 0))
    ((33, 2, 200), (33, 2, 2), True)
    >>> bool(np.allclose(projection_back(Y, W).sum(axis=1), X[:, 0]))
    True
    """
    check_options(update, source_model, max_iter, tol, n_taps, delay, n_threads)
    check_spectra(X)
    n_sources = check_sources(n_sources, X.shape[1])
    found = demix(
        X, n_sources, update, source_model, max_iter=max_iter, tol=tol, init=init, n_taps=n_taps,
        delay=delay, callback=callback, random_state=random_state, verbose=verbose,
        n_threads=n_threads,
    )  # fmt: skip
    if found.outcome.interrupted:
        raise KeyboardInterrupt
    xp, W = namespace(X), like(found.rows[:, :n_sources], X)
    G = like(found.taps[:, :, :n_sources], X)
    Y = xp.matmul(W, X)
    if n_taps:
        Y = Y - reverberation(G, X, delay, xp=xp)
    mixing = like(inverse(found.rows)[:, :, :n_sources], X)
    return Separation(Y, W, np.asarray(found.outcome.history), mixing, G)


def demix(X, n_sources, update, source_model, *, max_iter, tol, init, n_taps=0, delay=2, past=None,
          level=None, callback=None, random_state=None, verbose=0, n_threads=None):  # fmt: skip
    """Run the loop on checked spectra; parameters as in `auxiva`.

    Parameters
    ----------
    past : complex array (n_frequencies, n_weights, n_channels, n_channels) or None
        Covariances of the microphones under the weights of earlier frames, to be added.
    level : float or None
        What the microphones are divided by; None for their root mean square.

    Returns
    -------
    Demixed
    """
    xp, power = namespace(X), bin_power(X)
    level = level or float(np.sqrt(power.mean())) or 1.0
    active = sounding(X, power)
    rows = given_rows(init, *X.shape[:2])  # of silent bins, they stay
    taps = np.zeros((len(rows), n_taps, *rows.shape[1:]), np.complex128)
    if not active.any():
        return Demixed(Outcome(None, converged=True), rows, taps, active)
    heard, sizes = X, power[active] / level**2
    if not active.all():
        heard = xp.take(X, like(np.flatnonzero(active), X, xp.int64), axis=0)
    if past is not None:
        past = past[active] / level**2
    memory = make_columns(heard, sizes, past, n_sources + (n_sources < X.shape[1]), xp=xp)
    model = among(resolve_source_model(source_model), active)
    bands = Bands(len(sizes), model.n_bins or len(sizes))

    def start():
        W = starting_rows(init, heard, active, level, xp=xp)
        estimates = make_estimates(
            heard, memory, W, update, bands, level=level, n_taps=n_taps, delay=delay,
            n_threads=n_threads,
        )  # fmt: skip
        shape = bands.count, n_sources, X.shape[2]
        example = xp.real(X[:1, :1, :1])
        learned = model.start(shape, bands.sizes, random_generator(random_state), example)
        log_determinant = float(xp.sum(xp.linalg.slogdet(W)[1]))
        return evaluate(Progress(estimates, bands, learned, log_determinant), model, n_sources, xp)

    def step(progress):
        progress.log_determinant += float(progress.estimates.step(progress.weights))
        return evaluate(progress, model, n_sources, xp)

    outcome = iterate(
        start, step, max_iter=max_iter, tol=tol, callback=callback, verbose=verbose,
        description="AuxIVA",
    )  # fmt: skip
    rows[active] = to_host(outcome.state.estimates.W) / level
    if n_taps:
        taps[active] = to_host(outcome.state.estimates.G) / level
    return Demixed(outcome, rows, taps, active)


def make_estimates(X, memory, W, update, bands, **options):
    """Compiled where there are twins: NumPy arrays and an update that the package comes with."""
    if isinstance(X, np.ndarray) and update in COMPILED:
        return PlaneEstimates(X, memory, W, update, bands, **options)
    options.pop("n_threads")
    return ArrayEstimates(X, memory, W, UPDATES[update], bands, **options, xp=namespace(X))


def evaluate(progress, model, n_sources, xp):
    """Take the weights of the next iteration and the objective, per bin,

        Σ_k ⟨g(|y_kft|²)⟩ + Σ_b ⟨|y_bft|²⟩ + ⟨Σ_k w_k P_k w_kᴴ⟩ − 2 ⟨log|det W|⟩,

    means over f and t, with background rows b and past covariances P.
    """
    estimates = progress.estimates
    power = estimates.power()
    weights, loss, progress.learned = model.update(power[:, :n_sources, :], progress.learned, xp=xp)
    rest = power[:, n_sources:, :]
    if rest.shape[1]:
        sizes = progress.bands.sizes
        sizes = like(sizes / sizes.mean(), rest)[:, None, None]
        loss = loss + xp.mean(rest * sizes) * rest.shape[1]
        weights = xp.concat([weights, xp.ones_like(weights[:, :1, :])], axis=1)
    progress.weights = weights
    n_bins = progress.bands.n_frequencies
    progress.objective = float(loss) + (estimates.penalty - 2 * progress.log_determinant) / n_bins
    return progress


def bin_power(X):
    """Mean power (n_frequencies,) of every bin, on the host, in double precision."""
    xp = namespace(X)
    norm = to_host(xp.linalg.vector_norm(X, axis=(1, 2))).astype(np.float64)
    return norm**2 / (X.shape[1] * X.shape[2])


def check_spectra(X):
    """Raise unless X is complex, finite and (n_frequencies, n_channels, n_frames)."""
    if not is_array(X) or X.ndim != 3 or 0 in X.shape:
        raise ValueError(
            f"X has shape {tuple(np.shape(X))}; expected spectra (n_frequencies, n_channels, "
            "n_frames), as anmf.audio.STFT gives them with axes in another order"
        )
    xp = namespace(X)
    if not xp.isdtype(X.dtype, "complex floating"):
        raise ValueError(f"X has dtype {X.dtype}; expected complex spectra")
    if not bool(xp.all(xp.isfinite(X))):
        raise ValueError("X holds NaN or infinity; clean the spectra first")
    if X.shape[1] < 2:
        raise ValueError("X has 1 channel; demixing needs the spectra of 2 microphones or more")


def check_sources(n_sources, n_channels):
    """Number of sources, from 1 to that of the channels."""
    check_count("n_sources", n_sources, optional=True)
    n_sources = n_channels if n_sources is None else n_sources
    if n_sources > n_channels:
        raise ValueError(
            f"n_sources={n_sources} is more than the {n_channels} channels can separate; use at "
            "most as many sources as channels, or a separator with examples: anmf.NMF_separation"
        )
    return n_sources


def check_options(update, source_model, max_iter, tol, n_taps, delay, n_threads):
    """Raise for parameters that no data could make right."""
    check_choice("update", update, UPDATES)
    resolve_source_model(source_model)
    check_count("max_iter", max_iter)
    check_real("tol", tol)
    check_count("n_taps", n_taps, minimum=0)
    check_count("delay", delay)
    check_count("n_threads", n_threads, optional=True)
