"""The short-time Fourier transform and its inverse."""

import pickle

import librosa
import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from anmf import NMF, STFT
from anmf.audio import istft, stft

PRECISION = {"float32": 1e-6, "float64": 1e-12}


@settings(max_examples=150, deadline=None)
@given(
    n_times=st.integers(1, 3000),
    n_fft=st.integers(2, 600),
    share=st.floats(0.01, 0.5),
    window=st.sampled_from(["hann", "hamming", "blackman", "boxcar"]),
    dtype=st.sampled_from(["float32", "float64"]),
    shape=st.sampled_from([(), (2,), (2, 3)]),
    seed=st.integers(0, 2**32 - 1),
)
def test_inverse_is_exact(n_times, n_fft, share, window, dtype, shape, seed):
    hop_length = max(1, int(share * n_fft))
    x = np.random.default_rng(seed).standard_normal((*shape, n_times)).astype(dtype)
    transform = STFT(n_fft, hop_length, window)
    Z = transform.fit_transform(x)
    n_frames = -(-n_times // hop_length) + 1
    assert Z.shape == (*shape, n_frames, n_fft // 2 + 1)
    assert Z.dtype == {"float32": np.complex64, "float64": np.complex128}[dtype]
    y = transform.inverse_transform(Z, n_times=n_times)
    assert y.shape == x.shape and y.dtype == x.dtype
    assert np.abs(y - x).max() <= PRECISION[dtype] * np.abs(x).max()
    whole = transform.inverse_transform(Z)
    assert whole.shape[-1] == (n_frames - 1) * hop_length >= n_times
    assert np.abs(whole[..., n_times:]).max(initial=0) <= PRECISION[dtype] * np.abs(x).max()


@pytest.mark.parametrize("n_fft", [64, 65, 1024])
def test_frames_do_not_overlap_with_a_rectangle(n_fft):
    x = np.random.default_rng(0).standard_normal(1000)
    transform = STFT(n_fft, hop_length=n_fft, window="boxcar")
    back = transform.inverse_transform(transform.transform(x), n_times=1000)
    np.testing.assert_allclose(back, x, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(a=st.floats(-5, 5), b=st.floats(-5, 5), seed=st.integers(0, 2**32 - 1))
def test_linear(a, b, seed):
    x, y = np.random.default_rng(seed).standard_normal((2, 500))
    both = stft(a * x + b * y, 64)
    np.testing.assert_allclose(both, a * stft(x, 64) + b * stft(y, 64), atol=1e-11)


@pytest.mark.parametrize(("n_fft", "hop_length"), [(64, 16), (65, 16), (64, 25)])
def test_frames_obey_their_formula_and_parseval(n_fft, hop_length):
    x = np.random.default_rng(0).standard_normal(500)
    Z = stft(x, n_fft, hop_length)
    window = scipy.signal.get_window("hann", n_fft)
    padded = np.pad(x, n_fft)
    for k, row in enumerate(Z):
        start = n_fft + k * hop_length - n_fft // 2
        frame = window * padded[start : start + n_fft]
        np.testing.assert_allclose(row, np.fft.rfft(frame), atol=1e-12)
        twice = np.full(len(row), 2.0)
        twice[0] = 1.0
        if n_fft % 2 == 0:
            twice[-1] = 1.0
        np.testing.assert_allclose(twice @ np.abs(row) ** 2 / n_fft, frame @ frame, atol=1e-12)


def test_agrees_with_other_libraries():
    x = np.random.default_rng(0).standard_normal(1024)
    Z = stft(x, 256, 64)
    np.testing.assert_allclose(Z, librosa.stft(x, n_fft=256, hop_length=64).T, atol=1e-12)
    _, _, theirs = scipy.signal.stft(x, window="hann", nperseg=256, noverlap=192)
    np.testing.assert_allclose(Z, theirs.T * 128, atol=1e-12)  # it divides by the window's sum


def test_sine_has_its_closed_form():
    """Between frequencies 8 and 9 a frame of a sine has magnitude A/2 · Σw at its own frequency."""
    t = np.arange(2000)
    Z = stft(0.6 * np.cos(2 * np.pi * 8 * t / 64 + 0.3), 64, 16)
    inner = Z[4:-4]
    np.testing.assert_allclose(np.abs(inner[:, 8]), 0.3 * 32, rtol=1e-12)
    assert np.abs(inner[:, 10:]).max() < 1e-12 and np.abs(inner[:, :7]).max() < 1e-12


def test_is_a_step_of_a_pipeline():
    x = np.random.default_rng(0).standard_normal(2000)
    steps = make_pipeline(STFT(128), FunctionTransformer(np.abs), NMF(3, random_state=0, tol=0))
    assert steps.fit_transform(x).shape == (64, 3)
    transform = clone(STFT(128, window=np.hanning(128)))
    copied = pickle.loads(pickle.dumps(transform))
    np.testing.assert_array_equal(copied.transform(x), transform.transform(x))
    assert transform.fit() is transform
    assert transform.get_params().keys() == {"n_fft", "hop_length", "window"}


def test_input_is_left_alone():
    x = np.random.default_rng(0).standard_normal(300)
    x.flags.writeable = False
    Z = stft(x, 64)
    Z.flags.writeable = False
    istft(Z, 64)
    assert stft(x.astype(np.float16), 64).dtype == np.complex64
    assert stft(list(x), 64).dtype == np.complex128


BAD_WAVEFORMS = [
    (np.ones(9, np.int16), r"x has dtype int16.*x / 32768.0"),
    (np.ones(9, bool), "x has dtype bool"),
    (np.ones(9, complex), "x is complex"),
    (np.zeros(0), "x is empty"),
    (np.zeros((0, 9)), "x is empty"),
    (np.array([0.0, np.nan]), r"NaN or infinity, first at index \[1\]"),
    (np.array([[0.0], [np.inf]]), r"first at index \[1, 0\]"),
    ([[0.0, 1.0], [2.0]], "x is no array"),
    (["a"], "x has dtype <U1"),
]


@pytest.mark.parametrize(("x", "message"), BAD_WAVEFORMS)
def test_bad_waveforms_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        STFT(8).transform(x)


BAD_PARAMETERS = [
    ({"n_fft": 1}, "n_fft=1 must be an integer of at least 2"),
    ({"n_fft": 64.0}, "n_fft=64.0"),
    ({"hop_length": 0}, "hop_length=0"),
    ({"hop_length": 65}, "hop_length=65 must be at most n_fft=64"),
    ({"hop_length": 64}, "no accurate inverse"),
    ({"hop_length": 63}, "no accurate inverse"),
    ({"window": "hahn"}, "window='hahn' is none"),
    ({"window": np.ones(63)}, "64 finite numbers"),
    ({"window": np.zeros(64)}, "no accurate inverse"),
    ({"window": np.r_[np.ones(20), np.zeros(44)]}, "no accurate inverse"),
    ({"window": None}, "window=None"),
]


@pytest.mark.parametrize(("options", "message"), BAD_PARAMETERS)
def test_bad_parameters_are_refused(options, message):
    transform = STFT(**{"n_fft": 64, **options})
    with pytest.raises(ValueError, match=message):
        transform.fit(np.ones(100))
    with pytest.raises(ValueError, match=message):
        transform.transform(np.ones(100))


@pytest.mark.parametrize(
    ("Z", "n_times", "message"),
    [
        (np.ones((4, 6), complex), None, r"Z has shape \(4, 6\); for n_fft=8 .* 5\)"),
        (np.ones((5, 4), complex), None, r"Z has shape \(5, 4\)"),
        (np.ones(5, complex), None, r"Z has shape \(5,\)"),
        (np.ones((1, 5), complex), None, "at least 2 frames"),
        (np.ones((4, 5), int), None, "Z has dtype int64"),
        (np.full((4, 5), np.nan + 0j), None, "Z holds NaN"),
        (np.ones((4, 5), complex), 7, "n_times=7 is more than the 4 frames of Z cover.*at most 6"),
        (np.ones((4, 5), complex), 0, "n_times=0"),
    ],
)
def test_bad_spectra_are_refused(Z, n_times, message):
    with pytest.raises(ValueError, match=message):
        STFT(8).inverse_transform(Z, n_times=n_times)
