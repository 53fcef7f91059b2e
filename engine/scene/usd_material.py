"""Bound materials to `Material`: UsdPreviewSurface networks, both workflows, interned by content.

Source: UsdPreviewSurface specification, https://openusd.org/release/spec_usdpreviewsurface.html
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pxr import Sdf, Usd, UsdShade

from engine.scene.model import Material, TextureInput
from engine.scene.usd import OpenStage
from engine.scene.usd_network import ImageLookup, PrimvarLookup, find_surface, read_input
from engine.scene.usd_texture import TextureTable
from engine.scene.usd_value import three

FALLBACK = Material("fallback")
SCALARS = {  # input -> field
    "metallic": "metallic",
    "roughness": "roughness",
    "ior": "ior",
    "opacity": "opacity",
    "opacityThreshold": "opacity_threshold",
    "clearcoat": "clearcoat",
    "clearcoatRoughness": "clearcoat_roughness",
}
COLORS = {"diffuseColor": "base_color", "emissiveColor": "emission"}
IGNORED = ("displacement", "occlusion")
METAL_F0 = 0.15  # a constant specular colour above this is read as a metal; dielectrics reflect less than 8 %
NOT_TRANSPARENT = "opacity is not rendered yet: the surface is solid, holes of a cut-out included"


@dataclass(frozen=True)
class Surface:
    """A material and the primvar that its textures are looked up with."""

    material: Material
    uv: str | None  # None: any


class MaterialTable:
    """The materials of a stage, each network read once, equal ones kept once; material 0 is the fallback."""

    def __init__(self, opened: OpenStage, textures: TextureTable) -> None:
        self._opened = opened
        self._textures = textures
        self._surface: dict[Sdf.Path, Surface | None] = {}
        self._index: dict[object, int] = {}
        self.materials: list[Material] = []
        self.intern(FALLBACK)

    def bound(self, prims: Sequence[Usd.Prim]) -> list[UsdShade.Material]:
        """Return the bound material of each prim, as UsdShade resolves inheritance, collections and strength."""
        if not prims:
            return []
        return list(UsdShade.MaterialBindingAPI.ComputeBoundMaterials(list(prims), UsdShade.Tokens.full)[0])

    def surface(self, material: UsdShade.Material) -> Surface | None:
        """Return what a material means, or None (with a note) where displayColor must stand in for it."""
        if not material:
            return None
        prim = material.GetPrim()
        path = (prim.GetPrimInPrototype() if prim.IsInstanceProxy() else prim).GetPath()
        if path not in self._surface:
            self._surface[path] = self._read(material)
        return self._surface[path]

    def intern(self, material: Material) -> int:
        """Return the index of a material; equal content has one index, named after the first."""
        key = (replace(material, name="", textures={}), tuple(sorted(material.textures.items(), key=lambda kv: kv[0])))
        hashable = (tuple(vars(key[0]).items())[:-2], material.uses_display_color, key[1])
        text = repr(hashable)
        if text not in self._index:
            self._index[text] = len(self.materials)
            self.materials.append(material)
        return self._index[text]

    def display_color(self, path: str, opacity: float) -> Material:
        """Return the stand-in of a drawn prim without a usable material."""
        return Material(path, uses_display_color=True, opacity=opacity)

    def _read(self, material: UsdShade.Material) -> Surface | None:
        shader = find_surface(material, self._opened.notes)
        if shader is None:
            return None
        path = material.GetPath()
        values = {
            name: read_input(self._opened, shader, name, path)
            for name in (*SCALARS, *COLORS, "normal", "specularColor", "useSpecularWorkflow", "opacityMode")
        }
        for name in IGNORED:
            given = shader.GetInput(name)
            if given and given.HasConnectedSource():
                self._opened.notes.add("skipped", path, f"{name} of UsdPreviewSurface is not used by a ray caster")
        return self._converted(path, values)

    def _converted(self, path: Sdf.Path, values: dict[str, Any]) -> Surface:
        fields: dict[str, Any] = {}
        textures: dict[str, TextureInput] = {}
        uv: list[str | None] = []
        display = False
        for name, field in (SCALARS | COLORS | {"normal": "normal"}).items():
            value = values[name]
            if isinstance(value, ImageLookup):
                texture = self._texture(value, field, path)
                if texture is not None:
                    textures[field] = texture
                    uv.append(value.uv)
                    continue
                value = value.fallback[:3] if name in COLORS else value.fallback[value.channel]
            if isinstance(value, PrimvarLookup):
                if name == "diffuseColor" and value.name == "displayColor":
                    display = True
                else:
                    self._opened.notes.add(
                        "skipped", path, f"{name} read from primvar {value.name}; its fallback is used"
                    )
                value = value.fallback
            if value is not None and field != "normal":
                number = three(value) if name in COLORS else _number(value)
                if number is None:
                    self._opened.notes.add("skipped", path, f"{name} has a value of the wrong type")
                else:
                    fields[field] = number
        named = {name for name in uv if name is not None}
        if len(named) > 1:
            self._opened.notes.add(
                "approximated", path, f"textures read several primvars; {min(named)} is used for all"
            )
        material = Material(str(path), **fields, textures=textures, uses_display_color=display)
        if _number(values["useSpecularWorkflow"]):
            material = self._metallic(material, values["specularColor"], path)
        if values["opacityMode"] == "presence":
            self._opened.notes.add("approximated", path, "opacityMode presence is read as transparent")
        if material.opacity < 1.0 or "opacity" in material.textures:
            self._opened.notes.add("approximated", path, NOT_TRANSPARENT)
        return Surface(material, min(named) if named else None)

    def _texture(self, lookup: ImageLookup, field: str, path: Sdf.Path) -> TextureInput | None:
        color = field in ("base_color", "emission", "normal")
        request = replace(lookup.request, channel=lookup.channel) if color and lookup.is_single else lookup.request
        if not request.resolved:
            what = f"texture '{lookup.authored}' is missing" if lookup.authored else "texture without a file"
            self._opened.notes.add("error", path, f"{what}; its fallback is used")
            return None
        texture = self._textures.request(request, path)
        if texture is None:
            return None
        scale, bias = lookup.scale, lookup.bias
        if field == "normal" and not lookup.is_scaled and self._textures.is_8_bit(request):
            scale, bias = (2.0, 2.0, 2.0, 1.0), (-1.0, -1.0, -1.0, 0.0)
            self._opened.notes.add("repaired", path, "8-bit normal map without scale and bias: 2 and -1 are used")
        return TextureInput(texture, lookup.channel, scale, bias, lookup.uv_from_st)

    def _metallic(self, material: Material, specular: Any, path: Sdf.Path) -> Material:
        """Return the metallic-workflow material with the same normal reflectance as a constant specular colour."""
        if isinstance(specular, ImageLookup | PrimvarLookup):
            self._opened.notes.add("approximated", path, "specular colour from a texture: its fallback is used")
            specular = specular.fallback[:3] if isinstance(specular, ImageLookup) else specular.fallback
        color = three(specular) or (0.0, 0.0, 0.0)
        strongest = max(color)
        textures = {key: value for key, value in material.textures.items() if key != "metallic"}
        material = replace(material, textures=textures)
        if strongest > METAL_F0:
            self._opened.notes.add(
                "approximated", path, "specular workflow with a strong specular colour: read as a metal"
            )
            textures = {key: value for key, value in textures.items() if key != "base_color"}
            return replace(material, textures=textures, metallic=1.0, base_color=color)
        self._opened.notes.add("converted", path, "specular workflow to the metallic one")
        root = (sum(color) / 3.0) ** 0.5
        return replace(material, metallic=0.0, ior=(1.0 + root) / (1.0 - root))


def _number(value: Any) -> float | None:
    if isinstance(value, bool | int | float):
        return float(value) if math.isfinite(value) else None
    try:
        return float(value[0])
    except (TypeError, ValueError, IndexError, KeyError):
        return None
