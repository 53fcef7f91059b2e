"""When a randomiser runs. The order of entries in a recipe means nothing: JSON has none; stages, then names, decide."""

from __future__ import annotations

from enum import IntEnum


class Stage(IntEnum):
    """Later stages see what earlier ones did: a camera keeps clear of the cartons that were placed."""

    PLACE = 0  # objects into slots
    CLUTTER = 1  # objects scattered between them
    MATERIAL = 2  # which material
    COLOR = 3  # how it is tinted
    DEFECT = 4  # what is on a surface
    LIGHT = 5  # the colour of a light
    DIM = 6  # its strength
    CAMERA = 7  # where a camera is
    CAMERA_LENS = 8  # what it looks through
    CAMERA_JITTER = 9  # how far it is off
    MOTION = 10  # how everything moves, from where it is
