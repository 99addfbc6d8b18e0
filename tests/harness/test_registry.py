"""A primitive that cannot be checked fails here, by name."""

import numpy as np
import pytest

from ftrans.core.primitive import NoDerivative, Primitive, Sample, no_derivative, primitives, zero_derivative
from ftrans.primitives.collective import Collective
from ftrans.primitives.metal_kernel import UserKernel
from tests.harness.cases import Case, is_inexact, samples_of


def deficiencies(primitive: Primitive) -> list[str]:
    """What keeps the harness from checking a primitive."""
    found: list[str] = []
    samples = samples_of(primitive)
    if not samples:
        return ["has no samples"]
    derivatives = ("jvp", "vjp") if primitive.linked_forward is None else ("linked_forward",)
    rules = ("abstract_eval", "impl", "batch", *derivatives)
    found += [f"has no rule '{rule}'" for rule in rules if not callable(getattr(primitive, rule))]
    declared = isinstance(primitive.jvp, NoDerivative) or primitive.jvp is zero_derivative
    differentiated = {position for sample in samples for position in sample.differentiable}
    if not declared and not differentiated:
        found.append("is differentiable, but no sample says with respect to which operand")
    if isinstance(primitive.jvp, NoDerivative) != isinstance(primitive.vjp, NoDerivative):
        found.append("declares no derivative in one mode only")
    if isinstance(primitive.jvp, NoDerivative) and not primitive.jvp.reason:
        found.append("declares no derivative without a reason")
    found += [
        f"sample {index} differentiates operand {position}, which is not a floating one"
        for index, sample in enumerate(samples)
        for position in sample.differentiable
        if not _is_floating(Case(primitive, index).operands, position)
    ]
    return found


def _is_floating(operands, position: int) -> bool:
    return position < len(operands) and is_inexact(operands[position].dtype)


# Collectives mean something only to a whole batch: tests/transforms/test_collectives.py checks them.
# A user's kernel means what the user says: tests/metal/test_metal_kernel.py.
@pytest.mark.parametrize(
    "name", [n for n, p in primitives.items() if not isinstance(p, (Collective, UserKernel))]
)
def test_primitive_can_be_checked(name):
    assert not deficiencies(primitives[name]), (
        f"primitive '{name}' {'; '.join(deficiencies(primitives[name]))}"
    )


def _identity(x, **_):
    return x


_RULES = {
    "abstract_eval": _identity,
    "impl": _identity,
    "jvp": lambda primals, tangents, outs: tangents[0],
    "vjp": lambda cotangents, primals, outs, needed: [cotangents],
    "batch": lambda args, dims, size: (args[0], dims[0]),
}
_SAMPLE = Sample((np.ones(2),), differentiable=(0,))


@pytest.mark.parametrize("rule", _RULES)
def test_missing_rule_is_refused_by_name(register, rule):
    rules = {name: function for name, function in _RULES.items() if name != rule}
    with pytest.raises(TypeError, match=f"'incomplete' lacks {rule}"):
        register("incomplete", **rules, samples=(_SAMPLE,))


def test_taken_name_is_refused(register):
    with pytest.raises(ValueError, match="'sin' is already registered"):
        register("sin", **_RULES)


def test_deficiencies_are_found(register):
    assert deficiencies(register("complete", **_RULES, samples=(_SAMPLE,))) == []
    assert deficiencies(register("unsampled", **_RULES)) == ["has no samples"]
    plain = register("plain", **_RULES, samples=(Sample((np.ones(2),)),))
    assert "no sample says" in deficiencies(plain)[0]
    integer = register("integer", **_RULES, samples=(Sample((np.ones(2, np.int32),), differentiable=(0,)),))
    assert "not a floating one" in deficiencies(integer)[0]
    one_sided = register("one-sided", **(_RULES | {"jvp": no_derivative("it jumps")}), samples=(_SAMPLE,))
    assert "in one mode only" in deficiencies(one_sided)[0]
