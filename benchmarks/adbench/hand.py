"""HAND: the dense Jacobian of the errors between data points and a skinned hand mesh, by the pose.

In the complicated variant each point also has two barycentric coordinates. An error depends on its own
point's alone, so one `jvp` along all first coordinates and one along all second ones give those two columns.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.adbench.inputs import Hand
from benchmarks.adbench.rotation import rotation_matrix
from benchmarks.peers import Peer

FINGERS = 5
POSE = 26  # rotation 3, translation 3, then (bend, spread, bend, bend) for each finger


def joint_angles(bones: int) -> tuple[np.ndarray, np.ndarray]:
    """Each bone's bend and spread angle as positions in the pose; `POSE` stands for an angle of zero."""
    bend, spread = np.full(bones, POSE), np.full(bones, POSE)
    for finger in range(FINGERS):
        first_joint = 4 * finger + 2  # after the wrist and the finger's rigid first bone
        angles = 4 * finger + 6
        bend[first_joint : first_joint + 3] = angles, angles + 2, angles + 3
        spread[first_joint] = angles + 1
    return bend, spread


def levels(parents: np.ndarray) -> list[np.ndarray]:
    """The bones of equal depth, root first."""
    depth = np.zeros(len(parents), int)
    for bone, parent in enumerate(parents):
        depth[bone] = 0 if parent < 0 else depth[parent] + 1
    return [np.flatnonzero(depth == level) for level in range(depth.max() + 1)]


def vertex_positions(peer: Peer, inputs: Hand, theta: Any) -> Any:
    """Linear blend skinning: the mesh in the pose `theta` [26] → [V, 3]."""
    xp = peer.xp
    bones = len(inputs.parents)
    angles = xp.concatenate((theta, peer.array(np.zeros(1))))
    bend, spread = (angles[peer.array(index)] for index in joint_angles(bones))
    cos_bend, sin_bend, cos_spread, sin_spread = xp.cos(bend), xp.sin(bend), xp.cos(spread), xp.sin(spread)
    zero, one = xp.zeros_like(bend), xp.ones_like(bend)
    rotations = xp.stack(
        [
            cos_spread, -sin_spread * cos_bend, sin_spread * sin_bend, zero,
            sin_spread, cos_spread * cos_bend, -cos_spread * sin_bend, zero,
            zero, sin_bend, cos_bend, zero,
            zero, zero, zero, one,
        ],
        axis=1,
    )  # fmt: skip
    relatives = xp.matmul(peer.array(inputs.base_relatives), xp.reshape(rotations, (bones, 4, 4)))

    depths = levels(inputs.parents)
    absolutes = [relatives[peer.array(depths[0])]]
    for above, level in pairwise(depths):
        parents = np.searchsorted(above, inputs.parents[level])
        absolutes.append(xp.matmul(absolutes[-1][peer.array(parents)], relatives[peer.array(level)]))
    order = np.argsort(np.concatenate(depths))
    absolute = xp.concatenate(absolutes)[peer.array(order)]
    transforms = xp.matmul(absolute, peer.array(inputs.inverse_base_absolutes))

    blended = xp.matmul(peer.array(inputs.weights), xp.reshape(transforms[:, :3, :], (bones, 12)))
    base_positions = peer.array(inputs.base_positions)
    positions = xp.sum(xp.reshape(blended, (-1, 3, 4)) * base_positions[:, None, :], axis=2)
    return xp.matmul(positions, rotation_matrix(peer, theta[:3]).T) + theta[3:6]


def build(peer: Peer, inputs: Hand) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Returns the errors [3N], and their Jacobian [3N, 26], or [3N, 2 + 26] in the complicated variant."""
    xp = peer.xp
    points, theta = peer.array(inputs.points), peer.array(inputs.theta)
    correspondences = peer.array(inputs.correspondences)

    def errors(theta):
        return xp.reshape(points - vertex_positions(peer, inputs, theta)[correspondences], (-1,))

    if inputs.barycentric is None:
        objective, derivative = peer.jit(errors), peer.jit(peer.jacfwd(errors))
        return lambda: objective(theta), lambda: derivative(theta)

    corners = peer.array(inputs.triangles[inputs.correspondences])
    barycentric = peer.array(inputs.barycentric)
    first, second = np.zeros_like(inputs.barycentric), np.zeros_like(inputs.barycentric)
    first[:, 0] = second[:, 1] = 1
    directions = peer.array(first), peer.array(second)

    def errors_on_triangles(barycentric, theta):
        corner = vertex_positions(peer, inputs, theta)[corners]  # [N, 3, 3]
        u, v = barycentric[:, :1], barycentric[:, 1:]
        on_mesh = u * corner[:, 0] + v * corner[:, 1] + (1 - u - v) * corner[:, 2]
        return xp.reshape(points - on_mesh, (-1,))

    def jacobian(barycentric, theta):
        def by_barycentric(direction):
            return peer.jvp(lambda b: errors_on_triangles(b, theta), (barycentric,), (direction,))[1]

        by_pose = peer.jacfwd(lambda t: errors_on_triangles(barycentric, t))(theta)
        columns = xp.stack([by_barycentric(direction) for direction in directions], axis=1)
        return xp.concatenate((columns, by_pose), axis=1)

    objective, derivative = peer.jit(errors_on_triangles), peer.jit(jacobian)
    return lambda: objective(barycentric, theta), lambda: derivative(barycentric, theta)
