"""The command ``anmf``."""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import NoReturn

from anmf import __version__


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; see: {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str or None, default None
        Arguments; None for those of the process.

    Returns
    -------
    int
        Exit code: 0; 1 if some of several files failed or are clipped; 2 after an error of the
        user. Errors are told on stderr, in one line each.

    Examples
    --------
    >>> from anmf.cli import main
    >>> main(["demo", "--no-picture"])  # doctest: +SKIP
    """
    parser = build_parser()
    try:
        options = parser.parse_args(argv)
        if options.command is None:
            parser.print_help()
            return 0
        return options.command(options) or 0
    except BrokenPipeError:  # whoever read our output has left; Python would complain at its exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, ImportError, MemoryError) as error:
        print(f"anmf: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("anmf: interrupted", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    """Parser of the command line.

    Returns
    -------
    argparse.ArgumentParser
    """
    parser = _Parser(prog="anmf", description="Source separation that feels like scikit-learn.")
    parser.add_argument("--version", action="version", version=f"anmf {__version__}")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for add_command in (_add_demo, _add_denoise, _add_separate, _add_train, _add_score):
        add_command(commands)
    return parser


def _add_demo(commands):
    demo = commands.add_parser(
        "demo",
        help="separate overlaid digits and draw the result",
        description="Separate overlaid handwritten digits; nothing is downloaded.",
    )
    demo.set_defaults(command=_demo)
    add = demo.add_argument
    add("-o", "--output", metavar="PNG", default="anmf_demo.png",
        help="file for the picture (%(default)s)")  # fmt: skip
    add("--digits", metavar="D", nargs="+", type=int, default=(0, 1),
        help="digits to overlay, two or more (0 1)")  # fmt: skip
    add("--n-components", metavar="K", type=int, default=64,
        help="components of each digit (%(default)s)")  # fmt: skip
    add("--seed", metavar="N", type=int, default=0, help="seed of all random draws (%(default)s)")
    add("--no-picture", action="store_true", help="print the table only")


def _add_denoise(commands):
    denoise = commands.add_parser(
        "denoise",
        help="take the speech out of noisy audio files",
        description="Write the speech of audio files, of one or more channels, to a folder, under "
        "the same names. Files of the model's sampling rate (16 kHz for the built-in one) are "
        "processed in constant memory, however long. Others are read whole and resampled, and "
        "their speech is resampled back to the rate of the file: it then has no content above "
        "half of the lower rate. Outputs are 32-bit floating-point .wav, 24-bit .flac, or .ogg; "
        "the last two are clipped at full scale. Temporary files go to the system's folder for "
        "these (TMPDIR). The exit code is 1 if a file failed; the others are written all the same.",
    )
    denoise.set_defaults(command=_denoise)
    add = denoise.add_argument
    add("inputs", metavar="FILE", nargs="+",
        help="noisy .wav, .flac or .ogg files, or folders that are searched for audio")  # fmt: skip
    add("-o", "--output", metavar="DIR", required=True, help="folder for the speech; is made")
    add("--model", metavar="M.skops", help="model of `anmf train` (the built-in one)")
    add("--noise", action="store_true", help="also write the rest, the input minus the speech, to "
        "NAME.noise.SUFFIX")  # fmt: skip
    add("--jobs", metavar="N", type=int, default=1,
        help="files at a time; -1 for one a core (%(default)s)")  # fmt: skip
    add("--force", action="store_true", help="replace outputs that exist")


def _add_separate(commands):
    separate = commands.add_parser(
        "separate",
        help="take apart what several microphones recorded",
        description="Write the sources that audio files of two or more channels hold, one channel "
        "a microphone, to a folder: NAME.source1.SUFFIX and so on, each as it sounds at the "
        "reference microphone. Nothing but the recording is needed, and nothing is known of the "
        "order of the sources. .wav and .flac outputs have the sample format of the input (8-, "
        "16-, 24- or 32-bit, or floating-point; other formats of .wav become 32-bit "
        "floating-point), and the sampling rate; all but floating-point ones are clipped at full "
        "scale, which is told. Files are read whole. A table ends the output: levels are those of "
        "the sources at the reference microphone. Files that can't be read, are mono, silent, or "
        "shorter than one window for each channel (0.5 s for two) fail; the others are written all "
        "the same. Clipped recordings are separated, "
        "with a warning. All outputs of a file appear at once, when they are complete. The exit "
        "code is 0 if all is well, 1 if a file failed or is clipped, 2 for bad options, with "
        "nothing written.",
    )
    separate.set_defaults(command=_separate)
    add = separate.add_argument
    add("inputs", metavar="FILE", nargs="+",
        help=".wav, .flac or .ogg files, or folders that are searched for audio")  # fmt: skip
    add("-o", "--output", metavar="DIR", required=True, help="folder for the sources; is made")
    add("--sources", metavar="N", type=int,
        help="sources, at most as many as channels (as many)")  # fmt: skip
    add("--update", metavar="U", help="how the filters are updated: ip, ip2, iss or iss2 (iss2)")
    add("--model", metavar="M", help="model of the sources: cliques, gauss, ggd, laplace, nmf, "
        "student-t or surrogate (cliques)")  # fmt: skip
    add("--iterations", metavar="I", type=int, help="iterations at most (those of anmf.AuxIVA)")
    add("--n-fft", metavar="K", type=int,
        help="samples in a window (the power of two nearest to 0.256 s)")  # fmt: skip
    add("--reference", metavar="C", type=int, default=1,
        help="channel of the reference microphone; the first is 1 (%(default)s)")  # fmt: skip
    add("--images", action="store_true", help="write each source as all microphones hear it: "
        "outputs with all channels, which add up to the input (without --sources)")  # fmt: skip
    add("--jobs", metavar="N", type=int, default=1,
        help="files at a time; -1 for one a core (%(default)s)")  # fmt: skip
    add("--force", action="store_true", help="replace outputs that exist")


def _add_train(commands):
    train = commands.add_parser(
        "train",
        help="train a model for denoise",
        description="Train a model for `anmf denoise` on all recordings in a folder and the "
        "folders in it, mixed down to mono and resampled to 16 kHz; all are kept in memory. With "
        "--noise the model knows that noise beforehand and separates both; without, it learns the "
        "noise of every file that it denoises. With --adversarial-weight the file holds spectra "
        "of the speech. Needs: pip install 'anmf[models]'",
    )
    train.set_defaults(command=_train)
    add = train.add_argument
    add("--speech", metavar="DIR", required=True, help="folder of clean speech")
    add("--noise", metavar="DIR", help="folder of noise")
    add("-o", "--output", metavar="M.skops", required=True, help="file for the model")
    add("--components", metavar="K", type=int, default=64,
        help="components of speech, and of noise (%(default)s)")  # fmt: skip
    add("--adversarial-weight", metavar="W", type=float, default=0.0,
        help="if positive, speech learns to refuse the noise of a file (%(default)s)")  # fmt: skip
    add("--force", action="store_true", help="replace a model that exists")


def _add_score(commands):
    score = commands.add_parser(
        "score",
        help="measure how good separated audio files are",
        description="Compare separated audio files with the true ones: SNR, SI-SDR, and SDR, SIR "
        "and SAR of BSS Eval, in dB. Estimates may come in any order; the one of the largest mean "
        "SI-SDR counts. Several files are one source each, and their channels are averaged over; "
        "a single file with several channels holds one source a channel.",
    )
    score.set_defaults(command=_score)
    add = score.add_argument
    add("--reference", metavar="R", nargs="+", required=True, help="true sources")
    add("--estimate", metavar="E", nargs="+", required=True, help="separated sources")
    add("--mixture", metavar="M", help="what was separated; adds the improvement SI-SDRi")
    add("--csv", metavar="FILE", help="also write the table to this file")
    add("--force", action="store_true", help="replace the file of --csv if it exists")


def _demo(options):
    from anmf.demo import run_demo

    output = None if options.no_picture else options.output
    report = partial(print, flush=True)
    run_demo(options.digits, options.n_components, options.seed, output, report)


def _denoise(options):
    from anmf.commands.denoise import run_denoise

    n_failed = run_denoise(
        options.inputs, options.output, options.model, options.noise, options.jobs, options.force
    )
    return 1 if n_failed else 0


def _separate(options):
    from anmf.commands.separate import run_separate

    n_bad = run_separate(
        options.inputs, options.output, n_sources=options.sources, update=options.update,
        source_model=options.model, max_iter=options.iterations, n_fft=options.n_fft,
        reference=options.reference, images=options.images, n_jobs=options.jobs,
        force=options.force,
    )  # fmt: skip
    return 1 if n_bad else 0


def _train(options):
    from anmf.commands.train import run_train

    run_train(
        options.speech, options.output, options.noise, options.components,
        options.adversarial_weight, options.force,
    )  # fmt: skip


def _score(options):
    from anmf.commands.score import run_score

    run_score(options.reference, options.estimate, options.mixture, options.csv, options.force)
