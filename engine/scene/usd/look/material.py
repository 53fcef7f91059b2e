"""Bound materials to `Material`: looks with their textures loaded, interned by content.

Source: UsdPreviewSurface specification, https://openusd.org/release/spec_usdpreviewsurface.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from pxr import Sdf, Usd, UsdGeom, UsdShade

from engine.scene.look.expression import Image, Primvar, Signal, constant, leaves, replaced
from engine.scene.look.look import Look
from engine.scene.model import Material
from engine.scene.usd.look.fields import DISPLAY, Fields, UvSets
from engine.scene.usd.look.look import find_look
from engine.scene.usd.look.network import finite_numbers
from engine.scene.usd.look.texture import TextureTable
from engine.scene.usd.stage import OpenStage

FALLBACK = Material("fallback")
WHITE = (1.0, 1.0, 1.0)
UNAUTHORED = {"displayColor": FALLBACK.base_color, "displayOpacity": (1.0,)}  # readers of others give 0


@dataclass(frozen=True)
class Surface:
    """A material, the primvars that its textures are looked up with, and what each prim that binds it decides."""

    material: Material
    uv: str | None  # primvar of Mesh.uv; None: any
    uv2: str | None = None  # primvar of Mesh.uv2; None: none
    varying: dict[str, Signal] = field(default_factory=dict)  # field -> signal of primvars of the bound prim
    display: dict[str, Signal] = field(default_factory=dict)  # field -> signal with displayColor or displayOpacity
    index: int = 0  # of the material where nothing is varying


class MaterialTable:
    """The materials of a stage, each network read once, equal ones kept once; material 0 is the fallback."""

    def __init__(self, opened: OpenStage, textures: TextureTable) -> None:
        self._opened = opened
        self._textures = textures
        self._surface: dict[Sdf.Path, Surface | None] = {}
        self._surface_of_specs: dict[object, Surface | None] = {}
        self._index: dict[object, int] = {}
        self._index_of_values: dict[object, int] = {}
        self.materials: list[Material] = []
        self.intern(FALLBACK)

    def bound(self, prims: Sequence[Usd.Prim]) -> list[UsdShade.Material]:
        """Return the bound material of each prim, as UsdShade resolves inheritance, collections and strength."""
        if not prims:
            return []
        return list(UsdShade.MaterialBindingAPI.ComputeBoundMaterials(list(prims), UsdShade.Tokens.full)[0])

    def is_read(self, material: UsdShade.Material) -> bool:
        """Return whether `surface` has the material at hand."""
        return _own_prim(material).GetPath() in self._surface

    def surface(self, material: UsdShade.Material) -> Surface | None:
        """Return what a material means, or None (with a note) where displayColor must stand in for it."""
        if not material:
            return None
        prim = _own_prim(material)
        path = prim.GetPath()
        if path not in self._surface:
            self._surface[path] = self._read(material, prim)
        return self._surface[path]

    def index(self, surface: Surface, prim: Usd.Prim, *, has_color: bool = True, has_opacity: bool = True) -> int:
        """Return the index of a surface's material on a prim, whose primvars it may read.

        Without a displayColor or displayOpacity, readers of them give their fallback.
        """
        lacking = [name for name in surface.display if not {"base_color": has_color, "opacity": has_opacity}[name]]
        if not surface.varying and not lacking:
            return surface.index
        signals = surface.varying | {name: surface.display[name] for name in lacking}
        wanted = {leaf for signal in signals.values() for leaf in leaves(signal) if isinstance(leaf, Primvar)}
        known = {leaf: self._primvar(prim, leaf) for leaf in wanted}
        key = (id(surface), *lacking, *sorted((leaf.name or "", numbers) for leaf, numbers in known.items()))
        if key not in self._index_of_values:
            self._index_of_values[key] = self.intern(self._on_prim(surface, signals, known))
        return self._index_of_values[key]

    def intern(self, material: Material) -> int:
        """Return the index of a material; equal content has one index, named after the first."""
        content = {name: value for name, value in vars(material).items() if name not in ("name", "textures")}
        key = (tuple(content.values()), tuple(sorted(material.textures.items(), key=lambda item: item[0])))
        if key not in self._index:
            self._index[key] = len(self.materials)
            self.materials.append(material)
        return self._index[key]

    def stand_in(self, path: str, *, has_color: bool, has_opacity: bool) -> int:
        """Return the index of the material of a drawn prim without a usable one: displayColor, else grey."""
        if not (has_color or has_opacity):
            return 0
        color = WHITE if has_color else FALLBACK.base_color  # a factor of displayColor
        return self.intern(
            Material(path, base_color=color, uses_display_color=has_color, uses_display_opacity=has_opacity)
        )

    def _read(self, material: UsdShade.Material, prim: Usd.Prim) -> Surface | None:
        """Return the surface of a material; one that is made of the same specs as an earlier one is that one."""
        specs = tuple(
            (spec.layer.identifier, spec.path, offset.offset, offset.scale)
            for spec, offset in prim.GetPrimStackWithLayerOffsets()
        )
        if specs and specs in self._surface_of_specs:
            return self._surface_of_specs[specs]
        found = find_look(self._opened, material, self._textures.files)
        surface = None if found.look is None else self._converted(material.GetPath(), found.look)
        if found.is_self_contained and specs:
            self._surface_of_specs[specs] = surface
        return surface

    def _converted(self, path: Sdf.Path, look: Look) -> Surface:
        wanted = {leaf.uv for signal in look.fields.values() for leaf in leaves(signal) if isinstance(leaf, Image)}
        sets = UvSets(self._opened.notes, path, wanted)
        fields = Fields(self._opened.notes, path, self._textures, sets)
        given: dict[str, Any] = {"presence": look.presence}
        for name, signal in look.fields.items():
            fields.read(name, signal, given)
        material = Material(str(path), **given, textures=fields.textures)
        if material.opacity >= 1.0 and "opacity" not in fields.textures and not material.uses_display_opacity:
            material = replace(material, presence=False, opacity_threshold=0.0)  # no effect: fewer different materials
        first, second = sets.names()
        index = 0 if fields.varying else self.intern(material)
        return Surface(material, first, second, fields.varying, fields.display, index)

    def _on_prim(
        self, surface: Surface, signals: dict[str, Signal], known: dict[Primvar, tuple[float, ...]]
    ) -> Material:
        """Return the material of a surface with the primvars of a prim put in."""

        def chosen(leaf: Image | Primvar) -> Signal | None:
            if isinstance(leaf, Image):
                return None
            return constant(*(known[leaf] or UNAUTHORED.get(leaf.name or "", (0.0,))))

        path = Sdf.Path(surface.material.name)
        sets = UvSets(self._opened.notes, path, {surface.uv})
        for name in (surface.uv, surface.uv2):
            sets.index(name)
        fields = Fields(self._opened.notes, path, self._textures, sets)
        given: dict[str, Any] = {}
        for name, signal in signals.items():
            given |= {DISPLAY[name][1]: False} if name in surface.display else {}
            fields.read(name, replaced(signal, chosen), given)
        return replace(surface.material, **given, textures=surface.material.textures | fields.textures)

    def _primvar(self, prim: Usd.Prim, leaf: Primvar) -> tuple[float, ...]:
        """Return the value of a primvar on a prim: its mean where it varies, the fallback where it is missing."""
        primvar = UsdGeom.PrimvarsAPI(prim).FindPrimvarWithInheritance(leaf.name or "st")
        value = primvar.ComputeFlattened(self._opened.time) if primvar and primvar.HasValue() else None
        if value is None:
            return leaf.fallback or ()
        numbers = finite_numbers(value)
        if numbers is not None and primvar.GetTypeName().isScalar:
            return numbers
        array = np.asarray(value)
        if array.size == 0 or array.dtype.kind not in "fiub" or not np.isfinite(array).all():
            return leaf.fallback or ()
        array = array.reshape(len(array), -1)
        if len(array) > 1 and (array != array[0]).any():
            self._opened.notes.add(
                "approximated", prim.GetPath(), f"primvar {leaf.name} drives the material and varies; its mean is used"
            )
        return tuple(float(number) for number in array.mean(axis=0)[:4])


def _own_prim(material: UsdShade.Material) -> Usd.Prim:
    """Return the prim of a material; of instances, that of their prototype."""
    prim = material.GetPrim()
    return prim.GetPrimInPrototype() if prim.IsInstanceProxy() else prim
