"""Fixtures that tests of determined separation share."""

import pytest

from anmf.iva import unrolled


@pytest.fixture
def engine(reference, monkeypatch):
    """The compiled twins, or the references in their place."""
    if reference:
        for name in ("power", "power_reverse", "next_demixing", "next_demixing_reverse"):
            monkeypatch.setattr(unrolled, name, getattr(unrolled, name).reference)
