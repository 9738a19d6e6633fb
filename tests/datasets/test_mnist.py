"""`fetch_mnist`: where it looks, what it refuses, and the download, without a network."""

import os
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from sklearn.utils import Bunch

from anmf.datasets import fetch_mnist, mnist
from anmf.datasets._fetch import cache_folder, save_npz


def arrays(n_train=6, n_test=3, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "x_train": rng.integers(0, 256, (n_train, 28, 28), dtype=np.uint8),
        "y_train": rng.integers(0, 10, n_train, dtype=np.uint8),
        "x_test": rng.integers(0, 256, (n_test, 28, 28), dtype=np.uint8),
        "y_test": rng.integers(0, 10, n_test, dtype=np.uint8),
    }


@pytest.fixture(autouse=True)
def no_folders_and_no_network(monkeypatch, tmp_path):
    for name in ("ANMF_DATA", "ANMF_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "scikit_learn_data"))

    def refuse(*args, **kwargs):
        raise AssertionError("the test reached for the network")

    monkeypatch.setattr(mnist, "fetch_openml", refuse)


@pytest.fixture
def openml(monkeypatch):
    """A small stand-in for openml.org; its arrays, as `arrays` makes them, and its calls."""
    content, calls = arrays(), []

    def fetch(name, **options):
        calls.append((name, options))
        images = np.concatenate([content["x_train"], content["x_test"]]).reshape(-1, 784)
        labels = np.concatenate([content["y_train"], content["y_test"]]).astype(str)
        return Bunch(data=images.astype(np.int64), target=labels.astype(object))

    monkeypatch.setattr(mnist, "fetch_openml", fetch)
    monkeypatch.setattr(mnist, "N_TRAIN", 6)
    monkeypatch.setattr(mnist, "N_TEST", 3)
    digest = mnist.published_md5(content["x_train"])
    monkeypatch.setattr(mnist, "TRAIN_IMAGES_MD5", digest)
    return content, calls


def check(found, content):
    """That what `fetch_mnist` returned is what the arrays hold."""
    images = np.concatenate([content["x_train"], content["x_test"]])
    assert found.data.dtype == np.float32
    np.testing.assert_allclose(found.data, images.reshape(-1, 784) / 255, rtol=1e-6)
    labels = np.concatenate([content["y_train"], content["y_test"]])
    np.testing.assert_array_equal(found.target, labels)
    assert found.target.dtype == np.int64
    assert found.image_shape == (28, 28)
    assert found.n_train == len(content["x_train"])


def test_looks_in_anmf_data_first(monkeypatch, tmp_path):
    first, second = arrays(seed=1), arrays(seed=2)
    save_npz(tmp_path / "data" / "mnist.npz", **first)
    save_npz(tmp_path / "home" / "anmf" / "mnist.npz", **second)
    monkeypatch.setenv("ANMF_DATA", str(tmp_path / "data"))
    check(fetch_mnist(tmp_path / "home"), first)
    monkeypatch.setenv("ANMF_DATA", str(tmp_path / "elsewhere"))
    check(fetch_mnist(tmp_path / "home"), second)


def test_looks_in_data_home_itself(tmp_path):
    save_npz(tmp_path / "mnist.npz", **arrays())
    check(fetch_mnist(str(tmp_path)), arrays())


def test_looks_in_the_cache(monkeypatch, tmp_path):
    save_npz(tmp_path / "scikit_learn_data" / "anmf" / "mnist.npz", **arrays(seed=1))
    check(fetch_mnist(), arrays(seed=1))
    save_npz(tmp_path / "own" / "mnist.npz", **arrays(seed=2))
    monkeypatch.setenv("ANMF_HOME", str(tmp_path / "own"))
    check(fetch_mnist(), arrays(seed=2))


def test_cache_folder(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "scikit_learn_data" / "anmf"
    assert cache_folder("~") == Path.home() / "anmf"
    monkeypatch.setenv("ANMF_HOME", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    assert cache_folder(tmp_path) == tmp_path / "anmf"


def test_missing_and_not_to_be_downloaded(tmp_path):
    with pytest.raises(OSError, match=r"download_if_missing=False.*Put mnist\.npz") as error:
        fetch_mnist(download_if_missing=False)
    assert str(tmp_path / "scikit_learn_data" / "anmf") in str(error.value)
    assert not list(tmp_path.iterdir())


def test_download_is_checked_kept_and_not_repeated(openml, tmp_path, capsys):
    content, calls = openml
    check(fetch_mnist(tmp_path), content)
    assert "Downloading MNIST" in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "anmf").iterdir()] == ["mnist.npz"]
    check(fetch_mnist(tmp_path), content)
    assert [name for name, _ in calls] == ["mnist_784"]
    assert calls[0][1]["version"] == 1


@pytest.mark.parametrize(
    "failure", [URLError("no route"), TimeoutError("too slow"), RuntimeError("odd answer")]
)
def test_offline(monkeypatch, tmp_path, failure):
    def fail(*args, **kwargs):
        raise failure

    monkeypatch.setattr(mnist, "fetch_openml", fail)
    with pytest.raises(OSError, match=r"download from openml\.org failed.*ANMF_DATA") as error:
        fetch_mnist(tmp_path)
    assert str(failure) in str(error.value)
    assert not (tmp_path / "anmf" / "mnist.npz").exists()


def test_download_that_differs_from_the_published_digits(openml, monkeypatch, tmp_path):
    monkeypatch.setattr(mnist, "TRAIN_IMAGES_MD5", "0" * 32)
    with pytest.raises(OSError, match="differs from the published digits"):
        fetch_mnist(tmp_path)
    assert not (tmp_path / "anmf" / "mnist.npz").exists()


def test_download_of_the_wrong_shape(openml, monkeypatch, tmp_path):
    monkeypatch.setattr(mnist, "N_TEST", 4)
    with pytest.raises(OSError, match=r"sent arrays of shape \(9, 784\)"):
        fetch_mnist(tmp_path)


def damage(path, how):
    whole = path.read_bytes()
    if how == "cut short":
        path.write_bytes(whole[: len(whole) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "altered":
        path.write_bytes(whole[:500] + bytes(200) + whole[700:])
    elif how == "not npz":
        path.write_text("<html>404</html>")
    elif how == "npy":
        with open(path, "wb") as file:
            np.save(file, np.ones(3))


@pytest.mark.parametrize("how", ["cut short", "empty", "altered", "not npz", "npy"])
def test_damaged_file(tmp_path, how):
    save_npz(tmp_path / "mnist.npz", **arrays())
    damage(tmp_path / "mnist.npz", how)
    with pytest.raises(ValueError, match=r"mnist\.npz is damaged or isn't an \.npz file"):
        fetch_mnist(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"x_train": np.zeros((6, 784), np.uint8)},
        {"x_test": np.zeros((3, 28, 28))},
        {"y_train": np.zeros(5, np.uint8)},
        {"y_test": np.zeros(3)},
    ],
)
def test_file_with_other_content(tmp_path, change):
    save_npz(tmp_path / "mnist.npz", **{**arrays(), **change})
    with pytest.raises(ValueError, match=r"mnist\.npz holds .*expected \(n, 28, 28\) of uint8"):
        fetch_mnist(tmp_path)


def test_file_that_lacks_an_array(tmp_path):
    content = arrays()
    del content["y_test"]
    save_npz(tmp_path / "mnist.npz", **content)
    with pytest.raises(ValueError, match=r"mnist\.npz lacks an array: y_test"):
        fetch_mnist(tmp_path)


def test_interrupted_save_leaves_the_old_file_and_no_rest(monkeypatch, tmp_path):
    save_npz(tmp_path / "mnist.npz", **arrays(seed=1))

    def interrupt(file, **content):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_npz(tmp_path / "mnist.npz", **arrays(seed=2))
    assert [file.name for file in tmp_path.iterdir()] == ["mnist.npz"]
    check(fetch_mnist(tmp_path), arrays(seed=1))


DATA = os.environ.get("ANMF_DATA", "")


@pytest.mark.data
@pytest.mark.skipif(not Path(DATA, "mnist.npz").is_file(), reason="no mnist.npz in ANMF_DATA")
def test_real_file(monkeypatch):
    monkeypatch.setenv("ANMF_DATA", DATA)
    found = fetch_mnist(download_if_missing=False)
    assert found.data.shape == (70000, 784)
    assert (found.data.min(), found.data.max()) == (0, 1)
    assert found.n_train == 60000
    images = np.rint(found.data[:60000] * 255).astype(np.uint8).reshape(-1, 28, 28)
    assert mnist.published_md5(images) == mnist.TRAIN_IMAGES_MD5
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    np.testing.assert_array_equal(np.bincount(found.target[:60000]), counts)
