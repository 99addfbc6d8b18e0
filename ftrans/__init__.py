"""ftrans: composable transformations of numerical Python functions."""

from importlib import import_module
from pkgutil import extend_path
from typing import TYPE_CHECKING, Any

# In a checkout this folder hides the installed package, which has the native module.
__path__ = extend_path(__path__, __name__)

from . import metal, ops
from ._native import (
    Array,
    Device,
    Dtype,
    Stream,
    bfloat16,
    bool_,
    clear_cache,
    complex64,
    complex128,
    cpu,
    default_device,
    default_stream,
    float16,
    float32,
    float64,
    get_active_memory,
    get_cache_memory,
    get_memory_limit,
    get_peak_memory,
    gpu,
    int8,
    int16,
    int32,
    int64,
    new_stream,
    reset_peak_memory,
    set_cache_limit,
    set_default_device,
    set_default_stream,
    set_memory_limit,
    synchronize,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .callbacks import io_callback, pure_callback
from .control_flow import (
    associative_scan,
    cond,
    fixed_point,
    fori_loop,
    map,
    reduce,
    reduce_window,
    scan,
    switch,
    while_loop,
)
from .core.avals import ShapedArray
from .core.errors import CheckError, ConcretizationError, KeyReuseError, LeakedTracerError
from .core.jaxpr import ClosedJaxpr, Jaxpr
from .core.leaks import checking_leaks
from .core.pytree import register_dataclass, register_pytree_node, tree_map
from .core.tracebacks import traceback_filtering
from .core.tracing import eval_jaxpr
from .ops import *  # noqa: F403  (all the array functions, which ops.__all__ lists)
from .runtime import async_eval, device_info, eval, is_available, stream
from .shapes import ShapeDtypeStruct, eval_shape
from .transforms import checkpoint_policies
from .transforms.autodiff import grad, jvp, linearize, stop_gradient, value_and_grad, vjp
from .transforms.batch_paths import max_vmap_paths
from .transforms.checkpoint import checkpoint, checkpoint_name, remat, saved_residuals
from .transforms.collectives import (
    all_gather,
    all_to_all,
    axis_index,
    axis_size,
    pmax,
    pmean,
    pmin,
    ppermute,
    psum,
)
from .transforms.custom_function import SymbolicZero
from .transforms.custom_jvp import custom_jvp
from .transforms.custom_vjp import CustomVJPPrimal, custom_vjp
from .transforms.custom_vmap import custom_vmap
from .transforms.implicit import custom_linear_solve, custom_root
from .transforms.jacobian import hessian, hvp, jacfwd, jacrev
from .transforms.jit import disable_jit, jit, make_jaxpr
from .transforms.linear import linear_transpose
from .transforms.mapping import apply_along_axis
from .transforms.nan_safety import nan_safe_derivatives
from .transforms.stages import Compiled, Lowered
from .transforms.vectorize import vectorize
from .transforms.vmap import vmap

if TYPE_CHECKING:
    from . import debug, fast, fft, linalg, nn, random, special, testing
    from .checking import check
    from .debugging import checkify, debug_infs, debug_key_reuse, debug_nans
    from .exporting import Exported, export
    from .transforms.custom_gradient import closure_convert, custom_gradient
    from .transforms.jet import jet

#: Another name of `jit`.
compile = jit

#: What few programs use is loaded when it is first needed, with the modules of Python that it needs.
_LOADED_LATER = {
    "check": ".checking",
    "checkify": ".debugging",
    "closure_convert": ".transforms.custom_gradient",
    "custom_gradient": ".transforms.custom_gradient",
    "debug_infs": ".debugging",
    "debug_key_reuse": ".debugging",
    "debug_nans": ".debugging",
    "Exported": ".exporting",
    "export": ".exporting",
    "jet": ".transforms.jet",
}


_MODULES_LOADED_LATER = ("debug", "fast", "fft", "linalg", "nn", "random", "special", "testing")


def __getattr__(name: str) -> Any:
    if name in _MODULES_LOADED_LATER:
        return import_module(f".{name}", __name__)
    if name not in _LOADED_LATER:
        raise AttributeError(f"module 'ftrans' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LOADED_LATER[name], __name__), name)
    return value


__version__ = "0.1.0"

__all__ = [
    "Array",
    "CheckError",
    "ClosedJaxpr",
    "Compiled",
    "ConcretizationError",
    "CustomVJPPrimal",
    "Device",
    "Dtype",
    "Exported",
    "Jaxpr",
    "KeyReuseError",
    "LeakedTracerError",
    "Lowered",
    "ShapedArray",
    "ShapeDtypeStruct",
    "Stream",
    "SymbolicZero",
    "all_gather",
    "all_to_all",
    "apply_along_axis",
    "associative_scan",
    "async_eval",
    "axis_index",
    "axis_size",
    "bfloat16",
    "bool_",
    "check",
    "checking_leaks",
    "checkify",
    "checkpoint",
    "checkpoint_name",
    "checkpoint_policies",
    "clear_cache",
    "closure_convert",
    "compile",
    "complex128",
    "complex64",
    "cond",
    "cpu",
    "custom_gradient",
    "custom_jvp",
    "custom_linear_solve",
    "custom_root",
    "custom_vjp",
    "custom_vmap",
    "debug",
    "debug_infs",
    "debug_key_reuse",
    "debug_nans",
    "default_device",
    "default_stream",
    "device_info",
    "disable_jit",
    "eval",
    "eval_jaxpr",
    "eval_shape",
    "export",
    "fast",
    "fft",
    "fixed_point",
    "float16",
    "float32",
    "float64",
    "fori_loop",
    "get_active_memory",
    "get_cache_memory",
    "get_memory_limit",
    "get_peak_memory",
    "gpu",
    "grad",
    "hessian",
    "hvp",
    "int16",
    "int32",
    "int64",
    "int8",
    "io_callback",
    "is_available",
    "jacfwd",
    "jacrev",
    "jet",
    "jit",
    "jvp",
    "linalg",
    "linear_transpose",
    "linearize",
    "make_jaxpr",
    "max_vmap_paths",
    "map",
    "metal",
    "nan_safe_derivatives",
    "new_stream",
    "nn",
    "pmax",
    "pmean",
    "pmin",
    "ppermute",
    "psum",
    "pure_callback",
    "random",
    "reduce",
    "reduce_window",
    "register_dataclass",
    "register_pytree_node",
    "remat",
    "reset_peak_memory",
    "saved_residuals",
    "scan",
    "set_cache_limit",
    "set_default_device",
    "set_default_stream",
    "set_memory_limit",
    "special",
    "stop_gradient",
    "stream",
    "switch",
    "synchronize",
    "testing",
    "traceback_filtering",
    "tree_map",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "value_and_grad",
    "vectorize",
    "vjp",
    "vmap",
    "while_loop",
    *ops.__all__,
]


def __dir__() -> list[str]:
    # What is loaded later is there too, and what this file imports for itself is not.
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
