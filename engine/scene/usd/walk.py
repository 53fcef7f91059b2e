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
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pxr import Sdf, Usd, UsdGeom

from engine.scene.class_map import ClassMap
from engine.scene.error import SceneError
from engine.scene.usd.inherit import Chain, chain_above
from engine.scene.usd.light import KINDS as LIGHT_KINDS
from engine.scene.usd.light import SKIPPED as SKIPPED_LIGHTS
from engine.scene.usd.light import is_shining_shape
from engine.scene.usd.semantics import Label, component_label, direct_label, may_label
from engine.scene.usd.stage import OpenStage

IMPLICIT = ("Cube", "Sphere", "Cylinder", "Cylinder_1", "Cone", "Capsule", "Capsule_1", "Plane")
DRAWN = frozenset(
    ("Mesh", *IMPLICIT, "BasisCurves", "NurbsCurves", "Points", "TetMesh")
)  # types with a reader in usd_geometry.py
LOOKS = ("Material", "GeomSubset")  # read where something drawn uses them
SHADING = frozenset((*LOOKS, "Shader", "NodeGraph"))
GROUPING = frozenset(("", "Xform", "Scope"))
UNTYPED = "untyped"
LOD_ROOT = ("lod:heuristics", "lod:default:index")  # of a UsdLodRootAPI, whose children are levels of detail
KEYPOINT, SKELETON = "ommatidia:keypoint", "ommatidia:skeleton"
MARKS = ("ommatidia:anchor", "ommatidia:instance", KEYPOINT, SKELETON, "model:drawMode", *LOD_ROOT)
BONES = ("SkelRoot", "Skeleton")  # have a box, but nothing to draw
GROUP_KINDS = ("group", "assembly")
IN_STAGE = Usd.TraverseInstanceProxies(Usd.PrimDefaultPredicate)
IN_PROTOTYPE = Usd.TraverseInstanceProxies(Usd.PrimIsActive & Usd.PrimIsLoaded & ~Usd.PrimIsAbstract)

# Functions of Usd.Prim, looked up once: found through a prim, each call takes two to three times as long.
_type_name, _authored_names, _kind, _name = (
    Usd.Prim.GetTypeName,
    Usd.Prim.GetAuthoredPropertyNames,
    Usd.Prim.GetKind,
    Usd.Prim.GetName,
)
_children, _filtered_children, _is_instance = (
    Usd.Prim.GetChildren,
    Usd.Prim.GetFilteredChildren,
    Usd.Prim.IsInstance,
)


class Root(NamedTuple):
    """The prim that stands for an instance, and what it is."""

    path: str
    prim: Usd.Prim
    label: Label | None


class State(NamedTuple):
    """What a prim takes from its ancestors."""

    purpose: str = "default"
    label: Label | None = None  # nearest
    tags: tuple[str, ...] = ()  # all, outermost first
    component: Label | None = None  # what the nearest component's assetInfo or name says
    root: Root | None = None  # rules (a) and (b)
    native: Root | None = None  # rule (c)
    branch: Root | None = None  # rule (d)
    primvars: Chain | None = None  # the nearest prim with primvars
    binding: Chain | None = None  # the nearest prim with material bindings

    def described(self) -> Label | None:
        """Return the label with every inherited tag; a component's name where nothing better is known."""
        label = self.label or self.component
        if label is None or not self.tags:
            return label
        return replace(label, tags=tuple(dict.fromkeys((*self.tags, *label.tags))))


class Names(NamedTuple):
    """The names of authored properties, and what they may mean; one object for all prims with the same names."""

    all: tuple[str, ...]
    hides: bool
    is_plain: bool  # none of the two that follow, and no mark
    has_purpose: bool
    has_label: bool
    passes_down: bool  # one of the two that follow
    has_primvars: bool
    binds: bool
    is_marked: bool  # one of MARKS


class _Visit(NamedTuple):
    """A prim whose state is asked for."""

    prim: Usd.Prim
    path: str
    kind: str  # of model
    is_branch: bool  # a child of the prim of rule (d)
    inner: bool  # below a PointInstancer's prototype


class Leaf(NamedTuple):
    """A prim that is drawn, lights, looks, anchors or instances."""

    prim: Usd.Prim
    path: str
    kind: str  # type name
    names: tuple[str, ...]  # authored properties; the same object for all prims with the same ones
    state: State  # its own opinions included; of a drawn prim the two chains are those of its parent


@dataclass
class Subtree:
    """What was found below a prim."""

    root: State  # of the prim itself
    gprims: list[Leaf] = field(default_factory=list)
    instancers: list[Leaf] = field(default_factory=list)
    lights: list[Leaf] = field(default_factory=list)
    cameras: list[Leaf] = field(default_factory=list)
    anchors: list[Leaf] = field(default_factory=list)
    keypoints: list[Leaf] = field(default_factory=list)
    materials: list[Usd.Prim] = field(default_factory=list)


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
        self.class_map = ClassMap(opened.options.class_map)
        self._seen = 0
        self._names: dict[tuple[str, ...], Names] = {}
        self._has_instances = bool(opened.stage.GetPrototypes())
        self.census = Census()
        self.parts: dict[str, tuple[str, ...]] = {}  # path of a prim -> labels of its GeomSubsets
        self.skeletons: dict[str, list[Leaf]] = {}  # class -> prims that join its keypoints
        self.with_subsets: set[str] = set()  # paths of prims that have GeomSubsets
        branch = _branch_prim(opened.stage)
        self._branch_path = "" if branch.IsPseudoRoot() else branch.GetPath().pathString

    def stage(self) -> Subtree:
        """Return everything on the stage."""
        tops = self._opened.stage.GetPseudoRoot().GetFilteredChildren(IN_STAGE)
        return self._walk(tops, IN_STAGE, State(), inner=False)

    def prototype(self, prim: Usd.Prim, instancer: State) -> Subtree:
        """Return what a PointInstancer's prototype draws; only labelled prims inside it are instances of their own."""
        if next(iter(Usd.PrimRange(prim, IN_PROTOTYPE)), None) != prim:
            return Subtree(instancer)
        state = State(
            purpose=instancer.purpose,
            label=instancer.label,
            tags=instancer.tags,
            primvars=instancer.primvars,
            binding=chain_above(prim, "material:binding"),
        )
        return self._walk([prim], IN_PROTOTYPE, state, inner=True)

    def _walk(self, tops: list[Usd.Prim], predicate: Usd._PrimFlagsPredicate, state: State, *, inner: bool) -> Subtree:
        """Visit sibling prims and all below them, depth first; `state` is that of their parent."""
        found = Subtree(state)
        above = tops[0].GetPath().GetParentPath().pathString if tops else ""
        stack: list[tuple[Iterator[Usd.Prim], State, str]] = [(iter(tops), state, above.rstrip("/"))]
        quick = predicate is IN_STAGE and not self._has_instances
        usual, branch_path = quick and not self.class_map, self._branch_path
        limit, ignored, known = self._opened.options.max_prims - self._seen, self.census.ignored, self._names
        while stack:
            prims, parent, folder = stack[-1]
            for prim in prims:
                limit -= 1
                if limit < 0:
                    raise SceneError(
                        f"scene '{self._opened.path}' has more than {self._opened.options.max_prims} prims; "
                        "raise max_prims to load it"
                    )
                kind = _type_name(prim)
                if kind in SHADING:
                    self._note_shading(prim, kind, folder, found)
                    continue
                path = f"{folder}/{_name(prim)}"
                authored = tuple(_authored_names(prim))
                names = known.get(authored) or self._facts(authored)
                if names.hides and self._is_hidden(prim):
                    self._leave_out(kind, path, "it is invisible, with all below")
                    continue
                is_branch = parent.branch is None and folder == branch_path
                model_kind = _kind(prim)
                here = parent  # most prims add nothing
                if is_branch or model_kind or not (usual and names.is_plain):
                    here = self._state(_Visit(prim, path, model_kind, is_branch, inner), names, parent)
                if inner and len(stack) == 1:
                    here = here._replace(root=None)  # the element itself stands for its prototype
                    found.root = here
                if names.passes_down and kind not in DRAWN:
                    here = _passed_down(here, prim, names)
                if kind in GROUPING and not names.is_marked:
                    ignored[kind or UNTYPED] += 1
                elif self._sort(Leaf(prim, path, kind, names.all, here), found):
                    continue
                below = _children(prim) if quick else _filtered_children(prim, predicate)
                if names.is_marked:
                    below = self._finest(path, names, below)
                if below:
                    if names.passes_down and kind in DRAWN:
                        here = _passed_down(here, prim, names)
                    stack.append((iter(below), here, path))
                    break
            else:
                stack.pop()
        self._seen = self._opened.options.max_prims - limit
        return found

    def _facts(self, authored: tuple[str, ...]) -> Names:
        facts = self._names.get(authored)
        if facts is None:
            facts = self._names[authored] = _names_of(authored)
        return facts

    def _is_hidden(self, prim: Usd.Prim) -> bool:
        return bool(prim.GetAttribute("visibility").Get(self._opened.time) == "invisible")

    def _note_shading(self, prim: Usd.Prim, kind: str, folder: str, found: Subtree) -> None:
        (self.census.used if kind in LOOKS else self.census.ignored)[kind] += 1
        if kind == "GeomSubset":
            self.with_subsets.add(folder)
            self._keep_part(prim, f"{folder}/{_name(prim)}", folder)
        elif kind == "Material":
            found.materials.append(prim)

    def _keep_part(self, prim: Usd.Prim, path: str, folder: str) -> None:
        """Keep the labels of a face subset: parts have no masks, so they are tags of the instance."""
        names = self._facts(tuple(_authored_names(prim)))
        if not (names.has_label or self.class_map):
            return
        label = direct_label(prim, path, names.all, self._opened.time, self.class_map)
        if label is not None:
            self.parts[folder] = (*self.parts.get(folder, ()), *label.tags)
            self._opened.notes.add("approximated", path, "labels of a face subset are kept as tags of its instance")

    def _state(self, at: _Visit, names: Names, above: State) -> State:
        """Return a prim's state; the very object of its parent where nothing changes."""
        prim, path, kind, inner = at.prim, at.path, at.kind, at.inner
        is_native = self._has_instances and not inner and above.native is None and _is_instance(prim)
        is_branch = at.is_branch and not inner
        if names.is_plain and not (kind or is_native or is_branch or self.class_map):
            return above
        purpose, label, tags, component = above[:4]
        direct = None
        if names.has_purpose:
            stated = prim.GetAttribute("purpose").Get()
            purpose = stated if isinstance(stated, str) else "default"
        if names.has_label or self.class_map:
            direct = direct_label(prim, path, names.all, self._opened.time, self.class_map)
        if direct is not None:
            label, tags = direct, tuple(dict.fromkeys((*tags, *direct.tags)))
        if kind == "component":
            component = component_label(prim)
        is_root = (kind == "component" and not inner) or (direct is not None and kind not in GROUP_KINDS)
        if names.is_marked and "ommatidia:instance" in names.all:
            said = prim.GetAttribute("ommatidia:instance").Get()
            is_root = is_root if said is None else bool(said)
        root, native, branch = above.root, above.native, above.branch
        if is_root or is_native or is_branch:
            own = Root(path, prim, State(purpose, label, tags, component).described())
            root, native, branch = (
                own if here else old for here, old in ((is_root, root), (is_native, native), (is_branch, branch))
            )
        return State(purpose, label, tags, component, root, native, branch, above.primvars, above.binding)

    def _sort(self, leaf: Leaf, found: Subtree) -> bool:
        """File a prim under what it is; return whether its children are not to be visited."""
        kind, census = leaf.kind, self.census
        if "ommatidia:anchor" in leaf.names:
            found.anchors.append(leaf)
        if KEYPOINT in leaf.names:
            found.keypoints.append(leaf)
        if SKELETON in leaf.names and (label := leaf.state.described()) is not None:
            self.skeletons.setdefault(label.key, []).append(leaf)
        if kind in GROUPING:
            self._note_draw_mode(leaf)
            census.ignored[kind or UNTYPED] += 1
        elif kind in DRAWN or kind == "PointInstancer":
            if leaf.state.purpose in self._opened.options.purposes:
                (found.gprims if kind in DRAWN else found.instancers).append(leaf)
                census.used[kind] += 1
                if is_shining_shape(leaf.prim):
                    self._opened.notes.add("approximated", leaf.path, SKIPPED_LIGHTS["MeshLightAPI"])
            else:
                self._leave_out(kind, leaf.path, f"its purpose is {leaf.state.purpose}")
        elif kind == "Camera" or kind in LIGHT_KINDS:
            (found.cameras if kind == "Camera" else found.lights).append(leaf)
            census.used[kind] += 1
        elif kind in SKIPPED_LIGHTS:
            self._leave_out(kind, leaf.path, SKIPPED_LIGHTS[kind])
        elif kind.endswith("Light") or (leaf.prim.IsA(UsdGeom.Boundable) and kind not in BONES):
            self._leave_out(kind, leaf.path, f"type {kind} is not supported")
        else:
            census.ignored[kind] += 1
        return kind == "PointInstancer"

    def _finest(self, path: str, names: Names, below: list[Usd.Prim]) -> list[Usd.Prim]:
        """Return the children to visit: of levels of detail the first one, which is for the nearest views."""
        if len(below) < 2 or not any(name in names.all for name in LOD_ROOT):
            return below
        self._opened.notes.add("approximated", path, f"the first of {len(below)} levels of detail is drawn")
        return below[:1]

    def _leave_out(self, kind: str, path: str, why: str) -> None:
        self.census.skipped[kind or UNTYPED] += 1
        self._opened.notes.add("skipped", path, why)

    def _note_draw_mode(self, leaf: Leaf) -> None:
        if "model:drawMode" in leaf.names:
            mode = leaf.prim.GetAttribute("model:drawMode").Get()
            if mode not in (None, "default", "inherited"):
                self._opened.notes.add("approximated", leaf.path, f"draw mode {mode}: the geometry itself is drawn")


def _names_of(names: tuple[str, ...]) -> Names:
    """Return what authored properties may mean."""
    hides, has_purpose = "visibility" in names, "purpose" in names
    has_label = any(may_label(name) for name in names)
    has_primvars = any(name.startswith("primvars:") for name in names)
    binds = any(name.startswith("material:binding") for name in names)
    marked = any(name in names for name in MARKS)
    plain, passes = not (has_purpose or has_label or marked), has_primvars or binds
    return Names(names, hides, plain, has_purpose, has_label, passes, has_primvars, binds, marked)


def _passed_down(state: State, prim: Usd.Prim, names: Names) -> State:
    """Return the state of a prim with what it adds to the two chains."""
    if names.has_primvars:
        state = state._replace(primvars=Chain(state.primvars, prim, names.all))
    return state._replace(binding=Chain(state.binding, prim, names.all)) if names.binds else state


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
