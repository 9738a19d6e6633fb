"""What the experiments on overlaid MNIST digits measure, and how one measurement is made."""

from dataclasses import astuple, dataclass, fields

import numpy as np

from anmf import stack_sources
from benchmarks.adversarial import adversarial_data, draw_start, trace
from benchmarks.mnist_pairs import split_pair, taught_separation

METHODS = ("nmf", "anmf", "dnmf", "exemplar")
POOR_METHODS = ("nmf", "exemplar", "anmf", "dnmf", "anmf+dnmf")
DEFAULT_WEIGHT = 0.05
PUBLISHED = {"solver": "mu", "alpha_H": 0.01, "max_iter": 200}
"""How the original code runs."""
PUBLISHED_WEIGHT = 0.2
NEARLY_NONE = 0.03
"""A sparsity that hardly matters; the default is about ten times as large."""


@dataclass(frozen=True)
class Plan:
    """Sizes of all experiments.

    Attributes
    ----------
    n_train, n_test : int
        Rows of each digit, and mixtures.
    components : tuple of int
        Bases to compare.
    n_components : int
        Size of the bases elsewhere.
    weights : tuple of float
        Adversarial weights to compare.
    weight_pairs : tuple of tuple
        Digits to compare them on.
    others : tuple of int
        Digits to separate from digit 1 with few data.
    strong, weak, n_mixtures, n_poor_test : int
        Pairs with known parts, single rows, mixtures and test pairs of each digit then.
    n_rows, n_epochs : int
        Rows of each kind, and epochs, to follow the objective.
    batch_sizes : tuple of int
    """

    n_train: int = 5000
    n_test: int = 1000
    components: tuple = (16, 32, 64, 128, 256, 512)
    n_components: int = 64
    weights: tuple = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
    weight_pairs: tuple = ((0, 1), (3, 8))
    others: tuple = (0, 2, 3, 4, 5, 6, 7, 8, 9)
    strong: int = 250
    weak: int = 500
    n_mixtures: int = 500
    n_poor_test: int = 1000
    n_rows: int = 2500
    n_epochs: int = 300
    batch_sizes: tuple = (50, 100, 250, 500, 2500)


QUICK = Plan(
    100, 30, (4, 8), 8, (0.0, 0.1), ((0, 1), (3, 8)), (0, 2), 20, 40, 40, 30, 200, 20, (50, 200),
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """One measurement of quality: a model, and the data that teach and test it."""

    data: str
    experiment: str
    pair: str
    n_train: int
    n_test: int
    method: str
    n_components: int
    solver: str = "auto"
    adversarial_weight: float = DEFAULT_WEIGHT
    alpha_H: float | str = "auto"  # noqa: N815 (as in the package)

    @property
    def digits(self):
        return tuple(int(digit) for digit in self.pair.split("+"))

    @property
    def options(self):
        """Parameters of `NMF_separation`."""
        names = "method", "n_components", "solver", "adversarial_weight", "alpha_H"
        options = {name: getattr(self, name) for name in names}
        return options | (PUBLISHED if self.solver == "mu" else {})


SETTING = tuple(field.name for field in fields(Setting))
RESULT = ("median PSNR", "fit seconds", "separate seconds")
CURVE_SETTING = ("data", "n_rows", "n_components", "n_epochs", "solver", "batch_size")
CURVE_RESULT = ("n_iter", "seconds", "objective")


def size_settings(plan, data):
    """Every method with bases of every size, on digits 0 and 1."""
    sizes = {"data": data, "experiment": "components", "pair": "0+1"}
    sizes |= {"n_train": plan.n_train, "n_test": plan.n_test}
    return [Setting(**sizes, method=m, n_components=k) for k in plan.components for m in METHODS]


def published_settings(plan, data):
    """The published updates, as the original code runs them."""
    return [
        Setting(data, "published", "0+1", plan.n_train, plan.n_test, method, plan.n_components,
                "mu", PUBLISHED_WEIGHT, PUBLISHED["alpha_H"])
        for method in ("nmf", "anmf", "dnmf")
    ]  # fmt: skip


def weight_settings(plan, data):
    """Adversarial bases of every weight, with the default sparsity and with nearly none."""
    return [
        Setting(data, "weight", f"{a}+{b}", plan.n_train, plan.n_test, "anmf", plan.n_components,
                "safeguarded", weight, sparsity)
        for a, b in plan.weight_pairs
        for sparsity in ("auto", NEARLY_NONE)
        for weight in plan.weights
    ]  # fmt: skip


def poor_settings(plan, data):
    """Every method on digit 1 with each other digit, when data are few."""
    n_train = plan.strong + plan.weak
    return [
        Setting(data, "few data", f"{digit}+1", n_train, plan.n_poor_test, method,
                plan.n_components)
        for digit in plan.others
        for method in POOR_METHODS
    ]  # fmt: skip


def teach(sample, setting, plan):
    """What a model of this setting learns from, and the true parts of the test mixtures.

    Returns
    -------
    X, y : arrays
        As `NMF_separation.fit` takes them.
    parts : array (n_test, 2, m)
    """
    if setting.experiment == "few data":
        return few_data(sample, setting.digits, plan)
    train, parts = split_pair(
        sample.data, sample.target, setting.digits, setting.n_train, setting.n_test
    )
    if setting.experiment == "published" and setting.method == "anmf":
        return *stack_sources(train, train[0] + train[1]), parts
    if setting.experiment == "published" and setting.method == "dnmf":
        pairs = np.stack(train, axis=1)
        return pairs.sum(axis=1), pairs, parts
    return *stack_sources(train), parts


def few_data(sample, pair, plan):
    """Pairs with known parts, single rows and mixtures of further rows: all rows are different."""
    edges = np.cumsum([plan.strong, plan.weak, plan.n_mixtures])
    halves, test = split_pair(sample.data, sample.target, pair, int(edges[-1]), plan.n_poor_test)
    strong, weak, further = zip(*(np.split(half, edges[:-1]) for half in halves), strict=True)
    X, y = stack_sources(weak, further[0] + further[1], parts=np.stack(strong, axis=1))
    return X, y, test


def quality(sample, setting, plan):
    """One measurement: quality, and CPU seconds of fit and of separate."""
    X, y, parts = teach(sample, setting, plan)
    return [dict(zip(RESULT, taught_separation(X, y, parts, **setting.options), strict=True))]


def warm_up(sample):
    """Compile what is timed."""
    train, parts = split_pair(sample.data, sample.target, (0, 1), 50, 10)
    for method in POOR_METHODS:
        options = {"method": method, "n_components": 8, "max_iter": 2}
        taught_separation(*stack_sources(train), parts, **options)


def measure_quality(ledger, sample, settings, plan):
    """Lines of all settings, in their order; those that were measured before are taken as found."""
    lines = []
    for setting in settings:
        key = dict(zip(SETTING, astuple(setting), strict=True))
        lines += ledger.measure(key, lambda s=setting: quality(sample, s, plan))
    return lines


def measure_curves(ledger, sample, plan, data):
    """Objective after every epoch, by batch size of the published updates, and safeguarded."""
    X, y = adversarial_data(sample, plan.n_rows)
    W = draw_start(X, y, plan.n_components, 0)
    trace(X, y, W, 2)  # compile
    lines = []
    for size in (None, *plan.batch_sizes):
        solver = "mu" if size else "safeguarded"
        values = data, plan.n_rows, plan.n_components, plan.n_epochs, solver, size or 0
        options = {"solver": solver, "batch_size": size, "adversarial_weight": 0.1}

        def follow(options=options):
            return trace(X, y, W, plan.n_epochs, **options)[0].to_dict("records")

        lines += ledger.measure(dict(zip(CURVE_SETTING, values, strict=True)), follow)
    return lines
