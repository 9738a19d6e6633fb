"""What an `AudioSeparator` is taught with: waveforms, and what is known of each."""

import numpy as np

from anmf.audio.waveforms import check_real, check_waveform


def read_examples(waveforms, y):
    """Pair waveforms with what is known of them.

    Parameters
    ----------
    waveforms : array, list of array, or None
        One waveform (n_times,) or (n_times, n_channels), or a list of them; None for the sums of
        the parts in `y`.
    y : None, sequence of int, or (list of) array (n_times, n_sources[, n_channels])
        Nothing; the source of each waveform; or its true parts, where None marks a mixture whose
        parts are unknown.

    Returns
    -------
    waveforms : list of ndarray
    labels : ndarray of int (n_waveforms,) or None
    parts : list of (ndarray (n_times, n_sources, n_channels) or None), or None
        At most one of the last two isn't None.

    Raises
    ------
    ValueError
        If the two don't fit together.
    """
    if waveforms is None and y is None:
        raise ValueError("waveforms and y are both None; expected waveforms, or their true parts")
    several = isinstance(waveforms, (list, tuple))
    if waveforms is not None:
        waveforms = [
            check_waveform(x, f"waveforms[{i}]" if several else "waveforms")
            for i, x in enumerate(waveforms if several else [waveforms])
        ]
        if not waveforms:
            raise ValueError("waveforms is an empty list; expected at least one waveform")
    if y is None:
        return waveforms, None, None
    listed = y if isinstance(y, (list, tuple)) else [y] if np.ndim(y) in (0, 2, 3) else list(y)
    if waveforms is None or any(np.ndim(item) for item in listed):
        return _with_parts(waveforms, listed)
    return waveforms, _labels(listed, len(waveforms)), None


def _labels(y, n_waveforms):
    labels = np.asarray(y)
    if labels.shape != (n_waveforms,):
        raise ValueError(
            f"y holds {len(labels)} labels for {n_waveforms} waveforms; expected the source of "
            "each waveform (-1 for a mixture), or the true parts of each"
        )
    if labels.dtype.kind not in "iuf" or np.any(labels != np.floor(labels)) or np.any(labels < -1):
        raise ValueError(
            f"y={y!r} must hold whole numbers: the source of each waveform, 0 or more, and -1 for "
            "a mixture"
        )
    return labels.astype(int)


def _with_parts(waveforms, y):
    waveforms = [None] * len(y) if waveforms is None else waveforms
    if len(waveforms) != len(y) or not y:
        raise ValueError(
            f"y holds the parts of {len(y)} waveforms, and there are {len(waveforms)}; expected an "
            "array (n_times, n_sources) for each"
        )
    parts = [
        _parts(x, item, f"y[{i}]") for i, (x, item) in enumerate(zip(waveforms, y, strict=True))
    ]
    counts = {part.shape[1] for part in parts if part is not None}
    if len(counts) != 1:
        raise ValueError(
            f"y holds parts of {sorted(counts)} sources; expected the same number for each, zeros "
            "where a source is silent"
        )
    sums = [part if part is None else part.sum(axis=1) for part in parts]
    return [s if x is None else x for x, s in zip(waveforms, sums, strict=True)], None, parts


def _parts(x, part, name):
    if part is None and x is not None:
        return None
    part = check_real(part, name) if part is not None else np.zeros(0)
    shape = "(n_times, n_sources)" if x is None else f"({len(x)}, n_sources)"
    if x is not None and x.ndim == 2:
        shape = f"({len(x)}, n_sources, {x.shape[1]})"
    channels = (x.shape[1:] == part.shape[2:]) if x is not None else True
    if part.ndim not in (2, 3) or not channels or (x is not None and len(x) != len(part)):
        raise ValueError(f"{name} has shape {part.shape}; expected true parts of shape {shape}")
    if part.shape[1] > part.shape[0]:
        raise ValueError(f"{name} has shape {part.shape}; transpose it, time comes first: {shape}")
    return part if part.ndim == 3 else part[:, :, None]


def phase_sensitive_shares(X, S):
    """Share of each source in the magnitude of the mixture, by its component in phase with it.

    r_s = clip(Re(S_s X*) / |X|, 0, |X|). Where Σ_s r_s exceeds |X| (sources in opposite phase),
    all r_s are scaled down to sum to it. The share is the mean of r_s over channels, divided by
    that of |X|.

    Parameters
    ----------
    X : complex array (n_channels, n_frames, n_frequencies)
        Spectra of the mixture.
    S : complex array (n_sources, n_channels, n_frames, n_frequencies)
        Spectra of its parts.

    Returns
    -------
    ndarray of float (n_frames, n_sources, n_frequencies)
        Between 0 and 1, as are their sums over sources (within rounding).

    References
    ----------
    Erdogan, Hershey, Watanabe and Le Roux, "Phase-sensitive and recognition-boosted speech
    separation using deep recurrent neural networks", ICASSP 2015.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[[2.0 + 0j, 2.0]]])
    >>> S = np.array([[[[1.5, 3.0]]], [[[0.5, -1.0]]]]) + 0j
    >>> phase_sensitive_shares(X, S)
    array([[[0.75, 1.  ],
            [0.25, 0.  ]]])
    """
    size = np.abs(X)
    aligned = (S * X.conj()).real / np.where(size > 0, size, 1)
    aligned = np.clip(aligned, 0, size)
    total = aligned.sum(axis=0)
    aligned *= np.where(total > size, size / np.where(total > 0, total, 1), 1)
    whole = size.mean(axis=0)
    shares = aligned.mean(axis=1) / np.where(whole > 0, whole, 1)
    return np.ascontiguousarray(np.swapaxes(shares, 0, 1))
