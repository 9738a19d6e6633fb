import pytest

from anmf._core.optional import require


def test_present_module_is_returned():
    assert require("json.decoder", "plot").JSONDecoder


def test_absent_module_names_the_extra():
    with pytest.raises(ImportError, match=r"nowhere is needed.*pip install 'anmf\[plot\]'"):
        require("nowhere.to_be_found", "plot")
