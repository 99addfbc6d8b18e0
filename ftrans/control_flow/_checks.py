"""Assertions as results: the interpreter of `checkify`, and its rules for loops and branches.

What has failed is a number, that of the first site in the order of the program, with the payload of all
sites. In straight code the payload of a site is whatever it is; a loop keeps that of the iteration that
failed first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .._native import Array, Interpreting, int32, scalar, set_source
from ..core.avals import ShapedArray
from ..core.call import CallPrimitive, ControlFlowPrimitive
from ..core.jaxpr import Atom, ClosedJaxpr, Equation, Jaxpr, has_effects, inner_jaxprs
from ..core.primitive import Primitive
from ..core.tracing import eval_jaxpr, run_on, trace_to_jaxpr
from ..primitives.check import Site, check_p
from ..primitives.conversion import convert_p
from ..primitives.dynamic_slice import dynamic_slice_p
from ..primitives.elementwise import add_p, ne_p, select_p
from ..primitives.layout import reshape
from ..primitives.reduction import argmax_p
from ..primitives.shape import concatenate_p
from ..transforms.batching import Dim, eval_batched, removed_axis
from ..transforms.traced_function import jit_p
from ._automatic_checks import after, before, is_checked
from ._derived import zeros

USER = "user"
Kinds = frozenset[str]


def _number(value: int) -> Array:
    return scalar(value, int32, False)


def _failed(code: Array) -> Array:
    return ne_p.bind(code, _number(0))


def _first(code: Array, other: Array) -> Array:
    return select_p.bind(_failed(code), code, other)


def _shifted(code: Array, by: int) -> Array:
    return select_p.bind(_failed(code), add_p.bind(code, _number(by)), code) if by else code


class Checks:
    """What has been asserted so far: the number of the site that failed first, the payload of all sites."""

    def __init__(self, kinds: Kinds):
        self.kinds = kinds
        self.code = _number(0)
        self.payload: list[Array] = []
        self.sites: list[Site] = []

    def add(self, code: Array, payload: Sequence[Array], sites: Sequence[Site]) -> None:
        """What is asserted next."""
        shifted = _shifted(code, len(self.sites))
        self.code = _first(self.code, shifted) if self.sites else shifted
        self.payload += payload
        self.sites += sites

    def add_batch(self, code: Array, payload: Sequence[Array], sites: Sequence[Site]) -> None:
        """The same for each item of a batch: the first that failed counts."""
        if not code.ndim:
            self.add(code, payload, sites)
            return
        shape, size = code.shape, code.size
        flat = reshape(code, (size,))
        failed = convert_p.bind(_failed(flat), dtype=int32)
        place = convert_p.bind(argmax_p.bind(failed, axis=0), dtype=int32)
        remaining = [_row(reshape(x, (size, *x.shape[len(shape) :])), place) for x in payload]
        arrays, mapped = iter(remaining), []
        chosen: list[Array] = []
        for site in sites:
            chosen += [place, *(next(arrays) for _ in range(site.num_payload))]
            mapped.append(Site(site.message, site.source, site.structure, site.leaves, (shape, *site.mapped)))
        self.add(_row(flat, place), chosen, mapped)


def _row(x: Array, place: Array) -> Array:
    start = [reshape(place, (1,)), *(reshape(_number(0), (1,)) for _ in x.shape[1:])]
    index = start[0] if len(start) == 1 else concatenate_p.bind(*start, axis=0)
    return reshape(dynamic_slice_p.bind(x, index, slice_sizes=(1, *x.shape[1:])), x.shape[1:])


def concerns(primitive: Primitive, parameters: dict[str, Any], kinds: Kinds) -> bool:
    """Whether there is anything to assert inside of the jaxprs of an equation."""
    return any(_jaxpr_concerns(closed, kinds) for closed in inner_jaxprs(parameters))


def _jaxpr_concerns(closed: ClosedJaxpr, kinds: Kinds) -> bool:
    def find() -> bool:
        return any(
            (e.primitive is check_p and USER in kinds)
            or is_checked(e, kinds)
            or concerns(e.primitive, e.parameters, kinds)
            for e in closed.jaxpr.equations
        )

    return closed.derive(("concerns checks", kinds), find)


def eval_checked(jaxpr: Jaxpr, consts: Sequence[Array], args: Sequence[Array], checks: Checks) -> list[Array]:
    """Apply a jaxpr, adding what is asserted in it to `checks`."""
    env: dict[Atom, Array] = dict(zip(jaxpr.constvars, consts, strict=True))
    env.update(zip(jaxpr.invars, args, strict=True))
    with Interpreting():
        for equation in jaxpr.equations:
            operands = [v.value if v.is_literal else env[v] for v in equation.inputs]
            set_source(equation.source)
            outs = run_on(equation.stream, _apply, equation, operands, checks)
            env.update(zip(equation.outputs, outs, strict=True))
    return [v.value if v.is_literal else env[v] for v in jaxpr.outvars]


def _apply(equation: Equation, operands: list[Array], checks: Checks) -> list[Array]:
    primitive, parameters = equation.primitive, equation.parameters
    if primitive is check_p and USER in checks.kinds:
        checks.add_batch(operands[0], operands[1:], parameters["sites"])
        return []
    if concerns(primitive, parameters, checks.kinds):
        if isinstance(primitive, CallPrimitive):
            return _apply_call(primitive, operands, parameters, checks)
        if isinstance(primitive, ControlFlowPrimitive) and primitive.checked is not None:
            return primitive.checked(primitive, checks, operands, **parameters)
    for assertion in before(primitive, operands, parameters, checks.kinds):
        _assert(assertion, equation, checks)
    results = primitive.bind(*operands, **parameters)
    outs = results if primitive.multiple_results else [results]
    for assertion in after(primitive, outs, checks.kinds):
        _assert(assertion, equation, checks)
    return outs


def _assert(assertion: Any, equation: Equation, checks: Checks) -> None:
    code = convert_p.bind(assertion.failed, dtype=int32)
    checks.add(code, assertion.values, [assertion.site(equation.source)])


def _apply_call(
    primitive: CallPrimitive, operands: list[Array], parameters: dict[str, Any], checks: Checks
) -> list[Array]:
    closed = parameters["jaxpr"]
    outs = eval_checked(closed.jaxpr, closed.consts, operands, checks)
    if primitive is jit_p or has_effects(closed):
        return outs
    return primitive.bind(*operands, **parameters)  # with its own derivative; the compiler merges the two


class Checked(NamedTuple):
    """A jaxpr that returns the number of what failed in it and the payload of its sites, then its outputs."""

    jaxpr: ClosedJaxpr
    sites: tuple[Site, ...]
    payload_avals: list[ShapedArray]

    def __call__(self, *args: Array) -> tuple[Array, list[Array], list[Array]]:
        """The number, the payload, the outputs."""
        code, *rest = eval_jaxpr(self.jaxpr.jaxpr, self.jaxpr.consts, *args)
        return code, rest[: len(self.payload_avals)], rest[len(self.payload_avals) :]


def checked_jaxpr(closed: ClosedJaxpr, kinds: Kinds) -> Checked:
    """A jaxpr with its assertions as results; cached in it."""

    def make() -> Checked:
        checks = Checks(kinds)

        def evaluate(*args: Array) -> list[Array]:
            outs = eval_checked(closed.jaxpr, closed.consts, args, checks)
            return [checks.code, *checks.payload, *outs]

        traced = trace_to_jaxpr(evaluate, closed.in_avals, "checkify")
        return Checked(
            traced, tuple(checks.sites), [a.strong() for a in traced.out_avals[1 : 1 + len(checks.payload)]]
        )

    return closed.derive(("checked", kinds), make)


def _kept(code: Array, payload: Sequence[Array], new_code: Array, new: Sequence[Array]) -> list[Array]:
    """The number and payload of a loop after one more iteration: those of the first failure."""
    failed = _failed(code)
    return [_first(code, new_code), *(select_p.bind(failed, a, b) for a, b in zip(payload, new, strict=True))]


def checked_scan(
    primitive: ControlFlowPrimitive,
    checks: Checks,
    operands: Sequence[Array],
    *,
    jaxpr: ClosedJaxpr,
    num_consts: int,
    num_carry: int,
    **parameters: Any,
) -> list[Array]:
    """The rule of `scan`."""
    body = checked_jaxpr(jaxpr, checks.kinds)
    n, avals = len(body.payload_avals), jaxpr.in_avals

    def step(*args: Array) -> list[Array]:
        consts, (code, *rest) = args[:num_consts], args[num_consts:]
        new_code, new, outs = body(*consts, *rest[n:])
        return [*_kept(code, rest[:n], new_code, new), *outs]

    state = [_number(0).aval, *body.payload_avals]
    closed = trace_to_jaxpr(step, [*avals[:num_consts], *state, *avals[num_consts:]], "checkify")
    code, *rest = primitive.bind(
        *operands[:num_consts],
        _number(0),
        *zeros(body.payload_avals),
        *operands[num_consts:],
        jaxpr=closed,
        num_consts=num_consts,
        num_carry=num_carry + 1 + n,
        **parameters,
    )
    checks.add(code, rest[:n], body.sites)
    return rest[n:]


def checked_while(
    primitive: ControlFlowPrimitive,
    checks: Checks,
    operands: Sequence[Array],
    *,
    cond_jaxpr: ClosedJaxpr,
    body_jaxpr: ClosedJaxpr,
    num_cond_consts: int,
    num_body_consts: int,
    checkpointed: bool,
) -> list[Array]:
    """The rule of `while`: each step does the body, then the condition."""
    cond, body = (checked_jaxpr(closed, checks.kinds) for closed in (cond_jaxpr, body_jaxpr))
    num_consts = num_cond_consts + num_body_consts
    consts, carry = list(operands[:num_consts]), list(operands[num_consts:])
    code, payload, _ = cond(*consts[:num_cond_consts], *carry)
    checks.add(code, payload, cond.sites)
    avals = [*body.payload_avals, *cond.payload_avals]
    n = len(avals)

    def step(*args: Array) -> list[Array]:
        consts, (code, *rest) = args[:num_consts], args[num_consts:]
        body_code, body_payload, outs = body(*consts[num_cond_consts:], *rest[n:])
        cond_code, cond_payload, _ = cond(*consts[:num_cond_consts], *outs)
        new_code = _first(body_code, _shifted(cond_code, len(body.sites)))
        return [*_kept(code, rest[:n], new_code, [*body_payload, *cond_payload]), *outs]

    def goes_on(*args: Array) -> list[Array]:
        return cond(*args[:num_cond_consts], *args[num_cond_consts + 1 + n :])[2]

    state = [_number(0).aval, *avals]
    cond_avals, carry_avals = cond_jaxpr.in_avals[:num_cond_consts], body_jaxpr.in_avals[num_body_consts:]
    body_avals = body_jaxpr.in_avals[:num_body_consts]
    code, *rest = primitive.bind(
        *consts[:num_cond_consts],
        *consts,
        _number(0),
        *zeros(avals),
        *carry,
        cond_jaxpr=trace_to_jaxpr(goes_on, [*cond_avals, *state, *carry_avals], "checkify"),
        body_jaxpr=trace_to_jaxpr(step, [*cond_avals, *body_avals, *state, *carry_avals], "checkify"),
        num_cond_consts=num_cond_consts,
        num_body_consts=num_consts,
        checkpointed=checkpointed,
    )
    checks.add(code, rest[:n], [*body.sites, *cond.sites])
    return rest[n:]


def checked_cond(
    primitive: ControlFlowPrimitive,
    checks: Checks,
    operands: Sequence[Array],
    *,
    branches: tuple[ClosedJaxpr, ...],
) -> list[Array]:
    """The rule of `cond`: each branch has zeros in the places of the payload of the others."""
    parts = [checked_jaxpr(branch, checks.kinds) for branch in branches]
    sites = [site for part in parts for site in part.sites]
    n = sum(len(part.payload_avals) for part in parts)

    def branch(i: int) -> Callable[..., list[Array]]:
        first = sum(len(part.sites) for part in parts[:i])

        def run(*args: Array) -> list[Array]:
            code, own, outs = parts[i](*args)
            payload = [own if part is parts[i] else zeros(part.payload_avals) for part in parts]
            return [_shifted(code, first), *(x for group in payload for x in group), *outs]

        return run

    closed = tuple(trace_to_jaxpr(branch(i), branches[i].in_avals, "checkify") for i in range(len(parts)))
    code, *rest = primitive.bind(*operands, branches=closed)
    checks.add(code, rest[:n], sites)
    return rest[n:]


def has_user_checks(primitive: Primitive, parameters: dict[str, Any]) -> bool:
    """Whether the user asserts something inside of a loop or branch."""
    return concerns(primitive, parameters, frozenset({USER}))


def batch_with_checks_outside(
    primitive: ControlFlowPrimitive,
    args: Sequence[Array],
    dims: Sequence[Dim],
    size: int,
    parameters: dict[str, Any],
) -> tuple[list[Array], list[Dim]]:
    """Batch a loop or branch whose assertions follow it, so that they are about what an item really does."""

    def run(*operands: Array) -> list[Array]:
        checks = Checks(frozenset({USER}))
        outs = primitive.checked(primitive, checks, operands, **parameters)
        check_p.bind(checks.code, *checks.payload, sites=tuple(checks.sites), out_avals=(), ordered=False)
        return outs

    avals = [x.aval if d is None else removed_axis(x.aval, d) for x, d in zip(args, dims, strict=True)]
    closed = trace_to_jaxpr(run, avals, "vmap")
    return eval_batched(closed.jaxpr, closed.consts, args, dims, size)
