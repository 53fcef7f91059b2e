"""MaterialX nodes (`ND_*`) as signals: pattern, arithmetic, colour and coordinate nodes of the standard library.

Source: MaterialX specification 1.39, standard nodes; libraries/stdlib/stdlib_defs.mtlx for names and defaults.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from engine.scene.look.expression import (
    Signal,
    Term,
    added,
    applied,
    complement,
    componentwise,
    constant,
    mixed,
    product,
    resized,
    total,
    values,
)
from engine.scene.usd.look.materialx_textures import (
    gltf_color_image,
    gltf_image,
    gltf_normal_map,
    image,
    normal_map,
    place_2d,
    primvar,
    texture_coordinates,
    tiled_image,
    triplanar,
    vertex_color,
    width_of,
)
from engine.scene.usd.look.network import Node
from engine.scene.usd.look.nodes import (
    primvar_reader,
    rotated,
    transform_2d,
    unsupported,
    uv_texture,
)

LUMA = (0.2722287, 0.6740818, 0.0536895)
SWIZZLE = {"r": 0, "g": 1, "b": 2, "a": 3, "x": 0, "y": 1, "z": 2, "w": 3}
OUTPUTS = {f"out{letter}": index for letter, index in SWIZZLE.items()}


def _function(name: str, *inputs: tuple[str, float]) -> Callable[[Node], Signal]:
    """Return a reader of a node that applies a function of one component to its inputs."""

    def read(node: Node) -> Signal:
        signals = [node.signal(given, default) for given, default in inputs]
        count = max(len(signal) for signal in signals)
        columns = [signal * count if len(signal) == 1 else resized(signal, count) for signal in signals]
        return tuple(applied(name, tuple(column[i] for column in columns))[0] for i in range(count))

    return read


def _vector(name: str) -> Callable[[Node], Signal]:
    """Return a reader of a node that applies a function of three components to `in`, and keeps an alpha."""
    return lambda node: applied(name, resized(node.signal("in", 0.0), 3)) + node.signal("in", 0.0)[3:]


def _divided(first: Term, second: Term) -> Term:
    return applied("divide", (first, second))[0]


def _subtracted(first: Signal, second: Signal) -> Signal:
    return total(first, product(constant(-1.0), second))


def _clamped(signal: Signal, low: Signal, high: Signal) -> Signal:
    at_least = componentwise(lambda a, b: applied("max", (a, b))[0], signal, low)
    return componentwise(lambda a, b: applied("min", (a, b))[0], at_least, high)


def _remapped(node: Node) -> Signal:
    low, high = node.signal("inlow", 0.0), node.signal("inhigh", 1.0)
    t = componentwise(_divided, _subtracted(node.signal("in", 0.0), low), _subtracted(high, low))
    return mixed(node.signal("outlow", 0.0), node.signal("outhigh", 1.0), t)


def _ranged(node: Node) -> Signal:
    low, high = node.signal("inlow", 0.0), node.signal("inhigh", 1.0)
    t = componentwise(_divided, _subtracted(node.signal("in", 0.0), low), _subtracted(high, low))
    gamma = node.signal("gamma", 1.0)
    if values(gamma) != (1.0,) * len(gamma):
        exponent = componentwise(_divided, constant(1.0), gamma)
        t = componentwise(lambda a, b: applied("power", (a, b))[0], t, exponent)
    out_low, out_high = node.signal("outlow", 0.0), node.signal("outhigh", 1.0)
    result = mixed(out_low, out_high, t)
    return _clamped(result, out_low, out_high) if node.number("doclamp", 0.0) else result


def _luminance(signal: Signal, node: Node) -> Signal:
    weights = node.numbers("lumacoeffs", *LUMA)
    grey = (added(added(*product(signal[:2], constant(*weights[:2]))), product(signal[2:3], constant(weights[2]))[0]),)
    return grey * 3 + signal[3:]


def _dot_product(node: Node) -> Signal:
    result = Term()
    for term in product(node.signal("in1", 0.0, 0.0, 0.0), node.signal("in2", 0.0, 0.0, 0.0)):
        result = added(result, term)
    return (result,)


def _swizzled(node: Node) -> Signal:
    given = node.signal("in", 0.0)
    parts: dict[str, Signal] = {"0": constant(0.0), "1": constant(1.0)}
    parts |= {letter: resized(given, 4)[index : index + 1] for letter, index in SWIZZLE.items()}
    return sum((parts.get(letter, constant(0.0)) for letter in node.text("channels", "")), ())


def _extracted(node: Node) -> Signal:
    given = node.signal("in", 0.0)
    index = min(max(round(node.number("index", 0.0)), 0), len(given) - 1)
    return given[index : index + 1]


def _separated(node: Node) -> Signal:
    index = OUTPUTS.get(node.output, 0)
    return resized(node.signal("in", 0.0, 0.0, 0.0), 4)[index : index + 1]


def _combined(node: Node) -> Signal:
    parts: Signal = ()
    for name in ("in1", "in2", "in3", "in4"):
        parts += node.signal(name, 0.0) if node.has(name) or len(parts) < width_of(node) else ()
    return parts


def _switched(node: Node) -> Signal:
    return node.signal(f"in{int(node.number('which', 0.0)) + 1}", 0.0)


def _chosen(comparison: str) -> Callable[[Node], Signal]:
    """Return a reader of `ifgreater` and its like: in1 where the comparison holds, else in2."""

    def read(node: Node) -> Signal:
        sides = node.signal("value1", 1.0)[0], node.signal("value2", 0.0)[0]
        return mixed(node.signal("in2", 0.0), node.signal("in1", 0.0), applied(comparison, sides))

    return read


def _hsv_adjusted(node: Node) -> Signal:
    hue, saturation, value = node.numbers("amount", 0.0, 1.0, 1.0)
    given = resized(node.signal("in", 0.0), 3)
    hsv = product(total(applied("rgbtohsv", given), constant(hue, 0.0, 0.0)), constant(1.0, saturation, value))
    return applied("hsvtorgb", hsv)


def _saturated(node: Node) -> Signal:
    given = resized(node.signal("in", 0.0), 3)
    return mixed(_luminance(given, node), given, node.signal("amount", 1.0))


def _contrasted(node: Node) -> Signal:
    pivot = node.signal("pivot", 0.5)
    return total(product(_subtracted(node.signal("in", 0.0), pivot), node.signal("amount", 1.0)), pivot)


def _two(operation: Callable[[Signal, Signal], Signal], default: float) -> Callable[[Node], Signal]:
    return lambda node: operation(node.signal("in1", 0.0), node.signal("in2", default))


def _geometric(node: Node) -> Signal | None:
    return None  # the mesh's own normal or tangent


NODES: dict[str, Callable[[Node], Signal | None]] = {
    "image": image,
    "tiledimage": tiled_image,
    "triplanarprojection": triplanar,
    "gltf_image": gltf_image,
    "gltf_colorimage": gltf_color_image,
    "gltf_normalmap": gltf_normal_map,
    "UsdUVTexture": uv_texture,
    "UsdPrimvarReader": primvar_reader,
    "UsdTransform2d": transform_2d,
    "texcoord": texture_coordinates,
    "place2d": place_2d,
    "rotate2d": lambda node: rotated(
        resized(node.signal("in", 0.0, 0.0), 2), -math.radians(node.number("amount", 0.0))
    ),
    "geompropvalue": primvar,
    "geompropvalueuniform": primvar,
    "geomcolor": vertex_color,
    "normalmap": normal_map,
    "normal": _geometric,
    "tangent": _geometric,
    "bitangent": _geometric,
    "constant": lambda node: node.signal("value", 0.0),
    "dot": lambda node: node.signal("in", 0.0),
    "convert": lambda node: node.signal("in", 0.0),
    "extract": _extracted,
    "swizzle": _swizzled,
    "separate2": _separated,
    "separate3": _separated,
    "separate4": _separated,
    "combine2": _combined,
    "combine3": _combined,
    "combine4": _combined,
    "switch": _switched,
    "ifgreater": _chosen("greater"),
    "ifgreatereq": _chosen("greater_or_equal"),
    "ifequal": _chosen("equal"),
    "mix": lambda node: mixed(node.signal("bg", 0.0), node.signal("fg", 0.0), node.signal("mix", 0.0)),
    "add": _two(total, 0.0),
    "subtract": _two(_subtracted, 0.0),
    "multiply": _two(product, 1.0),
    "divide": _two(lambda a, b: componentwise(_divided, a, b), 1.0),
    "modulo": _function("modulo", ("in1", 0.0), ("in2", 1.0)),
    "power": _function("power", ("in1", 0.0), ("in2", 1.0)),
    "safepower": _function("power", ("in1", 0.0), ("in2", 1.0)),
    "min": _function("min", ("in1", 0.0), ("in2", 0.0)),
    "max": _function("max", ("in1", 0.0), ("in2", 0.0)),
    "smoothstep": _function("smoothstep", ("in", 0.0), ("low", 0.0), ("high", 1.0)),
    "clamp": lambda node: _clamped(node.signal("in", 0.0), node.signal("low", 0.0), node.signal("high", 1.0)),
    "invert": lambda node: _subtracted(node.signal("amount", 1.0), node.signal("in", 0.0)),
    "oneminus": lambda node: complement(node.signal("in", 0.0)),
    "remap": _remapped,
    "range": _ranged,
    "contrast": _contrasted,
    "luminance": lambda node: _luminance(resized(node.signal("in", 0.0), 3), node),
    "saturate": _saturated,
    "rgbtohsv": _vector("rgbtohsv"),
    "hsvtorgb": _vector("hsvtorgb"),
    "hsvadjust": _hsv_adjusted,
    "normalize": _vector("normalize3"),
    "dotproduct": _dot_product,
} | {
    name: _function(name, ("in", 0.0))
    for name in ("absval", "sign", "floor", "ceil", "round", "sqrt", "ln", "exp", "sin", "cos", "tan")
}  # fmt: skip
NO_NORMAL = ("bump", "heighttonormal", "hextilednormalmap")  # their textures are heights


def category(kind: str) -> str:
    """Return the node of a definition: `ND_multiply_color3FA` -> `multiply`."""
    words = kind.removeprefix("ND_").split("_")
    for count in range(len(words), 0, -1):
        if (name := "_".join(words[:count])) in NODES:
            return name
    return words[0]


def read_materialx_node(node: Node) -> Signal | None:
    """Return the signal of an ND_* node; what is unknown gives its first texture or constant, with a note."""
    name = category(node.kind)
    if name in NO_NORMAL:
        node.network.note("skipped", f"node {name} is not supported; normals are the mesh's")
        return None
    reader = NODES.get(name)
    found = reader(node) if reader else unsupported(node)
    return None if found is None else resized(found, width_of(node))
