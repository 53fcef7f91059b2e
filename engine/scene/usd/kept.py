"""What the frames of one stage have in common: skins, textures, materials, and meshes that no time changes."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pxr import Usd

from engine.scene.model import Mesh
from engine.scene.usd.drawn.reader import Drawn

if TYPE_CHECKING:
    from engine.scene.usd.drawn.skel import Skins
    from engine.scene.usd.look.material import MaterialTable
    from engine.scene.usd.look.texture import TextureTable

SHADING = ("Material", "Shader", "NodeGraph")
PLACING = ("xformOp:", "visibility", "xformOpOrder")  # attributes that leave the arrays of a prim as they are


@dataclass(frozen=True)
class Variation:
    """What time changes on a stage."""

    geometry: frozenset[str]  # paths of prims with arrays or sizes that change
    looks: bool  # whether any shading input or primvar changes


@dataclass
class Kept:
    """What is read once for all frames; None until it was read."""

    variation: Variation
    skins: Skins | None = None
    textures: TextureTable | None = None
    materials: MaterialTable | None = None
    meshes: dict[Hashable, tuple[Mesh | None, Drawn | None]] = field(default_factory=dict)

    def may_keep(self, prim: Usd.Prim) -> bool:
        """Return whether the triangles of a prim are the same at all times."""
        path = prim.GetPath()
        if self.skins is not None and path in self.skins.paths:
            return False
        own = prim.GetPrimInPrototype() if prim.IsInstanceProxy() else prim
        prims = [own, *(child for child in own.GetAllChildren() if child.GetTypeName() == "GeomSubset")]
        return not any(each.GetPath().pathString in self.variation.geometry for each in prims)


def variation_of(stage: Usd.Stage) -> Variation:
    """Return what time changes; values that may change count."""
    geometry, looks = set(), False
    ranges = [stage.TraverseAll(), *(Usd.PrimRange.AllPrims(prototype) for prototype in stage.GetPrototypes())]
    for prims in ranges:
        for prim in prims:
            for attribute in prim.GetAuthoredAttributes():
                name = attribute.GetName()
                if name.startswith(PLACING) or not attribute.ValueMightBeTimeVarying():
                    continue
                geometry.add(prim.GetPath().pathString)
                looks = looks or name.startswith("primvars:") or prim.GetTypeName() in SHADING
    return Variation(frozenset(geometry), looks)
