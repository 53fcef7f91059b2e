"""The materials of placements: what their prims are bound to, else a stand-in that shows their displayColor."""

from __future__ import annotations

from dataclasses import replace

from engine.scene.model import Material
from engine.scene.usd_color import Display
from engine.scene.usd_material import MaterialTable, Surface
from engine.scene.usd_walk import Leaf


class Slots:
    """Rows of materials, one for every slot of a mesh; equal rows are kept once."""

    def __init__(self, materials: MaterialTable) -> None:
        self._materials = materials
        self._first_of_row: dict[tuple[int, ...], int] = {}
        self._first_of_request: dict[object, int] = {}
        self.material: list[int] = []  # [slot], index into the materials

    def of(self, leaf: Leaf, surfaces: tuple[Surface | None, ...], display: Display) -> int:
        """Return where the row of a placement begins."""
        prim = leaf.prim if any(surface is not None and surface.varying for surface in surfaces) else None
        request = (tuple(map(id, surfaces)), display.has_color, display.has_opacity, prim)
        first = self._first_of_request.get(request)
        if first is None:
            row = tuple(self._index(leaf, surface, display) for surface in surfaces)
            first = self._first_of_row.setdefault(row, len(self.material))
            if first == len(self.material):
                self.material += row
            self._first_of_request[request] = first
        return first

    def _index(self, leaf: Leaf, surface: Surface | None, display: Display) -> int:
        """Return the material of one slot; without a displayColor, one that reads it shows its fallback."""
        if surface is None:
            if not (display.has_color or display.has_opacity):
                return 0
            return self._materials.intern(
                Material(leaf.path, uses_display_color=display.has_color, uses_display_opacity=display.has_opacity)
            )
        index = self._materials.index(surface, leaf.prim)
        material = self._materials.materials[index]
        color = material.uses_display_color and display.has_color
        opacity = material.uses_display_opacity and display.has_opacity
        if (color, opacity) == (material.uses_display_color, material.uses_display_opacity):
            return index
        return self._materials.intern(replace(material, uses_display_color=color, uses_display_opacity=opacity))
