"""UsdPreviewSurface: what a material holds; its maths is in native/material.cpp and native/bsdf.cpp.

Source: UsdPreviewSurface specification, https://openusd.org/release/spec_usdpreviewsurface.html.
"""

from enum import IntEnum

import warp as wp

from .energy import Energy
from .texture import TextureInputs, Textures

MIN_ALPHA = 0.002  # a mirror of roughness 0 would need an exact reflection ray
FULL_GRAZING = (
    50.0  # times the reflectance at normal incidence, at most 1, is that at a grazing angle: 1 from ior 1.33 on
)
# (Lagarde and de Rousiers, "Moving Frostbite to physically based rendering", 2014)
RECORD_FLOATS = 24  # of a material, see native/material.cpp


class MaterialInput(IntEnum):
    """What a texture may drive; names in lower case are those of engine.scene.model.Material.textures."""

    BASE_COLOR = 0
    METALLIC = 1
    ROUGHNESS = 2
    EMISSION = 3
    NORMAL = 4
    SPECULAR_COLOR = 5
    CLEARCOAT = 6
    CLEARCOAT_ROUGHNESS = 7
    OPACITY = 8


@wp.struct
class Materials:
    """Constants of every material; a texture multiplies its constant."""

    record: wp.array3d[float]  # [row, material, 24]
    instance: wp.array3d[float]  # [row, instance, 4], tint, and the material that overrides the triangles' own as bits
    used_inputs: int  # bit MaterialInput: some material has that texture
    input: wp.array2d[int]  # [material, MaterialInput], row of `inputs` or -1; also part of the record
    inputs: TextureInputs
    textures: Textures
    energy: Energy
