"""Which primitives are linear, and in which operands: what tells a linear function from its jaxpr."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from ..core.primitive import Primitive
from .conversion import convert_p
from .convolution import conv_p
from .dynamic_slice import dynamic_slice_p, dynamic_update_slice_p
from .elementwise import (
    add_p,
    complex_p,
    conj_p,
    div_p,
    imag_p,
    mul_p,
    neg_p,
    real_p,
    safe_mul_p,
    select_p,
    sub_p,
)
from .fft import fft_p
from .indexing import gather_p, scatter_p
from .layout import broadcast_in_dim_p, reduce_sum_p, reshape_p, transpose_p
from .matmul import dot_general_p
from .rematerialization import checkpoint_name_p
from .scan_ops import cumsum_p
from .shape import concatenate_p, pad_p, rev_p, slice_p
from .solvers import diagonal_sylvester_p, solve_p, triangular_solve_p
from .window import reduce_window_sum_p


class Linearity(NamedTuple):
    """In which operands a primitive is linear; None for all of them.

    Jointly: as a function of all of these at once, like a sum. Separately: of each while the others are
    constant, like a product.
    """

    operands: Collection[int] | None
    jointly: bool

    def covers(self, operand: int) -> bool:
        """Whether an operand is one of them."""
        return self.operands is None or operand in self.operands


_FIRST = Linearity((0,), True)
_ALL = Linearity(None, True)
_EACH = Linearity((0, 1), False)

_LINEARITY: dict[Primitive, Linearity] = {
    **dict.fromkeys((neg_p, convert_p, real_p, imag_p, conj_p, checkpoint_name_p), _FIRST),
    **dict.fromkeys((reduce_sum_p, cumsum_p, broadcast_in_dim_p, reshape_p, transpose_p), _FIRST),
    **dict.fromkeys((slice_p, rev_p, dynamic_slice_p, gather_p, div_p), _FIRST),
    **dict.fromkeys((add_p, sub_p, complex_p, pad_p, concatenate_p), _ALL),
    **dict.fromkeys((fft_p, reduce_window_sum_p), _FIRST),
    **dict.fromkeys((mul_p, safe_mul_p, dot_general_p, conv_p), _EACH),
    **dict.fromkeys((solve_p, triangular_solve_p, diagonal_sylvester_p), Linearity((1,), True)),
    dynamic_update_slice_p: Linearity((0, 1), True),
    select_p: Linearity((1, 2), True),
}
_SCATTER = {"set": Linearity((0, 2), True), "add": Linearity((0, 2), True)}


def linearity(primitive: Primitive, parameters: dict[str, Any]) -> Linearity | None:
    """In which operands the operation is linear; None if in none."""
    if primitive is convert_p and parameters["dtype"].kind not in "fc":
        return None
    if primitive is scatter_p:
        return _SCATTER.get(parameters["kind"])
    return _LINEARITY.get(primitive)
