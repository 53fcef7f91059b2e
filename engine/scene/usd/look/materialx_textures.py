"""MaterialX nodes that read the surface: images, texture coordinates, primvars and normal maps, as signals.

Source: MaterialX specification 1.39, standard nodes; libraries/stdlib and libraries/bxdf/gltf_pbr.mtlx for formulas.
"""

from __future__ import annotations

import math

from engine.scene.look.expression import (
    Primvar,
    Signal,
    constant,
    of_source,
    product,
    resized,
    total,
    values,
)
from engine.scene.model import Wrap
from engine.scene.usd.look.network import ST, ImageLook, Node
from engine.scene.usd.look.nodes import rotated, st_input

WRAPS = {"periodic": Wrap.REPEAT, "clamp": Wrap.CLAMP, "mirror": Wrap.MIRROR, "constant": Wrap.BLACK}
WIDTHS = {"float": 1, "int": 1, "bool": 1, "float2": 2, "texCoord2f": 2, "color4f": 4, "float4": 4}  # others: 3


def width_of(node: Node) -> int:
    """Return how many components the output of a node has."""
    output = node.shader.GetOutput(node.output)
    return WIDTHS.get(str(output.GetTypeName()), 3) if output else 3


def _is_color(node: Node) -> bool:
    output = node.shader.GetOutput(node.output)
    return not output or str(output.GetTypeName()).startswith("color")


def _image(node: Node, st: Signal | None, name: str = "file") -> Signal:
    count = width_of(node)
    default = node.numbers("default", *([0.0] * count))
    fallback = resized(constant(*default), 4)
    look = ImageLook(
        st=st,
        wrap_u=WRAPS.get(node.text("uaddressmode", "periodic"), Wrap.REPEAT),
        wrap_v=WRAPS.get(node.text("vaddressmode", "periodic"), Wrap.REPEAT),
        color_space=None if _is_color(node) else "raw",  # only colours are colour-managed
        fallback=(fallback[0].bias, fallback[1].bias, fallback[2].bias, fallback[3].bias),
    )
    return node.network.image(node.shader, name, look)[:count]


def image(node: Node) -> Signal | None:
    """Return `image`."""
    return _image(node, st_input(node, "texcoord"))


def tiled_image(node: Node) -> Signal | None:
    """Return `tiledimage`: coordinates times the tiling, less the offset, in tiles of the real size."""
    tiling = node.numbers("uvtiling", 1.0, 1.0)
    offset = node.numbers("uvoffset", 0.0, 0.0)
    size = node.numbers("realworldimagesize", 1.0, 1.0)
    tile = node.numbers("realworldtilesize", 1.0, 1.0)
    factor = constant(*(t / s if s else 1.0 for t, s in zip(tile, size, strict=True)))
    st = st_input(node, "texcoord") or of_source(ST, 2)
    st = total(product(resized(st, 2), constant(*tiling)), constant(-offset[0], -offset[1]))
    return _image(node, product(st, factor))


def triplanar(node: Node) -> Signal | None:
    """Return the first image of `triplanarprojection` on the mesh's own coordinates."""
    node.network.note("approximated", "a triplanar projection shows its first image at the texture coordinates")
    return _image(node, None, "filex")


def _gltf_st(node: Node) -> Signal:
    """Return the coordinates of a glTF image: KHR_texture_transform about the pivot."""
    scale = node.numbers("scale", 1.0, 1.0)
    inverse = tuple(1.0 / value if value else 1.0 for value in scale)
    offset = node.numbers("offset", 0.0, 0.0)
    st = st_input(node, "texcoord") or of_source(ST, 2)
    order = round(node.number("operationorder", 0.0))
    return placed(
        resized(st, 2),
        pivot=node.numbers("pivot", 0.0, 1.0),
        scale=inverse,
        rotate_deg=-node.number("rotate", 0.0),
        offset=(-offset[0], offset[1]),
        scale_first=order == 0,
    )


def gltf_image(node: Node) -> Signal | None:
    """Return `gltf_image`."""
    return _image(node, _gltf_st(node))


def gltf_color_image(node: Node) -> Signal | None:
    """Return `gltf_colorimage`: colour times factor times vertex colour, or its alpha."""
    texel = resized(node.network.image(node.shader, "file", ImageLook(
        _gltf_st(node), Wrap.REPEAT, Wrap.REPEAT, None, (0.0, 0.0, 0.0, 0.0),
    )), 4)  # fmt: skip
    tint = product(
        resized(node.signal("color", 1.0, 1.0, 1.0, 1.0), 4), resized(node.signal("geomcolor", 1, 1, 1, 1), 4)
    )
    result = product(texel, tint)
    return result[3:] if node.output == "outa" else result[:3]


def gltf_normal_map(node: Node) -> Signal | None:
    """Return `gltf_normalmap`."""
    return _tangent_normal(_image(node, _gltf_st(node)), (1.0, 1.0))


def placed(
    st: Signal,
    *,
    pivot: tuple[float, ...],
    scale: tuple[float, ...],
    rotate_deg: float,
    offset: tuple[float, ...],
    scale_first: bool,
) -> Signal:
    """Return `place2d`: about the pivot, divide by the scale, turn, less the offset; or in the opposite order."""
    inverse = constant(*(1.0 / value if value else 1.0 for value in scale))
    shift = constant(-offset[0], -offset[1])
    angle = -math.radians(rotate_deg)  # `rotate2d` turns coordinates clockwise
    st = total(st, constant(-pivot[0], -pivot[1]))
    if scale_first:
        st = total(rotated(product(st, inverse), angle), shift)
    else:
        st = product(rotated(total(st, shift), angle), inverse)
    return total(st, constant(*pivot))


def place_2d(node: Node) -> Signal | None:
    """Return `place2d`."""
    return placed(
        resized(st_input(node, "texcoord") or of_source(ST, 2), 2),
        pivot=node.numbers("pivot", 0.0, 0.0),
        scale=node.numbers("scale", 1.0, 1.0),
        rotate_deg=node.number("rotate", 0.0),
        offset=node.numbers("offset", 0.0, 0.0),
        scale_first=round(node.number("operationorder", 0.0)) == 0,
    )


def texture_coordinates(node: Node) -> Signal | None:
    """Return `texcoord`; the first set is the mesh's own, the others are st1, st2 and so on."""
    index = round(node.number("index", 0.0))
    return of_source(ST if index == 0 else Primvar(f"st{index}"), width_of(node))


def primvar(node: Node) -> Signal | None:
    """Return `geompropvalue`."""
    name, count = node.text("geomprop", ""), width_of(node)
    if name in ("", "UV0"):
        return of_source(ST, count) if name else node.signal("default", *([0.0] * count))
    default = node.numbers("default", *([0.0] * count))
    return of_source(Primvar(name, default if node.has("default") else None), count)


def vertex_color(node: Node) -> Signal | None:
    """Return `geomcolor`."""
    count = width_of(node)
    return resized(of_source(Primvar("displayColor"), min(count, 3)), count)


def normal_map(node: Node) -> Signal | None:
    """Return `normalmap`: `2 in - 1` in the tangent frame, its slope times the scale."""
    if node.text("space", "tangent") == "object":
        node.network.note("skipped", "a normal map in object space is not supported; normals are the mesh's")
        return None
    scale = resized(node.signal("scale", 1.0), 1)
    strength = values(node.signal("scale", 1.0)) or values(scale) or (1.0,)
    return _tangent_normal(node.signal("in", 0.5, 0.5, 1.0), (strength * 2)[:2])


def _tangent_normal(encoded: Signal, strength: tuple[float, ...]) -> Signal:
    x, y = strength[0], strength[1]
    return total(product(resized(encoded, 3), constant(2.0 * x, 2.0 * y, 2.0)), constant(-x, -y, -1.0))
