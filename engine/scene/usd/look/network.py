"""UsdShade networks: what drives an input of a shader, through node graphs and interface inputs, as a `Signal`."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pxr import Ar, Gf, Sdf, Usd, UsdShade

from engine.scene.look.expression import (
    IDENTITY,
    Image,
    Matrix,
    Primvar,
    Signal,
    constant,
    leaves,
    of_source,
    resized,
    values,
)
from engine.scene.look.image_file import TextureRequest
from engine.scene.look.udim import UDIM
from engine.scene.model import Wrap
from engine.scene.usd.look.texture import color_decoding, color_space_named
from engine.scene.usd.stage import OpenStage

MAX_DEPTH = 64  # nodes in a row before a network counts as a loop
MAX_NODES = 2_000  # of one material
ST = Primvar(None)  # the texture coordinates of a mesh, whatever their name
Reader = Callable[["Node"], Signal | None]


@dataclass(frozen=True)
class ImageLook:
    """How an image node looks its file up; the file itself comes from an input."""

    st: Signal | None  # None: the mesh's own coordinates
    wrap_u: Wrap
    wrap_v: Wrap
    color_space: str | None  # None: what the file attribute says, else auto
    fallback: tuple[float, float, float, float]


class Network:
    """The nodes behind one material, each output read once."""

    def __init__(self, opened: OpenStage, path: Sdf.Path, read_node: Callable[[Node], Signal | None]) -> None:
        self.path = path
        self.is_self_contained = True  # no node outside the material was read
        self._opened = opened
        self._read_node = read_node
        self._known: dict[Sdf.Path, Signal | None] = {}
        self._depth = 0
        self._count = 0

    def note(self, level: str, what: str) -> None:
        """Add a line about the material to the load report."""
        self._opened.notes.add(level, self.path, what)

    def input(self, shader: UsdShade.Shader, name: str) -> Signal | None:
        """Return what drives an input; None where nothing is authored or nothing usable is connected."""
        source = self.source(shader, name)
        if source is None:
            return None
        if UsdShade.Output.IsOutput(source):
            return self._output(source)
        return self._constant(source)

    def source(self, shader: UsdShade.Shader, name: str) -> Usd.Attribute | None:
        """Return the attribute that produces an input's value: an output of a node or an authored constant."""
        given = shader.GetInput(name)
        if not given:
            return None
        attributes = given.GetValueProducingAttributes()
        if not attributes:
            return None
        if not attributes[0].GetPrimPath().HasPrefix(self.path):
            self.is_self_contained = False
        return attributes[0]

    def raw(self, shader: UsdShade.Shader, name: str) -> Any:
        """Return the constant value of an input, also through interface inputs; None where there is none."""
        source = self.source(shader, name)
        if source is None or UsdShade.Output.IsOutput(source):
            return None
        return source.Get(self._opened.time)

    def image(self, shader: UsdShade.Shader, name: str, look: ImageLook) -> Signal:
        """Return the four components of the image that an input names, or its fallback with a note."""
        source = self.source(shader, name)
        asset = None if source is None or UsdShade.Output.IsOutput(source) else source.Get(self._opened.time)
        if isinstance(asset, str):
            asset = Sdf.AssetPath(asset)  # vendors' shaders type file names as strings
        if source is None or not isinstance(asset, Sdf.AssetPath) or not asset.path:
            self.note("error", "texture without a file; its fallback is used")
            return constant(*look.fallback)
        resolved = _resolved(asset, source)
        if not resolved:
            self._opened.files.missing(asset.path)
            self.note("error", f"texture '{asset.path}' is missing; its fallback is used")
            return constant(*look.fallback)
        space = look.color_space or self._file_color_space(source, asset.path)
        uv, uv_from_st = self.coordinates(look.st)
        request = TextureRequest(resolved, space, look.wrap_u, look.wrap_v)
        return of_source(Image(request, asset.path, uv, uv_from_st, look.fallback), 4)

    def image_file(self, file: str, look: ImageLook) -> Signal:
        """Return the four components of a file, or its fallback with a note."""
        if UDIM not in file and not Path(file).is_file():
            self._opened.files.missing(file)
            self.note("error", f"texture '{os.path.basename(file)}' is missing; its fallback is used")
            return constant(*look.fallback)
        uv, uv_from_st = self.coordinates(look.st)
        request = TextureRequest(file, look.color_space or "auto", look.wrap_u, look.wrap_v)
        return of_source(Image(request, file, uv, uv_from_st, look.fallback), 4)

    def coordinates(self, st: Signal | None) -> tuple[str | None, Matrix]:
        """Return the primvar behind texture coordinates and the affine map from it."""
        if st is None:
            return None, IDENTITY
        found = list(leaves(st))
        if not found and (fixed := values(resized(st, 2))) is not None:
            return None, (0.0, 0.0, fixed[0], 0.0, 0.0, fixed[1])
        rows: list[float] = []
        for term in resized(st, 2):
            row = [0.0, 0.0, term.bias]
            for source, channel, weight in term.weights:
                if source != found[0] or not isinstance(source, Primvar) or channel > 1:
                    self.note("approximated", "texture coordinates that are computed; the mesh's own are used")
                    return None, IDENTITY
                row[channel] += weight
            rows += row
        primvar = found[0]
        return primvar.name if isinstance(primvar, Primvar) else None, (
            rows[0], rows[1], rows[2], rows[3], rows[4], rows[5],
        )  # fmt: skip

    def first_image(self, shader: UsdShade.Shader) -> Signal | None:
        """Return the first texture that any input of a node reaches, in the order of the inputs' names."""
        for given in shader.GetInputs():
            if not given.HasConnectedSource():
                continue
            found = self.input(shader, given.GetBaseName())
            if found is not None and any(isinstance(leaf, Image) for leaf in leaves(found)):
                return found
        return None

    def _output(self, output: Usd.Attribute) -> Signal | None:
        path = output.GetPath()
        if path in self._known:
            return self._known[path]
        self._known[path] = None  # what a loop finds
        shader = UsdShade.Shader(output.GetPrim())
        node = Node(self, shader, shader_id(shader), str(output.GetName()).removeprefix("outputs:"))
        self._count += 1
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH or self._count > MAX_NODES:
                raise OverflowError(f"more than {MAX_DEPTH} nodes in a row, or {MAX_NODES} in all")
            self._known[path] = self._read_node(node)
        except OverflowError as error:
            if self._depth > 1:
                raise  # to the input of the surface, which gets its default
            self.note("error", f"a network that is too large is left out: {error}")
        finally:
            self._depth -= 1
        return self._known[path]

    def _constant(self, source: Usd.Attribute) -> Signal | None:
        numbers = finite_numbers(source.Get(self._opened.time))
        if numbers is None:
            return None
        if len(numbers) >= 3 and source.HasColorSpace() and str(source.GetTypeName()).startswith("color"):
            numbers = self._linear(numbers, str(source.GetColorSpace()))
        return constant(*numbers)

    def _linear(self, numbers: tuple[float, ...], name: str) -> tuple[float, ...]:
        space = color_space_named(name)
        if space is None:
            self.note("approximated", f"a colour in the unknown colour space '{name}' is taken as linear Rec. 709")
            return numbers
        decoding = color_decoding(space, is_srgb=False)
        color = np.array(numbers[:3], np.float32)
        color = decoding.curve(color) if decoding.curve else color
        if decoding.rec709_from_rgb is not None:
            color = decoding.rec709_from_rgb @ color
        return *(float(value) for value in color), *numbers[3:]

    def _file_color_space(self, source: Usd.Attribute, file: str) -> str:
        name = str(source.GetColorSpace()) if source.HasColorSpace() else ""
        if not name:
            name, owner = _inherited_color_space(source.GetPrim())
            self.is_self_contained &= not name or owner.HasPrefix(self.path)
        space = color_space_named(name)
        if space is None:
            self.note("approximated", f"texture '{file}' in the unknown colour space '{name}' is read as auto")
        return space or "auto"


@dataclass(frozen=True)
class Node:
    """One output of a shader node."""

    network: Network
    shader: UsdShade.Shader
    kind: str  # its identifier
    output: str

    def signal(self, name: str, *default: float) -> Signal:
        """Return what drives an input, or the default."""
        found = self.network.input(self.shader, name)
        return constant(*default) if found is None else found

    def numbers(self, name: str, *default: float) -> tuple[float, ...]:
        """Return a constant with as many components as the default; the default where it varies."""
        found = self.network.input(self.shader, name)
        if found is None:
            return default
        known = values(resized(found, len(default)))
        if known is None:
            self.network.note("approximated", f"{name} of {self.kind} varies; {default[0]:g} is used")
        return known or default

    def number(self, name: str, default: float) -> float:
        """Return a constant number."""
        return self.numbers(name, default)[0]

    def text(self, name: str, default: str) -> str:
        """Return a string or token."""
        value = self.network.raw(self.shader, name)
        return value if isinstance(value, str) else default

    def has(self, name: str) -> bool:
        """Return whether an input has a value or a connection."""
        return self.network.source(self.shader, name) is not None

    def has_file(self, name: str) -> bool:
        """Return whether an input names a file."""
        value = self.network.raw(self.shader, name)
        return isinstance(value, Sdf.AssetPath) and bool(value.path)


def shader_id(shader: UsdShade.Shader) -> str:
    """Return the identifier of a node; for MDL, the material in its module."""
    value = shader.GetIdAttr().Get()
    if value:
        return str(value)
    prim = shader.GetPrim()
    for name in ("info:mdl:sourceAsset:subIdentifier", "info:mdl:sourceAsset"):
        attribute = prim.GetAttribute(name)
        found = attribute.Get() if attribute else None
        if isinstance(found, Sdf.AssetPath):
            found = found.path.rsplit("/", 1)[-1].removesuffix(".mdl")
        if found:
            return f"MDL {found}"
    return "without an id"


def finite_numbers(value: Any) -> tuple[float, ...] | None:
    """Return up to four numbers of an attribute's value, or None where it holds none or one is not finite."""
    if isinstance(value, bool | int | float):
        numbers: tuple[float, ...] = (float(value),)
    elif isinstance(value, str) or value is None or isinstance(value, Gf.Matrix4d | Gf.Matrix3d | Sdf.AssetPath):
        return None
    else:
        try:
            numbers = tuple(float(item) for item in value)[:4]
        except (TypeError, ValueError):
            return None
    return numbers if numbers and all(math.isfinite(number) for number in numbers) else None


def _resolved(asset: Sdf.AssetPath, source: Usd.Attribute) -> str:
    """Return the file of an asset path; a set of UDIM tiles keeps its <UDIM>."""
    if asset.resolvedPath:
        return str(asset.resolvedPath)
    stack = source.GetPropertyStack(Usd.TimeCode.Default())
    if not stack:
        return ""
    if UDIM in asset.path:
        return str(UsdShade.UdimUtils.ResolveUdimPath(asset.path, stack[0].layer))
    if str(source.GetTypeName()) == "asset":
        return ""
    return str(Ar.GetResolver().Resolve(stack[0].layer.ComputeAbsolutePath(asset.path)).GetPathString())


def _inherited_color_space(prim: Usd.Prim) -> tuple[str, Sdf.Path]:
    """Return what ColorSpaceAPI says on a prim or its nearest ancestor, and that prim's path."""
    while prim and not prim.IsPseudoRoot():
        attribute = prim.GetAttribute("colorSpace:name")
        if attribute and (name := attribute.Get()):
            return str(name), prim.GetPath()
        prim = prim.GetParent()
    return "", Sdf.Path.absoluteRootPath
