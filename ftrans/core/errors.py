"""The errors that tracing raises."""


class ConcretizationError(TypeError):
    """The value of a traced array was needed (by ``if``, ``float()``, ``np.asarray``), and it has none."""


class Unavailable:
    """Something that stands for arrays that cannot be had: `error` is raised for whoever asks for them."""

    __slots__ = ("error",)

    def __init__(self, error: ConcretizationError):
        self.error = error


class CheckError(RuntimeError):
    """What `debug.check` asserts does not hold, or what `checkify` asserts by itself."""


class KeyReuseError(RuntimeError):
    """A random key was used twice, inside of `debug_key_reuse`."""


class LeakedTracerError(RuntimeError):
    """A traced array was used after the transformation that made it had ended."""
