"""The materials of placements: what their prims are bound to, else a stand-in that shows their displayColor."""

from __future__ import annotations

from engine.scene.usd.drawn.color import Display
from engine.scene.usd.look.material import MaterialTable, Surface
from engine.scene.usd.walk import Leaf


class Slots:
    """Rows of materials, one for every slot of a mesh; equal rows are kept once."""

    def __init__(self, materials: MaterialTable) -> None:
        self._materials = materials
        self._first_of_row: dict[tuple[int, ...], int] = {}
        self._first_of_request: dict[object, int] = {}
        self.material: list[int] = []  # [slot], index into the materials

    def of(self, leaf: Leaf, surfaces: tuple[Surface | None, ...], display: Display) -> int:
        """Return where the row of a placement begins."""
        prim = None
        which: tuple[int, ...] = (id(surfaces[0]),)
        for surface in surfaces:
            if surface is not None and surface.varying:
                prim = leaf.prim
        if len(surfaces) > 1:
            which = tuple(map(id, surfaces))
        request = (which, display.has_color, display.has_opacity, prim)
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
        color, opacity = display.has_color, display.has_opacity
        if surface is None:
            return self._materials.stand_in(leaf.path, has_color=color, has_opacity=opacity)
        return self._materials.index(surface, leaf.prim, has_color=color, has_opacity=opacity)
