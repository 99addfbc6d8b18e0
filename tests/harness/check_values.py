"""Values against the NumPy reference: dtypes, shapes, layouts, streams, and compiled."""

import ftrans as ft
from tests.harness.cases import (
    Case,
    dtype_variants,
    layout_variants,
    scalar_variants,
    shape_variants,
    to_array,
)
from tests.harness.numerics import assert_same


def _check(case: Case, what: str, operands, arrays) -> None:
    results, references = case.bind(*arrays), case.reference(*operands)
    assert len(results) == len(references)
    for position, (result, reference) in enumerate(zip(results, references, strict=True)):
        assert_same(result, reference, f"{case} {what}, result {position}")


def values(case: Case) -> bool:
    """The sample itself, in every dtype accepted."""
    for what, operands in dtype_variants(case):
        _check(case, what, operands, map(to_array, operands))
    return True


def edges(case: Case) -> bool:
    """Scalar, empty, single-element and odd shapes, and scalars broadcast against arrays."""
    checked = False
    for what, operands in (*shape_variants(case), *scalar_variants(case)):
        _check(case, what, operands, map(to_array, operands))
        checked = True
    return checked


def layouts(case: Case) -> bool:
    """Operands that are transposed, strided, reversed and broadcast views."""
    checked = False
    for what, operands, arrays in layout_variants(case):
        _check(case, what, operands, arrays)
        checked = True
    return checked


def stream(case: Case) -> bool:
    """The operation on another stream than its operands were made on."""
    arrays = [to_array(x) for x in case.operands]
    with ft.stream(ft.new_stream(ft.cpu)):
        _check(case, "on a new stream", case.operands, arrays)
    return True


def jit(case: Case) -> bool:
    """Compiled, with operands as arguments and as constants; the second call is of the cached program."""
    arrays = [to_array(x) for x in case.operands]
    references = case.reference(*case.operands)
    as_arguments = ft.jit(case.bind)
    as_constants = ft.jit(lambda: case.bind(*arrays))
    for what, results in (
        ("jit", as_arguments(*arrays)),
        ("jit, second call", as_arguments(*arrays)),
        ("jit of constants", as_constants()),
    ):
        for result, reference in zip(results, references, strict=True):
            assert_same(result, reference, f"{case} {what}")
    return True
