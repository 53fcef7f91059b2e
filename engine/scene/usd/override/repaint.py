"""Materials of a world: inputs of the scene's own shaders, bindings, and tinted copies of materials.

A colour that the world drew for a material is authored on that material's UsdPreviewSurface, so every user of it
changes. A tint belongs to one instance: it gets a material of its own that references the original and overrides one
colour, or, where displayColor is the look, a displayColor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pxr import Gf, Sdf, Usd, UsdGeom, UsdShade

from engine.scene.model import Scene
from engine.scene.notes import Notes
from engine.scene.usd.override.edits import STAGE, Copy, Edits

Color = tuple[float, float, float]

WHITE: Color = (1.0, 1.0, 1.0)
INPUTS = {"base_color": "diffuseColor", "roughness": "roughness", "metallic": "metallic"}
CHANNEL = {"r": 0, "g": 1, "b": 2, "a": 3}
ANY_BINDING = "material:binding"
LOOKS = "ommatidia_looks"


@dataclass(frozen=True)
class Paint:
    """What a material's own inputs become; None: as they are. With a texture, a factor on it."""

    base_color: Color | None = None
    roughness: float | None = None
    metallic: float | None = None


@dataclass(frozen=True)
class Bound:
    """A drawn prim or face subset, and how it got its material."""

    prim: Usd.Prim
    material: UsdShade.Material | None
    names: tuple[str, ...]  # binding relationships that an opinion must replace


def bound_materials(prims: list[Usd.Prim]) -> list[Bound]:
    """Return what is bound to each prim, as the loader sees it."""
    if not prims:
        return []
    materials, relationships = UsdShade.MaterialBindingAPI.ComputeBoundMaterials(prims, UsdShade.Tokens.full)
    rows = []
    for prim, material, relationship in zip(prims, materials, relationships, strict=True):
        special = relationship and relationship.GetName().startswith(f"{ANY_BINDING}:{UsdShade.Tokens.full}")
        names = (ANY_BINDING, f"{ANY_BINDING}:{UsdShade.Tokens.full}") if special else (ANY_BINDING,)
        rows.append(Bound(prim, material or None, names))
    return rows


class Painter:
    """Authors looks of one stage."""

    def __init__(self, scene: Scene, time: Usd.TimeCode, edits: Edits, notes: Notes, home: Sdf.Path) -> None:
        """`home` is the prim below which materials of our own are defined."""
        self._scene = scene
        self._time = time
        self._edits = edits
        self._notes = notes
        self._home = home.AppendChild(LOOKS)
        self._tinted: dict[tuple[Sdf.Path, Color], Sdf.Path | None] = {}

    def repaint(self, material: UsdShade.Material, index: int, paint: Paint) -> bool:
        """Author the inputs of a material of the scene; False with a note where its network has no place for them."""
        return self._paint(material.GetPrim(), STAGE, index, paint, is_own=False)

    def tinted(self, material: UsdShade.Material, index: int, base_color: Color) -> Sdf.Path | None:
        """Return a material that is `material` but for its base colour, which is a factor where textures give it."""
        prim = material.GetPrim()
        key = (prim.GetPath(), base_color)
        if key not in self._tinted:
            path = self._home.AppendChild(f"{prim.GetName()}_{len(self._tinted)}")
            before = set(self._edits.prims)
            made = self._edits.at(path)
            made.type_name, made.reference = "Material", prim.GetPath()
            self._edits.at(self._home).type_name = "Scope"
            done = self._paint(prim, Copy(prim.GetPath(), path), index, Paint(base_color), is_own=True)
            if not done:
                for added in set(self._edits.prims) - before:
                    del self._edits.prims[added]
            self._tinted[key] = path if done else None
        return self._tinted[key]

    def tint_display_color(self, prim: Usd.Prim, copy: Copy, tint: Color) -> None:
        """Multiply the displayColor of a drawn prim, its own or an inherited one; the default grey without any."""
        primvar = UsdGeom.PrimvarsAPI(prim).FindPrimvarWithInheritance("displayColor")
        value = primvar.Get(self._time) if primvar else None
        grey = self._scene.materials[0].base_color
        colors = np.array([grey] if value is None or len(value) == 0 else value, np.float64) * np.array(tint)
        edit = self._edits.of(prim, copy)
        edit.set("primvars:displayColor", Sdf.ValueTypeNames.Color3fArray, [Gf.Vec3f(*row) for row in colors.tolist()])
        kept = primvar.GetInterpolation() if primvar and value is not None else UsdGeom.Tokens.constant
        edit.metadata["primvars:displayColor"] = {"interpolation": kept}
        indices = primvar.GetIndices(self._time) if primvar and primvar.IsIndexed() else None
        if indices is not None:
            edit.set("primvars:displayColor:indices", Sdf.ValueTypeNames.IntArray, list(indices))

    def _paint(self, prim: Usd.Prim, copy: Copy, index: int, paint: Paint, *, is_own: bool) -> bool:
        shader = _preview_surface(UsdShade.Material(prim))
        if shader is None:
            return self._replace_network(prim, copy, index, paint)
        scales: dict[Sdf.Path, tuple[Usd.Prim, NDArray[np.float64]]] = {}
        for field, name in INPUTS.items():
            value = getattr(paint, field)
            if value is None:
                continue
            textured = field in self._scene.materials[index].textures
            source = _texture_of(shader, name) if textured else None
            target = source[0] if source else shader.GetPrim()
            if textured and source is None:
                self._notes.add("error", prim.GetPath(), f"{name} comes from more than a texture; it was not changed")
                return False
            if is_own and not target.GetPath().HasPrefix(copy.source):
                self._notes.add("error", prim.GetPath(), "its shader lies outside the material; it was not tinted")
                return False
            if source:
                factor = scales.setdefault(target.GetPath(), (target, np.ones(4)))[1]
                factor[: 3 if field == "base_color" else 4] *= _factor(value, source[1])
                continue
            kind = Sdf.ValueTypeNames.Color3f if field == "base_color" else Sdf.ValueTypeNames.Float
            plain = Gf.Vec3f(*value) if field == "base_color" else value
            self._edits.of(target, copy).set(f"inputs:{name}", kind, plain, disconnect=True)
        for target, factor in scales.values():
            self._scale_texture(target, copy, factor)
        return True

    def _scale_texture(self, texture: Usd.Prim, copy: Copy, factor: NDArray[np.float64]) -> None:
        edit = self._edits.of(texture, copy)
        for name, default in (("scale", 1.0), ("bias", 0.0)):
            given = UsdShade.Shader(texture).GetInput(name)
            value = given.Get(self._time) if given else None
            old = np.full(4, default) if value is None else np.array(value, np.float64)
            if np.any(old * factor != np.full(4, default)):
                new = Gf.Vec4f(*(old * factor).tolist())
                edit.set(f"inputs:{name}", Sdf.ValueTypeNames.Float4, new, disconnect=True)

    def _replace_network(self, prim: Usd.Prim, copy: Copy, index: int, paint: Paint) -> bool:
        """Give a material of another renderer a UsdPreviewSurface of constants, which other programs prefer as well."""
        material = self._scene.materials[index]
        if material.textures or index == 0:
            self._notes.add("error", prim.GetPath(), "it has textures and no UsdPreviewSurface; it was not changed")
            return False
        self._notes.add("approximated", prim.GetPath(), "without a UsdPreviewSurface: what it means to us was written")
        surface = copy.place(prim.GetPath()).AppendChild("ommatidia_surface")
        shader = self._edits.at(surface)
        shader.type_name = "Shader"
        types = Sdf.ValueTypeNames
        shader.set("info:id", types.Token, "UsdPreviewSurface", uniform=True)
        shader.set("outputs:surface", types.Token, None)
        color = material.base_color if paint.base_color is None else paint.base_color
        shader.set("inputs:diffuseColor", types.Color3f, Gf.Vec3f(*color))
        shader.set("inputs:emissiveColor", types.Color3f, Gf.Vec3f(*material.emission))
        numbers = {
            "roughness": material.roughness if paint.roughness is None else paint.roughness,
            "metallic": material.metallic if paint.metallic is None else paint.metallic,
            "ior": material.ior,
            "opacity": material.opacity,
            "opacityThreshold": material.opacity_threshold,
            "clearcoat": material.clearcoat,
            "clearcoatRoughness": material.clearcoat_roughness,
        }
        for name, number in numbers.items():
            shader.set(f"inputs:{name}", types.Float, number)
        self._edits.of(prim, copy).set(
            "outputs:surface", types.Token, None, connect=surface.AppendProperty("outputs:surface")
        )
        return True


def _factor(value: Color | float, channel: str) -> NDArray[np.float64]:
    if isinstance(value, tuple):
        return np.array(value)
    factor = np.ones(4)
    factor[CHANNEL.get(channel, slice(None))] = value
    return factor


def _preview_surface(material: UsdShade.Material) -> UsdShade.Shader | None:
    shader = material.ComputeSurfaceSource()[0]
    return shader if shader and shader.GetShaderId() == "UsdPreviewSurface" else None


def _texture_of(shader: UsdShade.Shader, name: str) -> tuple[Usd.Prim, str] | None:
    """Return the UsdUVTexture that drives an input, and the output that does."""
    given = shader.GetInput(name)
    for attribute in given.GetValueProducingAttributes() if given else ():
        source = UsdShade.Shader(attribute.GetPrim())
        if UsdShade.Output.IsOutput(attribute) and source and source.GetShaderId() == "UsdUVTexture":
            return source.GetPrim(), attribute.GetName().removeprefix("outputs:")
    return None
