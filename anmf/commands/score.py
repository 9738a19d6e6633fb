"""``anmf score``: how good separated files are."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from anmf._core.types import PathLike
from anmf.audio import audio_info, read_audio
from anmf.metrics import bss_eval, pairwise, si_sdr, snr, solve_permutation
from anmf.models import check_output, replacing


def run_score(
    reference: Sequence[PathLike],
    estimate: Sequence[PathLike],
    mixture: PathLike | None = None,
    csv: PathLike | None = None,
    force: bool = False,
) -> None:
    """Print a table of metrics, and write it to a file if wanted.

    Parameters
    ----------
    reference, estimate : sequence of path
        One file a source, or a single file whose channels are the sources.
    mixture : path or None, default None
        What was separated, for the improvement; None for none.
    csv : path or None, default None
        File for the table; None to print it only.
    force : bool, default False
        Whether `csv` may be replaced.

    Raises
    ------
    ValueError, OSError
        For files that can't be read or don't fit together, and for a bad `csv`.
    """
    target = None if csv is None else check_output(csv, force)
    check_alike([*reference, *estimate], [] if mixture is None else [mixture])
    true, names = read_sources(reference)
    found, found_names = read_sources(estimate)
    table = score_table(true, names, found, found_names, _read_mixture(mixture, reference))
    print(table.to_string(index=False, float_format="{:.2f}".format))
    if target is not None:
        with replacing(target) as unfinished:
            table.to_csv(unfinished, index=False)


def check_alike(paths, mixture):
    """Raise unless all files have one length and rate, and the sources one number of channels.

    Parameters
    ----------
    paths, mixture : list of path
    """
    infos = [audio_info(path) for path in [*paths, *mixture]]
    first = infos[0]
    for path, info in zip([*paths, *mixture], infos, strict=True):
        for name, unit in (
            ("sample_rate", "Hz"),
            ("n_times", "samples"),
            ("n_channels", "channels"),
        ):
            values = getattr(info, name), getattr(first, name)
            if values[0] != values[1] and not (path in mixture and name == "n_channels"):
                raise ValueError(
                    f"{path} has {values[0]} {unit}, and {paths[0]} {values[1]}; expected files "
                    "of one length, sampling rate and number of channels"
                )


def read_sources(paths):
    """Sources of files and their names.

    Parameters
    ----------
    paths : sequence of path
        One file a source, or one whose channels are the sources.

    Returns
    -------
    waveforms : ndarray (n_channels, n_times, n_sources)
    names : list of str
    """
    waveforms = [_read(path) for path in paths]
    if len(paths) == 1 and len(waveforms[0]) > 1:
        names = [f"{Path(paths[0]).name}[{i}]" for i in range(len(waveforms[0]))]
        return waveforms[0].T[None], names
    return np.stack(waveforms, axis=-1), [Path(path).name for path in paths]


def score_table(reference, names, estimate, estimate_names, mixture=None):
    """Metrics of each source, the mean over channels.

    Parameters
    ----------
    reference, estimate : ndarray (n_channels, n_times, n_sources)
    names, estimate_names : list of str (n_sources,)
    mixture : ndarray (n_channels or 1, n_times), optional

    Returns
    -------
    pandas.DataFrame
        In dB, in the order of the references: the estimates are taken in the order of the largest
        mean SI-SDR.

    Raises
    ------
    ValueError
        For another number of estimates than of references, and as in `anmf.metrics.bss_eval`.
    """
    import pandas as pd

    if reference.shape != estimate.shape:
        raise ValueError(
            f"{reference.shape[-1]} references and {estimate.shape[-1]} estimates, of "
            f"{len(reference)} and {len(estimate)} channels; expected one estimate a source"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # silent references: NaN in the table
        order = solve_permutation(pairwise(si_sdr, reference, estimate).mean(axis=0))
        estimate = estimate[..., order]
        ratios = bss_eval(reference, estimate, permute=False)
        columns = {
            "SNR": snr(reference, estimate, axis=-2),
            "SI-SDR": si_sdr(reference, estimate, axis=-2),
            "SDR": ratios.sdr,
            "SIR": ratios.sir,
            "SAR": ratios.sar,
        }
        if mixture is not None:
            before = si_sdr(reference, mixture[..., None], axis=-2)
            columns["SI-SDRi"] = columns["SI-SDR"] - before
    scores = {name: values.mean(axis=0) for name, values in columns.items()}
    matched = [estimate_names[k] for k in order]
    return pd.DataFrame({"reference": names, "estimate": matched, **scores})


def _read(path):
    """Samples (n_channels, n_times) of a file, in double precision."""
    return np.atleast_2d(read_audio(path, dtype="float64")[0].T)


def _read_mixture(path, reference):
    """The mixture (n_channels or 1, n_times), or None."""
    if path is None:
        return None
    x, n_channels = _read(path), audio_info(reference[0]).n_channels
    expected = 1 if len(reference) == 1 else n_channels
    if len(x) not in (1, expected):
        raise ValueError(
            f"{path} has {len(x)} channels; expected {expected}, as many as a source has"
        )
    return x
