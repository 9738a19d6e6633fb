"""The command ``anmf separate``, on real files."""

import os
import re
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import soundfile
from scipy.signal import fftconvolve
from sklearn.exceptions import ConvergenceWarning

from anmf import AuxIVA
from anmf.audio import audio_info, read_audio, write_audio
from anmf.cli import main
from anmf.commands import _files, _recording, separate
from anmf.datasets import make_voices
from anmf.iva import SOURCE_MODELS, UPDATES, load_surrogate
from anmf.metrics import si_sdr, solve_permutation

RATE = 16000
QUICK = ["--n-fft", "1024", "--iterations", "3"]


def record(n_voices, n_channels, seconds=2.0, rate=RATE, seed=0):
    """Images (n_times, n_voices, n_channels) of voices in a small synthetic room."""
    voices = make_voices(n_voices, seconds, sample_rate=rate, random_state=seed).waveforms
    rng = np.random.default_rng(seed)
    n_taps = rate // 400
    filters = rng.standard_normal((n_taps, n_voices, n_channels))
    filters *= np.exp(-6.9 * np.arange(n_taps) / n_taps)[:, None, None] * 0.2
    filters[rng.integers(1, 12, (n_voices, n_channels)), *np.indices((n_voices, n_channels))] = 1
    images = fftconvolve(voices[:, :, None], filters, axes=0)[: len(voices)]
    return (0.5 * images / np.abs(images.sum(axis=1)).max()).astype(np.float32)


@pytest.fixture(scope="module")
def images():
    return record(2, 2)


@pytest.fixture(scope="module")
def good(images, tmp_path_factory):
    """Folder with one mixture in every sample format, and others beside it."""
    folder = tmp_path_factory.mktemp("good")
    x = images.sum(axis=1)
    for name, subtype in [
        ("short.wav", "PCM_16"), ("studio.wav", "PCM_24"), ("long.wav", "PCM_32"),
        ("float.wav", "FLOAT"), ("double.wav", "DOUBLE"), ("byte.wav", "PCM_U8"),
        ("phone.wav", "ULAW"), ("cd.flac", "PCM_16"), ("hires.flac", "PCM_24"),
        ("lossy.ogg", "VORBIS"),
    ]:  # fmt: skip
        write_audio(folder / name, x, RATE, subtype)
    return folder


@pytest.fixture
def files(images, tmp_path, monkeypatch):
    """Working folder with good and bad files."""
    monkeypatch.chdir(tmp_path)
    x = images.sum(axis=1)
    (tmp_path / "in" / "deep").mkdir(parents=True)
    bad = x.copy()
    bad[500, 1] = np.nan
    dead = x * [0, 1]
    for name, samples in [
        ("in/a.wav", x), ("in/deep/b.wav", x[: RATE + 1]), ("mono.wav", x[:, 0]),
        ("tiny.wav", x[:500]), ("silent.wav", 0 * x), ("dead.wav", dead), ("nan.wav", bad),
        ("clipped.wav", np.clip(5 * x, -1, 1)),
    ]:  # fmt: skip
        soundfile.write(name, samples, RATE, subtype="FLOAT")
    soundfile.write("music.aiff", x, RATE)
    (tmp_path / "garbage.wav").write_bytes(b"RIFF" + bytes(range(256)) * 4)
    (tmp_path / "cut.wav").write_bytes((tmp_path / "in/a.wav").read_bytes()[:9000])
    (tmp_path / "empty.wav").touch()
    (tmp_path / "nothing").mkdir()
    return tmp_path


def names(folder):
    """All that is in a folder, hidden things too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def table_of(out):
    """Rows of the summary, as words, by file."""
    lines = out.splitlines()[1:-1]
    rows = [line.split() for line in lines]
    return {row[0]: row for row in rows}


def test_two_voices_come_apart(tmp_path, capsys):
    images = record(2, 2, 4.0)
    x = images.sum(axis=1)
    write_audio(tmp_path / "float.wav", x, RATE)
    out = tmp_path / "new" / "out"
    assert main(["separate", str(tmp_path / "float.wav"), "--n-fft", "1024", "-o", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert names(out) == ["float.source1.wav", "float.source2.wav"]
    parts = np.stack([read_audio(out / f"float.source{i}.wav")[0] for i in (1, 2)])
    truth = images[:, :, 0].T
    scores = si_sdr(truth[:, None], parts[None])
    order = solve_permutation(scores)
    assert scores[[0, 1], order].mean() > si_sdr(truth, x[:, 0]).mean() + 10
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = AuxIVA(n_fft=1024, random_state=0).fit(x)
    np.testing.assert_allclose(parts.T, model.transform(x), atol=1e-6)
    header, row, last = captured.out.splitlines()
    assert header.split() == [
        "file", "seconds", "channels", "sources", "iterations", "levels", "[dB]", "status"
    ]  # fmt: skip
    levels = [f"{20 * np.log10(np.sqrt(np.mean(part**2))):.1f}" for part in parts]
    iterations = str(model.n_iter_)
    assert row.split()[1:] == ["4.0", "2", "2", iterations, *levels, "ok"]
    assert last == f"1 of 1 files separated into {out}"


@pytest.mark.parametrize("all_channels", [False, True])
def test_the_form_of_files_is_kept(good, tmp_path, all_channels):
    options = [*QUICK, *(["--images"] if all_channels else [])]
    assert main(["separate", str(good), "-o", str(tmp_path), *options]) == 0
    for path in good.iterdir():
        outputs = [tmp_path / f"{path.stem}.source{i}{path.suffix}" for i in (1, 2)]
        expected = audio_info(path)
        for output in outputs:
            info = audio_info(output)
            for what in ("sample_rate", "n_times", "format", "subtype"):
                assert getattr(info, what) == getattr(expected, what), path.name
            assert info.n_channels == (2 if all_channels else 1)
        if all_channels and path.suffix != ".ogg":
            total = sum(read_audio(output, dtype="float64")[0] for output in outputs)
            step = {"float": 1e-6, "long": 1e-6, "double": 1e-10, "studio": 1e-6, "hires": 1e-6}
            step = step.get(path.stem, 2**-6 if path.stem in ("byte", "phone") else 2**-14)
            np.testing.assert_allclose(total, read_audio(path, dtype="float64")[0], atol=step)
    assert len(names(tmp_path)) == 20


def test_other_formats_become_float(images, tmp_path):
    soundfile.write(tmp_path / "a.wav", images.sum(axis=1), RATE, subtype="IMA_ADPCM")
    out = tmp_path / "out"
    assert main(["separate", str(tmp_path / "a.wav"), *QUICK, "-o", str(out)]) == 0
    assert audio_info(out / "a.source1.wav").subtype == "FLOAT"


def test_options_reach_the_estimator(tmp_path, capsys):
    x = record(3, 3, 1.5, rate=8000).sum(axis=1)
    write_audio(tmp_path / "a.wav", x, 8000)
    options = ["--sources", "2", "--update", "ip", "--model", "laplace", "--iterations", "4"]
    command = ["separate", str(tmp_path / "a.wav"), "-o", str(tmp_path), *options]
    assert main([*command, "--reference", "3"]) == 0
    assert table_of(capsys.readouterr().out)[str(tmp_path / "a.wav")][1:5] == ["1.5", "3", "2", "4"]
    parts = [read_audio(tmp_path / f"a.source{i}.wav")[0] for i in (1, 2)]
    model = AuxIVA(2, update="ip", source_model="laplace", max_iter=4, n_fft=2048,
                   reference_channel=2, random_state=0)  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x)
    np.testing.assert_allclose(np.stack(parts, axis=1), model.transform(x), atol=1e-7)
    assert not (tmp_path / "a.source3.wav").exists()


@pytest.mark.parametrize(("rate", "n_fft"), [(8000, 2048), (44100, 8192)])
def test_the_surrogate_is_adapted_to_the_sampling_rate(tmp_path, rate, n_fft):
    x = record(2, 2, 1.5, rate=rate).sum(axis=1)
    write_audio(tmp_path / "a.wav", x, rate)
    options = ["--model", "surrogate", "--iterations", "3"]
    assert main(["separate", str(tmp_path / "a.wav"), "-o", str(tmp_path), *options]) == 0
    parts = [read_audio(tmp_path / f"a.source{i}.wav")[0] for i in (1, 2)]
    adapted = load_surrogate().adapted(rate, n_fft)
    model = AuxIVA(source_model=adapted, n_fft=n_fft, max_iter=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x)
    np.testing.assert_allclose(np.stack(parts, axis=1), model.transform(x), atol=1e-7)


def test_defaults_that_help_tells(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["separate", "--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"ip, ip2, iss or iss2 ({AuxIVA().update})" in text
    assert f"ggd, laplace, nmf, student-t or surrogate ({AuxIVA().source_model})" in text
    assert sorted(UPDATES) == ["ip", "ip2", "iss", "iss2"]
    assert sorted(SOURCE_MODELS)[-4:] == ["laplace", "nmf", "student-t", "surrogate"]
    assert "the first is 1" in text
    assert "The exit code is 0 if all is well" in text


def test_help_is_light():
    code = (
        "import sys; from anmf.cli import main\n"
        "try: main(['separate', '--help'])\n"
        "except SystemExit: print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "sklearn", "numba", "pandas"} & set(run.stdout.split())


BAD = {
    "mono.wav": "is mono; expected a recording of two or more microphones",
    "tiny.wav": "is too short: 0.0312 s; expected at least 0.128 s",
    "silent.wav": "is silent: all samples are zero",
    "dead.wav": "is silent in channel 1, whose scale the outputs would have; choose --reference "
    "from 2, or --images",
    "nan.wav": "holds NaN or infinity",
    "music.aiff": "ends in '.aiff', and its output would too",
    "garbage.wav": "is no audio file, or it is damaged",
    "cut.wav": "is cut short",
    "empty.wav": "is an empty file",
    "absent.wav": "does not exist",
}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_bad_files_do_not_stop_the_others(files, capsys, jobs):
    command = ["separate", *BAD, "in", *QUICK, "--jobs", jobs, "-o", "out"]
    assert main(command) == 1
    captured = capsys.readouterr()
    assert captured.out.endswith("2 of 12 files separated into out\n")
    rows = table_of(captured.out)
    assert list(rows) == [*BAD, "in/a.wav", "in/deep/b.wav"]
    lines = captured.err.splitlines()
    assert len(lines) == len(BAD)
    for name, message in BAD.items():
        assert rows[name][-1] == "failed"
        assert sum(f"anmf: error: {name}: {message}" in line for line in lines) == 1, name
    assert rows["in/a.wav"][-1] == rows["in/deep/b.wav"][-1] == "ok"
    assert rows["tiny.wav"][1:] == ["0.0", "2", "-", "-", "-", "failed"]
    assert rows["garbage.wav"][1:] == ["-"] * 5 + ["failed"]
    assert names(files / "out") == [f"{x}.source{i}.wav" for x in "ab" for i in (1, 2)]


def test_files_without_enough_channels(files, capsys):
    assert main(["separate", "in/a.wav", "--sources", "3", "-o", "out"]) == 1
    assert "a.wav: has 2 channels, fewer than --sources 3" in capsys.readouterr().err
    assert main(["separate", "in/a.wav", "--reference", "3", "-o", "out"]) == 1
    assert "a.wav: has 2 channels, and no --reference 3" in capsys.readouterr().err
    assert not (files / "out").exists()


def test_short_recordings_get_a_note(files, capsys):
    assert main(["separate", "in/deep/b.wav", "--iterations", "3", "-o", "out"]) == 0
    assert capsys.readouterr().err == (
        "anmf: note: in/deep/b.wav: is short; below 2 s, sources often stay mixed in part\n"
    )


def test_a_dead_channel_is_no_obstacle(files, capsys):
    assert main(["separate", "dead.wav", *QUICK, "--reference", "2", "-o", "out"]) == 0
    assert main(["separate", "dead.wav", *QUICK, "--images", "-o", "images"]) == 0
    total = sum(read_audio(f"images/dead.source{i}.wav")[0] for i in (1, 2))
    np.testing.assert_allclose(total, read_audio("dead.wav")[0], atol=1e-6)
    assert capsys.readouterr().err == ""


def test_clipped_recordings_are_separated_with_a_warning(files, capsys):
    assert main(["separate", "clipped.wav", "in/a.wav", *QUICK, "-o", "out"]) == 1
    captured = capsys.readouterr()
    assert re.match(r"anmf: warning: clipped.wav: is clipped \(\d+\.\d\d% of the", captured.err)
    assert captured.err.count("\n") == 1
    rows = table_of(captured.out)
    assert (rows["clipped.wav"][-1], rows["in/a.wav"][-1]) == ("clipped", "ok")
    assert captured.out.endswith("2 of 2 files separated into out\n")
    assert len(names(files / "out")) == 4


@pytest.mark.parametrize(
    ("change", "clipped"),
    [
        (lambda x: np.clip(5 * x, -1, 1), True),
        (lambda x: np.clip(5 * x, -1, 1) * [1, 0.5], True),
        (lambda x: np.clip(5 * x, -1, 1) / 2, False),
        (lambda x: x / np.abs(x).max(), False),
        (lambda x: 9 * x, False),  # beyond full scale, as floating-point samples may be
        (lambda x: np.round(x / np.abs(x).max() * 100) / 100, False),
    ],
)
def test_what_counts_as_clipped(images, change, clipped):
    share = _recording.clipped_share(change(images.sum(axis=1)))
    assert (share > _recording.CLIPPED_SHARE) == clipped


def test_outputs_beyond_full_scale_are_clipped_where_they_must(
    images, tmp_path, monkeypatch, capsys
):
    x = images.sum(axis=1)
    for name, subtype in (("a.wav", "PCM_16"), ("b.wav", "FLOAT")):
        write_audio(tmp_path / name, x / np.abs(x).max(), RATE, subtype)
    monkeypatch.setattr(AuxIVA, "transform", lambda self, x: 3 * x)
    inputs = [str(tmp_path / name) for name in ("a.wav", "b.wav")]
    assert main(["separate", *inputs, *QUICK, "-o", str(tmp_path / "out")]) == 0
    err = capsys.readouterr().err
    first = read_audio(tmp_path / "out" / "a.source1.wav")[0]
    assert np.abs(first).max() == pytest.approx(1, abs=1e-4)
    wrong = np.sign(first) != np.sign(read_audio(inputs[0])[0][:, 0])
    assert not wrong.any()
    assert np.abs(read_audio(tmp_path / "out" / "b.source1.wav")[0]).max() > 2
    assert re.search(r"note: .*a\.source1\.wav: \d+ samples beyond full scale were clipped", err)
    assert "b.source" not in err


def test_nothing_is_replaced_without_force(files, capsys):
    (files / "out").mkdir()
    (files / "out" / "b.source2.wav").write_bytes(b"precious")
    command = ["separate", "in", *QUICK, "-o", "out"]
    assert main(command) == 2
    captured = capsys.readouterr()
    assert captured.err == "anmf: error: out/b.source2.wav exists; --force replaces it\n"
    assert captured.out == ""
    assert names(files / "out") == ["b.source2.wav"]
    assert (files / "out" / "b.source2.wav").read_bytes() == b"precious"
    assert main([*command, "--force"]) == 0
    assert audio_info("out/b.source2.wav").n_times == RATE + 1
    assert len(names(files / "out")) == 4


def test_parallel_equals_serial(files):
    for jobs in ("1", "2", "-1"):
        assert main(["separate", "in", *QUICK, "--jobs", jobs, "-o", jobs]) == 0
    for name in names(files / "1"):
        serial, *parallel = (read_audio(files / jobs / name)[0] for jobs in ("1", "2", "-1"))
        for samples in parallel:
            np.testing.assert_allclose(samples, serial, atol=1e-5)  # rounding may differ


def test_earlier_outputs_are_no_inputs(files, capsys):
    command = ["separate", "in", *QUICK, "-o", "in/out"]
    assert main(command) == 0
    assert main([*command, "--force"]) == 0
    assert capsys.readouterr().out.count("2 of 2 files") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("in", "required: -o/--output"),
        ("nothing -o out", "nothing' holds no audio"),
        ("in in/a.wav -o out", "in/a.wav and in/a.wav would both be written to out/a.source1.wav"),
        ("in -o mono.wav", "mono.wav is a file; expected a folder"),
        ("in -o out --jobs 0", "jobs=0 must be"),
        ("in -o out --sources 0", "sources=0 must be"),
        ("in -o out --sources two", "invalid int value: 'two'"),
        ("in -o out --iterations 0", "iterations=0 must be"),
        ("in -o out --reference 0", "reference=0 must be"),
        ("in -o out --n-fft 1", "n-fft=1 must be"),
        ("in -o out --update ip3", "update='ip3' must be one of ['ip', 'ip2', 'iss', 'iss2']"),
        ("in -o out --model cauchy", "model='cauchy' must be one of ['cliques', "),
    ],
)
def test_user_errors_are_one_line(files, capsys, arguments, message):
    before = names(files)
    assert main(["separate", *arguments.split()]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.startswith("anmf: error: ")
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert names(files) == before


def test_a_disk_that_fills_up_leaves_nothing(files, monkeypatch, capsys):
    def full(path, *arguments):
        if path.name == "a.source2.wav":
            raise OSError("no space left")
        write_audio(path, *arguments)

    monkeypatch.setattr(_recording, "write_audio", full)
    assert main(["separate", "in", *QUICK, "-o", "out"]) == 1
    assert capsys.readouterr().err == "anmf: error: in/a.wav: no space left\n"
    assert names(files / "out") == ["b.source1.wav", "b.source2.wav"]


def test_surprises_name_their_kind(files, monkeypatch, capsys):
    def broken(self, x):
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(AuxIVA, "fit", broken)
    assert main(["separate", "in/a.wav", *QUICK, "-o", "out"]) == 1
    assert capsys.readouterr().err == ("anmf: error: in/a.wav: ZeroDivisionError: of all things\n")
    assert names(files / "out") == []


def test_files_that_appear_meanwhile_are_spared(files, monkeypatch, capsys):
    def slow(*arguments):
        (files / "out" / "a.source2.wav").write_bytes(b"precious")
        return original(*arguments)

    original = separate.separate_file
    monkeypatch.setattr(separate, "separate_file", slow)
    assert main(["separate", "in/a.wav", *QUICK, "-o", "out"]) == 1
    assert "out/a.source2.wav exists by now" in capsys.readouterr().err
    assert names(files / "out") == ["a.source2.wav"]
    assert (files / "out" / "a.source2.wav").read_bytes() == b"precious"


@pytest.mark.parametrize("moves", range(5))
def test_publishing_is_all_or_nothing(tmp_path, monkeypatch, moves):
    """An interruption before any of the four moves puts everything back."""
    (tmp_path / "new").mkdir()
    staged, outputs = [tmp_path / "new" / n for n in "ab"], [tmp_path / n for n in "ab"]
    for new, output in zip(staged, outputs, strict=True):
        new.write_text("new")
        output.write_text("old")
    original, left = os.replace, [moves]

    def replace(source, target):
        left[0] -= 1
        if left[0] == -1:
            raise KeyboardInterrupt
        original(source, target)

    monkeypatch.setattr(_files.os, "replace", replace)
    if moves < 4:
        with pytest.raises(KeyboardInterrupt):
            _files.publish(staged, outputs, True)
    else:
        _files.publish(staged, outputs, True)
    assert {output.read_text() for output in outputs} == {"old" if moves < 4 else "new"}


def test_an_interruption_leaves_nothing(files, monkeypatch, capsys):
    def interrupt(path, *arguments):
        if path.name == "b.source2.wav":
            raise KeyboardInterrupt
        write_audio(path, *arguments)

    monkeypatch.setattr(_recording, "write_audio", interrupt)
    assert main(["separate", "in", *QUICK, "-o", "out"]) == 130
    assert capsys.readouterr().err == "anmf: interrupted\n"
    assert names(files / "out") == ["a.source1.wav", "a.source2.wav"]


def test_a_killed_process_is_told(files, monkeypatch, capsys):
    def broken(*arguments):
        raise separate.BrokenProcessPool("killed")

    monkeypatch.setattr(separate, "_attempt", broken)
    assert main(["separate", "in/a.wav", *QUICK, "-o", "out"]) == 1
    assert "in/a.wav: a process was killed" in capsys.readouterr().err
    assert names(files / "out") == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_interruption_of_the_running_command(images, tmp_path, jobs):
    x = np.tile(images.sum(axis=1), (20, 1))
    for name in "abcd":
        write_audio(tmp_path / f"{name}.wav", x, RATE)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "anmf", "separate", str(tmp_path), "-o", str(out)]
    # Where this process is told to ignore Ctrl-C, its children are too, unless it has a handler.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    run = subprocess.Popen(
        [*command, "--jobs", jobs, "--iterations", "200"], start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    started = time.monotonic()
    # Once a file is done all is compiled and loaded: where Numba calls back, Python drops Ctrl-C.
    while not list(out.glob("*.source2.wav")) and time.monotonic() < started + 60:
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to the workers too
    err = run.communicate(timeout=20)[1]
    assert (run.returncode, err) == (130, "anmf: interrupted\n")
    done = {name.split(".")[0] for name in names(out)}
    assert 0 < len(done) < 4
    assert names(out) == sorted(f"{name}.source{k}.wav" for name in done for k in (1, 2))
