"""What recordings a source model can be learned from."""

import numpy as np

from anmf.audio.waveforms import check_real


def check_recordings(mixtures, sources):
    """Recordings and their sources as lists of float arrays.

    Parameters
    ----------
    mixtures : sequence of array (n_times, n_channels)
    sources : sequence of array (n_times, n_sources)

    Returns
    -------
    mixtures, sources : list of ndarray

    Raises
    ------
    ValueError
        For fewer than two recordings, unequal counts, lengths or shapes, NaN, and silence.
    """
    mixtures, sources = list(mixtures), list(sources)
    if len(mixtures) != len(sources):
        raise ValueError(
            f"mixtures and sources are {len(mixtures)} and {len(sources)}; expected the sources of "
            "each mixture, in the same order"
        )
    if len(mixtures) < 2:
        raise ValueError(
            f"mixtures has {len(mixtures)} recordings; expected two at least, since one is held "
            "out to choose the best weights: cut it in pieces, or simulate more"
        )
    pairs = [_pair(i, x, s) for i, (x, s) in enumerate(zip(mixtures, sources, strict=True))]
    return [x for x, _ in pairs], [s for _, s in pairs]


def _pair(i, mixture, source):
    x, s = check_real(mixture, f"mixtures[{i}]"), check_real(source, f"sources[{i}]")
    if x.ndim != 2 or s.ndim != 2 or x.shape != s.shape or x.shape[1] < 2:
        raise ValueError(
            f"mixtures[{i}] and sources[{i}] have shapes {x.shape} and {s.shape}; expected (n_times"
            ", n_channels) and (n_times, n_sources) with as many sources as channels, two at least"
        )
    for name, y in (("mixtures", x), ("sources", s)):
        silent = np.flatnonzero(~np.any(y != 0, axis=0))
        if len(silent):
            raise ValueError(
                f"{name}[{i}] is silent in column {silent[0]}; expected sound in each: leave that "
                "recording out"
            )
    return x, s
