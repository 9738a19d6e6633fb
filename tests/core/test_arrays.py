import array_api_strict
import numpy as np
import pytest
from scipy import sparse

from anmf._core import arrays

DEVICE = array_api_strict.Device("device1")


@pytest.fixture
def foreign():
    return array_api_strict.asarray(np.arange(6.0).reshape(3, 2), device=DEVICE)


def test_there_and_back(foreign):
    host = arrays.to_host(foreign)
    np.testing.assert_array_equal(host, np.arange(6.0).reshape(3, 2))
    back = arrays.like(host, foreign, dtype=array_api_strict.float32)
    assert arrays.device(back) == DEVICE and back.dtype == array_api_strict.float32
    assert arrays.moved(foreign, foreign) is foreign
    assert isinstance(arrays.moved(foreign, host), np.ndarray)


def test_what_is_foreign(foreign):
    assert arrays.is_foreign(foreign)
    assert not any(map(arrays.is_foreign, [np.ones(2), sparse.csr_array(np.eye(2)), [1.0]]))
    assert arrays.is_array(sparse.csr_array(np.eye(2))) and not arrays.is_array([1.0])


def test_rows_of_anything(foreign):
    host = arrays.to_host(foreign)
    for x in (host, foreign):
        np.testing.assert_array_equal(arrays.to_host(arrays.take_rows(x, [2, 0])), host[[2, 0]])
    rows = arrays.take_rows(sparse.csr_array(host), [2, 0])
    np.testing.assert_array_equal(rows.toarray(), host[[2, 0]])


def test_sums_are_in_double_precision():
    x = np.full(10**7, 0.1, np.float32)
    assert arrays.total(x, np) == pytest.approx(10**7 * float(np.float32(0.1)), rel=1e-12)


def test_generators():
    for seed in (0, np.random.default_rng(0), None, np.random.RandomState(0)):
        assert isinstance(arrays.random_generator(seed), np.random.Generator)
    one, two = (arrays.random_generator(np.random.RandomState(5)).random() for _ in range(2))
    assert one == two
    for bad in (-1, "seed", 1.5):
        with pytest.raises(ValueError, match=r"random_state=.* must be None, an integer"):
            arrays.random_generator(bad)
