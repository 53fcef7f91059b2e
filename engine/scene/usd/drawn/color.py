"""displayColor and displayOpacity of drawn prims: what is constant goes to the placement, so that meshes are shared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pxr import Usd

from engine.scene.usd.drawn.primvar import Primvar, read_primvar
from engine.scene.usd.inherit import inherited_primvar
from engine.scene.usd.stage import OpenStage
from engine.scene.usd.walk import Leaf

COLOR = "primvars:displayColor"
OPACITY = "primvars:displayOpacity"
WHITE = (1.0, 1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Display:
    """How a prim is coloured where its material asks for it."""

    constant: tuple[float, float, float, float] = WHITE  # linear; 1 where nothing is constant
    has_color: bool = False  # constant or varying
    has_opacity: bool = False
    varies: tuple[str, ...] = ()  # attributes that have a value at every corner


NOTHING = Display()


class DisplayTable:
    """Reads the display primvars of drawn prims; inherited ones once."""

    def __init__(self, opened: OpenStage) -> None:
        self._opened = opened
        self._inherited: dict[tuple[Usd.Prim, str], Primvar | None] = {}

    def of(self, leaf: Leaf) -> Display:
        """Return how a prim is coloured; a primvar of its own hides those of its ancestors."""
        if leaf.state.primvars is None and COLOR not in leaf.names and OPACITY not in leaf.names:
            return NOTHING
        color, opacity = self._read(leaf, COLOR, 3), self._read(leaf, OPACITY, 1)
        constant = np.ones(4)
        varies = []
        for primvar, name, part in ((color, COLOR, slice(0, 3)), (opacity, OPACITY, slice(3, 4))):
            single = primvar is not None and len(primvar.values) == 1 and leaf.kind != "Mesh"
            if primvar is not None and (single or primvar.interpolation == "constant"):
                constant[part] = primvar.values[0]
            elif primvar is not None:
                varies.append(name)
        r, g, b, a = constant.tolist()
        return Display((r, g, b, a), color is not None, opacity is not None, tuple(varies))

    def _read(self, leaf: Leaf, name: str, components: int) -> Primvar | None:
        opened = self._opened
        if name in leaf.names and leaf.prim.GetAttribute(name).HasAuthoredValue():
            return read_primvar(leaf.prim, name, opened.time, (components,), opened.notes)
        source = inherited_primvar(leaf.state.primvars, name)
        if source is None:
            return None
        key = (source, name)
        if key not in self._inherited:
            self._inherited[key] = read_primvar(source, name, opened.time, (components,), opened.notes)
        return self._inherited[key]
