import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anmf._core.arrays import device, namespace, to_host
from anmf.masks import (
    MASKS,
    apply_mask,
    complex_ideal,
    ideal_binary,
    ideal_ratio,
    ideal_separation,
    phase_sensitive,
    wiener,
)
from anmf.metrics import si_sdr

SUM_TO_ONE = ("binary", "ratio", "phase_sensitive", "complex")


def strict(x):
    """On a device that refuses NumPy operands and implicit copies, as a GPU does."""
    return array_api_strict.asarray(x, device=array_api_strict.Device("device1"))


def torch(x):
    return pytest.importorskip("torch").asarray(np.array(x))


def cupy(x):
    library = pytest.importorskip("cupy")
    if not library.cuda.is_available():
        pytest.skip("no CUDA device")
    return library.asarray(x)


LIBRARIES = [strict, torch, pytest.param(cupy, marks=pytest.mark.gpu)]


def complex_sources(seed=0, shape=(6, 3, 9), scale=1.0):
    """With silent bins, ties, and a bin where sources cancel out."""
    rng = np.random.default_rng(seed)
    S = scale * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))
    S[0] = 0
    S[1, :, 0] = S[1, 0, 0]
    S[2, 0, 1], S[2, 1, 1], S[2, 2:, 1] = scale, -scale, 0
    return S


def test_wiener_shares_the_mixture_out():
    rng = np.random.default_rng(0)
    mixture, parts = rng.random((6, 9)), rng.random((6, 3, 9))
    parts[2] = 0
    shared = wiener(mixture, parts)
    np.testing.assert_allclose(shared.sum(axis=1), mixture)
    np.testing.assert_allclose(shared[2], np.repeat(mixture[2][None] / 3, 3, axis=0))
    np.testing.assert_allclose(shared[0, 0] / shared[0, 1], parts[0, 0] / parts[0, 1])


def test_wiener_keeps_true_parts_of_disjoint_sources():
    parts = np.array([[[1.0, 0, 2], [0, 3, 0]]])
    np.testing.assert_array_equal(wiener(parts.sum(axis=1), parts), parts)


def test_wiener_on_another_library():
    mixture, parts = np.ones((2, 3), np.float32), np.ones((2, 2, 3), np.float32)
    strict = wiener(array_api_strict.asarray(mixture), array_api_strict.asarray(parts))
    assert strict.dtype == array_api_strict.float32
    np.testing.assert_array_equal(np.asarray(strict), wiener(mixture, parts))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.floats(-250, 250))
@pytest.mark.parametrize("name", SUM_TO_ONE)
def test_sum_to_one(name, seed, n, exponent):
    """At any level, in silence, and where sources cancel out."""
    S = complex_sources(seed, (4, n, 5) if n > 1 else (4, 2, 5), 10.0**exponent)
    mask = MASKS[name](S.sum(axis=1), S)
    assert np.isfinite(mask).all()
    np.testing.assert_allclose(mask.sum(axis=1), 1, atol=1e-9 * max(1, np.abs(mask).max()))


def test_binary_picks_the_loudest_and_the_first_of_equals():
    S = complex_sources()
    mask = ideal_binary(S)
    assert set(np.unique(mask)) == {0.0, 1.0}
    assert mask.dtype == np.float64
    np.testing.assert_array_equal(mask.argmax(axis=1), np.abs(S).argmax(axis=1))
    np.testing.assert_array_equal(mask[1, :, 0], [1, 0, 0])
    np.testing.assert_array_equal(mask[0, 0], 1)


def test_ratio_in_closed_form():
    S = np.array([[[3.0, 1.0, 0.0], [4j, 0.0, 0.0]]])
    np.testing.assert_allclose(ideal_ratio(S)[0], [[9 / 25, 1, 0.5], [16 / 25, 0, 0.5]])
    np.testing.assert_allclose(ideal_ratio(S, exponent=0.5)[0, :, 0], [0.6, 0.8])
    np.testing.assert_allclose(ideal_ratio(S, power=1)[0, :, 0], [3 / 7, 4 / 7])
    np.testing.assert_allclose(ideal_ratio(S, power=500), ideal_binary(S), atol=0.5)
    extreme = np.array([[[1e-200, 1e200], [2e-200, 2e200]]])
    np.testing.assert_allclose(ideal_ratio(extreme)[0], [[0.2, 0.2], [0.8, 0.8]])


def test_phase_sensitive_is_the_best_real_mask():
    S = complex_sources()
    X = S.sum(axis=1)
    mask, heard = phase_sensitive(X, S), np.abs(X) > 1e-9
    angle = np.angle(X)[:, None] - np.angle(S)
    expected = np.abs(S) / np.where(heard, np.abs(X), 1)[:, None] * np.cos(angle)
    whole = np.broadcast_to(heard[:, None], S.shape)
    np.testing.assert_allclose(mask[whole], expected[whole], atol=1e-12)
    error = np.abs(S - apply_mask(X, mask))
    for other in (mask + 1e-3, mask - 1e-3, ideal_ratio(S), ideal_binary(S)):
        assert np.all(error <= np.abs(S - apply_mask(X, other)) + 1e-12)
    clipped = phase_sensitive(X, S, truncate=(0, 1))
    np.testing.assert_array_equal(clipped, np.clip(mask, 0, 1))
    assert mask.min() < 0 and mask.max() > 1


def test_complex_mask_gives_the_sources_back():
    S = complex_sources()
    X = S.sum(axis=1)
    heard = np.broadcast_to((np.abs(X) > 0)[:, None], S.shape)
    np.testing.assert_allclose(ideal_separation(X, S, "complex")[heard], S[heard])


def test_disjoint_sources_come_back():
    S = np.array([[[1.0, 0, 2j], [0, -3, 0]]])
    for name in MASKS:
        np.testing.assert_allclose(ideal_separation(S.sum(axis=1), S, name), S, atol=1e-15)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("kind", ["complex128", "complex64", "float32", "int64"])
def test_masks_on_other_libraries(library, name, kind):
    S = complex_sources()
    if "complex" not in kind:
        S = np.abs(10 * S)
    S = S.astype(kind)
    X = S.sum(axis=1).astype(kind)
    expected, mask = MASKS[name](X, S), MASKS[name](library(X), library(S))
    X = X if S.dtype.kind in "cf" else X.astype(float)
    assert_same(mask, expected, library(S))
    masked = apply_mask(library(X), mask)
    assert_same(masked, apply_mask(X, expected), library(S))
    assert_same(ideal_separation(library(X), library(S), name),
                ideal_separation(X, S, name), library(S))  # fmt: skip


@pytest.mark.parametrize("library", LIBRARIES)
def test_waveforms_on_other_libraries(library):
    y = np.random.default_rng(0).standard_normal((3000, 2)).astype(np.float32)
    expected = ideal_separation(y.sum(axis=1), y, n_fft=256)
    assert expected.dtype == np.float32
    assert_same(ideal_separation(library(y.sum(axis=1)), library(y), n_fft=256), expected,
                library(y))  # fmt: skip


def assert_same(result, expected, like):
    assert namespace(result) is namespace(like)
    assert device(result) == device(like)
    assert str(expected.dtype) in str(result.dtype)
    tolerance = 1e-5 if expected.dtype.itemsize <= 4 or expected.dtype == np.complex64 else 1e-10
    np.testing.assert_allclose(to_host(result), expected, rtol=tolerance, atol=tolerance)


def chirps(n_times=16000):
    """Two tones that sweep across one another, and a noise."""
    t = np.arange(n_times) / 16000
    sweeps = [np.sin(2 * np.pi * (a * t + b * t**2)) for a, b in ((300, 900), (2200, -700))]
    noise = 0.3 * np.random.default_rng(0).standard_normal(n_times)
    return np.stack([*sweeps, noise], axis=1)


def test_oracle_of_waveforms():
    sources = chirps()
    mixture = sources.sum(axis=1)
    quality = {
        name: si_sdr(sources, ideal_separation(mixture, sources, name), axis=0) for name in MASKS
    }
    assert quality["complex"].min() > 150
    assert np.all(quality["phase_sensitive"] > quality["ratio"])
    assert np.all(quality["ratio"] > si_sdr(sources, mixture[:, None], axis=0) + 5)
    for name in MASKS:
        parts = ideal_separation(mixture, sources, name, n_fft=512, hop_length=100)
        assert parts.shape == sources.shape and parts.dtype == np.float64
        np.testing.assert_allclose(parts.sum(axis=1), mixture, atol=1e-10)
    clipped = ideal_separation(mixture, sources, "phase_sensitive", truncate=(0, 1))
    assert si_sdr(sources, clipped, axis=0).min() > 5
    soft = ideal_separation(mixture, sources, power=1, exponent=0.5)
    assert not np.allclose(soft.sum(axis=1), mixture)
    silent = ideal_separation(np.zeros(2000), np.zeros((2000, 2)))
    np.testing.assert_array_equal(silent, 0)


S3, X2 = np.ones((2, 2, 3)), np.ones((2, 3))
Y, M = np.ones((2000, 2)), np.ones(2000)
BAD = [
    (lambda: ideal_binary(X2), r"sources has shape \(2, 3\); expected \(n, n_sources, m\)"),
    (lambda: ideal_binary(np.ones((2, 0, 3))), "sources has shape"),
    (lambda: ideal_ratio(S3 * np.nan), "sources contains NaN or infinity"),
    (lambda: ideal_ratio(S3, power=0), "power=0 must be above 0"),
    (lambda: ideal_ratio(S3, exponent=-1), "exponent=-1 must be a number"),
    (lambda: phase_sensitive(X2 * np.inf, S3), "mixture contains NaN or infinity"),
    (lambda: phase_sensitive(X2.T, S3), r"mixture has shape \(3, 2\); expected \(n, m\) = \(2, 3"),
    (lambda: phase_sensitive(X2, S3, truncate=(1, 0)), r"truncate=\(1, 0\) must be None or two"),
    (lambda: phase_sensitive(X2, S3, truncate=1), "truncate=1 must be None or two"),
    (lambda: complex_ideal(X2[:1], S3), "mixture has shape"),
    (lambda: apply_mask(X2, X2), "mask has shape"),
    (lambda: apply_mask(X2.T, S3), "mixture has shape"),
    (lambda: ideal_separation(X2, S3, "best"), "mask='best' must be one of"),
    (lambda: ideal_separation(X2, S3[None]), "sources has shape"),
    (lambda: ideal_separation(M[:-1], Y), r"mixture has shape \(1999,\); expected \(n_times,\)"),
    (lambda: ideal_separation(M, Y.T), "mixture has shape"),
    (lambda: ideal_separation(M, Y, n_fft=4096), "n_fft=4096 must be at most the length"),
    (lambda: ideal_separation(M, Y, n_fft=1), "n_fft=1 must be an integer"),
    (lambda: ideal_separation(M, Y, hop_length=600), "hop_length=600 must be at most half"),
    (lambda: ideal_separation(M, Y * np.nan), "sources contains NaN"),
    (lambda: ideal_separation(M * np.nan, Y), "mixture contains NaN"),
    (lambda: ideal_separation(M, Y + 1j), "must be real waveforms"),
    (lambda: ideal_separation(M, Y[:, :0]), "at least one source"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
