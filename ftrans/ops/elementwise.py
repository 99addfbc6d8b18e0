"""Functions of each element: a table over the elementwise primitives. Compositions are in `pointwise`."""

from __future__ import annotations

from .. import primitives as p
from .._native import Dtype, int8
from ._elementwise_factory import ELEMENTWISE as ELEMENTWISE
from ._elementwise_factory import binary, unary
from .promotion import inexact_dtype


def bool_to_int8(dtype: Dtype) -> Dtype:
    """The dtype in which NumPy divides bools."""
    return int8 if dtype.kind == "b" else dtype


# fmt: off
# Sign, rounding.
negative = unary("negative", p.neg_p, "iufc", "The negative of each element.",
    "[1.0, -2.0]", "array([-1, 2], dtype=float32)", "error")
abs = unary("abs", p.abs_p, "iufc", "The absolute value of each element; a complex array gives a real one.",
    "[1.0, -2.0]", "array([1, 2], dtype=float32)", "same")
sign = unary("sign", p.sign_p, "iufc", "-1, 0 or 1 by the sign of each element; x / abs(x) of a complex one.",
    "[-3.0, 0.0, 2.0]", "array([-1, 0, 1], dtype=float32)", "error")
floor = unary("floor", p.floor_p, "f", "The greatest integer not above each element.",
    "[1.5, -1.5]", "array([1, -2], dtype=float32)", "same")
ceil = unary("ceil", p.ceil_p, "f", "The least integer not below each element.",
    "[1.5, -1.5]", "array([2, -1], dtype=float32)", "same")
trunc = unary("trunc", p.trunc_p, "f", "Each element with its fraction dropped.",
    "[1.5, -1.5]", "array([1, -1], dtype=float32)", "same")
rint = unary("rint", p.round_p, "f", "The nearest integer to each element, ties to even.",
    "[0.5, 1.5, 2.4]", "array([0, 2, 2], dtype=float32)", "same")

# Powers, exponentials, logarithms.
square = unary("square", p.square_p, "iufc", "x * x.",
    "[1.0, -3.0]", "array([1, 9], dtype=float32)", "same")
sqrt = unary("sqrt", p.sqrt_p, "fc", "The square root of each element; NaN for a negative real.",
    "[1.0, 4.0]", "array([1, 2], dtype=float32)")
rsqrt = unary("rsqrt", p.rsqrt_p, "fc", "1 / sqrt(x).",
    "[1.0, 4.0]", "array([1, 0.5], dtype=float32)")
cbrt = unary("cbrt", p.cbrt_p, "f", "The real cube root of each element.",
    "[8.0, -27.0]", "array([2, -3], dtype=float32)")
exp = unary("exp", p.exp_p, "fc", "e to the power of each element.",
    "[0.0, 1.0]", "array([1, 2.71828], dtype=float32)")
exp2 = unary("exp2", p.exp2_p, "f", "2 to the power of each element.",
    "[0.0, 3.0]", "array([1, 8], dtype=float32)")
expm1 = unary("expm1", p.expm1_p, "fc", "exp(x) - 1, accurate near 0.",
    "[0.0, 1.0]", "array([0, 1.71828], dtype=float32)")
log = unary("log", p.log_p, "fc", "The natural logarithm of each element.",
    "[1.0, 10.0]", "array([0, 2.30259], dtype=float32)")
log2 = unary("log2", p.log2_p, "fc", "The base-2 logarithm of each element.",
    "[1.0, 8.0]", "array([0, 3], dtype=float32)")
log10 = unary("log10", p.log10_p, "fc", "The base-10 logarithm of each element.",
    "[1.0, 100.0]", "array([0, 2], dtype=float32)")
log1p = unary("log1p", p.log1p_p, "fc", "log(1 + x), accurate near 0.",
    "[0.0, 1.0]", "array([0, 0.693147], dtype=float32)")

# Trigonometric and hyperbolic.
sin = unary("sin", p.sin_p, "fc", "The sine of each element, in radians.",
    "[0.0, 1.0]", "array([0, 0.841471], dtype=float32)")
cos = unary("cos", p.cos_p, "fc", "The cosine of each element, in radians.",
    "[0.0, 1.0]", "array([1, 0.540302], dtype=float32)")
tan = unary("tan", p.tan_p, "fc", "The tangent of each element, in radians.",
    "[0.0, 1.0]", "array([0, 1.55741], dtype=float32)")
asin = unary("asin", p.asin_p, "fc", "The inverse sine of each element.",
    "[0.0, 1.0]", "array([0, 1.5708], dtype=float32)")
acos = unary("acos", p.acos_p, "fc", "The inverse cosine of each element.",
    "[0.0, 1.0]", "array([1.5708, 0], dtype=float32)")
atan = unary("atan", p.atan_p, "fc", "The inverse tangent of each element.",
    "[0.0, 1.0]", "array([0, 0.785398], dtype=float32)")
sinh = unary("sinh", p.sinh_p, "fc", "The hyperbolic sine of each element.",
    "[0.0, 1.0]", "array([0, 1.1752], dtype=float32)")
cosh = unary("cosh", p.cosh_p, "fc", "The hyperbolic cosine of each element.",
    "[0.0, 1.0]", "array([1, 1.54308], dtype=float32)")
tanh = unary("tanh", p.tanh_p, "fc", "The hyperbolic tangent of each element.",
    "[0.0, 1.0]", "array([0, 0.761594], dtype=float32)")
asinh = unary("asinh", p.asinh_p, "fc", "The inverse hyperbolic sine of each element.",
    "[0.0, 1.0]", "array([0, 0.881374], dtype=float32)")
acosh = unary("acosh", p.acosh_p, "fc", "The inverse hyperbolic cosine of each element.",
    "[1.0, 2.0]", "array([0, 1.31696], dtype=float32)")
atanh = unary("atanh", p.atanh_p, "fc", "The inverse hyperbolic tangent of each element.",
    "[0.0, 0.5]", "array([0, 0.549306], dtype=float32)")

# Special functions.
erf = unary("erf", p.erf_p, "f", "The error function of each element.",
    "[0.0, 1.0]", "array([0, 0.842701], dtype=float32)")
erfc = unary("erfc", p.erfc_p, "f", "1 - erf(x), accurate for large x.",
    "[0.0, 1.0]", "array([1, 0.157299], dtype=float32)")
erfinv = unary("erfinv", p.erf_inv_p, "f", "The inverse of erf.",
    "[0.0, 0.5]", "array([0, 0.476936], dtype=float32)")
lgamma = unary("lgamma", p.lgamma_p, "f", "The logarithm of the absolute value of the gamma function.",
    "[1.0, 4.0]", "array([0, 1.79176], dtype=float32)")
digamma = unary("digamma", p.digamma_p, "f", "The derivative of lgamma.",
    "[1.0, 4.0]", "array([-0.577216, 1.25612], dtype=float32)")
sigmoid = unary("sigmoid", p.logistic_p, "fc", "1 / (1 + exp(-x)).",
    "[0.0, 1.0]", "array([0.5, 0.731059], dtype=float32)")

# Complex parts. The imaginary part and the conjugate of real arrays are in `pointwise`.
# Tests and bits.
isfinite = unary("isfinite", p.is_finite_p, "fc", "Whether each element is neither infinite nor NaN.",
    "[1.0, float('inf')]", "array([True, False], dtype=bool)")
isnan = unary("isnan", p.is_nan_p, "fc", "Whether each element is NaN.",
    "[1.0, float('nan')]", "array([False, True], dtype=bool)")
isinf = unary("isinf", p.is_inf_p, "fc", "Whether each element is positive or negative infinity.",
    "[1.0, float('inf')]", "array([False, True], dtype=bool)")
bitwise_invert = unary("bitwise_invert", p.not_p, "biu", "Each bit inverted; logical not of bools.",
    "[0, 5]", "array([-1, -6], dtype=int32)", "error")

# Arithmetic. Bools: as in NumPy.
add = binary("add", p.add_p, "iufc", "x1 + x2; logical or of bools.",
    "ft.array([1, 2]), ft.array([0.5, 1.0])", "array([1.5, 3], dtype=float32)", others=p.or_p.bind)
subtract = binary("subtract", p.sub_p, "iufc", "x1 - x2.",
    "ft.array([1, 2]), 1", "array([0, 1], dtype=int32)")
multiply = binary("multiply", p.mul_p, "iufc", "x1 * x2; logical and of bools.",
    "ft.array([1, 2]), ft.array([3, 4])", "array([3, 8], dtype=int32)", others=p.and_p.bind)
divide = binary("divide", p.div_p, "fc", "x1 / x2, in float32 for integers.",
    "ft.array([1, 2]), 2", "array([0.5, 1], dtype=float32)", to=inexact_dtype)
floor_divide = binary("floor_divide", p.floor_divide_p, "iuf",
    "The greatest integer not above x1 / x2; of integers 0 where x2 is 0.",
    "ft.array([7, -7]), 2", "array([3, -4], dtype=int32)", to=bool_to_int8)
remainder = binary("remainder", p.remainder_p, "iuf",
    "x1 - floor_divide(x1, x2) * x2, of the sign of x2; of integers 0 where x2 is 0.",
    "ft.array([7, -7]), 4", "array([3, 1], dtype=int32)", to=bool_to_int8)
fmod = binary("fmod", p.fmod_p, "iuf",
    "The remainder of C's division, of the sign of x1; of integers 0 where x2 is 0.",
    "ft.array([7, -7]), 4", "array([3, -3], dtype=int32)", to=bool_to_int8)
maximum = binary("maximum", p.max_p, "iuf", "The greater of x1 and x2; NaN if either is NaN.",
    "ft.array([1, 5]), 3", "array([3, 5], dtype=int32)", others=p.or_p.bind)
minimum = binary("minimum", p.min_p, "iuf", "The lesser of x1 and x2; NaN if either is NaN.",
    "ft.array([1, 5]), 3", "array([1, 3], dtype=int32)", others=p.and_p.bind)
atan2 = binary("atan2", p.atan2_p, "f", "The angle of the point (x2, x1), in (-pi, pi].",
    "ft.array([1.0, -1.0]), ft.array([0.0, 0.0])",
    "array([1.5708, -1.5708], dtype=float32)", to=inexact_dtype)
hypot = binary("hypot", p.hypot_p, "f", "sqrt(x1**2 + x2**2) without overflow.",
    "ft.array([3.0]), ft.array([4.0])", "array([5], dtype=float32)", to=inexact_dtype)
copysign = binary("copysign", p.copysign_p, "f", "The magnitude of x1 with the sign of x2.",
    "ft.array([1.0, 2.0]), ft.array([-0.0, 1.0])", "array([-1, 2], dtype=float32)", to=inexact_dtype)
nextafter = binary("nextafter", p.nextafter_p, "f", "The next representable value after x1 towards x2.",
    "ft.array([0.0]), 1.0", "array([1.4013e-45], dtype=float32)", to=inexact_dtype)
logaddexp = binary("logaddexp", p.logaddexp_p, "f", "log(exp(x1) + exp(x2)) without overflow.",
    "ft.array([0.0, 1000.0]), ft.array([0.0, 1000.0])",
    "array([0.693147, 1000.69], dtype=float32)", to=inexact_dtype)

# Bits.
bitwise_and = binary("bitwise_and", p.and_p, "biu", "The bits that are set in both.",
    "ft.array([6, 5]), 3", "array([2, 1], dtype=int32)")
bitwise_or = binary("bitwise_or", p.or_p, "biu", "The bits that are set in either.",
    "ft.array([6, 5]), 3", "array([7, 7], dtype=int32)")
bitwise_xor = binary("bitwise_xor", p.xor_p, "biu", "The bits that are set in just one.",
    "ft.array([6, 5]), 3", "array([5, 6], dtype=int32)")
bitwise_left_shift = binary("bitwise_left_shift", p.shift_left_p, "iu",
    "x1 with its bits moved x2 places up.",
    "ft.array([1, 2]), 3", "array([8, 16], dtype=int32)")
bitwise_right_shift = binary("bitwise_right_shift", p.shift_right_p, "iu",
    "x1 with its bits moved x2 places down, sign kept.",
    "ft.array([8, -8]), 2", "array([2, -2], dtype=int32)")

# Comparisons.
equal = binary("equal", p.eq_p, "biufc", "x1 == x2.",
    "ft.array([1, 2]), 2", "array([False, True], dtype=bool)")
not_equal = binary("not_equal", p.ne_p, "biufc", "x1 != x2.",
    "ft.array([1, 2]), 2", "array([True, False], dtype=bool)")
less = binary("less", p.lt_p, "biuf", "x1 < x2.",
    "ft.array([1, 2]), 2", "array([True, False], dtype=bool)")
less_equal = binary("less_equal", p.le_p, "biuf", "x1 <= x2.",
    "ft.array([1, 2]), 2", "array([True, True], dtype=bool)")
greater = binary("greater", p.gt_p, "biuf", "x1 > x2.",
    "ft.array([1, 2]), 1", "array([False, True], dtype=bool)")
greater_equal = binary("greater_equal", p.ge_p, "biuf", "x1 >= x2.",
    "ft.array([1, 2]), 2", "array([False, True], dtype=bool)")
# fmt: on

# NumPy's and MLX's names.
absolute, fabs = abs, abs
arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
arcsinh, arccosh, arctanh = asinh, acosh, atanh
bitwise_not = invert = bitwise_invert
left_shift, right_shift = bitwise_left_shift, bitwise_right_shift
true_divide, mod = divide, remainder
