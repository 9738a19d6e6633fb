"""``anmf separate``: the sources in recordings of several microphones, file by file."""

import os
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

from anmf._core.checks import check_choice, check_count
from anmf._core.types import PathLike
from anmf.audio import audio_info
from anmf.commands._files import (
    check_ending,
    check_outputs,
    describe,
    find_inputs,
    finished,
    publish,
    tell,
)
from anmf.commands._recording import (
    LEAST_N_FFT,
    SHORT,
    Job,
    Outcome,
    Settings,
    check_header,
    least_times,
    separate_file,
)

KILLED = "a process was killed, perhaps for memory; use a smaller --jobs"


def run_separate(inputs: Sequence[PathLike], folder: PathLike, *, n_sources: int | None = None,
                 update: str | None = None, source_model: str | None = None,
                 max_iter: int | None = None, n_fft: int | None = None, reference: int = 1,
                 images: bool = False, n_jobs: int = 1, force: bool = False) -> int:  # fmt: skip
    """Separate audio files into one file a source; print a table of what became of them.

    Parameters
    ----------
    inputs : sequence of path
        Files, and folders that are searched for audio.
    folder : path
        Where outputs go, as ``<name>.source<i><suffix>``; made if it doesn't exist.
    n_sources : int or None, default None
        Sources of each file, at most its channels; None for as many.
    update : str or None, default None
        A name of `anmf.iva.UPDATES`; None for that of `anmf.AuxIVA`.
    source_model : str or None, default None
        A name of `anmf.iva.SOURCE_MODELS`; None for that of `anmf.AuxIVA`.
    max_iter : int or None, default None
        Most iterations; None for those of `anmf.AuxIVA`.
    n_fft : int or None, default None
        Samples in a frame; None for the power of two nearest to `WINDOW` seconds.
    reference : int, default 1
        Channel whose scale the outputs have, counted from 1.
    images : bool, default False
        Whether outputs have all channels: what each microphone would have heard of the source.
    n_jobs : int, default 1
        Files at a time, each in a process of its own; −1 for one a core.
    force : bool, default False
        Whether outputs may be replaced.

    Returns
    -------
    int
        Number of files that failed or are clipped; each is told on stderr.

    Raises
    ------
    ValueError, OSError
        For bad options, folders without audio, and outputs that can't be written. Nothing was
        written then.
    """
    if n_jobs != -1:
        check_count("jobs", n_jobs)
    parameters = {"update": update, "source_model": source_model, "max_iter": max_iter}
    settings = Settings(parameters, n_sources, n_fft, reference, images, force)
    check_settings(settings)
    place = Path(folder).expanduser()
    jobs = [plan(path, place, settings) for path in find_inputs(inputs, place)]
    check_outputs(jobs, place, force)
    outcomes = process(jobs, settings, place, n_jobs)
    print(summary(jobs, outcomes).to_string(index=False))
    n_written = sum(outcome.status != "failed" for outcome in outcomes)
    print(f"{n_written} of {len(jobs)} files separated into {place}")
    return sum(outcome.status != "ok" for outcome in outcomes)


def check_settings(settings):
    """Raise ValueError for settings that are bad for every file."""
    from anmf.iva import SOURCE_MODELS, UPDATES

    check_count("sources", settings.n_sources, optional=True)
    check_count("iterations", settings.parameters["max_iter"], optional=True)
    check_count("reference", settings.reference)
    check_count("n-fft", settings.n_fft, minimum=LEAST_N_FFT, optional=True)
    for name, value, names in (
        ("update", settings.parameters["update"], UPDATES),
        ("model", settings.parameters["source_model"], SOURCE_MODELS),
    ):
        if value is not None:
            check_choice(name, value, names)


def plan(path, folder, settings):
    """What the header of a file lets expect.

    Parameters
    ----------
    path : Path
    folder : Path
        Of the outputs.
    settings : Settings

    Returns
    -------
    Job
        With a failure if the file can't be read or separated.
    """
    info = None
    try:
        info = audio_info(path)
        check_ending(path)
        check_header(info, settings)
    except (ValueError, OSError) as error:
        return Job(path, info, failure=describe(error))
    n_sources = settings.n_sources or info.n_channels
    names = [f"{path.stem}.source{i + 1}{path.suffix}" for i in range(n_sources)]
    outputs, enough = tuple(folder / name for name in names), SHORT * least_times(info, settings)
    note = None
    if info.n_times < enough:
        seconds = enough / info.sample_rate
        note = f"is short; below {seconds:.2g} s, sources often stay mixed in part"
    return Job(path, info, outputs, source=path.absolute(), note=note)


def process(jobs, settings, folder, n_jobs):
    """Do all jobs, with a progress bar if stderr is a terminal.

    Outputs are made in a hidden folder inside `folder`, which goes away in the end, and move up
    when those of a file are complete.

    Returns
    -------
    list of Outcome
        In the order of the jobs.
    """
    from joblib import delayed, effective_n_jobs

    outcomes = [None if job.failure is None else Outcome(failure=job.failure) for job in jobs]
    for job, outcome in zip(jobs, outcomes, strict=True):
        _report(job, outcome)
    todo = [i for i, outcome in enumerate(outcomes) if outcome is None]
    if not todo:
        return outcomes
    os.makedirs(folder, exist_ok=True)
    n_jobs = min(effective_n_jobs(n_jobs), len(todo))
    n_threads = 1 if n_jobs > 1 else None
    hidden = {"dir": folder.absolute(), "prefix": ".anmf-", "ignore_cleanup_errors": True}
    with TemporaryDirectory(**hidden) as place:
        places = {i: Path(place, str(i)) for i in todo}
        calls = [delayed(_attempt)(i, jobs[i], settings, n_threads, places[i]) for i in todo]
        with closing(_surviving(calls, n_jobs)) as results:
            for i, outcome in results:
                outcomes[i] = _deliver(jobs[i], outcome, places[i], settings.force)
                _report(jobs[i], outcomes[i])
    for i in todo:
        if outcomes[i] is None:
            outcomes[i] = Outcome(failure=KILLED)
            _report(jobs[i], outcomes[i])
    return outcomes


def _surviving(calls, n_jobs):
    """Results as they come, up to the death of a process, which ends all of them."""
    with closing(finished(calls, n_jobs, "separate")) as results, suppress(BrokenProcessPool):
        yield from results


def _attempt(i, job, settings, n_threads, place):
    """A job by its number, and its outcome, whatever happens."""
    try:
        return i, separate_file(job, settings, n_threads, place)
    except Exception as error:  # one bad file must not stop the others
        return i, Outcome(failure=describe(error))


def _deliver(job, outcome, place, force):
    """Give the outputs of a job their names; the outcome, which that may change."""
    try:
        if outcome.failure is None:
            publish([place / output.name for output in job.outputs], job.outputs, force)
        return outcome
    except OSError as error:
        return Outcome(failure=describe(error))
    finally:
        rmtree(place, ignore_errors=True)


def _report(job, outcome):
    """What the user should know about a file, on stderr."""
    if outcome is None:
        return
    if outcome.failure is not None:
        tell("error", job.path, outcome.failure)
    elif job.note is not None:
        tell("note", job.path, job.note)
    if outcome.status == "clipped":
        tell("warning", job.path, f"is clipped ({outcome.clipped_share:.2%} of the samples of a "
             "channel); separated all the same, but record at a lower level")  # fmt: skip
    for output, n_clipped in zip(job.outputs, outcome.n_clipped, strict=False):
        if n_clipped:
            tell("note", output, f"{n_clipped} samples beyond full scale were clipped")


def summary(jobs, outcomes):
    """Table of what became of the files.

    Parameters
    ----------
    jobs : list of Job
    outcomes : list of Outcome

    Returns
    -------
    pandas.DataFrame
        Of str; levels are those of the sources at the reference microphone, in dB relative to full
        scale.
    """
    import pandas as pd

    rows = []
    for job, outcome in zip(jobs, outcomes, strict=True):
        known, done = job.info is not None, outcome.failure is None
        rows.append({
            "file": str(job.path),
            "seconds": f"{job.info.duration:.1f}" if known else "-",
            "channels": str(job.info.n_channels) if known else "-",
            "sources": str(len(job.outputs)) if done else "-",
            "iterations": str(outcome.n_iter) if done else "-",
            "levels [dB]": " ".join(f"{level:.1f}" for level in outcome.levels) or "-",
            "status": outcome.status,
        })  # fmt: skip
    return pd.DataFrame(rows)
