"""`python -m ftrans`: a guided tour of a few seconds.

It shows the devices, the quick start with its outputs and a jaxpr; then it fits a
classifier of handwritten digits.
"""

from __future__ import annotations

import doctest
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TypeVar

import numpy as np

import ftrans as ft
from ftrans.datasets import load_digits

QUICK_START = """
>>> a = ft.array([1, 2, 3, 4])
>>> a.shape
(4,)
>>> a.dtype
int32
>>> b = ft.array([1.0, 2.0, 3.0, 4.0])
>>> b.dtype
float32

An operation is recorded; evaluation runs it.
>>> c = a + b
>>> ft.eval(c)
>>> print(c)
array([2, 4, 6, 8], dtype=float32)
>>> np.array(c)
array([2., 4., 6., 8.], dtype=float32)

Functions transform functions.
>>> x = ft.array(0.0)
>>> print(ft.sin(x))
array(0, dtype=float32)
>>> print(ft.grad(ft.sin)(x))
array(1, dtype=float32)
>>> x = ft.array([0.0, 0.1, 0.2, 3])
>>> print(ft.vmap(ft.grad(ft.sin))(x))
array([1, 0.995004, 0.980067, -0.989992], dtype=float32)

Operations have a stream, arrays have none: `d` waits for `c` without being told.
>>> a = ft.random.normal((100,))
>>> b = ft.random.normal((100,))
>>> s1, s2 = ft.new_stream(ft.cpu), ft.new_stream(ft.cpu)
>>> c = ft.add(a, b, stream=s1)
>>> d = ft.add(a, c, stream=s2)
>>> np.allclose(np.array(d), 2 * np.array(a) + np.array(b))
True
>>> print(ft.default_device())
Device(cpu, 0)
>>> print(ft.default_stream(ft.default_device()))
Stream(Device(cpu, 0), 0)
"""

HIDDEN = 128
CLASSES = 10
TRAINED = 1_500  # images; the other 297 are held out
BATCH = 100
EPOCHS = 30
RATE = 0.05
MOMENTUM = 0.9
ACCURACY = 0.95

Parameters = list[tuple[ft.Array, ft.Array]]
T = TypeVar("T")


def heading(text: str) -> None:
    """Prints an underlined line."""
    print(f"\n{text}\n{'─' * len(text)}")


def show_devices() -> None:
    """Prints the versions and what the operations run on."""
    heading("Where this runs")
    device = ft.default_device()
    print(f"ftrans {ft.__version__}, NumPy {np.__version__}, Python {platform.python_version()}")
    print(f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}")
    for available in (ft.cpu, ft.gpu):
        if ft.is_available(available):
            facts = ", ".join(f"{name}: {fact}" for name, fact in ft.device_info(available).items())
            print(f"{available}: {facts}")
        else:
            print(f"{available}: no backend in this build")
    print(f"default device: {device}, default stream: {ft.default_stream(device)}")


def run_quick_start() -> None:
    """Runs the quick start as at Python's own prompt."""
    heading("Quick start")
    namespace = {"ft": ft, "np": np}
    lines = QUICK_START.replace("ft.new_stream(ft.cpu)\n", "ft.new_stream(ft.gpu)\n")
    for part in doctest.DocTestParser().parse(lines if ft.is_available(ft.gpu) else QUICK_START):
        if isinstance(part, doctest.Example):
            print(f">>> {part.source}", end="")
            exec(compile(part.source, "<quick start>", "single"), namespace)
        elif part.strip():
            print(f"\n# {part.strip()}")


def two_devices(a: ft.Array, b: ft.Array, d1: ft.Device, d2: ft.Device) -> tuple[ft.Array, ft.Array]:
    """A large product on one device, and many small dependent steps on another."""
    x = ft.matmul(a, b, stream=d1)
    for _ in range(500):
        b = ft.exp(b, stream=d2)
    return x, b


def time_laziness() -> None:
    """Prints what recording operations takes, and what running them takes."""
    heading("Lazy, then forced: a product on one device, 500 dependent steps on another")
    a, b = ft.random.uniform(shape=(4096, 512)), ft.random.uniform(shape=(512, 4))
    ft.eval(a, b)
    start = time.perf_counter()
    other = ft.gpu if ft.is_available(ft.gpu) else ft.cpu
    outcome = two_devices(a, b, other, ft.cpu)
    recorded = time.perf_counter()
    ft.eval(outcome)
    evaluated = time.perf_counter()
    print(f"the product on {other}, the steps on {ft.cpu}")
    print(f"recording {1e3 * (recorded - start):.2f} ms, evaluating {1e3 * (evaluated - recorded):.2f} ms")


def show_jaxpr() -> None:
    """Prints the program of a composed transformation."""
    heading("What a transformation makes: the jaxpr of grad(sum(vmap(sin(x)·x)))")

    def f(x: ft.Array) -> ft.Array:
        return ft.sin(x) * x

    print(ft.make_jaxpr(ft.grad(lambda xs: ft.sum(ft.vmap(f)(xs))))(ft.array([0.0, 1.0, 2.0])))


def initial_parameters(rng: np.random.Generator, pixels: int) -> Parameters:
    """Weights and biases of a network with one hidden layer."""
    sizes = (pixels, HIDDEN, CLASSES)
    return [
        (
            ft.array((rng.standard_normal((n, m)) * (2 / n) ** 0.5).astype(np.float32)),
            ft.array(np.zeros(m, np.float32)),
        )
        for n, m in pairwise(sizes)
    ]


def predict(parameters: Parameters, image: ft.Array) -> ft.Array:
    """Scores of the ten digits for one image: [64] → [10]."""
    (weight, bias), (output_weight, output_bias) = parameters
    hidden = ft.maximum(ft.matmul(image, weight) + bias, 0)
    return ft.matmul(hidden, output_weight) + output_bias


def loss_of_one(parameters: Parameters, image: ft.Array, label: ft.Array) -> ft.Array:
    """Cross-entropy of one image and its label: no batch in sight."""
    scores = predict(parameters, image)
    return ft.logsumexp(scores) - scores[label]


def mean_loss(parameters: Parameters, images: ft.Array, labels: ft.Array) -> ft.Array:
    """The loss of a batch, by `vmap`."""
    return ft.mean(ft.vmap(loss_of_one, in_axes=(None, 0, 0))(parameters, images, labels))


@ft.jit
def training_step(
    parameters: Parameters, velocity: Parameters, images: ft.Array, labels: ft.Array
) -> tuple[Parameters, Parameters, ft.Array]:
    """One step of gradient descent with momentum."""
    loss, gradients = ft.value_and_grad(mean_loss)(parameters, images, labels)
    velocity = ft.tree_map(lambda v, g: MOMENTUM * v - RATE * g, velocity, gradients)
    return ft.tree_map(lambda p, v: p + v, parameters, velocity), velocity, loss


def progress(steps: Iterable[T], total: int, status: dict[str, float]) -> Iterator[T]:
    """Yields the steps and keeps a line with a bar and the `status`; without a terminal, five plain lines."""
    live, start = sys.stdout.isatty(), time.perf_counter()
    for done, step in enumerate(steps, 1):
        yield step
        if live or done % max(1, total // 5) == 0:
            filled = 30 * done // total
            figures = "  ".join(f"{name} {value:.4f}" for name, value in status.items())
            bar = f"{'█' * filled}{'░' * (30 - filled)}"
            seconds = time.perf_counter() - start
            print(f"{bar} {done}/{total}  {figures}  {seconds:.1f} s", end="\r" if live else "\n", flush=True)
    if live:
        print()


def accuracy(parameters: Parameters, images: ft.Array, labels: ft.Array) -> float:
    """The part of the images whose highest score is their label's."""
    scores = ft.vmap(predict, in_axes=(None, 0))(parameters, images)
    return float(ft.mean(ft.argmax(scores, axis=1) == labels))


def training_device() -> ft.Device:
    """The default device, but not the host Metal device, which is for tests and slow: the processor."""
    device = ft.default_device()
    is_host = device == ft.gpu and ft.metal.device_info()["architecture"] == "host"
    return ft.cpu if is_host else device


def fit_digits() -> float:
    """Fits the classifier and returns its accuracy on images that it has not seen."""
    heading("A classifier of handwritten digits: jit(value_and_grad(mean(vmap(loss of one image))))")
    rng = np.random.default_rng(0)
    digits = load_digits()
    order = rng.permutation(len(digits.labels))
    images = (digits.images.reshape(len(order), -1) / 16).astype(np.float32)[order]
    labels = digits.labels.astype(np.int32)[order]

    parameters = initial_parameters(rng, images.shape[1])
    velocity = ft.tree_map(ft.zeros_like, parameters)
    batches = [batch for _ in range(EPOCHS) for batch in np.split(rng.permutation(TRAINED), TRAINED // BATCH)]
    status: dict[str, float] = {}
    for batch in progress(batches, len(batches), status):
        batch_images, batch_labels = ft.array(images[batch]), ft.array(labels[batch])
        parameters, velocity, loss = training_step(parameters, velocity, batch_images, batch_labels)
        status["loss"] = float(loss)

    return accuracy(parameters, ft.array(images[TRAINED:]), ft.array(labels[TRAINED:]))


def main() -> int:
    """Runs the tour; the exit status is 1 if the classifier does not reach its accuracy."""
    show_devices()
    run_quick_start()
    time_laziness()
    show_jaxpr()
    with ft.stream(training_device()):
        held_out = fit_digits()
    passed = held_out >= ACCURACY
    verdict = "reached" if passed else "MISSED"
    print(f"accuracy on held-out images: {held_out:.1%} (at least {ACCURACY:.0%}: {verdict})")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
