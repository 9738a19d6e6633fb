"""scikit-learn's own checks, all of them."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from anmf import ANMF, NMF, AuxIVA, NMF_separation

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:no adversarial rows"),
]


@parametrize_with_checks([NMF(), NMF(solver="mu", beta_loss=1), ANMF(), NMF_separation()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


TIMES = "rows are consecutive instants of a recording, so their order and their neighbours matter"


@parametrize_with_checks(
    [AuxIVA(), AuxIVA(update="ip", source_model="laplace", n_fft=16)],
    expected_failed_checks=lambda estimator: {
        "check_methods_subset_invariance": TIMES,
        "check_methods_sample_order_invariance": TIMES,
    },
)
def test_scikit_learn_checks_of_recordings(estimator, check):
    check(estimator)
