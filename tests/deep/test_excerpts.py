"""Excerpts of mixtures, of sources that stay together and of sources that are combined anew."""

import numpy as np
import pytest

from anmf.deep import DeepClustering
from anmf.deep.excerpts import Excerpts
from tests.deep.recordings import SMALL, S, X

N_TIMES = 64


def tones(n=6, n_sources=2, n_times=256):
    """Recordings whose sources can't be confused: each has a frequency of its own."""
    t = np.arange(n_times)
    return [
        np.stack(
            [np.cos(2 * np.pi * (1 + n_sources * i + k) * t / 32) for k in range(n_sources)], 1
        )
        for i in range(n)
    ]


def drawn(sources, remix, n_steps=30):
    """Which bin of 32 each source of each excerpt is in: a list of tuples."""
    seen = []

    def label(X, S, rng):
        loud = np.abs(S).mean(axis=1).argmax(axis=-1)
        seen.extend(map(tuple, loud.tolist()))
        np.testing.assert_allclose(X, S.sum(axis=2), atol=1e-4)

    batches = Excerpts(None, sources, 32, 8, N_TIMES, 2, 0, label, remix)
    for step in range(n_steps):
        batches(step)
    return seen


def test_sources_stay_together():
    assert set(drawn(tones(), False)) == {(1 + 2 * i, 2 + 2 * i) for i in range(6)}


def test_remixed_sources_come_from_any_mixture():
    pairs = drawn(tones(), True)
    assert all(first % 2 == 1 and second % 2 == 0 for first, second in pairs)
    assert len(set(pairs)) > 15
    assert pairs == drawn(tones(), True)


def test_remixed_mixtures_may_have_other_numbers_of_sources():
    sources = [*tones(2, 2), *(s[:, :3] for s in tones(2, 4))]
    pairs = drawn(sources, True)
    assert {len(p) for p in pairs} == {2, 3}


def test_remixing_changes_what_is_learned():
    models = [DeepClustering(**SMALL, remix=remix).fit(None, S) for remix in (False, True)]
    assert abs(models[0].loss_ - models[1].loss_).max() > 1e-4
    # What is held out are the mixtures themselves.
    starts = [model._split(None, S, np.random.default_rng(0))[1][0] for model in models]
    np.testing.assert_array_equal(starts[0].features, starts[1].features)


def test_given_mixtures_are_not_remixed():
    with pytest.raises(ValueError, match="pass None for mixtures, or set remix=False"):
        DeepClustering(**SMALL, remix=True).fit(X, S)
