"""Runs the tests of this folder in a process that has the host Metal device."""

import os
import subprocess
import sys
from pathlib import Path


def test_this_folder_on_the_host_device():
    folder = Path(__file__).parent
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", str(folder)],
        env={**os.environ, "FTRANS_METAL": "host"},
        cwd=folder.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout
