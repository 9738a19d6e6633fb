"""Masks out of embeddings of bins: clusters by direction, and each bin's share in them."""

import numpy as np

from anmf._core.arrays import like, random_generator, take_rows, to_host
from anmf._core.checks import check_choice, check_count, check_real
from anmf.deep.layers import softmax
from anmf.deep.spectra import active_bins

_STILL = 1e-4
"""Largest change of a centre at which clustering has settled."""


def embedding_masks(
    V, magnitude, n_sources, *, xp, kind="soft", sharpness=4.0, level=40.0, n_init=5, max_iter=25,
    random_state=None,
):  # fmt: skip
    """Masks of the sources of one mixture, by clustering the embeddings of its active bins.

    Parameters
    ----------
    V : array (n_frames, n_bins, n_components)
        Embeddings at unit length.
    magnitude : array (n_frames, n_bins)
        |X|: weights of bins.
    n_sources : int
        Need not be the number that the network was trained on.
    xp : module
        Array-API namespace of the arrays.
    kind : {'soft', 'hard'}
        A name of `SHARES`.
    sharpness : float
        Of soft masks.
    level : float
        Bins within so many dB of the loudest one are clustered. All bins get masks.
    n_init, max_iter, random_state
        As in `cluster_directions`.

    Returns
    -------
    array (n_frames, n_sources, n_bins)
        From 0 to 1, with sum 1 over sources, in no particular order. Soft masks of silence are
        equal shares.

    Raises
    ------
    ValueError
        For shapes that don't fit, and bad parameters.
    """
    _check_parameters(V, magnitude, kind, sharpness, xp)
    rows = xp.reshape(V, (-1, V.shape[-1]))
    active = np.flatnonzero(to_host(active_bins(magnitude, xp=xp, level=level)))
    centres = cluster_directions(
        take_rows(rows, active),
        take_rows(xp.reshape(magnitude, (-1,)), active),
        n_sources, xp=xp, n_init=n_init, max_iter=max_iter, random_state=random_state,
    )  # fmt: skip
    shares = xp.reshape(
        SHARES[kind](rows, centres, xp=xp, sharpness=sharpness), (*V.shape[:2], n_sources)
    )
    return xp.permute_dims(shares, (0, 2, 1))


def cluster_directions(V, weight, n_clusters, *, xp, n_init=5, max_iter=25, random_state=None):
    """Weighted spherical K-means: the centres c_k that maximise Σ_i w_i max_k c_kᵀ v_i.

    Each run starts from rows drawn in turn, with chances w_i (1 − max_k c_kᵀ v_i), and moves each
    centre to the direction of its rows' weighted sum until nothing changes; the best run counts.

    Parameters
    ----------
    V : array (n, n_components)
        Rows at unit length; none at all stand for silence.
    weight : array (n,)
        Non-negative.
    n_clusters : int
    xp : module
        Array-API namespace of the arrays.
    n_init : int
        Runs.
    max_iter : int
        Most moves in a run.
    random_state : int, Generator, RandomState or None

    Returns
    -------
    array (n_clusters, n_components)
        At unit length; zeros if no row has weight. Where there are fewer different rows than
        clusters, some centres are equal.

    Raises
    ------
    ValueError
        For shapes that don't fit, and numbers out of range.

    References
    ----------
    I. S. Dhillon, D. S. Modha, "Concept decompositions for large sparse text data using
    clustering", Machine Learning 42, 2001. D. Arthur, S. Vassilvitskii, "k-means++: the advantages
    of careful seeding", SODA 2007.

    Examples
    --------
    >>> import numpy as np
    >>> V = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, -1.0]])
    >>> centres = cluster_directions(V, np.array([3.0, 0.0, 1.0]), 2, xp=np, random_state=0)
    >>> centres[np.argsort(centres[:, 1])].round(3)
    array([[ 0., -1.],
           [ 1.,  0.]])
    """
    _check_rows(V, weight, xp)
    for name, n in (("n_clusters", n_clusters), ("n_init", n_init), ("max_iter", max_iter)):
        check_count(name, n)
    rng, host = random_generator(random_state), to_host(weight).astype(np.float64)
    if not host.sum() > 0:
        return like(np.zeros((n_clusters, V.shape[1])), V)
    weight = like(host / host.max(), V)
    best, directions = -np.inf, None
    for _ in range(n_init):
        centres = _seeds(V, host, n_clusters, rng, xp)
        for _ in range(max_iter):
            moved = _moved(V, weight, centres, xp)
            still = bool(xp.max(xp.abs(moved - centres)) < _STILL)
            centres = moved
            if still:
                break
        value = float(xp.sum(weight * xp.max(V @ centres.T, axis=1)))
        if value > best:
            best, directions = value, centres
    return directions


def soft_shares(V, centres, *, xp, sharpness=4.0):
    """Softmax of sharpness · cosine over centres.

    Parameters
    ----------
    V : array (n, n_components)
        Rows at unit length.
    centres : array (n_clusters, n_components)
    xp : module
        Array-API namespace of the arrays.
    sharpness : float

    Returns
    -------
    array (n, n_clusters)
        Rows sum to 1.

    Examples
    --------
    >>> import numpy as np
    >>> soft_shares(np.array([[1.0, 0.0]]), np.eye(2), xp=np, sharpness=np.log(3)).round(9)
    array([[0.75, 0.25]])
    """
    return softmax(sharpness * (V @ centres.T), xp=xp)


def hard_shares(V, centres, *, xp, sharpness=None):
    """1 for the nearest centre, the first of equals; 0 for the others.

    Parameters
    ----------
    V, centres, xp
        As in `soft_shares`.
    sharpness : object
        Ignored.

    Returns
    -------
    array (n, n_clusters)
        Rows sum to 1.
    """
    nearest = xp.argmax(V @ centres.T, axis=1)[:, None]
    places = like(np.arange(centres.shape[0]), V, dtype=xp.int64)
    return xp.astype(nearest == places, V.dtype)


SHARES = {"soft": soft_shares, "hard": hard_shares}
"""How bins are shared out among centres, by name: ``share(V, centres, xp=xp, sharpness=4.0)``."""


def _seeds(V, weight, n_clusters, rng, xp):
    """Rows of V drawn with chances in proportion to weight times distance from those drawn."""
    drawn, chances = [], weight / weight.sum()
    nearest = None
    for _ in range(n_clusters):
        drawn.append(int(rng.choice(len(weight), p=chances)))
        cosine = V @ V[drawn[-1], :]
        nearest = cosine if nearest is None else xp.maximum(nearest, cosine)
        far = np.clip(1 - to_host(nearest).astype(np.float64), 0, None)
        # Rounding leaves equal rows at a small distance from each other.
        mass = weight * np.where(far > 1e-6, far, 0)
        chances = (mass if mass.sum() > 0 else weight) / (mass.sum() or weight.sum())
    return take_rows(V, np.asarray(drawn))


def _moved(V, weight, centres, xp):
    """Centres in the middle of their rows; those without rows stay."""
    members = hard_shares(V, centres, xp=xp) * weight[:, None]
    sums = members.T @ V
    length = xp.sqrt(xp.sum(sums * sums, axis=1, keepdims=True))
    found = length > 1e-12
    return xp.where(found, sums / xp.where(found, length, xp.ones_like(length)), centres)


def _check_parameters(V, magnitude, kind, sharpness, xp):
    check_choice("kind", kind, SHARES)
    check_real("sharpness", sharpness)
    if V.ndim != 3 or 0 in V.shape or tuple(magnitude.shape) != tuple(V.shape[:2]):
        raise ValueError(
            f"V and magnitude have shapes {tuple(V.shape)} and {tuple(magnitude.shape)}; expected "
            "(n_frames, n_bins, n_components) and (n_frames, n_bins) of one mixture, not empty"
        )
    if not bool(xp.all(xp.isfinite(magnitude))):
        raise ValueError("magnitude holds NaN or infinity; clean the spectra")


def _check_rows(V, weight, xp):
    if V.ndim != 2 or V.shape[1] == 0 or tuple(weight.shape) != (V.shape[0],):
        raise ValueError(
            f"V and weight have shapes {tuple(V.shape)} and {tuple(weight.shape)}; expected "
            "(n, n_components) and (n,): one weight a row"
        )
    if not bool(xp.all(xp.isfinite(V))):
        raise ValueError("V holds NaN or infinity; look for them in the network's weights")
    host = to_host(weight)
    if not np.all(np.isfinite(host)) or np.any(host < 0):
        raise ValueError("weight must be finite and at least 0; expected magnitudes of bins")
