"""`ft.fft`."""

from tests.harness.call import COMPLEX, Call, T, V, X, call, each

_COMPLEX_TO_COMPLEX = [call(COMPLEX), call(X, 5), call(T, 2, 1, "ortho")]
_FROM_REAL = [call(X), call(T, n=5, axis=1, norm="forward")]
_TO_REAL = [call(COMPLEX), call(X, n=5), call(T, axis=0, norm="ortho")]
_SHAPED = [call(T), call(X, (3, 2), (0, 1)), call(T, None, (0, -1), "ortho")]

CALLS: dict[str, list[Call]] = {
    **each("fft ifft", _COMPLEX_TO_COMPLEX),
    **each("rfft ihfft", _FROM_REAL),
    **each("irfft hfft", _TO_REAL),
    **each("fftn ifftn fft2 ifft2 rfftn rfft2 irfftn irfft2", _SHAPED),
    **each("fftfreq rfftfreq", [call(7), call(8, 0.5)]),
    **each("fftshift ifftshift", [call(V), call(T, 1), call(T, axes=(0, 2))]),
}
