"""ftrans: composable transformations of numerical Python functions."""

from pkgutil import extend_path

# In a checkout this folder hides the installed package, which has the native module.
__path__ = extend_path(__path__, __name__)

from . import nn, ops, random
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
from .control_flow import associative_scan, cond, fori_loop, map, scan, switch, while_loop
from .core.avals import ShapedArray
from .core.errors import ConcretizationError, LeakedTracerError
from .core.jaxpr import ClosedJaxpr, Jaxpr
from .core.pytree import register_dataclass, register_pytree_node, tree_map
from .core.tracing import eval_jaxpr
from .ops import *  # noqa: F403  (all the array functions, which ops.__all__ lists)
from .runtime import async_eval, device_info, eval, is_available, stream
from .transforms.autodiff import grad, jvp, linearize, stop_gradient, value_and_grad, vjp
from .transforms.batching import vmap
from .transforms.custom import custom_jvp, custom_vjp
from .transforms.jacobian import hessian, jacfwd, jacrev
from .transforms.jit import jit, make_jaxpr

__version__ = "0.1.0"

__all__ = [
    "Array",
    "ClosedJaxpr",
    "ConcretizationError",
    "Device",
    "Dtype",
    "Jaxpr",
    "LeakedTracerError",
    "ShapedArray",
    "Stream",
    "associative_scan",
    "async_eval",
    "bfloat16",
    "bool_",
    "clear_cache",
    "complex128",
    "complex64",
    "cond",
    "cpu",
    "custom_jvp",
    "custom_vjp",
    "default_device",
    "default_stream",
    "device_info",
    "eval",
    "eval_jaxpr",
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
    "int16",
    "int32",
    "int64",
    "int8",
    "is_available",
    "jacfwd",
    "jacrev",
    "jit",
    "jvp",
    "linearize",
    "make_jaxpr",
    "map",
    "new_stream",
    "nn",
    "random",
    "register_dataclass",
    "register_pytree_node",
    "reset_peak_memory",
    "scan",
    "set_cache_limit",
    "set_default_device",
    "set_default_stream",
    "set_memory_limit",
    "stop_gradient",
    "stream",
    "switch",
    "synchronize",
    "tree_map",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
    *ops.__all__,
]
