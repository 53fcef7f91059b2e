"""Instances of a world as opinions: where they stand, whether they are seen, what they wear, what they are called."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from pxr import Sdf, Usd, UsdGeom

from engine.scene.model import Scene
from engine.scene.notes import Notes
from engine.scene.usd.override.edits import STAGE, Edits
from engine.scene.usd.override.repose import Poses, usd_matrix
from engine.scene.usd.override.sites import Element, Site, Sites
from engine.scene.usd.semantics import PREFERRED
from engine.scene.usd.stage import OpenStage

GUESSES = ("asset", "name", "none")  # rules that read no label, so a label authored above would overrule them
PIN = "ommatidia:instance"


class InstanceWriter:
    """Authors the instances of one stage."""

    def __init__(self, opened: OpenStage, scene: Scene, edits: Edits, notes: Notes, poses: Poses) -> None:
        self.scene = scene
        self.edits = edits
        self.notes = notes
        self.sites = Sites(opened.stage, opened.time, edits)
        self._opened = opened
        self._poses = poses
        self._site: dict[int, Site] = {}
        self._leaves: dict[int, dict[str, int]] = defaultdict(dict)
        for placement, instance in enumerate(scene.placements.instance.tolist()):
            self._leaves[instance].setdefault(scene.placements.prim[placement], placement)
        names = [*(light.name for light in scene.lights), *(camera.name for camera in scene.cameras)]
        self._standing = sorted([*scene.instances.path[1:], *names])

    def site(self, instance: int) -> Site:
        """Return where an instance is on the stage."""
        if instance not in self._site:
            self._site[instance] = self.sites.find(self.scene.instances.path[instance])
        return self._site[instance]

    def leaves(self, instance: int) -> dict[str, int]:
        """Return the drawn prims of an instance, each with one of its placements."""
        return self._leaves[instance]

    def is_alone(self, instance: int) -> bool:
        """Return whether nothing else that a world places lies below an instance's prim."""
        path = self.scene.instances.path[instance]
        for mark in ("/", "["):
            found = bisect_left(self._standing, path + mark)
            if found < len(self._standing) and self._standing[found].startswith(path + mark):
                return False
        return True

    def pose(self, world_from_instance: NDArray[np.float64], moved: Iterable[int]) -> None:
        """Ask for the new places; whatever else stands on its own is asked to stay."""
        changed = set(moved)
        elements: set[tuple[Element, ...]] = set()
        for index in range(1, len(self.scene.instances.path)) if changed else ():
            site = self.site(index)
            world = usd_matrix(world_from_instance[index], self._opened.units)
            if not site.elements:
                self._poses.want(site.prim, world if index in changed else None)
                continue
            self._poses.want(site.elements[0].instancer, None)
            inside_moved = any(site.elements[:depth] in elements for depth in range(1, len(site.elements) + 1))
            if index not in changed and not inside_moved:
                continue
            if not site.is_element:
                parent = self._parent_world(site)
                self._poses.author_part(site.prim, self.sites.copy(site.elements), parent, world)
            else:
                self.sites.move(site.elements, world @ np.linalg.inv(self._instancer_world(site.elements)))
                elements.add(site.elements)

    def _instancer_world(self, elements: tuple[Element, ...]) -> NDArray[np.float64]:
        """Return the local-to-world of the instancer of the last of some nested elements."""
        instancer = elements[-1].instancer
        if len(elements) == 1:
            return self._poses.before(instancer)
        top = self.sites.prototype(elements[-2])
        return self._poses.inside(instancer, top) @ self._element_world(elements[:-1])

    def _element_world(self, elements: tuple[Element, ...]) -> NDArray[np.float64]:
        return self.sites.matrix(elements) @ self._instancer_world(elements)

    def _parent_world(self, site: Site) -> NDArray[np.float64]:
        """Return the local-to-world of the parent of a part of an element."""
        top = self.sites.prototype(site.elements[-1])
        return self._poses.inside(site.prim.GetParent(), top) @ self._element_world(site.elements)

    def hide(self, changed: Iterable[int]) -> None:
        """Hide instances; prims that hold others as well are left, and what is drawn of the instance is hidden."""
        for index in changed:
            site = self.site(index)
            if site.is_element and self.is_alone(index):
                self.sites.hide(site.elements)
                continue
            copy = self.sites.copy(site.elements)
            alone = self.is_alone(index) and site.prim.IsA(UsdGeom.Imageable)
            stage = self._opened.stage
            prims = [site.prim] if alone else [stage.GetPrimAtPath(path) for path in self.leaves(index)]
            for prim in prims:
                self.edits.of(prim, copy).set("visibility", Sdf.ValueTypeNames.Token, UsdGeom.Tokens.invisible)

    def label(self) -> None:
        """Author the classes that no label in the file states, and keep every instance what it is."""
        keys = {entry.id: entry.key for entry in self.scene.taxonomy.classes}
        rows = self.scene.instances
        key_of = [keys.get(number, "") for number in rows.class_id.tolist()]
        labelled = self._labelled(key_of)
        for index in range(1, len(rows.path)):
            site = self.site(index)
            if index in labelled:
                self.edits.of(site.prim).label(PREFERRED, key_of[index])
            may_change = (
                index in labelled
                or bool(_above(rows.path, index, labelled))
                or site.prim.GetPath() in self.edits.opened_instances
            )
            if may_change and not site.elements and not site.prim.IsInstanceProxy():
                self.edits.of(site.prim).set(PIN, Sdf.ValueTypeNames.Bool, True)
        self._label_elements(key_of)

    def _labelled(self, key_of: list[str]) -> set[int]:
        """Return the instances that get a label: never one that would reach a neighbour's guessed class."""
        rows, chosen = self.scene.instances, set()
        for index in range(len(rows.path) - 1, 0, -1):  # what is below comes first
            rule, site = rows.label_source[index], self.site(index)
            if rule == "labels_api" or not key_of[index] or site.elements:
                continue
            if site.prim.IsInstanceProxy() and rule != "mapping":
                continue
            below = _below(rows.path, index)
            if all(other in chosen or rows.label_source[other] not in GUESSES for other in below):
                chosen.add(index)
        return chosen

    def _label_elements(self, key_of: list[str]) -> None:
        """Author what a mapping says of elements: on the instancer, else on prototypes, where all agree."""
        rows = self.scene.instances
        wanted: dict[Sdf.Path, tuple[Usd.Prim, set[str]]] = {}
        mapped: set[Sdf.Path] = set()
        for index in range(1, len(rows.path)):
            site = self.site(index)
            if not site.is_element:
                continue
            fork = self.sites.fork(site.elements)
            if fork is not None and rows.label_source[index] == "mapping":
                self.edits.at(fork).label(PREFERRED, key_of[index])
            elif fork is not None and rows.label_source[index] == "name":
                self.edits.at(fork).asset_name = key_of[index]  # a fork has a name of its own
            wanted.setdefault(site.prim.GetPath(), (site.prim, set()))[1].add(key_of[index])
            if rows.label_source[index] == "mapping":
                mapped.add(site.prim.GetPath())
        for path in sorted(mapped):
            prim, keys = wanted[path]
            if len(keys) == 1:
                self.edits.of(prim, STAGE).label(PREFERRED, next(iter(keys)))
            else:
                self.notes.add("error", path, "elements with this prototype have several classes; none was written")


def _below(paths: tuple[str, ...], index: int) -> list[int]:
    """Return the instances whose paths lie below that of `index`; paths are sorted, but `-` sorts before `/`."""
    found = []
    for other in range(index + 1, len(paths)):
        if not paths[other].startswith(paths[index]):
            break
        if paths[other][len(paths[index])] in "/[":
            found.append(other)
    return found


def _above(paths: tuple[str, ...], index: int, among: set[int]) -> list[int]:
    """Return the instances of a set above that of `index`."""
    parts = paths[index].split("/")
    found = []
    for depth in range(2, len(parts)):
        above = bisect_left(paths, "/".join(parts[:depth]))
        if above < len(paths) and paths[above] == "/".join(parts[:depth]) and above in among:
            found.append(above)
    return found
