"""The pair mixture at work: from the embeddings of a recording to its speakers."""

from dataclasses import dataclass

import numpy as np

from anmf._core.arrays import like, namespace, take_rows, to_host
from anmf.embedding.counting import calibrate, count
from anmf.embedding.demixing import Demixed, loudest, split
from anmf.embedding.pair_learning import Detector, Space, learn_detector, learn_spaces
from anmf.embedding.pair_mixture import generic_odds, make_states, solve, update_speakers
from anmf.embedding.seeding import assigned, spherical_kmeans, unit

_STARTS, _FINALISTS = 8, 3
_FIRST, _LAST = 4, 11
"""Starts, and the best of them that go on; iterations of all, and then of those."""

_QUICK_STARTS, _QUICK_FINALISTS = 4, 1
_PATIENCE = 2
"""For counting, and how many numbers of speakers without gain end it."""

_CLEANEST = 0.5, 1.0, 0.75
"""Share of the windows, the least likely overlapped ones, that starts are clustered from."""

_LEAST_SHARE = 1e-3
_MOST_CERTAIN = 5.0
_MOST_APART = 3.0
"""Between the detector's log odds and those of the densities of both kinds of windows."""

_PRIOR_SCALE, _PAIR_WEIGHT = 4.0, 0.6
"""What the variance of speakers is multiplied by, and what overlapped windows count, where
embeddings are estimated: the prior helps to tell speakers apart, but pulls them to the mean."""

_COST, _ALIKE, _TOO_ALIKE, _COST_ALIKE = 35.0, 0.5, 0.72, 500.0
"""Evidence (in nats) that a speaker must bring; the cosine of two speakers from which on they may
be one, and above which they are; and what a cosine between them costs. People sound a little
different from one sentence to the next, and a model that doesn't know splits them."""


@dataclass(frozen=True)
class Solution:
    """Speakers of one recording, in the space of the search."""

    states: list
    posteriors: list
    directions: object
    bound: float


@dataclass(frozen=True)
class PairMixture:
    """Windows with one and two speakers, as ``learn_pair_mixture`` learns them."""

    mean: np.ndarray
    search: Space
    output: Space
    detector: Detector
    threshold: float

    def coordinates(self, X):
        """Coordinates (n, p) to search in, and log odds (n,) of overlap."""
        xp, space = namespace(X), self.search.given(X)
        Y = (X - like(self.mean, X)) @ space.forward
        generic = generic_odds(Y, space.kinds, space.variance, xp=xp)
        detected = like(self.detector(to_host(X)), X)
        return Y, xp.clip(detected, generic - _MOST_APART, generic + _MOST_APART)

    def find(self, X, n_speakers, rng, *, n_starts=_STARTS, n_finalists=_FINALISTS):
        """The most evident solution with `n_speakers`, of several starts."""
        xp, (Y, logit) = namespace(X), self.coordinates(X)
        space = self.search.given(X)
        states = make_states(n_speakers, logit)
        posteriors = self._starts(Y, logit, states, n_starts, rng)
        for n_kept, max_iter in ((n_finalists, _FIRST), (1, _LAST)):
            posteriors, means, bounds = solve(
                Y, posteriors, states, space.kinds, space.variance, xp=xp, max_iter=max_iter
            )
            best = np.argsort(-to_host(bounds[-1]), kind="stable")[:n_kept]
            posteriors = [take_rows(p, best) for p in posteriors]
        bound = float(bounds[-1][int(best[0])])
        return Solution(states, posteriors, take_rows(means, best)[0, ...], bound)

    def count(self, X, max_speakers, rng):
        """The most evident number of speakers, of whom each must be worth its cost."""
        values = []
        for n_speakers in range(1, max_speakers + 1):
            found = self.find(
                X, n_speakers, rng, n_starts=_QUICK_STARTS, n_finalists=_QUICK_FINALISTS
            )
            alike = _most_alike(to_host(found.directions))
            surplus = np.inf if alike > _TOO_ALIKE else _COST_ALIKE * max(0.0, alike - _ALIKE)
            values.append(found.bound - _COST * n_speakers - surplus)
            if n_speakers - np.argmax(values) > _PATIENCE:
                break
        return int(np.argmax(values)) + 1

    def demix(self, X, n_speakers, max_speakers, rng):
        """Take a recording apart.

        Parameters
        ----------
        X : array (n, d)
            Embeddings of its windows, in double precision.
        n_speakers : int, str or None
            A number, or a rule: 'evidence', which None stands for, or one of `COUNTING_RULES`, on
            the windows in which one speaker is likely.
        max_speakers : int
            Most to be counted.
        rng : Generator

        Returns
        -------
        Demixed
            Activations are the probabilities that a speaker talks.
        """
        max_speakers = min(max_speakers, X.shape[0])
        if n_speakers in (None, "evidence"):
            n_speakers = self.count(X, max_speakers, rng)
        elif isinstance(n_speakers, str):
            host = to_host(X)
            clean = self.detector(host) < 0
            centred = (host[clean] if clean.any() else host) - self.mean
            whitened = centred @ self.search.forward / np.sqrt(self.search.kinds[0].noise)
            n_speakers = count(n_speakers, centred, whitened, self.threshold, max_speakers)
        return self._estimate(X, self.find(X, n_speakers, rng))

    def _estimate(self, X, found):
        """Embeddings and parts, in the space of the output."""
        xp, space, mean = namespace(X), self.output.given(X), like(self.mean, X)
        args = (X - mean) @ space.forward, found.posteriors, found.states, space.kinds
        M, _, _ = update_speakers(
            *args, _PRIOR_SCALE * space.variance, xp=xp, weights=(1.0, _PAIR_WEIGHT)
        )
        chances = [p[0, ...] for p in found.posteriors]
        weights = [p @ s.who for p, s in zip(chances, found.states, strict=True)]
        scale = sum(w[:, :, None] * k.gain for w, k in zip(weights, space.kinds, strict=False))
        share = sum(w / n for n, w in enumerate(weights, start=1))
        parts = split(X, (scale * M[0, ...]) @ space.back, share)
        talks = [xp.astype(s.who > 0, X.dtype) for s in found.states]
        activations = sum(p @ t for p, t in zip(chances, talks, strict=True))
        n_talkers = 1 + (to_host(xp.sum(chances[0], axis=1)) < 0.5)
        speakers = mean + M[0, ...] @ space.back
        return Demixed(speakers, activations, *loudest(sum(weights), n_talkers), parts)

    def _starts(self, Y, logit, states, n_starts, rng):
        """Posteriors, list of (b, n, S): clusters of the windows least likely overlapped.

        A window of a cluster is in the states which its speaker dominates, alone or in a pair.
        """
        xp, n, n_speakers = namespace(Y), Y.shape[0], states[0].who.shape[1]
        if n_speakers == 1:
            return [xp.ones_like(logit)[None, :, None]]
        kinds = self.search.given(Y).kinds
        single = 1 / (1 + xp.exp(xp.clip(logit, -_MOST_CERTAIN, _MOST_CERTAIN)))[:, None]
        directions = (Y - (1 - single) * kinds[1].centre) / xp.sqrt(kinds[0].noise)
        directions = unit(directions, xp=xp)
        order, members = np.argsort(to_host(logit), kind="stable"), []
        for i in range(n_starts):
            n_clean = max(min(n, 3 * n_speakers + 3), int(n * _CLEANEST[i % len(_CLEANEST)]))
            clean = np.sort(order[:n_clean])
            centres = spherical_kmeans(take_rows(directions, clean), n_speakers, rng)
            kept = like(np.isin(np.arange(n), clean)[:, None], Y)
            members.append(kept * assigned(directions @ centres.T, xp=xp))
        members = xp.stack(members)
        leads = xp.astype(states[1].who > 1, Y.dtype) / (n_speakers - 1)
        pairs = xp.matmul(members, leads.T) * (1 - single)
        return [members * single + _LEAST_SHARE / n_speakers, pairs]


def _most_alike(directions):
    """Largest cosine of two rows (host, (K, p)); −1 for a single one."""
    D = unit(directions, xp=np)
    return np.max(D @ D.T - 2 * np.eye(len(D)))


def learn_pair_mixture(X, labels, rng):
    """Learn from rows with one speaker and with two.

    Parameters
    ----------
    X : ndarray (n, d)
    labels : Labels
    rng : Generator

    Returns
    -------
    PairMixture or None
        None without overlapped rows.

    Raises
    ------
    ValueError
        Unless there are two speakers and two rows of one, and both speakers of some overlapped row
        have rows for themselves.
    """
    if not len(labels.overlapped):
        return None
    singles, overlapped = X[labels.singles], X[labels.overlapped]
    known = np.isin(labels.pairs, labels.speakers).all(axis=1)
    n_speakers = len(np.unique(labels.speakers))
    if n_speakers < 2 or n_speakers == len(singles) or not known.any():
        raise ValueError(
            f"y has {len(known)} overlapped rows, {known.sum()} of them of speakers with rows for "
            f"themselves, and {len(singles)} rows of {n_speakers} speakers alone; give at least "
            "two speakers alone, one of them twice, and a row of both, or leave overlapped rows out"
        )
    mean, search, output = learn_spaces(
        singles, labels.speakers, overlapped[known], labels.pairs[known]
    )
    detector = learn_detector(singles, overlapped)
    threshold = calibrate(singles - mean, labels.speakers, rng)
    return PairMixture(mean, search, output, detector, threshold)
