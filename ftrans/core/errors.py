"""The errors that tracing raises."""


class ConcretizationError(TypeError):
    """The value of a traced array was asked for (by ``if``, ``float()``, ``np.asarray``, …) where it has none yet."""


class LeakedTracerError(RuntimeError):
    """A traced array was used after the transformation that made it had ended."""
