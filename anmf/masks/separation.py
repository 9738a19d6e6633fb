"""Separation by an ideal mask, of spectrograms or of waveforms."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from anmf._core.arrays import is_array, like, to_host
from anmf._core.checks import check_choice, check_count
from anmf._core.types import Array
from anmf.masks.checks import as_floating
from anmf.masks.ideal import MASKS
from anmf.masks.sharing import apply_mask


def ideal_separation(
    mixture: ArrayLike,
    sources: ArrayLike,
    mask: str = "ratio",
    *,
    n_fft: int = 1024,
    hop_length: int | None = None,
    **options: Any,
) -> Array:
    """Separate with a mask made of the true sources: an upper bound for methods that mask.

    Parameters
    ----------
    mixture : array-like of shape (n, m) or (n_times,)
        Time-frequency array, or waveform.
    sources : array-like of shape (n, n_sources, m) or (n_times, n_sources)
        True sources, of the same kind.
    mask : {'ratio', 'binary', 'phase_sensitive', 'complex'}, default 'ratio'
        A name of `MASKS`.
    n_fft : int, default 1024
        For waveforms: length of the Hann window in samples.
    hop_length : int or None, default None
        For waveforms: step between windows in samples; None for a quarter of the window. Both
        transforms are librosa's, on the host.
    **options
        Of the mask: ``power`` and ``exponent`` of `ideal_ratio`, ``truncate`` of
        `phase_sensitive`.

    Returns
    -------
    array of shape (n, n_sources, m) or (n_times, n_sources)
        Of the shape and in the library of `sources`.

    Raises
    ------
    ValueError
        For NaN or infinity, shapes that don't fit, unknown masks or signals shorter than `n_fft`.

    Examples
    --------
    Two tones that overlap in time, not in frequency:

    >>> import numpy as np
    >>> from anmf.metrics import si_sdr
    >>> tones = np.sin(np.arange(8000)[:, None] * np.array([0.1, 0.7]))
    >>> estimate = ideal_separation(tones.sum(axis=1), tones)
    >>> bool((si_sdr(tones, estimate, axis=0) > 20).all())
    True
    """
    check_choice("mask", mask, MASKS)
    S: Array = sources if is_array(sources) else np.asarray(sources)
    if S.ndim != 2:
        return apply_mask(mixture, MASKS[mask](mixture, sources, **options))
    return _separate_waveforms(
        mixture, as_floating("sources", S), MASKS[mask], n_fft, hop_length, options
    )


def _separate_waveforms(mixture, sources, mask, n_fft, hop_length, options):
    """STFT, mask, and back, on the host."""
    hop_length = _check_windows(mixture, sources, n_fft, hop_length)
    from librosa import istft, stft  # slow to import

    mixture = as_floating("mixture", mixture if is_array(mixture) else np.asarray(mixture))
    waveforms = np.column_stack([to_host(mixture), to_host(sources)])
    X, *S = stft(np.ascontiguousarray(waveforms.T, float), n_fft=n_fft, hop_length=hop_length)
    S = np.stack(S, axis=1)
    parts = np.moveaxis(apply_mask(X, mask(X, S, **options)), 1, 0)
    back = istft(parts, n_fft=n_fft, hop_length=hop_length, length=len(waveforms))
    return like(back.T, sources, dtype=sources.dtype)


def _check_windows(mixture, sources, n_fft, hop_length):
    """The step between windows, if they fit the waveforms."""
    check_count("n_fft", n_fft, minimum=2)
    check_count("hop_length", hop_length, optional=True)
    n_times = sources.shape[0]
    if 0 in sources.shape or "complex" in f"{sources.dtype}{getattr(mixture, 'dtype', '')}":
        raise ValueError(
            f"sources {tuple(sources.shape)} and mixture must be real waveforms, (n_times, "
            "n_sources) and (n_times,), of at least one source; spectrograms have three axes"
        )
    if tuple(np.shape(mixture)) != (n_times,):
        raise ValueError(
            f"mixture has shape {tuple(np.shape(mixture))}; expected (n_times,) = ({n_times},) for "
            f"sources (n_times, n_sources) = {tuple(sources.shape)}; cut both to one length"
        )
    if n_fft > n_times:
        raise ValueError(
            f"n_fft={n_fft} must be at most the length of the waveforms, {n_times} samples; "
            "set a shorter window"
        )
    hop_length = hop_length or max(n_fft // 4, 1)
    if 2 * hop_length > n_fft:
        raise ValueError(
            f"hop_length={hop_length} must be at most half of n_fft={n_fft}, or samples between "
            "windows are lost; use n_fft // 4"
        )
    return hop_length
