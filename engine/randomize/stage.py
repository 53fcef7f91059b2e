"""When a randomiser runs. The order of entries in a recipe means nothing: JSON has none; stages, then names, decide."""

from __future__ import annotations

from enum import IntEnum, auto


class Stage(IntEnum):
    """Later stages see what earlier ones did: a camera keeps clear of the cartons that were placed."""

    PLACE = auto()  # objects into slots
    SHIFT = auto()  # what stands in slots, together
    CLUTTER = auto()  # objects scattered between them
    SETTLE = auto()  # all of them fall and come to rest
    ATTACH = auto()  # what sticks to them, and what is measured of their places
    MATERIAL = auto()  # which material
    COLOR = auto()  # how it is tinted
    DEFECT = auto()  # what is on a surface
    LIGHT = auto()  # the colour of a light
    DIM = auto()  # its strength
    CAMERA = auto()  # where a camera is
    CAMERA_LENS = auto()  # what it looks through
    CAMERA_JITTER = auto()  # how far it is off
    MOTION = auto()  # how everything moves, from where it is
    AUGMENT = auto()  # what is done to finished pictures
