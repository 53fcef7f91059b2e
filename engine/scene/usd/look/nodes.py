"""The nodes of UsdPreviewSurface networks, and the texture nodes of Arnold and RenderMan, as signals.

Source: UsdPreviewSurface specification, https://openusd.org/release/spec_usdpreviewsurface.html
"""

from __future__ import annotations

import math

from engine.scene.look.expression import (
    Image,
    Primvar,
    Signal,
    added,
    constant,
    leaves,
    of_source,
    product,
    resized,
    scaled,
    total,
    values,
)
from engine.scene.model import Wrap
from engine.scene.usd.look.network import ST, ImageLook, Node, finite_numbers
from engine.scene.usd.look.texture import WRAPS

CHANNELS = {"r": 0, "g": 1, "b": 2, "a": 3}
READER_WIDTHS = {"float": 1, "int": 1, "float2": 2, "float3": 3, "float4": 4, "normal": 3, "point": 3, "vector": 3}
MIN_SCALE = 1.0e-6  # below it a texture's scale hides its texels, and its fallback cannot be told from its bias


def uv_texture(node: Node) -> Signal | None:
    """Return a UsdUVTexture: `texel * scale + bias`, or the fallback as it is."""
    scale = node.numbers("scale", 1.0, 1.0, 1.0, 1.0)
    bias = node.numbers("bias", 0.0, 0.0, 0.0, 0.0)
    fallback = node.numbers("fallback", 0.0, 0.0, 0.0, 1.0)
    safe = tuple(s if abs(s) > MIN_SCALE else 1.0 for s in scale)
    look = ImageLook(
        st=st_input(node, "st"),
        wrap_u=WRAPS.get(node.text("wrapS", "useMetadata"), Wrap.REPEAT),
        wrap_v=WRAPS.get(node.text("wrapT", "useMetadata"), Wrap.REPEAT),
        color_space=_source_color_space(node),
        fallback=tuple((f - b) / s for f, b, s in zip(fallback, bias, safe, strict=True)),  # type: ignore[arg-type]
    )
    image = node.network.image(node.shader, "file", look)
    if values(image) is not None:
        image = constant(*fallback)
    else:
        image = total(product(image, constant(*scale)), constant(*bias))
    return image[CHANNELS[node.output] :][:1] if node.output in CHANNELS else image[:3]


def _source_color_space(node: Node) -> str | None:
    authored = node.text("sourceColorSpace", "auto")
    return authored if authored in ("raw", "sRGB") else None


def st_input(node: Node, name: str) -> Signal | None:
    """Return the coordinates that an input is connected to; None where it is not, which means the mesh's own."""
    given = node.shader.GetInput(name)
    return node.network.input(node.shader, name) if given and given.HasConnectedSource() else None


def primvar_reader(node: Node) -> Signal | None:
    """Return a UsdPrimvarReader; its fallback where it names no primvar."""
    kind = node.kind.rsplit("UsdPrimvarReader_", 1)[-1]
    name = node.text("varname", "")
    width = READER_WIDTHS.get(kind.split("_")[0].replace("vector2", "float2"), 3)
    fallback = finite_numbers(node.network.raw(node.shader, "fallback"))
    if not name:
        return None if fallback is None else resized(constant(*fallback), width)
    return of_source(Primvar(name.removeprefix("primvars:"), fallback), width)


def transform_2d(node: Node) -> Signal | None:
    """Return a UsdTransform2d: scale, then counter-clockwise rotation, then translation."""
    angle = math.radians(node.number("rotation", 0.0))
    scale = node.numbers("scale", 1.0, 1.0)
    shift = node.numbers("translation", 0.0, 0.0)
    st = st_input(node, "in") or of_source(ST, 2)
    return total(rotated(product(resized(st, 2), constant(*scale)), angle), constant(*shift))


def rotated(st: Signal, angle_rad: float) -> Signal:
    """Return coordinates turned counter-clockwise."""
    cosine, sine = math.cos(angle_rad), math.sin(angle_rad)
    s, t = st[0], st[1]
    return added(scaled(s, cosine), scaled(t, -sine)), added(scaled(s, sine), scaled(t, cosine))


def arnold_image(node: Node) -> Signal | None:
    """Return arnold:image with its UV set and channel."""
    look = ImageLook(
        st=of_source(Primvar(node.text("uvset", "") or None), 2),
        wrap_u=_ARNOLD_WRAPS.get(node.text("swrap", "periodic"), Wrap.REPEAT),
        wrap_v=_ARNOLD_WRAPS.get(node.text("twrap", "periodic"), Wrap.REPEAT),
        color_space=None,
        fallback=(0.0, 0.0, 0.0, 1.0),
    )
    image = product(node.network.image(node.shader, "filename", look), constant(*node.numbers("multiply", 1, 1, 1), 1))
    return _by_output(image, node.output)


def renderman_texture(node: Node) -> Signal | None:
    """Return PxrTexture; RenderMan's rows begin at the bottom, as USD's do."""
    look = ImageLook(None, Wrap.REPEAT, Wrap.REPEAT, None, (0.0, 0.0, 0.0, 1.0))
    return _by_output(node.network.image(node.shader, "filename", look), node.output.removeprefix("result").lower())


def _by_output(image: Signal, output: str) -> Signal:
    return image[CHANNELS[output] :][:1] if output in CHANNELS else image[:3]


_ARNOLD_WRAPS = {
    "periodic": Wrap.REPEAT,
    "black": Wrap.BLACK,
    "clamp": Wrap.CLAMP,
    "mirror": Wrap.MIRROR,
    "file": Wrap.REPEAT,
}


def read_preview_node(node: Node) -> Signal | None:
    """Return the signal of a node that is not MaterialX; what is unknown gives its first texture, with a note."""
    kind = node.kind
    if kind == "UsdUVTexture":
        return uv_texture(node)
    if kind.startswith("UsdPrimvarReader_"):
        return primvar_reader(node)
    if kind == "UsdTransform2d":
        return transform_2d(node)
    if kind == "arnold:image":
        return arnold_image(node)
    if kind == "PxrTexture":
        return renderman_texture(node)
    return unsupported(node)


def unsupported(node: Node) -> Signal | None:
    """Return the first texture that a node names or reaches, else its first constant of the output's type."""
    network, shader = node.network, node.shader
    for given in shader.GetInputs():
        if str(given.GetTypeName()) == "asset" and node.has_file(given.GetBaseName()):
            network.note("approximated", f"node {node.kind} is not supported: its texture is used as it is")
            look = ImageLook(None, Wrap.REPEAT, Wrap.REPEAT, None, (0.0, 0.0, 0.0, 1.0))
            return network.image(shader, given.GetBaseName(), look)
    found = network.first_image(shader)
    if found is not None:
        image = next(leaf for leaf in leaves(found) if isinstance(leaf, Image))
        network.note("approximated", f"node {node.kind} is not supported: its texture '{image.authored}' is used")
        return found
    output = shader.GetOutput(node.output)
    for given in shader.GetInputs():
        if output and given.GetTypeName() == output.GetTypeName():
            first = network.input(shader, given.GetBaseName())
            if first is not None:
                network.note("approximated", f"node {node.kind} is not supported: its {given.GetBaseName()} is used")
                return first
    network.note("skipped", f"node {node.kind} is not supported: the input that it drives has its default")
    return None
