"""Edges of a cone: non-negative activations are exact, planted edges are found."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, nnls

from anmf._core.arrays import device, namespace, to_host
from anmf.embedding.cone import (
    cone,
    few_talkers,
    fit_directions,
    nonnegative_activations,
    shares,
    update_directions,
)
from anmf.embedding.seeding import spherical_kmeans, unit
from tests.embedding.data import LIBRARIES


def problem(kind, seed=0):
    """Rows (n, p) and directions (K, p)."""
    rng = np.random.default_rng(seed)
    C = unit(rng.standard_normal((4, 6)), xp=np)
    if kind == "ill-conditioned":
        C = unit(C[:1] + 0.02 * rng.standard_normal((4, 6)), xp=np)
    elif kind == "duplicate":
        C = C[[0, 1, 0, 1]]
    elif kind == "opposite":
        C = np.vstack([C[:3], -C[:1]])
    elif kind == "wide":
        C = unit(rng.standard_normal((6, 3)), xp=np)
    return rng.standard_normal((60, C.shape[1])), C


@pytest.mark.parametrize("kind", ["random", "ill-conditioned", "duplicate", "opposite", "wide"])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_activations_are_those_of_non_negative_least_squares(kind, scale):
    Z, C = problem(kind)
    A = nonnegative_activations(scale * Z, C, xp=np) / scale
    expected, lengths = (np.array(x) for x in zip(*(nnls(C.T, z) for z in Z), strict=True))
    assert np.all(A >= 0)
    np.testing.assert_allclose(np.linalg.norm(Z - A @ C, axis=1), lengths, atol=1e-7)
    np.testing.assert_allclose(A @ C, expected @ C, atol=1e-4)
    if kind == "random":
        np.testing.assert_allclose(A, expected, atol=1e-9)


def test_activations_of_rows_in_the_cone_are_exact():
    C = problem("random")[1]
    A = np.random.default_rng(1).exponential(size=(30, 4)) * (np.arange(30)[:, None] % 3 > 0)
    np.testing.assert_allclose(nonnegative_activations(A @ C, C, xp=np), A, atol=1e-9)


def test_shares():
    A = np.array([[1.0, 3.0], [0.0, 0.0]])
    np.testing.assert_array_equal(shares(A, xp=np), [[0.25, 0.75], [0, 0]])


def test_directions_are_means_weighted_by_purity():
    Z = np.array([[4.0, 0.0], [0.0, 3.0], [1.0, 1.0], [2.0, 5.0]])
    A = np.array([[3.0, 1.0], [2.0, 2.0], [1.0, 4.0], [0.0, 0.0]])
    # Shares 3/4; 1/2 and 1/2, of which the first counts; 4/5; silence dominates for the first: 0.
    first = 9 / 16 * Z[0] + 1 / 4 * Z[1]
    C = update_directions(Z, A, np.eye(2), xp=np)
    np.testing.assert_allclose(C, unit(np.stack([first, Z[2]]), xp=np))


def test_only_pure_rows_count_where_there_are_two():
    Z = np.random.default_rng(0).standard_normal((4, 3))
    A = np.array([[9.0, 1.0], [1.0, 0.0], [0.8, 0.2], [0.1, 0.9]])
    C = update_directions(Z, A, np.eye(3)[:2], xp=np)
    expected = np.stack([0.81 * Z[0] + Z[1], Z[3]])
    np.testing.assert_allclose(C, unit(expected, xp=np))


def test_a_direction_without_rows_stays():
    Z, start = np.array([[2.0, 1.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [0.6, 0.8]])
    A = np.array([[1.0, 0.0], [2.0, 0.0]])
    C = update_directions(Z, A, start, xp=np)
    np.testing.assert_allclose(C, [unit(Z.sum(axis=0), xp=np), start[1]])
    np.testing.assert_allclose(fit_directions(Z, A, start, xp=np)[1], start[1])
    np.testing.assert_allclose(fit_directions(Z, A, start, xp=np)[0], unit(A[:, 0] @ Z, xp=np))


def test_few_talkers_keeps_two_and_drops_the_faint():
    A = np.array([[5.0, 4.0, 3.0], [5.0, 0.0, 0.9], [5.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    # Of shares 5/5.9 and 0.9/5.9 both are loud enough; so are 5/6 and 1/6.
    expected = [[5, 4, 0], [5, 0, 0.9], [5, 1, 0], [0, 0, 0]]
    np.testing.assert_array_equal(few_talkers(A, xp=np), expected)
    faint = np.array([[0.86, 0.14], [0.84, 0.16]])
    np.testing.assert_array_equal(few_talkers(faint, xp=np), [[0.86, 0], [0.84, 0.16]])


def test_fitted_directions_are_those_of_least_squares():
    rng = np.random.default_rng(0)
    Z, A = rng.standard_normal((40, 5)), rng.exponential(size=(40, 3))
    expected = unit(np.linalg.lstsq(A, Z, rcond=None)[0], xp=np)
    np.testing.assert_allclose(fit_directions(Z, A, np.eye(5)[:3], xp=np), expected, atol=1e-6)


def overlapped(noise, k=4, n=60, p=8, seed=0, alone=2):
    """Rows of which all but `alone` a speaker have two speakers, and the edges."""
    rng = np.random.default_rng(seed)
    edges = unit(rng.standard_normal((k, p)), xp=np)
    A = np.zeros((n, k))
    A[np.arange(n), np.arange(n) % k] = 1
    rest = np.arange(alone * k, n)
    A[rest, (rest + rng.integers(1, k, len(rest))) % k] = rng.uniform(0.5, 1, len(rest))
    return A @ edges + noise * rng.standard_normal((n, p)), edges


def seeds(Z, k, seed=0):
    return spherical_kmeans(unit(Z, xp=np), k, np.random.default_rng(seed), n_init=10, max_iter=50)


def match(found, edges):
    """Cosines of the edges with what was found for them."""
    table = edges @ found.T
    return table[linear_sum_assignment(table, maximize=True)]


@pytest.mark.parametrize("seed", range(4))
def test_exact_edges_stay_where_they_are(seed):
    Z, edges = overlapped(0.0, seed=seed)
    found, A = cone(Z, edges)
    np.testing.assert_allclose(found, edges, atol=1e-8)
    np.testing.assert_allclose(A @ edges, Z, atol=1e-8)


@pytest.mark.parametrize(("k", "alone", "margin"), [(2, 3, 0.15), (4, 5, 0.06)])
def test_edges_are_found_where_most_rows_are_overlapped(k, alone, margin):
    values = []
    for seed in range(12):
        Z, edges = overlapped(0.05, k, p=20, seed=seed, alone=alone)
        start = seeds(Z, k)
        values.append((match(start, edges).mean(), match(cone(Z, start)[0], edges).mean()))
    clusters, refined = np.mean(values, axis=0)
    assert refined > 0.98 and refined > clusters + margin


def test_refinement_goes_on_from_clusters_to_the_edges_of_a_clean_cone():
    Z, edges = overlapped(0.0, k=3, alone=8)
    start = seeds(Z, 3)
    found, A = cone(Z, start, n_fits=50, max_iter=100)
    assert match(start, edges).min() < 0.99
    np.testing.assert_allclose(match(found, edges), 1, atol=1e-4)
    assert np.linalg.norm(Z - A @ found) < 0.02 * np.linalg.norm(Z)


def test_scale_and_rotation_of_the_rows():
    Z, _ = overlapped(0.1)
    start = seeds(Z, 4)
    found, A = cone(Z, start)
    for scale in (1e-4, 1e4):
        same, scaled = cone(scale * Z, start)
        np.testing.assert_allclose(same, found, atol=1e-8)
        np.testing.assert_allclose(scaled, scale * A, atol=1e-8 * scale)
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((8, 8)))[0]
    turned, B = cone(Z @ Q, start @ Q)
    np.testing.assert_allclose(turned, found @ Q, atol=1e-8)
    np.testing.assert_allclose(B, A, atol=1e-8)


def test_order_of_rows_and_of_edges():
    Z, _ = overlapped(0.1)
    start, rng = seeds(Z, 4), np.random.default_rng(0)
    (found, A), rows, edges = cone(Z, start), rng.permutation(len(Z)), [2, 0, 3, 1]
    again, B = cone(Z[rows], start[edges])
    np.testing.assert_allclose(again, found[edges], atol=1e-8)
    np.testing.assert_allclose(B, A[rows][:, edges], atol=1e-8)


@pytest.mark.parametrize("library", LIBRARIES)
def test_other_libraries(library):
    Z, _ = overlapped(0.1)
    start = seeds(Z, 4)
    F, S = library(Z), library(start)
    xp = namespace(F)
    A = nonnegative_activations(Z, start, xp=np)
    for ours, theirs in [
        (nonnegative_activations(F, S, xp=xp), A),
        (update_directions(F, library(A), S, xp=xp), update_directions(Z, A, start, xp=np)),
        (few_talkers(library(A), xp=xp), few_talkers(A, xp=np)),
        (fit_directions(F, library(A), S, xp=xp), fit_directions(Z, A, start, xp=np)),
        *zip(cone(F, S), cone(Z, start), strict=True),
    ]:
        assert namespace(ours) is namespace(F) and device(ours) == device(F)
        np.testing.assert_allclose(to_host(ours), theirs, atol=1e-8)
