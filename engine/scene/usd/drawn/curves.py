"""BasisCurves and NurbsCurves: sampled, and drawn as tubes, or as ribbons where they have normals."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from engine.scene.geometry.curves import BASES, CurveKind, Samples, sample_curves
from engine.scene.geometry.nurbs import sample_nurbs
from engine.scene.geometry.polygons import FARTHEST
from engine.scene.geometry.tubes import Line, Skin, ribbons, tubes
from engine.scene.model import Mesh
from engine.scene.usd.drawn.color import COLOR, OPACITY
from engine.scene.usd.drawn.primvar import Primvar, read_array, read_primvar, st_attribute
from engine.scene.usd.drawn.reader import Drawn, MeshRequest
from engine.scene.usd.inherit import inherited_primvar
from engine.scene.usd.stage import OpenStage
from engine.scene.usd.walk import Leaf

WRAPS = ("nonperiodic", "periodic", "pinned")
# Samples of a segment and sides of a tube: the finest that keeps a prim below the limit is taken. Eight chords of a
# quarter circle are within 0.5 % of its radius.
FINENESS = ((8, 12), (8, 8), (4, 6), (4, 4), (2, 3), (1, 3))
MAX_TRIANGLES = 4_000_000
THIN = 1.0 / 500.0  # width over the diagonal of the prim's box, where no widths are authored


@dataclass(frozen=True)
class CurveSource:
    """What decides the triangles of a curves prim, in stage units. Values are at the samples."""

    point: NDArray[np.float64]  # [sample, 3]
    radius: NDArray[np.float64]  # [sample]
    count: NDArray[np.int64]  # [curve]
    closed: bool
    sides: int
    normal: NDArray[np.float64] | None  # [sample, 3], of ribbons
    uv: NDArray[np.float64] | None  # [sample, 2]; None: around and along
    along: NDArray[np.float64]  # [sample]
    color: NDArray[np.float64] | None  # [sample, 3]
    opacity: NDArray[np.float64] | None  # [sample, 1]
    left_handed: bool
    two_sided: bool

    def digest(self) -> bytes:
        """Return a hash of everything."""
        content = hashlib.blake2b(digest_size=16)
        for value in vars(self).values():
            array = isinstance(value, np.ndarray)
            content.update(np.ascontiguousarray(value).tobytes() if array else repr(value).encode())
            content.update(repr(value.shape if array else None).encode())
        return content.digest()


def read_curves(opened: OpenStage, leaf: Leaf, request: MeshRequest) -> Drawn | None:
    """Return what a curves prim draws, or None with a note."""
    points, counts = _control_points(opened, leaf)
    if points is None or counts is None:
        return None
    sampled = _samples(opened, leaf, counts)
    if sampled is None:
        return None
    samples, sides = sampled
    if not (samples.count > 1).any():
        opened.notes.add("skipped", leaf.path, "no curve has enough points")
        return None
    values = partial(_at_samples, opened, leaf, samples, counts)
    radius, normal = _radius(opened, leaf, points, values), None
    if "normals" in leaf.names or "primvars:normals" in leaf.names:
        normal = values("primvars:normals" if "primvars:normals" in leaf.names else "normals", (3,))
    what = f"{len(counts)} curves drawn as " + ("ribbons" if normal is not None else f"tubes of {sides} sides")
    opened.notes.add("converted", leaf.path, what)
    source = CurveSource(
        point=samples.at_vertices(points),
        radius=radius,
        count=samples.count,
        closed=samples.closed,
        sides=sides,
        normal=normal,
        uv=_uv(leaf, request, values),
        along=samples.along,
        color=values(COLOR, (3,)) if COLOR in request.varies else None,
        opacity=values(OPACITY, (1,)) if OPACITY in request.varies else None,
        left_handed=leaf.prim.GetAttribute("orientation").Get() == "leftHanded",
        two_sided=normal is not None or bool(leaf.prim.GetAttribute("doubleSided").Get()),
    )
    return Drawn(source.digest(), partial(build_curves, source))


def build_curves(source: CurveSource, name: str, meters_per_unit: float) -> Mesh | None:
    """Return the triangles in metres."""
    line = Line(source.point, source.radius, source.count, source.closed)
    skin = tubes(line, source.sides) if source.normal is None else ribbons(line, source.normal)
    if len(skin.triangle) == 0:
        return None
    uv = np.stack([skin.around, source.along[skin.sample]], axis=-1) if source.uv is None else source.uv[skin.sample]
    mesh = Mesh(
        name=name,
        points_m=(skin.point * meters_per_unit).astype(np.float32),
        triangle=skin.triangle.astype(np.int32),
        normal=skin.normal,
        uv=uv.astype(np.float32),
        color=_at_corners(source.color, skin),
        slot=np.zeros(len(skin.triangle), np.int32),
        two_sided=source.two_sided,
        opacity=None if source.opacity is None else source.opacity[skin.sample][..., 0].astype(np.float32),
    )
    if source.left_handed and source.normal is not None:
        mesh = replace(mesh, triangle=np.ascontiguousarray(mesh.triangle[:, ::-1]))
    return mesh


def _at_corners(values: NDArray[np.float64] | None, skin: Skin) -> NDArray[np.float32] | None:
    return None if values is None else values[skin.sample].astype(np.float32)


def _control_points(opened: OpenStage, leaf: Leaf) -> tuple[NDArray[np.float64] | None, NDArray[np.int64] | None]:
    """Return the control points and how many each curve has, or None twice with a note."""
    points = read_array(leaf.prim, "points", opened.time)
    counts = read_array(leaf.prim, "curveVertexCounts", opened.time)
    if points is None or counts is None or len(points) == 0 or len(counts) == 0:
        opened.notes.add("skipped", leaf.path, "curves without points at this time")
        return None, None
    if points.ndim != 2 or points.shape[1] != 3 or points.dtype.kind != "f" or counts.dtype.kind not in "iu":
        opened.notes.add("error", leaf.path, "points or curveVertexCounts have the wrong type; curves left out")
        return None, None
    if counts.min() < 0 or counts.sum() != len(points):
        what = f"curveVertexCounts add up to {counts.sum()}, but there are {len(points)} points; curves left out"
        opened.notes.add("error", leaf.path, what)
        return None, None
    if not (np.abs(points) < FARTHEST).all():
        opened.notes.add("error", leaf.path, "points that are not finite or absurdly far; curves left out")
        return None, None
    return points.astype(np.float64), counts.astype(np.int64)


def _samples(opened: OpenStage, leaf: Leaf, counts: NDArray[np.int64]) -> tuple[Samples, int] | None:
    """Return the samples of all curves and the sides of their tubes, as fine as the limit allows."""
    wrap = _token(opened, leaf, "wrap", WRAPS)
    basis = "linear"
    if leaf.kind == "BasisCurves" and leaf.prim.GetAttribute("type").Get() != "linear":
        basis = _token(opened, leaf, "basis", tuple(BASES))
    for pieces, sides in FINENESS:
        estimate = int(counts.sum()) * (1 if basis == "linear" else pieces) * sides * 2
        if estimate <= MAX_TRIANGLES:
            break
    else:
        opened.notes.add("skipped", leaf.path, f"{int(counts.sum())} control points are too many to be drawn as tubes")
        return None
    if (pieces, sides) != FINENESS[0] and (pieces, sides)[0 if basis != "linear" else 1] != FINENESS[0][0]:
        opened.notes.add("approximated", leaf.path, f"many curves: {pieces} pieces a segment, {sides} sides")
    if leaf.kind == "NurbsCurves":
        samples = sample_nurbs(
            counts,
            read_array(leaf.prim, "order", opened.time),
            read_array(leaf.prim, "knots", opened.time),
            read_array(leaf.prim, "pointWeights", opened.time),
            pieces,
        )
        if samples is None:
            opened.notes.add("error", leaf.path, "order and knots do not fit the points; curves left out")
            return None
        return samples, sides
    return sample_curves(counts, CurveKind(basis, wrap, pieces)), sides


def _token(opened: OpenStage, leaf: Leaf, name: str, known: tuple[str, ...]) -> str:
    value = leaf.prim.GetAttribute(name).Get() if leaf.prim.HasAttribute(name) else known[0]
    if value in known:
        return str(value)
    opened.notes.add("repaired", leaf.path, f"{name} is {value!r}, which is unknown; {known[0]} was used")
    return known[0]


def _at_samples(
    opened: OpenStage,
    leaf: Leaf,
    samples: Samples,
    counts: NDArray[np.int64],
    name: str,
    components: tuple[int, ...],
) -> NDArray[np.float64] | None:
    """Return a primvar [sample, component], or None with a note when its length does not fit."""
    source = leaf.prim if name in leaf.names else inherited_primvar(leaf.state.primvars, name)
    primvar = None if source is None else read_primvar(source, name, opened.time, components, opened.notes)
    if primvar is None:
        return None
    values, kind = primvar.values, _kind(primvar, name)
    if kind == "constant":
        return np.broadcast_to(values[0].astype(np.float64), (len(samples.curve), values.shape[1]))
    if kind == "uniform" and len(values) == len(counts):
        return values[samples.curve].astype(np.float64)
    if kind in ("varying", "faceVarying") and len(values) == samples.varying_count:
        return samples.at_varying(values)
    if kind in ("vertex", "varying", "faceVarying") and len(values) == int(counts.sum()):
        return samples.at_vertices(values)
    opened.notes.add("skipped", leaf.path, f"{name} has {len(values)} values, not what {kind} needs")
    return None


def _kind(primvar: Primvar, name: str) -> str:
    """Return the interpolation; `widths` and `normals` are per vertex where nothing is said and they are many."""
    if name == "widths" and primvar.interpolation == "constant" and len(primvar.values) > 1:
        return "vertex"
    return primvar.interpolation


def _radius(opened: OpenStage, leaf: Leaf, points: NDArray[np.float64], values: partial) -> NDArray[np.float64]:  # type: ignore[type-arg]
    """Return the radius [sample]; a thin one, with a note, where no widths are authored."""
    name = next((n for n in ("primvars:widths", "widths") if n in leaf.names), None)
    widths = None if name is None else values(name, (1,))
    if widths is not None:
        radius: NDArray[np.float64] = np.maximum(0.5 * widths[:, 0], 0.0)
        return radius
    width = float(np.linalg.norm(np.ptp(points, axis=0))) * THIN
    opened.notes.add("approximated", leaf.path, f"no usable widths: {width:.3g} stage units were used")
    count = len(values.args[2].curve)
    return np.full(count, 0.5 * width)


def _uv(leaf: Leaf, request: MeshRequest, values: partial) -> NDArray[np.float64] | None:  # type: ignore[type-arg]
    name, _ = st_attribute(leaf.prim, leaf.names, request.slot_uv[0] if request.slot_uv else None)
    found: NDArray[np.float64] | None = None if name is None else values(name, (2, 3))
    return found
