"""Colours of classes and instances in images that people look at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.formats.registry import FormatCategory

Color = tuple[int, int, int]


def voc_palette(count: int = 256) -> NDArray[np.uint8]:
    """Return the colours [index, 3] of Pascal VOC: bits of the index, dealt to red, green and blue from the top.

    Source: VOC devkit, VOClabelcolormap.m, http://host.robots.ox.ac.uk/pascal/VOC/voc2012/
    """
    index = np.arange(count)
    color = np.zeros((count, 3), np.int64)
    for bit in range(8):
        for channel in range(3):
            color[:, channel] |= (index >> channel & 1) << (7 - bit)
        index >>= 3
    return color.astype(np.uint8)


def category_color(category: FormatCategory) -> Color:
    """Return the colour of a class: its own, or that of VOC after the background's."""
    if category.color is not None:
        return category.color
    red, green, blue = voc_palette(category.id + 2)[-1].tolist()
    return red, green, blue
