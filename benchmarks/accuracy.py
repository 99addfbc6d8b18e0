"""`python -m benchmarks.accuracy [--dtype float64] [--filter TEXT]`: errors in units of the last place.

Each elementwise function over a sweep of ordinary and extreme arguments (subnormal, huge) against mpmath,
beside NumPy, JAX and MLX where they have it. The figure is the largest error, in units of the last place of
the correctly rounded result; `special` where an infinity or a NaN stands for something finite, or the other
way. Infinite arguments and NaN are the business of `tests/primitives/test_accuracy.py`.
"""

from __future__ import annotations

import argparse
import importlib
import math
from collections.abc import Callable, Iterator

import mpmath
import numpy as np

import ftrans as ft

PRECISION = 200  # bits; more than the cancellation of any function at arguments near its zeros
SPECIAL = math.inf

m = mpmath.mp


def _where(condition: Callable, f: Callable, otherwise: Callable = lambda *_: m.nan) -> Callable:
    return lambda *x: f(*x) if condition(*x) else otherwise(*x)


def _pole(x: mpmath.mpf) -> bool:
    return x <= 0 and x == m.floor(x)


def _power(x: mpmath.mpf, y: mpmath.mpf) -> mpmath.mpf:
    exponent = y * m.log(x, 2)
    return m.mpf(2) ** min(max(exponent, -5000), 5000)  # far beyond every dtype's range either way


# name → (exact function of finite mpf, how many arguments); NaN where there is no real value.
FUNCTIONS: dict[str, tuple[Callable, int]] = {
    "sqrt": (_where(lambda x: x >= 0, m.sqrt), 1),
    "rsqrt": (_where(lambda x: x > 0, lambda x: 1 / m.sqrt(x)), 1),
    "cbrt": (lambda x: m.sign(x) * m.cbrt(abs(x)), 1),
    "exp": (m.exp, 1),
    "exp2": (lambda x: m.mpf(2) ** x, 1),
    "expm1": (m.expm1, 1),
    "log": (_where(lambda x: x > 0, m.log), 1),
    "log2": (_where(lambda x: x > 0, lambda x: m.log(x, 2)), 1),
    "log10": (_where(lambda x: x > 0, m.log10), 1),
    "log1p": (_where(lambda x: x > -1, m.log1p), 1),
    "sin": (m.sin, 1),
    "cos": (m.cos, 1),
    "tan": (m.tan, 1),
    "asin": (_where(lambda x: abs(x) <= 1, m.asin), 1),
    "acos": (_where(lambda x: abs(x) <= 1, m.acos), 1),
    "atan": (m.atan, 1),
    "sinh": (m.sinh, 1),
    "cosh": (m.cosh, 1),
    "tanh": (m.tanh, 1),
    "asinh": (m.asinh, 1),
    "acosh": (_where(lambda x: x >= 1, m.acosh), 1),
    "atanh": (_where(lambda x: abs(x) < 1, m.atanh), 1),
    "erf": (m.erf, 1),
    "erfc": (m.erfc, 1),
    "erfinv": (_where(lambda x: abs(x) < 1, m.erfinv), 1),
    "sigmoid": (lambda x: 1 / (1 + m.exp(-x)), 1),
    "lgamma": (_where(lambda x: not _pole(x), lambda x: m.log(abs(m.gamma(x)))), 1),
    "digamma": (_where(lambda x: not _pole(x), m.digamma), 1),
    "power": (_where(lambda x, y: x > 0, _power, lambda *_: None), 2),
    "atan2": (_where(lambda y, x: y != 0, m.atan2, lambda *_: None), 2),  # mpmath has no −0
    "hypot": (m.hypot, 2),
    "logaddexp": (lambda x, y: max(x, y) + m.log1p(m.exp(-abs(x - y))), 2),
}


def points(dtype: type, count: int) -> np.ndarray:
    """Arguments of every size: some hundred dense ones, all powers of two in steps, and the extreme ones."""
    limits = np.finfo(dtype)
    random = np.random.default_rng(0)
    bits = random.integers(0, 2 ** (8 * limits.dtype.itemsize) - 1, count, dtype=f"u{limits.dtype.itemsize}")
    return np.concatenate(
        [
            random.uniform(-1, 1, count).astype(dtype),
            random.uniform(-20, 20, count).astype(dtype),
            random.uniform(-150, 150, count).astype(dtype),
            (1 + random.uniform(-0.01, 0.01, count)).astype(dtype),
            bits.view(dtype),
            np.array([0.0, -0.0, 1, -1, 0.5, -0.5, math.pi, 1e30, -1e30, 1e5, 4e6], dtype),
            np.array(
                [limits.max, limits.tiny, limits.smallest_subnormal, limits.eps, math.inf, math.nan], dtype
            ),
        ]
    )


def arguments(dtype: type, arity: int, count: int) -> list[np.ndarray]:
    """As many arrays of points as the function has arguments, in different orders."""
    first = points(dtype, count)
    return [first, np.random.default_rng(1).permutation(first)][:arity]


def error(actual: float, exact: mpmath.mpf, dtype: type) -> float:
    """The distance in units of the exact value's last place; SPECIAL between finite and other results."""
    limits = np.finfo(dtype)
    if m.isnan(exact):
        return 0 if math.isnan(actual) or math.isinf(actual) else SPECIAL
    half_unit_above = m.mpf(float(limits.max)) * (1 + m.mpf(float(limits.eps)) / 4)
    if abs(exact) >= half_unit_above:
        return 0 if math.isinf(actual) and (actual > 0) == (exact > 0) else SPECIAL
    if not math.isfinite(actual):
        return 1 if abs(exact) > float(limits.max) * (1 - 2 * float(limits.eps)) else SPECIAL
    exponent = m.frexp(max(abs(exact), m.mpf(float(limits.tiny))))[1]
    unit = m.ldexp(1, exponent - limits.nmant - 1)
    return float(abs(m.mpf(actual) - exact) / unit)


def worst(actual: np.ndarray, exact: list[mpmath.mpf], dtype: type) -> float:
    """The largest error."""
    with m.workprec(PRECISION):
        pairs = zip(actual, exact, strict=True)
        return max((error(float(a), e, dtype) for a, e in pairs if e is not None), default=0)


def exact_values(f: Callable, args: list[np.ndarray]) -> list[mpmath.mpf | None]:
    """The exact values; None where an argument is not finite."""
    values: list[mpmath.mpf | None] = []
    with m.workprec(PRECISION):
        for point in zip(*args, strict=True):
            if not all(map(math.isfinite, map(float, point))):
                values.append(None)
                continue
            try:
                values.append(f(*[m.mpf(float(x)) for x in point]))
            except (ValueError, OverflowError, ZeroDivisionError):
                values.append(None)
    return values


def _libraries() -> Iterator[tuple[str, Callable[[str], Callable | None]]]:
    """Each library with a function that finds its implementation of a name, on NumPy arrays."""
    yield "ftrans", lambda name: lambda *xs: np.asarray(getattr(ft, name)(*map(ft.asarray, xs)))
    yield "numpy", lambda name: getattr(np, name, None)
    try:
        jax, jnp = importlib.import_module("jax"), importlib.import_module("jax.numpy")
        jax.config.update("jax_enable_x64", True)
        special = importlib.import_module("jax.scipy.special")
        lax = importlib.import_module("jax.lax")
        renamed = {"sigmoid": special.expit, "lgamma": special.gammaln, "rsqrt": lax.rsqrt}
        yield (
            "jax",
            lambda name: renamed.get(name) or getattr(jnp, name, None) or getattr(special, name, None),
        )
    except ImportError:
        pass
    try:
        mx = importlib.import_module("mlx.core")
        renamed_mlx = {"atan2": "arctan2"} | {
            name: f"arc{name[1:]}" for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")
        }

        def find(name: str) -> Callable | None:
            f = getattr(mx, renamed_mlx.get(name, name), None)
            return f and (lambda *xs: np.array(f(*[mx.array(x, mx.float32) for x in xs])))

        yield "mlx", find
    except ImportError:
        pass


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--filter", default="", help="only functions whose name has this text")
    parser.add_argument("--count", type=int, default=300, help="arguments of each kind")
    options = parser.parse_args()
    dtype = np.dtype(options.dtype).type
    libraries = [(name, find) for name, find in _libraries() if name != "mlx" or dtype is np.float32]
    print("function".ljust(12), *[name.rjust(10) for name, _ in libraries])
    for name, (f, arity) in FUNCTIONS.items():
        if options.filter not in name:
            continue
        args = arguments(dtype, arity, options.count)
        exact = exact_values(f, args)
        cells = []
        for _, find in libraries:
            function = find(name)
            if function is None:
                cells.append("–")
                continue
            with np.errstate(all="ignore"):
                largest = worst(np.asarray(function(*args)), exact, dtype)
            cells.append("special" if largest == SPECIAL else f"{largest:.2f}")
        print(name.ljust(12), *[cell.rjust(10) for cell in cells], flush=True)


if __name__ == "__main__":
    main()
