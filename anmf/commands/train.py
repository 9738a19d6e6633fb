"""``anmf train``: a model for ``anmf denoise`` from recordings of one's own."""

from itertools import chain

from anmf import AudioSeparator, NMF_separation, SpeechEnhancer
from anmf._core.checks import check_count, check_real
from anmf.audio import audio_info, find_audio, read_audio
from anmf.models import check_model_path, save_model

SAMPLE_RATE = 16000
_N_FFT = 1024


def run_train(speech, output, noise=None, n_components=64, adversarial_weight=0.0, force=False):
    """Train a model and write it to a file; all checks come before any work.

    Parameters
    ----------
    speech : path
        Folder of clean speech, searched with the folders in it.
    output : path
        File of the model, which ends in .skops.
    noise : path, optional
        Folder of noise. Without it the model learns the noise from every file that it denoises.
    n_components : int
        Components of speech, and of noise.
    adversarial_weight : float
        As in `anmf.SpeechEnhancer`; without `noise` only.
    force : bool
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
    output = check_model_path(output, force)
    folders = [speech] if noise is None else [speech, noise]
    paths = [find_audio(folder) for folder in folders]
    for path in chain(*paths):
        audio_info(path)
    waveforms = [_read(*pair) for pair in zip(folders, paths, strict=True)]
    model = fitted(waveforms, n_components, adversarial_weight)
    save_model(output, model, overwrite=force)
    seconds = [sum(map(len, group)) / SAMPLE_RATE for group in waveforms]
    kinds = ("speech", "noise")[: len(seconds)]
    amounts = [f"{t:.1f} s of {kind}" for t, kind in zip(seconds, kinds, strict=True)]
    print(f"{output}: {type(model).__name__} trained on {' and '.join(amounts)}")


def fitted(waveforms, n_components, adversarial_weight=0.0):
    """A model of speech, or of speech and noise.

    Parameters
    ----------
    waveforms : list of list of ndarray (n_times,)
        Speech, and noise if there is any.
    n_components : int
    adversarial_weight : float

    Returns
    -------
    SpeechEnhancer or AudioSeparator
    """
    if len(waveforms) == 1:
        model = SpeechEnhancer(
            n_components, adversarial_weight=adversarial_weight, n_fft=_N_FFT,
            sample_rate=SAMPLE_RATE, random_state=0,
        )  # fmt: skip
        return model.fit(waveforms[0])
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
