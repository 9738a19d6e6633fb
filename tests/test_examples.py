"""The gallery scripts run, say what they should, and write no files."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from anmf.audio import write_audio
from anmf.datasets import make_voices
from anmf.deep import DeepClustering
from anmf.iva import SurrogateSourceModel

pytest.importorskip("matplotlib")

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted((ROOT / "examples").glob("plot_*.py"))
HEARD = {
    "plot_deep_clustering.py",
    "plot_ideal_masks.py",
    "plot_speech_in_noise.py",
    "plot_surrogate.py",
    "plot_two_microphones.py",
}
LEAST = {"plot_deep_clustering.py": -5, "plot_surrogate.py": 0}  # dB, of trial runs


def run(script, folder, *arguments, **environment):
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
    )


def decibels(text):
    return [float(value) for value in re.findall(r"(-?\d+\.\d+) dB", text)]


def test_gallery_is_found():
    assert {"plot_digits.py", "plot_pipeline.py"} <= {script.name for script in SCRIPTS}


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_gallery_script(script, tmp_path):
    done = run(script, tmp_path, *(["--quick"] if script.name in LEAST else []))
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert min(decibels(done.stdout)) > LEAST.get(script.name, 12)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_gallery_layout(script):
    text = script.read_text(encoding="utf-8")
    assert re.match(r'"""\n[^\n]+\n=+\n', text)
    assert text.count("\n# %%\n") >= 2


def last_call(block):
    """What a block calls at its end: the gallery shows that, and nothing else, as it is."""
    last = ast.parse(block).body[-1:]
    return ast.unparse(last[0].value.func) if last and isinstance(last[0], ast.Expr) else None


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_gallery_shows_pictures_and_players(script):
    blocks = script.read_text(encoding="utf-8").split("\n# %%\n")
    calls = [last_call(block) for block in blocks[1:]]
    assert calls[-1] == "plt.show"
    assert calls.count("listen") == (script.name in HEARD)
    assert {call for call in calls if call} <= {"plt.show", "listen", "print", "show"}


def write_speech(folder):
    """A voice each of eight speakers, in LibriSpeech's layout."""
    voices = make_voices(8, 2.0, random_state=0)
    for name, voice in zip("12345678", voices.waveforms.T, strict=True):
        place = folder / "train" / name / "7"
        place.mkdir(parents=True)
        write_audio(place / f"{name}-7-0000.flac", voice, voices.sample_rate)
    return voices


TRAINING = {
    "train_deep_clustering.py": ["--mixtures", "4"],
    "train_surrogate.py": ["--rooms", "2", "1", "1", "--n-fft", "1024"],
}


def train(name, folder, *arguments):
    few = ["--steps", "2", "--tests", "1", *TRAINING[name]]
    return run(ROOT / "examples" / name, folder, *few, *arguments, "speech", "model.npz")


@pytest.mark.slow
def test_train_deep_clustering(tmp_path):
    voices = write_speech(tmp_path / "speech")
    done = train("train_deep_clustering.py", tmp_path, "--unseen", "3")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^(\d) talkers: +-?\d+\.\d\d dB$", done.stdout, re.MULTILINE) == ["2", "3"]
    model = DeepClustering.load(tmp_path / "model.npz")
    assert model.separate(voices.waveforms[:, 0]).shape == (32000, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.npz", "speech"]


@pytest.mark.slow
def test_train_surrogate(tmp_path):
    pytest.importorskip("pyroomacoustics")
    write_speech(tmp_path / "speech")
    done = train("train_surrogate.py", tmp_path, "--unseen", "4")
    assert done.returncode == 0, done.stderr
    assert len(decibels(done.stdout)) == 9
    assert SurrogateSourceModel.load(tmp_path / "model.npz").n_fft == 1024
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.npz", "speech"]


@pytest.mark.parametrize("name", TRAINING)
def test_training_refuses_what_it_cannot_do(tmp_path, name):
    done = train(name, tmp_path)
    assert done.returncode == 1
    assert "speech" in done.stderr and "Traceback" not in done.stderr
    done = train(name, tmp_path, "--unseen", "2")
    assert done.returncode == 2 and "--unseen: 2 must be at least" in done.stderr
    assert not list(tmp_path.iterdir())
    write_speech(tmp_path / "speech")
    done = train(name, tmp_path, "--unseen", "6")
    assert done.returncode == 1 and "8 speakers are too few to hold out 6" in done.stderr


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.skipif(
    not Path(os.environ.get("ANMF_DATA", ""), "mnist.npz").is_file(),
    reason="no mnist.npz in ANMF_DATA",
)
def test_mnist(tmp_path):
    done = run(ROOT / "examples" / "mnist.py", tmp_path, "--quick", "--digits", "3", "8")
    assert done.returncode == 0, done.stderr
    found = re.findall(r"^([a-z]+) +64 +(\d+\.\d)", done.stdout, flags=re.MULTILINE)
    assert [method for method, _ in found] == ["nmf", "exemplar", "anmf", "dnmf"]
    assert all(float(value) > decibels(done.stdout)[0] + 3 for _, value in found)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("digits", [["3"], ["3", "3"], ["3", "12"]])
def test_mnist_refuses_bad_digits(tmp_path, digits):
    done = run(ROOT / "examples" / "mnist.py", tmp_path, "--digits", *digits)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
