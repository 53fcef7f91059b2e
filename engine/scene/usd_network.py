"""UsdShade networks: what drives an input of a surface shader, through node graphs and interface inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pxr import Sdf, Usd, UsdShade

from engine.scene.notes import Notes
from engine.scene.usd import OpenStage
from engine.scene.usd_texture import WRAPS, TextureRequest

CHANNELS = {"r": 0, "g": 1, "b": 2, "a": 3}
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
MAX_NODES = 64  # nodes in a row before a network counts as a loop


@dataclass(frozen=True)
class ImageLookup:
    """A UsdUVTexture with everything between it and the primvar."""

    request: TextureRequest
    authored: str
    channel: int  # 0..3; 0 for `rgb`
    is_single: bool  # one channel was asked for
    scale: tuple[float, float, float, float]
    bias: tuple[float, float, float, float]
    is_scaled: bool  # scale or bias is authored
    fallback: tuple[float, float, float, float]
    uv: str | None
    uv_from_st: tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class PrimvarLookup:
    """A UsdPrimvarReader that drives an input directly."""

    name: str
    fallback: Any


def find_surface(material: UsdShade.Material, notes: Notes) -> UsdShade.Shader | None:
    """Return the UsdPreviewSurface shader of a material, or None with a note that says what it has instead."""
    shader, _, _ = material.ComputeSurfaceSource()
    if shader and _shader_id(shader) == "UsdPreviewSurface":
        return shader
    contexts = {str(output.GetBaseName()) for output in material.GetSurfaceOutputs() if output.HasConnectedSource()}
    found = [_shader_id(shader)] if shader else []
    found += sorted(context for context in contexts if context != "surface")
    if not found and not contexts:
        notes.add("skipped", material.GetPath(), "material without a surface shader; displayColor is used")
        return None
    name = ", ".join(found) or "unknown"
    notes.add("skipped", material.GetPath(), f"surface shader {name} is not supported; displayColor is used")
    return None


def _shader_id(shader: UsdShade.Shader) -> str:
    value = shader.GetIdAttr().Get()
    if value:
        return str(value)
    asset = shader.GetPrim().GetAttribute("info:mdl:sourceAsset:subIdentifier")
    return f"MDL {asset.Get()}" if asset and asset.Get() else "without an id"


def read_input(opened: OpenStage, shader: UsdShade.Shader, name: str, user: Sdf.Path) -> Any:
    """Return an input's ImageLookup, PrimvarLookup or constant; None where nothing is authored."""
    given = shader.GetInput(name)
    if not given:
        return None
    source = _source(given)
    if source is None:
        return None
    if not UsdShade.Output.IsOutput(source):
        return source.Get(opened.time)
    node = UsdShade.Shader(source.GetPrim())
    node_id = _shader_id(node)
    output = UsdShade.Output(source).GetBaseName()
    if node_id == "UsdUVTexture":
        return _image_lookup(opened, node, str(output), user)
    if node_id.startswith("UsdPrimvarReader_"):
        return PrimvarLookup(str(_value(opened, node, "varname", "")), _value(opened, node, "fallback", None))
    opened.notes.add("skipped", user, f"{name} is driven by node {node_id}, which is not supported")
    return None


def _source(given: UsdShade.Input) -> Usd.Attribute | None:
    """Return the attribute that produces an input's value: an output of a node or an authored constant."""
    attributes = given.GetValueProducingAttributes()
    return attributes[0] if attributes else None


def _value(opened: OpenStage, node: UsdShade.Shader, name: str, default: Any) -> Any:
    """Return the constant value of a node's input, also through interface inputs."""
    given = node.GetInput(name)
    source = _source(given) if given else None
    if source is None or UsdShade.Output.IsOutput(source):
        return default
    value = source.Get(opened.time)
    return default if value is None else value


def _image_lookup(opened: OpenStage, node: UsdShade.Shader, output: str, user: Sdf.Path) -> ImageLookup:
    asset = _value(opened, node, "file", None)
    resolved, authored = (asset.resolvedPath, asset.path) if isinstance(asset, Sdf.AssetPath) else ("", "")
    uv, uv_from_st = _coordinates(opened, node, user)
    scale, bias = node.GetInput("scale"), node.GetInput("bias")
    request = TextureRequest(
        resolved=resolved,
        color_space=_color_space(opened, node),
        wrap_u=WRAPS.get(str(_value(opened, node, "wrapS", "useMetadata")), WRAPS["repeat"]),
        wrap_v=WRAPS.get(str(_value(opened, node, "wrapT", "useMetadata")), WRAPS["repeat"]),
    )
    return ImageLookup(
        request=request,
        authored=authored,
        channel=CHANNELS.get(output, 0),
        is_single=output in CHANNELS,
        scale=_four(_value(opened, node, "scale", None), 1.0),
        bias=_four(_value(opened, node, "bias", None), 0.0),
        is_scaled=bool((scale and scale.GetAttr().HasAuthoredValue()) or (bias and bias.GetAttr().HasAuthoredValue())),
        fallback=_four(_value(opened, node, "fallback", (0.0, 0.0, 0.0, 1.0)), 0.0),
        uv=uv,
        uv_from_st=uv_from_st,
    )


def _color_space(opened: OpenStage, node: UsdShade.Shader) -> str:
    """Return `auto`, `raw` or `sRGB`: the input, else the metadata of the file attribute."""
    authored = _value(opened, node, "sourceColorSpace", None)
    if authored in ("raw", "sRGB"):
        return str(authored)
    given = node.GetInput("file")
    source = _source(given) if given else None
    space = str(source.GetColorSpace()) if source is not None and source.HasColorSpace() else ""
    if space.lower() in ("raw", "data", "linear", "lin_rec709_scene", "lin_rec709"):
        return "raw"
    if "srgb" in space.lower() and "lin" not in space.lower():
        return "sRGB"
    return "auto"


def _coordinates(
    opened: OpenStage, node: UsdShade.Shader, user: Sdf.Path
) -> tuple[str | None, tuple[float, float, float, float, float, float]]:
    """Return the primvar behind `inputs:st` (None: unconnected, which means the mesh's own) and uv_from_st."""
    matrix = np.eye(3)
    given = node.GetInput("st")
    for _ in range(MAX_NODES):
        source = _source(given) if given else None
        if source is None or not UsdShade.Output.IsOutput(source):
            return None, _row_major(matrix)
        upstream = UsdShade.Shader(source.GetPrim())
        node_id = _shader_id(upstream)
        if node_id == "UsdTransform2d":
            matrix = matrix @ _transform_2d(opened, upstream)
            given = upstream.GetInput("in")
        elif node_id.startswith("UsdPrimvarReader_"):
            return str(_value(opened, upstream, "varname", "") or "") or None, _row_major(matrix)
        else:
            break
    opened.notes.add("skipped", user, "texture coordinates from a node that is not supported; the mesh's own are used")
    return None, _row_major(matrix)


def _transform_2d(opened: OpenStage, node: UsdShade.Shader) -> NDArray[np.float64]:
    """Return [3, 3]: scale, then counter-clockwise rotation, then translation."""
    angle = math.radians(float(_value(opened, node, "rotation", 0.0)))
    scale = _value(opened, node, "scale", (1.0, 1.0))
    shift = _value(opened, node, "translation", (0.0, 0.0))
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array(
        [
            [cosine * scale[0], -sine * scale[1], shift[0]],
            [sine * scale[0], cosine * scale[1], shift[1]],
            [0.0, 0.0, 1.0],
        ]
    )


def _row_major(matrix: NDArray[np.float64]) -> tuple[float, float, float, float, float, float]:
    a, b, c, d, e, f = (float(value) for value in matrix[:2].ravel())
    return a, b, c, d, e, f


def _four(value: Any, default: float) -> tuple[float, float, float, float]:
    try:
        numbers = [float(item) for item in value][:4]
    except TypeError:
        numbers = []
    a, b, c, d = numbers + [default] * (4 - len(numbers))
    return a, b, c, d
