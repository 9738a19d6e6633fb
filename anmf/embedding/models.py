"""The registry of models that take recordings apart, and how they are given what is heard."""

from dataclasses import replace

import numpy as np

from anmf._core.arrays import like, put_rows, take_rows, to_host
from anmf.embedding.demixing import Cone


def _cone(decorrelator):
    space = decorrelator.mean_, decorrelator.whitening_, decorrelator.dewhitening_
    return Cone(*space, decorrelator.threshold_)


def _pair_mixture(decorrelator):
    if decorrelator.pair_mixture_ is None:
        raise ValueError(
            "demixing_model='pair-mixture' needs overlapped rows in fit: y of shape (n_samples, "
            "2), the two speakers of each row, −1 for none; or set demixing_model='cone'"
        )
    return decorrelator.pair_mixture_


DEMIXING_MODELS = {"cone": _cone, "pair-mixture": _pair_mixture}
"""Models by name: functions of a fitted `SVDDecorrelator` that return an object with ``demix``."""


def demix_heard(model, X, n_speakers, max_speakers, rng):
    """Take a recording apart by the segments in which something is heard.

    Parameters
    ----------
    model : object with ``demix``
    X : array (n, d)
        Segments; one of zeros is silence.
    n_speakers : int, str or None
    max_speakers : int
    rng : Generator

    Returns
    -------
    Demixed
        In silence nobody talks, there are no activations and parts, and the label is −1.

    Raises
    ------
    ValueError
        If nothing is heard, or fewer different segments than `n_speakers`.
    """
    host = to_host(X)
    heard = np.flatnonzero(np.any(host != 0, axis=1))
    n_different = len(np.unique(host[heard], axis=0))
    if not len(heard):
        raise ValueError(
            f"X has {len(host)} segments, all of them zero: nobody is heard; give embeddings of "
            "segments in which somebody talks"
        )
    if not (n_speakers is None or isinstance(n_speakers, str)) and n_different < n_speakers:
        raise ValueError(
            f"X has {len(heard)} segments that aren't zero, {n_different} of them different, fewer "
            f"than n_speakers={n_speakers}; give a longer recording, or a smaller n_speakers"
        )
    found = model.demix(take_rows(X, heard), n_speakers, min(max_speakers, n_different), rng)
    if len(heard) == len(host):
        return found
    empty = {
        "activations": like(np.zeros((len(host), *found.activations.shape[1:])), X),
        "parts": like(np.zeros((len(host), *found.parts.shape[1:])), X),
        "talking": np.zeros((len(host), found.talking.shape[1]), dtype=bool),
        "labels": np.full(len(host), -1),
    }
    return replace(
        found, **{name: put_rows(x, heard, getattr(found, name)) for name, x in empty.items()}
    )
