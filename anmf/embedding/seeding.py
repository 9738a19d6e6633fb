"""Where de-mixing starts: directions of speakers, by clustering or successive projection."""

import numpy as np

from anmf._core.arrays import like, namespace, take_rows, to_host

_LEAST_HEIGHT = 0.25
"""Cosine with the middle of the cone below which a row is an outlier."""


def unit(X, *, xp):
    """Rows of X at unit length; zero rows stay."""
    length = xp.sqrt(xp.sum(X * X, axis=-1, keepdims=True))
    return X / xp.where(length > 0, length, xp.ones_like(length))


def spherical_kmeans(X, n_clusters, rng, *, n_init=2, max_iter=15):
    """Directions of clusters by cosine, seeded by k-means++; the best of several runs.

    Parameters
    ----------
    X : array (n, d)
        At unit length.
    n_clusters : int
    rng : Generator
    n_init, max_iter : int

    Returns
    -------
    directions : array (K, d)
        At unit length.

    References
    ----------
    Dhillon and Modha, "Concept decompositions for large sparse text data using clustering",
    Machine Learning 42, 2001. Arthur and Vassilvitskii, "k-means++", SODA 2007.
    """
    xp, best, directions = namespace(X), -np.inf, None
    for _ in range(n_init):
        C = _plusplus(X, n_clusters, rng, xp)
        for _ in range(max_iter):
            members = assigned(X @ C.T, xp=xp)
            sums, counts = members.T @ X, xp.sum(members, axis=0)[:, None]
            moved = xp.where(counts > 0, unit(sums, xp=xp), C)
            done, C = bool(xp.max(xp.abs(moved - C)) < 1e-8), moved
            if done:
                break
        value = float(xp.sum(xp.max(X @ C.T, axis=1)))
        if value > best:
            best, directions = value, C
    return directions


def assigned(scores, *, xp):
    """Ones where a row (n, K) is largest, at the first of equals; else zeros."""
    places = like(np.arange(scores.shape[1]), scores, dtype=xp.int64)
    return xp.astype(xp.argmax(scores, axis=1)[:, None] == places, scores.dtype)


def successive_projection(X, n_directions, *, share=0.1):
    """Edges of a cone: over and over, the row farthest from those found, with its neighbours.

    Rows are scaled to meet a plane across the cone, where what is farthest is an edge, however long
    the rows were.

    Parameters
    ----------
    X : array (n, d)
        Not all zero.
    n_directions : int
    share : float
        Of the rows, the nearest to an edge, which are averaged.

    Returns
    -------
    directions : array (K, d)
        At unit length.

    References
    ----------
    Araújo et al., "The successive projections algorithm for variable selection in spectroscopic
    multicomponent analysis", Chemometrics and Intelligent Laboratory Systems 57, 2001.
    """
    xp, found = namespace(X), []
    D = unit(X, xp=xp)
    axis = unit(xp.mean(D, axis=0)[None, :], xp=xp)
    rest = D / xp.clip(D @ axis.T, _LEAST_HEIGHT, None)
    n_near = max(1, round(share * X.shape[0]))
    for _ in range(n_directions):
        farthest = int(xp.argmax(xp.sum(rest * rest, axis=1)))
        near = np.argsort(-to_host(D @ D[farthest, :]), kind="stable")[:n_near]
        found.append(xp.mean(take_rows(D, near), axis=0))
        gone = unit(xp.mean(take_rows(rest, near), axis=0)[None, :], xp=xp)
        rest = rest - (rest @ gone.T) * gone
    return unit(xp.stack(found), xp=xp)


def _plusplus(X, n_clusters, rng, xp):
    """Rows drawn with probability proportional to their cosine distance from those drawn."""
    drawn = [int(rng.integers(X.shape[0]))]
    similarity = X @ X[drawn[0], :]
    for _ in range(n_clusters - 1):
        distance = np.clip(1 - to_host(similarity), 0, None)
        total = distance.sum()
        # Rounding leaves equal rows at some 1e-16 of each other.
        chances = distance / total if total > 1e-12 * len(distance) else None
        drawn.append(int(rng.choice(X.shape[0], p=chances)))
        similarity = xp.maximum(similarity, X @ X[drawn[-1], :])
    return take_rows(X, np.asarray(drawn))
