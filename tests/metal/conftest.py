"""The tests of this folder need the host Metal device, which a process has from its start or never.

Where this process has none, the folder's only test is test_on_host_device.py: it runs the others in a process
that has. To run some of them by hand: FTRANS_METAL=host python -m pytest tests/metal -k ...
"""

import logging
import mmap

import numpy as np
import pytest

import ftrans as ft
from ftrans import _native

HAS_DEVICE = ft.metal.is_available()

#: What was logged since this process began: an operation that runs on the CPU is told once.
NOTES: list[str] = []


class _Notes(logging.Handler):
    def emit(self, record):
        NOTES.append(record.getMessage())


if HAS_DEVICE:
    logging.getLogger("ftrans").addHandler(_Notes())
    logging.getLogger("ftrans").setLevel(logging.DEBUG)


def pytest_ignore_collect(collection_path):
    if not collection_path.name.startswith("test_"):
        return None
    return (collection_path.name == "test_on_host_device.py") == HAS_DEVICE or None


@pytest.fixture(autouse=True)
def cpu_by_default():
    """What a test does not put on the GPU runs on the CPU."""
    before = ft.default_device()
    ft.set_default_device(ft.cpu)
    yield
    ft.set_default_device(before)


@pytest.fixture
def host_option():
    """Sets an option of the host device until the test ends."""
    if not hasattr(_native, "set_host_metal_option"):  # on macOS
        pytest.skip("the device is not the host Metal device")
    defaults = {
        "seed": 0,
        "milliseconds": 60_000,
        "held": 0,
        "failing_compilations": 0,
        "failing_allocations": 0,
        "failing_command_buffers": 0,
    }
    yield _native.set_host_metal_option
    for name, value in defaults.items():
        _native.set_host_metal_option(name, value)


@pytest.fixture
def page_aligned():
    """Makes NumPy arrays that begin on a page."""

    def make(count, dtype=np.float32, offset=0):
        memory = mmap.mmap(-1, count * np.dtype(dtype).itemsize + mmap.PAGESIZE)
        return np.frombuffer(memory, dtype, count, offset)

    return make
