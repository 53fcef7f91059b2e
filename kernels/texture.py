"""Image textures: one packed atlas of linear 16-bit texels with mip levels, looked up at a footprint.

A texel is four uint16 times the texture's scale, so that high dynamic range images fit as well.
"""

import warp as wp

WRAP_REPEAT = wp.constant(0)  # the members of engine.scene.model.Wrap; a test holds them together
WRAP_CLAMP = wp.constant(1)
WRAP_MIRROR = wp.constant(2)
WRAP_BLACK = wp.constant(3)
UNORM16 = wp.constant(1.0 / 65535.0)


@wp.struct
class Textures:
    """All textures of a scene. Row 0 of an image is v = 0."""

    texel: wp.array2d[wp.uint16]  # [texel, 4], linear RGBA
    first_texel: wp.array2d[wp.int64]  # [texture, level]
    size_px: wp.array[wp.vec2i]  # [texture], width and height of level 0
    level_count: wp.array[int]  # [texture]
    wrap: wp.array[wp.vec2i]  # [texture], in u and v
    scale: wp.array[float]  # [texture], value of a texel of 65535


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


@wp.func
def wrap_texel(i: int, size: int, mode: int) -> int:
    """Return the texel that a coordinate outside the image shows; -1: black."""
    if i >= 0 and i < size:
        return i
    if mode == WRAP_CLAMP:
        return wp.clamp(i, 0, size - 1)
    if mode == WRAP_BLACK:
        return -1
    period = wp.where(mode == WRAP_MIRROR, 2 * size, size)
    j = i - (i // period) * period
    if j < 0:
        j = j + period
    return wp.where(j < size, j, 2 * size - 1 - j)


@wp.func
def fetch_texel(textures: Textures, texture: int, level: int, x: int, y: int) -> wp.vec4:
    """Return one texel of a level, in units of the texture's scale."""
    size = textures.size_px[texture]
    width = wp.max(size[0] >> level, 1)
    height = wp.max(size[1] >> level, 1)
    wrap = textures.wrap[texture]
    i = wrap_texel(x, width, wrap[0])
    j = wrap_texel(y, height, wrap[1])
    if i < 0 or j < 0:
        return wp.vec4(0.0, 0.0, 0.0, 0.0)
    k = int(textures.first_texel[texture, level]) + j * width + i
    return wp.vec4(
        float(textures.texel[k, 0]),
        float(textures.texel[k, 1]),
        float(textures.texel[k, 2]),
        float(textures.texel[k, 3]),
    )


@wp.func
def bilinear(textures: Textures, texture: int, level: int, uv: wp.vec2) -> wp.vec4:
    """Return the bilinear value of a level at (u, v), in units of the texture's scale."""
    size = textures.size_px[texture]
    x = uv[0] * float(wp.max(size[0] >> level, 1)) - 0.5
    y = uv[1] * float(wp.max(size[1] >> level, 1)) - 0.5
    x0 = wp.floor(x)
    y0 = wp.floor(y)
    fx = x - x0
    fy = y - y0
    i = int(x0)
    j = int(y0)
    low = fetch_texel(textures, texture, level, i, j) * (1.0 - fx)
    low = low + fetch_texel(textures, texture, level, i + 1, j) * fx
    high = fetch_texel(textures, texture, level, i, j + 1) * (1.0 - fx)
    high = high + fetch_texel(textures, texture, level, i + 1, j + 1) * fx
    return low * (1.0 - fy) + high * fy


@wp.func
def lookup(textures: Textures, texture: int, uv: wp.vec2, footprint: float) -> wp.vec4:
    """Return the trilinear value at (u, v) for a footprint of the given width in texture coordinates."""
    size = textures.size_px[texture]
    texels = footprint * wp.sqrt(float(size[0]) * float(size[1]))
    level = wp.clamp(wp.log2(wp.max(texels, 1.0e-6)), 0.0, float(textures.level_count[texture] - 1))
    whole = wp.floor(level)
    value = bilinear(textures, texture, int(whole), uv)
    part = level - whole
    if part > 0.0:
        value = value * (1.0 - part) + bilinear(textures, texture, int(whole) + 1, uv) * part
    return value * (textures.scale[texture] * UNORM16)


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
