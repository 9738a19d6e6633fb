"""``anmf train``: a model for ``anmf denoise`` from recordings of one's own."""

from itertools import chain
from typing import Any

from anmf import AudioSeparator, NMF_separation, SpeechEnhancer
from anmf._core.checks import check_count, check_real
from anmf._core.types import PathLike
from anmf.audio import audio_info, find_audio, read_audio
from anmf.models import check_model_path, save_model

SAMPLE_RATE = 16000
_N_FFT = 1024


def run_train(
    speech: PathLike,
    output: PathLike,
    noise: PathLike | None = None,
    n_components: int = 64,
    adversarial_weight: float = 0.0,
    force: bool = False,
) -> None:
    """Train a model and write it to a file; all checks come before any work.

    Parameters
    ----------
    speech : path
        Folder of clean speech, searched with the folders in it.
    output : path
        File of the model, which ends in .skops.
    noise : path or None, default None
        Folder of noise. With None the model learns the noise from every file that it denoises.
    n_components : int, default 64
        Components of speech, and of noise.
    adversarial_weight : float, default 0.0
        As in `anmf.SpeechEnhancer`; without `noise` only.
    force : bool, default False
        Whether the file may be replaced.

    Raises
    ------
    ValueError, OSError, ImportError
        For anything wrong with folders, recordings, numbers or the output.
    """
    check_count("components", n_components)
    check_real("adversarial_weight", adversarial_weight)
    if noise is not None and adversarial_weight:
        raise ValueError("--adversarial-weight is for models without --noise; leave one out")
    path = check_model_path(output, force)
    folders = [speech] if noise is None else [speech, noise]
    paths = [find_audio(folder) for folder in folders]
    for recording in chain(*paths):
        audio_info(recording)
    waveforms = [_read(*pair) for pair in zip(folders, paths, strict=True)]
    model = fitted(waveforms, n_components, adversarial_weight)
    save_model(path, model, overwrite=force)
    seconds = [sum(map(len, group)) / SAMPLE_RATE for group in waveforms]
    kinds = ("speech", "noise")[: len(seconds)]
    amounts = [f"{t:.1f} s of {kind}" for t, kind in zip(seconds, kinds, strict=True)]
    print(f"{path}: {type(model).__name__} trained on {' and '.join(amounts)}")


def fitted(
    waveforms: Any, n_components: int, adversarial_weight: float = 0.0
) -> SpeechEnhancer | AudioSeparator:
    """A model of speech, or of speech and noise.

    Parameters
    ----------
    waveforms : list of list of ndarray of shape (n_times,)
        Speech, and noise if there is any, at 16 kHz.
    n_components : int
        Components of speech, and of noise.
    adversarial_weight : float, default 0.0
        As in `anmf.SpeechEnhancer`.

    Returns
    -------
    SpeechEnhancer or AudioSeparator
    """
    if len(waveforms) == 1:
        enhancer = SpeechEnhancer(
            n_components, adversarial_weight=adversarial_weight, n_fft=_N_FFT,
            sample_rate=SAMPLE_RATE, random_state=0,
        )  # fmt: skip
        return enhancer.fit(waveforms[0])
    bases = NMF_separation(n_components, method="dnmf", random_state=0)
    model = AudioSeparator(bases, n_fft=_N_FFT, sample_rate=SAMPLE_RATE)
    labels = [source for source, group in enumerate(waveforms) for _ in group]
    return model.fit(list(chain(*waveforms)), labels)


def _read(folder, paths):
    """Waveforms of the recordings that aren't silent."""
    from tqdm import tqdm

    bar = tqdm(paths, f"read {folder}", unit="file", disable=None)
    waveforms = [read_audio(path, SAMPLE_RATE, mono=True)[0] for path in bar]
    waveforms = [x for x in waveforms if x.any()]
    if not waveforms:
        raise ValueError(f"all recordings in {folder} are silent; expected some that sound")
    return waveforms
