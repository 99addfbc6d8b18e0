"""`ft.fast.metal_kernel`: kernels that users write."""

import numpy as np
import pytest

import ftrans as ft

COPY = ft.fast.metal_kernel("copy_elements", ["x"], ["y"], "uint i = thread_position_in_grid.x; y[i] = x[i];")


def cube_kernel():
    kernel = ft.fast.metal_kernel(
        name="cube",
        input_names=["x"],
        output_names=["y"],
        source="uint i = thread_position_in_grid.x; y[i] = power(x[i]);",
        header="inline float power(float x) { return x * x * x; }",
    )

    def run(x):
        return kernel(
            inputs=[x],
            output_shapes=[x.shape],
            output_dtypes=[x.dtype],
            grid=(x.size, 1, 1),
            threadgroup=(4, 1, 1),
            stream=ft.gpu,
        )[0]

    return run


def copied(x, **keywords):
    arguments = {
        "inputs": [x],
        "output_shapes": [x.shape],
        "output_dtypes": [x.dtype],
        "grid": (max(x.size, 1), 1, 1),
        "threadgroup": (8, 1, 1),
        "stream": ft.gpu,
    }
    return COPY(**(arguments | keywords))[0]


def test_values_and_derivatives():
    run = cube_kernel()
    batched = ft.custom_vmap(run)
    batched.def_vmap(lambda axis_size, in_batched, x: (run(x), True))
    cube = ft.custom_vjp(lambda x: batched(x))
    cube.defvjp(lambda x: (batched(x), x), lambda x, g: (3.0 * x * x * g,))
    x = np.linspace(-2, 2, 7, dtype=np.float32)
    np.testing.assert_allclose(cube(ft.array(x)), x**3, rtol=1e-6)
    np.testing.assert_allclose(ft.jit(cube)(ft.array(x)), x**3, rtol=1e-6)
    np.testing.assert_allclose(ft.vmap(cube)(ft.array(x)), x**3, rtol=1e-6)
    np.testing.assert_allclose(ft.vmap(ft.grad(cube))(ft.array(x)), 3 * x**2, rtol=1e-6)
    np.testing.assert_allclose(ft.grad(lambda x: ft.sum(ft.jit(cube)(x)))(ft.array(x)), 3 * x**2, rtol=1e-6)


DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
    "complex64",
)  # fmt: skip


def test_dtypes():
    kernel = ft.fast.metal_kernel(
        "copies",
        [f"x{i}" for i in range(len(DTYPES))],
        [f"y{i}" for i in range(len(DTYPES))],
        "".join(
            [
                f"y{i}[thread_position_in_grid.x] = x{i}[thread_position_in_grid.x];"
                for i in range(len(DTYPES))
            ]
        ),
    )
    arrays = [np.array([0, 1, 3, 100]).astype(dtype) for dtype in DTYPES]
    results = kernel(
        inputs=[ft.array(x) for x in arrays],
        output_shapes=[4] * len(DTYPES),
        output_dtypes=list(DTYPES),
        grid=(4, 1, 1),
        threadgroup=(4, 1, 1),
        stream=ft.gpu,
    )
    for x, y in zip(arrays, results, strict=True):
        assert y.dtype == x.dtype
        np.testing.assert_array_equal(y, x)


def test_positions_where_the_grid_is_not_of_whole_threadgroups():
    kernel = ft.fast.metal_kernel(
        "positions",
        [],
        ["y"],
        """
        uint3 p = thread_position_in_grid, n = threads_per_grid;
        device uint* row = y + ((p.z * n.y + p.y) * n.x + p.x) * 5;
        row[0] = p.x + 100 * p.y + 10000 * p.z;
        row[1] = threadgroup_position_in_grid.x + 100 * threadgroup_position_in_grid.y;
        row[2] = threads_per_threadgroup.x + 100 * threads_per_threadgroup.y;
        row[3] = threadgroups_per_grid.x + 100 * threadgroups_per_grid.y + 10000 * threadgroups_per_grid.z;
        row[4] = dispatch_threads_per_threadgroup.x + threads_per_simdgroup;
        """,
    )
    grid, group = (5, 3, 2), (2, 2, 1)
    (y,) = kernel(
        inputs=[], output_shapes=[(2, 3, 5, 5)], output_dtypes=[ft.uint32], grid=grid, threadgroup=group,
        stream=ft.gpu,
    )  # fmt: skip
    z, row, x = np.indices((2, 3, 5))
    expected = [
        x + 100 * row + 10000 * z,
        x // 2 + 100 * (row // 2),
        np.where(x < 4, 2, 1) + 100 * np.where(row < 2, 2, 1),
        np.full_like(x, 3 + 200 + 20000),
        np.full_like(x, 34),
    ]
    np.testing.assert_array_equal(y, np.stack(expected, -1))


def test_strides_shapes_and_scalars():
    kernel = ft.fast.metal_kernel(
        "strided",
        ["x", "scale"],
        ["y"],
        """
        uint3 p = thread_position_in_grid;
        y[p.y * x_shape[1] + p.x] = scale * x[int(p.y) * x_strides[0] + int(p.x) * x_strides[1]] + x_ndim;
        """,
        ensure_row_contiguous=False,
    )
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    views = [ft.array(x), ft.array(x).T, ft.flip(ft.array(x)), ft.broadcast_to(ft.array(x[0]), (3, 4))]
    for view in views:
        (y,) = kernel(
            inputs=[view, 2.0], output_shapes=[view.shape], output_dtypes=[ft.float32],
            grid=(view.shape[1], view.shape[0], 1), threadgroup=(2, 2, 1), stream=ft.gpu,
        )  # fmt: skip
        np.testing.assert_array_equal(y, 2 * np.array(view) + 2)
        np.testing.assert_array_equal(copied(view), np.array(view))  # made row-major


def test_template_initial_value_and_atomics():
    kernel = ft.fast.metal_kernel(
        "histogram",
        ["x"],
        ["bins"],
        """
        threadgroup T copies[N];
        uint i = thread_position_in_threadgroup.x;
        copies[i] = x[i];
        threadgroup_barrier(mem_flags::mem_threadgroup);
        atomic_fetch_add_explicit(&bins[copies[N - 1 - i]], twice ? 2 : 1, memory_order_relaxed);
        """,
        atomic_outputs=True,
    )
    x = np.array([0, 2, 2, 1, 2, 0], np.int32)
    for twice in (False, True):
        (bins,) = kernel(
            inputs=[ft.array(x)], output_shapes=[3], output_dtypes=[ft.int32], grid=(6, 1, 1),
            threadgroup=(6, 1, 1), template=[("T", ft.int32), ("N", 6), ("twice", twice)], init_value=10,
            stream=ft.gpu,
        )  # fmt: skip
        assert bins.tolist() == [10 + 2 * (1 + twice), 10 + 1 + twice, 10 + 3 * (1 + twice)]


def test_several_outputs_within_a_program(capsys):
    kernel = ft.fast.metal_kernel(
        "halves",
        ["x"],
        ["low", "high"],
        "uint i = thread_position_in_grid.x; low[i] = half(x[i]); high[i] = x[i] + 1.0f;",
    )

    @ft.jit
    def f(x):
        low, high = kernel(
            inputs=[x * 2], output_shapes=[x.shape, x.shape], output_dtypes=[ft.float16, ft.float32],
            grid=(x.size, 1, 1), threadgroup=(32, 1, 1), verbose=True, stream=ft.gpu,
        )  # fmt: skip
        return low, ft.exp(high)

    x = np.arange(5, dtype=np.float32)
    low, high = f(ft.array(x))
    assert "kernel void custom_kernel_halves" in capsys.readouterr().out
    assert low.dtype == ft.float16
    np.testing.assert_array_equal(low, 2 * x)
    np.testing.assert_allclose(high, np.exp(2 * x + 1), rtol=1e-5)


def test_text_that_does_not_compile():
    kernel = ft.fast.metal_kernel("broken", ["x"], ["y"], "y[0] = nothing_of_this_name;")
    x = ft.ones(1)
    (y,) = kernel(
        inputs=[x], output_shapes=[(1,)], output_dtypes=[ft.float32], grid=(1, 1, 1), threadgroup=(1, 1, 1),
        stream=ft.gpu,
    )  # fmt: skip
    with pytest.raises(RuntimeError, match="nothing_of_this_name"):
        ft.eval(y)
    assert copied(x).tolist() == [1.0]


def test_rules_that_only_the_user_can_give():
    run = cube_kernel()
    with pytest.raises(TypeError, match="custom_vjp"):
        ft.grad(lambda x: ft.sum(run(x)))(ft.ones(3))
    with pytest.raises(ValueError, match=r"cube: .*custom_vmap"):
        ft.vmap(run)(ft.ones((2, 3)))


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"stream": ft.cpu}, ValueError, "copy_elements: a Metal kernel runs on a GPU"),
        ({"stream": None}, ValueError, "pass stream=ftrans.gpu"),
        ({"stream": 3}, TypeError, "copy_elements: stream must be a Stream"),
        ({"inputs": []}, ValueError, "copy_elements: inputs must be a list of 1"),
        (
            {"inputs": [ft.ones(3, dtype=ft.float64)]},
            TypeError,
            "x must have a dtype that Metal has, got float64",
        ),
        ({"inputs": [[1.0]]}, TypeError, "copy_elements: x"),
        ({"output_shapes": []}, ValueError, "output_shapes must be a list of 1"),
        ({"output_shapes": [(-1,)]}, ValueError, r"output_shapes\[0\] must not be negative"),
        ({"output_dtypes": [ft.complex128]}, TypeError, "complex128; convert it to complex64"),
        ({"grid": (1, 1)}, ValueError, "grid must be three ints from 1"),
        ({"grid": (0, 1, 1)}, ValueError, "grid must be three ints from 1"),
        ({"threadgroup": (32, 32, 2)}, ValueError, "threadgroup must have 1024 threads at most"),
        ({"template": [("T", "no dtype")]}, TypeError, "template T"),
        ({"template": [("1", 1)]}, ValueError, "must be an identifier"),
    ],
)
def test_calls_that_are_refused(keywords, error, message):
    with pytest.raises(error, match=message):
        copied(ft.ones(3), **keywords)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("a b", ["x"], ["y"], ""), ValueError, "name must be an identifier, got 'a b'"),
        ((1, ["x"], ["y"], ""), TypeError, "name must be a str, got int"),
        (("f", "x", ["y"], ""), TypeError, "input_names must be a sequence of str"),
        (("f", ["x"], [], ""), ValueError, "output_names must have one name"),
        (("f", ["x"], ["x"], ""), ValueError, "must be different"),
        (("f", [f"x{i}" for i in range(28)], ["y"], ""), ValueError, "29 inputs and outputs"),
        (("f", ["x"], ["y"], None), TypeError, "source must be a str"),
    ],
)
def test_kernels_that_are_refused(arguments, error, message):
    with pytest.raises(error, match=f"metal_kernel: .*{message}|metal_kernel: {message}"):
        ft.fast.metal_kernel(*arguments)
