"""Pictures of any depth as 8-bit RGB, to be shown and measured: what is 16 bits deep loses its low byte."""

from __future__ import annotations

import numpy as np
from PIL import Image

LOW_BITS = 8
LARGEST_16 = 65535


class Unshown(ValueError):  # noqa: N818 - named after what happened
    """A picture that has no 8-bit form without a choice of a range."""


def rgb8(picture: Image.Image) -> Image.Image:
    """Return a picture as RGB of 8 bits; transparency is dropped, what it hides is there.

    Raises:
        Unshown: If its values are floating-point numbers, or integers beyond 16 bits.
    """
    if picture.mode == "RGB":
        picture.load()
        return picture
    if picture.mode == "F":
        raise Unshown("has floating-point pixels")
    if picture.mode.startswith("I"):
        values = np.asarray(picture)
        if values.size and (values.min() < 0 or values.max() > LARGEST_16):
            raise Unshown("has pixels beyond 16 bits")
        return Image.fromarray((values.astype(np.uint16) >> LOW_BITS).astype(np.uint8)).convert("RGB")
    return picture.convert("RGB")
