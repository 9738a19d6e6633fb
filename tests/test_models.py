"""Models in files; those of the commands are tested with them."""

import subprocess
import sys

import numpy as np
import pytest

from anmf import AuxIVA, SVDDecorrelator
from anmf.models import save_model

LOAD = "import sys; from anmf.models import load_model; print(load_model(sys.argv[1]))"


@pytest.mark.parametrize(
    "model", [AuxIVA(n_fft=64, max_iter=2), SVDDecorrelator(random_state=0)], ids=repr
)
def test_a_new_process_loads_every_family(model, tmp_path):
    X = np.random.default_rng(0).normal(size=(400, 3))
    save_model(tmp_path / "m.skops", model.fit(X))
    command = [sys.executable, "-c", LOAD, str(tmp_path / "m.skops")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.stdout.strip(), run.stderr) == (repr(model), "")
