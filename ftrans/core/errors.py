"""The errors that tracing raises."""


class ConcretizationError(TypeError):
    """The value of a traced array was needed (by ``if``, ``float()``, ``np.asarray``), and it has none."""


class LeakedTracerError(RuntimeError):
    """A traced array was used after the transformation that made it had ended."""
