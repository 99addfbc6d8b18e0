"""BA: the sparse Jacobian of bundle adjustment, its blocks by `vmap` of `jacrev` over the observations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks.adbench.inputs import BA
from benchmarks.adbench.rotation import rotation_matrix
from benchmarks.peers import Peer

CAMERA = 11


class CSR(NamedTuple):
    """A sparse matrix: row i holds `vals[rows[i]:rows[i + 1]]` in the columns `cols[rows[i]:rows[i + 1]]`."""

    rows: np.ndarray
    cols: np.ndarray
    vals: np.ndarray
    shape: tuple[int, int]


def project(peer: Peer, camera: Any, point: Any) -> Any:
    """Image of a point [3] in a camera [11] with radial distortion → [2]."""
    xp = peer.xp
    local = xp.matmul(rotation_matrix(peer, camera[:3]), point - camera[3:6])
    plane = local[:2] / local[2]
    square = xp.sum(plane * plane)
    distortion = 1 + camera[9] * square + camera[10] * square * square
    return plane * distortion * camera[6] + camera[7:9]


def build(peer: Peer, inputs: BA) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Returns the errors (reprojection [P, 2] and weight [P]), and their Jacobian's nonzeros by rows."""
    xp = peer.xp
    cameras, points, weights = map(peer.array, inputs[:3])
    camera_of, point_of, features = map(peer.array, inputs[3:])

    def error(parameters, feature):
        camera, point, weight = parameters[:CAMERA], parameters[CAMERA:-1], parameters[-1]
        return weight * (project(peer, camera, point) - feature)

    def observations(cameras, points, weights):
        return xp.concatenate((cameras[camera_of], points[point_of], weights[:, None]), axis=1)

    def errors(cameras, points, weights):
        reprojection = peer.vmap(error)(observations(cameras, points, weights), features)
        return reprojection, 1 - weights * weights

    def nonzeros(cameras, points, weights):
        blocks = peer.vmap(peer.jacrev(error))(observations(cameras, points, weights), features)  # [P, 2, 15]
        return xp.concatenate((xp.reshape(blocks, (-1,)), -2 * weights))

    objective, derivative = peer.jit(errors), peer.jit(nonzeros)
    return lambda: objective(cameras, points, weights), lambda: derivative(cameras, points, weights)


def jacobian(inputs: BA, nonzeros: np.ndarray) -> CSR:
    """Puts the nonzeros into ADBench's layout: rows 2P reprojection errors, then P weight errors."""
    n, m, p = len(inputs.cameras), len(inputs.points), len(inputs.weights)
    weight_columns = CAMERA * n + 3 * m + np.arange(p)[:, None]
    blocks = np.concatenate(
        (
            CAMERA * inputs.camera_of[:, None] + np.arange(CAMERA),
            CAMERA * n + 3 * inputs.point_of[:, None] + np.arange(3),
            weight_columns,
        ),
        axis=1,
    )
    cols = np.concatenate((np.repeat(blocks, 2, axis=0).reshape(-1), weight_columns.reshape(-1)))
    lengths = np.repeat((blocks.shape[1], 1), (2 * p, p))
    rows = np.concatenate(((0,), np.cumsum(lengths)))
    return CSR(rows, cols, nonzeros, (3 * p, CAMERA * n + 3 * m + p))
