"""LSTM: gradient of a character model's loss by all of its weights.

ADBench's cell has one weight a gate and unit: gates = (x, h, x, h) · w + b, elementwise; and its softmax has
a 2 added to the sum of the exponentials. Both are part of the problem as it is published.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.adbench.inputs import LSTM
from benchmarks.peers import Peer


def build(peer: Peer, inputs: LSTM) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Returns the loss, and its gradient by (main [L, 2, 4H], extra [3, H])."""
    xp = peer.xp
    layers, _, units = inputs.state.shape
    state, text = peer.array(inputs.state), peer.array(inputs.text)

    def cell(weight, bias, x, hidden, memory):
        gates = xp.stack([x, hidden, x, hidden]) * weight + bias
        opened = 1 / (1 + xp.exp(-gates[:3]))
        memory = memory * opened[0] + opened[1] * xp.tanh(gates[3])
        return opened[2] * xp.tanh(memory), memory

    def loss(main, extra):
        shaped = xp.reshape(main, (layers, 2, 4, units))
        parameters = [(shaped[layer, 0], shaped[layer, 1]) for layer in range(layers)]
        start = [(state[layer, 0], state[layer, 1]) for layer in range(layers)]

        def step(state, characters):
            x = characters[0] * extra[0]
            new_state = []
            for (weight, bias), (hidden, memory) in zip(parameters, state, strict=True):
                x, memory = cell(weight, bias, x, hidden, memory)
                new_state.append((x, memory))
            prediction = x * extra[1] + extra[2]
            log_probability = prediction - xp.log(2 + xp.sum(xp.exp(prediction)))
            return new_state, xp.sum(characters[1] * log_probability)

        _, scores = peer.scan(step, start, xp.stack([text[:-1], text[1:]], axis=1))
        return -xp.sum(scores) / ((len(inputs.text) - 1) * units)

    main, extra = peer.array(inputs.main), peer.array(inputs.extra)
    objective, gradient = peer.jit(loss), peer.jit(peer.grad(loss, argnums=(0, 1)))
    return lambda: objective(main, extra), lambda: gradient(main, extra)
