"""The user's array functions, by the array API standard's categories."""

# fmt: off
# isort: off
from .._native import bool_ as bool
from .calculus import (
    ediff1d, gradient, interp, polyder, polyint, polyval, trapezoid, unwrap, vander,
)
from .constants import (
    e, euler_gamma, inf, nan, newaxis, pi,
)
from .covariance import (
    corrcoef, cov,
)
from .convolution import (
    conv1d, conv2d, conv3d, conv_general, conv_transpose1d, conv_transpose2d, conv_transpose3d, convolve,
)
from .creation import (
    arange, array, asarray, copy, empty, empty_like, eye, from_dlpack, full, full_like, geomspace, identity,
    linspace, logspace, meshgrid, ones, ones_like, tri, tril, triu, zeros, zeros_like,
)
from .cumulative import (
    cummax, cummin, cumprod, cumsum, cumulative_prod, cumulative_sum, diff, logcumsumexp,
)
from .dtypes import (
    DtypeCategory, astype, can_cast, complexfloating, finfo, floating, generic, iinfo, inexact, integer,
    isdtype, issubdtype, number, promote_types, result_type, signedinteger, unsignedinteger, view,
)
from .einsum import (
    einsum, einsum_path,
)
from .elementwise import (
    abs, absolute, acos, acosh, add, arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh, asin,
    asinh, atan, atan2, atanh, bitwise_and, bitwise_invert, bitwise_left_shift,
    bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor, cbrt, ceil, copysign, cos, cosh, digamma,
    divide, equal, erf, erfc, erfinv, exp, exp2, expm1, fabs, floor, floor_divide, fmod, greater,
    greater_equal, hypot, invert, isfinite, isinf, isnan, left_shift, less, less_equal, lgamma, log,
    log10, log1p, log2, logaddexp, maximum, minimum, mod, multiply, negative, nextafter, not_equal,
    remainder, right_shift, rint, rsqrt, sigmoid, sign, sin, sinh, sqrt, square, subtract, tan, tanh,
    true_divide, trunc,
)
from .files import (
    load, save, save_safetensors, savez, savez_compressed,
)
from .histograms import (
    bincount, digitize, histogram, histogram_bin_edges,
)
from .index_tricks import (
    diag_indices, indices, ix_, ravel_multi_index, tril_indices, triu_indices, unravel_index,
)
from .info import (
    __array_api_version__, __array_namespace_info__,
)
from .joining import (
    append, array_split, block, column_stack, concat, concatenate, delete, dsplit, dstack, hsplit, hstack,
    insert, split, stack, unstack, vsplit, vstack,
)
from .linear_algebra import (
    addmm, cross, diag, diagflat, diagonal, dot, inner, kron, matmul, matrix_transpose, outer, tensordot,
    trace, vdot, vecdot,
)
from .log_space import (
    log_softmax, logsumexp, softmax,
)
from .manipulation import (
    atleast_1d, atleast_2d, atleast_3d, broadcast_arrays, broadcast_shapes, broadcast_to, expand_dims,
    flatten, flip, fliplr, flipud, moveaxis, permute_dims, ravel, reshape, roll, rot90, squeeze, swapaxes,
    transpose, unflatten,
)
from .nan_statistics import (
    nanargmax, nanargmin, nancumprod, nancumsum, nanmax, nanmean, nanmin, nanprod, nanstd, nansum, nanvar,
)
from .number_parts import (
    fix, frexp, gcd, isneginf, isposinf, lcm, ldexp, modf,
)
from .quantiles import (
    nanmedian, nanpercentile, nanquantile, percentile, quantile,
)
from .pointwise import (
    angle, around, bitwise_count, clip, conj, conjugate, deg2rad, degrees, divmod, fmax, fmin, heaviside,
    imag, iscomplex, isclose, isreal, logaddexp2, logical_and, logical_not, logical_or, logical_xor,
    nan_to_num, positive, pow, power, rad2deg, radians, real, reciprocal, round, signbit, sinc, where,
)
from .repeating import (
    pad, repeat, tile,
)
from .searching import (
    argmax, argmin, argwhere, flatnonzero, nonzero, searchsorted,
)
from .selecting import (
    choose, compress, extract, fill_diagonal, piecewise, place, select,
)
from .sets import (
    intersect1d, isin, setdiff1d, setxor1d, union1d, unique, unique_all, unique_counts, unique_inverse,
    unique_values,
)
from .slices import (
    as_strided, contiguous, slice, slice_update,
)
from .sorting import (
    argpartition, argsort, lexsort, partition, sort, topk,
)
from .statistical import (
    all, amax, amin, any, average, count_nonzero, max, mean, median, min, minmax, prod, ptp, std, sum, var,
)
from .structured_products import (
    block_masked_mm, gather_mm, hadamard_transform, matvec, segmented_mm, vecmat,
)
from .taking import (
    put_along_axis, take, take_along_axis,
)
from .utility import (
    allclose, array_equal, array_equiv, one_hot,
)
from .windows import (
    bartlett, blackman, hamming, hanning,
)
from .methods import install

__all__ = [
    "__array_api_version__", "__array_namespace_info__", "abs", "absolute", "acos", "acosh", "add", "addmm",
    "all", "allclose", "angle", "any", "arange", "arccos", "arccosh", "arcsin", "arcsinh", "arctan",
    "arctan2", "arctanh", "argmax", "argmin", "argsort", "argwhere", "around", "array", "array_equal",
    "asarray", "asin", "asinh", "astype", "atan", "atan2", "atanh", "atleast_1d", "atleast_2d",
    "atleast_3d", "average", "bitwise_and", "bitwise_count", "bitwise_invert", "bitwise_left_shift",
    "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "bool", "broadcast_arrays",
    "broadcast_shapes", "broadcast_to", "can_cast", "cbrt", "ceil", "clip", "concat", "concatenate", "conj",
    "conjugate", "conv1d", "conv2d", "conv3d", "conv_general", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "convolve", "copysign", "cos", "cosh", "count_nonzero", "cross", "cummax", "cummin",
    "cumprod", "cumsum", "cumulative_prod", "cumulative_sum", "deg2rad", "degrees", "diag", "diagonal",
    "diff", "digamma", "divide", "divmod", "dot", "e", "einsum", "empty", "empty_like", "equal", "erf",
    "erfc", "erfinv", "exp", "exp2", "expand_dims", "expm1", "eye", "fabs", "finfo", "flatnonzero",
    "flatten", "flip", "fliplr", "flipud", "floor", "floor_divide", "fmod", "from_dlpack", "full",
    "full_like", "greater", "greater_equal", "heaviside", "hstack", "hypot", "identity", "iinfo", "imag",
    "inf", "inner", "invert", "isclose", "isdtype", "isfinite", "isin", "isinf", "isnan", "kron",
    "left_shift", "less", "less_equal", "lexsort", "lgamma", "linspace", "log", "log10", "log1p", "log2",
    "log_softmax", "logaddexp", "logcumsumexp", "logical_and", "logical_not", "logical_or", "logical_xor",
    "logspace", "logsumexp", "matmul", "matrix_transpose", "max", "maximum", "mean", "median", "meshgrid",
    "min", "minimum", "mod", "moveaxis", "multiply", "nan", "nan_to_num", "negative", "newaxis",
    "nextafter", "nonzero", "not_equal", "one_hot", "ones", "ones_like", "outer", "pad", "permute_dims",
    "pi", "positive", "pow", "power", "prod", "promote_types", "ptp", "put_along_axis", "rad2deg",
    "radians", "ravel", "real", "reciprocal", "remainder", "repeat", "reshape", "result_type",
    "right_shift", "rint", "roll", "rot90", "round", "rsqrt", "searchsorted", "sigmoid", "sign", "signbit",
    "sin", "sinc", "sinh", "softmax", "sort", "split", "sqrt", "square", "squeeze", "stack", "std",
    "subtract", "sum", "swapaxes", "take", "take_along_axis", "tan", "tanh", "tensordot", "tile", "topk",
    "trace", "transpose", "tri", "tril", "triu", "true_divide", "trunc", "unflatten", "unique_all",
    "unique_counts", "unique_inverse", "unique_values", "unstack", "var", "vdot", "vecdot", "view",
    "vstack", "where", "zeros", "zeros_like",
    "asarray", "asin", "asinh", "astype", "atan", "atan2", "atanh", "atleast_1d", "atleast_2d", "atleast_3d",
    "average", "bitwise_and", "bitwise_count", "bitwise_invert", "bitwise_left_shift", "bitwise_not",
    "bitwise_or", "bitwise_right_shift", "bitwise_xor", "bool", "broadcast_arrays", "broadcast_shapes",
    "broadcast_to", "can_cast", "cbrt", "ceil", "clip", "concat", "concatenate", "conj", "conjugate",
    "copysign", "cos", "cosh", "count_nonzero", "cross", "cummax", "cummin", "cumprod", "cumsum",
    "cumulative_prod", "cumulative_sum", "deg2rad", "degrees", "diag", "diagonal", "diff", "digamma",
    "divide", "divmod", "dot", "e", "einsum", "empty", "empty_like", "equal", "erf", "erfc", "erfinv", "exp",
    "exp2", "expand_dims", "expm1", "eye", "fabs", "finfo", "flatnonzero", "flatten", "flip", "fliplr",
    "flipud", "floor", "floor_divide", "fmod", "from_dlpack", "full", "full_like", "greater", "greater_equal",
    "heaviside", "hstack", "hypot", "identity", "iinfo", "imag", "inf", "inner", "invert", "isclose",
    "isdtype", "isfinite", "isin", "isinf", "isnan", "kron", "left_shift", "less", "less_equal", "lexsort",
    "lgamma", "linspace", "log", "log10", "log1p", "log2", "log_softmax", "logaddexp", "logcumsumexp",
    "logical_and", "logical_not", "logical_or", "logical_xor", "logspace", "logsumexp", "matmul",
    "matrix_transpose", "max", "maximum", "mean", "median", "meshgrid", "min", "minimum", "mod", "moveaxis",
    "multiply", "nan", "nan_to_num", "negative", "newaxis", "nextafter", "nonzero", "not_equal", "one_hot",
    "ones", "ones_like", "outer", "pad", "permute_dims", "pi", "positive", "pow", "power", "prod",
    "promote_types", "ptp", "put_along_axis", "rad2deg", "radians", "ravel", "real", "reciprocal",
    "remainder", "repeat", "reshape", "result_type", "right_shift", "rint", "roll", "rot90", "round", "rsqrt",
    "searchsorted", "sigmoid", "sign", "signbit", "sin", "sinc", "sinh", "softmax", "sort", "split", "sqrt",
    "square", "squeeze", "stack", "std", "subtract", "sum", "swapaxes", "take", "take_along_axis", "tan",
    "tanh", "tensordot", "tile", "topk", "trace", "transpose", "tri", "tril", "triu", "true_divide", "trunc",
    "unflatten", "unique_all", "unique_counts", "unique_inverse", "unique_values", "unstack", "var", "vdot",
    "vecdot", "view", "vstack", "where", "zeros", "zeros_like",
    # calculus, covariance
    "corrcoef", "cov", "ediff1d", "gradient", "interp", "polyder", "polyint", "polyval", "trapezoid",
    "unwrap", "vander",
    # creation, windows, constants
    "bartlett", "blackman", "copy", "diagflat", "euler_gamma", "geomspace", "hamming", "hanning",
    # dtypes
    "DtypeCategory", "complexfloating", "floating", "generic", "inexact", "integer", "issubdtype", "number",
    "signedinteger", "unsignedinteger",
    # elements and their parts
    "fix", "fmax", "fmin", "frexp", "gcd", "iscomplex", "isneginf", "isposinf", "isreal", "lcm", "ldexp",
    "logaddexp2", "modf",
    # files
    "load", "save", "save_safetensors", "savez", "savez_compressed",
    # histograms, quantiles, reductions
    "amax", "amin", "array_equiv", "bincount", "digitize", "histogram", "histogram_bin_edges", "minmax",
    "nanargmax", "nanargmin", "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmedian", "nanmin",
    "nanpercentile", "nanprod", "nanquantile", "nanstd", "nansum", "nanvar", "percentile", "quantile",
    # indices, slices, selections
    "as_strided", "choose", "compress", "contiguous", "diag_indices", "extract", "fill_diagonal", "indices",
    "ix_", "piecewise", "place", "ravel_multi_index", "select", "slice", "slice_update", "tril_indices",
    "triu_indices", "unravel_index",
    # joining
    "append", "array_split", "block", "column_stack", "delete", "dsplit", "dstack", "hsplit", "insert",
    "vsplit",
    # products
    "block_masked_mm", "einsum_path", "gather_mm", "hadamard_transform", "matvec", "segmented_mm", "vecmat",
    # sets, sorting
    "argpartition", "intersect1d", "partition", "setdiff1d", "setxor1d", "union1d", "unique",
]
# fmt: on

install()
