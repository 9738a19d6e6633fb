"""BSS Eval in closed form, against golden values, and against its peers where installed."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import block_diag, toeplitz

from anmf.metrics import BSSEval, bss_eval, sar, sdr, si_sdr, sir
from anmf.metrics.projection import correlations, explained, gram

GOLDEN = Path(__file__).parent / "golden" / "bss_eval.npz"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as stored:
        return dict(stored)


@pytest.fixture
def noise():
    return np.random.default_rng(0).standard_normal((2000, 3))


def apart(n_parts, n_taps, rng, length=300):
    """Signals one after the other, so far apart that all their delays are orthogonal: (t, n)."""
    pad = np.zeros((n_taps + 20, 1))
    return np.asarray(block_diag(*[
        np.concatenate([rng.standard_normal((length, 1)), pad]) for _ in range(n_parts)
    ]))  # fmt: skip


def filtered(x, taps):
    return np.convolve(x, taps)[: len(x)]


def decibel(kept, lost):
    return 10 * np.log10(np.sum(kept**2) / np.sum(lost**2))


@pytest.mark.parametrize("n_taps", [1, 2, 16, 64])
@pytest.mark.parametrize("level", [1e-6, 1.0, 1e5])
def test_closed_form(n_taps, level):
    """x_k = h ∗ s_k + g ∗ s_j + e, all orthogonal."""
    rng = np.random.default_rng(n_taps)
    *sources, artefact = apart(3, n_taps, rng).T
    estimates, expected = [], []
    for k in (1, 0):
        h, g = rng.standard_normal((2, n_taps))
        kept, leaked = filtered(sources[k], h), 0.1 * filtered(sources[1 - k], g)
        rest = 0.03 * artefact * (k + 1)
        estimates.append(level * (kept + leaked + rest))
        expected.insert(0, [
            decibel(kept, leaked + rest), decibel(kept, leaked), decibel(kept + leaked, rest)
        ])  # fmt: skip
    result = bss_eval(np.stack(sources, 1), np.stack(estimates, 1), filter_length=n_taps)
    np.testing.assert_allclose(np.stack(result[:3], 1), expected, atol=1e-10)
    np.testing.assert_array_equal(result.permutation, [1, 0])


def test_one_tap_is_si_sdr(noise):
    estimate = noise + 0.3 * np.roll(noise, 1, axis=1)
    expected = si_sdr(noise, estimate, axis=0)
    np.testing.assert_allclose(sdr(noise, estimate, filter_length=1), expected, atol=1e-10)
    offset = bss_eval(noise + 3, estimate - 5, filter_length=1, zero_mean=True).sdr
    expected = si_sdr(noise, estimate, axis=0, zero_mean=True)
    np.testing.assert_allclose(offset, expected, atol=1e-10)


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("n_taps", [1, 32, 512])
def test_golden_values(golden, n, n_taps):
    reference, estimate = golden[f"reference {n}"], golden[f"estimate {n}"]
    result = bss_eval(reference, estimate, filter_length=n_taps)
    np.testing.assert_allclose(np.array(result), golden[f"fast_bss_eval {n} {n_taps}"], atol=1e-8)
    if n_taps == 512:
        np.testing.assert_allclose(np.array(result), golden[f"mir_eval {n} 512"], atol=1e-8)
    options = {"filter_length": n_taps, "zero_mean": True}
    result = bss_eval(reference + 100.0, estimate - 100.0, **options)
    np.testing.assert_allclose(np.array(result), golden[f"zero_mean {n} {n_taps}"], atol=1e-8)
    ordered = bss_eval(reference, estimate[:, np.roll(np.arange(n), -1)], permute=False)
    np.testing.assert_array_equal(ordered.permutation, np.arange(n))
    if n_taps == 512:
        np.testing.assert_allclose(ordered.sar, golden[f"mir_eval {n} 512"][2], atol=1e-8)


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("options", [{}, {"load_diag": 1e-3}, {"zero_mean": True}], ids=str)
def test_agrees_with_fast_bss_eval(n, options):
    peer = pytest.importorskip("fast_bss_eval").numpy.bss_eval_sources
    rng = np.random.default_rng(n)
    reference = rng.standard_normal((16000, n))
    estimate = reference @ (np.eye(n) + 0.2 * rng.standard_normal((n, n)))[:, rng.permutation(n)]
    estimate += 0.2 * rng.standard_normal((16000, n))
    result = bss_eval(reference, estimate, **options)
    expected = peer(reference.T, estimate.T, **options)
    np.testing.assert_allclose(np.array(result), expected, atol=1e-8)


@pytest.mark.slow
def test_agrees_with_mir_eval(noise):
    peer = pytest.importorskip("mir_eval").separation.bss_eval_sources
    estimate = np.roll(noise + 0.2 * noise[::-1], 1, axis=1)
    with warnings.catch_warnings(action="ignore"):
        expected = peer(noise.T, estimate.T)
    np.testing.assert_allclose(np.array(bss_eval(noise, estimate)), expected, atol=1e-8)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.permutations(range(3)),
    st.lists(st.floats(-1e3, 1e3).filter(lambda x: abs(x) > 1e-3), min_size=6, max_size=6),
)
def test_scale_and_order_have_no_influence(seed, order, gains):
    rng = np.random.default_rng(seed)
    reference = rng.standard_normal((200, 3))
    estimate = reference + 0.3 * rng.standard_normal((200, 3))
    expected = bss_eval(reference, estimate, filter_length=8)
    scaled = bss_eval(reference * gains[:3], estimate[:, order] * gains[3:], filter_length=8)
    np.testing.assert_allclose(np.array(scaled[:3]), np.array(expected[:3]), atol=1e-8)
    np.testing.assert_array_equal(np.asarray(order)[scaled.permutation], expected.permutation)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_a_filter_is_forgiven(seed, n_taps):
    rng = np.random.default_rng(seed)
    reference = np.concatenate([rng.standard_normal((200, 2)), np.zeros((12, 2))])
    estimate = np.stack([np.convolve(x, rng.random(n_taps))[:212] for x in reference.T], 1)
    assert (sdr(reference, estimate, filter_length=12) > 100).all()


def test_leading_axes_are_separate(noise):
    estimate = noise + 0.3 * noise[::-1]
    s = np.stack([noise, 2 * noise, noise[:, ::-1]]).reshape(3, 1, 2000, 3)
    x = np.stack([estimate, estimate[:, [2, 0, 1]], estimate]).reshape(3, 1, 2000, 3)
    together = bss_eval(s, x, filter_length=16)
    assert isinstance(together, BSSEval)
    for i in range(3):
        alone = bss_eval(s[i, 0], x[i, 0], filter_length=16)
        for values, expected in zip(together, alone, strict=True):
            assert values.shape == (3, 1, 3)
            np.testing.assert_array_equal(values[i, 0], expected)


def test_convenience(noise):
    estimate = np.roll(noise, 1, axis=1) + 0.1 * noise[::-1]
    result = bss_eval(noise, estimate, filter_length=8)
    for function, expected in zip((sdr, sir, sar), result[:3], strict=True):
        np.testing.assert_array_equal(function(noise, estimate, filter_length=8), expected)


def test_ends_of_the_scale(noise):
    perfect = bss_eval(noise, noise, filter_length=8)
    assert all(np.all(values == np.inf) for values in perfect[:3])
    assert all(np.all(values == 30) for values in bss_eval(noise, noise, clamp_db=30)[:3])
    silent = bss_eval(noise, noise * [0, 1, 1], filter_length=8, clamp_db=25)
    assert [values[0] for values in silent[:3]] == [-25, -25, -25]
    assert silent.sir[1:].min() > 20
    assert bss_eval(noise[:, :1], noise[:, 1:2], filter_length=8).sir == np.inf


def test_silent_reference_is_left_out(noise):
    estimate = noise + 0.3 * np.roll(noise, 1, axis=1) + 0.1 * noise[::-1]
    options = {"filter_length": 8, "permute": False}
    alone = bss_eval(noise[:, 1:], estimate[:, 1:], **options)
    with pytest.warns(RuntimeWarning, match="zero throughout"):
        result = bss_eval(noise * [0, 1, 1], estimate, **options)
    for values, expected in zip(result[:3], alone[:3], strict=True):
        assert np.isnan(values[0])
        np.testing.assert_allclose(values[1:], expected, atol=1e-9)
    with pytest.warns(RuntimeWarning, match="zero throughout"):
        nothing = bss_eval(0 * noise, estimate, filter_length=8)
    assert np.isnan(np.array(nothing[:3])).all()
    np.testing.assert_array_equal(nothing.permutation, [0, 1, 2])


def test_dependent_references_keep_their_span(noise):
    """A reference given twice, at another level, adds nothing to the span."""
    estimate = noise + 0.3 * np.roll(noise, 1, axis=1) + 0.1 * noise[::-1]
    alone = bss_eval(noise, estimate, filter_length=16, permute=False)
    twice = np.column_stack([noise, 3 * noise[:, 0]])
    result = bss_eval(twice, np.column_stack([estimate, estimate[:, 0]]), filter_length=16,
                      permute=False)  # fmt: skip
    for values, expected in zip(result[:3], alone[:3], strict=True):
        np.testing.assert_allclose(values[:3], expected, atol=1e-5)


def test_tone_is_singular_but_fine():
    """The delays of a tone span two dimensions, but for its ends."""
    t = np.arange(4000.0)[:, None]
    window = np.hanning(4000)[:, None]
    tones = window * np.sin(t * [0.1, 0.25])
    result = bss_eval(tones, tones[:, ::-1] + 0.1 * tones, filter_length=64)
    np.testing.assert_allclose(result.sir, 20, atol=0.01)
    np.testing.assert_array_equal(result.permutation, [1, 0])


def test_correlations_by_blocks(noise):
    x, y = noise.T[:, :1700], noise.T[:2, 100:1800]
    for n_lags in (1, 7, 500):
        padded = np.pad(y, [(0, 0), (0, n_lags)])
        expected = [
            [[a @ b[lag : lag + 1700] for lag in range(n_lags)] for b in padded] for a in x
        ]  # fmt: skip
        np.testing.assert_allclose(correlations(x, y, n_lags), expected, atol=1e-10)


def test_gram_is_that_of_delayed_signals(noise):
    x = noise.T[:2, :50] / 7
    delayed = np.concatenate([
        toeplitz(np.pad(s, (0, 4)), np.r_[s[0], np.zeros(4)]) for s in x
    ], axis=1)  # fmt: skip
    G = gram(correlations(x, x, 5), load=0.5)
    expected = np.tril(delayed.T @ delayed + 0.5 * np.eye(10))
    np.testing.assert_allclose(np.tril(G), expected, atol=1e-12)
    y = noise.T[2:, :50]
    y = y / np.linalg.norm(y)
    fit = np.linalg.lstsq(delayed, np.pad(y[0], (0, 4)), rcond=None)[0]
    share = explained(correlations(x, x, 5), correlations(x, y, 5))
    np.testing.assert_allclose(share, np.sum((delayed @ fit) ** 2), rtol=1e-10)


BAD = {
    "expected real numbers": lambda s: (s + 1j, s),
    "contains NaN or infinity": lambda s: (s, s * np.where(np.arange(3), 1, np.nan)),
    "is empty": lambda s: (s[:, :0], s[:, :0]),
    "same length along axis=-2": lambda s: (s, s[:-1]),
    "the same shape otherwise": lambda s: (s, s[:, :2]),
    r"estimate has shape \(2000, 1\); expected that": lambda s: (s, s[:, :1]),
    "swap the last two axes": lambda s: (s.T, s.T),
    r"a single source is x\[:, None\]": lambda s: (s[:, 0], s[:, 0]),
    "filter_length=512 must be at most 49": lambda s: (s[:100], s[:100]),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_refused(message, noise):
    with pytest.raises(ValueError, match=message):
        bss_eval(*BAD[message](noise))


@pytest.mark.parametrize(
    "options", [{"filter_length": 0}, {"load_diag": -1.0}, {"clamp_db": -3}, {"clamp_db": "3"}]
)
def test_bad_options_are_refused(options, noise):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"{name}={value!r}"):
        bss_eval(noise, noise, **options)
