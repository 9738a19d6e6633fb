"""AudioSeparator: waveforms in, waveforms out, whole or in blocks."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from anmf import NMF, AudioSeparator, NMF_separation
from anmf.audio import STFT, find_audio, read_audio, stft
from anmf.audio.targets import phase_sensitive_shares
from tests.audio.toys import RATE, Offset, Split, fitted, improvement, noise


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_voices_and_noise_come_apart(band, power):
    train, test = band
    estimator = NMF_separation(16, alpha_H=0.01, random_state=0)
    model = AudioSeparator(estimator, power=power).fit(list(train.T), [0, 1, 2])
    gain = improvement(model, test)
    assert gain.min() > 12  # dB; 15 to 20 were measured
    np.testing.assert_allclose(model.separate(test.sum(axis=1)).sum(axis=1), test.sum(axis=1))


@pytest.mark.parametrize("method", ["nmf", "dnmf"])
def test_true_parts_teach(band, method):
    train, test = band
    model = AudioSeparator(
        NMF_separation(16, method=method, alpha_H=0.01, max_iter=10, random_state=0)
    )
    pieces = np.split(train, 5)
    model.fit([piece.sum(axis=1) for piece in pieces], pieces)
    assert improvement(model, test).min() > 12
    again = clone(model).fit(None, pieces)
    x = test.sum(axis=1)
    np.testing.assert_allclose(again.separate(x), model.separate(x), atol=1e-3)


def test_nmf_wraps_too():
    model = AudioSeparator(NMF(2, random_state=0), n_fft=64).fit([noise(500), noise(300)])
    assert model.separate(noise(400)).shape == (400, 2)


@settings(max_examples=40, deadline=None)
@given(
    n_times=st.integers(1, 700),
    n_channels=st.integers(0, 3),
    n_sources=st.integers(1, 3),
    n_fft=st.sampled_from([33, 64, 128]),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_parts_sum_to_the_mixture(n_times, n_channels, n_sources, n_fft, dtype, seed):
    x = noise(max(n_times, n_channels), n_channels, dtype, seed)
    x.flags.writeable = False
    parts = fitted(n_fft, n_sources=n_sources).separate(x)
    assert parts.shape == (x.shape[0], n_sources, *x.shape[1:]) and parts.dtype == dtype
    tolerance = 10 * np.finfo(dtype).eps * np.abs(x).max()
    np.testing.assert_allclose(parts.sum(axis=1), x, atol=tolerance)


@pytest.mark.parametrize("normalize", ["file", "training", "none"])
def test_level(normalize):
    """Loudness doesn't matter where files are normalised, or where the level is told."""
    model, x = AudioSeparator(Offset(), n_fft=64, normalize=normalize).fit(noise()), noise(800)
    loud, told = model.separate(100 * x), model.separate(100 * x, level=100.0)
    np.testing.assert_allclose(told, 100 * model.separate(x, level=1.0), rtol=1e-9, atol=1e-9)
    assert np.allclose(loud, 100 * model.separate(x)) == (normalize == "file")
    np.testing.assert_allclose(model.level_, np.sqrt(np.mean(noise() ** 2)))
    if normalize == "training":
        np.testing.assert_allclose(model.separate(x), model.separate(x, level=model.level_))
    rows = model._rows(model._spectra(noise(50000)), 1.0)
    np.testing.assert_allclose(np.mean(rows**2), 1, rtol=0.02)


def test_silence_is_shared_out():
    parts = fitted().separate(np.zeros(500))
    np.testing.assert_array_equal(parts, np.zeros((500, 3)))


def test_lists_give_lists():
    model, x = fitted(), [noise(300), noise(400, 2)]
    parts = model.separate(x)
    assert [part.shape for part in parts] == [(300, 3), (400, 3, 2)]
    np.testing.assert_allclose(parts[0], model.separate(x[0]), atol=1e-3)
    assert model.score(x, parts) > 60
    assert model.score(x[1], parts[1], metric="snr") > 60
    assert np.isnan(model.score(np.zeros(99), np.zeros((99, 3))))
    np.testing.assert_allclose(model.fit_separate(x[0], None), parts[0], atol=1e-3)


def test_channels_share_a_mask():
    """Equal channels are separated as one of them."""
    model, x = fitted(), noise(600)
    both = model.separate(np.stack([x, x], axis=1))
    np.testing.assert_allclose(both[:, :, 0], model.separate(x), atol=1e-12)
    np.testing.assert_allclose(both[:, :, 1], both[:, :, 0], atol=1e-12)


def test_rows_for_training():
    """One row a frame, labels repeated, silent frames left out."""
    a, b = noise(640), noise(640, seed=1)
    b[320:] = 0
    model = AudioSeparator(Split(), n_fft=64, power=2.0).fit([a, b], [4, -1])
    X, y = model.estimator_.X_, model.estimator_.y_
    assert X.shape[1] == 33 and len(X) == len(y)
    assert (y == 4).sum() == 41 and 20 <= (y == -1).sum() <= 23
    window = STFT(64).fit().transform(a)
    expected = np.abs(window) ** 2 / np.mean(a**2) / np.sum(np.hanning(65)[:-1] ** 2)
    np.testing.assert_allclose(X[:41], expected)


@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize("n_channels", [0, 2])
def test_targets_for_training(n_channels, power):
    parts = np.stack([noise(640, n_channels), noise(640, n_channels, seed=1)], axis=1)
    model = AudioSeparator(Split(), n_fft=64, power=power, silence_threshold=0.0)
    model.fit([parts.sum(axis=1), noise(100, n_channels)], [parts, None])
    X, y = model.estimator_.X_, model.estimator_.y_
    assert y.shape == (len(X), 2, 33)
    known = ~np.isnan(y).any(axis=(1, 2))
    assert known.sum() == 41 and np.isnan(y[~known]).all()
    assert (y[known] >= 0).all()
    assert (y[known].sum(axis=1) <= X[known] * (1 + 1e-9)).all()
    np.testing.assert_array_less(0.999 * X[known], y[known].sum(axis=1))  # they sum to X exactly


def test_phase_sensitive_shares_in_closed_form():
    """Of one source alone the share is 1; of quarter phase 0; of sums in phase its proportion."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1, 5, 3)) + 1j * rng.standard_normal((1, 5, 3))
    one = phase_sensitive_shares(X, np.stack([X, 0 * X]))
    np.testing.assert_allclose(one[:, 0], 1)
    np.testing.assert_allclose(one[:, 1], 0)
    np.testing.assert_allclose(phase_sensitive_shares(X, np.stack([1j * X])), 0, atol=1e-12)
    np.testing.assert_allclose(phase_sensitive_shares(X, np.stack([0.3 * X, 0.7 * X]))[:, 0], 0.3)
    np.testing.assert_array_equal(phase_sensitive_shares(0 * X, np.stack([X, -X])), 0)


def test_is_an_estimator(band):
    train, test = band
    model = AudioSeparator(NMF_separation(4, random_state=0), n_fft=256)
    assert model.get_params()["estimator__n_components"] == 4
    model.set_params(estimator__n_components=3, power=2.0)
    copied = clone(model)
    assert copied.estimator is not model.estimator
    assert (copied.estimator.n_components, copied.power) == (3, 2.0)
    copied.fit(list(train.T), [0, 1, 2])
    assert not hasattr(copied.estimator, "components_")
    assert copied.estimator_.components_.shape == (9, 129)
    again = pickle.loads(pickle.dumps(copied))
    x = test.sum(axis=1)
    np.testing.assert_allclose(again.separate(x), copied.separate(x), atol=1e-6)
    assert "AudioSeparator" in repr(model)
    with pytest.raises(NotFittedError):
        model.separate(x)
    with pytest.raises(NotFittedError):
        model.separate_stream([x])


def test_is_tuned_by_cross_validation(band):
    train, _ = band
    pieces = np.split(train, 5)
    search = GridSearchCV(
        AudioSeparator(NMF_separation(4, random_state=0)),
        {"estimator__alpha_H": [0.01, 3.0], "n_fft": [512]},
        cv=2,
        error_score="raise",
    ).fit([piece.sum(axis=1) for piece in pieces], pieces)
    assert search.best_params_["estimator__alpha_H"] == 0.01
    assert search.best_estimator_.separate(train.sum(axis=1)).shape == train.shape


A = noise(300)
P = np.stack([A, A], axis=1)
BAD_FITS = [
    ({}, [A, A], [0], "y holds 1 labels for 2 waveforms"),
    ({}, [A, A], [0, 1.5], "must hold whole numbers"),
    ({}, [A, A], [0, -2], "must hold whole numbers"),
    ({}, [A, A], ["a", "b"], "must hold whole numbers"),
    ({}, [A, A], [P], "the parts of 1 waveforms, and there are 2"),
    ({}, [A], [P[:200]], r"y\[0\] has shape \(200, 2\); expected .* \(300, n_sources\)"),
    ({}, [P], [P], r"y\[0\] has shape \(300, 2\); expected .* \(300, n_sources, 2\)"),
    ({}, [A, A], [P, P[:, :1]], r"parts of \[1, 2\] sources"),
    ({}, [A, A], [P, A], r"y\[1\] has shape \(300,\)"),
    ({}, None, [P.T], r"y\[0\] has shape \(2, 300\); transpose it"),
    ({}, None, [np.full((9, 2), np.nan)], r"y\[0\] holds NaN"),
    ({}, None, None, "waveforms and y are both None"),
    ({}, [], [], "waveforms is an empty list"),
    ({}, [A, A * np.nan], [0, 1], r"waveforms\[1\] holds NaN"),
    ({}, [A, P.T], [0, 1], r"waveforms\[1\] has shape \(2, 300\).*time comes first"),
    ({}, [1.0, 2.0], [0, 1], r"waveforms\[0\] has shape \(\)"),
    ({}, np.ones(300, np.int16), None, "waveforms has dtype int16"),
    ({}, [A, 0 * A], [0, 1], r"waveforms\[1\] is silent"),
    ({}, 0 * A, None, "silent throughout; expected something"),
    ({"estimator": Split}, A, None, "must be an estimator with fit and separate"),
    ({"estimator": STFT()}, A, None, "must be an estimator with fit and separate"),
    ({"n_fft": 0}, A, None, "n_fft=0"),
    ({"hop_length": 64}, A, None, "no accurate inverse"),
    ({"power": 0.0}, A, None, "power=0.0"),
    ({"normalize": "peak"}, A, None, "normalize='peak' must be one of"),
    ({"silence_threshold": 2.0}, A, None, "silence_threshold=2.0"),
    ({"sample_rate": "16k"}, A, None, "sample_rate='16k'"),
]


@pytest.mark.parametrize(("options", "waveforms", "y", "message"), BAD_FITS)
def test_bad_training_is_refused(options, waveforms, y, message):
    with pytest.raises(ValueError, match=message):
        AudioSeparator(**{"estimator": Split(), "n_fft": 64, **options}).fit(waveforms, y)


def test_bad_mixtures_are_refused():
    model = fitted()
    bad = {
        "x is empty": np.zeros(0),
        "x has shape": np.zeros((2, 300)),
        "dtype int64": np.ones(9, int),
        "NaN or infinity": np.array([np.inf]),
        r"x\[1\] is complex": [A, A * 1j],
    }
    for message, x in bad.items():
        with pytest.raises(ValueError, match=message):
            model.separate(x)
    for level in (0, -1.0, np.nan, "loud"):
        with pytest.raises(ValueError, match="level="):
            model.separate(A, level=level)
        with pytest.raises(ValueError, match="level="):
            model.separate_stream([A], level=level)
    with pytest.raises(ValueError, match=r"references have shapes \[\(300, 2\)\]"):
        model.score(A, P)
    with pytest.raises(ValueError, match="metric='loudness' must be one of"):
        model.score(A, P, metric="loudness")


def test_estimators_that_break_the_contract_are_named():
    class Flat(Split):
        def separate(self, X):
            return X

    with pytest.raises(ValueError, match=r"estimator=Flat separates rows .* expected \(1, n_sou"):
        AudioSeparator(Flat(), n_fft=64).fit(A)


@pytest.mark.data
def test_speech_comes_out_of_noise():
    folder = Path(os.environ["ANMF_DATA"])
    if not (folder / "speech").is_dir():
        pytest.skip("no folder 'speech' in ANMF_DATA")
    files = find_audio(next(path for path in sorted((folder / "speech/test").iterdir())))
    speech = [read_audio(path, sample_rate=RATE)[0] for path in files]
    speech = [x / np.std(x) for x in speech]
    n = len(speech[0])
    hiss = np.cumsum(noise(n * 2, dtype="float32"))
    hiss = np.diff(hiss - np.convolve(hiss, np.ones(50) / 50, "same"), prepend=0)
    hiss = (0.7 * hiss / np.std(hiss)).astype("float32")
    estimator = NMF_separation([32, 8], random_state=0)
    model = AudioSeparator(estimator, sample_rate=RATE).fit([*speech[1:], hiss[n:]], [0] * 9 + [1])
    parts = np.stack([speech[0], hiss[:n]], axis=1)
    assert stft(parts.T).dtype == np.complex64
    assert improvement(model, parts).min() > 7  # 10 was measured
