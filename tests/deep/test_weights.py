"""Files of weights: what comes back, what is refused, what is never half written."""

import numpy as np
import pytest

from anmf.deep import load_about, load_checkpoint, load_weights, save_weights
from anmf.deep import weights as module
from tests.deep.data import surrogate_net

NETWORK = surrogate_net(10, 8, 7)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.npz"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_round_trip(path, dtype):
    weights = NETWORK.start(0, dtype)
    save_weights(path, weights, about={"width": 8})
    loaded = load_weights(path, NETWORK.shapes)
    assert list(loaded) == list(weights)
    for name in weights:
        assert loaded[name].dtype == dtype
        np.testing.assert_array_equal(loaded[name], weights[name])
    assert load_about(path) == {"width": 8}
    assert load_weights(path, dtype="float64")["conv.W"].dtype == np.float64


def test_half_precision(path):
    weights = NETWORK.start(0)
    save_weights(path, weights, dtype="float16")
    small = path.stat().st_size
    loaded = load_weights(path, NETWORK.shapes)
    for name in weights:
        assert loaded[name].dtype == np.float32
        np.testing.assert_allclose(loaded[name], weights[name], rtol=1e-3, atol=1e-7)
    save_weights(path, weights)
    assert small < path.stat().st_size
    with pytest.raises(ValueError, match=r"weights\['a.W'\] has NaN, infinity or numbers beyond"):
        save_weights(path, {"a.W": np.array([1e6], np.float32)}, dtype="float16")


def test_numpy_reads_it(path):
    weights = NETWORK.start(0)
    save_weights(path, weights)
    with np.load(path, allow_pickle=False) as archive:
        assert set(archive.files) == {*weights, "format", "version", "about"}
        assert str(archive["format"]) == "anmf weights" and int(archive["version"]) == 1
        np.testing.assert_array_equal(archive["conv.W"], weights["conv.W"])


def test_files_are_the_same_each_time(path, tmp_path):
    weights = NETWORK.start(0)
    save_weights(path, weights)
    save_weights(tmp_path / "again.npz", weights)
    assert path.read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_a_failed_write_leaves_the_old_file(path, monkeypatch):
    save_weights(path, NETWORK.start(0))
    before = path.read_bytes()

    def fails(file, **arrays):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(module.np, "savez", fails)
    with pytest.raises(OSError, match="disk full"):
        save_weights(path, NETWORK.start(1))
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["net.npz"]


def test_every_truncation_is_told(path):
    save_weights(path, NETWORK.start(0))
    data = path.read_bytes()
    for length in (0, 1, 10, 100, len(data) // 2, len(data) - 30, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"net.npz' can't be read .*damaged or no .npz file"):
            load_weights(path)


def test_flipped_bytes_are_told_or_harmless(path):
    weights = NETWORK.start(0)
    save_weights(path, weights)
    data = path.read_bytes()
    for place in range(0, len(data), len(data) // 150):
        path.write_bytes(data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :])
        try:
            loaded = load_weights(path, NETWORK.shapes)
        except ValueError:
            continue
        for name in weights:
            np.testing.assert_array_equal(loaded[name], weights[name])


def test_wrong_files(path):
    with pytest.raises(FileNotFoundError):
        load_weights(path)
    path.write_text("no archive")
    with pytest.raises(ValueError, match="can't be read"):
        load_weights(path)
    with path.open("wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(ValueError, match="it holds one array without a name"):
        load_weights(path)
    np.savez(path, a=np.ones(3))
    with pytest.raises(ValueError, match="holds no anmf weights: its format is None"):
        load_weights(path)
    np.savez(path, a=np.array([object()], dtype=object))
    with pytest.raises(ValueError, match="can't be read"):
        load_weights(path)
    save_weights(path, NETWORK.start(0))
    with pytest.raises(ValueError, match="holds no anmf checkpoint: its format is anmf weights"):
        load_checkpoint(path)


def test_missing_and_misshapen(path):
    weights = NETWORK.start(0)
    save_weights(path, {k: w for k, w in weights.items() if k != "out.W"})
    with pytest.raises(ValueError, match=r"is of another network: weights lack out\.W"):
        load_weights(path, NETWORK.shapes)
    save_weights(path, {**weights, "out.W": weights["out.W"].T})
    with pytest.raises(ValueError, match=r"wrong shapes: out\.W \(7, 8\) in place of \(8, 7\)"):
        load_weights(path, NETWORK.shapes)


def test_later_version_and_numbers_that_are_not_finite(path, monkeypatch):
    monkeypatch.setattr(module, "VERSION", 2)
    save_weights(path, NETWORK.start(0))
    monkeypatch.undo()
    with pytest.raises(ValueError, match="is of version 2, and this package reads up to 1"):
        load_weights(path)
    module.write_arrays(path, {"a.W": np.array([np.nan])}, "anmf weights")
    with pytest.raises(ValueError, match=r"holds NaN or infinity in 'a\.W'"):
        load_weights(path)


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match=r"must end in .npz"):
        save_weights(tmp_path / "net.bin", NETWORK.start(0))
    with pytest.raises(ValueError, match="can't be called"):
        save_weights(tmp_path / "net.npz", {"format": np.ones(1)})
    with pytest.raises(ValueError, match="NaN"):
        save_weights(tmp_path / "net.npz", {"a.W": np.array([np.inf])})
    with pytest.raises(FileNotFoundError):
        save_weights(tmp_path / "nowhere" / "net.npz", NETWORK.start(0))
    assert list(tmp_path.iterdir()) == []
