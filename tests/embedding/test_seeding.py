"""Seeds of de-mixing: k-means finds clusters, successive projection the vertices of a cone."""

import numpy as np
import pytest
from sklearn.cluster import KMeans

from anmf._core.arrays import device, namespace, to_host
from anmf.embedding.seeding import assigned, spherical_kmeans, successive_projection, unit
from tests.embedding.data import LIBRARIES


def clusters(k=4, n_each=15, d=10, noise=0.2, seed=0):
    """Unit rows about orthogonal directions, and the cluster of each."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((d, k)))[0].T
    y = np.repeat(np.arange(k), n_each)
    return unit(axes[y] + noise / np.sqrt(d) * rng.standard_normal((len(y), d)), xp=np), y


def kmeans(X, k, seed=0, **options):
    return spherical_kmeans(X, k, np.random.default_rng(seed), **options)


def assert_same_rows(found, expected, atol=1e-10):
    """In any order."""
    found, expected = to_host(found), np.asarray(expected)
    assert found.shape == expected.shape
    order = np.linalg.norm(found[:, None] - expected, axis=2).argmin(axis=0)
    assert len(set(order)) == len(expected)
    np.testing.assert_allclose(found[order], expected, atol=atol)


def test_unit_rows_and_zero_rows():
    X = np.array([[3.0, 4.0], [0.0, 0.0], [0.0, -2.0]])
    np.testing.assert_allclose(unit(X, xp=np), [[0.6, 0.8], [0, 0], [0, -1]])
    np.testing.assert_allclose(unit(X[None], xp=np)[0], unit(X, xp=np))


def test_a_row_is_assigned_to_its_largest_score_at_the_first_of_equals():
    scores = np.array([[1.0, 3.0, 2.0], [2.0, 1.0, 2.0], [0.0, 0.0, 0.0], [-1.0, -2.0, -0.5]])
    expected = [[0, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 1]]
    np.testing.assert_array_equal(assigned(scores, xp=np), expected)


@pytest.mark.parametrize("k", [1, 2, 4, 7])
@pytest.mark.parametrize("seed", range(3))
def test_kmeans_finds_the_means_of_planted_clusters(k, seed):
    X, y = clusters(k, seed=seed)
    found = kmeans(X, k, seed, n_init=5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    assert_same_rows(found, unit(np.stack([X[y == c].mean(axis=0) for c in range(k)]), xp=np))


def test_kmeans_agrees_with_scikit_learn_where_clusters_are_clear():
    X, _ = clusters(5, noise=0.5)
    labels = (X @ kmeans(X, 5, n_init=5).T).argmax(axis=1)
    theirs = KMeans(5, n_init=10, random_state=0).fit_predict(X)
    assert len(set(zip(labels, theirs, strict=True))) == 5


def test_kmeans_ends_where_directions_are_the_means_of_their_rows():
    """Also without clusters, where it is a matter of chance which of the local optima is found."""
    X = unit(np.random.default_rng(0).standard_normal((60, 5)), xp=np)
    found = kmeans(X, 6, max_iter=200)
    members = assigned(X @ found.T, xp=np)
    np.testing.assert_allclose(unit(members.T @ X, xp=np), found, atol=1e-10)


def test_kmeans_keeps_the_best_of_its_runs():
    X = unit(np.random.default_rng(1).standard_normal((80, 6)), xp=np)
    rng = np.random.default_rng(5)
    values = [np.sum((X @ spherical_kmeans(X, 8, rng, n_init=1).T).max(axis=1)) for _ in range(6)]
    best = np.sum((X @ kmeans(X, 8, 5, n_init=6).T).max(axis=1))
    assert best == pytest.approx(max(values), rel=1e-12) and best > min(values) + 0.1


def test_kmeans_follows_the_seed():
    X = unit(np.random.default_rng(0).standard_normal((60, 5)), xp=np)
    np.testing.assert_allclose(kmeans(X, 6, 3), kmeans(X, 6, 3), atol=1e-12)
    assert np.abs(kmeans(X, 6, 3) - kmeans(X, 6, 4)).max() > 0.1


def test_more_clusters_than_different_rows():
    rows = np.eye(4)[:2]
    found = kmeans(np.repeat(rows, 5, axis=0), 4)
    assert found.shape == (4, 4)
    assert set(map(tuple, found)) == set(map(tuple, rows))


def test_rows_without_direction_don_t_move_those_that_have_one():
    X, y = clusters(3)
    found = kmeans(np.vstack([np.zeros((2, 10)), X]), 4, n_init=20)
    assert np.isfinite(found).all()
    means = unit(np.stack([X[y == c].mean(axis=0) for c in range(3)]), xp=np)
    np.testing.assert_allclose((means @ found.T).max(axis=1), 1, atol=0.02)
    assert not kmeans(np.zeros((5, 3)), 2).any()


def cone_rows(k=4, n=50, d=9, seed=0):
    """Rows of any length in a cone of `k` edges at right angles or less, and the edges."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((d, k)))[0].T
    vertices = unit(axes + 0.2 * rng.uniform(size=(k, 1)) * axes.sum(axis=0), xp=np)
    A = np.vstack([rng.dirichlet(np.ones(k), n) * rng.uniform(0.3, 9, (n, 1)), np.eye(k)])
    return A[rng.permutation(len(A))] @ vertices, vertices


@pytest.mark.parametrize("seed", range(5))
def test_successive_projection_finds_the_edges_of_a_cone(seed):
    X, vertices = cone_rows(seed=seed)
    assert_same_rows(successive_projection(X, 4, share=0.0), vertices)


def test_successive_projection_finds_vertices_among_rows_of_unit_length():
    X, vertices = cone_rows()
    assert_same_rows(successive_projection(unit(X, xp=np), 4, share=0.0), vertices)


def test_successive_projection_averages_the_rows_near_a_vertex():
    X, y = clusters(3, 20, noise=0.3)
    means = unit(np.stack([X[y == c].mean(axis=0) for c in range(3)]), xp=np)
    assert_same_rows(successive_projection(X, 3, share=1 / 3), means)
    assert np.abs(successive_projection(X, 3, share=0.0) @ means.T).max() < 0.99


@pytest.mark.parametrize("library", LIBRARIES)
def test_other_libraries(library):
    X, foreign = cone_rows()[0], library(cone_rows()[0])
    directions = unit(X, xp=np)
    for ours, theirs in [
        (unit(foreign, xp=namespace(foreign)), unit(X, xp=np)),
        (assigned(foreign, xp=namespace(foreign)), assigned(X, xp=np)),
        (kmeans(library(directions), 5), kmeans(directions, 5)),
        (successive_projection(foreign, 3), successive_projection(X, 3)),
    ]:
        assert namespace(ours) is namespace(foreign) and device(ours) == device(foreign)
        np.testing.assert_allclose(to_host(ours), theirs, atol=1e-10)
