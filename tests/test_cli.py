"""The command, as a user types it."""

import re
import subprocess
import sys

import pytest

from anmf import __version__, demo
from anmf.cli import main

SMALL = ["--n-components", "8"]


def rows_of_table(text):
    """Numbers of each method's row."""
    found = re.findall(r"^(nmf|exemplar)((?: +-?\d+\.\d+)+)$", text, flags=re.MULTILINE)
    return {method: [float(value) for value in values.split()] for method, values in found}


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"anmf {__version__}\n"


def test_no_command_shows_help(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(command in out for command in ("demo", "denoise", "train", "score"))


def test_demo_table(capsys):
    assert main(["demo", "--no-picture", *SMALL]) == 0
    captured = capsys.readouterr()
    table = rows_of_table(captured.out)
    assert list(table) == ["nmf", "exemplar"]
    for before, after, fit_seconds, separate_seconds in table.values():
        assert after > before + 8
        assert 0 <= fit_seconds < 5
        assert 0 <= separate_seconds < 5
    lines = [line for line in captured.out.splitlines() if re.match("method|nmf|exemplar", line)]
    assert len({len(line) for line in lines}) == 1
    assert "digits 0 + 1" in captured.out
    assert "model.separate(mixtures)" in captured.out
    assert captured.err == ""


def test_demo_choices(capsys):
    assert main(["demo", "--no-picture", "--digits", "3", "8", "9", "--seed", "5", *SMALL]) == 0
    first = capsys.readouterr().out
    assert "digits 3 + 8 + 9" in first
    assert main(["demo", "--no-picture", "--digits", "3", "8", "9", "--seed", "6", *SMALL]) == 0
    assert rows_of_table(first)["nmf"][:2] != rows_of_table(capsys.readouterr().out)["nmf"][:2]


@pytest.mark.parametrize("default", [True, False])
def test_demo_picture(tmp_path, monkeypatch, capsys, default):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    name = "anmf_demo.png" if default else "mine.png"
    assert main(["demo", *SMALL, *([] if default else ["-o", name])]) == 0
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert f"Picture: {tmp_path / name}" in capsys.readouterr().out


def test_demo_without_matplotlib(tmp_path, monkeypatch, capsys):
    for module in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["demo", "-o", str(tmp_path / "a.png"), *SMALL]) == 0
    assert "pip install 'anmf[plot]'" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bogus"], "invalid choice: 'bogus'"),
        (["demo", "extra"], "unrecognized arguments: extra"),
        (["demo", "--digits", "3"], "at least two different digits"),
        (["demo", "--digits", "3", "12"], "digits=[3, 12] must be"),
        (["demo", "--digits", "x", "y"], "invalid int value: 'x'"),
        (["demo", "--n-components", "0"], "n_components=0 must be from 1 to 125"),
        (["demo", "--n-components", "126"], "n_components=126 must be from 1 to 125"),
        (["demo", "--n-components", "1.5"], "invalid int value: '1.5'"),
        (["demo", "--seed", "-1"], "seed=-1 must be an integer of at least 0"),
        (["demo", "-o", "a.svg"], "output='a.svg' must end in .png"),
        (["demo", "-o", "a"], "output='a' must end in .png"),
        (["demo", "-o", "."], "output='.' is a folder"),
        (["demo", "-o", "absent/a.png"], "output='absent/a.png' is in a folder that doesn't exist"),
    ],
)
def test_user_errors_are_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.startswith("anmf: error: ")
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert not list(tmp_path.iterdir())


def test_output_without_permission(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo.os, "access", lambda path, mode: False)
    assert main(["demo", "-o", str(tmp_path / "a.png")]) == 2
    assert "can't be written" in capsys.readouterr().err


def test_interruption(monkeypatch, capsys):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "measure", interrupt)
    assert main(["demo", "--no-picture", *SMALL]) == 130
    assert capsys.readouterr().err == "anmf: interrupted\n"


def test_module_runs_as_a_command():
    command = [sys.executable, "-m", "anmf"]
    run = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert run.stdout == f"anmf {__version__}\n"
    run = subprocess.run([*command, "demo", "--seed", "-1"], capture_output=True, text=True)
    assert run.returncode == 2
    assert "Traceback" not in run.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX pipe")
def test_reader_that_leaves_early():
    command = f"'{sys.executable}' -m anmf demo --no-picture {' '.join(SMALL)} | head -n 1"
    run = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert run.stdout.startswith("100 mixtures")
    assert run.stderr == ""
