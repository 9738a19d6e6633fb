"""scikit-learn's own checks, all of them."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from anmf import ANMF, NMF, NMF_separation

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:no adversarial rows"),
]


@parametrize_with_checks([NMF(), NMF(solver="mu", beta_loss=1), ANMF(), NMF_separation()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)
