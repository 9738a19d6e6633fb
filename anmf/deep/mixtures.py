"""Mixtures of talkers to train on, drawn as training goes."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from anmf._core.checks import check_count, check_real
from anmf.audio.waveforms import check_waveform, level_of

SPEEDS = (1.0, 0.9, 1.1, 0.85, 1.15)
"""Factors of tempo and pitch alike, which make more voices of each."""

_FRAME, _MARGIN, _RANGE = 0.02, 0.1, 35.0
"""Of the search for pauses: seconds of a frame, seconds kept around speech, dB below the loudest
frames that count as speech."""


@dataclass(frozen=True)
class Talkers:
    """Speech to draw mixtures from; `prepare_talkers` makes it.

    Attributes
    ----------
    names : tuple
        Speaker ids, in order.
    speech : tuple of tuple of ndarray (n_times,)
        Of each talker at each speed: recordings without pauses one after another, float32.
    sample_rate : int
        In Hz.
    """

    names: tuple
    speech: tuple
    sample_rate: int

    @property
    def seconds(self):
        """Length of all speech at the first speed."""
        return sum(len(versions[0]) for versions in self.speech) / self.sample_rate


def prepare_talkers(waveforms, speakers, sample_rate, *, to_rate=8000, speeds=SPEEDS):
    """Resample speech to all speeds, cut its pauses, and bring every recording to unit RMS.

    Parameters
    ----------
    waveforms : sequence of ndarray of float (n_times,)
        Each of one talker. Silent ones are left out.
    speakers : sequence
        Who talks in each: ids that can be sorted.
    sample_rate : int
        Of `waveforms`, in Hz.
    to_rate : int
        Of the result, in Hz.
    speeds : sequence of float
        From 0.5 to 2, each to two decimals. Every one takes as much memory again, 115 MB an hour
        of speech at 8 kHz.

    Returns
    -------
    Talkers

    Raises
    ------
    ValueError
        For anything but mono floating-point waveforms, as many speakers as these, and speeds and
        rates as above; if all are silent.

    Examples
    --------
    >>> import numpy as np
    >>> tones = np.sin(np.outer([0.2, 0.4, 0.7], np.arange(8000)))
    >>> talkers = prepare_talkers(list(tones), ["b", "a", "b"], 16000, speeds=[1.0])
    >>> talkers.names, [len(versions[0]) for versions in talkers.speech]
    (('a', 'b'), [4000, 8000])
    """
    check_count("sample_rate", sample_rate, minimum=1000)
    check_count("to_rate", to_rate, minimum=1000)
    if not len(speeds):
        raise ValueError("speeds is empty; expected at least one, as [1.0]")
    for speed in speeds:
        check_real("speeds", speed, minimum=0.5, maximum=2.0)
    if len(speakers) != len(waveforms):
        raise ValueError(
            f"speakers names {len(speakers)} for {len(waveforms)} waveforms; expected one each"
        )
    pieces = {}
    for i, (x, name) in enumerate(zip(waveforms, speakers, strict=True)):
        x = _check_mono(x, f"waveforms[{i}]")
        if np.any(x):
            versions = [_version(x, sample_rate, to_rate, speed) for speed in speeds]
            pieces.setdefault(name, []).append(versions)
    if not pieces:
        raise ValueError("waveforms has no sound in it; expected recordings of speech")
    names = tuple(sorted(pieces))
    speech = tuple(
        tuple(np.concatenate(parts) for parts in zip(*pieces[name], strict=True)) for name in names
    )
    return Talkers(names, speech, int(to_rate))


def change_speed(x, sample_rate, to_rate, speed=1.0):
    """Waveform at another rate that, played there, runs `speed` times as fast.

    Parameters
    ----------
    x : ndarray of float (n_times,)
    sample_rate, to_rate : int
        In Hz.
    speed : float
        Taken to two decimals.

    Returns
    -------
    ndarray (⌈n_times · to_rate / (sample_rate · speed)⌉,)

    Examples
    --------
    >>> import numpy as np
    >>> len(change_speed(np.ones(16000), 16000, 8000, 1.25))
    6400
    """
    from scipy.signal import resample_poly

    ratio = Fraction(int(to_rate), int(sample_rate)) / Fraction(round(100 * speed), 100)
    return resample_poly(x, ratio.numerator, ratio.denominator)


def cut_pauses(x, sample_rate):
    """Speech without its pauses: frames within 35 dB of the loudest ones, and 0.1 s around them.

    The loudest are the 98th percentile of 20 ms frames, so that a click sets no standard.

    Parameters
    ----------
    x : ndarray of float (n_times,)
    sample_rate : int
        In Hz.

    Returns
    -------
    ndarray
        As it is if shorter than a frame. At the end, less than a frame is lost.
    """
    n = round(_FRAME * sample_rate)
    if len(x) < n:
        return x
    frames = x[: len(x) // n * n].reshape(-1, n)
    power = np.mean(np.square(frames, dtype=np.float64), axis=1)
    speech = power > np.quantile(power, 0.98) * 10 ** (-_RANGE / 10)
    reach = round(_MARGIN / _FRAME)
    # mode="same" would give the longer of the two where there are few frames.
    near = np.convolve(speech, np.ones(2 * reach + 1))[reach : reach + len(speech)] > 0
    return frames[near].reshape(-1)


def draw_sources(
    talkers, n_mixtures, n_times, rng, *, n_sources=2, level_range=(0.0, 5.0), dtype=np.float32
):
    """Excerpts of different talkers, to be summed: the sources of mixtures.

    All talkers are as likely, however much they said, and so are their speeds. The first excerpt
    has unit RMS, the others are lower by random levels.

    Parameters
    ----------
    talkers : Talkers
    n_mixtures : int
    n_times : int
        Samples of an excerpt; zeros follow speech that is shorter.
    rng : numpy.random.Generator
    n_sources : int
    level_range : (float, float)
        Least and most dB by which each further talker is lower than the first.
    dtype : dtype

    Returns
    -------
    ndarray (n_mixtures, n_sources, n_times)

    Raises
    ------
    ValueError
        For fewer talkers than sources, and numbers out of range.
    """
    _check_draw(talkers, n_mixtures, n_times, n_sources, level_range)
    drawn = np.zeros((n_mixtures, n_sources, n_times), dtype)
    for sources in drawn:
        who = rng.choice(len(talkers.speech), n_sources, replace=False)
        for k, source in enumerate(sources):
            versions = talkers.speech[who[k]]
            excerpt = _excerpt(versions[rng.integers(len(versions))], n_times, rng)
            lower = rng.uniform(*level_range) if k else 0.0
            gain = 10 ** (-lower / 20) / max(level_of(excerpt), 1e-4)
            source[: len(excerpt)] = gain * excerpt
    return drawn


def batches(talkers, n_mixtures, n_times, seed, **options):
    """Function of a step's number that gives its sources, the same ones whenever it is asked.

    What `anmf.deep.train` takes as `batch`.

    Parameters
    ----------
    talkers, n_mixtures, n_times
        As in `draw_sources`.
    seed : int
        Of all steps.
    **options
        Of `draw_sources`.

    Returns
    -------
    callable
        Maps the number of a step to an ndarray (n_mixtures, n_sources, n_times).

    Raises
    ------
    ValueError
        As in `draw_sources`, and for seeds below 0.

    Examples
    --------
    >>> import numpy as np
    >>> tones = np.sin(np.outer([0.2, 0.4, 0.7], np.arange(8000)))
    >>> talkers = prepare_talkers(list(tones), ["a", "b", "c"], 8000)
    >>> batch = batches(talkers, 4, 2000, seed=0, n_sources=3)
    >>> batch(7).shape, bool(np.all(batch(7) == batch(7))), bool(np.all(batch(7) == batch(8)))
    ((4, 3, 2000), True, False)
    """
    check_count("seed", seed, minimum=0)
    level_range = options.get("level_range", (0.0, 5.0))
    _check_draw(talkers, n_mixtures, n_times, options.get("n_sources", 2), level_range)

    def batch(step):
        rng = np.random.default_rng((seed, step))
        return draw_sources(talkers, n_mixtures, n_times, rng, **options)

    return batch


def _version(x, sample_rate, to_rate, speed):
    """A recording at one speed, without pauses, at unit RMS."""
    y = cut_pauses(change_speed(x, sample_rate, to_rate, speed), to_rate)
    return (y / max(level_of(y), np.finfo(np.float32).tiny)).astype(np.float32)


def _excerpt(x, n_times, rng):
    start = rng.integers(max(1, len(x) - n_times + 1))
    return x[start : start + n_times]


def _check_mono(x, name):
    x = check_waveform(x, name)
    if x.ndim != 1:
        raise ValueError(
            f"{name} has shape {x.shape}; expected one channel (n_times,): take one of several"
        )
    return x


def _check_draw(talkers, n_mixtures, n_times, n_sources, level_range):
    for name, value in (
        ("n_mixtures", n_mixtures), ("n_times", n_times), ("n_sources", n_sources)
    ):  # fmt: skip
        check_count(name, value)
    if n_sources > len(talkers.speech):
        raise ValueError(
            f"n_sources={n_sources} must be at most the number of talkers, {len(talkers.speech)}: "
            "those in a mixture are different"
        )
    if len(level_range) != 2 or not 0 <= level_range[0] <= level_range[1] < np.inf:
        raise ValueError(
            f"level_range={level_range!r} must be two numbers of dB, at least 0, the lower first"
        )
