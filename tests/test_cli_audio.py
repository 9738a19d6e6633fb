"""The commands for audio files: denoise, train, score."""

import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from anmf import AudioSeparator, NMF_separation, SpeechEnhancer, models
from anmf.audio import audio_info, read_audio, write_audio
from anmf.cli import main
from anmf.commands import denoise
from anmf.datasets import make_noise, make_voices
from anmf.metrics import si_sdr
from anmf.models import load_model, save_model

skops_io = pytest.importorskip("skops.io")
RATE = 16000


class Stranger:
    """A type of someone else."""

    def __init__(self):
        self.value = 1


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Folder with speech/, noise/, and noisy.wav = voice.wav + rain.wav."""
    folder = tmp_path_factory.mktemp("sounds")
    voice = make_voices(1, 6.0, random_state=0).waveforms[:, 0]
    noise = make_noise(6.0, "rain", random_state=0)
    noise *= 0.7 * np.sqrt(np.mean(voice**2) / np.mean(noise**2))
    n = 4 * RATE
    for name in ("speech", "noise"):
        (folder / name).mkdir()
    write_audio(folder / "speech" / "a.wav", voice[:n], RATE)
    write_audio(folder / "noise" / "a.flac", noise[:n] / 2, RATE)
    write_audio(folder / "voice.wav", voice[n:], RATE)
    write_audio(folder / "rain.wav", noise[n:], RATE)
    write_audio(folder / "noisy.wav", voice[n:] + noise[n:], RATE)
    return folder


@pytest.fixture(scope="module")
def trained(sounds, tmp_path_factory):
    """Models of both kinds."""
    folder = tmp_path_factory.mktemp("models")
    own, both = folder / "own.skops", folder / "both.skops"
    speech = ["train", "--speech", str(sounds / "speech"), "--components", "16"]
    assert main([*speech, "-o", str(own)]) == 0
    assert main([*speech, "--noise", str(sounds / "noise"), "-o", str(both)]) == 0
    return {"own": own, "both": both}


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Working folder with good and bad files."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name, shape, rate in [
        ("a.wav", 4000, RATE), ("b.wav", 4000, RATE), ("short.wav", 3000, RATE),
        ("slow.wav", 4000, 8000), ("stereo.wav", (4000, 2), RATE), ("x/a.wav", 4000, RATE),
    ]:  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_audio(name, 0.1 * rng.standard_normal(shape).astype(np.float32), rate)
    (tmp_path / "text.wav").write_text("no audio")
    (tmp_path / "empty.wav").touch()
    (tmp_path / "nothing").mkdir()
    (tmp_path / "silent").mkdir()
    write_audio("silent/a.wav", np.zeros(4000), RATE)
    (tmp_path / "a.aiff").write_bytes(b"")
    (tmp_path / "text.skops").write_text("no model")
    (tmp_path / "table.csv").write_text("precious")
    with zipfile.ZipFile("zip.skops", "w") as archive:
        archive.writestr("a", "b")
    header = {"format": "anmf model", "version": 99, "anmf": "9.9", "kind": "NMF"}
    skops_io.dump({**header, "estimator": None}, "future.skops")
    skops_io.dump({**header, "version": 1, "estimator": Stranger()}, "stranger.skops")
    skops_io.dump({**header, "version": 1, "kind": "dict", "estimator": {}}, "dict.skops")
    skops_io.dump([1, 2], "list.skops")
    return tmp_path


def quality(reference, estimate):
    return float(si_sdr(read_audio(reference)[0], read_audio(estimate)[0]))


@pytest.mark.parametrize("kind", ["own", "both"])
def test_denoise_improves(sounds, trained, tmp_path, capsys, kind):
    out = tmp_path / "new" / "out"
    arguments = ["--model", str(trained[kind]), "--noise", "-o", str(out)]
    assert main(["denoise", str(sounds / "noisy.wav"), *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"1 of 1 files denoised into {out}\n"
    assert captured.err == ""
    assert sorted(path.name for path in out.iterdir()) == ["noisy.noise.wav", "noisy.wav"]
    before = quality(sounds / "voice.wav", sounds / "noisy.wav")
    assert quality(sounds / "voice.wav", out / "noisy.wav") > before + 2
    total = read_audio(out / "noisy.wav")[0] + read_audio(out / "noisy.noise.wav")[0]
    np.testing.assert_allclose(total, read_audio(sounds / "noisy.wav")[0], atol=1e-6)


def test_denoise_keeps_the_form_of_files(sounds, trained, tmp_path):
    x = read_audio(sounds / "noisy.wav")[0]
    both = np.stack([x, x[::-1]], axis=1)
    (tmp_path / "in").mkdir()
    write_audio(tmp_path / "in" / "stereo.flac", both / np.abs(both).max(), RATE)
    write_audio(tmp_path / "in" / "fast.wav", both[:30001], 44100)
    write_audio(tmp_path / "in" / "slow.ogg", x[:9999] / 2, 8000)
    write_audio(tmp_path / "in" / "tiny.wav", x[:10], RATE)
    write_audio(tmp_path / "in" / "silent.WAV", 0 * x, RATE)
    arguments = ["--model", str(trained["own"]), "--noise", "-o", str(tmp_path / "out")]
    assert main(["denoise", str(tmp_path / "in"), *arguments]) == 0
    for path in (tmp_path / "in").iterdir():
        for name in (path.name, f"{path.stem}.noise{path.suffix}"):
            info, expected = audio_info(tmp_path / "out" / name), audio_info(path)
            for what in ("sample_rate", "n_times", "n_channels", "format"):
                assert getattr(info, what) == getattr(expected, what)
    total = sum(read_audio(tmp_path / "out" / f"fast{end}")[0] for end in (".wav", ".noise.wav"))
    np.testing.assert_allclose(total, both[:30001], atol=1e-6)


def test_denoise_with_the_built_in_model(sounds, tmp_path):
    command = [sys.executable, "-m", "anmf", "denoise", str(sounds / "noisy.wav"), "-o", "out"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert run.stdout == "1 of 1 files denoised into out\n"
    before = quality(sounds / "voice.wav", sounds / "noisy.wav")
    assert quality(sounds / "voice.wav", tmp_path / "out" / "noisy.wav") > before
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "out/noisy.wav exists; --force replaces it" in run.stderr


def test_parallel_equals_serial(sounds, trained, tmp_path):
    inputs = [str(sounds / name) for name in ("noisy.wav", "voice.wav", "rain.wav")]
    for jobs in ("1", "2"):
        arguments = ["--model", str(trained["own"]), "--jobs", jobs, "-o", str(tmp_path / jobs)]
        assert main(["denoise", *inputs, *arguments]) == 0
    for name in ("noisy.wav", "voice.wav", "rain.wav"):
        serial, parallel = (read_audio(tmp_path / jobs / name)[0] for jobs in ("1", "2"))
        np.testing.assert_allclose(serial, parallel, atol=1e-3)  # rounding, amplified by the solver


def test_a_failure_does_not_stop_the_others(sounds, trained, files, capsys):
    bad = np.zeros(4000, np.float32)
    bad[3000] = np.nan
    import soundfile

    soundfile.write("nan.wav", bad, RATE, subtype="FLOAT")
    arguments = ["a.wav", "nan.wav", "b.wav", "--model", str(trained["own"]), "-o", "out"]
    assert main(["denoise", *arguments]) == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("anmf: error: nan.wav: ")
    assert "NaN" in captured.err
    assert captured.out == "2 of 3 files denoised into out\n"
    assert sorted(path.name for path in (files / "out").iterdir()) == ["a.wav", "b.wav"]


def test_loud_parts_are_clipped_where_they_must(files, capsys):
    class Loud(SpeechEnhancer):
        def enhance_file(self, path, output):
            write_audio(output, 20 * read_audio(path)[0], RATE)

    write_audio("a.flac", read_audio("a.wav")[0], RATE)
    jobs = [denoise.Job(files / name, files / f"o-{name}", None) for name in ("a.flac", "a.wav")]
    assert denoise.process(jobs, Loud(), 1, False) == 0
    assert np.abs(read_audio("o-a.flac")[0]).max() == pytest.approx(1)
    assert np.abs(read_audio("o-a.wav")[0]).max() > 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "o-a.flac" in err
    assert "beyond full scale were clipped" in err


def test_a_killed_process_is_one_line(files, monkeypatch, capsys):
    def broken(*arguments, **options):
        raise denoise.BrokenProcessPool("killed")

    monkeypatch.setattr(denoise, "_attempt", broken)
    assert main(["denoise", "a.wav", "-o", "out"]) == 2
    assert "use a smaller --jobs" in capsys.readouterr().err


def test_earlier_outputs_are_no_inputs(sounds, trained, tmp_path, capsys):
    command = ["denoise", str(tmp_path), "--model", str(trained["own"]), "-o", str(tmp_path / "o")]
    (tmp_path / "a.wav").write_bytes((sounds / "noisy.wav").read_bytes())
    assert main(command) == 0
    assert main([*command, "--force"]) == 0
    assert capsys.readouterr().out.count("1 of 1 files") == 2
    (tmp_path / "a.wav").unlink()
    assert main([*command, "--force"]) == 2
    assert "holds no audio but in" in capsys.readouterr().err


def test_force_replaces(files, trained, sounds):
    command = ["denoise", "a.wav", "-o", "out", "--model", str(trained["own"])]
    assert main(command) == 0
    (files / "out" / "a.wav").write_bytes(b"old")
    assert main(command) == 2
    assert (files / "out" / "a.wav").read_bytes() == b"old"
    assert main([*command, "--force"]) == 0
    assert audio_info("out/a.wav").n_times == 4000
    command = ["train", "--speech", str(sounds / "speech"), "-o", "text.skops", "--components", "2"]
    assert main([*command, "--force"]) == 0
    assert load_model("text.skops").n_components == 2
    command = ["score", "--reference", "a.wav", "--estimate", "b.wav", "--csv", "table.csv"]
    assert main([*command, "--force"]) == 0
    assert len(pd.read_csv("table.csv")) == 1


def test_training_is_reproducible(trained, sounds, tmp_path, capsys):
    again = tmp_path / "again.skops"
    command = ["train", "--speech", str(sounds / "speech"), "--components", "16", "-o", str(again)]
    assert main(command) == 0
    assert capsys.readouterr().out == f"{again}: SpeechEnhancer trained on 4.0 s of speech\n"
    first, second = load_model(trained["own"]), load_model(again)
    np.testing.assert_array_equal(first.bases_[0], second.bases_[0])
    weighted = [*command[:-1], str(tmp_path / "w.skops"), "--adversarial-weight", "0.05"]
    assert main(weighted) == 0
    assert load_model(tmp_path / "w.skops").adversarial_weight == 0.05


def test_training_files_of_other_forms(sounds, tmp_path):
    x = read_audio(sounds / "speech" / "a.wav", sample_rate=8000)[0]
    write_audio(tmp_path / "x.wav", np.stack([x, x], axis=1), 8000)
    write_audio(tmp_path / "silent.wav", np.zeros(800), 8000)
    command = ["train", "--speech", str(tmp_path), "--components", "4"]
    assert main([*command, "-o", str(tmp_path / "m.skops")]) == 0
    assert load_model(tmp_path / "m.skops").bases_[0].shape == (4, 513)


def test_score(sounds, tmp_path, capsys):
    references = [str(sounds / name) for name in ("voice.wav", "rain.wav")]
    voice, rain = (read_audio(path, dtype="float64")[0] for path in references)
    write_audio(tmp_path / "1.wav", rain + 0.1 * voice, RATE)
    write_audio(tmp_path / "2.wav", 2 * voice + 0.1 * rain, RATE)
    estimates = [str(tmp_path / "1.wav"), str(tmp_path / "2.wav")]
    command = ["score", "--reference", *references, "--estimate"]
    more = ["--mixture", str(sounds / "noisy.wav"), "--csv", str(tmp_path / "t.csv")]
    assert main([*command, *estimates, *more]) == 0
    out = capsys.readouterr().out
    table = pd.read_csv(tmp_path / "t.csv")
    metrics = ["SNR", "SI-SDR", "SDR", "SIR", "SAR", "SI-SDRi"]
    assert list(table) == ["reference", "estimate", *metrics]
    assert list(table.reference) == ["voice.wav", "rain.wav"]
    assert list(table.estimate) == ["2.wav", "1.wav"]
    read = read_audio(estimates[1], dtype="float64")[0]
    assert table["SI-SDR"][0] == pytest.approx(si_sdr(voice, read))
    assert table["SNR"][0] < 1 < 20 < table["SI-SDR"][0]
    gain = table["SI-SDR"][0] - si_sdr(voice, voice + rain)
    assert table["SI-SDRi"][0] == pytest.approx(gain, abs=1e-3)
    assert len(out.splitlines()) == 3
    assert f"{table.SIR[1]:.2f}" in out

    write_audio(tmp_path / "both.wav", np.stack([rain + 0.1 * voice, read], axis=1), RATE)
    write_audio(tmp_path / "true.wav", np.stack([voice, rain], axis=1), RATE)
    arguments = ["--estimate", str(tmp_path / "both.wav"), "--csv", str(tmp_path / "c.csv")]
    assert main(["score", "--reference", str(tmp_path / "true.wav"), *arguments]) == 0
    channels = pd.read_csv(tmp_path / "c.csv")
    assert list(channels.estimate) == ["both.wav[1]", "both.wav[0]"]
    np.testing.assert_allclose(channels[metrics[:5]], table[metrics[:5]])


def test_score_of_stereo_sources(files, capsys):
    x, y = read_audio("stereo.wav")[0], read_audio("a.wav")[0][:, None] * [1, 0.5]
    write_audio("y.wav", y, RATE)
    write_audio("mix.wav", x + y, RATE)
    pair = ["y.wav", "stereo.wav"]
    command = ["score", "--reference", "stereo.wav", "y.wav", "--estimate", *pair]
    assert main([*command, "--mixture", "mix.wav"]) == 0
    assert "inf" in capsys.readouterr().out
    assert main([*command, "--mixture", "a.wav"]) == 0


FUTURE = "future.skops' has version 99 of the format, written by anmf 9.9"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("denoise a.wav", "required: -o/--output"),
        ("denoise absent.wav -o out", "absent.wav' does not exist"),
        ("denoise a.wav text.wav -o out", "text.wav' is no audio file"),
        ("denoise empty.wav -o out", "empty.wav' is an empty file"),
        ("denoise nothing -o out", "nothing' holds no audio"),
        ("denoise a.wav x -o out", "a.wav and x/a.wav would both be written to out/a.wav"),
        ("denoise a.wav a.wav -o out", "would both be written"),
        ("denoise a.wav -o .", "a.wav is an input and would be replaced"),
        ("denoise x/a.wav a.wav -o . --force", "is an input and would be"),
        ("denoise x/a.wav -o .", "a.wav exists; --force replaces it"),
        ("denoise a.wav -o text.wav", "text.wav is a file; expected a folder"),
        ("denoise a.wav -o text.wav/deep", "text.wav is a file; expected a folder"),
        ("denoise a.wav -o out --jobs 0", "jobs=0 must be"),
        ("denoise a.wav -o out --model absent.skops", "absent.skops' does not exist"),
        ("denoise a.wav -o out --model nothing", "nothing' is no file"),
        ("denoise a.wav -o out --model a.wav", "a.wav' is no model"),
        ("denoise a.wav -o out --model text.skops", "text.skops' is no model"),
        ("denoise a.wav -o out --model zip.skops", "zip.skops' is no model"),
        ("denoise a.wav -o out --model future.skops", FUTURE),
        ("denoise a.wav -o out --model stranger.skops", "types that aren't trusted: "),
        ("denoise a.wav -o out --model list.skops", "list.skops' holds something else"),
        ("denoise a.wav -o out --model dict.skops", "is a dict that doesn't separate"),
        ("train --speech x", "required: -o/--output"),
        ("train --speech absent -o m.skops", "absent' does not exist"),
        ("train --speech nothing -o m.skops", "nothing' holds no audio"),
        ("train --speech . -o m.skops", "is an empty file"),
        ("train --speech silent -o m.skops", "all recordings in silent are silent"),
        ("train --speech x -o m.pkl", "m.pkl' must end in .skops"),
        ("train --speech x -o text.skops", "text.skops' exists; choose another name"),
        ("train --speech x -o absent/m.skops", "is in a folder that doesn't exist"),
        ("train --speech x -o m.skops --components 0", "components=0 must be"),
        ("train --speech x -o m.skops --adversarial-weight -1", "adversarial_weight=-1.0 must"),
        ("train --speech x --noise x -o m.skops --adversarial-weight 1", "without --noise"),
        ("score --reference a.wav", "required: --estimate"),
        ("score --reference a.wav --estimate absent.wav", "absent.wav' does not exist"),
        ("score --reference a.wav --estimate text.wav", "text.wav' is no audio file"),
        ("score --reference a.wav --estimate short.wav", "short.wav has 3000 samples, and a.wav"),
        ("score --reference a.wav --estimate slow.wav", "slow.wav has 8000 Hz, and a.wav 16000"),
        ("score --reference a.wav --estimate stereo.wav", "stereo.wav has 2 channels"),
        ("score --reference a.wav b.wav --estimate a.wav", "2 references and 1 estimates"),
        ("score --reference a.wav --estimate b.wav --mixture short.wav", "has 3000 samples"),
        ("score --reference a.wav --estimate b.wav --mixture stereo.wav", "stereo.wav has 2 chan"),
        ("score --reference a.wav --estimate b.wav --csv table.csv", "table.csv' exists"),
        ("score --reference a.wav --estimate b.wav --csv absent/t.csv", "folder that doesn't"),
        ("score --reference a.wav --estimate b.wav --csv nothing", "nothing' is a folder"),
    ],
)
def test_user_errors_are_one_line(files, capsys, arguments, message):
    before = sorted(files.rglob("*"))
    assert main(arguments.split()) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.startswith("anmf: error: ")
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert sorted(files.rglob("*")) == before
    assert (files / "table.csv").read_text() == "precious"


def test_endings_that_cannot_be_written(files, capsys):
    import soundfile

    soundfile.write("a.aiff", np.zeros(100), RATE)
    assert main(["denoise", "a.aiff", "-o", "out"]) == 2
    assert "a.aiff ends in '.aiff'" in capsys.readouterr().err


def test_names_of_noise_files_may_clash(files, capsys):
    write_audio("a.noise.wav", np.ones(4000), RATE)
    assert main(["denoise", "a.wav", "a.noise.wav", "--noise", "-o", "out"]) == 2
    assert "would both be written to out/a.noise.wav" in capsys.readouterr().err


def test_folders_without_permission(files, monkeypatch, capsys):
    monkeypatch.setattr(denoise.os, "access", lambda path, mode: False)
    assert main(["denoise", "a.wav", "-o", "out"]) == 2
    assert main(["train", "--speech", "x", "-o", "m.skops"]) == 2
    assert capsys.readouterr().err.count("can't be written to") == 2


def test_without_skops(files, trained, monkeypatch, capsys):
    for module in [name for name in sys.modules if name.split(".")[0] == "skops"]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "skops", None)
    assert main(["denoise", "a.wav", "-o", "out", "--model", str(trained["own"])]) == 2
    assert main(["train", "--speech", "x", "-o", "m.skops"]) == 2
    err = capsys.readouterr().err
    assert err.count("pip install 'anmf[models]'") == 2
    assert err.count("\n") == 2


def test_models_that_separate_something_else(files, capsys):
    low, high = (np.sin(np.arange(8000) * f) for f in (0.1, 1.0))
    three = AudioSeparator(NMF_separation(1, random_state=0), n_fft=256)
    three.fit([low, high, low + high], [0, 1, 2])
    save_model("three.skops", three)
    assert main(["denoise", "a.wav", "-o", "out", "--model", "three.skops"]) == 2
    assert "doesn't separate speech and noise" in capsys.readouterr().err


def test_models_of_other_types_are_not_saved(tmp_path):
    with pytest.raises(ValueError, match=r"aren't trusted: .*Stranger"):
        save_model(tmp_path / "m.skops", Stranger())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("anmf.nmf.enhancer.SpeechEnhancer", True),
        ("numpy.ndarray", True),
        ("anmf.nmf.enhancer.Absent", False),
        ("anmf.nmf.enhancer.enhance_file", False),  # a function
        ("anmf.nmf.enhancer.BaseEstimator", False),  # of elsewhere
        ("anmf.nmf.enhancer.np", False),
        ("anmfevil.Model", False),
        ("numpy.f2py.__main__.main", False),
        ("posix.system", False),
        ("Stranger", False),
    ],
)
def test_trusted_types(name, known):
    assert models._is_known(name) is known


def test_an_interrupted_write_leaves_nothing(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), models.replacing(path) as unfinished:
        unfinished.write_text("half")
        raise KeyboardInterrupt
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]
