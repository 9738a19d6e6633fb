"""Separate waveforms that come in blocks, in constant memory."""

import numpy as np
from scipy.fft import irfft

from anmf.audio.frames import check_frames, count_frames
from anmf.audio.stft import analyse
from anmf.audio.waveforms import check_block

_BATCH = 256
"""Most frames that are separated at once."""


def separate_blocks(blocks, share, *, n_fft=1024, hop_length=None, window="hann"):
    """Share blocks out among sources by masks on their spectra.

    The frames are those that `anmf.audio.STFT` has for the whole waveform, so that the result is
    too. A sample comes out as soon as all frames that hold it are known, less than `n_fft` samples
    after it went in.

    Parameters
    ----------
    blocks : iterable of array of float (n,) or (n, n_channels)
        Consecutive pieces of a waveform, of any lengths; the first decides on the type of floats.
    share : callable
        Takes spectra (n_channels, n_frames, n_frequencies), returns the share of each source,
        (n_frames, n_sources, n_frequencies), summing to 1 over sources.
    n_fft, hop_length, window
        As in `anmf.audio.STFT`.

    Yields
    ------
    ndarray (n, n_sources) or (n, n_sources, n_channels)
        Their lengths sum to that of the waveform, and their sums over sources are the waveform.

    Raises
    ------
    ValueError
        For blocks that hold no numbers or don't fit together, or when all of them are empty.
    """

    def known(Z):
        return np.moveaxis(share(Z)[:, :-1], 1, 0)[:, None] * Z

    pieces = overlap_blocks(blocks, known, n_fft=n_fft, hop_length=hop_length, window=window)
    for parts, mixture in pieces:
        yield np.concatenate([parts, (mixture - parts.sum(axis=1))[:, None]], axis=1)


def overlap_blocks(blocks, split, *, n_fft=1024, hop_length=None, window="hann"):
    """Split the spectra of blocks into parts, and add the frames of every part up again.

    Frames are those that `anmf.audio.STFT` has for the whole waveform; every frame is split once,
    in the order of time. Parts come out as in `separate_blocks`.

    Parameters
    ----------
    blocks, n_fft, hop_length, window
        As in `separate_blocks`.
    split : callable
        Takes the spectra (n_channels, n_frames, n_frequencies) of the next frames, returns those
        of the parts, (n_parts, n_outputs, n_frames, n_frequencies). Where blocks have no axis of
        channels, n_channels and n_outputs are 1.

    Yields
    ------
    parts : ndarray (n, n_parts) or (n, n_parts, n_outputs)
    mixture : ndarray (n,) or (n, n_channels)
        The samples that went in, as late as the parts.

    Raises
    ------
    ValueError
        As in `separate_blocks`.
    """
    overlap, single = None, False
    frames = check_frames(n_fft, hop_length, window)
    for block in blocks:
        if overlap is None and 0 in np.shape(block):
            continue
        if overlap is None:
            x, single = check_block(block), np.ndim(block) == 1
            overlap = _Overlap(x.shape[0], x.dtype, split, *frames)
        x = check_block(block, 0 if single else len(overlap.heard))
        for start in range(0, x.shape[1], _BATCH * frames[1]):
            yield from _outside(overlap.push(x[:, start : start + _BATCH * frames[1]]), single)
    if overlap is None:
        raise ValueError("blocks hold no samples; expected at least one")
    for pieces in overlap.finish():
        yield from _outside(pieces, single)


def _outside(pieces, single):
    """Parts (n_parts, n_outputs, n) and mixture (n_channels, n) with time first, if there are."""
    if pieces and pieces[1].shape[-1]:
        parts, mixture = (np.moveaxis(x, -1, 0) for x in pieces)
        parts, mixture = (parts[..., 0], mixture[:, 0]) if single else (parts, mixture)
        yield np.ascontiguousarray(parts), np.ascontiguousarray(mixture)


class _Overlap:
    """Samples that wait for further frames, and the frames added up so far.

    Attributes
    ----------
    heard : ndarray (n_channels, n)
        Samples from the start of the next frame on.
    carried : ndarray (n_parts, n_outputs, n_fft - hop_length) or 0
        What the frames so far give to the next samples.
    weight : ndarray (n_fft - hop_length,)
        Summed squares of their windows.
    n_in, n_out : int
        Samples of the waveform that came in and went out.
    """

    def __init__(self, n_channels, dtype, split, n_fft, hop_length, window):
        self.split, self.n_fft, self.hop_length, self.window = split, n_fft, hop_length, window
        self.heard = np.zeros((n_channels, n_fft // 2), dtype)  # silence before the waveform
        self.carried, self.weight = 0, np.zeros(n_fft - hop_length)
        self.n_in, self.n_out = 0, -(n_fft // 2)

    def push(self, x):
        """Take in samples (n_channels, n), give out parts and mixture that are complete."""
        self.n_in += x.shape[1]
        self.heard = np.concatenate([self.heard, x.astype(self.heard.dtype, copy=False)], axis=1)
        return self._advance((self.heard.shape[1] - self.n_fft) // self.hop_length + 1)

    def finish(self):
        """Give out all that is left, as if silence followed."""
        n_frames = count_frames(self.n_in, self.hop_length)
        end = self.hop_length * (n_frames - 1) + self.n_fft - self.n_fft // 2
        silence = np.zeros((len(self.heard), end - self.n_in), self.heard.dtype)
        self.heard = np.concatenate([self.heard, silence], axis=1)
        left = (self.heard.shape[1] - self.n_fft) // self.hop_length + 1
        for n_frames in [_BATCH] * ((left - 1) // _BATCH):
            yield self._advance(n_frames)
            left -= n_frames
        yield self._advance(left, last=True)

    def _advance(self, n_frames, *, last=False):
        """Add `n_frames` frames; samples before the next frame (if any) are then complete."""
        if n_frames <= 0:
            return ()
        size = self.n_fft + (n_frames - 1) * self.hop_length
        done = size if last else n_frames * self.hop_length
        added, weight = self._add_frames(n_frames, size)
        self.carried, self.weight = added[..., done:], weight[done:]
        weight = weight[:done]
        parts = (added[..., :done] / np.where(weight > 0, weight, 1)).astype(self.heard.dtype)
        mixture, self.heard = self.heard[:, :done], self.heard[:, done:]
        start, stop = max(0, -self.n_out), min(done, self.n_in - self.n_out)
        self.n_out += done
        ready = slice(start, max(start, stop))
        return parts[..., ready], mixture[:, ready]

    def _add_frames(self, n_frames, size):
        """Sums of the frames of all parts, before division by the summed squares of the windows."""
        Z = analyse(self.heard[:, :size], self.n_fft, self.hop_length, self.window)
        frames = irfft(self.split(Z), n=self.n_fft, axis=-1) * self.window
        added, weight = np.zeros((*frames.shape[:2], size)), np.zeros(size)
        kept = self.n_fft - self.hop_length
        added[..., :kept] += self.carried
        weight[:kept] += self.weight
        for k in range(n_frames):
            place = slice(k * self.hop_length, k * self.hop_length + self.n_fft)
            added[..., place] += frames[:, :, k]
            weight[place] += self.window**2
        return added, weight
