"""`load_digit_mixtures`: sources, labels, and nothing shared between training and test."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from anmf.datasets import load_digit_mixtures


def images_of(digit):
    images, labels = load_digits(return_X_y=True)
    return images[labels == digit] / 16


def as_set(rows):
    return {row.tobytes() for row in np.round(rows * 48).astype(int)}


def test_shapes_and_types():
    data = load_digit_mixtures((7, 2, 5), n_mixtures=40)
    assert data.X_train.shape[1:] == (64,)
    assert data.y_train.shape == data.X_train.shape[:1]
    assert data.X_test.shape == (40, 64)
    assert data.parts_test.shape == (40, 3, 64)
    assert data.X_train.dtype == data.X_test.dtype == data.parts_test.dtype == np.float64
    assert data.image_shape == (8, 8)
    assert data.digits == (7, 2, 5)


def test_mixtures_sum_their_parts_and_stay_in_range():
    data = load_digit_mixtures()
    np.testing.assert_array_equal(data.X_test, data.parts_test.sum(axis=1))
    assert data.X_train.min() == data.X_test.min() == 0
    assert data.X_train.max() == 0.5
    assert 0.5 < data.X_test.max() <= 1


@pytest.mark.parametrize("test_size", [0.1, 0.3, 0.5])
def test_training_rows_and_held_out_rows_divide_each_digit(test_size):
    data = load_digit_mixtures((3, 8), n_mixtures=200, test_size=test_size)
    for source, digit in enumerate((3, 8)):
        train = as_set(2 * data.X_train[data.y_train == source])
        held = as_set(2 * data.parts_test[:, source])  # 200 draws use every held-out row
        images = images_of(digit)
        assert not train & held
        assert train | held == as_set(images)
        assert len(held) == round(test_size * len(images))


def test_labels_follow_the_order_of_digits():
    data = load_digit_mixtures((8, 3))
    assert set(data.y_train) == {0, 1}
    assert as_set(2 * data.X_train[data.y_train == 0]) <= as_set(images_of(8))
    assert as_set(2 * data.parts_test[:, 1]) <= as_set(images_of(3))


def test_weights_scale_training_rows_and_parts():
    plain = load_digit_mixtures(weights=(1, 1), random_state=4)
    data = load_digit_mixtures(weights=(0.25, 2.0), random_state=4)
    np.testing.assert_allclose(data.parts_test, plain.parts_test * [[[0.25], [2.0]]])
    gains = np.asarray([0.25, 2.0])[data.y_train]
    np.testing.assert_allclose(data.X_train, plain.X_train * gains[:, None])


def test_random_state():
    first, again, other = (load_digit_mixtures(random_state=seed).X_test for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    drawn = load_digit_mixtures(random_state=np.random.default_rng(0)).X_test
    np.testing.assert_array_equal(first, drawn)


@pytest.mark.parametrize("test_size", [1e-9, 1 - 1e-9])
def test_extreme_shares_leave_a_row_on_both_sides(test_size):
    data = load_digit_mixtures(test_size=test_size)
    assert len(np.unique(data.y_train)) == 2
    assert len(data.X_test) == 100


@pytest.mark.parametrize("digits", [(0,), 3, (), (1, 1), (0, 10), (-1, 2), (0.0, 1.0), "01"])
def test_bad_digits(digits):
    with pytest.raises(ValueError, match="must be at least two different digits from 0 to 9"):
        load_digit_mixtures(digits)


@pytest.mark.parametrize("test_size", [0, 0.0, 1.0, 1, -0.1, np.nan, "0.3", None])
def test_bad_test_size(test_size):
    with pytest.raises(ValueError, match=r"test_size=.* must be a share above 0 and below 1"):
        load_digit_mixtures(test_size=test_size)


def test_bad_weights_and_numbers():
    with pytest.raises(ValueError, match=r"weights=.* must be a sequence of 2 numbers"):
        load_digit_mixtures(weights=[1, 2, 3])
    with pytest.raises(ValueError, match="n_mixtures=0 must be an integer of at least 1"):
        load_digit_mixtures(n_mixtures=0)
