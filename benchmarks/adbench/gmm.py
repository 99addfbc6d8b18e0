"""GMM: gradient of a Gaussian mixture's log-likelihood, with a Wishart prior on its inverse covariances."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.adbench.inputs import GMM
from benchmarks.peers import Peer


def lower_triangle_index(d: int) -> np.ndarray:
    """1 + the position of each entry of a strictly lower triangle [d, d] in its columns; 0 elsewhere."""
    index = np.zeros((d, d), int)
    columns, rows = np.triu_indices(d, 1)
    index[rows, columns] = 1 + np.arange(len(rows))
    return index


def log_wishart_prior(xp: Any, log_diagonal: Any, lower: Any, gamma: float, m: int) -> Any:
    """Log-density of the factors, summed over the components."""
    k, d = log_diagonal.shape
    n = d + m + 1
    log_gamma = d * (d - 1) / 4 * math.log(math.pi) + sum(math.lgamma((n - j) / 2) for j in range(d))
    constant = n * d * (math.log(gamma) - math.log(2) / 2) - log_gamma
    squares = xp.sum(xp.exp(2 * log_diagonal)) + xp.sum(lower * lower)
    return gamma**2 / 2 * squares - m * xp.sum(log_diagonal) - k * constant


def build(peer: Peer, inputs: GMM) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Returns the log-likelihood, and its gradient by (alphas, means, factors)."""
    xp = peer.xp
    n, d = inputs.points.shape
    points, eye = peer.array(inputs.points), peer.array(np.eye(d))
    index = peer.array(lower_triangle_index(d))
    zero = peer.array(np.zeros((len(inputs.alphas), 1)))

    def log_likelihood(alphas, means, factors):
        log_diagonal, lower = factors[:, :d], factors[:, d:]
        q = xp.exp(log_diagonal)[:, :, None] * eye + xp.concatenate((zero, lower), axis=1)[:, index]
        whitened = xp.matmul(points[None, :, :] - means[:, None, :], xp.swapaxes(q, 1, 2))  # [K, N, D]
        log_scale = alphas + xp.sum(log_diagonal, axis=1)
        log_density = log_scale[:, None] - 0.5 * xp.sum(whitened * whitened, axis=2)
        likelihood = xp.sum(peer.logsumexp(log_density, axis=0)) - n * peer.logsumexp(alphas, axis=0)
        prior = log_wishart_prior(xp, log_diagonal, lower, inputs.gamma, inputs.m)
        return likelihood + prior - n * d / 2 * math.log(2 * math.pi)

    parameters = tuple(map(peer.array, inputs[:3]))
    objective, gradient = peer.jit(log_likelihood), peer.jit(peer.grad(log_likelihood, argnums=(0, 1, 2)))
    return lambda: objective(*parameters), lambda: gradient(*parameters)
