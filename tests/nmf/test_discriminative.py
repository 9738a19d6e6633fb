"""Adversarial and discriminative methods of `NMF_separation`."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold

from anmf import ANMF, NMF_separation, stack_sources
from anmf.datasets import load_digit_mixtures
from anmf.nmf import paired_mu, stochastic_mu
from anmf.nmf.adversarial import adversarial_rows
from anmf.nmf.labels import read_labels


@pytest.fixture(scope="module")
def digits():
    return load_digit_mixtures(random_state=0)


@pytest.fixture(scope="module")
def strong(digits):
    """Mixtures of training images and their parts."""
    rows = [digits.X_train[digits.y_train == s] for s in (0, 1)]
    n = min(map(len, rows))
    parts = np.stack([r[:n] for r in rows], axis=1)
    return parts.sum(axis=1), parts


def quality(digits, *taught, **options):
    options = {"n_components": 24, "random_state": 0, **options}
    X, y = taught or (digits.X_train, digits.y_train)
    model = NMF_separation(**options).fit(X, y)
    return model.score(digits.X_test, digits.parts_test)


def test_discriminative_training_pays(digits, strong):
    """Even with 125 small images a digit; the few given pairs alone would be learnt by heart."""
    plain, tied = quality(digits), quality(digits, method="dnmf", reconstruction="tied")
    untied = quality(digits, method="dnmf")
    assert tied > plain + 0.3
    assert untied > tied
    pairs_only = quality(digits, *strong, method="dnmf", remix=False)
    remixed = quality(digits, *strong, method="dnmf")
    assert remixed > pairs_only + 1
    assert quality(digits, method="anmf+dnmf") > plain + 0.3


def test_weak_and_strong_data_together(digits):
    rows = [digits.X_train[digits.y_train == s] for s in (0, 1)]
    parts = np.stack([r[:15] for r in rows], axis=1)
    both = stack_sources([r[15:60] for r in rows], parts=parts)
    mixtures = parts.sum(axis=1)
    for method in ("dnmf", "anmf+dnmf"):
        few = quality(digits, mixtures, parts, n_components=12, method=method)
        assert quality(digits, *both, n_components=12, method=method) > few


def test_the_mean_of_several_models_is_better(digits):
    for method in ("nmf", "dnmf"):
        one = quality(digits, method=method)
        assert quality(digits, method=method, n_estimators=4) > one
    model = NMF_separation([5, 4], method="dnmf", n_estimators=3, max_iter=4, random_state=0)
    model.fit(digits.X_train, digits.y_train)
    assert len(model.members_) == 3
    assert model.components_.shape == (27, 64)
    assert model.transform(digits.X_test).shape == (len(digits.X_test), 27)
    assert len(model.get_feature_names_out()) == 27
    parts = model.separate(digits.X_test)
    np.testing.assert_allclose(parts.sum(axis=1), digits.X_test, atol=1e-5)
    each = [model._separate(digits.X_test, [member]) for member in model.members_]
    np.testing.assert_allclose(parts, np.mean(each, axis=0), atol=1e-6)
    assert not np.allclose(model.members_[0].bases[0], model.members_[1].bases[0])


def test_bilevel_training_lowers_its_loss(digits):
    model = NMF_separation(12, method="dnmf", random_state=0).fit(digits.X_train, digits.y_train)
    assert model.n_iter_ == len(model.objective_) == 100
    assert model.objective_[-1] < model.objective_[0] - 0.3
    for basis, rebuilt in zip(model.bases_, model.reconstruction_, strict=True):
        np.testing.assert_allclose(np.linalg.norm(basis, axis=1), 1, rtol=1e-5)
        assert (basis >= 0).all() and (rebuilt >= 0).all()
        assert not np.allclose(basis, rebuilt)
    tied = NMF_separation(12, method="dnmf", reconstruction="tied", max_iter=2, random_state=0)
    tied.fit(digits.X_train, digits.y_train)
    assert tied.reconstruction_[0] is tied.bases_[0] or np.array_equal(
        tied.reconstruction_[0], tied.bases_[0]
    )


def test_training_follows_the_scale_of_the_data(digits):
    """All constants of the training are relative to the length of the rows."""
    options = {"n_components": 8, "method": "dnmf", "max_iter": 3, "random_state": 0}
    X, y = digits.X_train.astype(float), digits.y_train
    small = NMF_separation(**options).fit(X, y)
    large = NMF_separation(**options).fit(1000 * X, y)
    np.testing.assert_allclose(large.alpha_H_, 1000 * small.alpha_H_)
    np.testing.assert_allclose(small.alpha_H_, 0.012 * np.linalg.norm(X, axis=1).mean())
    test = digits.X_test[:20].astype(float)
    np.testing.assert_allclose(large.separate(1000 * test), 1000 * small.separate(test), atol=1.0)


def test_same_seed_same_model(digits):
    for method in ("anmf", "dnmf", "anmf+dnmf"):
        options = {"method": method, "max_iter": 3, "random_state": 3}
        fits = [NMF_separation(6, **options).fit(digits.X_train, digits.y_train) for _ in "ab"]
        np.testing.assert_allclose(fits[0].components_, fits[1].components_, rtol=1e-4, atol=1e-6)


def test_anmf_learns_each_source_against_the_rest(digits):
    """The method is `ANMF` on every source, the others' rows and the mixtures adversarial."""
    rows = [digits.X_train[digits.y_train == s].astype(float) for s in (0, 1)]
    mixtures = digits.X_test[:30].astype(float)
    X, y = stack_sources(rows, mixtures)
    init = [r[:6] for r in rows]
    model = NMF_separation(6, method="anmf", init=init, alpha_H=0.5, max_iter=10,
                           adversarial_weight=[0.1, 0.3], mixture_gain=0.5)  # fmt: skip
    model.fit(X, y)
    for s, tau in enumerate((0.1, 0.3)):
        other = np.concatenate([rows[1 - s], 0.5 * mixtures])
        alone = ANMF(6, init=init[s], alpha_H=0.5, adversarial_weight=tau, max_iter=10, tol=0)
        labels = np.repeat([0, -1], [len(rows[s]), len(other)])
        alone.fit(np.concatenate([rows[s], other]), labels)
        np.testing.assert_allclose(model.bases_[s], alone.components_, rtol=1e-6, atol=1e-9)


class Options:
    def __init__(self, shares, gain):
        self.adversarial_shares, self.mixture_gain = shares, gain


class Rows:
    """As much of a task as adversarial data need."""

    def __init__(self, sources, mixtures, shares=None, gain=(1.0, 1.0, 1.0)):
        self.sources, self.mixtures, self.options = sources, mixtures, Options(shares, gain)


def test_shares_of_the_adversarial_rows():
    sources = [np.full((n, 2), float(n)) for n in (3, 4, 6)]
    V = np.full((10, 2), 9.0)
    rows, weight = adversarial_rows(Rows(sources, V, gain=(1.0, 0.5, 1.0)), 1)
    np.testing.assert_array_equal(rows[:, 0], [3.0] * 3 + [6.0] * 6 + [4.5] * 10)
    np.testing.assert_allclose(weight, 1 / 19)
    shares = [[0, 0.2, 0.5], [0.3, 0, 0.1], [0.0, 1.0, 0]]
    for s, others in enumerate(((1, 2), (0, 2), (0, 1))):
        _, weight = adversarial_rows(Rows(sources, V, shares), s)
        pieces = np.split(weight, np.cumsum([len(sources[j]) for j in others]))
        expected = [shares[s][j] for j in others]
        totals = [piece.sum() for piece in pieces]
        np.testing.assert_allclose(totals, [*expected, 1 - sum(expected)], atol=1e-12)
        np.testing.assert_allclose(weight.sum(), 1)
    assert adversarial_rows(Rows(sources[:1], None), 0)[0] is None


@pytest.mark.parametrize("update_H", [False, True])
@pytest.mark.parametrize("combined", [False, True])
def test_published_discriminative_epoch(update_H, combined):
    """One epoch from a fixed start against the equations in plain NumPy."""
    rng = np.random.default_rng(0)
    parts = rng.random((30, 2, 9))
    V, sizes, alpha, mu_W = parts.sum(axis=1), (3, 4), 0.02, 0.01
    W = [rng.random((k, 9)) for k in sizes]
    H = rng.random((30, 7))
    tau_W, tau_S, tau_A = (0.5, 2.0, 0.3) if combined else (0.0, 1.0, 0.0)
    own = [rng.random((20, 9)) for _ in sizes]
    other = [rng.random((20, 9)) for _ in sizes]
    problems = ()
    if combined:
        from anmf.nmf.problem import make_problem

        problems = tuple(
            make_problem(np.concatenate([U, A]), k, alpha_H=alpha, n_adversarial=20,
                         adversarial_weight=tau_A)
            for U, A, k in zip(own, other, sizes, strict=True)
        )  # fmt: skip
    epochs = stochastic_mu.Scheme(np.random.default_rng(5), 10, 10, update_H)
    scheme = paired_mu.Scheme(epochs, V, parts, problems, tau_W, tau_S, sizes,
                              np.full(7, alpha), mu_W)  # fmt: skip
    start = paired_mu.start(scheme, tuple(W), H)
    G = [np.array(g) for g in start.own]
    state = paired_mu.step(scheme, start)

    draws = np.random.default_rng(5)
    order = draws.permutation(30)
    turns = [(draws.permutation(20), 20 + draws.permutation(20)) for _ in problems]
    data = [np.concatenate(pair) for pair in zip(own, other, strict=True)]

    def refreshed(X, h, w):
        return h * (X @ w.T) / (h @ (w @ w.T) + alpha)

    if not update_H:
        H = refreshed(V, H, np.concatenate(W))
        G = [refreshed(X, g, w) for X, g, w in zip(data, G, W, strict=False)]
    for b in range(2 if combined else 3):
        i = order[10 * b : 10 * b + 10]
        for s, columns in enumerate((slice(0, 3), slice(3, 7))):
            if update_H:
                H[i] = refreshed(V[i], H[i], np.concatenate(W))
            h = H[i, columns]
            above = tau_S * h.T @ parts[i, s] / 10
            below = tau_S * h.T @ h @ W[s] / 10
            if combined:
                t, a = (turn[10 * b : 10 * b + 10] for turn in turns[s])
                if update_H:
                    both = np.concatenate([t, a])
                    G[s][both] = refreshed(data[s][both], G[s][both], W[s])
                g, e = G[s][t], G[s][a]
                above += tau_W * (g.T @ data[s][t] + tau_A * e.T @ e @ W[s]) / 10
                below += tau_W * (g.T @ g @ W[s] + tau_A * e.T @ data[s][a]) / 10
            W[s] = W[s] * above / (below + mu_W)
    lengths = [np.linalg.norm(w, axis=1) for w in W]
    for s in (0, 1):
        np.testing.assert_allclose(state.bases[s], W[s] / lengths[s][:, None], rtol=1e-10)
    np.testing.assert_allclose(state.activations, H * np.concatenate(lengths), rtol=1e-10)


@pytest.mark.parametrize("method", ["anmf", "dnmf", "anmf+dnmf"])
def test_published_updates_separate(digits, strong, method):
    options = {"solver": "mu", "alpha_H": 0.1, "max_iter": 60, "batch_size": 50}
    share = np.repeat(digits.X_test[:, None] / 2, 2, axis=1)
    from anmf.metrics import psnr

    assert quality(digits, *strong, method=method, **options) > (
        psnr(digits.parts_test, share).mean() + 4
    )


@pytest.mark.parametrize("method", ["anmf", "dnmf", "anmf+dnmf"])
def test_a_missing_source_beside_known_ones(digits, method):
    """Two known digits; the third is learnt from mixtures on their frozen bases."""
    data = load_digit_mixtures((0, 1, 2), random_state=0)
    rows = [data.X_train[data.y_train == s] for s in (0, 1)]
    X, y = stack_sources([*rows, rows[0][:0]], mixtures=data.X_test)
    model = NMF_separation(8, n_sources=3, method=method, max_iter=20, random_state=0).fit(X, y)
    known = NMF_separation(8, method=method, max_iter=20, random_state=0)
    if method == "dnmf":  # which has no use for mixtures
        known.fit(*stack_sources(rows))
        np.testing.assert_allclose(model.bases_[1], known.bases_[1], rtol=1e-3, atol=1e-4)
    parts = model.separate(data.X_test)
    assert parts.shape == data.parts_test.shape
    np.testing.assert_allclose(parts.sum(axis=1), data.X_test, atol=1e-5)


def test_one_known_source_against_mixtures(digits):
    rows = digits.X_train[digits.y_train == 0]
    X, y = stack_sources([rows, rows[:0]], mixtures=digits.X_test)
    model = NMF_separation(8, n_sources=2, method="anmf", random_state=0).fit(X, y)
    assert model.separate(digits.X_test).shape == digits.parts_test.shape
    with pytest.raises(ValueError, match="needs rows of at least two"):
        NMF_separation(8, n_sources=2, method="dnmf").fit(X, y)
    with pytest.warns(UserWarning, match="one source only"):
        NMF_separation(8, method="anmf", random_state=0).fit(rows, np.zeros(len(rows)))


@pytest.mark.parametrize("method", ["anmf", "dnmf", "anmf+dnmf"])
def test_early_stopping(digits, method):
    model = NMF_separation(12, method=method, early_stopping=True, n_iter_no_change=3,
                           max_iter=40, random_state=0)  # fmt: skip
    model.fit(digits.X_train, digits.y_train)
    best = np.max(model.validation_scores_)
    assert len(model.validation_scores_) == model.n_iter_ <= 40
    assert model.score(digits.X_test, digits.parts_test) > best - 3


def test_interruption_keeps_the_bases(digits):
    def interrupt(info):
        assert len(info.state.members) == 2
        if info.n_iter == 2:
            raise KeyboardInterrupt

    model = NMF_separation(6, method="dnmf", n_estimators=2, callback=interrupt, random_state=0)
    with pytest.raises(KeyboardInterrupt, match="after 2 iterations"):
        model.fit(digits.X_train, digits.y_train)
    assert model.separate(digits.X_test).shape == digits.parts_test.shape


def test_searches_work_on_weak_and_strong_data(digits, strong):
    estimator = NMF_separation(6, method="anmf", max_iter=5, random_state=0)
    grid = {"adversarial_weight": [0.0, 0.05], "method": ["anmf", "dnmf"]}
    weak = GridSearchCV(estimator, grid, cv=StratifiedKFold(3)).fit(digits.X_train, digits.y_train)
    paired = GridSearchCV(estimator, grid, cv=KFold(3)).fit(*strong)
    for search in (weak, paired):
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        assert search.best_params_["method"] == "dnmf"


X8, Y8 = np.random.default_rng(0).random((8, 3)) + 0.1, np.repeat([0, 1], 4)
PARTS = np.random.default_rng(1).random((8, 2, 3)) + 0.1
BAD = [
    ({"method": "dnmf", "solver": "mu"}, Y8, r"pass y of shape \(n, n_sources, m\)"),
    ({"method": "anmf+dnmf", "solver": "mu"}, Y8, "method='anmf.dnmf' with solver='mu' needs the"),
    ({"method": "dnmf", "remix": False}, Y8, "remix=False needs the true parts of each mixture"),
    ({"method": "dnmf"}, np.zeros(8), "needs rows of at least two"),
    ({"method": "dnmf", "beta_loss": 1}, Y8, "method='dnmf' minimises the Frobenius loss"),
    ({"method": "anmf", "solver": "hals"}, Y8, "solver='hals' must be one of .'auto', 'safegu"),
    ({"method": "nmf", "solver": "bilevel"}, Y8, "solver='bilevel' must be one of .'auto', 'hals"),
    ({"solver": "hals", "beta_loss": 1}, Y8, "beta_loss=1; use solver='mu'"),
    ({"method": "anmf", "adversarial_weight": -1.0}, Y8, "adversarial_weight=-1.0 must be a num"),
    ({"method": "anmf", "adversarial_weight": [0.1]}, Y8, "one for each of the 2 sources"),
    ({"method": "anmf", "mixture_gain": [1.0] * 3}, Y8, "mixture_gain=.* each of the 2 sources"),
    ({"method": "anmf", "adversarial_shares": [1.0, 2.0]}, Y8, r"must be an array \(2, 2\)"),
    ({"method": "anmf", "adversarial_shares": [[0, 2.0], [0, 0]]}, Y8, "rows summing to at most 1"),
    ({"method": "anmf", "adversarial_shares": "equal"}, Y8, "adversarial_shares='equal' must be"),
    ({"reconstruction": "free"}, Y8, "reconstruction='free' must be one of"),
    ({"n_estimators": 0}, Y8, "n_estimators=0 must be an integer of at least 1"),
    ({"warm_up": -1}, Y8, "warm_up=-1 must be an integer"),
    ({"learning_rate": -0.1}, Y8, "learning_rate=-0.1 must be a number"),
    ({"data_weight": "much"}, Y8, "data_weight='much' must be a number"),
    ({"max_iter": 0}, Y8, "max_iter=0 must be an integer"),
]


@pytest.mark.parametrize(("options", "y", "message"), BAD)
def test_bad_input_is_refused(options, y, message):
    with pytest.raises(ValueError, match=message):
        NMF_separation(**{"n_components": 2, **options}).fit(X8, y)


def test_missing_entries(digits):
    rng = np.random.default_rng(0)
    X = digits.X_train.copy()
    X[rng.random(X.shape) < 0.1] = np.nan
    model = NMF_separation(12, method="anmf", missing="ignore", random_state=0)
    model.fit(X, digits.y_train)
    share = np.repeat(digits.X_test[:, None] / 2, 2, axis=1)
    from anmf.metrics import psnr

    assert model.score(digits.X_test, digits.parts_test) > psnr(digits.parts_test, share).mean() + 3
    with pytest.raises(ValueError, match="doesn't learn from rows with missing entries"):
        NMF_separation(12, method="dnmf", missing="ignore").fit(X, digits.y_train)


def test_parts_need_not_sum_to_the_mixture(strong):
    """As with the magnitudes of audio: given pairs are used as they are."""
    mixtures, parts = strong
    louder = 1.2 * mixtures
    assert read_labels(louder, parts).parts.shape == parts.shape
    model = NMF_separation(8, method="dnmf", remix=False, max_iter=5, random_state=0)
    model.fit(louder, parts)
    np.testing.assert_allclose(model.separate(louder).sum(axis=1), louder, rtol=1e-4, atol=1e-4)
