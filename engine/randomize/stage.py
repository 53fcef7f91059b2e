"""When a randomiser runs. The order of entries in a recipe means nothing: JSON has none; stages, then names, decide."""

from __future__ import annotations

from enum import IntEnum


class Stage(IntEnum):
    """Later stages see what earlier ones did: a camera keeps clear of the cartons that were placed."""

    PLACE = 0  # objects into slots
    SHIFT = 1  # what stands in slots, together
    CLUTTER = 2  # objects scattered between them
    ATTACH = 3  # what sticks to them, and what is measured of their places
    MATERIAL = 4  # which material
    COLOR = 5  # how it is tinted
    LIGHT = 6  # the colour of a light
    DIM = 7  # its strength
    CAMERA = 8  # where a camera is
    CAMERA_LENS = 9  # what it looks through
    CAMERA_JITTER = 10  # how far it is off
    MOTION = 11  # how everything moves, from where it is
