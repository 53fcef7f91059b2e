"""Lights: what is known of each one; native/light.cpp, dome.cpp, sky.cpp and shaping.cpp say how points are lit.

Source: UsdLux, https://openusd.org/release/api/usd_lux_page_front.html.
"""

from enum import IntEnum

import warp as wp

from .shaping import Shapings
from .texture import Textures
from .transform import mat34

ALL_PLACEMENTS = wp.constant(-1)
SKY_NUMBERS = 24  # of a row: what the sky's radiance is made of, see native/sky.cpp; then comes its table, see `Domes`,
SKY_COLUMNS = 24  # with so many cells around
SKY_ROWS = 16  # and from the horizon to the zenith
SKY_UNEVENNESS = 23  # the number by which samples follow the table: 0 for an even sky, towards 1 for an uneven one
SKY_CONSTANTS = {
    "SKY_UNEVENNESS": SKY_UNEVENNESS,
    "SKY_NUMBERS": SKY_NUMBERS,
    "SKY_COLUMNS": SKY_COLUMNS,
    "SKY_ROWS": SKY_ROWS,
}


class LightKind(IntEnum):
    """Shapes of UsdLux; the members of engine.scene.model.LightKind, which a test holds together."""

    DISTANT = 0
    SPHERE = 1
    RECT = 2
    DISK = 3
    CYLINDER = 4
    DOME = 5
    SKY = 6


@wp.struct
class Control:
    """What one light does that no lamp would, and how it is shaped. One array of these keeps `Lights` small."""

    shaping: int  # row of `Lights.shapings` or -1
    lit: int  # row of `Lights.link`: what it lights; or ALL_PLACEMENTS
    shading: int  # row of `Lights.link`: what casts its shadows; or ALL_PLACEMENTS
    lobes: wp.vec2  # factors on what it adds to the diffuse and to the specular lobe
    shadow_color: wp.vec3  # share that arrives also where something is in the way; 1: no shadow
    shadow_reach: wp.vec3  # how far shadows reach [m], over which they fade [m], inverse exponent


@wp.struct
class Domes:
    """Tables by which samples follow the images of domes, one after the other in `value` (engine/render/domes.py).

    A table has a cell for every step of longitude (u) and latitude (v) of the image. Its numbers: of each row of cells
    the probability of all rows before it; of each cell that of the cells before it in its row; of each cell the density
    of samples per solid angle [1/sr].
    """

    share: wp.array[float]  # [light], of samples that follow the image where the surface is matte; 0: no table
    size: wp.array[wp.vec2i]  # [light], columns and rows
    first: wp.array[int]  # [light], of the table in `value`
    value: wp.array[float]


@wp.struct
class Lights:
    """Lights of every row. Distant, rect and disk emit along -Z of their frame; a cylinder lies along X."""

    count: int
    dome_count: int  # lights that fill the background: domes and the sky
    kind: wp.array[int]  # [light]
    world_from_light: wp.array2d[mat34]  # [row, light], orthonormal axes
    size_m: wp.array[wp.vec2]  # [light]
    versine: wp.array[float]  # [light], 1 - cos of the half angle of a distant light
    radiance: wp.array2d[wp.vec3]  # [row, light]; irradiance where a distant light has no angle
    texture: wp.array[int]  # [light], image of a dome or a rectangle, or -1
    control: wp.array[Control]  # [light]
    link: wp.array2d[wp.uint8]  # [set, placement]; empty when no light is linked
    textures: Textures
    domes: Domes
    sky: wp.array2d[float]  # [row, number], of the one light of kind SKY; layout: native/sky.cpp
    shapings: Shapings
    ambient: wp.array[wp.vec3]  # [row], radiance
    ambient_reach_m: float  # how far something may be that keeps the ambient term away
