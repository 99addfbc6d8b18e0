"""Captures: what the device did between two calls, in a file."""

import numpy as np
import pytest

import ftrans as ft


def work():
    ft.eval(ft.cumsum(ft.exp(ft.asarray(np.ones(5, np.float32)), stream=ft.gpu), stream=ft.gpu))
    ft.synchronize()


def test_capture_has_what_ran_meanwhile(tmp_path):
    before = ft.metal.counters()["kernel launches"]
    ft.metal.start_capture(tmp_path / "inside.gputrace")
    work()
    ft.metal.stop_capture()
    launches = ft.metal.counters()["kernel launches"] - before
    work()
    lines = (tmp_path / "inside.gputrace").read_text().splitlines()
    assert launches == 2
    assert sum("threadgroups of" in line for line in lines) == launches
    assert any(line.startswith("fused_") for line in lines)


def test_captures_one_at_a_time(tmp_path):
    with pytest.raises(RuntimeError, match="stop_capture: nothing is being captured"):
        ft.metal.stop_capture()
    ft.metal.start_capture(str(tmp_path / "first"))
    with pytest.raises(RuntimeError, match="a capture is going on already"):
        ft.metal.start_capture(tmp_path / "second")
    ft.metal.stop_capture()
    with pytest.raises(RuntimeError, match="first exists already"):
        ft.metal.start_capture(tmp_path / "first")
    ft.metal.start_capture(tmp_path / "second")
    ft.metal.stop_capture()


def test_paths_that_cannot_be(tmp_path):
    with pytest.raises(RuntimeError, match="start_capture: cannot write"):
        ft.metal.start_capture(tmp_path / "no such folder" / "trace")
    with pytest.raises(TypeError, match="start_capture: path has type bytes"):
        ft.metal.start_capture(b"trace")
    with pytest.raises(TypeError, match="int"):
        ft.metal.start_capture(3)
