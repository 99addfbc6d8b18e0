"""Files: what is written is read again, by ftrans and by others."""

import io
import json

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

import ftrans as ft

DTYPES = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "bfloat16", "float32", "float64", "complex64",
]  # fmt: skip


def _array(dtype):
    values = np.arange(6).reshape(2, 3)
    return ft.array(values.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype))


def _assert_same(actual, expected):
    assert actual.dtype is expected.dtype
    assert actual.shape == expected.shape
    assert actual.tolist() == expected.tolist()


@pytest.mark.parametrize("dtype", [*DTYPES, "complex128"])
def test_npy(dtype, tmp_path):
    ft.save(tmp_path / "x", _array(dtype))
    _assert_same(ft.load(tmp_path / "x.npy"), _array(dtype))
    if dtype != "bfloat16":
        assert np.load(tmp_path / "x.npy").dtype == dtype


@pytest.mark.parametrize("save", [ft.savez, ft.savez_compressed])
def test_npz(save, tmp_path):
    save(str(tmp_path / "many"), _array("int8"), weight=_array("bfloat16"))
    loaded = ft.load(tmp_path / "many.npz")
    assert set(loaded) == {"arr_0", "weight"}
    _assert_same(loaded["weight"], _array("bfloat16"))


def test_safetensors(tmp_path):
    arrays = {dtype: _array(dtype) for dtype in DTYPES} | {"scalar": ft.array(2.5), "empty": ft.zeros((0, 3))}
    ft.save_safetensors(tmp_path / "model", arrays | {"transposed": _array("float32").T}, {"version": "1"})
    loaded, metadata = ft.load(tmp_path / "model.safetensors", return_metadata=True)
    assert metadata == {"version": "1"}
    for name, x in arrays.items():
        _assert_same(loaded[name], x)
    _assert_same(loaded["transposed"], _array("float32").T)
    header = (tmp_path / "model.safetensors").read_bytes()
    assert json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])["bfloat16"]["dtype"] == "BF16"


def test_safetensors_of_others():
    contents = safetensors.numpy.save({"x": np.arange(4, dtype=np.int16)})
    _assert_same(ft.load(io.BytesIO(contents), "safetensors")["x"], ft.arange(4, dtype=ft.int16))
    file = io.BytesIO()
    ft.save_safetensors(file, {"x": ft.arange(3)})
    np.testing.assert_array_equal(safetensors.numpy.load(file.getvalue())["x"], [0, 1, 2])


@pytest.mark.parametrize("format", ["npy", "npz", "safetensors"])
@pytest.mark.parametrize("contents", [b"", b"no such format at all"])
def test_files_of_something_else(format, contents):
    with pytest.raises(ValueError, match=f"load: the file is not in the {format} format"):
        ft.load(io.BytesIO(contents), format)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ft.load("x.txt"), ValueError, "format must be one of npy, npz, safetensors; got 'txt'"),
        (lambda: ft.load(3), TypeError, "file must be a path or a binary file, got int 3"),
        (
            lambda: ft.load("x.npy", return_metadata=True),
            ValueError,
            "return_metadata is for safetensors files",
        ),
        (lambda: ft.savez("x", ft.ones(1), arr_0=ft.ones(1)), ValueError, "got arr_0 twice"),
        (lambda: ft.save_safetensors("x", [ft.ones(1)]), TypeError, "arrays must be a dict"),
        (lambda: ft.save_safetensors("x", {}, {"a": 1}), TypeError, "metadata must be a dict of strings"),
        (lambda: ft.jit(lambda x: ft.save("x", x))(ft.ones(1)), ft.ConcretizationError, "jit traces"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
