"""CPU time of `SVDDecorrelator`: of taking a conversation apart, and of learning from many rows."""

import numpy as np
import pandas as pd
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from anmf.embedding import SVDDecorrelator
from benchmarks.embedding_data import World
from benchmarks.timing import cpu_seconds, interleaved, ratio

COMPARED = 32
"""Leading directions whose span is held against that of the peer."""


def time_separate(models, recording, repeats):
    """Milliseconds of one ``separate``, the number of speakers given and counted.

    Parameters
    ----------
    models : dict of str to SVDDecorrelator
        Fitted.
    recording : Recording
    repeats : int
        The median is taken over them, after one run to warm up.

    Returns
    -------
    DataFrame
    """
    rows = []
    for name, model in models.items():
        for what, number in (("given", recording.n_speakers), ("counted", None)):
            model.set_params(n_speakers=number)
            times = [cpu_seconds(lambda m=model: m.separate(recording.X))[0]
                     for _ in range(repeats + 1)][1:]  # fmt: skip
            rows.append({
                "method": name, "n_segments": len(recording.X),
                "n_features": recording.X.shape[1], "n_speakers": recording.n_speakers,
                "number": what, "ms": 1e3 * np.median(times),
            })  # fmt: skip
    return pd.DataFrame(rows)


def compare_fit(n_rows, n_features, repeats):
    """Time of ``fit`` beside the full PCA of scikit-learn, and how far the results are apart.

    Returns
    -------
    DataFrame
        One line: medians in ms, `ratio` of neighbouring runs, `sine`, the largest sine between the
        spans of the leading 32 directions, and `difference`, the largest relative difference of a
        singular value.
    """
    world = World(1.0, 0, n_features=n_features)
    X = world.noise(n_rows, np.random.default_rng(0)) + world.common
    ours, peer = SVDDecorrelator(random_state=0), PCA(svd_solver="full")
    functions = {"anmf": lambda: ours.fit(X), "scikit-learn": lambda: peer.fit(X)}
    interleaved(functions, 1)  # warm up
    times = interleaved(functions, repeats)
    k = min(COMPARED, n_features // 2)
    angles = subspace_angles(ours.components_[:k].T, peer.components_[:k].T)
    apart = np.abs(ours.singular_values_ / peer.singular_values_ - 1)
    return pd.DataFrame([{
        "n_rows": n_rows, "n_features": n_features,
        "anmf ms": 1e3 * np.median(times["anmf"]),
        "scikit-learn ms": 1e3 * np.median(times["scikit-learn"]),
        "ratio": ratio(times["scikit-learn"], times["anmf"]),
        "sine": float(np.sin(angles).max()), "difference": float(apart.max()),
    }])  # fmt: skip
