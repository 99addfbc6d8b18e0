"""Functions to transform: each takes a namespace and a float64 vector of four, and gives an array.

They are smooth at and around the points used, so that finite differences can stand in for an oracle.
"""

POINT = (0.6, -0.4, 1.3, 0.9)


def elementwise(xp, x):
    return xp.sin(x) * xp.exp(-x) + x / (2.0 + x * x)


def mean_square(xp, x):
    return xp.mean(x * x) + xp.sum(x) * xp.max(x)


def log_sum_exp(xp, x):
    largest = xp.max(x)
    return largest + xp.log(xp.sum(xp.exp(x - largest)))


def gram(xp, x):
    rows = xp.reshape(x, (2, 2))
    return xp.matmul(rows, xp.cos(rows.T))


def indexing(xp, x):
    return x[1:] * x[:-1] + x[2] * x[::-1][:3]


def gathering(xp, x):
    indices = xp.asarray([3, 0, 0, 2], dtype=xp.int32)
    return xp.sin(x[indices]) * x


def branching(xp, x):
    return xp.where(x > 0.0, xp.exp(x), x * x) * xp.maximum(x, 0.1)


def cumulative(xp, x):
    return xp.cumsum(xp.sin(x), axis=0) * x


def sorting(xp, x):
    return xp.sort(x) * xp.exp(0.5 * x)


def joining(xp, x):
    return xp.concatenate([x[:2] * x[2:], xp.stack([x[0], x[3]]) ** 2])


def broadcasting(xp, x):
    return xp.sum(xp.sin(x[:, None] - 2.0 * x[None, :]) * xp.broadcast_to(x, (4, 4)), axis=1)


def product(xp, x):
    return xp.prod(x) + xp.prod(1.0 + x[1:] ** 2)


FUNCTIONS = (
    elementwise, mean_square, log_sum_exp, gram, indexing, gathering, branching, cumulative, sorting, joining,
    broadcasting, product,
)  # fmt: skip
