"""Speech in noise at a given ratio, from recordings of both."""

from collections.abc import Sequence
from numbers import Real

import numpy as np
from sklearn.utils import Bunch
from tqdm.auto import tqdm

from anmf._core.arrays import random_generator
from anmf._core.checks import check_choice, check_real
from anmf._core.types import RandomState
from anmf.datasets._waveforms import check_clips, fit_length, rms, waveform

LARGEST_RATIO = 200
"""In dB; beyond it, the weaker part is less than the rounding of the stronger one."""

NORMALIZE = {
    "peak": (lambda x: x / np.abs(x).max(), lambda gain: np.array([1, gain]) / (1 + gain)),
    "none": (lambda x: x, lambda gain: np.array([1, gain])),
}
"""How clips are levelled before mixing, and weights of speech and noise from the noise's gain."""

OFFSETS = {
    "start": lambda spare, rng: 0,
    "random": lambda spare, rng: int(rng.integers(spare + 1)) if spare > 0 else 0,
}
"""Where a noise is cut out that is longer than the speech, by `spare` samples."""


def make_noisy_speech(
    speech: Sequence[np.ndarray],
    noise: Sequence[np.ndarray],
    *,
    snr: float | Sequence[float] = 3.0,
    random_state: RandomState = None,
    normalize: str = "peak",
    offset: str = "start",
    min_rms: float = 1e-3,
    verbose: int = 0,
) -> Bunch:
    """Speech in noise at a given ratio of their energies, with its parts.

    For each clip x of speech a noise is drawn at random, repeated or cut to the length of the
    speech (n), and given the gain g = sqrt(Σ x² / (Σ n² 10^(snr/10))). The mixture is
    (x + g n) / (1 + g): as both clips have a peak of 1 at most, it never clips.

    Parameters
    ----------
    speech, noise : sequence of ndarray of shape (n_times,)
        Mono waveforms of one sample rate; lists, or the clips of `load_librispeech`, `load_wham`
        and `load_noise`, which are read one at a time.
    snr : float or sequence of float (n_clips,), default 3.0
        Ratio of speech to noise in dB, one for all or one for each clip of speech.
    random_state : int, Generator, RandomState or None, default None
        Seed of the draw of noises.
    normalize : {'peak', 'none'}, default 'peak'
        ``'peak'`` divides clips by their peaks and weighs them as above. ``'none'`` leaves the
        speech as it is and adds g n; the mixture may then exceed 1.
    offset : {'start', 'random'}, default 'start'
        Where a noise that is longer than the speech is cut out of.
    min_rms : float, default 0.001
        Noises whose root mean square is at most this, as they come, are left out as silent. To
        know it, all noises are read once; 0 draws from all, unread.
    verbose : int, default 0
        Above 0, a progress bar.

    Returns
    -------
    sklearn.utils.Bunch
        mixtures, speech, noise : list of ndarray of shape (n_times,)
            ``speech[i] + noise[i]`` is ``mixtures[i]``, exactly. float32 where the clips are,
            computed in double precision.
        noise_index : ndarray of int, shape (n_clips,)
            Which noise is in each mixture.
        snr : ndarray of shape (n_clips,)
            In dB, as asked for.

    Raises
    ------
    ValueError
        For sequences that are empty, clips that aren't finite mono waveforms of floats, speech that
        is silent, noises that are all silent, or options out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.datasets import make_noise, make_noisy_speech, make_voices
    >>> from anmf.metrics import snr
    >>> voices = make_voices(2, 1.0, random_state=0).waveforms
    >>> data = make_noisy_speech(list(voices.T), [make_noise(0.7, "rain", random_state=0)], snr=6)
    >>> [mixture.shape for mixture in data.mixtures]
    [(16000,), (16000,)]
    >>> round(float(snr(data.speech[0], data.mixtures[0])), 4)
    6.0
    """
    check_clips("speech", speech)
    check_clips("noise", noise)
    check_choice("normalize", normalize, NORMALIZE)
    check_choice("offset", offset, OFFSETS)
    check_real("min_rms", min_rms)
    ratios = _check_ratios(snr, len(speech))
    rng = random_generator(random_state)
    kept = _audible(noise, min_rms, verbose)
    rows = []
    bar = tqdm(ratios.tolist(), desc="mix", unit="clip", disable=not verbose, leave=False)
    for i, ratio in enumerate(bar):
        x = waveform(f"speech[{i}]", speech[i])
        chosen, n, dtype = _draw_noise(noise, kept, len(x), offset, normalize, rng)
        dtype = np.result_type(np.float32, x.dtype, dtype)
        parts = [part.astype(dtype, copy=False) for part in _level(x, n, ratio, normalize)]
        rows.append((parts[0] + parts[1], *parts, chosen))
    mixtures, clean, noises, chosen = (list(column) for column in zip(*rows, strict=True))
    return Bunch(
        mixtures=mixtures, speech=clean, noise=noises, noise_index=np.asarray(chosen), snr=ratios
    )


def _check_ratios(snr, n_clips):
    """One ratio in dB for each clip, as an array (n_clips,)."""
    ratios = np.asarray(snr) if np.iterable(snr) or isinstance(snr, Real) else np.asarray("")
    if ratios.dtype.kind not in "iuf" or ratios.shape not in ((), (n_clips,)):
        raise ValueError(
            f"snr={snr!r} must be a number in dB, or one for each of the {n_clips} clips of speech"
        )
    if not np.all(np.abs(ratios) <= LARGEST_RATIO):
        raise ValueError(f"snr={snr!r} must lie between -{LARGEST_RATIO} and {LARGEST_RATIO} dB")
    return np.full(n_clips, ratios, dtype=np.float64)


def _audible(noise, min_rms, verbose):
    """Indices of the noises that are louder than `min_rms`; all of them, unread, when that is 0."""
    if min_rms == 0:
        return range(len(noise))
    bar = tqdm(range(len(noise)), desc="listen", unit="noise", disable=not verbose, leave=False)
    kept = [i for i in bar if rms(waveform(f"noise[{i}]", noise[i], silent="ignore")) > min_rms]
    if not kept:
        raise ValueError(
            f"noise holds {len(noise)} clips, none with a root mean square above min_rms="
            f"{min_rms!r}; pass louder ones or lower min_rms"
        )
    return kept


def _draw_noise(noise, kept, n_times, offset, normalize, rng):
    """Index of a noise, the noise, levelled and of `n_times` samples, and its type as it came.

    A noise that is silent in those samples has no gain that reaches the ratio: then the next one
    that isn't is taken.
    """
    first = int(rng.integers(len(kept)))
    for step in range(len(kept)):
        chosen = kept[(first + step) % len(kept)]
        clip = waveform(f"noise[{chosen}]", noise[chosen], silent="ignore")
        start = OFFSETS[offset](len(clip) - n_times, rng)
        if np.any(fit_length(clip, n_times, start)):
            n = NORMALIZE[normalize][0](clip.astype(np.float64))
            return chosen, fit_length(n, n_times, start), clip.dtype
    raise ValueError(
        f"all {len(kept)} noises are silent in the {n_times} samples taken of each; pass "
        "others, or offset='random'"
    )


def _level(x, n, ratio, normalize):
    """Speech and noise in double precision, weighted so that their energies have the ratio."""
    scaled, weights_for = NORMALIZE[normalize]
    x = scaled(x.astype(np.float64))
    gain = np.sqrt(np.sum(x**2) / (np.sum(n**2) * 10 ** (ratio / 10)))
    weights = weights_for(gain)
    return weights[0] * x, weights[1] * n
