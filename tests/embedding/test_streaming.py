"""Streaming: blocks of any sizes give what all rows at once give."""

import numpy as np
import pytest

from anmf._core.arrays import device, namespace, to_host
from anmf.embedding import SVDDecorrelator
from anmf.embedding.streaming import absorb, gather
from tests.embedding.data import LIBRARIES, coloured, labelled, projector

SIZES = {
    "one": [200],
    "uneven": [3, 57, 1, 100, 39],
    "single rows": [1] * 200,
    "few first": [2, 198],
}
LEARNT = (
    "mean_", "components_", "singular_values_", "explained_variance_ratio_", "whitening_",
    "dewhitening_", "shrinkage_",
)  # fmt: skip


def stream(model, X, sizes, y=None):
    for end, size in zip(np.cumsum(sizes), sizes, strict=True):
        rows = slice(end - size, end)
        model.partial_fit(X[rows], None if y is None else y[rows])
    return model


def assert_same(model, expected, atol=1e-10):
    assert model.n_samples_seen_ == expected.n_samples_seen_
    for name in LEARNT:
        ours, theirs = to_host(getattr(model, name)), to_host(getattr(expected, name))
        np.testing.assert_allclose(ours, theirs, atol=atol * max(1, np.max(np.abs(theirs))))


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("n_components", [None, 0.9, "gavish-donoho"])
@pytest.mark.parametrize("mean", [0.0, 30.0])
def test_streaming_is_batch(sizes, n_components, mean):
    X = coloured(mean=mean)
    batch = SVDDecorrelator(n_components).fit(X)
    assert_same(stream(SVDDecorrelator(n_components), X, sizes), batch)


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("shrinkage", [None, 0.2])
def test_streaming_within_classes_is_batch(sizes, shrinkage):
    X, y = labelled()
    y = np.where(np.arange(200) < 100, y, y + 3)  # some classes end, some are new
    options = {"covariance": "within", "shrinkage": shrinkage, "ridge": 0.01}
    batch = SVDDecorrelator(**options).fit(X, y)
    assert_same(stream(SVDDecorrelator(**options), X, sizes, y), batch)


def test_fewer_rows_than_features():
    X = coloured(20, 50)
    batch = SVDDecorrelator().fit(X)
    assert batch.n_components_ == 19
    assert_same(stream(SVDDecorrelator(), X, [5, 1, 14]), batch)


def test_many_blocks_don_t_drift():
    X = coloured(2000, 10, mean=5)
    assert_same(stream(SVDDecorrelator(), X, [4] * 500), SVDDecorrelator().fit(X))


def test_order_doesn_t_matter():
    X = coloured()
    assert_same(stream(SVDDecorrelator(), X[::-1], [90, 110]), SVDDecorrelator().fit(X))


def test_streaming_goes_on_after_fit():
    X = coloured()
    assert_same(SVDDecorrelator().fit(X[:80]).partial_fit(X[80:]), SVDDecorrelator().fit(X))
    again = stream(SVDDecorrelator(), X, [150, 50]).fit(X[:90])
    assert_same(again, SVDDecorrelator().fit(X[:90]))


def test_sums_of_higher_order():
    X = coloured(60, 5)
    moments = absorb(gather(X[:13]), X[13:])
    centred = X - X.mean(axis=0)
    a = np.sum(centred**2, axis=1)
    np.testing.assert_allclose(moments.power, a.sum(), rtol=1e-12)
    np.testing.assert_allclose(moments.skew, a @ centred, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(moments.fourth, a @ a, rtol=1e-12)
    np.testing.assert_allclose(moments.square, np.sum((centred.T @ centred) ** 2), rtol=1e-12)


def test_float32_stays_and_sums_in_double():
    X = coloured().astype(np.float32)
    model = stream(SVDDecorrelator(), X, [3, 57, 1, 100, 39])
    assert_same(model, SVDDecorrelator().fit(X), atol=1e-6)
    assert_same(model, SVDDecorrelator().fit(X.astype(float)), atol=1e-6)
    assert model.components_.dtype == model.whitening_.dtype == np.float32


def test_a_number_of_components_bounds_the_memory():
    """Truncated: no longer exact, but near where later directions are weak."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 4)) @ rng.standard_normal((4, 40)) * 5
    X = X + 0.1 * rng.standard_normal((500, 40))
    model, batch = stream(SVDDecorrelator(4), X, [100] * 5), SVDDecorrelator(4).fit(X)
    assert model._moments.axes.shape == (4, 40)
    difference = projector(model.components_) - projector(batch.components_)
    assert 0 < np.linalg.norm(difference, 2) < 0.01
    np.testing.assert_allclose(model.singular_values_, batch.singular_values_, rtol=1e-3)
    np.testing.assert_allclose(model.shrinkage_, batch.shrinkage_, rtol=0.01)
    np.testing.assert_allclose(model.mean_, batch.mean_)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("covariance", ["total", "within"])
def test_other_libraries(library, covariance):
    X, y = labelled()
    options = {"covariance": covariance, "shrinkage": 0.1}
    batch = SVDDecorrelator(**options).fit(X, y)
    foreign = library(X)
    model = SVDDecorrelator(**options).partial_fit(X[:50], y[:50])  # starts on the host
    for rows in (slice(50, 51), slice(51, 200)):
        model.partial_fit(library(X[rows]), library(y[rows]))
    assert_same(model, batch)
    for name in LEARNT[:-1]:
        value = getattr(model, name)
        assert namespace(value) is namespace(foreign) and device(value) == device(foreign)
