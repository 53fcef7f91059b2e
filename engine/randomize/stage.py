"""When a randomiser runs. The order of entries in a recipe means nothing: JSON has none; stages, then names, decide."""

from __future__ import annotations

from enum import IntEnum


class Stage(IntEnum):
    """Later stages see what earlier ones did: a camera keeps clear of the cartons that were placed."""

    PLACE = 0  # objects into slots
    CLUTTER = 1  # objects scattered between them
    MATERIAL = 2  # which material
    COLOR = 3  # how it is tinted
    LIGHT = 4  # the colour of a light
    DIM = 5  # its strength
    CAMERA = 6  # where a camera is
    CAMERA_LENS = 7  # what it looks through
    CAMERA_JITTER = 8  # how far it is off
    MOTION = 9  # how everything moves, from where it is
    AUGMENT = 10  # what is done to finished pictures
