"""Routes to the decomposition: they agree, and the automatic choice is accurate."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from anmf._core.arrays import to_host
from anmf.embedding import ROUTES, SVDDecorrelator
from anmf.embedding.routes import choose, decompose
from tests.embedding.data import LIBRARIES, coloured, planted, projector


@pytest.mark.parametrize("shape", [(400, 50), (50, 400), (120, 100), (100, 120)])
def test_routes_agree(shape):
    X = planted(*shape, 6, 8.0) + 2
    models = {s: SVDDecorrelator(6, svd_solver=s, random_state=0).fit(X) for s in ROUTES}
    models["auto"] = SVDDecorrelator(6).fit(X)
    expected = PCA(6, svd_solver="full").fit(X)
    for model in models.values():
        difference = projector(model.components_) - projector(expected.components_)
        assert np.linalg.norm(difference, 2) < 1e-8
        np.testing.assert_allclose(model.singular_values_, expected.singular_values_, rtol=1e-9)
        np.testing.assert_allclose(model.components_, models["full"].components_, atol=1e-7)
        np.testing.assert_allclose(
            model.explained_variance_ratio_, expected.explained_variance_ratio_, rtol=1e-9
        )


@pytest.mark.parametrize("ratio", [1e-2, 1e-5, 1e-9])
@pytest.mark.parametrize("shape", [(600, 40), (40, 600)])
def test_automatic_route_keeps_small_singular_values(ratio, shape):
    rng = np.random.default_rng(0)
    U, V = (np.linalg.qr(rng.standard_normal((m, 30)))[0] for m in shape)
    X = (U * np.geomspace(1, ratio, 30)) @ V.T + 1e-10 * rng.standard_normal(shape)
    _, values, axes = decompose(X)
    expected = np.linalg.svd(X - X.mean(axis=0), compute_uv=False)
    assert len(values) >= 30
    np.testing.assert_allclose(values, expected[: len(values)], rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(axes @ axes.T, np.eye(len(axes)), atol=1e-9)


def test_automatic_choice():
    assert choose(20000, 256) == choose(256, 20000) == choose(20000, 256, 3) == "gram"
    assert choose(300, 256) == choose(3000, 2500) == choose(3000, 2500, 400) == "full"
    assert choose(3000, 2500, 20) == "randomized"


def test_random_state_repeats():
    X = coloured(80, 60)
    first, second, other = (
        SVDDecorrelator(3, svd_solver="randomized", random_state=s).fit(X) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.components_, second.components_)
    np.testing.assert_allclose(first.singular_values_, other.singular_values_, rtol=1e-3)


@pytest.mark.parametrize("library", LIBRARIES)
def test_small_singular_values_in_other_libraries(library):
    X = coloured(300, 20) @ np.diag(np.geomspace(1, 1e-4, 20))
    mean, values, axes = decompose(X)
    expected = np.linalg.svd(X - X.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(values, expected, rtol=1e-9)
    for ours, theirs in zip(decompose(library(X)), (mean, values, axes), strict=True):
        np.testing.assert_allclose(to_host(ours), theirs, rtol=1e-8, atol=1e-8)
