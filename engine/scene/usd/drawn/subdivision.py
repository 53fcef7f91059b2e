"""What a Mesh prim says about its subdivision: the cage with its creases and corners, and how often it is split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pxr import Usd

from engine.scene.geometry.polygons import Polygons
from engine.scene.subdivide.level import connect, crossed_edges
from engine.scene.subdivide.stencil import Cage
from engine.scene.usd.drawn.primvar import read_array
from engine.scene.usd.stage import OpenStage
from engine.scene.usd.walk import Leaf

BOUNDARIES = ("none", "edgeOnly", "edgeAndCorner")
TRIANGLES = ("catmullClark", "smooth")
FACE_VARYING = ("none", "cornersOnly", "cornersPlus1", "cornersPlus2", "boundaries", "all")


def subdivision_of(opened: OpenStage, leaf: Leaf, polygons: Polygons, scheme: str) -> tuple[Cage | None, int]:
    """Return the cage of a subdivision surface and how often it is split; None and 0 where the polygons are drawn."""
    if scheme not in ("catmullClark", "loop", "bilinear"):
        if scheme not in ("none", None):
            opened.notes.add("repaired", leaf.path, f"subdivision scheme '{scheme}' is unknown; the polygons are drawn")
        return None, 0
    reason = "" if opened.options.subdivision_level > 0 else "level 0"
    if scheme == "loop" and (polygons.counts != 3).any():
        reason = "not all faces are triangles"
    if reason and scheme != "bilinear":
        opened.notes.add("approximated", leaf.path, f"subdivision scheme {scheme}: the cage is drawn ({reason})")
    if reason:
        return None, 0
    cage = _cage(opened, leaf, polygons, scheme)
    crossed = int(np.count_nonzero(crossed_edges(connect(cage.point_count, cage.counts, cage.indices))))
    if crossed and scheme != "bilinear":
        what = f"{crossed} edges with more than two faces, two of opposite winding or no length are sharp"
        opened.notes.add("approximated", leaf.path, what)
    return cage, _steps(opened, leaf, polygons, scheme)


def _steps(opened: OpenStage, leaf: Leaf, polygons: Polygons, scheme: str) -> int:
    """Return how often a cage is subdivided: as chosen, less for a dense cage, at least once."""
    wanted = opened.options.subdivision_level
    first = 4 * len(polygons.counts) if scheme == "loop" else len(polygons.indices)
    steps = wanted
    while steps > 1 and first * 4 ** (steps - 1) > opened.options.subdivision_max_faces:
        steps -= 1
    if steps < wanted:
        opened.notes.add("approximated", leaf.path, f"dense cage: subdivided {steps} times instead of {wanted}")
    return steps


def _cage(opened: OpenStage, leaf: Leaf, polygons: Polygons, scheme: str) -> Cage:
    """Return the control mesh with its creases and corners; what does not fit the points is left out with a note."""
    prim, time = leaf.prim, opened.time
    count = len(polygons.points)
    crease, crease_sharpness = _creases(prim, time, count)
    if crease is None and "creaseIndices" in leaf.names and prim.GetAttribute("creaseIndices").Get(time):
        opened.notes.add("repaired", leaf.path, "creases do not fit together or the points; left out")
    corner = read_array(prim, "cornerIndices", time)
    corner_sharpness = read_array(prim, "cornerSharpnesses", time)
    if corner is None or corner_sharpness is None or len(corner) == 0:
        corner = corner_sharpness = None
    elif (
        len(corner) != len(corner_sharpness)
        or corner.min() < 0
        or corner.max() >= count
        or not np.isfinite(corner_sharpness).all()
    ):
        opened.notes.add("repaired", leaf.path, "sharp corners do not fit the points or are not finite; left out")
        corner = corner_sharpness = None
    return Cage(
        point_count=count,
        counts=polygons.counts,
        indices=polygons.indices,
        boundary=_token(opened, leaf, "interpolateBoundary", BOUNDARIES, "edgeAndCorner"),
        crease=crease,
        crease_sharpness=crease_sharpness,
        corner=None if corner is None else corner.astype(np.int64),
        corner_sharpness=None if corner_sharpness is None else corner_sharpness.astype(np.float64),
        scheme=scheme,
        face_varying=_token(opened, leaf, "faceVaryingLinearInterpolation", FACE_VARYING, "cornersPlus1"),
        smooth_triangles=_token(opened, leaf, "triangleSubdivisionRule", TRIANGLES, "catmullClark") == "smooth",
    )


def _token(opened: OpenStage, leaf: Leaf, name: str, known: tuple[str, ...], default: str) -> str:
    value = leaf.prim.GetAttribute(name).Get(opened.time) if name in leaf.names else default
    if value in known:
        return str(value)
    opened.notes.add("repaired", leaf.path, f"{name} is {value!r}, which is unknown; {default} was used")
    return default


def _creases(
    prim: Usd.Prim, time: Usd.TimeCode, point_count: int
) -> tuple[NDArray[np.int64] | None, NDArray[np.float64] | None]:
    """Return the edges [crease, 2] and sharpnesses of crease chains, or None twice."""
    indices = read_array(prim, "creaseIndices", time)
    lengths = read_array(prim, "creaseLengths", time)
    sharpness = read_array(prim, "creaseSharpnesses", time)
    if indices is None or lengths is None or sharpness is None or len(indices) == 0:
        return None, None
    if (
        not np.isfinite(sharpness).all()
        or lengths.sum() != len(indices)
        or lengths.min() < 2
        or indices.min() < 0
        or indices.max() >= point_count
    ):
        return None, None
    inside = np.ones(len(indices), bool)
    inside[np.cumsum(lengths) - 1] = False  # the last point of a chain begins no edge
    start = np.flatnonzero(inside)
    edge = np.stack([indices[start], indices[start + 1]], axis=-1).astype(np.int64)
    if len(sharpness) == len(lengths):
        return edge, np.repeat(sharpness, lengths - 1).astype(np.float64)  # one for each chain
    if len(sharpness) == len(edge):
        return edge, sharpness.astype(np.float64)  # one for each edge
    return None, None
