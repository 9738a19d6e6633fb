"""How well the speakers of recordings are found: one line a recording and method.

All embeddings are brought to unit length, and the centred cosine is taken from the mean over the
speakers of the background. An estimate too many costs as much as one too few.
"""

import numpy as np
import pandas as pd

from anmf.embedding import SVDDecorrelator
from anmf.metrics import (
    centred_cosine,
    counting_accuracy,
    identification_accuracy,
    pairwise_cosine,
)
from benchmarks.embedding_data import OVERLAPS, World
from benchmarks.embedding_rivals import ORACLES, RIVALS, counters, from_activity

OURS, CONE, PEER = "anmf", "anmf cone", "k-means"
CEILING = "oracle: true activity"
WORLD_RULE = "gavish-donoho"
"""Counts in the linear world, whose noise is white once whitened; real noise isn't."""
SCORES = ["cosine", "centred cosine", "identification"]
N_RESAMPLES = 2000


def of_world(world):
    """Our model fitted on the background of a linear world."""
    model = SVDDecorrelator(covariance="within", random_state=0)
    return model.fit(*world.background)


def of_dvectors(data):
    """Our models fitted on real background, by name.

    Parameters
    ----------
    data : DVectors

    Returns
    -------
    dict of str to SVDDecorrelator
        Of all rows; and the cone, which has no use for overlapped ones.
    """
    return {
        OURS: SVDDecorrelator(random_state=0).fit(*data.everything),
        CONE: SVDDecorrelator(whitening=None, random_state=0).fit(data.X, data.y),
    }


def separated(model, X, n_speakers):
    """Embeddings (K, d) that our model finds; `n_speakers` is their number, or a rule, or None."""
    model.set_params(n_speakers=n_speakers).separate(X)
    return model.speaker_embeddings_


def scores(recording, estimate, mean, gallery=None):
    """The `SCORES` of one recording; identification only where there is a gallery."""
    options = {"normalize": True, "penalize_surplus": True}
    values = [
        centred_cosine(recording.references, estimate, **options)[0].mean(),
        centred_cosine(recording.references, estimate, mean=mean, **options)[0].mean(),
    ]
    if gallery is not None:
        who = recording.speakers
        values.append(identification_accuracy(who, estimate, gallery, mean=mean, **options))
    return dict(zip(SCORES, map(float, values), strict=False))


def told(models, recording, mean):
    """Estimates by all methods that are told the number of speakers, by name."""
    X, k = recording.X, recording.n_speakers
    found = {name: separated(model, X, k) for name, model in models.items()}
    found |= {name: rival(X, k) for name, rival in RIVALS.items()}
    if recording.activity is not None:
        found[CEILING] = from_activity(X, recording.activity, mean)
    return found


def counted(models, rivals, recording):
    """Numbers and estimates by all methods that count, by name.

    Parameters
    ----------
    models : dict of str to (SVDDecorrelator, str or None)
        With the rule to count by.
    rivals : dict of str to (callable, callable)
        As from `counters`.
    recording : Recording

    Returns
    -------
    dict of str to (int, ndarray)
    """
    found = {name: separated(model, recording.X, rule) for name, (model, rule) in models.items()}
    for name, (number, rival) in rivals.items():
        found[name] = rival(recording.X, number(recording.X))
    return {name: (len(estimate), estimate) for name, estimate in found.items()}


def compare_world(levels, n_worlds, sizes, shared=0.0):
    """Told the number and not, one recording a world, number of speakers and overlap.

    Parameters
    ----------
    levels : sequence of float
    n_worlds : int
        At each level.
    sizes : sequence of int
        Numbers of speakers.
    shared : float
        Mean cosine between speakers.

    Returns
    -------
    known, unknown : DataFrame
    """
    known, unknown = [], []
    for level in levels:
        for seed in range(n_worlds):
            world = World(level, seed, shared)
            model, mean = of_world(world), world.mean
            ways = {OURS: (model, WORLD_RULE), f"{OURS}, default rule": (model, None)}
            rivals = counters(*world.background, mean)
            for recording in (world.recording(k, p) for k in sizes for p in OVERLAPS):
                line = {"shared": shared, "level": level, "world": seed} | place(recording)
                known += _known_lines({OURS: model}, recording, mean, None, line)
                unknown += _unknown_lines(ways, rivals, recording, mean, None, line)
    return pd.DataFrame(known), pd.DataFrame(unknown)


def compare_dvectors(data, models, step=1):
    """The same on real conversations.

    Parameters
    ----------
    data : DVectors
    models : dict of str to SVDDecorrelator
        As from `of_dvectors`.
    step : int
        Every how many conversations one is taken.

    Returns
    -------
    known, unknown : DataFrame
        Recordings of one speaker are in `unknown` only.
    """
    known, unknown = [], []
    rivals = counters(data.X, data.y, data.mean)
    ways = {name: (model, None) for name, model in models.items()}
    ways[f"{CONE}, {WORLD_RULE}"] = models[CONE], WORLD_RULE
    for i, recording in enumerate(data.conversations[::step]):
        line = {"conversation": i} | place(recording)
        if recording.n_speakers > 1:
            known += _known_lines(models, recording, data.mean, data.gallery, line)
        unknown += _unknown_lines(ways, rivals, recording, data.mean, data.gallery, line)
    return pd.DataFrame(known), pd.DataFrame(unknown)


def place(recording):
    """What tables are grouped by."""
    return {"overlap": recording.overlap, "n_speakers": recording.n_speakers}


def _known_lines(models, recording, mean, gallery, line):
    return [
        {**line, "method": name, **scores(recording, estimate, mean, gallery)}
        for name, estimate in told(models, recording, mean).items()
    ]


def _unknown_lines(ways, rivals, recording, mean, gallery, line):
    return [
        {**line, "method": name, "counted": n, **scores(recording, estimate, mean, gallery)}
        for name, (n, estimate) in counted(ways, rivals, recording).items()
    ]


def compare_pairs(data, models, step=1):
    """Two speakers from beginning to end: one line a pair, method and speaker.

    Returns
    -------
    DataFrame
        With the columns `sir`, `pair`, `method`, `role`, and `SCORES`. The target is the louder
        speaker, where one is.
    """
    rows = []
    for i, recording in enumerate(data.overlapped_pairs[::step]):
        found = told(models, recording, data.mean)
        for name, oracle in ORACLES.items():
            others = recording.references[::-1]
            found[name] = np.concatenate([oracle(recording.X, e, data.mean) for e in others])
        for name, estimate in found.items():
            line = {"sir": recording.sir, "pair": i, "method": name}
            rows += [{**line, **values} for values in by_role(recording, estimate, data)]
    return pd.DataFrame(rows)


def by_role(recording, estimate, data):
    """The `SCORES` of each of two speakers."""
    options = {"mean": data.mean, "normalize": True}
    cosine, _ = centred_cosine(recording.references, estimate, normalize=True)
    centred, order = centred_cosine(recording.references, estimate, **options)
    nearest = pairwise_cosine(data.gallery, estimate, **options).argmax(axis=0)
    right = nearest[order] == recording.speakers
    return [
        {"role": role, **dict(zip(SCORES, map(float, values), strict=True))}
        for role, *values in zip(("target", "interferer"), cosine, centred, right, strict=True)
    ]


def means(lines, by):
    """Mean scores of each method, grouped by the columns `by`."""
    columns = [name for name in SCORES if name in lines]
    return lines.groupby([*by, "method"], sort=False)[columns].mean().reset_index()


def counts(lines, by):
    """Share of right counts of each method and their mean absolute error."""
    rows = []
    for key, cell in lines.groupby([*by, "method"], sort=False):
        accuracy, error = counting_accuracy(cell["n_speakers"], cell["counted"])
        rows.append(dict(zip([*by, "method"], key, strict=True))
                    | {"accuracy": accuracy, "error": error})  # fmt: skip
    return pd.DataFrame(rows)


def intervals(lines, peer=PEER, seed=0):
    """95 % bootstrap intervals over conversations, of each method and of what it has over a peer.

    Parameters
    ----------
    lines : DataFrame
        One line a conversation and method.
    peer : str
    seed : int

    Returns
    -------
    DataFrame
        One line an overlap, method and score: `mean`, `low`, `high`, and `more`, `more low`,
        `more high`. The conversations share their speakers, so the intervals are too narrow.
    """
    rows = []
    for overlap, cell in lines.groupby("overlap"):
        for score in SCORES:
            table = cell.pivot_table(score, "conversation", "method", sort=False)
            drawn = np.random.default_rng(seed).integers(len(table), size=(N_RESAMPLES, len(table)))
            for name in table:
                own = table[name].to_numpy()
                more = own - table[peer].to_numpy()
                row = {"overlap": overlap, "method": name, "score": score}
                rows.append(row | _interval("", own, drawn) | _interval("more ", more, drawn))
    return pd.DataFrame(rows)


def _interval(prefix, values, drawn):
    low, high = np.quantile(values[drawn].mean(axis=1), (0.025, 0.975))
    names = ("mean", "low", "high") if not prefix else ("more", "more low", "more high")
    return dict(zip(names, (values.mean(), low, high), strict=True))
