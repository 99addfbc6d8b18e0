"""Readers of ADBench's input files (formats: `data/README.md`)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

DATA = Path(__file__).parent / "data"


class GMM(NamedTuple):
    """A mixture of K Gaussians in D dimensions and N points."""

    alphas: np.ndarray  # [K]: weights, before normalisation
    means: np.ndarray  # [K, D]
    factors: np.ndarray  # [K, D + D(D-1)/2]: log-diagonal, then strictly lower triangle by columns
    points: np.ndarray  # [N, D]
    gamma: float  # Wishart prior: scale
    m: int  # Wishart prior: degrees of freedom above D + 1


class BA(NamedTuple):
    """N cameras, M points and P weighted observations."""

    cameras: np.ndarray  # [N, 11]: rotation 3, centre 3, focal length, principal point 2, radial distortion 2
    points: np.ndarray  # [M, 3]
    weights: np.ndarray  # [P]
    camera_of: np.ndarray  # [P]
    point_of: np.ndarray  # [P]
    features: np.ndarray  # [P, 2]


class Hand(NamedTuple):
    """A skinned mesh with B bones and V vertices, N data points, and where to start."""

    parents: np.ndarray  # [B]: -1 for the root
    base_relatives: np.ndarray  # [B, 4, 4]: transformation to the parent's frame at rest
    inverse_base_absolutes: np.ndarray  # [B, 4, 4]
    base_positions: np.ndarray  # [V, 4], homogeneous
    weights: np.ndarray  # [V, B]
    triangles: np.ndarray  # [T, 3]
    correspondences: np.ndarray  # [N]: a vertex, or a triangle where there are barycentric coordinates
    points: np.ndarray  # [N, 3]
    theta: np.ndarray  # [26]
    barycentric: np.ndarray | None  # [N, 2] in the complicated variant


class LSTM(NamedTuple):
    """A character model of L layers with H units and a one-hot text of T characters."""

    main: np.ndarray  # [L, 2, 4H]: weights and biases
    extra: np.ndarray  # [3, H]: input weight, output weight, output bias
    state: np.ndarray  # [L, 2, H]: hidden, cell
    text: np.ndarray  # [T, H]


def read_gmm(name: str) -> GMM:
    """Reads `data/gmm/<name>`."""
    tokens = np.array((DATA / "gmm" / name).read_text().split(), np.float64)
    d, k, n = tokens[:3].astype(int)
    sizes = (k, k * d, k * (d + d * (d - 1) // 2), n * d, 2)
    alphas, means, factors, points, (gamma, m) = np.split(tokens[3:], np.cumsum(sizes)[:-1])
    means, factors, points = means.reshape(k, d), factors.reshape(k, -1), points.reshape(n, d)
    return GMM(alphas, means, factors, points, float(gamma), int(m))


def read_ba(name: str) -> BA:
    """Reads `data/ba/<name>`: one camera, point, weight and feature, which are repeated."""
    tokens = np.array((DATA / "ba" / name).read_text().split(), np.float64)
    n, m, p = tokens[:3].astype(int)
    camera, point, weight, feature = np.split(tokens[3:], (11, 14, 15))
    observation = np.arange(p)
    return BA(
        np.tile(camera, (n, 1)),
        np.tile(point, (m, 1)),
        np.tile(weight, p),
        observation % n,
        observation % m,
        np.tile(feature, (p, 1)),
    )


def read_hand(name: str) -> Hand:
    """Reads `data/hand/<name>`, and the mesh in `data/hand/model`."""
    model = DATA / "hand" / "model"
    bones = [line.split(":")[1:] for line in (model / "bones.txt").read_text().split()]
    parents = np.array([int(bone[0]) for bone in bones])
    matrices = np.array([bone[1:] for bone in bones], np.float64).reshape(-1, 2, 4, 4)

    vertices = [line.split(":") for line in (model / "vertices.txt").read_text().split()]
    positions = np.array([[*vertex[:3], 1.0] for vertex in vertices], np.float64)
    weights = np.zeros((len(vertices), len(bones)))
    for row, vertex in zip(weights, vertices, strict=True):
        row[np.array(vertex[9::2], int)] = np.array(vertex[10::2], np.float64)
    triangles = np.loadtxt(model / "triangles.txt", int, delimiter=":")

    tokens = np.array((DATA / "hand" / name).read_text().split(), np.float64)
    n, n_theta = tokens[:2].astype(int)
    data, barycentric, theta = np.split(tokens[2:], (4 * n, len(tokens) - 2 - n_theta))
    data = data.reshape(n, 4)
    return Hand(
        parents,
        matrices[:, 0],
        matrices[:, 1],
        positions,
        weights,
        triangles,
        data[:, 0].astype(int),
        data[:, 1:],
        theta,
        barycentric.reshape(n, 2) if barycentric.size else None,
    )


def read_lstm(name: str) -> LSTM:
    """Reads `data/lstm/<name>`."""
    tokens = np.array((DATA / "lstm" / name).read_text().split(), np.float64)
    layers, length, size = tokens[:3].astype(int)
    sizes = (layers * 8 * size, 3 * size, layers * 2 * size, length * size)
    main, extra, state, text = np.split(tokens[3:], np.cumsum(sizes)[:-1])
    return LSTM(
        main.reshape(layers, 2, 4 * size),
        extra.reshape(3, size),
        state.reshape(layers, 2, size),
        text.reshape(length, size),
    )
