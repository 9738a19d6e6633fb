"""The best order, against trying all orders."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anmf.metrics import (
    METRICS,
    pairwise,
    permutation_invariant,
    psnr,
    si_sdr,
    snr,
    solve_permutation,
)

special = st.sampled_from([np.inf, -np.inf, np.nan])


def total(quality, order):
    return sum(quality[i, j] for i, j in enumerate(order))


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 6), st.integers(0, 1), st.integers(0, 2**32 - 1))
def test_best_of_all_orders(n, n_more, seed):
    quality = np.random.default_rng(seed).normal(0, 20, (n, n + n_more))
    best = max(total(quality, order) for order in permutations(range(n + n_more), n))
    found = solve_permutation(quality)
    assert found.shape == (n,) and len(set(found)) == n
    assert total(quality, found) == pytest.approx(best, abs=1e-9)


@settings(max_examples=80, deadline=None)
@given(st.integers(2, 5), st.integers(0, 2**32 - 1), st.data())
def test_best_with_infinities(n, seed, data):
    """As many +∞ as possible, less −∞ and NaN; then the largest total of the rest."""
    quality = np.random.default_rng(seed).normal(0, 20, (n, n))
    value = data.draw(special)
    for _ in range(data.draw(st.integers(1, n * n))):
        quality[data.draw(st.integers(0, n - 1)), data.draw(st.integers(0, n - 1))] = value

    def rank(order):
        chosen = quality[np.arange(n), list(order)]
        good, bad = np.sum(chosen == np.inf), np.sum(np.isnan(chosen) | (chosen == -np.inf))
        return good - bad, np.sum(chosen[np.isfinite(chosen)])

    best, found = max(map(rank, permutations(range(n)))), rank(solve_permutation(quality))
    assert found[0] == best[0] and found[1] == pytest.approx(best[1], abs=1e-9)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_pairwise_is_every_pair(metric, n):
    rng = np.random.default_rng(n)
    s, x = rng.standard_normal((2, 4, 30, n))
    table = pairwise(metric, s, x)
    assert table.shape == (4, n, n)
    for i in range(n):
        for j in range(n):
            expected = metric(s[..., i], x[..., j])
            np.testing.assert_allclose(table[:, i, j], expected, rtol=1e-12)
    parts = pairwise(metric, s.swapaxes(1, 2), x.swapaxes(1, 2), axis=-1)
    np.testing.assert_allclose(parts, table, rtol=1e-12)
    np.testing.assert_allclose(pairwise(metric, s[0], x[0], axis=0), table[0], rtol=1e-12)


def test_other_numbers_of_estimates_and_options():
    rng = np.random.default_rng(0)
    s = rng.standard_normal((100, 3))
    x = np.column_stack([rng.standard_normal(100), 2 * s[:, [1, 2, 0]] + 1, np.ones(100)])
    table = pairwise(si_sdr, s, x, zero_mean=True, clamp_db=50)
    assert table.shape == (3, 5) and table.max() == 50
    values, order = permutation_invariant(si_sdr)(s, x, zero_mean=True, clamp_db=50)
    np.testing.assert_array_equal(order, [3, 1, 2])
    np.testing.assert_array_equal(values, [50, 50, 50])
    np.testing.assert_allclose(x[:, order], 2 * s + 1)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(5)), st.integers(0, 2**32 - 1))
def test_order_has_no_influence(order, seed):
    rng = np.random.default_rng(seed)
    s = rng.standard_normal((2, 60, 5))
    x = s + 0.3 * rng.standard_normal(s.shape)
    values, found = permutation_invariant(snr)(s, x[..., order])
    np.testing.assert_allclose(values, snr(s, x, axis=-2), rtol=1e-12)
    np.testing.assert_array_equal(np.asarray(order)[found], np.tile(np.arange(5), (2, 1)))


def test_sixteen_sources():
    s = np.random.default_rng(0).standard_normal((500, 16))
    order = np.random.default_rng(1).permutation(16)
    found = permutation_invariant(psnr)(s, (s + 0.1)[:, order])[1]
    np.testing.assert_array_equal(order[found], np.arange(16))


def test_silent_reference_has_no_influence():
    s = np.random.default_rng(0).standard_normal((50, 3))
    x = s[:, [2, 0, 1]] + 0.1
    with pytest.warns(RuntimeWarning, match="zero throughout"):
        values, order = permutation_invariant(si_sdr)(s * [1, 0, 1], x)
    assert np.isnan(values[1]) and np.isfinite(values[[0, 2]]).all()
    np.testing.assert_array_equal(order, [1, 2, 0])


@pytest.mark.parametrize("shape", [(3,), (0, 0), (3, 2), (2, 3, 2)])
def test_bad_table_is_refused(shape):
    with pytest.raises(ValueError, match="pairwise has shape"):
        solve_permutation(np.ones(shape))


def test_bad_signals_are_refused():
    s = np.random.default_rng(0).standard_normal((30, 2))
    for axis in (1, -1):
        with pytest.raises(ValueError, match=r"30 sources of 2 samples; swap the last two axes"):
            pairwise(snr, s, s, axis=axis)
    with pytest.raises(ValueError, match="axis=0 must be"):
        pairwise(snr, s[None], s[None], axis=0)
    with pytest.raises(ValueError, match="same length"):
        pairwise(snr, s, s[:-1])
    with pytest.raises(ValueError, match=r"a single source is x\[:, None\]"):
        permutation_invariant(snr)(s[:, 0], s[:, 0])
    with pytest.raises(ValueError, match="at least one source and as many estimates"):
        permutation_invariant(snr)(s, s[:, :1])
