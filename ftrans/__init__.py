"""ftrans: composable transformations of numerical Python functions."""

from . import ops
from ._native import (
    Array,
    Dtype,
    bfloat16,
    bool_,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .core.avals import ShapedArray
from .core.errors import ConcretizationError, LeakedTracerError
from .core.jaxpr import ClosedJaxpr, Jaxpr
from .core.pytree import register_dataclass, register_pytree_node, tree_map
from .ops import *  # noqa: F403  (all the array functions, which ops.__all__ lists)
from .transforms.autodiff import grad, jvp, linearize, stop_gradient, value_and_grad, vjp
from .transforms.batching import vmap
from .transforms.custom import custom_jvp, custom_vjp
from .transforms.jacobian import hessian, jacfwd, jacrev
from .transforms.jit import jit, make_jaxpr

__all__ = [
    "Array",
    "ClosedJaxpr",
    "ConcretizationError",
    "Dtype",
    "Jaxpr",
    "LeakedTracerError",
    "ShapedArray",
    "bfloat16",
    "bool_",
    "complex64",
    "complex128",
    "custom_jvp",
    "custom_vjp",
    "float16",
    "float32",
    "float64",
    "grad",
    "hessian",
    "int8",
    "int16",
    "int32",
    "int64",
    "jacfwd",
    "jacrev",
    "jit",
    "jvp",
    "linearize",
    "make_jaxpr",
    "register_dataclass",
    "register_pytree_node",
    "stop_gradient",
    "tree_map",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "value_and_grad",
    "vjp",
    "vmap",
    *ops.__all__,
]
