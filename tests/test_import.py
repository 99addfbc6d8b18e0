"""What `import ftrans` loads: its time is part of every program."""

import subprocess
import sys

import pytest

#: What is loaded for the functions that need it.
LOADED_LATER = (
    "ducc0",
    "ftrans.debugging",
    "ftrans.exporting",
    "ftrans.linalg",
    "ftrans.nn",
    "ftrans.random",
    "ftrans.special",
    "ml_dtypes",
    "opt_einsum",
    "optree",
    "safetensors",
    "wadler_lindig",
)


@pytest.fixture(scope="module")
def loaded():
    script = "import ftrans, sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return run.stdout.split()


@pytest.mark.parametrize("module", LOADED_LATER)
def test_is_loaded_when_first_needed(loaded, module):
    assert "ftrans" in loaded
    assert module not in loaded


def test_completion_shows_what_is_public():
    script = "import ftrans as ft; print(*dir(ft)); print(*dir(ft.debug))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    package, debug = (set(line.split()) for line in run.stdout.splitlines())
    assert {"grad", "debug_nans", "linalg", "random", "sin", "__version__"} <= package
    assert {"import_module", "Any"} & package == set()
    assert {"print", "callback"} <= debug
    assert {"Any", "np"} & debug == set()
