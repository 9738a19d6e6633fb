"""Clusters of embeddings and the masks made of them."""

import array_api_strict
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from anmf.deep.soft_masks import (
    SHARES,
    cluster_directions,
    embedding_masks,
    hard_shares,
    soft_shares,
)

every_kind = pytest.mark.parametrize("kind", SHARES)


def planted(n_sources=2, shape=(30, 20), size=8, spread=0.1, seed=0):
    """Embeddings around different directions, magnitudes, and who owns each bin."""
    rng = np.random.default_rng(seed)
    true = np.linalg.qr(rng.standard_normal((size, size)))[0][:n_sources]
    owner = rng.integers(n_sources, size=shape)
    V = true[owner] + spread * rng.standard_normal((*shape, size))
    V /= np.linalg.norm(V, axis=-1, keepdims=True)
    return V, rng.gamma(1.0, size=shape) + 0.05, owner, true


def matched(masks, owner):
    """Share of bins whose loudest mask is the owner's, sources in the best order."""
    n_sources = masks.shape[1]
    claimed = masks.argmax(axis=1)
    counts = np.array([[np.sum((claimed == i) & (owner == j)) for j in range(n_sources)]
                       for i in range(n_sources)])  # fmt: skip
    return counts[linear_sum_assignment(-counts)].sum() / owner.size


@every_kind
@pytest.mark.parametrize("n_sources", [1, 2, 3, 5])
def test_planted_clusters_are_found(n_sources, kind):
    V, magnitude, owner, _ = planted(n_sources)
    masks = embedding_masks(V, magnitude, n_sources, xp=np, kind=kind, random_state=0)
    assert masks.shape == (30, n_sources, 20)
    assert matched(masks, owner) == 1
    assert masks.min() >= 0
    np.testing.assert_allclose(masks.sum(axis=1), 1, rtol=1e-14)
    if kind == "hard":
        assert set(np.unique(masks)) <= {0, 1}


def test_centres():
    V, magnitude, _, true = planted(3)
    centres = cluster_directions(V.reshape(-1, 8), magnitude.reshape(-1), 3, xp=np, random_state=0)
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1, rtol=1e-12)
    cosines = centres @ true.T
    assert np.sort(cosines, axis=1)[:, -1].min() > 0.99
    assert sorted(cosines.argmax(axis=1)) == [0, 1, 2]


def test_centres_are_a_fixed_point():
    """Each centre is the direction of the weighted sum of the rows nearest to it."""
    rng = np.random.default_rng(1)
    V = rng.standard_normal((500, 4))
    V /= np.linalg.norm(V, axis=1, keepdims=True)
    weight = rng.random(500)
    centres = cluster_directions(V, weight, 3, xp=np, max_iter=500, random_state=0)
    nearest = (V @ centres.T).argmax(axis=1)
    for k, centre in enumerate(centres):
        total = (weight[:, None] * V)[nearest == k].sum(axis=0)
        np.testing.assert_allclose(total / np.linalg.norm(total), centre, atol=1e-3)


def test_more_runs_are_no_worse():
    rng = np.random.default_rng(2)
    V = rng.standard_normal((400, 3))
    V /= np.linalg.norm(V, axis=1, keepdims=True)
    weight = rng.gamma(0.1, size=400)

    def value(n_init, seed):
        centres = cluster_directions(V, weight, 6, xp=np, n_init=n_init, random_state=seed)
        return weight @ (V @ centres.T).max(axis=1)

    for seed in range(10):
        values = [value(n, seed) for n in (1, 2, 5, 10)]  # the first runs are the same
        assert values == sorted(values)


def test_one_run_finds_clusters_far_apart():
    """Starts drawn by distance hit different clusters, a small one among them too."""
    V, _, owner, _ = planted(5, spread=0.005)
    rows, owner = V.reshape(-1, 8), owner.reshape(-1)
    keep = (owner > 0) | (np.cumsum(owner == 0) <= 5)
    rows, owner = rows[keep], owner[keep]
    for seed in range(20):
        centres = cluster_directions(
            rows, np.ones(len(rows)), 5, xp=np, n_init=1, random_state=seed
        )
        claimed = (rows @ centres.T).argmax(axis=1)
        assert len({*zip(claimed, owner, strict=True)}) == 5


def test_weights_count():
    """Rows that weigh w count as w equal rows; rows without weight not at all."""
    V = np.array([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]])
    (one,) = cluster_directions(V, np.array([3.0, 1.0, 0.0]), 1, xp=np, random_state=0)
    (many,) = cluster_directions(V[[0, 0, 0, 1]], np.ones(4), 1, xp=np, random_state=1)
    expected = np.array([3.6, 0.8]) / np.hypot(3.6, 0.8)
    np.testing.assert_allclose(one, expected, rtol=1e-12)
    np.testing.assert_allclose(many, expected, rtol=1e-12)
    for gain in (1e-200, 1e200):
        (same,) = cluster_directions(V, gain * np.array([3.0, 1.0, 0.0]), 1, xp=np, random_state=0)
        np.testing.assert_allclose(same, expected, rtol=1e-12)


def test_shares_closed_forms():
    V, centres = np.array([[1.0, 0.0], [0.6, 0.8]]), np.eye(2)
    expected = np.exp([[4, 0], [2.4, 3.2]])
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(soft_shares(V, centres, xp=np), expected, rtol=1e-14)
    np.testing.assert_array_equal(soft_shares(V, centres, xp=np, sharpness=0), np.full((2, 2), 0.5))
    np.testing.assert_array_equal(hard_shares(V, centres, xp=np), np.eye(2))
    sharp = soft_shares(V, centres, xp=np, sharpness=1e4)
    np.testing.assert_allclose(sharp, np.eye(2), atol=1e-12)


@every_kind
def test_inactive_bins_get_masks_but_no_vote(kind):
    V, magnitude, owner, _ = planted(2)
    quiet = np.random.default_rng(3).random(owner.shape) < 0.7
    magnitude[quiet] = 1e-3 * magnitude.max()  # 60 dB down
    V[quiet] = V[quiet][::-1]
    masks = embedding_masks(V, magnitude, 2, xp=np, kind=kind, random_state=0)
    np.testing.assert_allclose(masks.sum(axis=1), 1, rtol=1e-14)
    V[quiet] = -V[quiet]
    other = embedding_masks(V, magnitude, 2, xp=np, kind=kind, random_state=0)
    loud = np.broadcast_to(~quiet[:, None], masks.shape)
    np.testing.assert_allclose(other[loud], masks[loud], rtol=1e-14)


@every_kind
def test_silence_is_safe(kind):
    V, magnitude, _, _ = planted(2)
    masks = embedding_masks(V, 0 * magnitude, 3, xp=np, kind=kind, random_state=0)
    np.testing.assert_allclose(masks.sum(axis=1), 1, rtol=1e-14)
    if kind == "soft":
        np.testing.assert_allclose(masks, 1 / 3, rtol=1e-14)
    one = np.zeros_like(magnitude)
    one[3, 4] = 1.0  # a single active bin, three sources
    masks = embedding_masks(V, one, 3, xp=np, kind=kind, random_state=0)
    np.testing.assert_allclose(masks.sum(axis=1), 1, rtol=1e-14)
    same = np.broadcast_to(V[0, 0], V.shape)
    masks = embedding_masks(same, magnitude, 3, xp=np, kind=kind, random_state=0)
    np.testing.assert_allclose(masks.sum(axis=1), 1, rtol=1e-14)


@every_kind
def test_same_seed_same_masks(kind):
    V, magnitude, _, _ = planted(3, spread=1.0)
    first, again, generator = (
        embedding_masks(V, magnitude, 3, xp=np, kind=kind, random_state=seed)
        for seed in (4, 4, np.random.default_rng(4))
    )
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, generator)


@every_kind
def test_float32_stays(kind):
    V, magnitude, owner, _ = planted(2)
    masks = embedding_masks(
        V.astype(np.float32), magnitude.astype(np.float32), 2, xp=np, kind=kind, random_state=0
    )
    assert masks.dtype == np.float32
    assert matched(masks, owner) == 1
    np.testing.assert_allclose(masks.sum(axis=1), 1, rtol=1e-6)


@every_kind
def test_array_api(kind):
    V, magnitude, _, _ = planted(3, shape=(8, 6))
    expected = embedding_masks(V, magnitude, 3, xp=np, kind=kind, random_state=0)
    place = array_api_strict.Device("device1")
    strict = [array_api_strict.asarray(a, device=place) for a in (V, magnitude)]
    found = embedding_masks(*strict, 3, xp=array_api_strict, kind=kind, random_state=0)
    assert found.device == place
    host = array_api_strict.asarray(found, device=array_api_strict.Device("CPU_DEVICE"))
    np.testing.assert_allclose(np.asarray(host), expected, rtol=1e-10)


def test_bad_input():
    V, magnitude, _, _ = planted(2)
    with pytest.raises(ValueError, match=r"V and magnitude have shapes .* of one mixture"):
        embedding_masks(V, magnitude[1:], 2, xp=np)
    with pytest.raises(ValueError, match="kind='softer' must be one of"):
        embedding_masks(V, magnitude, 2, xp=np, kind="softer")
    with pytest.raises(ValueError, match="sharpness=-1 must be"):
        embedding_masks(V, magnitude, 2, xp=np, sharpness=-1)
    with pytest.raises(ValueError, match="n_clusters=0 must be"):
        embedding_masks(V, magnitude, 0, xp=np)
    with pytest.raises(ValueError, match="n_init=0 must be"):
        embedding_masks(V, magnitude, 2, xp=np, n_init=0)
    with pytest.raises(ValueError, match="magnitude holds NaN or infinity"):
        embedding_masks(V, magnitude * np.inf, 2, xp=np)
    with pytest.raises(ValueError, match="V holds NaN or infinity"):
        embedding_masks(V * np.nan, magnitude, 2, xp=np)
    with pytest.raises(ValueError, match=r"V and weight have shapes \(30, 20, 8\)"):
        cluster_directions(V, magnitude, 2, xp=np)
    with pytest.raises(ValueError, match="weight must be finite and at least 0"):
        cluster_directions(V[0], -magnitude[0], 2, xp=np)
    with pytest.raises(ValueError, match="random_state=-3 must be"):
        embedding_masks(V, magnitude, 2, xp=np, random_state=-3)
