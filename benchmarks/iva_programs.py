"""Determined separation by several packages behind one call.

A program is a function ``start(X)`` of a spectrogram (n_frequencies, n_channels, n_frames) that
brings it into the layout its package wants and returns ``run(n_iter)``. Peers run at their
defaults, but record no objective unless the name says so.
"""

import sys
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from unittest.mock import patch

import numpy as np

from anmf import AuxIVA
from anmf.iva import auxiva

DEFAULTS = AuxIVA().get_params()
PYROOM, SSSPY, TORCHIVA = "pyroomacoustics", "ssspy", "torchiva"


def ours(X, update, model="laplace", n_threads=1):
    """This package."""
    options = {"update": update, "source_model": model, "tol": 0, "n_threads": n_threads}
    return lambda n_iter: auxiva(X, max_iter=n_iter, **options)


def pyroomacoustics(X, method="auxiva"):
    """AuxIVA with IP, or ILRMA, on (n_frames, n_frequencies, n_channels)."""
    function = getattr(import_module("pyroomacoustics.bss"), method)
    rows = np.ascontiguousarray(X.transpose(2, 0, 1))
    return lambda n_iter: function(rows, n_iter=n_iter)


def ssspy(X, update, objective=False):
    """AuxIVA with a Laplace model on (n_channels, n_frequencies, n_frames).

    It records the objective at its defaults, for which it takes some time, as ours does for next to
    nothing.
    """
    from ssspy.bss.iva import AuxLaplaceIVA

    planes = np.ascontiguousarray(X.transpose(1, 0, 2))
    return lambda n_iter: AuxLaplaceIVA(update, record_loss=objective)(planes, n_iter=n_iter)


def torchiva(X):
    """AuxIVA with ISS and a Laplace model on (n_channels, n_frequencies, n_frames)."""
    torch, package = load_torchiva()
    planes = torch.from_numpy(np.ascontiguousarray(X.transpose(1, 0, 2)))

    def run(n_iter):
        with torch.no_grad():
            return package.T_ISS(n_iter=n_iter, model=package.LaplaceModel())(planes)

    return run


@cache
def load_torchiva():
    """torch with one thread, and torchiva, or None twice.

    torchiva imports torchaudio, which comes apart from torch and often doesn't fit it. It reads
    files with it and builds neural models; neither is wanted here, so a stand-in will do.
    """
    if not find_spec(TORCHIVA) or not find_spec("torch"):
        return None, None
    import torch

    torch.set_num_threads(1)
    audio, transforms = ModuleType("torchaudio"), ModuleType("torchaudio.transforms")
    audio.transforms, transforms.MelScale = transforms, object
    try:
        with patch.dict(sys.modules, {m.__name__: m for m in (audio, transforms)}):
            return torch, import_module(TORCHIVA)
    except (ImportError, OSError):
        return None, None


OURS = {
    "anmf default": partial(ours, update=DEFAULTS["update"], model=DEFAULTS["source_model"]),
    **{f"anmf {u}": partial(ours, update=u) for u in ("ip", "iss", "ip2", "iss2")},
    "anmf iss2, gauss": partial(ours, update="iss2", model="gauss"),
    "anmf ip, nmf": partial(ours, update="ip", model="nmf"),
    "anmf iss2, nmf": partial(ours, update="iss2", model="nmf"),
}
PEERS = {
    "pyroomacoustics ip": pyroomacoustics,
    "pyroomacoustics ip, nmf": partial(pyroomacoustics, method="ilrma"),
    "ssspy ip": partial(ssspy, update="IP1"),
    "ssspy iss": partial(ssspy, update="ISS1"),
    "ssspy iss, objective": partial(ssspy, update="ISS1", objective=True),
    "ssspy ip2": partial(ssspy, update="IP2"),
    "ssspy iss2": partial(ssspy, update="ISS2"),
    "torchiva iss": torchiva,
}
PROGRAMS = {**OURS, **PEERS}
"""By package, update and, unless it is Laplace, source model."""


def has(package):
    """Whether a peer can be run."""
    return load_torchiva()[0] is not None if package == TORCHIVA else bool(find_spec(package))


def installed(names):
    """Those of the programs that can be run."""
    return [name for name in names if name in OURS or has(name.split()[0])]


def absent():
    """Packages to compare with that can't be run."""
    return [package for package in (PYROOM, SSSPY, TORCHIVA) if not has(package)]
