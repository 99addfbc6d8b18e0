"""What is known of memory, and its limit."""

import gc

import pytest

import ftrans as ft

MEBIBYTE = 2**20


def _buffer(mebibytes: int) -> ft.Array:
    x = ft.arange(mebibytes * MEBIBYTE // 4, dtype=ft.float32) + 0.0
    ft.eval(x)
    return x


def test_active_memory_follows_arrays():
    gc.collect()
    before = ft.get_active_memory()
    x = _buffer(8)
    assert ft.get_active_memory() - before >= 8 * MEBIBYTE
    view = x[10:]
    ft.eval(view)
    del x
    assert ft.get_active_memory() - before >= 8 * MEBIBYTE  # the view holds the buffer
    del view
    assert ft.get_active_memory() - before < MEBIBYTE


def test_peak_memory_and_its_reset():
    x = _buffer(8)
    active = ft.get_active_memory()
    assert ft.get_peak_memory() >= active
    del x
    assert ft.get_peak_memory() >= active
    ft.reset_peak_memory()
    assert ft.get_peak_memory() < active


def test_released_memory_is_cached_and_cleared():
    x = _buffer(8)
    ft.clear_cache()
    assert ft.get_cache_memory() == 0
    del x
    assert ft.get_cache_memory() >= 8 * MEBIBYTE
    y = _buffer(8)
    assert ft.get_cache_memory() < 8 * MEBIBYTE  # taken from the cache
    del y
    ft.clear_cache()
    assert ft.get_cache_memory() == 0


def test_elementwise_chain_reuses_its_buffer():
    x = _buffer(16)
    ft.reset_peak_memory()
    before = ft.get_active_memory()
    for _ in range(10):
        x = ft.sin(x) + 1.0
    ft.eval(x)
    assert ft.get_peak_memory() - before <= 17 * MEBIBYTE


def test_update_in_place_copies_nothing():
    x = _buffer(16)
    ft.reset_peak_memory()
    before = ft.get_active_memory()
    x[3] = 5.0
    ft.eval(x)
    assert ft.get_peak_memory() - before < MEBIBYTE
    assert x[3].item() == 5.0


def test_update_copies_what_another_holds():
    x = _buffer(1)
    y = ft.array(x)
    x[3] = 5.0
    assert (x[3].item(), y[3].item()) == (5.0, 3.0)


def test_limit_is_an_error_that_loses_nothing():
    gc.collect()
    ft.clear_cache()
    x = _buffer(4)
    before = ft.set_memory_limit(ft.get_active_memory() + 6 * MEBIBYTE)
    try:
        y = ft.concatenate([x, x])
        with pytest.raises(MemoryError, match="limit"):
            ft.eval(y)
        assert x[-1].item() == MEBIBYTE - 1
    finally:
        restored = ft.set_memory_limit(before)
    assert restored < before
    assert y.shape == (2 * MEBIBYTE,)
    assert y[-1].item() == MEBIBYTE - 1


def test_limit_must_be_a_size():
    with pytest.raises((TypeError, ValueError)):
        ft.set_memory_limit(-1)
    with pytest.raises(TypeError):
        ft.set_memory_limit("1 GB")
