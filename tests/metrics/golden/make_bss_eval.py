"""Write bss_eval.npz: signals, and what fast_bss_eval and mir_eval say of them.

Run ``python tests/metrics/golden/make_bss_eval.py`` with the extra 'bench' installed. Signals are
16-bit integers, so they are the same everywhere.
"""

import warnings
from importlib.metadata import version
from pathlib import Path

import fast_bss_eval
import mir_eval
import numpy as np
from scipy.signal import lfilter

N_TIMES = 4000
FILTER_LENGTHS = 1, 32, 512


def signals(n_sources, rng):
    """Coloured, modulated sources, and leaky, filtered, noisy estimates in another order."""
    shape = (N_TIMES, n_sources)
    slow = np.abs(lfilter([1.0], [1.0, -0.99], rng.standard_normal(shape), axis=0))
    sources = slow * lfilter([1.0], [1.0, -0.8], rng.standard_normal(shape), axis=0)
    mixing = np.eye(n_sources) + 0.2 * rng.standard_normal((n_sources, n_sources))
    heard = lfilter([1.0, 0.4, -0.2], [1.0], sources @ mixing, axis=0)
    estimate = heard + 0.5 * rng.standard_normal(shape)
    order = np.roll(np.arange(n_sources), 1)
    return integers(sources), integers(estimate[:, order])


def integers(x):
    """Scaled to half of the range of 16 bits."""
    return np.round(x * 16000 / np.abs(x).max()).astype(np.int16)


def main():
    """Make the file."""
    stored, rng = {}, np.random.default_rng(0)
    for n in (2, 3, 4):
        reference, estimate = signals(n, rng)
        stored |= {f"reference {n}": reference, f"estimate {n}": estimate}
        s, x = reference.T.astype(float), estimate.T.astype(float)
        for taps in FILTER_LENGTHS:
            values = fast_bss_eval.numpy.bss_eval_sources(s, x, filter_length=taps)
            stored[f"fast_bss_eval {n} {taps}"] = np.array(values)
            values = fast_bss_eval.numpy.bss_eval_sources(
                s + 100, x - 100, filter_length=taps, zero_mean=True
            )
            stored[f"zero_mean {n} {taps}"] = np.array(values)
        with warnings.catch_warnings(action="ignore"):
            stored[f"mir_eval {n} 512"] = np.array(mir_eval.separation.bss_eval_sources(s, x))
    versions = [f"{name} {version(name)}" for name in ("fast_bss_eval", "mir_eval", "numpy")]
    stored["versions"] = np.array(versions)
    np.savez_compressed(Path(__file__).with_name("bss_eval.npz"), **stored)


if __name__ == "__main__":
    main()
