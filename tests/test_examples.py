"""The gallery scripts run, say what they should, and write no files."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from anmf.audio import write_audio
from anmf.datasets import make_voices
from anmf.deep import DeepClustering

pytest.importorskip("matplotlib")

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted((ROOT / "examples").glob("plot_*.py"))
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


@pytest.mark.slow
def test_train_deep_clustering(tmp_path):
    pytest.importorskip("soundfile")
    speech, weights = tmp_path / "speech", tmp_path / "model.npz"
    voices = make_voices(5, 2.0, random_state=0)
    for name, voice in zip("12345", voices.waveforms.T, strict=True):
        folder = speech / "train" / name / "7"
        folder.mkdir(parents=True)
        write_audio(folder / f"{name}-7-0000.flac", voice, voices.sample_rate)
    script = ROOT / "examples" / "train_deep_clustering.py"
    few = ["--mixtures", "4", "--steps", "2", "--unseen", "3", "--tests", "1"]
    done = run(script, tmp_path, str(speech), str(weights), *few)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^(\d) talkers: +-?\d+\.\d\d dB$", done.stdout, re.MULTILINE) == ["2", "3"]
    assert DeepClustering.load(weights).separate(voices.waveforms[:, 0]).shape == (32000, 2)
    assert sorted(tmp_path.iterdir()) == [weights, speech]


def test_train_deep_clustering_refuses_an_empty_folder(tmp_path):
    done = run(ROOT / "examples" / "train_deep_clustering.py", tmp_path, "nowhere", "model.npz")
    assert done.returncode == 1
    assert "nowhere" in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


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
