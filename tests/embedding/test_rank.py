"""Rank rules on planted ranks."""

import numpy as np
import pytest

from anmf.embedding import RANK_RULES, SVDDecorrelator
from anmf.embedding.rank import _median, count_components, energy
from tests.embedding.data import planted


@pytest.mark.parametrize("rule", RANK_RULES)
@pytest.mark.parametrize("shape", [(300, 60), (60, 300), (100, 100), (101, 100)])
@pytest.mark.parametrize("rank", [1, 4])
@pytest.mark.parametrize("sigma", [1e-3, 10.0])
def test_planted_rank_is_found(rule, shape, rank, sigma):
    X = planted(*shape, rank, 2.0, sigma) + 5
    model = SVDDecorrelator(rule).fit(X)
    # The edge is where noise ends on average: now and then one of its values is above it.
    assert rank <= model.n_components_ <= rank + (rule == "marchenko-pastur")


def test_what_is_below_the_edge_is_not_found():
    for rule, find in RANK_RULES.items():
        values = np.linalg.svd(planted(200, 80, 3, 0.3), compute_uv=False)
        assert find(values, 200, 80) <= (rule == "marchenko-pastur")


def test_pure_noise_keeps_one_component():
    X = np.random.default_rng(0).standard_normal((300, 40))
    assert SVDDecorrelator("gavish-donoho").fit(X).n_components_ == 1


def test_noise_of_unknown_level_has_the_threshold_of_the_paper():
    """4/√3 relative to σ for square matrices; 2.858 relative to the median."""
    values = np.array([2.859, 2.857, *np.ones(9)])
    values = np.sort(np.concatenate([values, np.full(8, 0.5)]))[::-1]
    assert np.median(values) == 1.0
    assert RANK_RULES["gavish-donoho"](values, 19, 19) == 1


@pytest.mark.parametrize("beta", [0.05, 0.5, 1.0])
def test_median_of_the_law_of_noise(beta):
    n = 2000
    X = np.random.default_rng(0).standard_normal((n, int(beta * n)))
    squares = np.linalg.svd(X, compute_uv=False) ** 2 / n
    assert _median(beta) == pytest.approx(np.median(squares), rel=0.01)


def test_coloured_noise_breaks_the_rules():
    """Their premise: without it they count noise as signal."""
    X = planted(400, 60, 2, 2.0) * np.geomspace(1, 30, 60)
    assert SVDDecorrelator("gavish-donoho").fit(X).n_components_ > 4


def test_energy():
    values = np.array([2.0, 1.0, 1.0, 1.0, 1.0])  # squares 4 1 1 1 1
    assert [energy(values, s) for s in (0.1, 0.5, 0.51, 0.625, 1.0)] == [1, 1, 2, 2, 5]
    X = planted(200, 30, 3, 4.0)
    for share in (0.3, 0.9, 0.99, 1.0):
        model = SVDDecorrelator(share).fit(X)
        ratio = SVDDecorrelator().fit(X).explained_variance_ratio_
        assert ratio[: model.n_components_].sum() >= share - 1e-9
        assert ratio[: model.n_components_ - 1].sum() < share


def test_counts_by_form():
    values = np.array([3.0, 2.0, 1.0])
    assert count_components(None, values, 9, 3) == 3
    assert count_components(2, values, 9, 3) == count_components(np.int64(2), values, 9, 3) == 2
    assert count_components(1, values, 9, 3) == 1
    assert count_components(1.0, values, 9, 3) == 3
