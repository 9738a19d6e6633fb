"""Recordings that come in blocks: frames without seams, held or learned filters."""

import numpy as np

from anmf.audio.stft import analyse
from anmf.audio.stream import overlap_blocks
from anmf.iva.online import Memory
from anmf.iva.recording import check_samples


class Stream(Memory):
    """`Memory`, and the samples that wait for a frame to be full.

    The frames are those that `anmf.audio.STFT` has for the whole stream.

    Parameters
    ----------
    frames : tuple
        n_fft, hop_length and window.
    X : ndarray (n_times, n_channels)
        Of which the channels and the precision count.
    init, forgetting
        As in `Memory`.
    """

    def __init__(self, frames, X, init, forgetting):
        super().__init__(frames[0] // 2 + 1, X.shape[1], init, forgetting)
        self._frames = frames
        self._heard = np.zeros((X.shape[1], frames[0] // 2), X.dtype)  # silence before the stream

    def push(self, X):
        """Spectra (n_frequencies, n_channels, n) of the frames that samples (n_times, ...) end."""
        n_fft, hop_length, _ = self._frames
        self._heard = np.concatenate([self._heard, X.T.astype(self._heard.dtype)], axis=1)
        n_frames = max(0, (self._heard.shape[1] - n_fft) // hop_length + 1)
        if not n_frames:
            dtype = np.result_type(self._heard.dtype, np.complex64)
            return np.zeros((n_fft // 2 + 1, len(self._heard), 0), dtype)
        Z = analyse(self._heard[:, : n_fft + (n_frames - 1) * hop_length], *self._frames)
        self._heard = self._heard[:, n_frames * hop_length :]
        return np.moveaxis(Z, -1, 0)


def stream_parts(model, blocks, demixing, form):
    """Parts of a stream of blocks, demixed frame by frame.

    Parameters
    ----------
    model : AuxIVA
    blocks : iterable of array-like (n, n_channels)
    demixing : callable
        `held` or `learning`: of the model and the form, gives a function of the next spectra
        (n_frequencies, n_channels, n_frames) that returns those of the parts.
    form : callable
        `tracks` or `images`.

    Returns
    -------
    iterator of ndarray (n, n_sources, n_outputs)

    Raises
    ------
    ValueError
        For blocks that hold no numbers, or have one channel or another number than those before.
    """
    next_parts = demixing(model, form)

    def split(Z):
        return np.moveaxis(next_parts(np.moveaxis(Z, -1, 0)), 0, -1)

    pieces = overlap_blocks(
        _check_blocks(model, blocks, reset=demixing is learning), split, n_fft=model.n_fft,
        hop_length=model.hop_length, window=model.window,
    )  # fmt: skip
    return (parts for parts, _ in pieces)


def tracks(model, X):
    """The sources as single outputs, (n_frequencies, n_sources, 1, n_frames)."""
    return model._demix(X)[:, :, None, :]


def images(model, X):
    """What every microphone hears of the sources, (n_frequencies, n_sources, n_channels, ...)."""
    return model._images(X)


def held(model, form):
    """Demixes the next frames with the filters that the model has."""
    n_kept = model.delay + model.n_taps - 1 if model.n_taps else 0
    before = np.zeros((*model.demixing_.shape[::2], n_kept), model.demixing_.dtype)

    def next_parts(X):
        nonlocal before
        X = np.concatenate([before, X], axis=2)
        before = X[:, :, X.shape[2] - n_kept :].copy()
        return form(model, X)[..., n_kept:]

    return next_parts


def learning(model, form):
    """Learns from the next frames, and demixes them with the filters that the model then has."""
    memory = None

    def next_parts(X):
        nonlocal memory
        if memory is None:
            memory = Memory(*X.shape[:2], model.init, model.forgetting)
        learn_block(model, memory, X)
        return form(model, X)

    check_no_taps(model)
    model._stream = None
    return next_parts


def learn_block(model, memory, Z):
    """Set the fitted attributes of `AuxIVA` from the memory and a block of spectra, if any."""
    history = []
    if Z.shape[2]:
        found = memory.learn(
            Z, model._n_sources(), model.update, model.source_model, max_iter=model.max_iter,
            tol=model.tol, random_state=model.random_state, n_threads=model.n_threads,
        )  # fmt: skip
        history = found.outcome.history
    model._keep(memory.rows, memory.rows[:, None][:, :0], Z)
    model.objective_ = np.asarray(history, dtype=np.float64)
    model.n_iter_ = len(history)


def check_no_taps(model):
    """Raise if the model would have to learn late reverberation from a stream."""
    if model.n_taps:
        raise ValueError(
            f"n_taps={model.n_taps}: late reverberation isn't learned from streams; use n_taps=0, "
            "or fit a recording and hold its filters: transform_stream, separate_stream"
        )


def _check_blocks(model, blocks, reset):
    """Blocks as floats, of any number of times."""
    for block in blocks:
        if 0 in np.shape(block):
            continue
        x = check_samples(model, block, reset=reset)
        if reset:
            model._check_parameters(x.shape[1])
        reset = False
        yield x
