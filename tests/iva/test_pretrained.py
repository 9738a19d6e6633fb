"""The surrogate source model that comes with the package."""

import os
from pathlib import Path

import numpy as np
import pytest

import anmf
from anmf import AuxIVA
from anmf.datasets import load_librispeech, make_voices, simulate_room
from anmf.iva import auxiva, check_source_model, load_surrogate
from anmf.metrics import si_sdr_improvement

FILE = Path(anmf.__file__).parent / "iva" / "surrogate.npz"


def test_the_file_is_small_and_readable_without_the_package():
    assert FILE.stat().st_size < 2e6
    with np.load(FILE) as file:
        assert {"conv.W", "out.b", "about"} <= set(file.files)


def test_the_name_stands_for_it():
    voices = make_voices(2, 2.0, random_state=0).waveforms
    x = simulate_room(voices, random_state=0).mixture
    by_name = AuxIVA(source_model="surrogate", max_iter=3).fit_transform(x)
    by_object = AuxIVA(source_model=load_surrogate(), max_iter=3).fit_transform(x)
    np.testing.assert_allclose(by_name, by_object, atol=1e-6)
    images = AuxIVA(source_model="surrogate", max_iter=3).fit(x).separate(x)
    np.testing.assert_allclose(images.sum(axis=1), x, atol=1e-6)


def test_its_weights_are_sound():
    check_source_model(load_surrogate().adapted(16000, 78))


def test_other_spectra_are_refused_with_the_remedy():
    X = np.random.default_rng(0).standard_normal((33, 2, 20)) + 0j
    with pytest.raises(ValueError, match=r"n_fft=64\); 'surrogate' is anmf.iva.load_surrogate"):
        auxiva(X, source_model="surrogate")


@pytest.mark.data
@pytest.mark.slow
def test_it_separates_unseen_talkers_better_than_gauss():
    pytest.importorskip("pyroomacoustics")
    speech = load_librispeech(Path(os.environ["ANMF_DATA"], "speech"), "test")
    names, gains = np.unique(speech.speakers), {"gauss": [], "surrogate": []}
    for i in range(4):
        clips = [speech.clips[np.flatnonzero(speech.speakers == names[i + k])[k]] for k in (0, 5)]
        room = simulate_room(clips, rt60=0.25, method="image-source", random_state=i)
        for name, found in gains.items():
            estimate = AuxIVA(source_model=name).fit_transform(room.mixture)
            args = room.images[:, :, 0], estimate, room.mixture[:, 0]
            found.append(si_sdr_improvement(*args, permute=True).mean())
    assert np.mean(gains["surrogate"]) > np.mean(gains["gauss"]) + 1
