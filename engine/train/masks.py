"""Masks of COCO files and results as arrays of pixels and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.bool_]  # [y, x]


def rle_of(pixels: Pixels) -> dict[str, Any]:
    """Return pixels as run lengths of COCO, as text that JSON can hold."""
    from pycocotools import mask as coco_mask

    found = coco_mask.encode(np.asfortranarray(pixels.astype(np.uint8)))
    return {"size": list(pixels.shape), "counts": found["counts"].decode("ascii")}


def rle_pixels(shape: Mapping[str, Any]) -> Pixels:
    """Return the pixels of run lengths, compressed or not."""
    from pycocotools import mask as coco_mask

    height, width = shape["size"]
    whole = shape if isinstance(shape["counts"], str | bytes) else coco_mask.frPyObjects(shape, height, width)
    pixels: NDArray[np.uint8] = coco_mask.decode(whole)
    return pixels.astype(np.bool_)


def annotation_pixels(annotation: Mapping[str, Any], width: int, height: int) -> Pixels:
    """Return the pixels of an annotation: of its mask, else of its box."""
    from pycocotools import mask as coco_mask

    shape = annotation.get("segmentation")
    if isinstance(shape, Mapping):
        return rle_pixels(shape)
    if shape:
        merged = coco_mask.merge(coco_mask.frPyObjects(shape, height, width))
        pixels: NDArray[np.uint8] = coco_mask.decode(merged)
        return pixels.astype(np.bool_)
    out = np.zeros((height, width), np.bool_)
    x, y, box_width, box_height = annotation["bbox"]
    out[max(round(y), 0) : max(round(y + box_height), 0), max(round(x), 0) : max(round(x + box_width), 0)] = True
    return out
