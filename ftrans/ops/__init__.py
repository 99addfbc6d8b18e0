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
from .hadamard import hadamard_transform
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
    block_masked_mm, gather_mm, matvec, segmented_mm, vecmat,
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
    "DtypeCategory", "__array_api_version__", "__array_namespace_info__", "abs", "absolute", "acos",
    "acosh", "add", "addmm", "all", "allclose", "amax", "amin", "angle", "any", "append", "arange",
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin",
    "argpartition", "argsort", "argwhere", "around", "array", "array_equal", "array_equiv", "array_split",
    "as_strided", "asarray", "asin", "asinh", "astype", "atan", "atan2", "atanh", "atleast_1d",
    "atleast_2d", "atleast_3d", "average", "bartlett", "bincount", "bitwise_and", "bitwise_count",
    "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "blackman", "block", "block_masked_mm", "bool", "broadcast_arrays", "broadcast_shapes",
    "broadcast_to", "can_cast", "cbrt", "ceil", "choose", "clip", "column_stack", "complexfloating",
    "compress", "concat", "concatenate", "conj", "conjugate", "contiguous", "conv1d", "conv2d", "conv3d",
    "conv_general", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "convolve", "copy",
    "copysign", "corrcoef", "cos", "cosh", "count_nonzero", "cov", "cross", "cummax", "cummin", "cumprod",
    "cumsum", "cumulative_prod", "cumulative_sum", "deg2rad", "degrees", "delete", "diag", "diag_indices",
    "diagflat", "diagonal", "diff", "digamma", "digitize", "divide", "divmod", "dot", "dsplit", "dstack",
    "e", "ediff1d", "einsum", "einsum_path", "empty", "empty_like", "equal", "erf", "erfc", "erfinv",
    "euler_gamma", "exp", "exp2", "expand_dims", "expm1", "extract", "eye", "fabs", "fill_diagonal",
    "finfo", "fix", "flatnonzero", "flatten", "flip", "fliplr", "flipud", "floating", "floor",
    "floor_divide", "fmax", "fmin", "fmod", "frexp", "from_dlpack", "full", "full_like", "gather_mm",
    "gcd", "generic", "geomspace", "gradient", "greater", "greater_equal", "hadamard_transform",
    "hamming", "hanning", "heaviside", "histogram", "histogram_bin_edges", "hsplit", "hstack", "hypot",
    "identity", "iinfo", "imag", "indices", "inexact", "inf", "inner", "insert", "integer", "interp",
    "intersect1d", "invert", "isclose", "iscomplex", "isdtype", "isfinite", "isin", "isinf", "isnan",
    "isneginf", "isposinf", "isreal", "issubdtype", "ix_", "kron", "lcm", "ldexp", "left_shift", "less",
    "less_equal", "lexsort", "lgamma", "linspace", "load", "log", "log10", "log1p", "log2", "log_softmax",
    "logaddexp", "logaddexp2", "logcumsumexp", "logical_and", "logical_not", "logical_or", "logical_xor",
    "logspace", "logsumexp", "matmul", "matrix_transpose", "matvec", "max", "maximum", "mean", "median",
    "meshgrid", "min", "minimum", "minmax", "mod", "modf", "moveaxis", "multiply", "nan", "nan_to_num",
    "nanargmax", "nanargmin", "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmedian", "nanmin",
    "nanpercentile", "nanprod", "nanquantile", "nanstd", "nansum", "nanvar", "negative", "newaxis",
    "nextafter", "nonzero", "not_equal", "number", "one_hot", "ones", "ones_like", "outer", "pad",
    "partition", "percentile", "permute_dims", "pi", "piecewise", "place", "polyder", "polyint",
    "polyval", "positive", "pow", "power", "prod", "promote_types", "ptp", "put_along_axis", "quantile",
    "rad2deg", "radians", "ravel", "ravel_multi_index", "real", "reciprocal", "remainder", "repeat",
    "reshape", "result_type", "right_shift", "rint", "roll", "rot90", "round", "rsqrt", "save",
    "save_safetensors", "savez", "savez_compressed", "searchsorted", "segmented_mm", "select",
    "setdiff1d", "setxor1d", "sigmoid", "sign", "signbit", "signedinteger", "sin", "sinc", "sinh",
    "slice", "slice_update", "softmax", "sort", "split", "sqrt", "square", "squeeze", "stack", "std",
    "subtract", "sum", "swapaxes", "take", "take_along_axis", "tan", "tanh", "tensordot", "tile", "topk",
    "trace", "transpose", "trapezoid", "tri", "tril", "tril_indices", "triu", "triu_indices",
    "true_divide", "trunc", "unflatten", "union1d", "unique", "unique_all", "unique_counts",
    "unique_inverse", "unique_values", "unravel_index", "unsignedinteger", "unstack", "unwrap", "vander",
    "var", "vdot", "vecdot", "vecmat", "view", "vsplit", "vstack", "where", "zeros", "zeros_like",
]
# fmt: on

install()
