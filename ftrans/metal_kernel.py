"""`ftrans.fast.metal_kernel`: the user's own kernels, with MLX's calling convention.

The native side, native/metal/steps/custom.h, says which numbers the text made here is given.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._native import Array, Dtype, current_stream, default_device
from .core import tracing
from .core.avals import ShapedArray, shaped_array
from .ops.operands import as_array, as_integers, normalize_shape
from .ops.promotion import as_dtype
from .ops.streams import stream_of
from .primitives._helpers import numpy_dtype
from .primitives.metal_kernel import KernelText, metal_kernel_p

#: Metal's types; float64 and complex128 have none.
_TYPES = {
    "bool": "bool", "int8": "int8_t", "int16": "int16_t", "int32": "int32_t", "int64": "int64_t",
    "uint8": "uint8_t", "uint16": "uint16_t", "uint32": "uint32_t", "uint64": "uint64_t",
    "float16": "half", "bfloat16": "bfloat", "float32": "float", "complex64": "float2",
}  # fmt: skip

#: Positions that the device gives, and their types.
_GIVEN = {
    "thread_position_in_threadgroup": "uint3", "threads_per_threadgroup": "uint3",
    "thread_index_in_threadgroup": "uint", "thread_index_in_simdgroup": "uint",
    "simdgroup_index_in_threadgroup": "uint", "simdgroups_per_threadgroup": "uint",
}  # fmt: skip

#: Positions that follow from those and from the grid, which need not consist of whole threadgroups.
_DERIVED = {
    "threadgroup_position_in_grid": "const uint3 {0} = ftrans_group + ftrans_first;",
    "thread_position_in_grid": (
        "const uint3 {0} = (ftrans_group + ftrans_first) * ftrans_size + thread_position_in_threadgroup;"
    ),
    "threads_per_grid": "const uint3 {0} = ftrans_threads;",
    "threadgroups_per_grid": "const uint3 {0} = (ftrans_threads + ftrans_size - uint3(1)) / ftrans_size;",
    "dispatch_threads_per_threadgroup": "const uint3 {0} = ftrans_size;",
    "threads_per_simdgroup": "const uint {0} = 32;",
}

#: A kernel has 31 buffers, three of them for numbers.
_MOST_ARRAYS = 28
_MOST_THREADS = 1024


def _type_of(dtype: Dtype, what: str) -> str:
    if dtype.name not in _TYPES:
        other = "complex64" if dtype.kind == "c" else "float32"
        raise TypeError(f"{what} must have a dtype that Metal has, got {dtype.name}; convert it to {other}")
    return _TYPES[dtype.name]


def _text_of(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"metal_kernel: {what} must be a str, got {type(value).__name__}")
    return value


def _identifier(value: Any, what: str) -> str:
    if not re.fullmatch(r"[A-Za-z]\w*", _text_of(value, what), re.ASCII):
        raise ValueError(f"metal_kernel: {what} must be an identifier, got {value!r}")
    return value


def _names(values: Any, what: str) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise TypeError(f"metal_kernel: {what} must be a sequence of str, got {values!r}")
    return tuple([_identifier(value, f"{what}[{i}]") for i, value in enumerate(values)])


class MetalKernel:
    """A kernel of the user's: see `metal_kernel`."""

    def __init__(
        self,
        name: str,
        input_names: Sequence[str],
        output_names: Sequence[str],
        source: str,
        header: str,
        ensure_row_contiguous: bool,
        atomic_outputs: bool,
    ):
        self.name = _identifier(name, "name")
        self.input_names = _names(input_names, "input_names")
        self.output_names = _names(output_names, "output_names")
        names = self.input_names + self.output_names
        if not self.output_names:
            raise ValueError("metal_kernel: output_names must have one name at least")
        if len(set(names)) < len(names):
            raise ValueError(f"metal_kernel: input_names and output_names must be different, got {names}")
        if len(names) > _MOST_ARRAYS:
            raise ValueError(
                f"metal_kernel: {len(names)} inputs and outputs are more than Metal binds ({_MOST_ARRAYS})"
            )
        self._source = _text_of(source, "source")
        self._header = _text_of(header, "header")
        self._row_contiguous = bool(ensure_row_contiguous)
        self._atomic = bool(atomic_outputs)
        self._words = frozenset(re.findall(r"\w+", source))

    def __repr__(self) -> str:
        return f"metal_kernel({self.name!r}, {list(self.input_names)} -> {list(self.output_names)})"

    def __call__(
        self,
        *,
        inputs: Sequence[Any],
        output_shapes: Sequence[Any],
        output_dtypes: Sequence[Any],
        grid: Sequence[int],
        threadgroup: Sequence[int],
        template: Sequence[tuple[str, Any]] = (),
        init_value: complex | None = None,
        verbose: bool = False,
        stream: Any = None,
    ) -> list[Array]:
        """Run the kernel: see `metal_kernel`."""
        where = current_stream() if stream is None else stream_of(stream, f"{self.name}: stream")
        device = default_device() if where is None else where.device
        if device.type != "gpu":
            raise ValueError(
                f"{self.name}: a Metal kernel runs on a GPU, got {device}; pass stream=ftrans.gpu"
            )
        arrays = self._inputs(inputs)
        out_avals = self._outputs(output_shapes, output_dtypes)
        threads = self._extents(grid, "grid", 2**32 - 1)
        group = self._extents(threadgroup, "threadgroup", _MOST_THREADS)
        if math.prod(group) > _MOST_THREADS:
            raise ValueError(
                f"{self.name}: threadgroup must have {_MOST_THREADS} threads at most, got {group}"
            )
        text = KernelText(self._text([x.aval for x in arrays], out_avals, self._template(template)))
        if verbose:
            print(text)
        parameters = {
            "name": self.name,
            "entry_point": self._function,
            "text": text,
            "out_avals": out_avals,
            "grid": threads,
            "threadgroup": group,
            "row_contiguous": self._row_contiguous,
            "initial_values": self._initial_values(init_value, out_avals),
        }
        if stream is None:
            return metal_kernel_p.bind(*arrays, **parameters)
        return tracing.run_on(where, metal_kernel_p.bind, *arrays, **parameters)

    @property
    def _function(self) -> str:
        return f"custom_kernel_{self.name}"

    def _inputs(self, inputs: Any) -> list[Array]:
        if not isinstance(inputs, (list, tuple)) or len(inputs) != len(self.input_names):
            got = f"{len(inputs)}" if isinstance(inputs, (list, tuple)) else type(inputs).__name__
            names = ", ".join(self.input_names)
            raise ValueError(
                f"{self.name}: inputs must be a list of {len(self.input_names)} arrays ({names}), got {got}"
            )
        arrays = []
        for name, given in zip(self.input_names, inputs, strict=True):
            array = as_array(given, self.name, name)
            _type_of(array.dtype, f"{self.name}: {name}")
            arrays.append(array)
        return arrays

    def _outputs(self, shapes: Any, dtypes: Any) -> tuple[ShapedArray, ...]:
        count = len(self.output_names)
        for what, given in (("output_shapes", shapes), ("output_dtypes", dtypes)):
            if not isinstance(given, (list, tuple)) or len(given) != count:
                raise ValueError(f"{self.name}: {what} must be a list of {count}, got {given!r}")
        avals = []
        for i, (shape, given) in enumerate(zip(shapes, dtypes, strict=True)):
            dtype = as_dtype(given, self.name, f"output_dtypes[{i}]")
            _type_of(dtype, f"{self.name}: output_dtypes[{i}]")
            avals.append(shaped_array(normalize_shape(self.name, shape, f"output_shapes[{i}]"), dtype))
        return tuple(avals)

    def _extents(self, given: Any, what: str, most: int) -> tuple[int, ...]:
        extents = as_integers(given, self.name, what)
        if len(extents) != 3 or not all(1 <= extent <= most for extent in extents):
            raise ValueError(f"{self.name}: {what} must be three ints from 1 to {most}, got {given!r}")
        return extents

    def _template(self, template: Any) -> list[str]:
        lines = []
        for i, (name, value) in enumerate(template):
            _identifier(name, f"template[{i}]")
            if isinstance(value, bool):
                lines.append(f"constexpr bool {name} = {str(value).lower()};")
            elif isinstance(value, int):
                lines.append(f"constexpr int {name} = {value};")
            else:
                what = f"{self.name}: template {name}"
                lines.append(
                    f"typedef {_type_of(as_dtype(value, self.name, f'template {name}'), what)} {name};"
                )
        return lines

    def _initial_values(self, value: Any, out_avals: Sequence[ShapedArray]) -> tuple[int, ...]:
        """The bits of an element of each output."""
        if value is None:
            return ()
        elements = [np.asarray(value).astype(numpy_dtype(aval.dtype)) for aval in out_avals]
        return tuple([int.from_bytes(x.tobytes().ljust(8, b"\0"), "little", signed=True) for x in elements])

    def _text(self, inputs: Sequence[ShapedArray], outputs: Sequence[ShapedArray], lines: list[str]) -> str:
        """The whole text; `lines` come before the source, and more are added."""
        parameters = self._input_parameters(inputs, lines)
        for name, aval in zip(self.output_names, outputs, strict=True):
            kind = _TYPES[aval.dtype.name]
            parameters.append(f"device {f'atomic<{kind}>' if self._atomic else kind}* {name}")
        parameters.append("constant int* ftrans_shapes")
        parameters.append("constant int64_t* ftrans_strides")
        parameters.append("constant uint* ftrans_grid")
        bound = [f"{parameter} [[buffer({i})]]" for i, parameter in enumerate(parameters)]
        bound += self._positions(lines)
        signature = f"kernel void {self._function}(\n    " + ",\n    ".join(bound) + ")"
        body = "".join([f"  {line}\n" for line in lines])
        head = f"#include <metal_stdlib>\nusing namespace metal;\n{self._header}\n"
        return f"{head}{signature} {{\n{body}{self._source}\n}}\n"

    def _input_parameters(self, inputs: Sequence[ShapedArray], lines: list[str]) -> list[str]:
        """Parameters for the inputs; adds the lines with what the source mentions of their layout."""
        parameters = []
        shapes, strides = 0, len(inputs)  # the strides lie behind the offsets
        for i, (name, aval) in enumerate(zip(self.input_names, inputs, strict=True)):
            kind = f"device const {_TYPES[aval.dtype.name]}"
            if aval.ndim == 0:
                parameters.append(f"{kind}& {name}")
            elif self._row_contiguous:
                parameters.append(f"{kind}* {name}")
            else:
                parameters.append(f"{kind}* {name}_memory")
                lines.append(f"{kind}* {name} = {name}_memory + ftrans_strides[{i}];")
            layout = {
                f"{name}_shape": f"constant int* {name}_shape = ftrans_shapes + {shapes};",
                f"{name}_strides": f"constant int64_t* {name}_strides = ftrans_strides + {strides};",
                f"{name}_ndim": f"constexpr int {name}_ndim = {aval.ndim};",
            }
            lines += [line for word, line in layout.items() if word in self._words]
            shapes += aval.ndim
            strides += aval.ndim
        return parameters

    def _positions(self, lines: list[str]) -> list[str]:
        """Parameters for the positions that the source mentions; adds the lines that make the others."""
        words = set(self._words)
        derived = [line.format(word) for word, line in _DERIVED.items() if word in words]
        positions = []
        if derived:
            words.add("thread_position_in_threadgroup")
            positions.append("uint3 ftrans_group [[threadgroup_position_in_grid]]")
            for place, name in enumerate(("threads", "size", "first")):
                numbers = ", ".join(f"ftrans_grid[{3 * place + i}]" for i in range(3))
                lines.append(f"const uint3 ftrans_{name} = uint3({numbers});")
            lines += derived
        return positions + [f"{kind} {word} [[{word}]]" for word, kind in _GIVEN.items() if word in words]


def metal_kernel(
    name: str,
    input_names: Sequence[str],
    output_names: Sequence[str],
    source: str,
    header: str = "",
    ensure_row_contiguous: bool = True,
    atomic_outputs: bool = False,
) -> MetalKernel:
    """A kernel written in Metal's shading language, to be called on arrays on a GPU.

    `source` is the body alone; the signature is made from the names and, at each call, the dtypes. In it an
    input of one dimension or more is a pointer (``device const float* x``), a scalar a reference, an output a
    pointer to row-major memory that holds `init_value`, or anything. ``x_shape``, ``x_strides`` (in elements)
    and ``x_ndim`` may be used for every input ``x``, and Metal's attributes by their names
    (``thread_position_in_grid``, ``thread_index_in_simdgroup``, …), positions being of type ``uint3``.
    complex64 is ``float2``.

    The kernel is called with keywords: ``kernel(inputs=…, output_shapes=…, output_dtypes=…, grid=…,
    threadgroup=…, template=(), init_value=None, verbose=False, stream=None)`` and returns a list of arrays.
    `grid` and `threadgroup` are three ints, threads in all and in a threadgroup; the grid need not consist of
    whole threadgroups. `template` has pairs of a name and its meaning in the source: a dtype, a bool or an
    int. `init_value` fills the outputs beforehand; `verbose` prints the text that is compiled.

    The text is compiled once, at the first evaluation that needs it.

    Args:
        name: an identifier, for messages.
        input_names: of the inputs, in the source.
        output_names: of the outputs, one at least.
        source: the body of the kernel.
        header: what stands before the kernel: functions, includes.
        ensure_row_contiguous: copy inputs that are not row-major without gaps; otherwise the source has to
            use their strides.
        atomic_outputs: outputs are pointers to ``atomic<float>``, and so on.

    Raises:
        TypeError: a name or text is no str; at a call, an array has a dtype that Metal does not have.
        ValueError: a name is no identifier, or given twice; at a call, a number of arrays, shape, `grid` or
            `threadgroup` is wrong, or the stream is not a GPU's.
        RuntimeError: at the evaluation, the text does not compile; the message shows it with line numbers.

    What the kernel computes is not known to ftrans: it has a derivative and a batching rule if a function
    around it has.

    >>> kernel = ft.fast.metal_kernel(
    ...     name="cube",
    ...     input_names=["x"],
    ...     output_names=["y"],
    ...     source="uint i = thread_position_in_grid.x; y[i] = x[i] * x[i] * x[i];",
    ... )
    >>> @ft.custom_vmap
    ... def run(x):
    ...     return kernel(
    ...         inputs=[x], output_shapes=[x.shape], output_dtypes=[x.dtype],
    ...         grid=(x.size, 1, 1), threadgroup=(256, 1, 1), stream=ft.gpu,
    ...     )[0]
    >>> @run.def_vmap
    ... def run_batch(axis_size, in_batched, x):
    ...     return run(x), True  # an elementwise kernel does not mind one more axis
    >>> @ft.custom_vjp
    ... def cube(x):
    ...     return run(x)
    >>> cube.defvjp(lambda x: (run(x), x), lambda x, g: (3.0 * x * x * g,))
    >>> if ft.is_available(ft.gpu):
    ...     x = ft.array([1.0, 2.0, 3.0])
    ...     assert cube(x).tolist() == [1.0, 8.0, 27.0]
    ...     assert ft.vmap(ft.grad(cube))(x).tolist() == [3.0, 12.0, 27.0]
    """
    return MetalKernel(name, input_names, output_names, source, header, ensure_row_contiguous, atomic_outputs)
