"""Which prims of a world wear another material or colour, handed to the painter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pxr import Sdf, Usd, UsdShade

from engine.scene.usd.drawn.geometry import material_subsets
from engine.scene.usd.override.edits import STAGE
from engine.scene.usd.override.instances import InstanceWriter
from engine.scene.usd.override.repaint import Bound, Color, Paint, Painter, bound_materials

WHITE: Color = (1.0, 1.0, 1.0)
PAINTED = ("base_color", "roughness", "metallic")
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Look:
    """A drawn prim or face subset with the material that the scene has for it."""

    bound: Bound
    index: int  # in Scene.materials


class Wardrobe:
    """The looks of every drawn prim of a stage."""

    def __init__(self, stage: Usd.Stage, time: Usd.TimeCode, writer: InstanceWriter, painter: Painter) -> None:
        self._stage = stage
        self._time = time
        self._writer = writer
        self._painter = painter
        self._looks: dict[str, list[Look]] = {}
        self._materials: dict[int, dict[str, UsdShade.Material]] = {}

    def dress(self, new: Arrays, old: Arrays) -> None:
        """Author what a world changed about materials and about the look of single instances."""
        paints = {index: _paint(new, old, index) for index in range(len(new["roughness"]))}
        paints = {index: paint for index, paint in paints.items() if paint != Paint()}
        instances = np.flatnonzero((new["material"] >= 0) | (new["tint"] != 1.0).any(axis=1)).tolist()
        if not paints and not instances:
            return
        self._read()
        notes, scene = self._writer.notes, self._writer.scene
        for index, paint in paints.items():
            for material in self._materials.get(index, {}).values():
                self._painter.repaint(material, index, paint)
            if index not in self._materials:
                notes.add("error", scene.materials[index].name, "no material prim draws it; its colour was not written")
        for instance in instances:
            self._dress(instance, new)

    def _read(self) -> None:
        """Read the bindings of every drawn prim, all at once."""
        scene = self._writer.scene
        placed = scene.placements
        first = {path: index for index, path in reversed(list(enumerate(placed.prim)))}
        leaves = [self._stage.GetPrimAtPath(path) for path in first]
        groups = [[leaf, *(prim for prim, _ in material_subsets(leaf, self._time))] for leaf in leaves]
        bound = iter(bound_materials([prim for group in groups for prim in group]))
        for (path, placement), group in zip(first.items(), groups, strict=True):
            slots = placed.first_slot[placement] + np.arange(len(group))
            self._looks[path] = [Look(next(bound), int(placed.slot_material[slot])) for slot in slots]
            for look in self._looks[path]:
                if look.bound.material is not None:
                    material = look.bound.material
                    self._materials.setdefault(look.index, {})[str(material.GetPath())] = material
        for path, index in scene.material_of.items():  # those that nothing binds, until a world does
            if index not in self._materials:
                self._materials[index] = {path: UsdShade.Material.Get(self._stage, path)}

    def _dress(self, instance: int, new: Arrays) -> None:
        writer, scene = self._writer, self._writer.scene
        site = writer.site(instance)
        copy = writer.sites.copy(site.elements) if site.elements else STAGE
        tint = _color(new["tint"][instance])
        override = int(new["material"][instance])
        changes = []
        for path in writer.leaves(instance):
            for look in self._looks[path]:
                index, material = self._choice(look, override)
                display = material is None or scene.materials[index].uses_display_color
                if display and tint != WHITE and look is self._looks[path][0]:
                    self._painter.tint_display_color(look.bound.prim, copy, tint)
                if material is not None:
                    changes.append((look, self._worn(material, index, new, WHITE if display else tint)))
        targets = {target for _, target in changes}
        if len(targets) == 1 and None not in targets and writer.is_alone(instance):
            names = {name for look, _ in changes for name in look.bound.names}
            writer.edits.of(site.prim, copy).bind(sorted(names), targets.pop(), strong=True)
            return
        for look, target in changes:
            if target is not None and (look.bound.material is None or target != look.bound.material.GetPath()):
                writer.edits.of(look.bound.prim, copy).bind(look.bound.names, target, strong=False)

    def _choice(self, look: Look, override: int) -> tuple[int, UsdShade.Material | None]:
        """Return the material that is worn, by index and as a prim; None where displayColor is the look."""
        if override < 0:
            return look.index, look.bound.material
        known = self._materials.get(override)
        if known:
            return override, next(iter(known.values()))
        name, path = self._writer.scene.materials[override].name, look.bound.prim.GetPath()
        self._writer.notes.add("error", path, f"no prim wears '{name}', so it could not be bound")
        return look.index, look.bound.material

    def _worn(self, material: UsdShade.Material, index: int, new: Arrays, tint: Color) -> Sdf.Path | None:
        if tint == WHITE:
            return material.GetPath()
        return self._painter.tinted(material, index, _color(new["base_color"][index] * np.array(tint)))


def _paint(new: Arrays, old: Arrays, index: int) -> Paint:
    """Return what changed about a material."""
    changed = {name: new[name][index] for name in PAINTED if not np.array_equal(new[name][index], old[name][index])}
    color, roughness, metallic = (changed.get(name) for name in PAINTED)
    return Paint(
        None if color is None else _color(color),
        None if roughness is None else float(roughness),
        None if metallic is None else float(metallic),
    )


def _color(value: np.ndarray) -> Color:
    red, green, blue = value.astype(float).tolist()
    return red, green, blue
