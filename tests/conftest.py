"""What all tests share."""

import os

import pytest


def pytest_collection_modifyitems(items):
    """Tests on real data are skipped where no folder holds them."""
    if os.environ.get("ANMF_DATA"):
        return
    skip = pytest.mark.skip(reason="set ANMF_DATA to the folder that holds the data")
    for item in items:
        if "data" in item.keywords:
            item.add_marker(skip)
