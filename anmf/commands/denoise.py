"""``anmf denoise``: speech out of noise, file by file."""

import os
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from anmf import AudioSeparator, SpeechEnhancer
from anmf._core.checks import check_count
from anmf._core.types import PathLike
from anmf.audio import AudioWriter, audio_info, read_audio, read_blocks, write_audio
from anmf.commands._files import (
    check_ending,
    check_outputs,
    describe,
    find_inputs,
    finished,
    tell,
)

_BLOCK = 65536


@dataclass(frozen=True)
class Job:
    """One file to denoise.

    Attributes
    ----------
    path : Path
    speech : Path
        Output.
    noise : Path or None
        Output for the rest.
    """

    path: Path
    speech: Path
    noise: Path | None

    @property
    def outputs(self):
        """All files that are written."""
        return [path for path in (self.speech, self.noise) if path is not None]


def run_denoise(
    inputs: Sequence[PathLike],
    folder: PathLike,
    model: PathLike | None = None,
    noise: bool = False,
    n_jobs: int = 1,
    force: bool = False,
) -> int:
    """Denoise audio files; all checks come before any work.

    Parameters
    ----------
    inputs : sequence of path
        Files, and folders that are searched for audio.
    folder : path
        Where outputs go, under the names of the inputs; made if it doesn't exist.
    model : path or None, default None
        As `anmf.models.save_model` writes it; None for the built-in speech model.
    noise : bool, default False
        Whether to write ``<name>.noise<suffix>`` too.
    n_jobs : int, default 1
        Files at a time, each in a process of its own; −1 for one a core.
    force : bool, default False
        Whether outputs may be replaced.

    Returns
    -------
    int
        Number of files that failed; each is told on stderr.

    Raises
    ------
    ValueError, OSError, ImportError
        For anything wrong with inputs, outputs or model.
    """
    if n_jobs != -1:
        check_count("jobs", n_jobs)
    jobs = plan(inputs, Path(folder).expanduser(), noise)
    check_outputs(jobs, Path(folder).expanduser(), force)
    separator = denoiser(model)
    os.makedirs(Path(folder).expanduser(), exist_ok=True)
    n_failed = process(jobs, separator, n_jobs, force)
    print(f"{len(jobs) - n_failed} of {len(jobs)} files denoised into {folder}")
    return n_failed


def plan(inputs, folder, noise):
    """Jobs of readable inputs.

    Returns
    -------
    list of Job

    Raises
    ------
    FileNotFoundError, ValueError
        For inputs that can't be read or have an ending that can't be written.
    """
    paths = find_inputs(inputs, folder)
    for path in paths:
        audio_info(path)
        check_ending(path)
    noises = [folder / f"{p.stem}.noise{p.suffix}" if noise else None for p in paths]
    return [Job(p, folder / p.name, n) for p, n in zip(paths, noises, strict=True)]


def denoiser(path):
    """The model of a file, or the built-in one.

    Returns
    -------
    SpeechEnhancer or AudioSeparator

    Raises
    ------
    FileNotFoundError, ValueError, ImportError
        As in `anmf.models.load_model`, and for a model of something else.
    """
    if path is None:
        return SpeechEnhancer(random_state=0).fit()
    from anmf.models import load_model

    model = load_model(path)
    two = isinstance(model, AudioSeparator) and getattr(model, "n_sources_", None) == 2
    if not two and not isinstance(model, SpeechEnhancer):
        raise ValueError(
            f"model={str(path)!r} is a {type(model).__name__} that doesn't separate speech and "
            "noise; expected a model of `anmf train`"
        )
    return model


def process(jobs, model, n_jobs, force):
    """Do all jobs, with a progress bar if stderr is a terminal.

    Returns
    -------
    int
        Number of jobs that failed.
    """
    from joblib import delayed

    calls = [delayed(_attempt)(model, job, force) for job in jobs]
    n_failed = 0
    try:
        with closing(finished(calls, n_jobs, "denoise")) as results:
            for job, failure, clipped in results:
                n_failed += failure is not None
                if failure is not None:
                    tell("error", job.path, failure)
                elif clipped:
                    tell("note", job.speech, f"{clipped} samples beyond full scale were clipped")
    except BrokenProcessPool as error:
        raise OSError("a process was killed, perhaps for memory; use a smaller --jobs") from error
    return n_failed


def _attempt(model, job, force):
    """A job, its failure as one line or None, and how many samples were clipped."""
    try:
        return job, None, denoise_file(model, job, force)
    except Exception as error:  # one bad file must not stop the others
        return job, describe(error), 0


def denoise_file(model, job, force=False):
    """Write the speech of a file, and the rest, if wanted: the file minus the speech.

    The speech goes through a temporary file of floating-point samples. Files of the model's rate
    are read block by block. Others are read whole and resampled, and so is their speech, to the
    rate and the length of the file.

    Parameters
    ----------
    model : SpeechEnhancer or AudioSeparator
        The latter gives speech first.
    job : Job
    force : bool

    Returns
    -------
    int
        Number of samples clipped at full scale; none in .wav files.
    """
    info = audio_info(job.path)
    rate = model.sample_rate or info.sample_rate
    with TemporaryDirectory(prefix="anmf-") as folder:
        source, parts = job.path, [Path(folder, "speech.wav"), Path(folder, "noise.wav")]
        if rate != info.sample_rate:
            source = Path(folder, "input.wav")
            write_audio(source, read_audio(job.path, rate)[0], rate)
        if isinstance(model, SpeechEnhancer):
            model.enhance_file(source, parts[0])
        else:
            model.separate_file(source, parts)
        if rate == info.sample_rate:
            blocks = zip(read_blocks(job.path, _BLOCK), read_blocks(parts[0], _BLOCK), strict=True)
            return _deliver(job, info, blocks, force)
        original = read_audio(job.path)[0]
        speech = _at_length(read_audio(parts[0], info.sample_rate)[0], len(original))
        return _deliver(job, info, [(original, speech)], force)


def _at_length(x, n_times):
    """`x` cut, or padded with zeros, to `n_times` samples."""
    short = max(n_times - len(x), 0)
    return np.pad(x[:n_times], [(0, short)] + [(0, 0)] * (x.ndim - 1))


def _deliver(job, info, blocks, force):
    """Write the outputs from blocks of the file and its speech; how many samples were clipped."""
    n_clipped = 0
    with ExitStack() as stack:
        writers = [
            AudioWriter(path, info.sample_rate, info.n_channels, overwrite=force)
            for path in job.outputs
        ]
        writers = [stack.enter_context(writer) for writer in writers]
        for original, speech in blocks:
            for x, writer in zip((speech, original - speech), writers, strict=False):
                if writer.format != "WAV":
                    n_clipped += int((np.abs(x) > 1).sum())
                    x = np.clip(x, -1, 1)
                writer.write(x)
        for writer in writers:
            writer.finish()
    return n_clipped
