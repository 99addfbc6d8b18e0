"""Linear systems and the matrix exponential, for matrices in the last two axes, by LAPACK."""

from __future__ import annotations

import numpy as np

from .._native import Array
from ..core.primitive import Primitive, Sample
from ._helpers import check_same_dtype
from ._matrices import (
    batch_in_front,
    check_matrix,
    check_square,
    columns_from,
    for_each_matrix,
    matmul,
    resized,
    strict_tril,
    transposed,
    tril,
    triu,
)
from .elementwise import add, mul, neg, sub
from .layout import move_axis, reshape, zeros_like
from .shape import concatenate_p

# ---------------------------------------------------------------- triangular_solve and solve


def _system_abstract(name: str, a, b):
    check_same_dtype(name, a, b)
    check_square(name, a, "a")
    check_matrix(name, b, "b")
    if a.shape[:-1] != b.shape[:-1]:
        raise ValueError(
            f"{name}: a and b must have the same batch extents and as many rows, got shapes {a.shape} "
            f"and {b.shape}"
        )
    return b


def _system_batch(primitive: Primitive, args, dims, size, **p):
    """Right-hand sides of one matrix are more columns; otherwise every matrix has its own."""
    (a, b), (a_dim, b_dim) = args, dims
    if a_dim is not None:
        return batch_in_front(primitive, args, dims, size, **p)
    columns = move_axis(b, b_dim, b.ndim - 1)
    flat = reshape(columns, (*columns.shape[:-2], columns.shape[-2] * size))
    return reshape(primitive.bind(a, flat, **p), columns.shape), b.ndim - 1


def _triangle(x: Array, lower: bool, unit_diagonal: bool) -> Array:
    """The part of a triangular operand that counts."""
    if unit_diagonal:
        return strict_tril(x) if lower else transposed(strict_tril(transposed(x)))
    return tril(x) if lower else triu(x)


def _triangular_solve_impl(a, b, *, lower, unit_diagonal):
    def solve(a, b):
        a = np.tril(a) if lower else np.triu(a)
        if unit_diagonal:
            np.fill_diagonal(a, 1)
        x = np.zeros_like(b)
        order = range(len(a)) if lower else reversed(range(len(a)))
        for i in order:
            x[i] = (b[i] - a[i] @ x) / a[i, i]
        return (x,)

    return for_each_matrix(solve, a, b)[0]


def _triangular_solve_jvp(primals, tangents, x, **p):
    (a, _), (da, db) = primals, tangents
    return _solved_difference(
        lambda rhs: triangular_solve_p.bind(a, rhs, **p), None if da is None else _triangle(da, **p), db, x
    )


def _solved_difference(solve, da, db, x):
    """a⁻¹·(db − da·x), the tangent of x = a⁻¹·b."""
    if da is None:
        return solve(db)
    product = matmul(da, x)
    return solve(neg(product) if db is None else sub(db, product))


def _triangular_solve_vjp(ct, primals, x, needed, *, lower, unit_diagonal):
    db = triangular_solve(transposed(primals[0]), ct, lower=not lower, unit_diagonal=unit_diagonal)
    da = _triangle(neg(matmul(db, transposed(x))), lower, unit_diagonal) if needed[0] else None
    return [da, db if needed[1] else None]


def _triangular() -> np.ndarray:
    return np.array([[2.0, 0.5, -1.0], [0.75, -1.5, 0.25], [-0.5, 1.0, 3.0]])


def _right() -> np.ndarray:
    return np.array([[1.0, -0.5], [0.25, 2.0], [-1.5, 0.75]])


def _batch(matrix: np.ndarray) -> np.ndarray:
    return np.stack([matrix, matrix * 1.5])


_LOWER = {"lower": True, "unit_diagonal": False}
_UPPER_UNIT = {"lower": False, "unit_diagonal": True}

#: x with a·x = b for a triangular a. The other triangle is not looked at, nor a unit diagonal.
triangular_solve_p = Primitive(
    "triangular_solve",
    abstract_eval=lambda a, b, **p: _system_abstract("triangular_solve", a, b),
    impl=_triangular_solve_impl,
    jvp=_triangular_solve_jvp,
    vjp=_triangular_solve_vjp,
    batch=lambda args, dims, size, **p: _system_batch(triangular_solve_p, args, dims, size, **p),
    lower=lambda p, in_avals, out_avals: (int(p["lower"]), int(p["unit_diagonal"])),
    samples=[
        Sample((_triangular, _right), _LOWER, (0, 1)),
        Sample((_triangular, _right), _UPPER_UNIT, (0, 1)),
        Sample((lambda: _batch(_triangular()) * (1 + 0.5j), lambda: _batch(_right()) * 1j), _LOWER, (0, 1)),
        Sample((lambda: np.zeros((0, 0)), lambda: np.zeros((0, 2))), _LOWER),
        Sample((_triangular, lambda: np.zeros((3, 0))), _UPPER_UNIT),
    ],
)


def triangular_solve(a: Array, b: Array, *, lower: bool, unit_diagonal: bool = False) -> Array:
    """`triangular_solve_p` with its parameters named."""
    return triangular_solve_p.bind(a, b, lower=lower, unit_diagonal=unit_diagonal)


def _solve_impl(a, b):
    def solve(a, b):
        try:
            return (np.linalg.solve(a, b),)
        except np.linalg.LinAlgError:  # what follows from dividing by a zero pivot depends on the library
            return (np.full_like(b, np.nan),)

    return for_each_matrix(solve, a, b)[0]


def _solve_jvp(primals, tangents, x):
    da, db = tangents
    return _solved_difference(lambda rhs: solve_p.bind(primals[0], rhs), da, db, x)


def _solve_vjp(ct, primals, x, needed):
    db = solve_p.bind(transposed(primals[0]), ct)
    da = neg(matmul(db, transposed(x))) if needed[0] else None
    return [da, db if needed[1] else None]


#: x with a·x = b, by LU factorization. Of a singular a the result has infinities or NaN.
solve_p = Primitive(
    "solve",
    abstract_eval=lambda a, b: _system_abstract("solve", a, b),
    impl=_solve_impl,
    jvp=_solve_jvp,
    vjp=_solve_vjp,
    batch=lambda args, dims, size: _system_batch(solve_p, args, dims, size),
    samples=[
        Sample((_triangular, _right), {}, (0, 1)),
        Sample((lambda: _batch(_triangular()) * (1 + 0.5j), lambda: _batch(_right()) * 1j), {}, (0, 1)),
        Sample((lambda: np.zeros((0, 0)), lambda: np.zeros((0, 2)))),
        Sample((_triangular, lambda: np.zeros((3, 0)))),
    ],
)

# ---------------------------------------------------------------- diagonal_sylvester


def _diagonal_sylvester_abstract(m, p, *, sign):
    check_same_dtype("diagonal_sylvester", m, p)
    check_square("diagonal_sylvester", m, "m")
    check_matrix("diagonal_sylvester", p, "p")
    if m.shape[:-2] != p.shape[:-2] or m.shape[-1] != p.shape[-1] or (sign and p.shape != m.shape):
        raise ValueError(f"diagonal_sylvester: m and p do not fit: shapes {m.shape} and {p.shape}")
    return p


def _diagonal_sylvester_impl(m, p, *, sign):
    diagonal = np.diagonal(m, 0, -2, -1)
    divisor = np.broadcast_to(diagonal[..., None, :], p.shape)
    if sign:
        divisor = divisor + sign * diagonal[..., :, None]
    largest = np.abs(diagonal).max(-1, initial=0)[..., None, None]
    zero = np.abs(divisor) <= 4 * m.shape[-1] * np.finfo(m.dtype).eps * largest
    return np.where(zero, 0, p / np.where(zero, 1, divisor)).astype(p.dtype)


def _diagonal_sylvester_jvp(primals, tangents, x, *, sign):
    (m, _), (dm, dp) = primals, tangents
    if dm is None:
        return diagonal_sylvester(m, dp, sign)
    change = matmul(x, dm)
    if sign:
        change = add(change, mul(matmul(dm, x), sign))
    return diagonal_sylvester(m, neg(change) if dp is None else sub(dp, change), sign)


def _diagonal_sylvester_vjp(ct, primals, x, needed, *, sign):
    dp = diagonal_sylvester(primals[0], ct, sign)
    if not needed[0]:
        return [None, dp]
    xt = transposed(x)
    dm = neg(matmul(xt, dp))
    if sign:
        dm = sub(dm, mul(matmul(dp, xt), sign))
    return [dm, dp if needed[1] else None]


#: x with x·m + sign·m·x = p for a diagonal m and sign -1, 0 or 1; x[i, j] = 0 where m[j, j] + sign·m[i, i] is
#: 0 up to rounding. Off the diagonal m is taken for zero, but its derivative there counts.
diagonal_sylvester_p = Primitive(
    "diagonal_sylvester",
    abstract_eval=_diagonal_sylvester_abstract,
    impl=_diagonal_sylvester_impl,
    jvp=_diagonal_sylvester_jvp,
    vjp=_diagonal_sylvester_vjp,
    batch=lambda args, dims, size, **p: batch_in_front(diagonal_sylvester_p, args, dims, size, **p),
    lower=lambda p, in_avals, out_avals: (p["sign"],),
    # The reference has no derivative off the diagonal of m: that is checked where `spectral` makes use of it.
    samples=[
        Sample((lambda: np.diag([2.0, -1.0, 2.0]), _triangular), {"sign": -1}, (1,)),
        Sample((lambda: np.diag([2.0, 1.0, 0.0]), _triangular), {"sign": 1}, (1,)),
        Sample((lambda: _batch(np.diag([2.0, 1j])), lambda: _batch(_right()) * 1j), {"sign": 0}, (1,)),
        Sample((lambda: np.zeros((0, 0)), lambda: np.zeros((2, 0))), {"sign": 0}),
    ],
)


def diagonal_sylvester(m: Array, p: Array, sign: int) -> Array:
    """`diagonal_sylvester_p` with its parameter named."""
    return diagonal_sylvester_p.bind(m, p, sign=sign)


# ---------------------------------------------------------------- expm


def _expm_abstract(a):
    check_square("expm", a)
    return a


def _expm_impl(a):
    def exponential(a):
        # Taylor's series of a matrix divided by 2ᵏ, squared k times.
        squarings = max(0, int(np.ceil(np.log2(max(np.abs(a).sum(0).max(initial=0), 1e-9)))) + 4)
        scaled = a.astype(np.result_type(a, np.float64)) / 2**squarings
        term = total = np.eye(len(a), dtype=scaled.dtype)
        for k in range(1, 16):
            term = term @ scaled / k
            total = total + term
        for _ in range(squarings):
            total = total @ total
        return (total.astype(a.dtype),)

    return for_each_matrix(exponential, a)[0]


def _expm_derivative(a: Array, direction: Array) -> Array:
    """The derivative of expm along a direction: a block of the exponential of [[a, direction], [0, a]].

    Najfeld and Havel, "Derivatives of the matrix exponential and their computation" (1995), section 4.
    """
    n, rows, columns = a.shape[-1], a.ndim - 2, a.ndim - 1
    top = concatenate_p.bind(a, direction, axis=columns)
    bottom = concatenate_p.bind(zeros_like(a), a, axis=columns)
    block = expm_p.bind(concatenate_p.bind(top, bottom, axis=rows))
    return resized(columns_from(block, n), n, n)


#: The matrix exponential; NaN of a matrix that is not finite.
expm_p = Primitive(
    "expm",
    abstract_eval=_expm_abstract,
    impl=_expm_impl,
    jvp=lambda primals, tangents, out: _expm_derivative(primals[0], tangents[0]),
    vjp=lambda ct, primals, out, needed: [_expm_derivative(transposed(primals[0]), ct)],
    batch=lambda args, dims, size: batch_in_front(expm_p, args, dims, size),
    samples=[
        Sample((_triangular,), {}, (0,)),
        Sample((lambda: _batch(_triangular()) * (0.25 + 0.5j),), {}, (0,)),
        Sample((lambda: np.array([[0.0, 1.0], [0.0, 0.0]]),), {}, (0,)),
        Sample((lambda: _batch(np.array([[0.0, 8.0], [-8.0, 0.0]])),)),
        Sample((lambda: np.zeros((0, 0)),)),
    ],
)
