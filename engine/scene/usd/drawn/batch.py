"""The raw arrays of ordinary Mesh prims, read with as few calls as possible, to be built many at once.

Ordinary is what exporters write: polygons without subdivision, holes or face subsets, float arrays of the right
lengths. `usd_mesh.py` reads everything else, prim by prim, and gives the same triangles for what is ordinary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pxr import Usd, Vt

from engine.scene.geometry.mesh_batch import Batch, Layer, build_meshes, is_sound
from engine.scene.model import Mesh
from engine.scene.usd.drawn.color import COLOR, OPACITY, Display
from engine.scene.usd.drawn.primvar import UNLIKE_ST, USUAL_ST, st_attribute
from engine.scene.usd.stage import OpenStage
from engine.scene.usd.walk import Leaf

# Functions looked up once: found through a prim or an attribute, each call takes two to three times as long.
_attribute, _get, _metadata = Usd.Prim.GetAttribute, Usd.Attribute.Get, Usd.Attribute.GetMetadata
_POINTS, _INTEGERS = Vt.Vec3fArray, Vt.IntArray
_LAYER_TYPES = {
    "normal": Vt.Vec3fArray,
    "uv": Vt.Vec2fArray,
    "uv2": Vt.Vec2fArray,
    "color": Vt.Vec3fArray,
    "opacity": Vt.FloatArray,
}
COMPONENTS = {"normal": 3, "uv": 2, "uv2": 2, "color": 3, "opacity": 1}
CHUNK_CORNERS = 1 << 18  # the temporary arrays of so many stay in the caches of a processor


class Layout(NamedTuple):
    """What meshes that are built together have in common."""

    layers: tuple[tuple[str, str, bool], ...]  # field of Mesh, interpolation, whether it is indexed
    left_handed: bool
    two_sided: bool


class RawMesh(NamedTuple):
    """A Mesh prim as the file has it; lengths fit each other, contents are not checked."""

    layout: Layout
    points: Vt.Vec3fArray
    counts: Vt.IntArray
    indices: Vt.IntArray
    layers: tuple[tuple[Vt.Vec3fArray | Vt.Vec2fArray | Vt.FloatArray, Vt.IntArray | None], ...]  # values, indices

    def digest(self) -> bytes:
        """Return a hash of all that decides the triangles."""
        arrays = [self.points, self.counts, self.indices]
        arrays += [array for layer in self.layers for array in layer if array is not None]
        content = hashlib.blake2b(repr((self.layout, [len(array) for array in arrays])).encode(), digest_size=16)
        content.update(b"".join(arrays))
        return content.digest()


class _LayerPlan(NamedTuple):
    """One primvar of a prim."""

    field: str  # of Mesh
    attribute: str
    indices: str | None  # attribute of its indices
    type: type[Any]  # of the values
    default: str  # interpolation where none is authored


class _Plan(NamedTuple):
    """What the authored names of a prim, and the primvars that its looks read, say about reading it."""

    layers: tuple[_LayerPlan, ...]
    has_two_sided: bool
    has_orientation: bool


class RawReader:
    """Reads the ordinary ones among the Mesh prims of a stage."""

    def __init__(self, opened: OpenStage) -> None:
        self._time = opened.time
        self._plans: dict[Hashable, _Plan | None] = {}
        self._layouts: dict[Layout, Layout] = {}

    def read(self, leaf: Leaf, sets: tuple[str | None, str | None], display: Display) -> RawMesh | None:
        """Return the arrays of a prim whose material reads the primvars `sets`, or None where it is not ordinary."""
        prim, time = leaf.prim, self._time
        plan = self._plan(leaf, sets, display)
        if plan is None or _get(_attribute(prim, "subdivisionScheme")) != "none":
            return None
        points = _get(_attribute(prim, "points"), time)
        counts = _get(_attribute(prim, "faceVertexCounts"), time)
        indices = _get(_attribute(prim, "faceVertexIndices"), time)
        if type(points) is not _POINTS or type(counts) is not _INTEGERS or type(indices) is not _INTEGERS:
            return None
        point_count, face_count, corner_count = len(points), len(counts), len(indices)
        if not (point_count and face_count and corner_count):
            return None
        lengths = {"faceVarying": corner_count, "vertex": point_count, "varying": point_count, "uniform": face_count}
        keys: list[tuple[str, str, bool]] = []
        layers: list[tuple[Any, Any]] = []
        for field, name, indices_name, kind, default in plan.layers:
            attribute = _attribute(prim, name)
            values: Any = _get(attribute, time)
            if type(values) is not kind or not len(values):
                return None
            interpolation = _metadata(attribute, "interpolation") or default
            chosen: Any = None
            if indices_name is not None:
                chosen = _get(_attribute(prim, indices_name), time)
                if chosen is not None and type(chosen) is not _INTEGERS:
                    return None
            if len(values if chosen is None else chosen) != lengths.get(interpolation, -1):
                return None
            keys.append((field, interpolation, chosen is not None))
            layers.append((values, chosen))
        left_handed = plan.has_orientation and _get(_attribute(prim, "orientation")) == "leftHanded"
        two_sided = plan.has_two_sided and bool(_get(_attribute(prim, "doubleSided")))
        layout = Layout(tuple(keys), left_handed, two_sided)
        layout = self._layouts.setdefault(layout, layout)
        return RawMesh(layout, points, counts, indices, tuple(layers))

    def _plan(self, leaf: Leaf, sets: tuple[str | None, str | None], display: Display) -> _Plan | None:
        """Return how a prim is read; None where it cannot be ordinary."""
        key = (leaf.names, sets, display.varies, leaf.state.primvars is None)
        if key in self._plans:
            return self._plans[key]
        st = _st_candidates(leaf.names)
        plan = self._new_plan(leaf, sets, display, st)
        if sets[0] is not None or not st or (len(st) == 1 and st[0] in USUAL_ST):
            self._plans[key] = plan  # else the types of the candidates decide, prim by prim
        return plan

    def _new_plan(
        self, leaf: Leaf, sets: tuple[str | None, str | None], display: Display, st: tuple[str, ...]
    ) -> _Plan | None:
        names = leaf.names
        if "subdivisionScheme" not in names or "holeIndices" in names:
            return None
        wanted = {"normal": next((name for name in ("primvars:normals", "normals") if name in names), "")}
        for field, name in zip(("uv", "uv2"), sets, strict=True):
            found = "" if name is None and field == "uv2" else self._st(leaf, st, name)
            if found is None:
                return None
            wanted[field] = found
        wanted |= {field: name for field, name in (("color", COLOR), ("opacity", OPACITY)) if name in display.varies}
        layers = tuple(
            _LayerPlan(
                field,
                name,
                f"{name}:indices" if f"{name}:indices" in names else None,
                _LAYER_TYPES[field],
                "vertex" if name == "normals" else "constant",
            )
            for field, name in wanted.items()
            if name
        )
        return _Plan(layers, "doubleSided" in names, "orientation" in names)

    def _st(self, leaf: Leaf, candidates: tuple[str, ...], uv: str | None) -> str | None:
        """Return the attribute of the texture coordinates, "" where there is none; None where that needs a closer look.

        An inherited set or a missing one, which needs a note, is left to `usd_mesh.py`.
        """
        if uv is not None:
            name = f"primvars:{uv}"
            return name if name in candidates else None
        found: str | None = None
        if len(candidates) == 1 and candidates[0] in USUAL_ST:
            found = candidates[0]  # of another type, its values are not ordinary
        elif candidates:
            found, _ = st_attribute(leaf.prim, candidates, None)
        if found is None and leaf.state.primvars is not None:
            return None
        return found or ""


def _st_candidates(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return what may be texture coordinates, without one asked for by name."""
    primvars = (name for name in names if name.startswith("primvars:") and not name.endswith(":indices"))
    return tuple(name for name in primvars if name not in UNLIKE_ST)


class Twins:
    """Finds meshes with equal arrays. All of a mesh is hashed only when another one has the same points."""

    def __init__(self) -> None:
        self._meshes: list[RawMesh] = []
        self._by_points: dict[bytes, int] = {}
        self._by_digest: dict[bytes, int] = {}
        self._digested: set[int] = set()

    def add(self, mesh: RawMesh) -> int:
        """Return the number of the first mesh that equals this one; numbers count the different ones."""
        points = hashlib.blake2b(b"".join((mesh.points,)), digest_size=16).digest()
        first = self._by_points.setdefault(points, len(self._meshes))
        if first == len(self._meshes):
            self._meshes.append(mesh)
            return first
        if first not in self._digested:
            self._digested.add(first)
            self._by_digest[self._meshes[first].digest()] = first
        number = self._by_digest.setdefault(mesh.digest(), len(self._meshes))
        if number == len(self._meshes):
            self._meshes.append(mesh)
        return number

    def all(self) -> list[RawMesh]:
        """Return the different meshes."""
        return self._meshes


def build_raw_meshes(meshes: list[RawMesh], names: list[str], meters_per_unit: float) -> list[Mesh | None]:
    """Return the triangles of different meshes, in metres; None for one with contents that need a closer look."""
    built: list[Mesh | None] = [None] * len(meshes)
    members: dict[Layout, list[int]] = {}
    for number, mesh in enumerate(meshes):
        members.setdefault(mesh.layout, []).append(number)
    for numbers in members.values():
        for chunk in _chunks(meshes, numbers):
            batch = _batch([meshes[number] for number in chunk])
            sound = is_sound(batch)
            good = chunk if sound.all() else [number for number, keep in zip(chunk, sound, strict=True) if keep]
            if not good:
                continue
            if len(good) < len(chunk):
                batch = _batch([meshes[number] for number in good])
            triangles = build_meshes(batch, [names[number] for number in good], meters_per_unit)
            for number, each in zip(good, triangles, strict=True):
                built[number] = each
    return built


def _chunks(meshes: list[RawMesh], numbers: list[int]) -> Iterator[list[int]]:
    """Cut a list of meshes into parts of about CHUNK_CORNERS corners."""
    part: list[int] = []
    corners = 0
    for number in numbers:
        part.append(number)
        corners += len(meshes[number].indices)
        if corners >= CHUNK_CORNERS:
            yield part
            part, corners = [], 0
    if part:
        yield part


def _batch(meshes: list[RawMesh]) -> Batch:
    """Lay the arrays of meshes with one layout end to end."""
    layout = meshes[0].layout
    layers = []
    for i, (field, interpolation, is_indexed) in enumerate(layout.layers):
        arrays = [mesh.layers[i][0] for mesh in meshes]
        values = _end_to_end(arrays, np.float32).reshape(-1, COMPONENTS[field])
        index = _end_to_end([mesh.layers[i][1] for mesh in meshes], np.int32) if is_indexed else None
        layers.append(Layer(field, interpolation, values, _lengths(arrays), index))
    points, counts, indices = (list(arrays) for arrays in zip(*(mesh[1:4] for mesh in meshes), strict=True))
    return Batch(
        points=_end_to_end(points, np.float32).reshape(-1, 3),
        counts=_end_to_end(counts, np.int32),
        indices=_end_to_end(indices, np.int32),
        point_count=_lengths(points),
        face_count=_lengths(counts),
        corner_count=_lengths(indices),
        layers=tuple(layers),
        left_handed=layout.left_handed,
        two_sided=layout.two_sided,
    )


def _end_to_end(arrays: list[Any], dtype: type[np.generic]) -> NDArray[Any]:
    return np.frombuffer(b"".join(arrays), dtype)


def _lengths(arrays: list[Any]) -> NDArray[np.int64]:
    return np.fromiter(map(len, arrays), np.int64, len(arrays))
