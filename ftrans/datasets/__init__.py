"""Small real data sets that come with the package, for examples and tests.

They are read on call, as NumPy arrays; `ft.array` makes ftrans arrays of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

__all__ = ["Digits", "load_digits"]


class Digits(NamedTuple):
    """Images of handwritten digits and what they show.

    Attributes:
        images: uint8 [1797, 8, 8], from 0 (paper) to 16 (ink).
        labels: uint8 [1797], from 0 to 9.
    """

    images: np.ndarray
    labels: np.ndarray


def load_digits() -> Digits:
    """Reads 1,797 images of handwritten digits, 8 by 8 pixels each, by 13 writers.

    The data are E. Alpaydin's and C. Kaynak's "Optical Recognition of Handwritten Digits" (UCI Machine
    Learning Repository, CC BY 4.0; `LICENSE.txt` lies beside them).

    Returns:
        `Digits(images, labels)`: uint8 [1797, 8, 8] from 0 to 16, and uint8 [1797] from 0 to 9.

    Example:
        >>> images, labels = load_digits()
        >>> images.shape, labels[:5].tolist()
        ((1797, 8, 8), [0, 1, 2, 3, 4])
    """
    with np.load(Path(__file__).with_name("digits.npz")) as file:
        return Digits(file["images"], file["labels"])
