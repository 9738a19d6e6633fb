"""Updates of demixing, as functions of covariances: known minima, descent, every library."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import eigh

from anmf._core.arrays import device, namespace, to_host
from anmf.iva import UPDATES, ip2_numba, ip_numba, iss_numba
from anmf.iva.covariance import weighted_covariances
from anmf.iva.dereverberation import delayed, dereverberate, reverberation
from tests.iva.scenes import LIBRARIES, complex_normal, random_covariances, random_spectra

NAMES = sorted(UPDATES)


def reference(name, V):
    return UPDATES[name](V, xp=np)


def compiled(name, V):
    """The twin: frequency by frequency, or several side by side."""
    if name != "ip2":
        return in_lanes(getattr(ip_numba if name == "ip" else iss_numba, name), V)
    B = eyes(V)
    return B, np.array([ip2_numba.ip2(v, b) for v, b in zip(V, B, strict=True)])


def in_lanes(twin, V):
    B, gains = [], []
    for start in range(0, len(V), iss_numba.LANES):
        lanes = np.arange(start, start + iss_numba.LANES) % len(V)
        chosen, one = np.moveaxis(V[lanes], 0, -1), np.moveaxis(eyes(V[lanes]), 0, -1)
        held = np.stack([one.real, one.imag])
        gains.append(twin(np.stack([chosen.real, chosen.imag]), held))
        B.append(np.moveaxis(held[0] + 1j * held[1], -1, 0))
    return np.concatenate(B)[: len(V)], np.concatenate(gains)[: len(V)]


def in_coordinates(B, V):
    """Covariances of y as those of B y."""
    return B[:, None] @ V @ B[:, None].conj().swapaxes(-1, -2)


BOTH = pytest.mark.parametrize("run", [reference, compiled])


def objective(B, V):
    """Σ_m b_m V_m b_mᴴ − 2 log|det B|, (n_frequencies,); further rows share the last V."""
    rows = [min(m, V.shape[1] - 1) for m in range(V.shape[-1])]
    quadratic = np.einsum("fmi,fmij,fmj->f", B, V[:, rows], B.conj()).real
    return quadratic - 2 * np.linalg.slogdet(B)[1]


def eyes(V):
    return np.tile(np.eye(V.shape[-1], dtype=complex), (len(V), 1, 1))


@BOTH
@pytest.mark.parametrize("name", ["ip2", "iss2"])
@pytest.mark.parametrize("log_condition", [1, 4])
def test_two_rows_are_scipys_generalised_eigenvectors(run, name, log_condition):
    V = random_covariances(30, 2, 2, log_condition=log_condition)
    B, _ = run(name, V)
    for v, b in zip(V, B, strict=True):
        values, vectors = eigh(v[0], v[1])
        rows = vectors.conj().T / [[np.sqrt(values[0])], [1]]
        overlap = np.sum(rows * b.conj(), axis=1) / np.linalg.norm(rows, axis=1) ** 2
        np.testing.assert_allclose(abs(overlap), 1, rtol=1e-8)
        np.testing.assert_allclose(np.linalg.norm(b, axis=1), np.linalg.norm(rows, axis=1))


@BOTH
@pytest.mark.parametrize("name", ["ip2", "iss2"])
def test_nothing_beats_the_minimum_of_two_rows(run, name):
    V, rng = random_covariances(20, 2, 2, log_condition=3), np.random.default_rng(1)
    B, _ = run(name, V)
    least = objective(B, V)
    for size in (1e-4, 1e-2, 0.3, 1.0):
        for _ in range(50):
            other = objective(B + size * complex_normal(rng, *B.shape), V)
            assert np.all(other >= least - 1e-11 * abs(least))
        assert np.any(other > least + 1e-9)  # and some do worse
    np.testing.assert_allclose(least + 2 * np.linalg.slogdet(B)[1], 2)  # every ⟨φ_k |y_k|²⟩ is 1


@BOTH
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20, deadline=None)
@given(
    n=st.integers(2, 5), fewer=st.integers(0, 3), log_condition=st.floats(0, 9),
    seed=st.integers(0, 999),
)  # fmt: skip
def test_no_update_raises_the_objective(run, name, n, fewer, log_condition, seed):
    V = random_covariances(3, max(1, n - fewer), n, log_condition=log_condition, seed=seed)
    B, gain = run(name, V)
    before, after = objective(eyes(V), V), objective(B, V)
    assert np.all(after <= before + 1e-9 * np.maximum(1, abs(before)))
    if name != "ip2" or log_condition <= 5:  # it squares the condition
        np.testing.assert_allclose(gain, np.linalg.slogdet(B)[1], rtol=1e-6, atol=1e-6)
    again = objective(run(name, in_coordinates(B, V))[0] @ B, V)
    assert np.all(again <= after + 1e-6 * np.maximum(1, abs(after)))


@BOTH
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [2, 3, 4])
def test_repeated_sweeps_reach_a_stationary_point(run, name, n):
    """The gradient over row k vanishes: B V_k b_kᴴ = e_k."""
    V = random_covariances(4, n, n, log_condition=1)
    B = eyes(V)
    for _ in range(600):
        B = run(name, in_coordinates(B, V))[0] @ B
    for k in range(n):
        found = (B @ V[:, k] @ B[:, k].conj()[..., None])[..., 0]
        np.testing.assert_allclose(found, np.tile(np.eye(n)[k], (4, 1)), atol=1e-7)


@pytest.mark.parametrize("n_weights", [1, 2, 3])
def test_ip_is_the_textbooks(n_weights):
    """u = (W V_k)⁻¹ e_k, w_k = uᴴ / √(uᴴ V_k u), from frames."""
    n, Y = 3, random_spectra(4, 3, 25)
    weights = np.random.default_rng(2).gamma(1.0, size=(4, n_weights, 25))
    expected = eyes(np.empty((4, 1, n, n)))
    for f in range(4):
        for k in range(n):
            phi = weights[f, min(k, n_weights - 1)]
            V = sum(w * np.outer(y, y.conj()) for w, y in zip(phi, Y[f].T, strict=True)) / 25
            u = np.linalg.inv(expected[f] @ V)[:, k]
            expected[f, k] = u.conj() / np.sqrt((u.conj() @ V @ u).real)
    for run in (reference, compiled):
        B, _ = run("ip", weighted_covariances(Y, weights, 25, xp=np))
        np.testing.assert_allclose(B, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("n_weights", [1, 2, 3])
def test_iss_is_the_textbooks(n_weights):
    """v_m = ⟨φ_m y_m ȳ_k⟩ / ⟨φ_m |y_k|²⟩, v_k = 1 − ⟨φ_k |y_k|²⟩^(−1/2), from frames."""
    n, Y = 3, random_spectra(4, 3, 25)
    weights = np.random.default_rng(2).gamma(1.0, size=(4, n_weights, 25))
    expected = Y.copy()
    for f in range(4):
        for k in range(n):
            y, v = expected[f], np.zeros(n, complex)
            for m in range(n):
                phi = weights[f, min(m, n_weights - 1)]
                power = np.mean(phi * abs(y[k]) ** 2)
                v[m] = 1 - power**-0.5 if m == k else np.mean(phi * y[m] * y[k].conj()) / power
            expected[f] = y - np.outer(v, y[k])
    for run in (reference, compiled):
        B, _ = run("iss", weighted_covariances(Y, weights, 25, xp=np))
        np.testing.assert_allclose(B @ Y, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_covariances_are_means_over_frames(dtype):
    Y, rng = random_spectra(5, 3, 17, dtype), np.random.default_rng(0)
    eps = np.finfo(dtype).eps
    for weights in (rng.random((5, 2, 17)), rng.random((1, 3, 17))):
        V = weighted_covariances(Y, weights.astype(Y.real.dtype), 10, xp=np)
        full = np.broadcast_to(weights, (5, *weights.shape[1:]))
        expected = np.einsum("fkt,fit,fjt->fkij", full, Y, Y.conj()) / 10
        assert V.dtype == dtype
        np.testing.assert_allclose(V, expected, rtol=30 * eps, atol=30 * eps * abs(V).max())
        np.testing.assert_array_equal(V, V.conj().swapaxes(-1, -2))
        assert np.all(np.linalg.eigvalsh(V) >= 0)


def test_covariances_of_one_frame_are_no_less_than_zero():
    """Singular but for rounding, which is bounded by what the diagonal is raised by."""
    Y = random_spectra(200, 5, 1, "complex64")
    V = weighted_covariances(Y, np.ones((1, 1, 1), "float32"), 1, xp=np).astype(complex)
    assert np.all(np.linalg.eigvalsh(V) > 0)


@BOTH
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("silent", [(0,), (1,), (0, 1), "all"])
def test_silent_rows_stay_finite(run, name, n, silent):
    V = random_covariances(3, n, n)
    rows = list(range(n)) if silent == "all" else list(silent)
    V[:, :, rows], V[:, :, :, rows] = 0, 0
    B, gain = run(name, V)
    assert np.isfinite(B).all() and np.isfinite(gain).all()
    if silent == "all":
        np.testing.assert_allclose(B, eyes(V), atol=1e-15)


@BOTH
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("factor", [1.0, 1 + 1e-9, 7.0])
def test_proportional_covariances(run, name, n, factor):
    """A double eigenvalue: every basis that decorrelates is a minimum."""
    V = np.repeat(random_covariances(5, 1, n, log_condition=2), n, axis=1)
    V[:, 1:] *= factor
    B, _ = run(name, V)
    for _ in range(0 if n == 2 and name in ("ip2", "iss2") else 300):
        B = run(name, in_coordinates(B, V))[0] @ B
    least = n + np.linalg.slogdet(V[:, 0])[1] + (n - 1) * np.log(factor)
    np.testing.assert_allclose(objective(B, V), least, atol=1e-6)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("n_weights", "n"), [(2, 2), (3, 3), (2, 4)])
def test_other_libraries(library, name, n_weights, n):
    V = random_covariances(4, n_weights, n, log_condition=2)
    V[0, 1] = V[0, 0]
    B, gain = reference(name, V)
    foreign = library(V)
    found = UPDATES[name](foreign, xp=namespace(foreign))
    for result, expected in zip(found, (B, gain), strict=True):
        assert namespace(result) is namespace(foreign) and device(result) == device(foreign)
        np.testing.assert_allclose(to_host(result), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("n_weights", "n"), [(2, 2), (2, 3)])
def test_gradients_are_the_numerical_ones(name, n_weights, n):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    factor = torch.tensor(complex_normal(rng, 1, n_weights, n, n), requires_grad=True)

    def function(factor):
        V = factor @ factor.mH / n
        return UPDATES[name](V, xp=namespace(V))

    assert torch.autograd.gradcheck(function, (factor,), eps=1e-6, atol=1e-5, rtol=1e-4)


def test_dereverberation_minimises_and_keeps_its_filters():
    rng, X = np.random.default_rng(0), random_spectra(3, 2, 30)
    weights, W = rng.gamma(1.0, size=(3, 2, 30)), complex_normal(rng, 3, 2, 2)
    Y, G = W @ X, np.zeros((3, 2, 2, 2), complex)
    last = np.inf
    for _ in range(300):
        Y, G = dereverberate(Y, G, X, weights, 2, xp=np)
        np.testing.assert_allclose(Y, W @ X - reverberation(G, X, 2, xp=np), rtol=1e-9, atol=1e-9)
        power = np.mean(weights * abs(Y) ** 2)
        assert power <= last * (1 + 1e-12)
        last = power
    Z = np.concatenate([delayed(X, 2, xp=np), delayed(X, 3, xp=np)], axis=1)
    for f in range(3):
        for k in range(2):  # weighted least squares on all delayed channels
            root = np.sqrt(weights[f, k])
            best = np.linalg.lstsq((root * Z[f]).T, root * (W @ X)[f, k], rcond=None)[0]
            np.testing.assert_allclose(G[f, :, k].ravel(), best, atol=1e-6)


@pytest.mark.parametrize("n_frames", [0, 1, 5, 6, 9])
def test_delayed(n_frames):
    x = np.arange(1.0, 7)[None]
    expected = np.concatenate([np.zeros(n_frames), x[0]])[:6]
    np.testing.assert_array_equal(delayed(x, n_frames, xp=np)[0], expected)
