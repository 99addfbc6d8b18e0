"""Arrays in files: NumPy's .npy and .npz, and safetensors."""

from __future__ import annotations

import importlib
import os
from typing import Any, BinaryIO

import numpy as np

from .._native import Array, bfloat16
from ..interop import to_array
from ..primitives._helpers import numpy_dtype
from .operands import as_array, describe
from .promotion import DTYPES
from .streams import attributed, streamed

__all__ = ["load", "save", "save_safetensors", "savez", "savez_compressed"]

File = str | os.PathLike | BinaryIO

_FORMATS = ("npy", "npz", "safetensors")


def _with_suffix(function: str, file: Any, suffix: str) -> Any:
    """A path that ends in the suffix, or the binary file object itself."""
    if hasattr(file, "write"):
        return file
    if not isinstance(file, (str, os.PathLike)):
        raise TypeError(f"{function}: file must be a path or a binary file, got {describe(file)}")
    path = os.fspath(file)
    return path if path.endswith(suffix) else path + suffix


@attributed
def save(file: File, x: Any, /) -> None:
    """Write an array in NumPy's .npy format.

    Args:
        file: a path, to which ".npy" is appended if it does not end so, or a binary file object.
        x: an array with known values.

    >>> import io
    >>> file = io.BytesIO()
    >>> ft.save(file, ft.array([1.0, 2.0]))
    >>> _ = file.seek(0)
    >>> ft.load(file, format="npy")
    array([1, 2], dtype=float32)
    """
    np.save(_with_suffix("save", file, ".npy"), np.asarray(as_array(x, "save")))


def _savez(function: str, write: Any, file: Any, args: tuple, named: dict[str, Any]) -> None:
    arrays = {f"arr_{i}": x for i, x in enumerate(args)}
    if clashes := arrays.keys() & named.keys():
        raise ValueError(f"{function}: arrays without a name are called arr_0, …; got {min(clashes)} twice")
    arrays |= named
    write(
        _with_suffix(function, file, ".npz"),
        **{name: np.asarray(as_array(x, function, name)) for name, x in arrays.items()},
    )


@attributed
def savez(file: File, /, *args: Any, **named: Any) -> None:
    """Write several arrays in NumPy's .npz format, a zip archive without compression.

    Args:
        file: a path, to which ".npz" is appended if it does not end so, or a binary file object.
        args, named: the arrays; those without a name are called arr_0, arr_1, …

    >>> import io
    >>> file = io.BytesIO()
    >>> ft.savez(file, ft.array([1.0]), b=ft.array([2]))
    >>> _ = file.seek(0)
    >>> sorted(ft.load(file, format="npz"))
    ['arr_0', 'b']
    """
    _savez("savez", np.savez, file, args, named)


@attributed
def savez_compressed(file: File, /, *args: Any, **named: Any) -> None:
    """As `savez`, with compression.

    >>> import io
    >>> file = io.BytesIO()
    >>> ft.savez_compressed(file, x=ft.zeros(1000))
    >>> len(file.getvalue()) < 1000
    True
    """
    _savez("savez_compressed", np.savez_compressed, file, args, named)


@attributed
def save_safetensors(file: File, arrays: dict[str, Any], /, metadata: dict[str, str] | None = None) -> None:
    """Write named arrays in the safetensors format.

    Args:
        file: a path, to which ".safetensors" is appended if it does not end so, or a binary file object.
        arrays: the arrays by name, which keep their dtypes, bfloat16 too.
        metadata: strings by name, to be written along.

    >>> import io
    >>> file = io.BytesIO()
    >>> ft.save_safetensors(file, {"weight": ft.ones(2)}, {"made by": "ftrans"})
    >>> _ = file.seek(0)
    >>> ft.load(file, format="safetensors", return_metadata=True)
    ({'weight': array([1, 1], dtype=float32)}, {'made by': 'ftrans'})
    """
    if not isinstance(arrays, dict) or not all(isinstance(name, str) for name in arrays):
        raise TypeError(f"save_safetensors: arrays must be a dict with names as keys, got {describe(arrays)}")
    if metadata is not None and not (
        isinstance(metadata, dict) and all(isinstance(v, str) for pair in metadata.items() for v in pair)
    ):
        raise TypeError(f"save_safetensors: metadata must be a dict of strings, got {describe(metadata)}")
    values = {name: np.array(as_array(x, "save_safetensors", name), order="C") for name, x in arrays.items()}
    contents = importlib.import_module("safetensors.numpy").save(values, metadata=metadata)
    target = _with_suffix("save_safetensors", file, ".safetensors")
    if hasattr(target, "write"):
        target.write(contents)
    else:
        with open(target, "wb") as opened:
            opened.write(contents)


#: The dtypes of safetensors that ftrans has, by the names in its headers.
_SAFETENSORS_DTYPES = {
    "BOOL": "bool", "I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64",
    "U8": "uint8", "U16": "uint16", "U32": "uint32", "U64": "uint64",
    "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64", "C64": "complex64",
}  # fmt: skip


@streamed
def load(
    file: File, /, format: str | None = None, return_metadata: bool = False, *, stream: Any = None
) -> Array | dict[str, Array] | tuple[dict[str, Array], dict[str, str]]:
    """Read what `save`, `savez` or `save_safetensors` wrote.

    Args:
        file: a path or a binary file object.
        format: "npy", "npz" or "safetensors"; by default what the path ends in.
        return_metadata: whether to return the metadata of a safetensors file too.

    Returns:
        An array (npy), or a dict of arrays by name; with `return_metadata` a tuple of it and the metadata.

    Raises:
        ValueError: the format is another, or cannot be told, or the file does not have it.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "x.npy"
    ...     ft.save(path, ft.arange(3))
    ...     ft.load(path)
    array([0, 1, 2], dtype=int32)
    """
    is_path = isinstance(file, (str, os.PathLike))
    if not is_path and not hasattr(file, "read"):
        raise TypeError(f"load: file must be a path or a binary file, got {describe(file)}")
    if format is None and is_path:
        format = os.path.splitext(os.fspath(file))[1][1:]  # type: ignore[arg-type]
    if format not in _FORMATS:
        raise ValueError(f"load: format must be one of {', '.join(_FORMATS)}; got {format!r}")
    if return_metadata and format != "safetensors":
        raise ValueError(f"load: return_metadata is for safetensors files, got format {format!r}")
    if format != "safetensors":
        try:
            loaded = np.load(file, allow_pickle=False)
        except (EOFError, ValueError, importlib.import_module("zipfile").BadZipFile) as error:
            raise ValueError(f"load: the file is not in the {format} format: {error}") from None
        if isinstance(loaded, np.ndarray):
            return _from_numpy(loaded)
        with loaded:
            return {name: _from_numpy(loaded[name]) for name in loaded.files}
    contents = _read(file)
    arrays = _from_safetensors(contents)
    if not return_metadata:
        return arrays
    size = int.from_bytes(contents[:8], "little")  # the header, JSON, comes first
    return arrays, importlib.import_module("json").loads(contents[8 : 8 + size]).get("__metadata__", {})


def _read(file: File) -> bytes:
    if not isinstance(file, (str, os.PathLike)):
        return file.read()
    with open(file, "rb") as opened:
        return opened.read()


def _from_numpy(values: np.ndarray) -> Array:
    if values.dtype == np.dtype("V2"):  # how NumPy writes bfloat16, which it does not know
        values = values.view(numpy_dtype(bfloat16))
    return to_array(values, None, None, "load")


def _from_safetensors(contents: bytes) -> dict[str, Array]:
    safetensors = importlib.import_module("safetensors")
    try:
        parts = safetensors.deserialize(contents)
    except safetensors.SafetensorError as error:
        raise ValueError(f"load: the file is not in the safetensors format: {error}") from None
    arrays = {}
    for name, part in parts:
        if part["dtype"] not in _SAFETENSORS_DTYPES:
            raise TypeError(f"load: array {name!r} has dtype {part['dtype']}, which ftrans does not have")
        dtype = numpy_dtype(DTYPES[_SAFETENSORS_DTYPES[part["dtype"]]])
        arrays[name] = to_array(np.frombuffer(part["data"], dtype).reshape(part["shape"]), None, True, "load")
    return arrays
