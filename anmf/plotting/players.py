"""Players of sound for notebooks and web pages."""

import html
import io
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from anmf._core.arrays import to_host
from anmf._core.checks import check_count
from anmf.audio.waveforms import check_real

PLAYABLE = (3000, 768000)  # sample rates in Hz that browsers play

# Caption and player side by side; one above the other on a narrow screen.
PLAYER = """<div style="display: flex; flex-wrap: wrap; align-items: center; margin: 0.4em 0">
<span style="flex: 0 0 13em; max-width: 100%">{caption}</span>
<audio controls aria-label="{caption}" style="flex: 1 1 14em; max-width: 24em; min-width: 0"
 src="data:audio/wav;base64,{wav}"></audio>
</div>
"""


def listen(sounds: Mapping[str, ArrayLike], sample_rate: int) -> "Players":
    """Audio players, one below the other: the mixture, what came out of it, the truth.

    Notebooks and Sphinx-Gallery show them when the call is the last line of a cell. The samples are
    inside the page, as 16-bit WAV: nothing is written to disk, and a second at 16 kHz adds 43 kB.

    Parameters
    ----------
    sounds : dict of str to array-like of float, shape (n_times,)
        Waveforms of one channel by caption, in the order to show. All are multiplied by the same
        number, which brings the highest peak of all to full scale: their levels compare.
    sample_rate : int
        In Hz, 3000 to 768000.

    Returns
    -------
    Players
        Its ``_repr_html_()`` is the HTML; its ``captions`` are those of `sounds`.

    Raises
    ------
    ValueError
        When `sounds` is no dictionary or empty, when a waveform isn't (n_times,), is no float, is
        empty or holds NaN or infinity, and for a `sample_rate` that browsers don't play.

    Examples
    --------
    >>> import numpy as np
    >>> from anmf.plotting import listen
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    >>> players = listen({"a tone": tone, "softer": 0.1 * tone}, sample_rate=8000)
    >>> players
    Players(captions=('a tone', 'softer'))
    >>> players._repr_html_().count("<audio")
    2
    """
    waveforms = _check_sounds(sounds)
    low, high = PLAYABLE
    check_count("sample_rate", sample_rate, minimum=low)
    if sample_rate > high:
        raise ValueError(f"sample_rate={sample_rate!r} must be at most {high} Hz for browsers")
    peak = max(float(np.abs(x).max()) for x in waveforms.values()) or 1.0
    rows = [
        PLAYER.format(caption=html.escape(caption), wav=_encode_wav(x / peak, sample_rate))
        for caption, x in waveforms.items()
    ]
    return Players(tuple(waveforms), "".join(rows))


@dataclass(frozen=True)
class Players:
    """Audio players as HTML, which `listen` makes."""

    captions: tuple[str, ...]
    html: str = field(repr=False)

    def _repr_html_(self) -> str:
        return self.html


def _encode_wav(x, sample_rate):
    """Samples (n_times,) from -1 to 1 as the text of a 16-bit WAV file in base64."""
    import soundfile

    file = io.BytesIO()
    samples = np.rint(32767 * x).astype(np.int16)
    soundfile.write(file, samples, int(sample_rate), format="WAV", subtype="PCM_16")
    return b64encode(file.getvalue()).decode("ascii")


def _check_sounds(sounds):
    """Waveforms as float64 (n_times,), by caption."""
    if not isinstance(sounds, Mapping) or not sounds:
        found = "empty" if isinstance(sounds, Mapping) else f"of type {type(sounds).__name__}"
        raise ValueError(
            f"sounds is {found}; expected a dictionary of waveforms (n_times,), by caption"
        )
    waveforms = {}
    for caption, x in sounds.items():
        x = check_real(to_host(x), f"sounds[{caption!r}]")
        if x.ndim != 1:
            raise ValueError(
                f"sounds[{caption!r}] has shape {x.shape}; expected (n_times,): pass one channel, "
                "as x[:, 0]"
            )
        waveforms[str(caption)] = x.astype(np.float64)
    return waveforms
