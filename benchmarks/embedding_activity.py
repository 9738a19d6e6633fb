"""Who speaks when: the speaker error of windows, overlap counted."""

import numpy as np
import pandas as pd

from anmf.metrics import speaker_error_rate
from benchmarks.embedding_rivals import kmeans_labels

TALKS = 0.3
"""Share of a window from which on a speaker counts as talking."""


def compare_activity(data, models, step=1):
    """Speaker error of real conversations.

    Parameters
    ----------
    data : DVectors
    models : dict of str to SVDDecorrelator
        As from `of_dvectors`.
    step : int
        Every how many conversations one is taken.

    Returns
    -------
    DataFrame
        One line a method and overlap: `speaker error` and its parts, means over conversations. The
        oracle names the one who talks most in each window, rightly: the best that anything can do
        that gives a window to one speaker.
    """
    rows = []
    for recording in data.conversations[::step]:
        reference, k = recording.activity > TALKS, recording.n_speakers
        found = {
            "k-means": one_each(kmeans_labels(recording.X, k)),
            "oracle: one a window": one_each(recording.activity.argmax(axis=1)),
        }
        for name, model in models.items():
            for ending, number in (("", k), (", counted", None)):
                model.set_params(n_speakers=number).separate(recording.X)
                found[name + ending] = model.talking_
        for name, estimate in found.items():
            rate, *parts = speaker_error_rate(reference, estimate)[:4]
            names = ("speaker error", "miss", "false alarm", "confusion")
            values = dict(zip(names, (rate, *parts), strict=True))
            rows.append({"method": name, "overlap": recording.overlap} | values)
    return pd.DataFrame(rows).groupby(["method", "overlap"], sort=False).mean().reset_index()


def one_each(labels):
    """Truth values (n, K) of labels (n,)."""
    return np.asarray(labels)[:, None] == np.arange(max(labels) + 1)
