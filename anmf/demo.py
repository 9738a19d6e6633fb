"""A first look: overlaid digits, taken apart in a moment."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anmf._core.checks import check_count
from anmf._core.types import PathLike
from anmf.datasets import load_digit_mixtures
from anmf.metrics import psnr
from anmf.nmf import METHODS, NMF_separation

NEXT = """\
Next, with your own rows X and the source of each row y:
  from anmf import NMF_separation
  model = NMF_separation(n_components=64).fit(X, y)
  parts = model.separate(mixtures)  # (n, n_sources, m); they sum to the mixtures"""


@dataclass(frozen=True)
class Result:
    """How one method did.

    Parameters
    ----------
    method : str
        A name of `anmf.nmf.METHODS`.
    before, after : float
        Mean PSNR in dB of the mixture as its own estimate of each part, and of the parts.
    fit_seconds, separate_seconds : float
        How long it took to learn the bases, and to separate all mixtures.
    parts : ndarray of shape (n, n_sources, m)
        What was separated.
    """

    method: str
    before: float
    after: float
    fit_seconds: float
    separate_seconds: float
    parts: np.ndarray


def run_demo(
    digits: Sequence[int] = (0, 1),
    n_components: int = 64,
    seed: int = 0,
    output: PathLike | None = None,
    report: Callable[[str], object] = print,
) -> list[Result]:
    """Separate mixtures of digits with every method, and report how well and how fast.

    Parameters
    ----------
    digits : sequence of int, default (0, 1)
        The sources, at least two different digits.
    n_components : int, default 64
        Components of each source.
    seed : int, default 0
        Seed of all random draws.
    output : path or None, default None
        Where to save a picture of the separation, a .png file; None for no picture.
    report : callable, default print
        Receives the lines of text one by one.

    Returns
    -------
    list of Result
        One a method.

    Raises
    ------
    ValueError
        For bad digits, numbers or kinds of picture.
    OSError
        When the picture can't be written.
    """
    picture = None if output is None else check_output(output)
    check_count("seed", seed, minimum=0)
    data = load_digit_mixtures(digits, random_state=seed)
    check_size(n_components, data)
    names = " + ".join(map(str, data.digits))
    report(
        f"{len(data.X_test)} mixtures of the digits {names}, learnt from "
        f"{len(data.X_train)} images that aren't in them"
    )
    report("Warming up; the first run on a machine compiles for some seconds ...")
    report(f"Ready after {warm_up(data, n_components):.1f} s, which the table leaves out.\n")
    results = [measure(method, data, n_components, seed) for method in METHODS]
    report(format_table(results))
    if picture is not None:
        report(draw(results[0], data, picture))
    report(f"\n{NEXT}")
    return results


def check_output(output: PathLike) -> Path:
    """Path of the picture, refused before any work if it can't be written."""
    output = Path(output).expanduser()
    if output.is_dir():
        raise IsADirectoryError(f"output={str(output)!r} is a folder; name a .png file in it")
    if output.suffix.lower() != ".png":
        raise ValueError(f"output={str(output)!r} must end in .png")
    if not output.parent.is_dir():
        raise FileNotFoundError(
            f"output={str(output)!r} is in a folder that doesn't exist; make it first"
        )
    if not os.access(output if output.exists() else output.parent, os.W_OK):
        raise PermissionError(f"output={str(output)!r} can't be written; choose another place")
    return output


def check_size(n_components: int, data: Any) -> None:
    """Raise unless every source has enough training images for its components."""
    fewest = int(np.bincount(data.y_train).min())
    if not 1 <= n_components <= fewest:
        raise ValueError(
            f"n_components={n_components} must be from 1 to {fewest}, the number of training "
            "images of the rarest digit"
        )


def warm_up(data: Any, n_components: int) -> float:
    """Fit briefly and separate, so that compilation isn't taken for the speed of a method.

    Returns
    -------
    float
        Seconds.
    """
    start = time.perf_counter()
    for method in METHODS:
        model = NMF_separation(n_components, method=method, max_iter=2, warm_up=1, random_state=0)
        model.fit(data.X_train, data.y_train).separate(data.X_test)
    return time.perf_counter() - start


def measure(method: str, data: Any, n_components: int, seed: int) -> Result:
    """Fit one method and separate the mixtures.

    Returns
    -------
    Result
    """
    model = NMF_separation(n_components, method=method, random_state=seed)
    start = time.perf_counter()
    model.fit(data.X_train, data.y_train)
    fitted = time.perf_counter()
    parts = model.separate(data.X_test)
    separated = time.perf_counter()
    return Result(
        method=method,
        before=float(psnr(data.parts_test, data.X_test[:, None]).mean()),
        after=float(psnr(data.parts_test, parts).mean()),
        fit_seconds=fitted - start,
        separate_seconds=separated - fitted,
        parts=parts,
    )


def format_table(results: Sequence[Result]) -> str:
    """Results as lines of aligned columns.

    Returns
    -------
    str
    """
    lines = [
        f"{'method':<10}{'mixture':>10}{'separated':>12}{'to fit':>11}{'to separate':>14}",
        f"{'':<10}{'PSNR dB':>10}{'PSNR dB':>12}{'s':>11}{'s':>14}",
    ]
    lines += [
        f"{r.method:<10}{r.before:>10.1f}{r.after:>12.1f}{r.fit_seconds:>11.3f}"
        f"{r.separate_seconds:>14.3f}"
        for r in results
    ]
    return "\n".join(lines)


def draw(result: Result, data: Any, output: Path) -> str:
    """Save a picture of the first separations; tell where it is, or what it needs.

    Returns
    -------
    str
    """
    from anmf.plotting.pictures import blank_figure, plot_separation

    try:
        fig = blank_figure((2.4 + 2.3 * len(data.digits), 8.9))
    except ImportError:
        return "\nNo picture: matplotlib isn't installed; run: pip install 'anmf[plot]'"
    plot_separation(
        data.X_test, data.parts_test, result.parts, data.image_shape, labels=data.digits, fig=fig
    )
    fig.suptitle(f"NMF_separation, method='{result.method}'")
    fig.savefig(output, dpi=150)
    return f"\nPicture: {output.resolve()}"
