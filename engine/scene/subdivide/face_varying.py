"""Values at the corners of a cage, such as texture coordinates, carried onto the refined faces.

Corners of one point with one value belong together, as in RenderMan; where values differ there is a seam. The faces
with these values as their points are a mesh of its own, which is refined by the rules of the surface: seams are its
boundaries, creases and corners are those of the surface, and `faceVaryingLinearInterpolation` says which corners of
seams stay sharp. Source: https://graphics.pixar.com/opensubdiv/docs/subdivision_surfaces.html#face-varying-interpolation-rules
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.scene.subdivide.level import SHARP, Cage, Level, connect, first_level, loose_edges
from engine.scene.subdivide.limit import limit
from engine.scene.subdivide.stencil import TOPOLOGIES, Stencil, digest_of, refine_levels


@dataclass(frozen=True)
class Channel:
    """Refined corners of one set of values: `(stencil @ values)[value]`."""

    value: NDArray[np.int64]  # [refined corner]
    stencil: Stencil  # [refined value, cage value]

    def byte_count(self) -> int:
        """Return about how much memory it takes."""
        return self.value.nbytes + self.stencil.byte_count()


def refine_corner_values(
    cage: Cage, steps: int, values: NDArray[np.floating], *, linear: bool = False
) -> NDArray[np.float32]:
    """Return the values [refined corner, component] of values [corner, component] of a cage.

    Args:
        cage: The topology, and the rule for seams.
        steps: Subdivisions, as for the points.
        values: Values at corners.
        linear: Interpolate linearly within each face, whatever the cage's rule is (uniform and varying values).
    """
    index, first = _weld(cage, np.asarray(values))
    straight = linear or cage.face_varying == "all" or cage.scheme == "bilinear"
    key = digest_of(cage, steps, straight, hashlib.blake2b(index.tobytes(), digest_size=16).hexdigest())
    channel = TOPOLOGIES.get(Channel, key, lambda: _channel(cage, steps, index, straight=straight))
    refined: NDArray[np.float32] = (channel.stencil @ np.asarray(values)[first])[channel.value].astype(np.float32)
    return refined


def _weld(cage: Cage, values: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the value of each corner as a number [corner], and a corner that has each value [value]."""
    rows = np.ascontiguousarray(values.reshape(len(values), -1), np.float64) + 0.0  # -0 becomes 0
    columns = [rows[:, i] for i in range(rows.shape[1])]
    order = np.lexsort([*columns, cage.indices])
    sorted_rows, point = rows[order], cage.indices[order]
    new = np.ones(len(order), bool)
    new[1:] = (point[1:] != point[:-1]) | (sorted_rows[1:] != sorted_rows[:-1]).any(axis=1)
    index = np.empty(len(order), np.int64)
    index[order] = np.cumsum(new) - 1
    return index, order[new]


def _channel(cage: Cage, steps: int, index: NDArray[np.int64], *, straight: bool) -> Channel:
    level = connect(int(index.max()) + 1, cage.counts, index)
    if not straight:
        _sharpen(level, cage)
    smooth, linear, _, last = refine_levels(level, cage, steps)
    if straight:
        return Channel(last.indices, linear)
    return Channel(last.indices, Stencil((*smooth.factors, limit(last, cage.scheme).position)))


def _sharpen(level: Level, cage: Cage) -> None:
    """Give the mesh of values the sharpness of the surface, of its seams, and of the corners that the rule names."""
    surface = first_level(cage)
    values = level.point_count
    level.sharpness[level.edge_of] = surface.sharpness[surface.edge_of]
    seam = loose_edges(level)
    level.sharpness[seam] = SHARP
    point = np.zeros(values, np.int64)
    point[level.indices] = cage.indices
    level.corner_sharpness[:] = surface.corner_sharpness[point]
    rule = cage.face_varying
    if rule == "none":
        return
    ends = np.zeros(values, bool)
    ends[level.edge[seam].ravel()] = True
    faces = np.bincount(level.indices, minlength=values)
    sharp = ends & (faces == 1)
    in_point = np.bincount(point, minlength=cage.point_count)[point]  # values that share the point
    if rule in ("cornersPlus1", "cornersPlus2"):
        sharp |= in_point > 2
        _share_sharpness(level, seam, point, in_point)
    if rule == "cornersPlus2":
        convex = np.bincount(point, sharp, cage.point_count) > 0
        sharp |= (in_point == 2) & convex[point]
        sharp |= (in_point == 1) & _has_inner_seam(level, surface, seam)
    if rule == "boundaries":
        sharp |= ends
    level.corner_sharpness[sharp] = SHARP


def _share_sharpness(
    level: Level, seam: NDArray[np.bool_], point: NDArray[np.int64], in_point: NDArray[np.int64]
) -> None:
    """Make both values of a point as sharp as a crease that runs into one of them from inside its faces."""
    inside = np.zeros(level.point_count)
    crossing = np.flatnonzero(~seam & (level.sharpness > 0.0))
    for end in (0, 1):
        np.maximum.at(inside, level.edge[crossing, end], level.sharpness[crossing])
    at_point = np.zeros(int(point.max()) + 1)
    np.maximum.at(at_point, point, inside)
    pair = in_point == 2
    level.corner_sharpness[pair] = np.maximum(level.corner_sharpness[pair], at_point[point[pair]])


def _has_inner_seam(level: Level, surface: Level, seam: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return [value]: True where a seam ends that is no boundary of the surface."""
    inner = np.zeros(len(seam), bool)
    inner[level.edge_of] = ~loose_edges(surface)[surface.edge_of]
    found = np.zeros(level.point_count, bool)
    found[level.edge[seam & inner].ravel()] = True
    return found
