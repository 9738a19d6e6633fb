"""The deep clustering that comes with the package."""

import os
from pathlib import Path

import numpy as np
import pytest

import anmf
from anmf.datasets import load_librispeech
from anmf.deep import load_deep_clustering
from anmf.deep.mixtures import draw_sources, prepare_talkers
from anmf.metrics import si_sdr_improvement

FILE = Path(anmf.__file__).parent / "deep" / "deep_clustering.npz"


def test_the_file_is_small_and_readable_without_the_package():
    assert FILE.stat().st_size < 2e6
    with np.load(FILE) as file:
        assert {"embedding.W", "in.b", "about"} <= set(file.files)


def test_each_load_is_a_new_model():
    load_deep_clustering().set_params(n_sources=5)
    model = load_deep_clustering()
    assert model.n_sources == 2
    assert model.transform(np.random.default_rng(0).standard_normal(4000)).shape[1:] == (129, 16)


@pytest.mark.data
def test_it_takes_talkers_apart_that_it_never_heard():
    speech = load_librispeech(Path(os.environ["ANMF_DATA"], "speech"), "test")
    talkers = prepare_talkers(speech.clips, speech.speakers, speech.sample_rate, speeds=[1.0])
    model = load_deep_clustering().set_params(random_state=0)
    for n_sources, least in ((2, 2.5), (3, 1.5)):
        drawn = draw_sources(talkers, 8, 32000, np.random.default_rng(9), n_sources=n_sources)
        model.set_params(n_sources=n_sources)
        gains = []
        for sources in drawn:
            x = sources.sum(axis=0)
            estimate = model.separate(x)
            gains.append(np.mean(si_sdr_improvement(sources.T, estimate, x, permute=True)))
        assert np.mean(gains) > least
