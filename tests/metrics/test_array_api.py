"""Metrics of arrays of other libraries: same library, dtype and device, same values."""

import array_api_strict
import numpy as np
import pytest

from anmf._core.arrays import device, namespace, to_host
from anmf.metrics import (
    METRICS,
    bss_eval,
    mean_score,
    pairwise,
    permutation_invariant,
    sd_sdr_improvement,
    si_sdr,
    si_sdr_improvement,
    snr_improvement,
    solve_permutation,
)


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
every_library = pytest.mark.parametrize("library", LIBRARIES)


@pytest.fixture(params=[np.float64, np.float32], ids=["float64", "float32"])
def waveforms(request):
    rng = np.random.default_rng(0)
    s = rng.standard_normal((2, 400, 3))
    return [x.astype(request.param) for x in (s, s[..., [1, 2, 0]] + 0.3 * s[:, ::-1], s.sum(-1))]


def assert_same(result, expected, like):
    assert namespace(result) is namespace(like)
    assert device(result) == device(like)
    tolerance = 1e-9 if result.dtype == namespace(like).float64 else 1e-3
    np.testing.assert_allclose(to_host(result), expected, rtol=tolerance, atol=tolerance)


@every_library
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("options", [{}, {"zero_mean": True}, {"clamp_db": 1}], ids=str)
def test_pair_metrics(library, metric, options, waveforms):
    s, x, _ = waveforms
    x[0, :, 1] = s[0, :, 1]
    result = METRICS[metric](library(s), library(x), axis=-2, **options)
    assert result.dtype == library(s).dtype
    assert_same(result, METRICS[metric](s, x, axis=-2, **options), library(s))
    mean = mean_score(metric, library(s), library(x))
    assert mean == pytest.approx(mean_score(metric, s, x), rel=1e-5)


@every_library
def test_silent_and_integer(library):
    s, x = np.array([[0, 0], [1, 2]]), np.array([[1, 0], [0, 0]])
    for metric in METRICS.values():
        with pytest.warns(RuntimeWarning, match="zero throughout"):
            expected = metric(s, x)
        there = library(s), library(x)  # may skip, which some pytest.warns hide
        with pytest.warns(RuntimeWarning, match="zero throughout"):
            assert_same(metric(*there), expected, there[0])


@every_library
def test_permutations(library, waveforms):
    s, x, _ = waveforms
    table = pairwise(si_sdr, s, x)
    assert_same(pairwise(si_sdr, library(s), library(x)), table, library(s))
    order = solve_permutation(library(table))
    assert order.dtype == namespace(order).int64
    assert_same(order, solve_permutation(table), library(s))
    values, order = permutation_invariant(si_sdr)(library(s), library(x))
    expected = permutation_invariant(si_sdr)(s, x)
    assert_same(values, expected[0], library(s))
    assert_same(order, expected[1], library(s))


@every_library
@pytest.mark.parametrize("function", [snr_improvement, si_sdr_improvement, sd_sdr_improvement])
@pytest.mark.parametrize("permute", [False, True])
def test_improvements(library, function, permute, waveforms):
    expected = function(*waveforms, permute=permute)
    result = function(*map(library, waveforms), permute=permute)
    assert_same(result, expected, library(waveforms[0]))
    result = function(*map(library, waveforms[:2]), waveforms[2], permute=permute)
    assert_same(result, expected, library(waveforms[0]))


@every_library
def test_bss_eval(library, waveforms):
    s, x, _ = waveforms
    expected = bss_eval(s, x, filter_length=16)
    result = bss_eval(library(s), library(x), filter_length=16)
    for values, wanted in zip(result, expected, strict=True):
        assert_same(values, wanted, library(s))
    assert result.sdr.dtype == library(s).dtype
    assert expected.sdr.dtype == s.dtype and expected.permutation.dtype == np.int64


@every_library
def test_bad_input_is_refused(library):
    s = np.random.default_rng(0).standard_normal((50, 2))
    for bad, message in ((s + 1j, "real numbers"), (s * np.nan, "NaN"), (s[:0], "is empty|swap")):
        for function in (si_sdr, bss_eval):
            with pytest.raises(ValueError, match=message):
                function(library(bad), library(bad))
