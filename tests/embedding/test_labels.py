"""What `y` says of rows, to ``fit`` and to ``score``: every form, and what is refused."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from anmf.embedding import SVDDecorrelator
from anmf.embedding.labels import read_labels
from tests.embedding.data import LIBRARIES, background, fitted, in_order, recording


def assert_labels(labels, singles, speakers, overlapped=(), pairs=()):
    np.testing.assert_array_equal(labels.singles, singles)
    np.testing.assert_array_equal(labels.speakers, speakers)
    np.testing.assert_array_equal(labels.overlapped, np.array(overlapped, int))
    np.testing.assert_array_equal(labels.pairs, np.array(pairs, int).reshape(-1, 2))
    assert labels.singles.dtype.kind == labels.overlapped.dtype.kind == "i"


def read(y, n, required=False):
    return read_labels(y, n, required=required)


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize("y", [
    [3, 1, 3], np.array([3, 1, 3], np.uint8), ["b", "a", "b"], [[3], [1], [3]], [True, False, True],
    [-5, 2, -5],
], ids=str)  # fmt: skip
def test_one_speaker_a_row(y, required):
    assert_labels(read(y, 3, required), [0, 1, 2], np.ravel(y))


@pytest.mark.parametrize("dtype", [np.int64, np.int8])
def test_two_speakers_a_row(dtype):
    y = np.array([[4, -1], [-1, 2], [4, 2], [-1, -1], [3, 3], [9, 4]], dtype)
    assert_labels(read(y, 6), [0, 1, 4], [4, 2, 3], [2, 5], [[4, 2], [9, 4]])
    assert_labels(read(y.tolist(), 6, True), [0, 1, 4], [4, 2, 3], [2, 5], [[4, 2], [9, 4]])


def test_unsigned_pairs_have_no_nobody():
    y = np.array([[1, 1], [0, 1]], np.uint8)
    assert_labels(read(y, 2), [0], [1], [1], [[0, 1]])


def test_columns_may_change_places():
    y = np.array([[4, -1], [4, 2], [2, -1]])
    one, other = read(y, 3), read(y[:, ::-1], 3)
    assert_labels(other, one.singles, one.speakers, one.overlapped, one.pairs[:, ::-1])


def test_floating_numbers_are_the_target_of_another_step_unless_labels_are_required():
    for y in (np.array([0.5, 1.0]), np.full(2, np.nan), np.ones((2, 3)), np.ones(7, np.float32)):
        assert read(y, 2) is None
    assert_labels(read(np.array([0.5, 1.0]), 2, True), [0, 1], [0.5, 1.0])


def test_no_labels():
    assert read(None, 3) is None
    with pytest.raises(ValueError, match="covariance='within' requires y to be passed"):
        read(None, 3, True)


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1], r"y has shape \(2,\) and type int64; expected one label for each of the 3 rows"),
        ([[0, 1, 2]] * 3, r"y has shape \(3, 3\)"),
        ([[0, 1]] * 2, r"y has shape \(2, 2\)"),
        ([["a", "b"]] * 3, r"y has shape \(3, 2\) and type <U1"),
        (np.zeros((3, 2, 1), int), r"y has shape \(3, 2, 1\)"),
        (5, r"y has shape \(\)"),
        ([[0, -2], [1, -1], [2, -1]], "y has the label -2; speakers are integers from 0"),
        ([[0, 1], [-1, -1], [1, 2]], "y names no row with one speaker"),
        ([[-1, -1]] * 3, "y names no row with one speaker"),
    ],
)
def test_what_is_refused(y, message, required):
    with pytest.raises(ValueError, match=message):
        read(y, 3, required)


@pytest.mark.parametrize("y", [[0, np.nan, 1], [np.inf, 0, 1]])
def test_unknown_speakers_are_refused_where_labels_are_required(y):
    with pytest.raises(ValueError, match="y contains NaN or infinity"):
        read(y, 3, True)
    with pytest.raises(ValueError, match=r"y has shape \(3, 2\) and type float64"):
        read(np.ones((3, 2)), 3, True)


@pytest.mark.parametrize("library", LIBRARIES)
def test_labels_of_other_libraries(library):
    y = np.array([[4, -1], [-1, 2], [4, 2]])
    assert_labels(read(library(y), 3), [0, 1], [4, 2], [2], [[4, 2]])
    assert_labels(read(library(y[:, 0]), 3), [0, 1, 2], y[:, 0])


def test_overlapped_rows_and_rows_of_nobody_teach_no_covariance():
    X, y = background("pairs")
    alone = y[:, 1] < 0
    more = np.vstack([X, X[:5] + 100]), np.vstack([y, np.full((5, 2), -1)])
    expected = SVDDecorrelator().fit(X[alone], y[alone, 0])
    model = SVDDecorrelator().fit(*more)
    assert model.n_samples_seen_ == 480 and model.threshold_ == pytest.approx(expected.threshold_)
    np.testing.assert_allclose(model.mean_, expected.mean_)
    np.testing.assert_allclose(model.whitening_, expected.whitening_)


@pytest.mark.parametrize("covariance", ["total", "within"])
def test_rows_of_nobody_teach_a_stream_nothing(covariance):
    X, y = background("pairs")
    X, y = X[:480], np.where(np.arange(480)[:, None] % 50, y[:480], -1)
    options = {"covariance": covariance, "shrinkage": 0.1}
    model, expected = SVDDecorrelator(**options).partial_fit(X, y), SVDDecorrelator(**options)
    np.testing.assert_allclose(model.mean_, expected.fit(X, y).mean_)


@pytest.mark.parametrize(
    "change",
    [
        lambda y: np.where(y[:, 1:] < 0, y, y + 1000),  # pairs of unknown speakers
        lambda y: np.where(y[:, 1:] < 0, [[0, -1]], y),  # one speaker alone
        lambda y: np.vstack([np.column_stack([np.arange(480), np.full(480, -1)]), y[480:]]),
    ],
)
def test_overlapped_rows_that_teach_nothing_are_refused(change):
    X, y = background("pairs")
    with pytest.raises(ValueError, match=r"y has 300 overlapped rows.*leave overlapped rows out"):
        SVDDecorrelator().fit(X, change(y))


def test_refused_labels_leave_the_estimator_as_it_was():
    X, y = background("pairs")
    model = SVDDecorrelator()
    with pytest.raises(ValueError, match="overlapped rows"):
        model.fit(X, np.where(y[:, 1:] < 0, y, y + 1000))
    with pytest.raises(NotFittedError):
        model.separate(X)


def test_speakers_without_variance_are_refused_with_overlapped_rows():
    X, y = background("pairs")
    X = np.round(np.vstack([np.repeat(X[:480:8], 8, axis=0), X[480:]]))
    with pytest.raises(ValueError, match="speakers"):
        SVDDecorrelator().fit(X, y)


def test_pairs_of_which_both_are_known_teach_and_others_do_no_harm():
    X, y = background("pairs")
    half = np.where((np.arange(len(y)) >= 630)[:, None], y + np.array([0, 1000]), y)
    model = SVDDecorrelator(n_speakers=3, random_state=0).fit(X, half)
    new, _, true = recording()
    model.separate(new)
    assert in_order(model, true)[0].min() > 0.95


def test_score_of_labels_and_of_parts():
    X, who, _ = recording(overlap=0.0)
    model = fitted("pairs", n_speakers=3)
    parts, y = model.separate(X), who[:, 0]
    assert model.score(X, y) == model.score(X.tolist(), np.array(list("cab"))[y]) == 1
    wrong = np.where(np.arange(40) < 8, (y + 1) % 3, y)
    assert model.score(X, wrong) == pytest.approx(32 / 40)
    assert model.score(X, np.zeros(40, int)) == np.bincount(y).max() / 40
    true = parts + 0.1 * np.random.default_rng(0).standard_normal(parts.shape)
    error = np.sum((true - parts) ** 2, axis=(0, 2))
    rows = 10 * np.log10(np.sum(true**2, axis=(0, 2)) / error)
    assert model.score(X, true[:, [2, 0, 1]]) == pytest.approx(np.mean(rows))
    # One that was not found is zeros, of 0 dB; a surplus estimate costs nothing.
    extra = np.concatenate([true, np.ones((40, 1, 32))], axis=1)
    assert model.score(X, extra) == pytest.approx(np.sum(rows) / 4, abs=0.1)
    assert model.score(X, true[:, 1:]) == pytest.approx(np.mean(rows[1:]))
    assert model.score(X, parts, metric="si_sdr") > 100


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("form", ["parts", "labels"])
def test_score_of_other_libraries(library, form):
    X, who, _ = recording()
    model = fitted("pairs", n_speakers=3)
    y = np.repeat(X[:, None], 3, axis=1) / 3 if form == "parts" else who[:, 0]
    assert model.score(library(X), library(y)) == pytest.approx(model.score(X, y), abs=1e-4)


@pytest.mark.parametrize(
    ("y", "metric", "message"),
    [
        (np.zeros(4, int), "snr", "y has 4 labels, and X 40 rows"),
        (np.zeros((40, 2)), "snr", r"y has shape \(40, 2\); score needs the true part"),
        (np.ones((40, 0, 32)), "snr", r"y has shape \(40, 0, 32\)"),
        (np.ones((40, 2, 31)), "snr", r"y has shape \(40, 2, 31\)"),
        (np.full((40, 2, 32), np.nan), "snr", "NaN"),
        (np.ones((40, 2, 32)), "mse", "metric='mse' must be one of"),
        (np.full(40, np.nan), "snr", "NaN"),
        (None, "snr", r"y has shape \(\)"),
    ],
)
def test_what_score_refuses(y, metric, message):
    with pytest.raises(ValueError, match=message):
        fitted("pairs", n_speakers=2).score(recording()[0], y, metric=metric)


def test_true_parts_of_zeros_don_t_count():
    X = recording()[0]
    model = fitted("pairs", n_speakers=3)
    true = np.concatenate([model.separate(X) + 0.1, np.zeros((40, 1, 32))], axis=1)
    assert model.score(X, true) == pytest.approx(model.score(X, true[:, :3]))
