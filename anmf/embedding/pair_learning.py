"""What labelled windows teach the pair mixture: two spaces, what overlap does, how to detect it."""

from dataclasses import dataclass

import numpy as np
from sklearn.covariance import ledoit_wolf
from sklearn.linear_model import LogisticRegression

from anmf._core.arrays import like
from anmf.embedding.covariance import within_classes
from anmf.embedding.pair_mixture import Kind

_SEARCH = 5.0, 64
_OUTPUT = 1000.0, 200
"""Ridge, in units of the mean variance within classes, and number of dimensions, of the space in
which speakers are told apart and of the one in which their embeddings are estimated. A large ridge
gives almost the principal components of the speakers."""

_LEAST_SHARE = 0.05
_LEAST_GAIN = 0.02
_LEAST_NOISE = 0.05
"""Of the variance of speakers, as a share of the power of their means; of the gain; and of the
noise, as a share of its median: what never varied in ``fit`` may vary later."""

_DEPENDENT = 3.0
"""Windows of one speaker that overlap in time are worth as many independent ones as a third."""

_NO_VARIANCE = 1e-12
_INVERSE_PENALTY = 5.0
_MOST_CERTAIN = 8.0


@dataclass(frozen=True)
class Space:
    """Coordinates y = (x − mean) V whose dimensions are independent, within and between speakers.

    Attributes
    ----------
    forward : ndarray (d, p)
        V.
    back : ndarray (p, d)
        V⁺.
    variance : ndarray (p,)
        Φ, of speakers.
    kinds : tuple of Kind
        Windows with one and two speakers.
    """

    forward: np.ndarray
    back: np.ndarray
    variance: np.ndarray
    kinds: tuple

    def given(self, X):
        """The same, in the library, on the device and in the dtype of X."""
        kinds = [Kind(*(like(v, X) for v in vars(kind).values())) for kind in self.kinds]
        return Space(like(self.forward, X), like(self.back, X), like(self.variance, X), kinds)


@dataclass(frozen=True)
class Detector:
    """Linear log odds of overlap, were both kinds of windows equally frequent."""

    weights: np.ndarray
    offset: float

    def __call__(self, X):
        """Log odds (n,) of embeddings (n, d), never quite certain."""
        return np.clip(X @ self.weights + self.offset, -_MOST_CERTAIN, _MOST_CERTAIN)


def learn_detector(singles, overlapped):
    """Logistic regression on embeddings of windows with one speaker and with two."""
    X = np.concatenate([singles, overlapped])
    y = np.arange(len(X)) >= len(singles)
    mean = X.mean(axis=0)
    size = np.sqrt(np.mean(np.sum((X - mean) ** 2, axis=1)))
    model = LogisticRegression(C=_INVERSE_PENALTY, max_iter=2000).fit((X - mean) / size, y)
    weights = model.coef_[0] / size
    prior = np.log(len(overlapped) / len(singles))
    return Detector(weights, float(model.intercept_[0] - mean @ weights - prior))


def learn_spaces(singles, y, overlapped, pairs):
    """The space to search and the one of the output.

    Parameters
    ----------
    singles : ndarray (n, d)
        Embeddings of windows with one speaker.
    y : ndarray (n,)
        Their speakers.
    overlapped : ndarray (m, d)
    pairs : ndarray (m, 2)
        Their two speakers, each with windows in `singles`.

    Returns
    -------
    mean : ndarray (d,)
        Mean over speakers of their mean.
    search, output : Space

    Raises
    ------
    ValueError
        If the windows of each speaker don't differ.
    """
    classes = within_classes(singles, y)
    mean = classes.means.mean(axis=0)
    speakers = classes.means - mean
    residuals = singles - classes.means[np.searchsorted(classes.labels, y)]
    within = ledoit_wolf(residuals, assume_centered=True)[0] * (len(y) / classes.freedom)
    between = ledoit_wolf(speakers, assume_centered=True)[0]
    if np.trace(within) <= _NO_VARIANCE * np.trace(between):
        raise ValueError(
            "the rows of X are the same for all windows of a speaker, so that nothing is learnt of "
            "how they vary; give different windows of the speakers who are alone in y"
        )
    who = np.searchsorted(classes.labels, pairs)
    spaces = []
    for ridge, n_dimensions in (_SEARCH, _OUTPUT):
        forward, back = _axes(within, between, ridge, n_dimensions)
        noise = np.sum((residuals @ forward) ** 2, axis=0) / classes.freedom
        Y, Z = speakers @ forward, (overlapped - mean) @ forward
        spaces.append(_space(forward, back, noise, classes.counts.mean(), Y, Z, who))
    return mean, *spaces


def _axes(within, between, ridge, n_dimensions):
    """Directions in which the between-covariance is largest, relative to that within plus ridge."""
    d = len(within)
    values, U = np.linalg.eigh(within + ridge * np.trace(within) / d * np.eye(d))
    whiten, colour = (U / np.sqrt(values)) @ U.T, (U * np.sqrt(values)) @ U.T
    _, axes = np.linalg.eigh(whiten @ between @ whiten)
    axes = axes[:, ::-1][:, :n_dimensions]
    return whiten @ axes, axes.T @ colour


def _space(forward, back, noise, count, Y, Z, who):
    """Variances and the kinds of windows, dimension by dimension."""
    noise = _above_zero(noise, _LEAST_NOISE)
    error = noise / count  # of the mean of a speaker
    power = np.mean(Y**2, axis=0)
    variance = _above_zero(np.maximum(power - error, _LEAST_SHARE * power))
    shrunk = Y * variance / (variance + _DEPENDENT * error)
    both = shrunk[who[:, 0]] + shrunk[who[:, 1]]
    centre = Z.mean(axis=0)
    gain = np.sum((Z - centre) * both, axis=0) / _above_zero(np.sum(both**2, axis=0))
    gain = np.maximum(gain, _LEAST_GAIN)
    rest = _above_zero(np.mean((Z - centre - gain * both) ** 2, axis=0), _LEAST_NOISE)
    kinds = Kind(np.zeros_like(noise), np.ones_like(noise), noise), Kind(centre, gain, rest)
    return Space(forward, back, variance, kinds)


def _above_zero(x, share=0.0):
    """`x`, no entry of which is far below the others, as it is for features that never vary."""
    return np.maximum(x, max(1e-6 * np.max(x), share * np.median(x)))
