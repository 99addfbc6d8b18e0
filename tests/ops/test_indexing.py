"""Indexing against NumPy: reads, writes, `.at`, with hand-picked and drawn keys."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

import ftrans as ft

SHAPE = (4, 3, 5)
X = np.arange(60, dtype=np.float32).reshape(SHAPE)
MASK = np.random.default_rng(1).random((4, 3)) > 0.5

KEYS = [
    0,
    -1,
    np.int64(2),
    slice(None),
    slice(1, 3),
    slice(None, None, -1),
    slice(3, 0, -2),
    slice(-3, None),
    slice(2, 2),
    slice(10, 20),
    ...,
    None,
    (),
    (1, 2, 3),
    (..., 0),
    (0, ...),
    (slice(None), 1),
    (None, 0, None, ..., None),
    (slice(1, None, 2), slice(None, None, -1), slice(0, 5, 3)),
    [0, 2],
    [],
    np.array([0, -1, 2]),
    np.array([[0, 1], [2, 3]]),
    np.array([1, 2], np.uint8),
    ([0, 1], [1, 2]),
    (slice(None), [0, 2]),
    (slice(None), [0, 2], [1, 1]),
    ([0, 1], slice(None), [1, 2]),
    (0, slice(None), [1, 2]),
    (slice(None), 0, [1, 2]),
    ([[0], [1]], [0, 2]),
    (..., [0, 1]),
    ([0, 1], None, [1, 2]),
    (None, [0, 1]),
    (slice(1, 3), [0, 2]),
    (slice(None, None, -1), [0, 2], slice(None, None, 2)),
    MASK,
    MASK[:, 0],
    (slice(None), MASK[0]),
    (MASK, 1),
    (MASK[:, 0], slice(None), [2]),
    X > 30,
    np.zeros(SHAPE, bool),
    True,
    False,
    (True, 0),
]


def _label(key):
    return str(key).replace("\n", "")[:40]


@pytest.mark.parametrize("key", KEYS, ids=_label)
def test_read(key):
    expected = X[key]
    out = np.asarray(ft.array(X)[key])
    assert out.shape == expected.shape
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("key", [k for k in KEYS if isinstance(k, (np.ndarray, list))], ids=_label)
def test_read_with_an_array_as_key(key):
    index = ft.array(np.asarray(key) if np.size(key) else np.zeros(0, np.int32))
    np.testing.assert_array_equal(np.asarray(ft.array(X)[index]), X[key])


@pytest.mark.parametrize("key", KEYS, ids=_label)
def test_write(key):
    for values in (7.0, np.arange(X[key].size, dtype=np.float32).reshape(X[key].shape)):
        expected = X.copy()
        expected[key] = values
        a = ft.array(X)
        before = a.copy()
        a[key] = values
        np.testing.assert_array_equal(np.asarray(a), expected)
        np.testing.assert_array_equal(np.asarray(before), X)


@pytest.mark.parametrize("key", KEYS, ids=_label)
@pytest.mark.parametrize(
    ("name", "ufunc"),
    [
        ("add", np.add),
        ("subtract", np.subtract),
        ("multiply", np.multiply),
        ("divide", np.divide),
        ("power", np.power),
        ("min", np.minimum),
        ("max", np.maximum),
    ],
)
def test_at(key, name, ufunc):
    expected = X.copy()
    ufunc.at(expected, key, np.float32(2))
    out = getattr(ft.array(X).at[key], name)(2.0)
    np.testing.assert_allclose(np.asarray(out), expected, rtol=1e-6)


def test_at_counts_repeated_indices():
    x = ft.zeros(3).at[ft.array([0, 0, 2])].add(ft.array([1.0, 2.0, 4.0]))
    assert x.tolist() == [3, 0, 4]
    assert ft.ones(3).at[[0, 0]].apply(lambda v: v * 10).tolist() == [10, 1, 1]
    assert ft.arange(3).at[1].mul(5).tolist() == [0, 5, 2]


_slices = st.slices(5)
_drawn_entries = st.one_of(
    _slices,
    st.none(),
    st.integers(-3, 2),
    st.lists(st.integers(-3, 2), min_size=2, max_size=2),
)


@hypothesis.given(st.lists(_drawn_entries, max_size=4), st.integers(0, 4), st.booleans())
def test_drawn_keys(entries, at, ellipsis):
    key = list(entries)
    if ellipsis:
        key.insert(at, ...)
    key = tuple(key)
    try:
        expected = X[key]
    except IndexError:
        with pytest.raises(IndexError):
            ft.array(X)[key]
        return
    np.testing.assert_array_equal(np.asarray(ft.array(X)[key]), expected)
    written, a = X.copy(), ft.array(X)
    written[key] = -1
    a[key] = -1
    np.testing.assert_array_equal(np.asarray(a), written)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (4, "index 4 is out of range for axis 0 with extent 4"),
        ((0, -4), "index -4 is out of range for axis 1 with extent 3"),
        ((0, 0, 0, 0), "too many indices: 4 for an array of 3 dimensions"),
        ([0, 9], "index 9 is out of range for axis 0 with extent 4"),
        ((..., ...), "only one ellipsis"),
        (([0, 1], [0, 1, 2]), "do not broadcast"),
        (np.ones((4, 4), bool), "mask of shape"),
    ],
    ids=_label,
)
def test_index_errors(key, message):
    with pytest.raises(IndexError, match=message):
        ft.array(X)[key]


@pytest.mark.parametrize("key", ["a", 1.5, object(), np.array([0.5])], ids=_label)
def test_index_type_errors(key):
    with pytest.raises(TypeError, match="index"):
        ft.array(X)[key]


def test_write_errors():
    a = ft.array(X)
    with pytest.raises(ValueError, match=r"values of shape \(7,\) do not broadcast to the selected \(3, 5\)"):
        a[0] = np.zeros(7)
    with pytest.raises(TypeError, match="complex values cannot be stored"):
        a[0] = 1j
    with pytest.raises(ValueError, match="mode must be one of"):
        a.at[0].add(1, mode="wrap")


def test_array_indices_out_of_range():
    x = ft.array([1.0, 2.0, 3.0])
    index = ft.array([0, 5])
    assert x[index].tolist() == [1, 3]
    assert np.isnan(x.at[index].get(mode="fill").tolist()[1])
    assert x.at[index].set(9.0).tolist() == [9, 2, 3]
    assert x.at[index].set(9.0, mode="clip").tolist() == [9, 2, 9]


def test_a_value_for_what_is_out_of_range():
    x = ft.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    index = ft.array([0, 5, -1])
    assert x.at[1, index].get(mode="fill", fill_value=7).tolist() == [4, 7, 6]
    taken = ft.take(x, index, axis=1, mode="fill", fill_value=-1.0)
    assert taken.tolist() == [[1, -1, 3], [4, -1, 6]]
    loss = lambda x, v: ft.sum(ft.take(x, index, axis=1, mode="fill", fill_value=v) ** 2)  # noqa: E731
    by_x, by_value = ft.jit(ft.grad(loss, (0, 1)))(x, 3.0)
    assert by_x.tolist() == [[2, 0, 6], [8, 0, 12]]
    assert by_value == 12.0
    assert ft.take(ft.array([True]), ft.array([3]), mode="fill", fill_value=False).tolist() == [False]
    with pytest.raises(ValueError, match=r"take: a fill_value needs mode='fill', got mode='clip'"):
        ft.take(x, index, fill_value=0.0)
    with pytest.raises(ValueError, match=r"at\[...\].get: fill_value must be a scalar, got shape \(3,\)"):
        x.at[1, index].get(mode="fill", fill_value=x[0])


def test_scalar_array_as_index():
    i = ft.array(1)
    np.testing.assert_array_equal(np.asarray(ft.array(X)[i]), X[1])
    np.testing.assert_array_equal(np.asarray(ft.array(X)[:, i, ::2]), X[:, 1, ::2])
    np.testing.assert_array_equal(np.asarray(ft.array(X)[-i, i]), X[-1, 1])
    a = ft.array(X)
    a[i, 0] = 5
    expected = X.copy()
    expected[1, 0] = 5
    np.testing.assert_array_equal(np.asarray(a), expected)


def test_basic_reads_are_views():
    text = str(ft.make_jaxpr(lambda x: x[::-2, 1, None])(ft.array(X)))
    assert "gather" not in text
    assert "dynamic" not in text


def test_traced_writes():
    @ft.vmap
    def f(x, i):
        x[i] = 0.0
        x[x > 4] = -1.0
        return x

    out = f(ft.array([[1.0, 5.0, 3.0], [6.0, 2.0, 1.0]]), ft.array([0, 2]))
    assert out.tolist() == [[0, -1, 3], [-1, 2, 0]]

    def g(x):
        x[1:] *= 2
        return ft.sum(x[::-1] * ft.array([3.0, 2.0, 1.0]))

    assert ft.grad(g)(ft.ones(3)).tolist() == [1, 4, 6]


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("indices", [1, [0, 2], [[0, 1], [2, -1]]])
def test_take(axis, indices):
    out = ft.take(ft.array(X), np.asarray(indices), axis=axis)
    np.testing.assert_array_equal(np.asarray(out), np.take(X, indices, axis=axis))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_along_axis(axis):
    order = np.argsort(-X, axis=axis)
    out = ft.take_along_axis(ft.array(X), ft.array(order), axis=axis)
    np.testing.assert_array_equal(np.asarray(out), np.take_along_axis(X, order, axis))
    first = np.take(order, [0], axis=axis)
    expected = X.copy()
    np.put_along_axis(expected, first, -5, axis)
    np.testing.assert_array_equal(np.asarray(ft.put_along_axis(ft.array(X), first, -5, axis=axis)), expected)


def test_iteration():
    assert [row.tolist() for row in ft.array([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    "key",
    [(None, 0, ..., 0, [0, 0]), (None, 0, 0, ..., [0, 0]), ([0, 1], ..., [1, 2], [0, 0]), (0, 0, 0, ...)],
)
def test_an_ellipsis_of_no_axes_separates_index_arrays(key):
    values = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(np.asarray(ft.array(values)[key]), values[key])


def test_many_indices_along_the_last_axis():
    x = np.arange(3 * 2 * 50, dtype=np.float64).reshape(3, 2, 50)
    index = np.random.default_rng(0).integers(-50, 60, (9, 555))  # in more than one block
    inside = index < 50
    found = np.asarray(ft.take(ft.array(x), ft.array(index), axis=2, mode="fill"))
    expected = np.where(inside, np.take(x, np.where(inside, index, 0), axis=2), np.nan)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [ft.int8, ft.uint8, ft.int32, ft.uint64])
@pytest.mark.parametrize("mode", ["drop", "clip"])
def test_points_of_a_vector_are_updated_in_order(dtype, mode):
    index = [3, 0, 3, 120, 3, 0]
    updates = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    index_array = ft.array(index, dtype=dtype)
    added = np.asarray(
        ft.zeros(4, dtype=ft.float64).at[index_array].add(ft.array(updates[:, None])[:, 0], mode=mode)
    )
    assert added.tolist() == [34, 0, 0, 21 + (8 if mode == "clip" else 0)]
    last = np.asarray(ft.zeros(4, dtype=ft.float64).at[index_array].set(ft.array(updates), mode=mode))
    assert last.tolist() == [32, 0, 0, 16]
