"""Spectra, features, context, active bins, and which source is loudest."""

import array_api_strict
import numpy as np
import pytest
from scipy.signal import get_window

from anmf.deep.spectra import (
    active_bins,
    dominance,
    log_features,
    mixture_and_sources,
    sqrt_hann,
    stack_context,
    to_spectra,
    to_waveforms,
)


def magnitudes(shape=(2, 9, 5), seed=0):
    return np.random.default_rng(seed).gamma(0.5, size=shape)


def strict_host(x):
    return np.asarray(array_api_strict.asarray(x, device=array_api_strict.Device("CPU_DEVICE")))


@pytest.mark.parametrize(("dtype", "tol"), [(np.float32, 2e-6), (np.float64, 1e-12)])
@pytest.mark.parametrize("n_times", [1, 200, 1000, 8001])
def test_spectra_and_back(n_times, dtype, tol):
    x = np.random.default_rng(0).standard_normal((2, n_times)).astype(dtype)
    Z = to_spectra(x)
    assert Z.shape == (2, -(-n_times // 64) + 1, 129)
    back = to_waveforms(Z, n_times)
    assert back.dtype == dtype
    np.testing.assert_allclose(back, x, atol=tol)
    other = to_waveforms(to_spectra(x, 512, 128), n_times, 512, 128)
    np.testing.assert_allclose(other, x, atol=tol)


def test_window_is_root_of_hann():
    for n_fft in (2, 7, 256):
        np.testing.assert_allclose(sqrt_hann(n_fft) ** 2, get_window("hann", n_fft), atol=1e-15)
    # A tone in the middle of a bin has magnitude Σ w / 2 there.
    x = np.cos(2 * np.pi * 10 / 256 * np.arange(4096))
    peak = np.abs(to_spectra(x)[32, 10])
    assert peak == pytest.approx(sqrt_hann(256).sum() / 2, rel=1e-3)


def test_mixture_and_sources():
    x = np.random.default_rng(1).standard_normal((2, 3, 1000))
    X, S = mixture_and_sources(x)
    assert S.shape == (2, 17, 3, 129)
    np.testing.assert_allclose(X, to_spectra(x.sum(axis=1)), atol=1e-12)
    np.testing.assert_allclose(S[:, :, 2], to_spectra(x[:, 2]), atol=1e-12)
    X, S = mixture_and_sources(x.astype(np.float32))
    assert X.dtype == S.dtype == np.complex64
    with pytest.raises(ValueError, match=r"waveforms has shape \(3, 1000\)"):
        mixture_and_sources(x[0])


def test_features_by_definition():
    A = magnitudes()
    for b, x in enumerate(log_features(A, xp=np)):
        logs = np.log(A[b] + 1e-3 * A[b].max())
        np.testing.assert_allclose(x, (logs - logs.mean()) / logs.std(), atol=1e-12)
    features = log_features(A, xp=np)
    np.testing.assert_allclose(features.mean(axis=(1, 2)), 0, atol=1e-14)
    np.testing.assert_allclose(features.std(axis=(1, 2)), 1, rtol=1e-13)


@pytest.mark.parametrize("gain", [1e-200, 1e-5, 1e5, 1e200])
def test_gain_has_no_influence_on_features(gain):
    A = magnitudes()
    np.testing.assert_allclose(log_features(gain * A, xp=np), log_features(A, xp=np), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_silence_and_constants_give_zeros(dtype):
    A = magnitudes((3, 251, 129)).astype(dtype)
    A[0], A[1] = 0, 0.3
    features = log_features(A, xp=np)
    assert features.dtype == dtype
    assert np.all(features[:2] == 0)
    assert features[2].std() == pytest.approx(1, rel=1e-5)


def test_context():
    x = np.random.default_rng(2).standard_normal((2, 6, 3))
    padded = np.pad(x, ((0, 0), (2, 2), (0, 0)))
    expected = np.concatenate([padded[:, k : k + 6] for k in range(5)], axis=-1)
    np.testing.assert_array_equal(stack_context(x, xp=np), expected)
    np.testing.assert_array_equal(stack_context(x, 1, xp=np), x)
    assert stack_context(x[:, :1], 5, xp=np).shape == (2, 1, 15)


def test_active_bins():
    A = np.array([[[1.0, 0.0101, 0.0099]], [[1e-3, 1.1e-5, 0.9e-5]], [[0.0, 0.0, 0.0]]])
    found = active_bins(A, xp=np)
    np.testing.assert_array_equal(found[:, 0], [[1, 1, 0], [1, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(active_bins(A[0], xp=np), found[0])
    assert active_bins(A, xp=np, level=20)[0].sum() == 1


@pytest.mark.parametrize("n_sources", [1, 2, 3, 5])
def test_dominance(n_sources):
    rng = np.random.default_rng(3)
    S = rng.standard_normal((2, 4, n_sources, 5)) * (1 + 1j)
    Y = dominance(S, xp=np)
    assert Y.shape == (2, 4, 5, n_sources)
    assert np.all(Y.sum(axis=-1) == 1)
    np.testing.assert_array_equal(Y.argmax(axis=-1), np.abs(S).argmax(axis=2))
    assert np.all(dominance(0 * S, xp=np)[..., 0] == 1)  # of equals, the first
    assert dominance(S.astype(np.complex64), xp=np).dtype == np.float32


def test_array_api():
    A = magnitudes()
    S = np.random.default_rng(4).standard_normal((2, 4, 3, 5)) + 0j
    place = array_api_strict.Device("device1")
    strict, strict_S = (array_api_strict.asarray(a, device=place) for a in (A, S))
    for function, host, other in [
        (log_features, A, strict),
        (stack_context, A, strict),
        (active_bins, A, strict),
        (dominance, S, strict_S),
    ]:
        found = function(other, xp=array_api_strict)
        assert found.device == place
        np.testing.assert_allclose(strict_host(found), function(host, xp=np), atol=1e-13)


def test_bad_input():
    A = magnitudes()
    with pytest.raises(ValueError, match=r"magnitude has shape \(9, 5\); expected \(batch"):
        log_features(A[0], xp=np)
    with pytest.raises(ValueError, match=r"features has shape \(9, 5\)"):
        stack_context(A[0], xp=np)
    with pytest.raises(ValueError, match="n_frames=4 must be odd"):
        stack_context(A, 4, xp=np)
    with pytest.raises(ValueError, match="level=-40 must be positive"):
        active_bins(A, xp=np, level=-40)
    with pytest.raises(ValueError, match=r"S has shape .* n_sources, n_bins"):
        dominance(A, xp=np)
    with pytest.raises(ValueError, match="n_fft=1 must be an integer of at least 2"):
        to_spectra(A, n_fft=1)
