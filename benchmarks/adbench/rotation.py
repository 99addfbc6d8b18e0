"""Rotation by an angle-axis vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.peers import Peer


def rotation_matrix(peer: Peer, angle_axis: Any) -> Any:
    """Rodrigues' formula; angle_axis [3] → [3, 3], differentiable everywhere, at zero too."""
    xp = peer.xp
    square = xp.sum(angle_axis * angle_axis)
    turned = square > 0
    # Both branches of `where` are differentiated: the one not taken has to be finite.
    safe_square = xp.where(turned, square, xp.ones_like(square))
    angle = xp.sqrt(safe_square)
    sine = xp.where(turned, xp.sin(angle) / angle, xp.ones_like(square))
    cosine = xp.where(turned, (1 - xp.cos(angle)) / safe_square, 0.5 * xp.ones_like(square))
    x, y, z = angle_axis[0], angle_axis[1], angle_axis[2]
    zero = xp.zeros_like(x)
    cross = xp.reshape(xp.stack([zero, -z, y, z, zero, -x, -y, x, zero]), (3, 3))
    return peer.array(np.eye(3)) + sine * cross + cosine * xp.matmul(cross, cross)
