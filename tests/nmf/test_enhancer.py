"""Speech out of noise: `SpeechEnhancer`."""

from functools import cache

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from anmf import SpeechEnhancer
from anmf.audio import read_audio, write_audio
from anmf.datasets import make_noise, make_noisy_speech, make_voices
from anmf.metrics import si_sdr
from anmf.nmf import enhance_file
from anmf.nmf.noise_adaptive import quiet_rows
from anmf.nmf.speech_basis import load_speech_basis

RATE = 16000
GAINS = {"hum": 9.0, "pink": 4.5, "rain": 7.0}
"""Least improvement by noise, in dB: a few less than is reached."""


@cache
def voice(seconds=10.0):
    return make_voices(1, seconds, random_state=0).waveforms[:, 0]


@cache
def noisy(kind="rain"):
    """Mixture and the speech in it, 3 s."""
    noise = make_noise(3.0, kind, random_state=1)
    made = make_noisy_speech([voice()[7 * RATE :]], [noise], random_state=0)
    return made.mixtures[0], made.speech[0]


@cache
def fitted(**options):
    return SpeechEnhancer(32, random_state=0, **options).fit([voice()[: 7 * RATE]])


@cache
def small():
    """A model whose quality doesn't matter."""
    model = SpeechEnhancer(6, n_noise=2, max_iter=3, n_fft=256, random_state=0)
    return model.fit(voice()[: 2 * RATE])


def gain(model, kind="rain"):
    mixture, speech = noisy(kind)
    return si_sdr(speech, model.enhance(mixture)) - si_sdr(speech, mixture)


@pytest.mark.parametrize("kind", GAINS)
def test_own_speech_comes_out_of_noise(kind):
    assert gain(fitted(), kind) > GAINS[kind]


@pytest.mark.parametrize("options", [{"adversarial_weight": 0.1}, {"n_fft": (512, 1024)}])
def test_options_work_too(options):
    assert gain(fitted(**options)) > GAINS["rain"]


def test_frame_lengths_are_averaged():
    mixture, _ = noisy()
    both = fitted(n_fft=(512, 1024))
    assert [basis.shape[1] for basis in both.bases_] == [257, 513]
    each = [model.separate(mixture) for model in both.adapted([mixture])]
    np.testing.assert_allclose(both.separate(mixture), np.mean(each, axis=0), atol=1e-6)


def test_adversarial_basis_differs():
    mixture, _ = noisy()
    plain, refusing = fitted().enhance(mixture), fitted(adversarial_weight=0.1).enhance(mixture)
    assert 5 < si_sdr(plain, refusing) < 60


@pytest.mark.parametrize("n_fft", [512, 1024, 2048])
def test_built_in_basis(n_fft):
    basis = load_speech_basis(n_fft)
    assert basis.shape == (128, n_fft // 2 + 1) and basis.dtype == np.float32
    assert np.isfinite(basis).all() and basis.min() >= 0
    np.testing.assert_allclose(np.linalg.norm(basis, axis=1), 1, rtol=1e-5)


def test_built_in_basis_takes_noise_away():
    model = SpeechEnhancer(random_state=0).fit()
    np.testing.assert_array_equal(model.bases_[0], load_speech_basis())
    assert gain(model) > 6


@pytest.mark.parametrize(
    "options", [{"n_fft": 1000}, {"n_fft": [1024, 256]}, {"sample_rate": 8000}]
)
def test_built_in_basis_for_other_frames_is_refused(options):
    with pytest.raises(
        ValueError, match="built-in speech basis is for sample_rate=16000 and n_fft"
    ):
        SpeechEnhancer(**options).fit()


def test_built_in_basis_has_no_speech_to_train_on():
    with pytest.raises(ValueError, match=r"adversarial_weight=0\.1 needs .* clean speech"):
        SpeechEnhancer(adversarial_weight=0.1).fit()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(8000,), (8000, 1), (8000, 3)])
def test_parts_sum_to_the_mixture(shape, dtype):
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    before = x.copy()
    parts = small().separate(x)
    assert parts.shape == (8000, 2, *shape[1:]) and parts.dtype == dtype
    np.testing.assert_allclose(parts.sum(axis=1), x, atol=1e-5)
    np.testing.assert_array_equal(small().enhance(x), parts[:, 0])
    np.testing.assert_array_equal(x, before)


def test_channels_share_a_mask():
    mixture, _ = noisy()
    both = fitted().enhance(np.stack([mixture, 0.5 * mixture], axis=1))
    np.testing.assert_allclose(both[:, 1], 0.5 * both[:, 0], atol=1e-6)
    assert si_sdr(fitted().enhance(mixture), both[:, 0]) > 50


@pytest.mark.parametrize("factor", [1e-4, 30.0])
def test_level_does_not_matter(factor):
    mixture, _ = noisy()
    expected = factor * fitted().separate(mixture)
    peak = factor * np.abs(mixture).max()
    np.testing.assert_allclose(
        fitted().separate(np.float32(factor) * mixture), expected, atol=1e-3 * peak
    )


def test_lists_are_separated_one_by_one():
    mixture, _ = noisy()
    recordings = [mixture[:9000], np.stack([mixture, mixture], axis=1)[:5000]]
    parts = small().separate(recordings)
    assert [part.shape for part in parts] == [(9000, 2), (5000, 2, 2)]
    for x, part, speech in zip(recordings, parts, small().enhance(tuple(recordings)), strict=True):
        np.testing.assert_array_equal(part, small().separate(x))
        np.testing.assert_array_equal(speech, part[:, 0])
    assert small().separate([]) == []


def test_silence_stays_silent():
    assert not small().separate(np.zeros((500, 2), np.float32)).any()
    x = np.concatenate([np.zeros(4000), noisy()[0][:8000], np.zeros(4000)])
    parts = small().separate(x)
    assert np.isfinite(parts).all() and np.abs(parts[:3000]).max() < 1e-6


@pytest.mark.parametrize("n_times", [1, 2, 100, 255, 256, 257, 700])
def test_short_recordings(n_times):
    x = noisy()[0][20000 : 20000 + n_times]
    parts = small().separate(x)
    assert parts.shape == (n_times, 2) and np.isfinite(parts).all()
    np.testing.assert_allclose(parts.sum(axis=1), x, atol=1e-6)


def test_quiet_rows_come_from_the_quietest():
    X = np.arange(1, 101, dtype=np.float32)[:, None] * np.ones(4, np.float32)
    X[:10] = [[1, 0, 0, 0]]
    X[0] = 0
    rows = quiet_rows(X, 3, 0.05, np.random.default_rng(0))
    assert rows.shape == (3, 4) and rows.dtype == np.float32 and rows.min() > 0
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    assert (rows.argmax(axis=1) == 0).all()
    silent = quiet_rows(np.zeros((5, 4)), 2, 0.1, np.random.default_rng(0))
    np.testing.assert_allclose(silent, 0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 0}, "n_components=0 must be"),
        ({"n_noise": 1.5}, "n_noise=1.5 must be"),
        ({"max_iter": 0}, "max_iter=0 must be"),
        ({"sample_rate": "16k"}, "sample_rate='16k' must be"),
        ({"alpha_H": -1}, "alpha_H=-1 must be"),
        ({"anchor": np.nan}, "anchor=nan must be"),
        ({"adversarial_weight": "much"}, "adversarial_weight='much' must be"),
        ({"quiet_share": 0}, "quiet_share=0 must be"),
        ({"quiet_share": 2}, "quiet_share=2 must be"),
        ({"n_fft": 8}, "n_fft=8 must be"),
        ({"n_fft": []}, r"n_fft=\[\] must hold"),
        ({"n_fft": [512, None]}, "n_fft=None must be"),
        ({"random_state": "x"}, "random_state='x' must be"),
    ],
)
def test_bad_parameters_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SpeechEnhancer(**options).fit([voice()[:8000]])


@pytest.mark.parametrize(
    ("waveforms", "message"),
    [
        (np.zeros(5000), "silent throughout"),
        (np.ones(5000, int), "expected float32 or float64"),
        ([np.full(5000, np.nan)], "NaN or infinity"),
        (np.ones((2, 500)), "time comes first"),
        (np.zeros(0), "empty"),
    ],
)
def test_bad_speech_is_refused(waveforms, message):
    with pytest.raises(ValueError, match=message):
        SpeechEnhancer(4).fit(waveforms)


@pytest.mark.parametrize("x", [np.ones(500, int), np.zeros(0), np.ones((2, 50)), [[0.1, np.inf]]])
def test_bad_recordings_are_refused(x):
    with pytest.raises(ValueError, match=r"expected|NaN"):
        small().separate(x)


def test_it_must_be_fitted(tmp_path):
    for call in (SpeechEnhancer().separate, SpeechEnhancer().enhance):
        with pytest.raises(NotFittedError):
            call(voice())
    with pytest.raises(NotFittedError):
        SpeechEnhancer().enhance_file(tmp_path / "a.wav", tmp_path / "b.wav")


def test_it_is_an_estimator():
    model = SpeechEnhancer(5, n_fft=(256, 512), anchor=2.0, random_state=3)
    copy = clone(model)
    assert copy.get_params() == model.get_params() and copy.anchor == 2.0
    assert copy.set_params(alpha_H=0.2).alpha_H == 0.2
    assert not hasattr(clone(small()), "bases_")


@pytest.mark.parametrize("options", [{}, {"adversarial_weight": 0.1}, {"n_fft": (256, 512)}])
def test_a_seed_determines_everything(options):
    model = SpeechEnhancer(6, n_noise=2, max_iter=3, random_state=0).set_params(**options)
    x = noisy()[0][:8000]
    first, second = (clone(model).fit([voice()[:RATE]]) for _ in range(2))
    expected = first.separate(x)
    np.testing.assert_array_equal(second.separate(x), expected)
    np.testing.assert_array_equal(first.separate(x), expected)
    other = clone(model).set_params(random_state=1).fit([voice()[:RATE]])
    assert not np.array_equal(other.separate(x), expected)


def recording(folder, x=None, rate=RATE):
    write_audio(folder / "in.wav", noisy()[0] if x is None else x, rate)
    return folder / "in.wav"


@pytest.mark.parametrize("seconds", [0.03, 1.7, 2.9])
@pytest.mark.parametrize("options", [{}, {"n_fft": (512, 1024)}])
def test_short_file_gives_what_the_array_gives(tmp_path, options, seconds):
    x = noisy()[0][-int(seconds * RATE) :]
    paths = tmp_path / "speech.wav", tmp_path / "noise.wav"
    model = fitted(**options)
    model.enhance_file(recording(tmp_path, x), paths[0], noise=paths[1])
    parts = np.stack([read_audio(path)[0] for path in paths], axis=1)
    expected = model.separate(x)
    np.testing.assert_allclose(parts, expected, atol=2e-3 * np.abs(x).max())
    np.testing.assert_allclose(parts.sum(axis=1), x, atol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.wav", "noise.wav", "speech.wav"]


def test_file_of_several_pieces_is_close_to_the_array(tmp_path):
    mixture, speech = noisy("hum")
    fitted().enhance_file(recording(tmp_path, mixture), tmp_path / "out.wav")
    enhanced, expected = read_audio(tmp_path / "out.wav")[0], fitted().enhance(mixture)
    assert si_sdr(expected, enhanced) > 25
    assert abs(si_sdr(speech, enhanced) - si_sdr(speech, expected)) < 1


def test_part_of_a_file_tells_the_noise(tmp_path):
    mixture, speech = np.tile(noisy()[0], 4), np.tile(noisy()[1], 4)
    fitted().enhance_file(recording(tmp_path, mixture), tmp_path / "out.flac", adapt_seconds=4.0)
    enhanced = read_audio(tmp_path / "out.flac")[0]
    assert si_sdr(speech, enhanced) > si_sdr(speech, mixture) + 5


def test_sound_between_the_chosen_pieces(tmp_path):
    """A file whose chosen pieces are all silent is not taken for silence."""
    x = np.zeros(20 * RATE, np.float32)
    x[5 * RATE : 6 * RATE] = noisy()[0][:RATE]
    paths = tmp_path / "speech.wav", tmp_path / "noise.wav"
    fitted().enhance_file(recording(tmp_path, x), paths[0], noise=paths[1], adapt_seconds=4.0)
    parts = np.stack([read_audio(path)[0] for path in paths], axis=1)
    np.testing.assert_allclose(parts.sum(axis=1), x, atol=1e-6)


def test_a_failed_refit_leaves_the_model(tmp_path):
    model = fitted()
    before = model.bases_
    with pytest.raises(ValueError, match="waveforms is empty"):
        model.fit([])
    with pytest.raises(ValueError, match="silent"):
        model.fit([np.zeros(8000)])
    assert model.bases_ is before


def test_pieces_are_spread_over_the_file(tmp_path):
    x = (1 + np.arange(20 * 200)).astype(np.float32) / 4000
    info = enhance_file.audio_info(recording(tmp_path, x, 200))
    pieces = enhance_file.spread_pieces(tmp_path / "in.wav", info, 8.0)
    heard = np.concatenate(pieces)
    assert len(heard) == 8 * 200 and heard[0] == x[0] and heard[-1] == x[-1]


@pytest.mark.parametrize("n_channels", [1, 2])
def test_silent_file(tmp_path, n_channels):
    x = np.zeros((3000, n_channels), np.float32)
    small().enhance_file(recording(tmp_path, x), tmp_path / "out.wav", noise=tmp_path / "n.wav")
    for name in ("out.wav", "n.wav"):
        y, rate = read_audio(tmp_path / name)
        assert rate == RATE and y.size == x.size and not y.any()


def test_file_of_several_channels(tmp_path):
    x = np.stack([noisy()[0][:20000]] * 2, axis=1)
    small().enhance_file(recording(tmp_path, x), tmp_path / "out.wav")
    y = read_audio(tmp_path / "out.wav")[0]
    assert y.shape == x.shape
    np.testing.assert_allclose(y, small().enhance(x), atol=2e-3)


def test_files_are_refused_before_work(tmp_path):
    path, out = recording(tmp_path), tmp_path / "out.wav"
    with pytest.raises(ValueError, match=r"adapt_seconds=0\.5 must be"):
        small().enhance_file(path, out, adapt_seconds=0.5)
    with pytest.raises(ValueError, match=r"noise=.* must be another file than output"):
        small().enhance_file(path, out, noise=out)
    with pytest.raises(FileNotFoundError):
        small().enhance_file(tmp_path / "none.wav", out)
    with pytest.raises(FileNotFoundError, match="its folder does not exist"):
        small().enhance_file(path, tmp_path / "none" / "out.wav")
    with pytest.raises(ValueError, match="expected one of"):
        small().enhance_file(path, tmp_path / "out.txt")
    write_audio(tmp_path / "low.wav", noisy()[0], 8000)
    with pytest.raises(ValueError, match=r"has 8000 Hz, and sample_rate=16000; resample"):
        small().enhance_file(tmp_path / "low.wav", out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.wav", "low.wav"]


@pytest.mark.parametrize("name", ["out.wav", "noise.wav"])
def test_files_are_replaced_only_when_asked_for(tmp_path, name):
    (tmp_path / name).write_text("precious")
    outputs = {"output": tmp_path / "out.wav", "noise": tmp_path / "noise.wav"}
    with pytest.raises(FileExistsError, match="overwrite=True"):
        small().enhance_file(recording(tmp_path), **outputs)
    assert (tmp_path / name).read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in.wav", name])
    small().enhance_file(tmp_path / "in.wav", **outputs, overwrite=True)
    assert len(read_audio(tmp_path / name)[0]) == len(noisy()[0])


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_interruption_leaves_no_file(tmp_path, monkeypatch, error):
    original = enhance_file.separated_blocks

    def interrupted(*arguments):
        yield next(original(*arguments))
        assert len(list(tmp_path.iterdir())) == 4  # two under temporary names
        raise error

    path = recording(tmp_path)
    (tmp_path / "out.wav").write_text("precious")
    monkeypatch.setattr(enhance_file, "separated_blocks", interrupted)
    with pytest.raises(error):
        small().enhance_file(
            path, tmp_path / "out.wav", noise=tmp_path / "noise.wav", overwrite=True
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.wav", "out.wav"]
    assert (tmp_path / "out.wav").read_text() == "precious"
