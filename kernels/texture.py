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
def fetch_texel(textures: Textures, row: int, i: int) -> wp.vec4:
    """Return a texel of a row that begins at texel `row`, in units of the texture's scale; black where either is -1."""
    if row < 0 or i < 0:
        return wp.vec4(0.0, 0.0, 0.0, 0.0)
    return wp.vec4(
        float(textures.texel[row + i, 0]),
        float(textures.texel[row + i, 1]),
        float(textures.texel[row + i, 2]),
        float(textures.texel[row + i, 3]),
    )


@wp.func
def bilinear(textures: Textures, texture: int, level: int, uv: wp.vec2) -> wp.vec4:
    """Return the bilinear value of a level at (u, v), in units of the texture's scale."""
    size = textures.size_px[texture]
    wrap = textures.wrap[texture]
    width = wp.max(size[0] >> level, 1)
    height = wp.max(size[1] >> level, 1)
    x = uv[0] * float(width) - 0.5
    y = uv[1] * float(height) - 0.5
    x0 = wp.floor(x)
    y0 = wp.floor(y)
    left = wrap_texel(int(x0), width, wrap[0])
    right = wrap_texel(int(x0) + 1, width, wrap[0])
    first = int(textures.first_texel[texture, level])
    value = wp.vec4(0.0, 0.0, 0.0, 0.0)
    weight = 1.0 - (y - y0)
    step = int(0)
    while step < 2:  # a loop, as in `lookup`: code that is inlined often stays small
        j = wrap_texel(int(y0) + step, height, wrap[1])
        row = wp.where(j < 0, -1, first + j * width)
        between = fetch_texel(textures, row, left) * (1.0 - (x - x0)) + fetch_texel(textures, row, right) * (x - x0)
        value = value + between * weight
        weight = y - y0
        step += 1
    return value


@wp.func
def lookup(textures: Textures, texture: int, uv: wp.vec2, footprint: float) -> wp.vec4:
    """Return the trilinear value at (u, v) for a footprint of the given width in texture coordinates."""
    size = textures.size_px[texture]
    texels = footprint * wp.sqrt(float(size[0]) * float(size[1]))
    level = wp.clamp(wp.log2(wp.max(texels, 1.0e-6)), 0.0, float(textures.level_count[texture] - 1))
    finer = int(wp.floor(level))
    part = level - wp.floor(level)
    value = wp.vec4(0.0, 0.0, 0.0, 0.0)
    weight = 1.0 - part
    k = int(finer)
    while weight > 0.0:
        value = value + bilinear(textures, texture, k, uv) * weight
        weight = wp.where(k == finer, part, 0.0)
        k += 1
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
