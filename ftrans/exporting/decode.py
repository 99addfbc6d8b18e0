"""From the JSON of an exported program to jaxprs. A file may hold anything: all of it is checked."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from .. import _native
from .._native import Array, Dtype
from ..core.avals import ShapedArray, shaped_array
from ..core.call import CallPrimitive
from ..core.jaxpr import Atom, ClosedJaxpr, Equation, Jaxpr, Literal, Var, check_jaxpr
from ..core.primitive import Primitive, primitives
from ..core.tracing import eval_jaxpr
from ..ops.promotion import DTYPES
from ..primitives._helpers import numpy_dtype
from ..primitives.collective import Collective
from ..primitives.indexing import CLIP, PROMISE_IN_BOUNDS, gather_p, scatter_p
from ..primitives.layout import broadcast_scalar
from ..transforms import checkpoint_policies
from ..transforms.custom_function import Flat, MaybeFlat
from ..transforms.custom_jvp import JvpRules, custom_jvp_p
from ..transforms.custom_vjp import VjpRules, custom_vjp_p
from ..transforms.derivative import instantiate
from ..transforms.traced_function import jit_p

#: Equations in all, nested jaxprs counted as often as they are referred to.
MOST_EQUATIONS = 10_000_000

_INT64 = range(-(2**63), 2**63)


class Decoder:
    """Rebuilds the jaxprs of one program."""

    def __init__(self, jaxprs: Any, constants: Sequence[bytes]):
        self._constants = constants
        self._jaxprs: list[ClosedJaxpr] = []
        self._sizes: list[int] = []
        for encoded in _list(jaxprs):
            self._size = 0
            closed = self._decode(encoded)
            _check(self._size <= MOST_EQUATIONS, "it has too many equations")
            check_jaxpr(closed.jaxpr)
            self._jaxprs.append(closed)
            self._sizes.append(self._size)

    def function(self) -> ClosedJaxpr:
        """The last jaxpr, which the others are there for."""
        _check(bool(self._jaxprs), "it has no jaxpr")
        return self._jaxprs[-1]

    def _decode(self, encoded: Any) -> ClosedJaxpr:
        constants, inputs, equations, outputs = _fields(
            encoded, "constants", "inputs", "equations", "outputs"
        )
        variables: list[Var] = []

        def define(encoded: Any) -> Var:
            variables.append(Var(decode_type(encoded)))
            return variables[-1]

        def atom(encoded: Any) -> Atom:
            if type(encoded) is int:
                _check(0 <= encoded < len(variables), f"variable {encoded} is not defined")
                return variables[encoded]
            return _literal(*_fields(encoded, "type", "bytes"))

        constvars, consts = [], []
        for entry in _list(constants):
            aval, number = _list(entry, 2)
            constvars.append(define(aval))
            consts.append(self._constant(constvars[-1].aval, number))
        invars = [define(x) for x in _list(inputs)]
        decoded = []
        for entry in _list(equations):
            name, parameters, operands, results = _list(entry, 4)
            atoms = [atom(x) for x in _list(operands)]
            _check(type(name) is str and name in primitives, f"there is no primitive {name!r}")
            primitive = primitives[name]
            values = {key: self._parameter(value) for key, value in _dict(parameters).items()}
            if values.get("mode") == PROMISE_IN_BOUNDS and primitive in (gather_p, scatter_p):
                values["mode"] = CLIP  # a file's promise is not believed; where it is kept, this is the same
            equation = Equation(primitive, atoms, [define(x) for x in _list(results)], values)
            _check_parameters(equation)
            decoded.append(equation)
            self._size += 1
        return ClosedJaxpr(Jaxpr(constvars, invars, decoded, [atom(x) for x in _list(outputs)]), consts)

    def _constant(self, aval: ShapedArray, number: Any) -> Array:
        _check(type(number) is int and 0 <= number < len(self._constants), f"constant {number!r} is missing")
        return _native.from_numpy(_ndarray(aval, self._constants[number]).reshape(aval.shape))

    def _jaxpr(self, number: Any) -> ClosedJaxpr:
        _check(
            type(number) is int and 0 <= number < len(self._jaxprs), f"jaxpr {number!r} does not come earlier"
        )
        self._size += self._sizes[number]
        return self._jaxprs[number]

    def _parameter(self, encoded: Any) -> Any:
        if encoded is None or type(encoded) in (bool, str):
            return encoded
        if type(encoded) is int:
            _check(encoded in _INT64, f"the integer {encoded} is too large")
            return encoded
        ((kind, value),) = _dict(encoded).items()
        if kind == "float":
            return float.fromhex(value)
        if kind == "tuple":
            return tuple([self._parameter(x) for x in _list(value)])
        if kind == "dtype":
            return _dtype(value)
        if kind == "jaxpr":
            return self._jaxpr(value)
        if kind == "policy":
            _check(
                type(value) is str and value in checkpoint_policies.by_name, f"there is no policy {value!r}"
            )
            return checkpoint_policies.by_name[value]
        if kind == "jvp rules":
            return self._jvp_rules(*_fields(value, "name", "primal", "jvp"))
        if kind == "vjp rules":
            return self._vjp_rules(*_fields(value, "name", "primal", "fwd", "bwd", "present", "jvp"))
        return _fail(f"there is no kind of parameter {kind!r}")

    def _jvp_rules(self, name: Any, primal: Any, jvp: Any) -> JvpRules:
        _check(type(name) is str, "the name of a rule is not a text")
        primal, jvp = self._jaxpr(primal), self._jaxpr(jvp)
        tangents = [a.strong() for a in primal.in_avals]
        _check_inputs("a JVP rule", jvp, [*primal.in_avals, *tangents])
        n = len(primal.out_avals)
        _check_types("a JVP rule", jvp.out_avals, [*primal.out_avals, *primal.out_avals])

        def apply(primals: Flat, tangents: MaybeFlat) -> tuple[list[Array], list[Array]]:
            given = instantiate(tangents, primal.in_avals)
            results = _apply(jvp, *primals, *given)
            return results[:n], results[n:]

        return JvpRules(name, apply, symbolic_zeros=False)

    def _vjp_rules(self, name: Any, primal: Any, fwd: Any, bwd: Any, present: Any, jvp: Any) -> VjpRules:
        _check(type(name) is str, "the name of a rule is not a text")
        primal, fwd, bwd = self._jaxpr(primal), self._jaxpr(fwd), self._jaxpr(bwd)
        n = len(primal.out_avals)
        _check_inputs("a forward rule", fwd, primal.in_avals)
        _check_types("a forward rule", fwd.out_avals[:n], primal.out_avals)
        _check_inputs("a backward rule", bwd, [*fwd.out_avals[n:], *primal.out_avals])
        flags = _list(present, len(primal.in_avals))
        _check(all(type(flag) is bool for flag in flags), "a flag is not a truth value")
        _check_types(
            "a backward rule", bwd.out_avals, [a for a, p in zip(primal.in_avals, flags, strict=True) if p]
        )

        def forward(inputs: Flat, perturbed: Sequence[bool]) -> tuple[list[Array], list[Array]]:
            results = _apply(fwd, *inputs)
            return results[:n], results[n:]

        def backward(residuals: Flat, cotangents: MaybeFlat) -> list[Array | None]:
            given = instantiate(cotangents, primal.out_avals)
            gradients = iter(_apply(bwd, *residuals, *given))
            return [next(gradients) if flag else None for flag in flags]

        forward_mode = None if jvp is None else self._parameter(jvp)
        _check(forward_mode is None or isinstance(forward_mode, JvpRules), "a forward rule is not one")
        return VjpRules(name, forward, backward, forward_mode)


def _apply(closed: ClosedJaxpr, *args: Array) -> list[Array]:
    return eval_jaxpr(closed.jaxpr, closed.consts, *args)


def decode_type(encoded: Any) -> ShapedArray:
    """The aval of ``["float32", [2, 3], false]``."""
    dtype, shape, weak = _list(encoded, 3)
    extents = tuple(_list(shape))
    _check(all(type(n) is int and 0 <= n < 2**62 for n in extents), f"{shape!r} is not a shape")
    _check(type(weak) is bool, "a weak type is not a truth value")
    return shaped_array(extents, _dtype(dtype), weak)


def decode_tree(encoded: Any, leaf: Any) -> Any:
    """The tree of containers, with `leaf` at every leaf."""
    if encoded is None:
        return None
    if encoded == "leaf":
        return leaf
    ((kind, children),) = _dict(encoded).items()
    if kind in ("tuple", "list"):
        items = [decode_tree(x, leaf) for x in _list(children)]
        return tuple(items) if kind == "tuple" else items
    _check(kind == "dict", f"there is no kind of container {kind!r}")
    pairs = [_list(entry, 2) for entry in _list(children)]
    _check(all(type(key) in (str, int) for key, _ in pairs), "a key is neither a text nor an integer")
    return {key: decode_tree(x, leaf) for key, x in pairs}


# ---------------------------------------------------------------- checks


def _fail(problem: str) -> NoReturn:
    raise ValueError(problem)


def _check(condition: bool, problem: str) -> None:
    if not condition:
        _fail(problem)


def _list(encoded: Any, length: int | None = None) -> list[Any]:
    _check(
        type(encoded) is list and length in (None, len(encoded)), "a list is missing, or of another length"
    )
    return encoded


def _dict(encoded: Any) -> dict[str, Any]:
    _check(type(encoded) is dict, "a table is missing")
    return encoded


def _fields(encoded: Any, *names: str) -> list[Any]:
    table = _dict(encoded)
    _check(set(table) == set(names), f"a table does not have the entries {', '.join(names)}")
    return [table[name] for name in names]


def _dtype(name: Any) -> Dtype:
    _check(type(name) is str and name in DTYPES, f"there is no dtype {name!r}")
    return DTYPES[name]


def _ndarray(aval: ShapedArray, data: bytes) -> np.ndarray:
    _check(len(data) == aval.size * aval.dtype.itemsize, f"{len(data)} bytes do not make an array {aval}")
    _check(aval.dtype.kind != "b" or max(data, default=0) <= 1, "a truth value is neither 0 nor 1")
    dtype = numpy_dtype(aval.dtype)
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype)


def _literal(encoded: Any, data: Any) -> Literal:
    aval = decode_type(encoded)
    _check(type(data) is str, "the bytes of a constant are not a text")
    item = _ndarray(shaped_array((), aval.dtype), bytes.fromhex(data))[0].item()
    value = _native.scalar(item, aval.dtype, aval.weak_type)
    return Literal(broadcast_scalar(value, aval.shape), aval)


def _check_types(what: str, found: Sequence[ShapedArray], expected: Sequence[ShapedArray]) -> None:
    """That arrays of one kind can stand for those of the other; weak types may differ."""
    agree = len(found) == len(expected) and all(
        f.strong() is e.strong() for f, e in zip(found, expected, strict=True)
    )
    _check(agree, f"{what} has arrays {list(found)}, expected {list(expected)}")


def _check_inputs(what: str, closed: ClosedJaxpr, operands: Sequence[ShapedArray]) -> None:
    _check_types(f"the jaxpr of {what}", closed.in_avals, operands)


_WHILE = {
    "cond_jaxpr": ClosedJaxpr,
    "body_jaxpr": ClosedJaxpr,
    "num_cond_consts": int,
    "num_body_consts": int,
    "checkpointed": bool,
}
#: The types of the parameters of loops and branches.
_CONTROL_FLOW: dict[str, dict[str, type]] = {
    "scan": {"jaxpr": ClosedJaxpr, "num_consts": int, "num_carry": int, "length": int, "reverse": bool},
    "while": _WHILE,
    "while_vjp": {**_WHILE, "differentiated": tuple},
    "cond": {"branches": tuple},
}


def _check_parameters(equation: Equation) -> None:
    """The names and types of the parameters; their values are checked by the primitive's shape rule."""
    primitive, parameters = equation.primitive, equation.parameters
    _check(not isinstance(primitive, Collective), f"{primitive} stands outside of its vmap")
    operands = [x.aval for x in equation.inputs]
    if isinstance(primitive, CallPrimitive):
        _check(
            isinstance(parameters.get("jaxpr"), ClosedJaxpr), f"the parameter jaxpr of {primitive} is not one"
        )
        _check_inputs(primitive.name, parameters["jaxpr"], operands)
    if primitive is jit_p:
        _check(
            set(parameters) == {"jaxpr", "name"} and type(parameters["name"]) is str, "a call is malformed"
        )
    elif primitive in (custom_jvp_p, custom_vjp_p):
        _check(set(parameters) == {"jaxpr", "rules", "captured"}, "a custom rule is malformed")
        rules = JvpRules if primitive is custom_jvp_p else VjpRules
        _check(isinstance(parameters["rules"], rules), f"the rules of {primitive} are not such")
        _check(parameters["captured"] == 0, "a custom rule has captured arrays")
    elif primitive.name in _CONTROL_FLOW:
        expected = _CONTROL_FLOW[primitive.name]
        _check(
            {key: type(value) for key, value in parameters.items()} == expected,
            f"the parameters of {primitive} are not {expected}",
        )
        for name, kind in (("branches", ClosedJaxpr), ("differentiated", bool)):
            _check(
                all(type(x) is kind for x in parameters.get(name, ())), f"{name} of {primitive} is malformed"
            )
        _check(parameters.get("branches") != (), "there are no branches")
    elif primitive.linked_forward is None:
        _check_like_samples(primitive, parameters)
    else:
        names = {
            p.name
            for p in inspect.signature(primitive.linked_forward).parameters.values()
            if p.kind is p.KEYWORD_ONLY
        }
        _check(set(parameters) == names, f"the parameters of {primitive} are not {sorted(names)}")


def _check_like_samples(primitive: Primitive, parameters: dict[str, Any]) -> None:
    """Parameters must have the names and types of those in the samples that every primitive has."""
    samples = [sample.params for sample in primitive.samples]
    names = set(samples[0]) if samples else set()
    _check(set(parameters) == names, f"the parameters of {primitive} are not {sorted(names)}")
    for name, value in parameters.items():
        known = [sample[name] for sample in samples]
        _check(_resembles(value, known), f"the parameter {name} of {primitive} cannot be {value!r}")


def _resembles(value: Any, known: Sequence[Any]) -> bool:
    if type(value) is float and not math.isfinite(value):
        return False
    if type(value) is not tuple:
        return any(type(value) is type(x) for x in known)
    tuples = [x for x in known if type(x) is tuple]
    items = [item for x in tuples for item in x] or [0]  # in samples of empty tuples, they stand for integers
    return bool(tuples) and all(_resembles(item, items) for item in value)
