"""
Real MNIST
==========

Learns two (or more) digits from 5000 training images each by every method, and separates 1000
mixtures of test images. That takes a minute or two, most of it for 'dnmf', which is best; with
``--quick``, of 500 images each, a few seconds. The images are downloaded on first use (about
15 MB)::

    python examples/mnist.py --digits 3 8
    python examples/mnist.py --quick
    python examples/mnist.py --picture digits.png
"""

import argparse
import sys
import time

import numpy as np

from anmf import NMF_separation, stack_sources
from anmf.datasets import fetch_mnist, make_mixtures
from anmf.metrics import psnr
from anmf.plotting import plot_separation


def main():
    options = parse()
    n_rows, n_mixtures = (500, 100) if options.quick else (5000, 1000)
    mnist = fetch_mnist()
    train = select(mnist, options.digits, slice(None, mnist.n_train))
    test = select(mnist, options.digits, slice(mnist.n_train, None))
    gain = 1 / len(options.digits)
    X, y = stack_sources([gain * rows[:n_rows] for rows in train])
    mixtures, parts = make_mixtures(test, n_mixtures=n_mixtures, random_state=0)

    print(f"{len(mixtures)} mixtures of the digits {options.digits}, {len(X)} training images")
    before = np.median(psnr(parts, mixtures[:, None]))
    print(f"median PSNR of the mixture as its own estimate: {before:.1f} dB\n")
    for method in ("nmf", "anmf", "dnmf"):  # compile
        model = NMF_separation(2, method=method, max_iter=1, random_state=0)
        model.fit(X[:: len(X) // 20], y[:: len(X) // 20])
    print(f"{'method':<10}{'components':>12}{'PSNR (dB)':>12}{'fit (s)':>10}{'separate (s)':>14}")
    for method, n_components in settings(options.quick):
        model = NMF_separation(n_components, method=method, random_state=0)
        start = time.perf_counter()
        model.fit(X, y)
        fitted = time.perf_counter()
        estimate = model.separate(mixtures)
        separated = time.perf_counter()
        print(
            f"{method:<10}{n_components:>12}{np.median(psnr(parts, estimate)):>12.1f}"
            f"{fitted - start:>10.2f}{separated - fitted:>14.2f}",
            flush=True,
        )
        if options.picture and (method, n_components) == settings(options.quick)[0]:
            draw(mixtures, parts, estimate, mnist.image_shape, options)


def settings(quick):
    if quick:
        return [(method, 64) for method in ("nmf", "exemplar", "anmf", "dnmf")]
    sizes = {"nmf": (64, 128, 256), "exemplar": (64, 1000), "anmf": (64,), "dnmf": (64,)}
    return [(method, k) for method in sizes for k in sizes[method]]


def select(mnist, digits, part):
    """Rows of each digit in one part of the data."""
    data, target = mnist.data[part], mnist.target[part]
    return [data[target == digit] for digit in digits]


def draw(mixtures, parts, estimate, image_shape, options):
    """Save three separations as a picture."""
    fig = plot_separation(
        mixtures, parts, estimate, image_shape, n_examples=3, labels=options.digits
    )
    fig.savefig(options.picture, dpi=110)


def parse():
    parser = argparse.ArgumentParser(description="Separate mixtures of MNIST digits.")
    parser.add_argument("--digits", nargs="+", type=int, choices=range(10), default=[0, 1],
                        metavar="D", help="the digits, two or more (0 1)")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="500 images each, 100 mixtures")
    parser.add_argument("--picture", metavar="PNG", help="draw what the first method did")
    options = parser.parse_args()
    if len(set(options.digits)) != len(options.digits) or len(options.digits) < 2:
        parser.error("--digits takes two or more different digits")
    return options


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"mnist.py: {error}")
