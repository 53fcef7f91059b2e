"""Image textures: one packed atlas of linear 16-bit texels with mip levels, looked up at a footprint.

A texel is four uint16 times the texture's scale; in images of high dynamic range they are the bits of 16-bit floats, so
that a sun does not take the steps from the sky around it.
"""

import warp as wp

from .native_source import native

WRAP_REPEAT = 0  # the members of engine.scene.model.Wrap; a test holds them together
WRAP_CLAMP = 1
WRAP_MIRROR = 2
WRAP_BLACK = 3
WRAPS = {"WRAP_REPEAT": WRAP_REPEAT, "WRAP_CLAMP": WRAP_CLAMP, "WRAP_MIRROR": WRAP_MIRROR}  # others are black outside


@wp.struct
class Textures:
    """All textures of a scene. Row 0 of an image is v = 0."""

    texel: wp.array2d[wp.uint16]  # [texel, 4], linear RGBA
    first_texel: wp.array2d[wp.int64]  # [texture, level]
    size_px: wp.array[wp.vec2i]  # [texture], width and height of level 0
    level_count: wp.array[int]  # [texture]
    wrap: wp.array[wp.vec2i]  # [texture], in u and v
    scale: wp.array[float]  # [texture], value of a texel of 65535; negative: of a 16-bit float of -1


@wp.struct
class TextureInputs:
    """How textures drive inputs of materials: `scale * texel + bias` at `uv_from_st * (s, t, 1)`."""

    texture: wp.array[int]  # [input]
    channel: wp.array[int]  # [input]
    scale: wp.array[wp.vec4]  # [input]
    bias: wp.array[wp.vec4]  # [input]
    u_from_st: wp.array[wp.vec3]  # [input]
    v_from_st: wp.array[wp.vec3]  # [input]
    uv_set: wp.array[int]  # [input], 0 or 1


@wp.func_native(native("lanes", "texture", "lookup", constants=WRAPS))
def lookup(textures: Textures, texture: int, uv: wp.vec2, footprint: float) -> wp.vec4:
    """Return the trilinear value at (u, v) for a footprint of the given width in texture coordinates."""


@wp.func
def lookup_input(inputs: TextureInputs, textures: Textures, index: int, st: wp.vec4, footprint: wp.vec2) -> wp.vec4:
    """Return the four channels that a texture input delivers, given both sets of coordinates."""
    uv_set = inputs.uv_set[index]
    h = wp.vec3(st[2 * uv_set], st[2 * uv_set + 1], 1.0)
    to_u = inputs.u_from_st[index]
    to_v = inputs.v_from_st[index]
    stretch = wp.sqrt(wp.abs(to_u[0] * to_v[1] - to_u[1] * to_v[0]))
    uv = wp.vec2(wp.dot(to_u, h), wp.dot(to_v, h))
    texel = lookup(textures, inputs.texture[index], uv, footprint[uv_set] * stretch)
    return wp.cw_mul(texel, inputs.scale[index]) + inputs.bias[index]


@wp.func
def select_channel(value: wp.vec4, channel: int) -> float:
    """Return one of the four channels."""
    return value[channel]
