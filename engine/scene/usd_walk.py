"""One pass over the prims: what is drawn, what lights, what looks, and whom it belongs to.

Visibility, purpose, labels and constant primvars are carried down instead of asked for at every prim. The instance
that a prim belongs to is the nearest ancestor (or itself) that
 (a) says so with `bool ommatidia:instance = true`, or carries a label and is no group or assembly, or
 (b) has kind `component`; else the outermost of
 (c) the native instances around it; else
 (d) the child of the first prim, from the default prim on, below which drawable prims branch.
An element of a PointInstancer is always an instance of its own (see usd_instancer.py).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from pxr import Sdf, Usd, UsdGeom

from engine.scene.error import SceneError
from engine.scene.usd import OpenStage
from engine.scene.usd_light import KINDS as LIGHT_KINDS
from engine.scene.usd_semantics import ClassMap, Label, component_label, direct_label

IMPLICIT = ("Cube", "Sphere", "Cylinder", "Cylinder_1", "Cone", "Capsule", "Capsule_1", "Plane")
DRAWN = ("Mesh", *IMPLICIT)  # types with a reader in usd_geometry.py
LOOKS = ("Material", "GeomSubset")  # read where something drawn uses them
SHADING = (*LOOKS, "Shader", "NodeGraph")
UNTYPED = "untyped"
GROUP_KINDS = ("group", "assembly")
IN_STAGE = Usd.TraverseInstanceProxies(Usd.PrimDefaultPredicate)
IN_PROTOTYPE = Usd.TraverseInstanceProxies(Usd.PrimIsActive & Usd.PrimIsLoaded & ~Usd.PrimIsAbstract)


@dataclass(frozen=True)
class Root:
    """The prim that stands for an instance, and what it is."""

    path: str
    prim: Usd.Prim
    label: Label | None


@dataclass(frozen=True)
class State:
    """What a prim takes from its ancestors."""

    purpose: str = "default"
    label: Label | None = None  # nearest
    tags: tuple[str, ...] = ()  # all, outermost first
    component: Label | None = None  # what the nearest component's assetInfo or name says
    root: Root | None = None  # rules (a) and (b)
    native: Root | None = None  # rule (c)
    branch: Root | None = None  # rule (d)
    color: Usd.Prim | None = None  # nearest ancestor with primvars:displayColor

    def described(self) -> Label | None:
        """Return the label with every inherited tag; a component's name where nothing better is known."""
        label = self.label or self.component
        return replace(label, tags=tuple(dict.fromkeys((*self.tags, *label.tags)))) if label else None


@dataclass(frozen=True)
class Leaf:
    """A prim that is drawn, lights, looks, anchors or instances."""

    prim: Usd.Prim
    path: str
    kind: str  # type name
    names: list[str]  # authored properties
    state: State


@dataclass
class Subtree:
    """What was found below a prim."""

    root: State  # of the prim itself
    gprims: list[Leaf] = field(default_factory=list)
    instancers: list[Leaf] = field(default_factory=list)
    lights: list[Leaf] = field(default_factory=list)
    cameras: list[Leaf] = field(default_factory=list)
    anchors: list[Leaf] = field(default_factory=list)


@dataclass
class Census:
    """What became of the prims that were visited, counted by type; see `Scene.used`."""

    used: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)


class Walker:
    """Walks subtrees of one stage and counts the prims it has seen."""

    def __init__(self, opened: OpenStage) -> None:
        self._opened = opened
        self._class_map = ClassMap(opened.options.class_map)
        self._seen = 0
        self.census = Census()
        self._branch = _branch_prim(opened.stage)

    def stage(self) -> Subtree:
        """Return everything on the stage."""
        return self._walk(self._opened.stage.GetPseudoRoot(), IN_STAGE, State(), inner=False)

    def prototype(self, prim: Usd.Prim, instancer: State) -> Subtree:
        """Return what a PointInstancer's prototype draws; only labelled prims inside it are instances of their own."""
        state = State(purpose=instancer.purpose, label=instancer.label, tags=instancer.tags, color=instancer.color)
        return self._walk(prim, IN_PROTOTYPE, state, inner=True)

    def _walk(self, top: Usd.Prim, predicate: Usd._PrimFlagsPredicate, state: State, *, inner: bool) -> Subtree:
        found: Subtree | None = None
        base = top.GetPath().pathElementCount
        states: list[State] = []
        prims = iter(Usd.PrimRange(top, predicate))
        for prim in prims:
            self._count()
            kind = prim.GetTypeName()
            if kind in SHADING:
                (self.census.used if kind in LOOKS else self.census.ignored)[kind] += 1
                prims.PruneChildren()
                continue
            depth = prim.GetPath().pathElementCount - base
            names = prim.GetAuthoredPropertyNames()
            if (
                "visibility" in names
                and UsdGeom.Imageable(prim).GetVisibilityAttr().Get(self._opened.time) == "invisible"
            ):
                self._leave_out(prim, kind, "it is invisible, with all below")
                prims.PruneChildren()
                if depth == 0:
                    return Subtree(state)
                continue
            del states[depth:]
            path = prim.GetPath().pathString
            here = self._state(prim, path, names, states[-1] if states else state, inner=inner)
            if found is None:
                here = replace(here, root=None) if inner else here  # the element itself stands for a prototype's top
                found = Subtree(here)
            states.append(here)
            if self._sort(Leaf(prim, path, kind, names, here), found):
                prims.PruneChildren()
        return found or Subtree(state)

    def _count(self) -> None:
        self._seen += 1
        if self._seen > self._opened.options.max_prims:
            limit = self._opened.options.max_prims
            raise SceneError(f"scene '{self._opened.path}' has more than {limit} prims; raise max_prims to load it")

    def _state(self, prim: Usd.Prim, path: str, names: list[str], above: State, *, inner: bool) -> State:
        """Return a prim's state; the very object of its parent where nothing changes."""
        change: dict[str, Any] = {}
        if "purpose" in names:
            purpose = prim.GetAttribute("purpose").Get()
            change["purpose"] = purpose if isinstance(purpose, str) else "default"
        if "primvars:displayColor" in names:
            change["color"] = prim
        label = (
            direct_label(prim, path, names, self._opened.time, self._class_map) if names or self._class_map else None
        )
        if label is not None:
            change["label"] = label
            change["tags"] = tuple(dict.fromkeys((*above.tags, *label.tags)))
        kind = prim.GetMetadata("kind")
        if kind == "component":
            change["component"] = component_label(prim)
        here = replace(above, **change) if change else above
        stated = prim.GetAttribute("ommatidia:instance").Get() if "ommatidia:instance" in names else None
        own = (kind == "component" and not inner) or (label is not None and kind not in GROUP_KINDS)
        root: dict[str, Any] = {}
        if own if stated is None else stated:
            root["root"] = Root(path, prim, here.described())
        if not inner and prim.IsInstance() and above.native is None:
            root["native"] = Root(path, prim, here.described())
        if not inner and above.branch is None and prim.GetParent() == self._branch:
            root["branch"] = Root(path, prim, here.described())
        return replace(here, **root) if root else here

    def _sort(self, leaf: Leaf, found: Subtree) -> bool:
        """File a prim under what it is; return whether its children are not to be visited."""
        kind, census, drawn = leaf.kind, self.census, leaf.kind in DRAWN or leaf.kind == "PointInstancer"
        if "ommatidia:anchor" in leaf.names:
            found.anchors.append(leaf)
        if kind in ("", "Xform", "Scope"):
            self._note_draw_mode(leaf)
            census.ignored[kind or UNTYPED] += not leaf.prim.IsPseudoRoot()
        elif drawn and leaf.state.purpose not in self._opened.options.purposes:
            self._leave_out(leaf.prim, kind, f"its purpose is {leaf.state.purpose}")
        elif drawn or kind == "Camera" or kind in LIGHT_KINDS:
            lists = {"PointInstancer": found.instancers, "Camera": found.cameras}
            lists.get(kind, found.gprims if drawn else found.lights).append(leaf)
            census.used[kind] += 1
        elif leaf.prim.IsA(UsdGeom.Gprim) or kind.endswith("Light"):
            self._leave_out(leaf.prim, kind, f"type {kind} is not supported")
        else:
            census.ignored[kind] += 1
        return kind == "PointInstancer"

    def _leave_out(self, prim: Usd.Prim, kind: str, why: str) -> None:
        self.census.skipped[kind or UNTYPED] += 1
        self._opened.notes.add("skipped", prim.GetPath(), why)

    def _note_draw_mode(self, leaf: Leaf) -> None:
        if "model:drawMode" in leaf.names:
            mode = leaf.prim.GetAttribute("model:drawMode").Get()
            if mode not in (None, "default", "inherited"):
                self._opened.notes.add("approximated", leaf.path, f"draw mode {mode}: the geometry itself is drawn")


def _branch_prim(stage: Usd.Stage) -> Usd.Prim:
    """Return the first prim, from the default prim (else the pseudo-root) on, with several drawable children."""
    prim = stage.GetDefaultPrim() or stage.GetPseudoRoot()
    first = _first_drawable(prim)
    while first is not None and prim.GetPath() != first:
        below = None
        for child in prim.GetFilteredChildren(IN_STAGE):
            if first.HasPrefix(child.GetPath()):
                below = child
            elif _first_drawable(child) is not None:
                return prim
        if below is None or below.GetPath() == first:
            return prim
        prim = below
    return prim


def _first_drawable(prim: Usd.Prim) -> Sdf.Path | None:
    """Return the first thing drawn at or below a prim; hidden or not, so that ids do not depend on the time."""
    for each in Usd.PrimRange(prim, IN_STAGE):
        if each.IsA(UsdGeom.Gprim) or each.GetTypeName() == "PointInstancer":
            return each.GetPath()
    return None
