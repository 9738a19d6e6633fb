"""What labelled windows teach: the detector of overlap, and the two spaces."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from anmf._core.arrays import device, namespace, to_host
from anmf.embedding import SVDDecorrelator
from anmf.embedding.pair_learning import learn_detector, learn_spaces
from tests.embedding.data import LIBRARIES, World, background, in_order, recording


def two_kinds(n_singles, n_overlapped, d=6, seed=0):
    """Gaussian rows of unit variance, of which the second kind is moved by a vector, and that."""
    rng = np.random.default_rng(seed)
    move = rng.uniform(0.3, 0.9, d)
    rows = 4 + rng.standard_normal((n_singles + n_overlapped, d))
    rows[n_singles:] += move
    return rows[:n_singles], rows[n_singles:], move


@pytest.mark.parametrize(("n_singles", "n_overlapped"), [(6000, 600), (600, 6000), (3000, 3000)])
def test_odds_are_those_of_equally_frequent_kinds(n_singles, n_overlapped):
    """Of Gaussians of unit variance: move · (x − midpoint), whatever the numbers of rows."""
    singles, overlapped, move = two_kinds(n_singles, n_overlapped)
    detector = learn_detector(singles, overlapped)
    middle = 4 + move / 2
    assert detector(middle[None])[0] == pytest.approx(0, abs=0.15)
    X = middle + np.random.default_rng(1).standard_normal((200, 6))
    error = detector(X) - (X - middle) @ move
    assert np.sqrt(np.mean(error**2)) < 0.25


def test_odds_are_those_of_logistic_regression_less_the_prior():
    singles, overlapped, _ = two_kinds(500, 80)
    X = np.concatenate([singles, overlapped])
    size = np.sqrt(((X - X.mean(axis=0)) ** 2).sum(axis=1).mean())
    y = np.repeat([0, 1], [500, 80])
    theirs = LogisticRegression(C=5.0, tol=1e-8, max_iter=9999).fit((X - X.mean(axis=0)) / size, y)
    odds = theirs.decision_function((X - X.mean(axis=0)) / size) - np.log(80 / 500)
    np.testing.assert_allclose(learn_detector(singles, overlapped)(X), odds, atol=0.01)


def test_odds_don_t_depend_on_shift_and_scale():
    singles, overlapped, _ = two_kinds(300, 200)
    expected = learn_detector(singles, overlapped)(singles)
    for scale in (1e-3, 1e3):
        for shift in (0, 50 * scale):
            alone, both = scale * singles + shift, scale * overlapped + shift
            np.testing.assert_allclose(learn_detector(alone, both)(alone), expected, atol=1e-3)


def test_odds_are_never_certain():
    singles, overlapped = np.random.default_rng(0).standard_normal((2, 50, 3))
    odds = learn_detector(singles, overlapped + 50)(np.array([[-1e4] * 3, [1e4] * 3]))
    np.testing.assert_array_equal(odds, [-8, 8])


def spaces(world, **options):
    X, y = world.background(**options)
    alone = y[:, 1] < 0
    return learn_spaces(X[alone], y[alone, 0], X[~alone], y[~alone])


@pytest.mark.parametrize("d", [8, 100, 260])
def test_spaces_have_inverses_and_at_most_64_and_200_dimensions(d):
    mean, *found = spaces(World.paired(d))
    assert mean.shape == (d,)
    for space, most in zip(found, (64, 200), strict=True):
        p = min(d, most)
        assert space.forward.shape == (d, p) and space.variance.shape == (p,)
        np.testing.assert_allclose(space.back @ space.forward, np.eye(p), atol=1e-9)
        assert np.all(space.variance > 0)
        for kind in space.kinds:
            assert np.all(kind.noise > 0) and np.all(kind.gain > 0)


def test_the_mean_is_that_of_speakers_whatever_rows_they_have():
    X, y = World.paired().background()
    alone = y[:, 1] < 0
    args = X[~alone], y[~alone]
    mean = learn_spaces(X[alone], y[alone, 0], *args)[0]
    expected = [X[alone & (y[:, 0] == k)].mean(axis=0) for k in range(60)]
    np.testing.assert_allclose(mean, np.mean(expected, axis=0))
    few = alone & ((y[:, 0] > 5) | (np.arange(len(y)) % 8 < 5))
    expected = [X[few & (y[:, 0] == k)].mean(axis=0) for k in range(60)]
    mean = learn_spaces(X[few], y[few, 0], *args)[0]
    np.testing.assert_allclose(mean, np.mean(expected, axis=0))


def stretched(n_speakers=400, n_each=10, d=6):
    """Speakers whose variances differ, so that axes are features; truth and what is learnt."""
    rng = np.random.default_rng(0)
    spread, gain = np.geomspace(8, 0.5, d), np.linspace(0.8, 0.3, d)
    centre, noise, both = np.linspace(-1, 1, d), 0.3, 0.2
    speakers = rng.standard_normal((n_speakers, d))
    speakers = spread * (speakers - speakers.mean(axis=0))
    y = np.repeat(np.arange(n_speakers), n_each)
    singles = 5 + speakers[y] + noise * rng.standard_normal((len(y), d))
    first = np.arange(n_speakers)
    pairs = np.vstack([np.column_stack([first, np.roll(first, k)]) for k in range(1, 11)])
    overlapped = 5 + centre + gain * speakers[pairs].sum(axis=1)
    overlapped += both * rng.standard_normal(overlapped.shape)
    truth = {"spread": spread, "gain": gain, "centre": centre, "noise": noise, "both": both}
    return truth, learn_spaces(singles, y, overlapped, pairs)


def test_planted_gain_centre_and_noise_are_found():
    """Each dimension is a feature here, up to scale: y = w x."""
    truth, (_, *found) = stretched()
    for space in found:
        axes = np.abs(space.forward).argmax(axis=0)
        assert sorted(axes) == list(range(6))
        w = space.forward[axes, np.arange(6)]
        rest = space.forward.copy()
        rest[axes, np.arange(6)] = 0
        assert np.abs(rest).max() < 0.05 * np.abs(w).min()
        single, pair = space.kinds
        np.testing.assert_array_equal(single.centre, 0)
        np.testing.assert_array_equal(single.gain, 1)
        np.testing.assert_allclose(pair.gain, truth["gain"][axes], atol=0.03)
        np.testing.assert_allclose(pair.centre / w, truth["centre"][axes], atol=0.05)
        np.testing.assert_allclose(single.noise, (0.3 * w) ** 2, rtol=0.1)
        np.testing.assert_allclose(space.variance, (truth["spread"][axes] * w) ** 2, rtol=0.25)


def test_scale_shift_and_rotation_change_only_the_axes():
    """A rotation leaves variances, gains and noises; a scale, their ratios."""
    X, y = World.paired().background()
    alone = y[:, 1] < 0
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((32, 32)))[0]
    first = learn_spaces(X[alone], y[alone, 0], X[~alone], y[~alone])
    for scale in (1e-3, 1.0, 1e3):
        R = scale * X @ Q + 7 * scale
        second = learn_spaces(R[alone], y[alone, 0], R[~alone], y[~alone])
        np.testing.assert_allclose(second[0], scale * (first[0] @ Q + 7), rtol=1e-9)
        for a, b in zip(first[1:], second[1:], strict=True):
            np.testing.assert_allclose(b.variance, a.variance, rtol=1e-6)
            np.testing.assert_allclose(b.kinds[1].gain, a.kinds[1].gain, rtol=1e-6)
            np.testing.assert_allclose(b.kinds[1].noise, a.kinds[1].noise, rtol=1e-6)


def test_features_that_are_always_the_same_do_no_harm():
    X, y = World.paired().background()
    alone = y[:, 1] < 0
    X[:, 3], X[:, 20] = 0, 2.5
    mean, *found = learn_spaces(X[alone], y[alone, 0], X[~alone], y[~alone])
    np.testing.assert_allclose(mean[[3, 20]], [0, 2.5])
    for space in found:
        arrays = [space.forward, space.back, space.variance]
        arrays += [v for kind in space.kinds for v in vars(kind).values()]
        assert all(np.isfinite(v).all() for v in arrays)
        np.testing.assert_allclose(space.back @ space.forward, np.eye(32), atol=1e-9)
        dead = np.abs(space.back[:, [3, 20]]).max(axis=1) > 1e-9
        assert dead.sum() == 2
        signal = [k.gain**2 * space.variance / k.noise for k in space.kinds]
        assert np.all(space.variance[dead] < 1e-5 * space.variance.max())
        assert np.all(signal[1][dead] < 0.02) and np.all(signal[1][~dead] > 0.1)


@pytest.mark.parametrize("change", ["constant columns", "low rank", "single rows"])
def test_poor_backgrounds(change):
    (X, y), (R, _, true) = background("pairs"), recording()
    if change == "constant columns":
        X, R, true = (np.where(np.isin(np.arange(32), [3, 20]), 2.5, A) for A in (X, R, true))
    elif change == "low rank":
        P = np.random.default_rng(0).standard_normal((32, 20))
        X, R, true = (A @ P @ P.T for A in (X, R, true))
    else:
        kept = np.r_[0:240, 240:480:8, 480:780]
        X, y = X[kept], y[kept]
    model = SVDDecorrelator(n_speakers=3, random_state=0).fit(X, y)
    assert model.separate(R).shape == (40, 3, 32)
    assert in_order(model, true)[0].min() > 0.9


def test_a_feature_that_never_varied_does_not_decide_who_speaks():
    (X, y), (new, _, true) = background("pairs"), recording("pairs")
    X, new, true = (np.delete(A, 3, axis=1) for A in (X, new, true))
    some = 0.1 * np.random.default_rng(0).standard_normal((40, 1))
    model = SVDDecorrelator(n_speakers=3, random_state=0).fit(np.insert(X, 0, 0.0, axis=1), y)
    model.separate(np.hstack([some, new]))
    assert in_order(model, np.insert(true, 0, 0.0, axis=1))[0].min() > 0.95


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_space_moves_to_other_libraries(library):
    _, space, _ = spaces(World.paired())
    X = library(np.zeros((1, 1), np.float32))
    moved = space.given(X)
    pairs = [(moved.forward, space.forward), (moved.variance, space.variance)]
    for ours, theirs in zip(moved.kinds, space.kinds, strict=True):
        pairs += zip(vars(ours).values(), vars(theirs).values(), strict=True)
    for ours, theirs in pairs:
        assert namespace(ours) is namespace(X) and device(ours) == device(X)
        assert ours.dtype == X.dtype
        np.testing.assert_allclose(to_host(ours), theirs, rtol=1e-6)
