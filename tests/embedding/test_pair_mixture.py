"""The pair mixture: its steps are the formulas, its bound is one and never falls."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from anmf._core.arrays import device, namespace, to_host
from anmf.embedding.pair_mixture import (
    BALANCE,
    Kind,
    States,
    divergence,
    generic_likelihood,
    make_states,
    solve,
    update_speakers,
    update_states,
)
from tests.embedding.data import LIBRARIES
from tests.embedding.data import torch as in_torch


class Problem:
    """Random rows, states, kinds, variances and starts; `library` moves them all."""

    def __init__(self, k=3, n=12, p=4, b=2, seed=0, library=np.asarray):
        rng = np.random.default_rng(seed)
        first, second = np.zeros((2, p)), np.ones((2, p))
        first[1], second[1] = rng.standard_normal(p), rng.uniform(0.3, 1, p)
        noise = rng.uniform(0.2, 0.8, (2, p))
        kinds = zip(first, second, noise, strict=True)
        self.kinds = [Kind(*(library(v) for v in values)) for values in kinds]
        self.Y = library(2 * rng.standard_normal((n, p)))
        self.variance = library(rng.uniform(0.5, 2, p))
        self.states = make_states(k, library(3 * rng.standard_normal(n)))
        sizes = [s.who.shape[0] for s in self.states]
        gamma = rng.dirichlet(np.ones(sum(sizes)), (b, n))
        self.posteriors = [library(g) for g in np.split(gamma, sizes[:1], axis=-1)][: len(sizes)]
        self.xp = namespace(self.Y)

    def speakers(self, **options):
        args = self.Y, self.posteriors, self.states, self.kinds, self.variance
        return update_speakers(*args, xp=self.xp, **options)

    def solve(self, posteriors=None, tol=-np.inf, max_iter=30, states=None):
        args = self.Y, posteriors or self.posteriors, states or self.states, self.kinds
        return solve(*args, self.variance, xp=self.xp, max_iter=max_iter, tol=tol)

    def prepared(self):
        """States with the generic likelihood in their priors."""
        found = []
        for t, (s, k) in enumerate(zip(self.states, self.kinds, strict=False), start=1):
            generic = generic_likelihood(self.Y, k, self.variance, t, xp=self.xp)
            found.append(States(s.who, s.prior + generic[:, None]))
        return found

    def bound(self, mean, covariance):
        """Evidence less divergence at any posterior of the speakers."""
        xp, states = self.xp, self.prepared()
        _, evidence = update_states(self.Y, mean, covariance, states, self.kinds, xp=xp)
        log_det = xp.sum(xp.linalg.slogdet(covariance)[1], axis=1)
        return evidence - divergence(mean, covariance, log_det, self.variance, xp=xp)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_states_and_their_priors(k):
    logit = np.array([-3.0, 0.0, 2.0])
    states = make_states(k, logit)
    np.testing.assert_array_equal(states[0].who, np.eye(k))
    chances = [np.exp(s.prior).sum(axis=1) for s in states]
    if k == 1:
        assert len(states) == 1 and not states[0].prior.any()
        return
    overlap = 1 / (1 + np.exp(-logit))
    np.testing.assert_allclose(chances, [1 - overlap, overlap])
    assert all(np.ptp(s.prior, axis=1).max() == 0 for s in states)
    pairs = states[1].who
    assert len(pairs) == len(np.unique(pairs, axis=0)) == 3 * k * (k - 1) // 2
    np.testing.assert_allclose(pairs.sum(axis=1), 2)
    assert set(np.unique(pairs)) <= {0, 1, 1 - BALANCE, 1 + BALANCE}


@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 0.6)])
def test_speakers_are_updated_by_the_formula(weights):
    case = Problem()
    mean, covariance, log_det = case.speakers(weights=weights)
    expected = 0
    for j in range(4):
        L, pull = np.eye(3) / case.variance[j], 0
        for w, g, s, k in zip(weights, case.posteriors, case.states, case.kinds, strict=True):
            for i in range(12):
                for h, gamma in zip(s.who, g[1, i], strict=True):
                    L = L + w * gamma * k.gain[j] ** 2 / k.noise[j] * np.outer(h, h)
                    pull += w * gamma * k.gain[j] / k.noise[j] * (case.Y[i, j] - k.centre[j]) * h
        np.testing.assert_allclose(covariance[1, j], np.linalg.inv(L), atol=1e-12)
        np.testing.assert_allclose(mean[1, :, j], np.linalg.solve(L, pull), atol=1e-12)
        expected -= np.linalg.slogdet(L)[1]
    assert log_det[1] == pytest.approx(expected)


def test_one_speaker_has_the_closed_form_of_conjugate_gaussians():
    """And the bound is the log evidence itself, against the generic likelihood of each window."""
    case = Problem(k=1, b=1)
    (gamma,), mean, bounds = case.solve(max_iter=1)
    noise, variance = case.kinds[0].noise, case.variance
    expected = case.Y.sum(axis=0) * variance / (noise + 12 * variance)
    np.testing.assert_allclose(mean[0, 0], expected)
    np.testing.assert_array_equal(gamma, np.ones((1, 12, 1)))
    exact = -norm.logpdf(case.Y, 0, np.sqrt(noise + variance)).sum()
    for y, s, v in zip(case.Y.T, noise, variance, strict=True):
        exact += multivariate_normal.logpdf(y, np.zeros(12), s * np.eye(12) + v)
    assert bounds[0][0] == pytest.approx(exact)


def test_without_pairs_speakers_are_means_shrunk_by_their_windows():
    case = Problem(b=1)
    hard = np.eye(3)[np.arange(12) % 3][None]
    case.posteriors = [hard, np.zeros_like(case.posteriors[1])]
    noise, variance = case.kinds[0].noise, case.variance
    sums = hard[0].T @ case.Y
    np.testing.assert_allclose(case.speakers()[0][0], sums * variance / (noise + 4 * variance))


def test_states_are_updated_by_the_formula_and_sum_to_one():
    case, mean, covariance = Problem(), *Problem(seed=1).speakers()[:2]
    posteriors, evidence = update_states(case.Y, mean, covariance, case.states, case.kinds, xp=np)
    np.testing.assert_allclose(sum(p.sum(axis=2) for p in posteriors), 1)
    scores = [[], []]
    for t, (state, kind) in enumerate(zip(case.states, case.kinds, strict=True)):
        for h, prior in zip(state.who, state.prior.T, strict=True):
            centre = kind.centre + kind.gain * (h @ mean[1])
            # Expected log density, less that of no speaker at all.
            gain = norm.logpdf(case.Y, centre, np.sqrt(kind.noise))
            gain = gain - norm.logpdf(case.Y, kind.centre, np.sqrt(kind.noise))
            spread = 0.5 * kind.gain**2 / kind.noise * (h @ covariance[1] @ h)
            scores[t].append(prior + (gain - spread).sum(axis=1))
    chances = np.exp(np.concatenate(scores)).T
    assert evidence[1] == pytest.approx(np.log(chances.sum(axis=1)).sum())
    chances /= chances.sum(axis=1, keepdims=True)
    found = np.concatenate(posteriors, axis=2)[1]
    np.testing.assert_allclose(found, chances, atol=1e-12)


@pytest.mark.parametrize("n_talkers", [1, 2])
def test_generic_likelihood_is_a_difference_of_log_densities(n_talkers):
    case = Problem()
    for kind in case.kinds:
        wide = kind.noise + n_talkers * kind.gain**2 * case.variance
        expected = norm.logpdf(case.Y, kind.centre, np.sqrt(kind.noise))
        expected = expected - norm.logpdf(case.Y, kind.centre, np.sqrt(wide))
        found = generic_likelihood(case.Y, kind, case.variance, n_talkers, xp=np)
        np.testing.assert_allclose(found, expected.sum(axis=1))


def test_divergence_is_that_of_gaussians():
    """E log q − E log p, from entropies: also zero for the prior, positive else."""
    case = Problem()
    mean, covariance, log_det = case.speakers()
    expected = 0
    for j, v in enumerate(case.variance):
        q = multivariate_normal(mean[0, :, j], covariance[0, j])
        second = covariance[0, j] + np.outer(mean[0, :, j], mean[0, :, j])
        cross = 1.5 * np.log(2 * np.pi * v) + 0.5 * np.trace(second) / v
        expected += cross - q.entropy()
    found = divergence(mean, covariance, log_det, case.variance, xp=np)
    assert found[0] == pytest.approx(expected) and np.all(found > 0)
    prior = np.eye(3) * case.variance[None, :, None, None]
    log_det = np.array([3 * np.log(case.variance).sum()])
    np.testing.assert_allclose(
        divergence(np.zeros((1, 3, 4)), prior, log_det, case.variance, xp=np), 0, atol=1e-12
    )


def exact_evidence(case):
    """Of two speakers in one dimension, by an integral over a plane."""
    grid = np.linspace(-9, 9, 601)
    M = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1)
    log_joint = norm.logpdf(M, 0, np.sqrt(case.variance)).sum(axis=-1)
    for i, y in enumerate(case.Y[:, 0]):
        total = 0
        for t, (state, kind) in enumerate(zip(case.states, case.kinds, strict=True), start=1):
            a, c, s = (v[0] for v in (kind.gain, kind.centre, kind.noise))
            generic = norm.pdf(y, c, np.sqrt(s + t * a**2 * case.variance[0]))
            density = norm.pdf(y, c + a * (M @ state.who.T), np.sqrt(s)) / generic
            total = total + density @ np.exp(state.prior[i])
        log_joint = log_joint + np.log(total + 1e-300)
    return np.log(np.exp(log_joint).sum() * (grid[1] - grid[0]) ** 2)


@pytest.mark.parametrize("seed", range(3))
def test_the_bound_is_below_the_exact_evidence(seed):
    case = Problem(k=2, n=3, p=1, b=6, seed=seed)
    bounds = np.array(case.solve(max_iter=100)[2])
    assert np.all(bounds < exact_evidence(case))


def test_the_bound_misses_only_the_names_of_speakers_where_windows_are_clear():
    """One of two equal modes of the posterior is found: the bound is log 2 below the evidence."""
    case = Problem(k=2, n=3, p=1, b=1)
    first, second = Kind(*np.array([[0.0], [1.0], [0.02]])), Kind(*np.array([[0.5], [0.6], [0.02]]))
    case.kinds, case.variance = [first, second], np.array([4.0])
    case.Y, case.states = np.array([[3.0], [-2.0], [2.9]]), make_states(2, np.full(3, -9.0))
    start = [np.eye(2)[[0, 1, 0]][None], np.zeros((1, 3, 3))]
    bound = case.solve(start, max_iter=100)[2][-1][0]
    assert exact_evidence(case) - bound == pytest.approx(np.log(2), abs=0.01)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_the_bound_never_falls(k, seed):
    bounds = np.array(Problem(k, n=30, p=6, b=5, seed=seed).solve()[2])
    assert bounds.shape == (30, 5)
    assert np.all(np.diff(bounds, axis=0) > -1e-9 * np.abs(bounds).max())
    assert k == 1 or np.all(bounds[-1] > bounds[0] + 1)


@pytest.mark.parametrize("seed", range(2))
def test_no_posterior_of_the_speakers_near_the_solution_is_better(seed):
    case, rng = Problem(seed=seed), np.random.default_rng(seed)
    case.posteriors, _, bounds = case.solve(max_iter=3000)
    mean, covariance, _ = case.speakers()
    best = case.bound(mean, covariance)
    np.testing.assert_allclose(best, bounds[-1], rtol=1e-6)
    for size in (1e-3, 1e-2, 1e-1):
        for _ in range(20):
            away = mean + size * rng.standard_normal(mean.shape)
            assert np.all(case.bound(away, covariance) < best)
            assert np.all(case.bound(mean, covariance * np.exp(size * rng.choice([-1, 1]))) < best)


def test_it_stops_once_no_start_gains():
    case = Problem(n=30, p=6, b=5)
    bounds = np.array(case.solve(max_iter=200, tol=1e-3)[2])
    gains = np.diff(bounds, axis=0).max(axis=1)
    assert 2 < len(bounds) < 200 and gains[-1] < 1e-3 and np.all(gains[:-1] >= 1e-3)


def test_starts_side_by_side_are_those_one_by_one():
    case = Problem(b=4)
    posteriors, mean, bounds = case.solve()
    for i in range(4):
        alone = case.solve([p[i : i + 1] for p in case.posteriors])
        np.testing.assert_allclose(alone[1][0], mean[i], atol=1e-9)
        np.testing.assert_allclose(np.ravel(alone[2]), [b[i] for b in bounds], rtol=1e-10)
        for one, many in zip(alone[0], posteriors, strict=True):
            np.testing.assert_allclose(one[0], many[i], atol=1e-9)


def test_speakers_and_windows_have_no_order():
    case, order, rows = Problem(), [2, 0, 1], np.random.default_rng(0).permutation(12)
    _, mean, bounds = case.solve()
    named = case.solve(states=[States(s.who[:, order], s.prior) for s in case.states])
    np.testing.assert_allclose(named[1], mean[:, order], atol=1e-9)
    np.testing.assert_allclose(named[2], bounds, rtol=1e-9)
    case.Y = case.Y[rows]
    case.states = [States(s.who, s.prior[rows]) for s in case.states]
    moved = case.solve([p[:, rows] for p in case.posteriors])
    np.testing.assert_allclose(moved[1], mean, atol=1e-9)
    np.testing.assert_allclose(moved[2], bounds, rtol=1e-9)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("k", [1, 3])
def test_other_libraries(library, k):
    expected, case = Problem(k), Problem(k, library=library)
    (posteriors, mean, bounds), theirs = case.solve(), expected.solve()
    pairs = [(mean, theirs[1]), *zip(bounds, theirs[2], strict=True)]
    for ours, other in [*zip(posteriors, theirs[0], strict=True), *pairs]:
        assert namespace(ours) is case.xp and device(ours) == device(case.Y)
        np.testing.assert_allclose(to_host(ours), other, rtol=1e-8, atol=1e-8)


def test_gradients_by_torch():
    """Of the bound: none at the solution, and by the prior, the posterior of the states."""
    torch = pytest.importorskip("torch")
    case = Problem(library=in_torch)
    case.posteriors = [torch.asarray(p) for p in Problem().solve(max_iter=3000)[0]]
    mean, covariance, _ = (x.detach().requires_grad_() for x in case.speakers())
    case.states = [States(s.who, s.prior.clone().requires_grad_()) for s in case.states]
    case.bound(mean, covariance).sum().backward()
    assert mean.grad.abs().max() < 1e-4 and covariance.grad.abs().max() < 1e-4
    for state, posterior in zip(case.states, case.posteriors, strict=True):
        torch.testing.assert_close(state.prior.grad, posterior.sum(dim=0), rtol=1e-5, atol=1e-5)
    Y = case.Y[:3].clone().requires_grad_()
    short = [p[:, :3].detach() for p in case.posteriors]

    def speakers(Y, *gamma):
        return update_speakers(Y, gamma, case.states, case.kinds, case.variance, xp=case.xp)

    assert torch.autograd.gradcheck(speakers, (Y, *(g.requires_grad_() for g in short)))
