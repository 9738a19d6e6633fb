"""Compiled passes over the data equal the references."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from anmf.iva import UPDATES, ip2_numba, iss_numba, pairwise
from anmf.iva.bands import Bands
from anmf.iva.dereverberation import dereverberate
from anmf.iva.estimates import COMPILED, N_CHUNKS, ArrayEstimates, PlaneEstimates, planes
from anmf.iva.start import Columns, make_columns
from tests.iva.scenes import complex_normal, random_covariances, random_spectra

NAMES = sorted(UPDATES)
N_FREQUENCIES, N_FRAMES, LEVEL = 19, 23, 3.0


def both(name, n, n_bins, n_weights, *, past=False, dtype="complex128", n_taps=0, n_threads=1,
         seed=0):  # fmt: skip
    """The reference and its twin, on equal data."""
    rng = np.random.default_rng(seed)
    X = complex_normal(rng, N_FREQUENCIES, n, N_FRAMES).astype(dtype)
    W = np.eye(n) + 0.3 * complex_normal(rng, N_FREQUENCIES, n, n)
    past = 0.1 * random_covariances(N_FREQUENCIES, n_weights, n, seed=seed) if past else None
    X.flags.writeable = W.flags.writeable = False
    power = np.mean(abs(X) ** 2, axis=(1, 2)).astype(float) / LEVEL**2
    bands, options = Bands(N_FREQUENCIES, n_bins), {"level": LEVEL, "n_taps": n_taps, "delay": 2}
    double = X.astype("complex128")
    # single precision has a prior of its own: the reference takes over its columns
    memory = make_columns(X, power, past, n_weights, xp=np)
    wide = Columns(memory.columns.astype(complex), memory.weights.astype(float))
    slow = ArrayEstimates(double, wide, W, UPDATES[name], bands, **options)
    fast = PlaneEstimates(X, memory, W, name, bands, **options, n_threads=n_threads)
    return slow, fast


def assert_same(fast, slow, rtol):
    def close(a, b):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.max(abs(b)))

    close((fast._Y[:, 0] + 1j * fast._Y[:, 1])[..., :N_FRAMES], slow._Y[..., :N_FRAMES])
    close(fast.power(), slow.power())
    close(fast.W, slow.W)
    close(fast.penalty, slow.penalty)
    if slow.G is not None:
        close(fast.G, slow.G)


def weights_of(n_weights, n_rows, dtype="float64", seed=0):
    return np.random.default_rng(seed).gamma(2.0, size=(n_rows, n_weights, N_FRAMES)).astype(dtype)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("name", NAMES)
def test_sweep_twins(name, n, dtype):
    rtol = {"ip2": 4e-2}.get(name, 1e-2) if dtype == "complex64" else 1e-9
    real = "float32" if dtype == "complex64" else "float64"
    for n_weights in range(1, n + 1):
        for n_bins, n_rows in ((N_FREQUENCIES, 1), (1, N_FREQUENCIES), (4, 4)):
            slow, fast = both(name, n, n_bins, n_weights, dtype=dtype, seed=n_weights)
            assert fast.power().dtype == real and fast.power().shape == (n_rows, n, N_FRAMES)
            assert_same(fast, slow, rtol)
            for seed in range(2):
                weights = weights_of(n_weights, n_rows, real, seed)
                gain, expected = fast.step(weights), slow.step(weights.astype(float))
                np.testing.assert_allclose(gain, expected, rtol=rtol, atol=rtol * N_FREQUENCIES)
                assert_same(fast, slow, rtol)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("n", "n_weights"), [(2, 2), (3, 2), (4, 3), (5, 5)])
def test_sweep_twins_with_past_covariances_a_row(name, n, n_weights):
    slow, fast = both(name, n, 4, n_weights, past=True)
    for seed in range(2):
        weights = weights_of(n_weights, 4, seed=seed)
        np.testing.assert_allclose(fast.step(weights), slow.step(weights), rtol=1e-9)
        assert_same(fast, slow, 1e-9)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize(("n", "n_weights"), [(2, 2), (3, 2), (5, 3)])
@pytest.mark.parametrize("n_bins", [N_FREQUENCIES, 1, 4])
def test_dereverberating_twins(n, n_weights, n_bins, dtype):
    real = "float32" if dtype == "complex64" else "float64"
    slow, fast = both("iss", n, n_bins, n_weights, dtype=dtype, n_taps=2)
    before = slow.power().sum()
    for seed in range(2):
        weights = weights_of(n_weights, fast.power().shape[0], real, seed)
        gain, expected = fast.step(weights), slow.step(weights.astype(float))
        rtol = 1e-3 if dtype == "complex64" else 1e-9
        np.testing.assert_allclose(gain, expected, rtol=rtol, atol=rtol * N_FREQUENCIES)
        assert_same(fast, slow, rtol)
    assert abs(slow.G).max() > 1e-3 and slow.power().sum() != before


def test_dereverberating_twins_of_long_delays_and_silence():
    from anmf.iva import tile_numba

    X, rng = random_spectra(3, 2, 8), np.random.default_rng(0)
    X[0, 1] = 0
    weights = rng.gamma(2.0, size=(3, 2, 8))
    for delay in (1, 7, 8, 11):
        Y, G = dereverberate(X, np.zeros((3, 1, 2, 2), complex), X, weights, delay, xp=np)
        y, x = (planes(X, X[:, :, :0], None, 1.0) for _ in range(2))
        g = np.zeros((3, 2, 2), complex)
        for f in range(3):
            tile_numba.dereverberate(y[f], x[f], weights[f], 8, delay, g[f])
        np.testing.assert_allclose(y[:, 0] + 1j * y[:, 1], Y, atol=1e-12)
        np.testing.assert_allclose(g, G[:, 0], atol=1e-12)


def test_pair_twins():
    A = np.empty((2, 2), complex)
    for log_condition in (0, 1, 6):
        G = random_covariances(6 * iss_numba.LANES, 2, 2, log_condition=log_condition)
        G[:10, 1] = 3 * G[:10, 0]
        expected = pairwise.demix_pair(G[:, 0], G[:, 1], xp=np)
        entries = (G[..., 0, 0].real, G[..., 1, 1].real, G[..., 0, 1].real, G[..., 0, 1].imag)
        lanes = np.stack(entries, axis=-1).reshape(6, -1, 2, 4).transpose(0, 2, 3, 1).copy()
        for k, group in enumerate(lanes):
            several = np.empty((2, 2, 2, iss_numba.LANES))
            iss_numba.demix_pair(group, several)
            for lane in range(iss_numba.LANES):
                f = k * iss_numba.LANES + lane
                close = {"rtol": 1e-6, "atol": 1e-6 * abs(expected[f]).max()}
                found = several[0, ..., lane] + 1j * several[1, ..., lane]
                np.testing.assert_allclose(found, expected[f], **close)
                ip2_numba.demix_pair(G[f].copy(), A)
                np.testing.assert_allclose(A, expected[f], **close)


def test_power_twins_accumulate_over_a_number_of_chunks_that_is_fixed():
    """One band is summed in the same pieces by any number of threads."""
    results = []
    for n_threads in (1, 2, 3, 7):
        _, fast = both("iss2", 3, N_FREQUENCIES, 3, dtype="complex64", n_threads=n_threads)
        gains = [fast.step(weights_of(3, 1, "float32", seed)) for seed in range(3)]
        results.append([*gains, fast.penalty, fast.power(), fast.W, fast._Y])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("n_frequencies", [1, 2, 15, 16, 17, 40])
@pytest.mark.parametrize("n_bins", [1, 3, 40])
def test_chunk_twins_for_any_number_of_frequencies(n_frequencies, n_bins):
    X = random_spectra(n_frequencies, 2, 9)
    bands = Bands(n_frequencies, min(n_bins, n_frequencies))
    memory = make_columns(X, np.ones(n_frequencies), None, 2, xp=np)
    W = np.eye(2) + 0 * X[:, :, :2]
    slow = ArrayEstimates(X, memory, W, UPDATES["iss"], bands)
    fast = PlaneEstimates(X, memory, W, "iss", bands)
    np.testing.assert_allclose(fast.power(), slow.power(), rtol=1e-12)
    weights = np.random.default_rng(0).gamma(2.0, size=(bands.count, 2, 9))
    np.testing.assert_allclose(fast.step(weights), slow.step(weights), rtol=1e-10)
    np.testing.assert_allclose(fast.power(), slow.power(), rtol=1e-9)
    assert N_CHUNKS == 16 and sorted(COMPILED) == NAMES


@pytest.mark.parametrize(("n", "n_weights"), [(2, 2), (3, 2), (4, 1)])
def test_columns_stand_for_covariances(n, n_weights):
    """Their penalty is Σ w_k P_k w_kᴴ, the last P serving all further rows; W is read off them."""
    P, X = random_covariances(N_FREQUENCIES, n_weights, n), random_spectra(N_FREQUENCIES, n, 23)
    W = complex_normal(np.random.default_rng(0), N_FREQUENCIES, n, n)
    memory = make_columns(X, np.zeros(N_FREQUENCIES) + 1e6, P, n_weights, xp=np)
    own = memory.columns[:, :, :n] @ memory.columns[:, :, :n].conj().swapaxes(1, 2) / N_FRAMES
    expected = sum(
        (W[f, k] @ (P[f, min(k, n_weights - 1)] + own[f]) @ W[f, k].conj()).real
        for f in range(N_FREQUENCIES) for k in range(n)
    )  # fmt: skip
    bands = Bands(N_FREQUENCIES, 4)
    for estimates in (ArrayEstimates(X, memory, W, UPDATES["ip"], bands),
                      PlaneEstimates(X, memory, W, "ip", bands)):  # fmt: skip
        np.testing.assert_allclose(estimates.penalty, expected)
        np.testing.assert_allclose(estimates.W, W, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("n_frequencies", "n_bins", "sizes"), [
    (10, 3, [3, 3, 4]), (10, 1, [1] * 10), (10, 10, [10]), (3, 8, [3]), (16, 8, [8, 8]),
])  # fmt: skip
def test_bands(n_frequencies, n_bins, sizes):
    bands, x = Bands(n_frequencies, n_bins), np.random.default_rng(0).random((n_frequencies, 2, 5))
    assert bands.count == len(sizes) and bands.sizes.tolist() == sizes
    ends = np.cumsum([0, *sizes])
    means = np.stack([x[a:b].mean(axis=0) for a, b in itertools.pairwise(ends)])
    np.testing.assert_allclose(bands.mean(x, xp=np), means)
    spread = np.broadcast_to(bands.spread(means, xp=np), x.shape)
    np.testing.assert_array_equal(spread, np.repeat(means, sizes, axis=0))


@pytest.mark.slow
def test_kernels_as_plain_python():
    """The kernels' own code, uncompiled, agrees with the references."""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    chosen = (
        "(sweep_twins or dereverberating or pair_twins) and not complex64 and not 6-c and not 5-c"
    )
    command = [sys.executable, "-m", "pytest", "-q", __file__, "-k", chosen, "-p",
               "no:cacheprovider"]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
