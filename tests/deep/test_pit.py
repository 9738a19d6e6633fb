"""Permutation-invariant training of masks: alone, joint, and what is particular to it."""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from anmf.deep import DeepClustering, PITSeparator, load_about
from anmf.deep.clustering_loss import affinity_loss
from anmf.deep.pit_loss import TARGETS, pit_loss
from anmf.deep.spectra import mixture_and_sources, stack_context, to_spectra
from anmf.deep.trunk import CONTEXT, loss_and_gradient
from tests.deep.recordings import (
    RATE,
    SMALL,
    S,
    X,
    bands,
    fitted,
    fitted_to_bands,
    in_double,
    sources,
    unseparated,
)


@pytest.fixture(scope="module")
def model():
    return fitted(PITSeparator)


def joint_batch(**options):
    """A batch, the network and its weights, all float64."""
    model, rng = PITSeparator(**{**SMALL, **options}), np.random.default_rng(0)
    network = model._network_to_train()
    batch = in_double(model._split(None, S, rng)[0](0))
    weights = {k: w.astype(float) for k, w in network.start(rng).items()}
    return model, network, batch, weights


@pytest.mark.parametrize("options", [{}, {"clustering": 0}, {"target": "magnitude"}], ids=str)
def test_it_learns_to_separate(options):
    learned = fitted_to_bands(PITSeparator, **options)
    for seed in (97, 98):
        s = bands(seed)
        assert learned.score(s.sum(axis=1), s) > unseparated(s) + 8


def test_three_sources():
    def made(seed):
        low_and_high, rng = bands(seed), np.random.default_rng(seed)
        middle = np.sin(0.5 * np.pi * np.arange(len(low_and_high)) + rng.uniform(0, 6))
        return np.c_[low_and_high, low_and_high.std() * middle]

    options = {"n_sources": 3, "max_iter": 200, "learning_rate": 5e-3}
    learned = PITSeparator(**{**SMALL, **options}).fit(None, [made(i) for i in range(10)])
    s = made(99)
    assert learned.transform(s.sum(axis=1)).shape[1] == 3
    assert learned.score(s.sum(axis=1), s) > unseparated(s) + 5


def test_masks_sum_to_one(model):
    M = model.transform(X[0])
    n_frames, n_bins = to_spectra(X[0]).shape
    assert M.shape == (n_frames, 2, n_bins) and M.dtype == np.float32
    assert M.min() > 0 and M.std() > 0
    np.testing.assert_allclose(M.sum(axis=1), 1, atol=1e-5)


def test_masks_alone_have_no_embeddings(model):
    alone = fitted(PITSeparator, clustering=0)
    assert set(model.weights_) - set(alone.weights_) == {"embedding.W", "embedding.b"}
    assert set(alone.weights_) == set(alone._network().shapes)
    assert alone.loss_[0] < model.loss_[0]  # one term fewer


def test_the_joint_loss_is_the_sum():
    model, network, batch, weights = joint_batch(clustering=0.7)
    h, _ = network.body.forward(weights, stack_context(batch.features, CONTEXT, xp=np), xp=np)
    M = network.head.forward(weights, h, xp=np)[0]
    V = network.embedding_head.forward(weights, h[:, batch.frames], xp=np)[0]
    masks = pit_loss(M, batch.magnitude, batch.targets, xp=np)[0]
    clusters = affinity_loss(V, batch.Y, batch.weight, xp=np)[0]
    value, _ = loss_and_gradient(weights, batch, network=network, terms=model._terms(network))
    assert value == pytest.approx(masks + 0.7 * clusters)
    assert clusters > 0.01


def test_the_trunk_learns_from_both_heads():
    """The gradient is linear in the weight of the second loss."""
    gradients = []
    for clustering in (0.5, 1.0, 2.0):
        model, network, batch, weights = joint_batch(clustering=clustering)
        gradients.append(
            loss_and_gradient(weights, batch, network=network, terms=model._terms(network))[1]
        )
    for name in network.shapes:
        half, one, two = (g[name] for g in gradients)
        np.testing.assert_allclose(two - one, 2 * (one - half), rtol=1e-6, atol=1e-10)
        assert name.startswith("masks.") == np.allclose(two, one, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("clustering", [0, 1])
def test_batches_have_the_target(target, clustering):
    model = PITSeparator(**{**SMALL, "target": target, "clustering": clustering, "duration": 0.6})
    batch = model._split(None, [S[0], S[0]], np.random.default_rng(0))[1][0]
    expected_X, parts = mixture_and_sources(S[0].T[None] / X[0].std())
    np.testing.assert_allclose(batch.magnitude, np.abs(expected_X), atol=2e-3)
    expected = TARGETS[target](expected_X, parts, xp=np)
    np.testing.assert_allclose(batch.targets, expected, atol=5e-3)
    assert (batch.Y is None) == (clustering == 0)


def test_noise_belongs_to_no_source():
    """Targets come of the sources, magnitudes of the mixture."""
    model = PITSeparator(**{**SMALL, "target": "magnitude"})
    noisy = [x + np.random.default_rng(0).standard_normal(len(x)) for x in X]
    clean, loud = (model._split(m, S, np.random.default_rng(0))[1][0] for m in (None, noisy))
    scale = [loud.targets.sum() / clean.targets.sum(), loud.magnitude.sum() / clean.magnitude.sum()]
    np.testing.assert_allclose(loud.targets, scale[0] * clean.targets, rtol=1e-3, atol=1e-3)
    assert scale[1] > 1.2 * scale[0]


def test_files_hold_what_separates(model, tmp_path):
    model.save(tmp_path / "model.npz")
    loaded = PITSeparator.load(tmp_path / "model.npz")
    assert set(loaded.weights_) == set(model._network().shapes)
    assert load_about(tmp_path / "model.npz")["target"] == loaded.target == "phase-sensitive"
    assert loaded.clustering == 1.0 and loaded.embedding_size == 4
    options = {"warm_start": True, "max_iter": 1, "learning_rate": 1e-9}
    loaded.set_params(**{**SMALL, **options}).fit(None, S)
    assert set(loaded.weights_) == set(model.weights_)
    np.testing.assert_allclose(loaded.transform(X[0]), model.transform(X[0]), atol=0.01)
    loaded.set_params(clustering=0).fit(None, S)
    assert set(loaded.weights_) == set(model._network().shapes)


def test_another_number_of_sources_needs_another_fit(model, tmp_path):
    three = clone(model).set_params(n_sources=3, warm_start=True)
    three.weights_ = model.weights_
    y = sources(1, 3)[0]
    for use in (
        three.transform,
        three.separate,
        lambda x: three.score(x, y),
        lambda x: three.save(tmp_path / "model.npz"),
        lambda x: three.fit(None, [y, y]),
    ):
        with pytest.raises(ValueError, match=r"n_sources=3 must be 2.*fit again"):
            use(y.sum(axis=1))
    with pytest.raises(ValueError, match="fit again with that n_sources"):
        model.score(y.sum(axis=1), y)
    three.set_params(warm_start=False).fit(None, [y, y])
    assert three.separate(y.sum(axis=1)).shape == y.shape


def test_mixtures_of_other_numbers_of_sources_are_refused():
    with pytest.raises(ValueError, match=r"sources\[1\] has shape \(4800, 3\); .*n_sources=2"):
        PITSeparator(**SMALL).fit(None, [S[0], sources(1, 3)[0]])
    with pytest.raises(ValueError, match=r"sources\[0\] has shape \(4800, 2\); .*n_sources=3"):
        PITSeparator(**{**SMALL, "n_sources": 3}).fit(None, S)


def test_deep_clustering_has_the_same_trunk():
    ours, theirs = PITSeparator()._network_to_train(), DeepClustering()._network()
    assert ours.body.specification == theirs.body.specification
    assert sum(np.prod(shape) for shape in ours.shapes.values()) == 981522
    assert sum(np.prod(shape) for shape in PITSeparator()._network().shapes.values()) == 715266


@pytest.mark.data
def test_it_learns_mixtures_of_real_speech_by_heart():
    from anmf.datasets import load_librispeech
    from anmf.deep.mixtures import draw_sources, prepare_talkers

    data = load_librispeech(Path(os.environ["ANMF_DATA"], "speech"), "test", n_utterances=1)
    talkers = prepare_talkers(data.clips[:12], data.speakers[:12], 16000, speeds=[1.0])
    drawn = np.swapaxes(draw_sources(talkers, 5, RATE, np.random.default_rng(0)), 1, 2)
    model = PITSeparator(
        width=32, hidden=48, dilations=(1, 2, 4, 8), clustering=0, batch_size=4, duration=1.0,
        max_iter=150, learning_rate=5e-3, random_state=0,
    ).fit(None, list(drawn))  # fmt: skip
    gains = [model.score(s.sum(axis=1), s) - unseparated(s) for s in drawn]
    assert np.median(gains) > 8  # one of the five is held out
