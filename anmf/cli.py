"""The command ``anmf``."""

import argparse
import os
import sys
from functools import partial

from anmf import __version__


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message):
        raise ValueError(f"{message}; see: {self.prog} --help")


def main(argv=None):
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process when not given.

    Returns
    -------
    int
        Exit code: 0, or 2 after an error of the user, which is told in one line on stderr.

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
        options.command(options)
    except BrokenPipeError:  # whoever read our output has left; Python would complain at its exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError) as error:
        print(f"anmf: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("anmf: interrupted", file=sys.stderr)
        return 130
    return 0


def build_parser():
    """Parser of the command line.

    Returns
    -------
    argparse.ArgumentParser
    """
    parser = _Parser(prog="anmf", description="Source separation that feels like scikit-learn.")
    parser.add_argument("--version", action="version", version=f"anmf {__version__}")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
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
    return parser


def _demo(options):
    from anmf.demo import run_demo

    output = None if options.no_picture else options.output
    report = partial(print, flush=True)
    run_demo(options.digits, options.n_components, options.seed, output, report)
