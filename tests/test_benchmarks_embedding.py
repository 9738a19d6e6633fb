"""The benchmark of speakers in embeddings runs and counts right; nothing is held to a time."""

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import normalize

pytest.importorskip("matplotlib")

from anmf.metrics import centred_cosine, equal_error_rate
from benchmarks import (
    embedding,
    embedding_activity,
    embedding_cost,
    embedding_quality,
    embedding_rivals,
    embedding_sound,
)
from benchmarks.embedding_data import DVectors, Recording, World, draw_activity, dvectors


@pytest.fixture
def two_groups():
    rng = np.random.default_rng(0)
    references = normalize(rng.uniform(size=(2, 20)) * (np.arange(20) % 2 == [[0], [1]]))
    weights = rng.uniform(0.5, 1.5, size=(40, 1))
    return references, weights * references[np.arange(40) % 2] + rng.normal(0, 0.01, (40, 20))


@pytest.mark.parametrize("name", ["k-means", "spectral", "agglomerative", "NMF", "SVD axes"])
def test_rivals_find_two_directions(name, two_groups):
    references, X = two_groups
    found = embedding_rivals.RIVALS[name](X, 2)
    assert found.shape == (2, 20)
    assert centred_cosine(references, found)[0].min() > 0.99


@pytest.mark.parametrize("name", embedding_rivals.RIVALS)
def test_rivals_find_one_speaker_and_leave_the_segments_alone(name, two_groups):
    _, X = two_groups
    before = X.copy()
    found = embedding_rivals.RIVALS[name](X, 1)
    np.testing.assert_array_equal(X, before)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1.0])


def test_those_that_count_find_two(two_groups):
    _, X = two_groups
    rivals = embedding_rivals.counters(X, np.arange(40) % 2, np.zeros(20))
    assert len(rivals) == 3
    for number, rival in rivals.values():
        assert number(X) == 2
        assert rival(X, 2).shape == (2, 20)


def test_threshold_is_that_of_equal_errors(two_groups):
    _, X = two_groups
    y, mean = np.arange(40) % 3, np.full(20, 0.1)
    rows = normalize(normalize(X) - mean)
    pairs = np.triu_indices(40, 1)
    expected = equal_error_rate(np.equal.outer(y, y)[pairs], (rows @ rows.T)[pairs])[1]
    assert embedding_rivals.calibrate(X, y, mean) == pytest.approx(expected)


@pytest.mark.parametrize("name", embedding_rivals.ORACLES)
def test_oracles_take_the_other_speaker_away(name):
    references, mean = np.eye(3)[:2], np.array([0.0, 0.0, 0.3])
    X = np.tile(references.sum(axis=0), (4, 1)) + mean
    found = embedding_rivals.ORACLES[name](X, references[1], mean)
    whole = normalize(X[:1])
    near, far = (centred_cosine(references[:1], e, mean=mean)[0].item() for e in (found, whole))
    assert near > far
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)


def test_world_is_repeatable_and_recordings_differ():
    world, again = World(0.6, 3), World(0.6, 3)
    np.testing.assert_array_equal(world.background[0], again.background[0])
    one, same, other = (w.recording(3, 0.4, i) for w, i in ((world, 0), (again, 0), (world, 1)))
    np.testing.assert_array_equal(one.X, same.X)
    assert not np.array_equal(one.X, other.X)
    assert not np.array_equal(one.X, World(0.6, 4).recording(3, 0.4).X)
    assert one.X.shape == (48, 128) and one.references.shape == (3, 128)
    assert world.background[0].shape == (2000, 128) and world.mean.shape == (128,)


@pytest.mark.parametrize("level", [0.3, 0.9])
def test_noise_has_the_level_and_is_coloured(level):
    world = World(level, 0)
    noise = world.noise(20000, np.random.default_rng(0))
    assert np.sqrt(np.mean(np.sum(noise**2, axis=1))) == pytest.approx(level, rel=0.01)
    variance = np.linalg.eigvalsh(np.cov(noise.T))
    assert variance[-1] / variance[-8] == pytest.approx(8**0.7, rel=0.1)


def test_recording_is_a_sum_of_unit_length_under_noise():
    world = World(0.0, 0)
    recording = world.recording(4, 0.8)
    np.testing.assert_allclose(np.linalg.norm(recording.X, axis=1), 1)
    expected = normalize(recording.activity @ recording.references)
    np.testing.assert_allclose(recording.X, expected, atol=1e-12)


@pytest.mark.parametrize("shared", [0.0, 0.55])
def test_speakers_have_the_mean_cosine_asked_for(shared):
    rows = World(0.6, 0, shared).speakers(200, np.random.default_rng(1))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1)
    assert (rows @ rows.T)[np.triu_indices(200, 1)].mean() == pytest.approx(shared, abs=0.01)


@pytest.mark.parametrize("overlap", [0.0, 0.4, 1.0])
def test_activity_has_its_overlap(overlap):
    activity = draw_activity(2000, 3, overlap, np.random.default_rng(0))
    assert np.mean(np.sum(activity > 0, axis=1) == 2) == pytest.approx(overlap, abs=0.04)
    assert set(np.unique(np.sum(activity == 1, axis=1))) == {1}
    assert activity[activity > 0].min() >= 0.3 and np.all(activity.sum(axis=0) > 0)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Small files: four conversations of two speakers with six segments each, and two pairs."""
    rng = np.random.default_rng(0)
    means = normalize(rng.normal(size=(8, 5)) + 1)
    target = tmp_path / "embeddings"
    target.mkdir()
    np.savez(
        target / "dvectors.npz",
        background=np.repeat(means[3:], 4, axis=0) + rng.normal(0, 0.1, (20, 5)),
        background_speaker=np.repeat([70, 10, 30, 50, 20], 4),
        reference=means[:3],
        conversation_embeddings=np.arange(24)[:, None] + np.ones((1, 5)),
        conversation_activity=rng.uniform(size=(24, 5)),
        conversation_offsets=np.arange(0, 25, 6),
        overlap=np.full(4, 0.4, np.float32),
        n_speakers=np.full(4, 2),
        who=np.array([[0, 1, -1, -1, -1], [1, 2, -1, -1, -1]] * 2),
        pair_embeddings=rng.uniform(size=(7, 5)),
        pair_offsets=np.array([0, 3, 7]),
        pair_speakers=np.array([[2, 0], [0, 1]]),
        pair_sir=np.array([0, 5]),
    )
    np.savez(target / "overlap_background.npz", embeddings=rng.uniform(size=(6, 5)),
             speakers=np.array([[70, 10], [10, 30], [30, 50]] * 2))  # fmt: skip
    monkeypatch.setenv("ANMF_DATA", str(tmp_path))


def test_dvectors_are_read(folder):
    data = dvectors()
    assert data.gallery.shape == (8, 5) and data.mean.shape == (5,)
    assert [r.X[0, 0] for r in data.conversations] == [1, 7, 13, 19]
    for i, recording in enumerate(data.conversations):
        assert recording.X.shape == (6, 5) and recording.activity.shape == (6, 2)
        assert recording.overlap == 0.4 and recording.n_speakers == 2
        assert recording.speakers.tolist() == [[0, 1], [1, 2]][i % 2]
        np.testing.assert_array_equal(recording.references, data.gallery[recording.speakers])
    assert [(len(p.X), p.sir, p.speakers.tolist()) for p in data.overlapped_pairs] == [
        (3, 0.0, [2, 0]),
        (4, 5.0, [0, 1]),
    ]
    X, y = data.everything
    assert X.shape == (26, 5) and y.shape == (26, 2)
    assert y[0].tolist() == [70, -1] and y[-1].tolist() == [30, 50]


def test_without_data_there_are_no_dvectors(monkeypatch, capsys):
    monkeypatch.delenv("ANMF_DATA", raising=False)
    assert dvectors() is None
    assert "ANMF_DATA" in capsys.readouterr().out


def test_scores_know_who_was_found():
    gallery = np.eye(4)
    recording = Recording(gallery[:3], gallery[[2, 0]], speakers=np.array([2, 0]))
    estimate = np.array([[5.0, 0.1, 0.0, 0.0], [0.0, 0.0, 0.2, 0.0]])
    found = embedding_quality.scores(recording, estimate, np.zeros(4), gallery)
    assert found["identification"] == 1 and found["cosine"] == pytest.approx(1, abs=1e-3)
    more = np.concatenate([estimate, gallery[3:], gallery[1:2]])
    half = embedding_quality.scores(recording, more, np.zeros(4), gallery)
    assert half["identification"] == 0.5 and half["cosine"] == pytest.approx(0.5, abs=1e-3)


def test_roles_are_scored_by_themselves():
    gallery = np.eye(4)
    recording = Recording(gallery[:3], gallery[[2, 0]], speakers=np.array([2, 0]), sir=5.0)
    data = DVectors(gallery, np.arange(4), None, None, gallery, {}, [])
    target, interferer = embedding_quality.by_role(
        recording, np.array([[0.6, 0.8, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]]), data
    )
    assert (target["role"], target["identification"], target["cosine"]) == ("target", 1, 1)
    assert interferer["identification"] == 0 and interferer["cosine"] == pytest.approx(0.6)


def test_intervals_hold_the_mean_and_compare_with_the_peer():
    rng = np.random.default_rng(0)
    lines = [
        {"overlap": 0.4, "conversation": i, "method": name}
        | dict.fromkeys(embedding_quality.SCORES, value + more)
        for i, value in enumerate(rng.uniform(0.5, 0.8, 30))
        for name, more in ((embedding_quality.PEER, 0), (embedding_quality.OURS, 0.1))
    ]
    table = embedding_quality.intervals(pd.DataFrame(lines)).set_index("method")
    ours = table.loc[embedding_quality.OURS].iloc[0]
    assert ours["low"] < ours["mean"] < ours["high"]
    assert ours[["more", "more low", "more high"]].tolist() == pytest.approx([0.1] * 3)
    assert (table.loc[embedding_quality.PEER, "more"] == 0).all()


def test_counts_are_shares_of_recordings():
    lines = pd.DataFrame(
        {"overlap": 0.0, "method": "a", "n_speakers": [1, 2, 3, 4], "counted": [1, 2, 5, 3]}
    )
    table = embedding_quality.counts(lines, ["overlap"])
    assert table[["accuracy", "error"]].to_numpy().tolist() == [[0.5, 0.75]]


def test_labels_are_one_speaker_a_window():
    labels = embedding_activity.one_each([0, 2, 1])
    assert labels.tolist() == np.eye(3)[[0, 2, 1]].astype(bool).tolist()


def test_conversations_have_turns_and_overlap():
    rng = np.random.default_rng(0)
    voices = [np.full(20 * embedding_sound.RATE, k + 1.0) for k in range(3)]
    x, activity = embedding_sound.conversation(voices, 0.0, rng)
    assert (activity.sum(axis=1) == 1).all() and activity.any(axis=0).all()
    np.testing.assert_array_equal(x, activity @ [1.0, 2.0, 3.0])
    _, activity = embedding_sound.conversation(voices, 0.8, rng)
    assert (activity.sum(axis=1) > 1).mean() > 0.4
    alone, activity = embedding_sound.conversation(voices[:1], 0.8, rng)
    assert (alone == 1).all() and activity.shape[1] == 1


def test_bars_of_the_world():
    known = pd.DataFrame(
        {"method": "anmf", "level": embedding.MIDDLE, "overlap": embedding.OVERLAPS, "cosine": 0.98}
    )
    unknown = known.assign(accuracy=[1.0, 0.5, 1.0])
    loud = unknown.assign(level=2.0, accuracy=0.0)
    peer = known.assign(method="k-means", cosine=0.9)
    bars = embedding.world_bars(pd.concat([known, peer]), pd.concat([unknown, loud]))
    verdicts = ["short", "short", "ok", "ok", "ok", "short", "ok"]
    assert [bar.verdict for bar in bars] == verdicts


def test_fit_agrees_with_scikit_learn():
    line = embedding_cost.compare_fit(200, 12, 1).iloc[0]
    assert line["sine"] < 1e-6 and line["difference"] < 1e-6 and line["ratio"] > 0


@pytest.mark.slow
def test_it_runs_without_data(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("ANMF_DATA", raising=False)
    embedding.run(tmp_path, quick=True)
    printed = capsys.readouterr().out
    assert "nothing is measured on real" in printed and "short" not in printed
    table = pd.read_csv(tmp_path / "embedding_world.csv")
    methods = {embedding_quality.OURS, embedding_quality.CEILING, *embedding_rivals.RIVALS}
    assert set(table["method"]) == methods
    assert table["cosine"].between(-1, 1).all()
    for name in ("world_counts", "cost", "fit", "bars"):
        assert len(pd.read_csv(tmp_path / f"embedding_{name}.csv"))
    assert (tmp_path / "embedding.png").stat().st_size > 0


@pytest.mark.data
@pytest.mark.slow
def test_it_runs_on_dvectors(tmp_path, capsys):
    if dvectors() is None:
        pytest.skip("ANMF_DATA has no embeddings")
    embedding.run(tmp_path, quick=True)
    assert "fully overlapped pairs" in capsys.readouterr().out
    for name in ("real", "real_counts", "end_to_end", "pairs", "conversations", "activity"):
        table = pd.read_csv(tmp_path / f"embedding_{name}.csv")
        assert embedding_quality.OURS in set(table["method"])
