"""Speech out of a file of any length, in constant memory."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from anmf.audio import AudioWriter, audio_info, read_blocks

_BLOCK = 16384
_PIECE = 2.0  # seconds of a piece from which the noise is learnt


def enhance_file(enhancer, path, output, noise, overwrite, adapt_seconds):
    """See `anmf.SpeechEnhancer.enhance_file`."""
    info = audio_info(path)
    if info.sample_rate != enhancer.sample_rate:
        raise ValueError(
            f"{path} has {info.sample_rate} Hz, and sample_rate={enhancer.sample_rate}; resample "
            "it: read_audio(path, sample_rate=...), write_audio(...)"
        )
    if noise is not None and Path(noise).resolve() == Path(output).resolve():
        raise ValueError(f"noise={str(noise)!r} must be another file than output")
    outputs = [output] if noise is None else [output, noise]
    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                AudioWriter(name, info.sample_rate, info.n_channels, None, overwrite)
            )
            for name in outputs
        ]
        for parts in separated_blocks(enhancer, path, info, adapt_seconds):
            for s, writer in enumerate(writers):
                writer.write(parts[:, s])
        for writer in writers:
            writer.finish()


def separated_blocks(enhancer, path, info, adapt_seconds):
    """Speech and noise of a file, block by block: the mean over frame lengths."""
    pieces = spread_pieces(path, info, adapt_seconds)
    if not pieces:
        for block in read_blocks(path, _BLOCK):
            yield np.stack([block, block], axis=1)
        return
    streams = [
        model.separate_stream(read_blocks(path, _BLOCK)) for model in enhancer.adapted(pieces)
    ]
    for parts in aligned(streams):
        yield sum(parts[1:], start=parts[0]) / len(parts)


def spread_pieces(path, info, seconds):
    """Pieces of a file spread evenly over it, `seconds` in all, without those that are silent.

    Of a file that isn't longer, the whole in one piece; where none of them sounds, the loudest
    piece of the file. None for a silent file.
    """
    size = int(_PIECE * info.sample_rate)
    n_pieces = -(-info.n_times // size)
    wanted = max(1, int(seconds / _PIECE))
    chosen = set(np.linspace(0, n_pieces - 1, min(wanted, n_pieces)).round().astype(int).tolist())
    pieces, loudest, most = [], None, 0.0
    for i, block in enumerate(read_blocks(path, size)):
        energy = float(np.vdot(block, block))
        if energy > most:
            loudest, most = block, energy
        if i in chosen:
            pieces.append(block)
    pieces = [np.concatenate(pieces)] if len(chosen) == n_pieces else pieces
    sounding = [piece for piece in pieces if piece.any()]
    return sounding or ([] if loudest is None else [loudest])


def aligned(streams):
    """Pieces of equal length from streams that yield pieces of different ones."""
    waiting = [None] * len(streams)
    while True:
        for i, stream in enumerate(streams):
            if waiting[i] is None or not len(waiting[i]):
                waiting[i] = next(stream, None)
        if any(piece is None for piece in waiting):
            return
        n = min(map(len, waiting))
        yield [piece[:n] for piece in waiting]
        waiting = [piece[n:] for piece in waiting]
