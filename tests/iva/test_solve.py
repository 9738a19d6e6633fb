"""The loop on spectrograms: others' results, descent, scale, threads, libraries, bad input."""

from pathlib import Path

import numpy as np
import pytest

from anmf._core.arrays import device, namespace, to_host
from anmf.audio import istft, stft
from anmf.iva import SOURCE_MODELS, UPDATES, auxiva, projection_back
from tests.iva.scenes import LIBRARIES, quality, random_spectra, room, separate, spectra, waveforms

TEXTBOOK = dict(np.load(Path(__file__).parent / "golden" / "textbook.npz"))
NAMES, MODELS = sorted(UPDATES), sorted(set(SOURCE_MODELS) - {"surrogate"})


@pytest.mark.parametrize("n_iter", [20, 100])
@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("update", ["ip", "iss"])
@pytest.mark.parametrize("model", ["gauss", "laplace"])
def test_as_good_as_the_textbook(model, update, n, n_iter):
    """Rounding alters none of these by more than 5e-4 dB, so no allowance is made for it."""
    first, others = TEXTBOOK[f"images {n}"], TEXTBOOK[f"others {n}"]
    x = np.column_stack([first.sum(axis=1), others]) / 32768
    n_fft, hop = TEXTBOOK["frames"].tolist()
    X = stft(x.T, n_fft, hop).transpose(2, 0, 1)
    Y, W, *_ = auxiva(X, update=update, source_model=model, max_iter=n_iter)
    back = projection_back(Y, W).transpose(1, 2, 0)
    values = quality(first / 32768, istft(back, n_fft, hop, n_times=len(x)).T)
    packages = ("ssspy", "pyroomacoustics") if update == "ip" else ("ssspy",)
    for package in packages:
        expected = TEXTBOOK[f"{package} {model} {update} {n} {n_iter}"]
        np.testing.assert_allclose(values, expected, atol=0.01, rtol=0)
    if n_iter == 20:
        scaled = (np.linalg.inv(W)[:, 0, :, None] * W)[TEXTBOOK["bins"]]
        expected = TEXTBOOK[f"filters {model} {update} {n}"]
        assert np.linalg.norm(scaled - expected) < 1e-2 * np.linalg.norm(expected)


@pytest.mark.parametrize("options", [
    {}, {"n_sources": 2}, {"n_sources": 1}, {"n_taps": 2}, {"n_taps": 1, "n_sources": 2},
    {"init": "pca"},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("update", NAMES)
def test_the_objective_never_rises(update, model, options):
    for seed in range(3):
        X = random_spectra(19, 3, 30, seed=seed)
        found = auxiva(X, update=update, source_model=model, max_iter=25, random_state=0, **options)
        steps = np.diff(found.objective)
        assert np.all(steps <= 1e-9 * np.maximum(1, abs(found.objective[1:])))
        assert found.objective[-1] < found.objective[0] - 1e-3


@pytest.mark.parametrize("n_taps", [0, 2])
@pytest.mark.parametrize("n_sources", [1, 2, 3])
def test_what_is_returned_fits_together(n_sources, n_taps):
    from anmf.iva.dereverberation import reverberation

    X = random_spectra(9, 3, 40)
    Y, W, objective, A, G = auxiva(X, n_sources=n_sources, n_taps=n_taps, max_iter=6, delay=3)
    assert Y.shape == (9, n_sources, 40) and W.shape == (9, n_sources, 3) and len(objective) == 6
    assert A.shape == (9, 3, n_sources) and G.shape == (9, n_taps, n_sources, 3)
    late = reverberation(G, X, 3, xp=np) if n_taps else 0
    np.testing.assert_allclose(Y, W @ X - late, rtol=1e-9, atol=1e-9 * abs(Y).max())
    np.testing.assert_allclose(W @ A, np.tile(np.eye(n_sources), (9, 1, 1)), atol=1e-8)
    assert not n_taps or abs(G).max() > 0


@pytest.mark.parametrize("model", ["gauss", "laplace", "cliques", "nmf"])
@pytest.mark.parametrize("update", NAMES)
def test_scaled_input_gives_scaled_output(update, model):
    images = room()
    x = images.sum(axis=1).astype(np.float32)
    options = {"update": update, "source_model": model, "random_state": 0}
    expected = separate(x, **options)
    best = quality(images[:, :, 0], expected)
    for scale in (1e-6, 1e6, 2.0**-20):
        y = separate(x * np.float32(scale), **options)
        assert y.dtype == np.float32
        assert abs(y / scale - expected).max() <= 1e-4 * abs(expected).max()
        np.testing.assert_allclose(quality(images[:, :, 0], y), best, atol=1e-4, rtol=0)
        if scale < 1e-6:
            np.testing.assert_array_equal(y / np.float32(scale), expected)


@pytest.mark.parametrize("options", [
    {}, {"source_model": "gauss"}, {"source_model": "nmf"}, {"n_sources": 2}, {"n_taps": 2},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_threads_alter_no_bit(options, dtype):
    X = random_spectra(70, 3, 50, dtype)
    options = {"max_iter": 5, "random_state": 0, **options}
    expected = auxiva(X, n_threads=1, **options)
    for n_threads in (2, 3, None):
        found = auxiva(X, n_threads=n_threads, **options)
        if options.get("source_model") != "nmf":  # products of BLAS round by where arrays lie
            np.testing.assert_array_equal(found.demixing, expected.demixing)
            np.testing.assert_array_equal(found.objective, expected.objective)
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * np.abs(a).max(initial=0))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("options", [
    {}, {"update": "ip", "source_model": "gauss"}, {"update": "iss", "source_model": "nmf"},
    {"update": "ip2", "source_model": "laplace", "n_sources": 2}, {"n_taps": 2},
    {"update": "iss", "source_model": "student-t"}, {"init": "rows", "n_sources": 2},
], ids=str)  # fmt: skip
def test_other_libraries(library, options):
    X, options = random_spectra(9, 3, 30), {"max_iter": 5, "random_state": 0, **options}
    foreign, more = library(X), options.copy()
    if options.get("init") == "rows":
        rows = auxiva(X, max_iter=2).demixing[:, :2]
        options["init"], more["init"] = rows, library(rows)
    expected, found = auxiva(X, **options), auxiva(foreign, **more)
    for name in ("spectrograms", "demixing", "mixing", "taps"):
        result, e = getattr(found, name), getattr(expected, name)
        assert namespace(result) is namespace(foreign) and device(result) == device(foreign)
        np.testing.assert_allclose(to_host(result), e, atol=1e-6 * abs(e).max(initial=0))
    np.testing.assert_allclose(found.objective, expected.objective, rtol=1e-6)


def test_rows_go_on_where_they_ended():
    X = random_spectra(9, 3, 60)
    whole = auxiva(X, max_iter=8, source_model="gauss")
    half = auxiva(X, max_iter=4, source_model="gauss")
    rest = auxiva(X, max_iter=4, source_model="gauss", init=half.demixing)
    np.testing.assert_allclose(rest.spectrograms, whole.spectrograms, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(rest.objective, whole.objective[4:], rtol=1e-9)
    fewer = auxiva(X, n_sources=2, max_iter=4, init=half.demixing[:, :2])
    assert np.isfinite(fewer.objective).all() and fewer.demixing.shape == (9, 2, 3)


def test_principal_components_start_white():
    X, seen = random_spectra(9, 3, 60), []
    auxiva(X, init="pca", max_iter=1, callback=lambda info: seen.append(info.state))
    from anmf.iva.start import principal

    Y = principal(X, 1.0, xp=np) @ X
    C = Y @ Y.conj().swapaxes(1, 2) / 60
    np.testing.assert_allclose(C, np.tile(np.eye(3), (9, 1, 1)), atol=1e-5)
    assert seen[0].demixing.shape == (9, 3, 3)


@pytest.mark.parametrize("init", ["pca", "identity"])
def test_permuted_channels(init):
    """The order of microphones is of no matter to what is found in the end."""
    images = room()
    for order in ([0, 1], [1, 0]):
        found = auxiva(spectra(images.sum(axis=1)[:, order]), init=init, max_iter=60)
        Y = found.mixing[:, order.index(0), :, None] * found.spectrograms
        values = quality(images[:, :, 0], waveforms(Y, len(images)))
        if order == [0, 1]:
            expected = values
    np.testing.assert_allclose(values, expected, atol=1e-2 if init == "pca" else 0.5)


def test_callback_and_tol_stop_and_seeds_repeat():
    X, calls = random_spectra(), []
    stopped = auxiva(X, callback=lambda info: calls.append(info.n_iter) or info.n_iter == 3)
    assert calls == [1, 2, 3] and len(stopped.objective) == 3
    assert 1 < len(auxiva(X, tol=1e-3, max_iter=200).objective) < 200
    a, b, c = (auxiva(X, source_model="nmf", random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(a.spectrograms, b.spectrograms)
    assert not np.array_equal(a.spectrograms, c.spectrograms)


def test_an_interrupted_loop_says_so():
    def stop(info):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        auxiva(random_spectra(), callback=stop)


@pytest.mark.parametrize(("change", "message"), [
    ({"X": np.ones((3, 2, 5))}, "X has dtype float64; expected complex"),
    ({"X": np.ones((3, 5), complex)}, r"X has shape \(3, 5\); expected spectra"),
    ({"X": np.ones((3, 2, 0), complex)}, r"X has shape \(3, 2, 0\)"),
    ({"X": [[[1j]]]}, r"X has shape \(1, 1, 1\); expected spectra"),
    ({"X": np.full((3, 2, 5), np.nan + 0j)}, "X holds NaN or infinity"),
    ({"X": np.ones((3, 1, 5), complex)}, "X has 1 channel"),
    ({"n_sources": 3}, "n_sources=3 is more than the 2 channels"),
    ({"n_sources": 0}, "n_sources=0 must be an integer of at least 1"),
    ({"update": "iva"}, r"update='iva' must be one of \['ip', 'ip2', 'iss', 'iss2'\]"),
    ({"source_model": "speech"}, "source_model='speech' must be one of"),
    ({"max_iter": 0}, "max_iter=0 must be"),
    ({"max_iter": 2.5}, "max_iter=2.5 must be"),
    ({"tol": -1.0}, "tol=-1.0 must be"),
    ({"n_taps": -1}, "n_taps=-1 must be"),
    ({"delay": 0}, "delay=0 must be"),
    ({"n_threads": 0}, "n_threads=0 must be"),
    ({"init": "ones"}, r"init='ones' must be one of \['identity', 'pca'\]"),
    ({"init": np.ones((9, 2, 3))}, r"init has shape \(9, 2, 3\); expected finite"),
    ({"init": np.full((9, 2, 2), np.inf)}, "expected finite demixing matrices"),
    ({"random_state": "a"}, "random_state='a' must be"),
    ({"source_model": lambda p: -p}, "negative, infinite or NaN"),
    ({"source_model": lambda p: p[:, :1]}, "weights of shape"),
])  # fmt: skip
def test_bad_input(change, message):
    with pytest.raises(ValueError, match=message):
        auxiva(**{"X": random_spectra(), **change})
