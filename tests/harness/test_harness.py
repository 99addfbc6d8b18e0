"""The harness finds what it is there to find: a primitive with one wrong rule fails that rule's check."""

import numpy as np
import pytest

from ftrans.core.primitive import Sample, primitives
from tests.harness.cases import Case
from tests.harness.properties import PROPERTIES

_VALUES = np.array([[0.3, -1.2, 0.7], [2.0, 0.1, -0.4]])


def _sin(x):
    return primitives["sin"].bind(x)


def _cos(x):
    return primitives["cos"].bind(x)


def _mul(x, y):
    return primitives["mul"].bind(x, y)


def _neg(x):
    return primitives["neg"].bind(x)


def _floating(x):
    if x.dtype.kind != "f":
        raise TypeError(f"sine: x has dtype {x.dtype}, expected a floating-point one")
    return x


_RIGHT = {
    "abstract_eval": _floating,
    "impl": np.sin,
    "jvp": lambda primals, tangents, out: _mul(tangents[0], _cos(primals[0])),
    "vjp": lambda ct, primals, out, needed: [_mul(ct, _cos(primals[0]))],
    "batch": lambda args, dims, size: (_sin(args[0]), dims[0]),
}
_WRONG = {
    "impl": (np.cos, {"values", "edges", "layouts", "stream", "jit", "jvp", "vmap", "nested_vmap"}),
    # The right direction, of the wrong sign.
    "jvp": (lambda primals, tangents, out: _neg(_mul(tangents[0], _cos(primals[0]))), {"jvp", "vjp"}),
    # Right at first order, but differentiated as if cos(x) were a constant.
    "vjp": (lambda ct, primals, out, needed: [_mul(ct, primals[0])], {"vjp", "second_order"}),
    "batch": (lambda args, dims, size: (_sin(args[0]), 0), {"vmap", "nested_vmap"}),
}


def _failing(primitive) -> set[str]:
    failing = set()
    for name, check in PROPERTIES.items():
        try:
            check(Case(primitive, 0))
        except (AssertionError, ValueError, TypeError):
            failing.add(name)
    return failing


def _primitive(register, **replaced):
    sample = Sample((_VALUES,), differentiable=(0,))
    return register("sine", opcode="sin", **(_RIGHT | replaced), samples=(sample,))


def test_right_rules_pass(register):
    assert _failing(_primitive(register)) == set()


@pytest.mark.parametrize("rule", _WRONG)
def test_wrong_rule_fails(register, rule):
    wrong, expected = _WRONG[rule]
    assert expected <= _failing(_primitive(register, **{rule: wrong}))


def test_wrong_dtype_fails(register):
    primitive = _primitive(register, impl=lambda x: np.sin(x).astype(np.float32))
    assert "values" in _failing(primitive)


def test_wrong_shape_fails(register):
    primitive = _primitive(register, impl=lambda x: np.sin(x).reshape(-1))
    assert "values" in _failing(primitive)


def test_derivative_that_is_not_zero_everywhere_fails(register):
    # Differentiated by its own rules inside, a wrongly constant factor shows at second order only.
    constant = primitives["stop_gradient"]
    primitive = _primitive(
        register,
        vjp=lambda ct, primals, out, needed: [_mul(ct, constant.bind(_cos(primals[0])))],
    )
    assert _failing(primitive) == {"second_order"}
