"""Threefry-2x32 against the known answers of the Random123 library, and the counters of random_bits."""

import numpy as np
import pytest

from ftrans.primitives.random import threefry2x32
from tests.primitives.numpy_bridge import apply


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_known_answers(counter, key, expected):
    words = [tuple(np.array([word], np.uint32) for word in pair) for pair in (key, counter)]
    assert tuple(int(word[0]) for word in threefry2x32(*words)) == expected


def test_elements_depend_on_their_position_alone():
    key = np.array([3, 4], np.uint32)
    long = apply("random_bits", key, shape=(12,))
    np.testing.assert_array_equal(apply("random_bits", key, shape=(3, 4)).ravel(), long)
    np.testing.assert_array_equal(apply("random_bits", key, shape=(5,)), long[:5])


def test_first_element_is_the_block_of_counter_zero():
    assert int(apply("random_bits", np.zeros(2, np.uint32), shape=())) == 0x6B200159 ^ 0x99BA4EFE


def test_stacked_keys():
    keys = np.array([[1, 2], [3, 4]], np.uint32)
    got = apply("random_bits", keys, shape=(3,))
    np.testing.assert_array_equal(got, [apply("random_bits", key, shape=(3,)) for key in keys])


def test_bits_are_those_of_jax():
    jax = pytest.importorskip("jax")
    key = np.array([123, 4567], np.uint32)
    with jax.threefry_partitionable(True):
        expected = jax.random.bits(jax.random.wrap_key_data(key, impl="threefry2x32"), (7, 5), "uint32")
    np.testing.assert_array_equal(apply("random_bits", key, shape=(7, 5)), np.asarray(expected))


def test_errors():
    with pytest.raises(TypeError, match="random_bits: key has dtype int32, expected uint32"):
        apply("random_bits", np.zeros(2, np.int32), shape=())
    with pytest.raises(
        ValueError, match=r"random_bits: key must have 2 words in its last axis, got shape \(3,\)"
    ):
        apply("random_bits", np.zeros(3, np.uint32), shape=())
