"""Sounds that the tests of audio share."""

import numpy as np
import pytest

from tests.audio.toys import RATE, noise, voice


@pytest.fixture(scope="module")
def band():
    """Two voices and noise: 5 s of each to learn from, and 2 s of others to take apart."""
    parts = [voice(120, 28, 0.7, 1), voice(700, 28, 1.5, 2), 0.4 * noise(28 * RATE // 4)]
    parts = np.stack(parts, axis=1)
    return parts[: 20 * RATE // 4], parts[20 * RATE // 4 :]
