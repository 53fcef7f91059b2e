"""Polygons to triangles: vectorised fans, the other diagonal for concave quads, ear cutting for concave n-gons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REFLEX = -1.0e-9  # corner cross product over the face's squared area, below which a corner bends inwards


def triangulate(
    points: NDArray[np.floating], counts: NDArray[np.integer], indices: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the triangles of polygons as positions in `indices`, in the order of the faces.

    Args:
        points: [point, 3].
        counts: [face], corners of each face, at least 3.
        indices: [corner], point of each corner, in range.
    Returns:
        Corners [triangle, 3] (positions in `indices`, winding kept) and the face of each triangle.
    """
    counts = np.asarray(counts, np.int64)
    first = np.cumsum(counts) - counts
    corners: list[NDArray[np.int64]] = []
    faces: list[NDArray[np.int64]] = []
    for size in np.unique(counts):
        face = np.flatnonzero(counts == size)
        corner = first[face, None] + np.arange(size)
        tri = corner[:, None, :] if size == 3 else _split(np.asarray(points, np.float64), indices, corner)
        corners.append(tri.reshape(-1, 3))
        faces.append(np.repeat(face, size - 2))
    if not corners:
        return np.zeros((0, 3), np.int64), np.zeros(0, np.int64)
    if len(corners) == 1:
        return corners[0], faces[0]
    face_of = np.concatenate(faces)
    order = np.argsort(face_of, kind="stable")
    return np.concatenate(corners)[order], face_of[order]


def fan(counts: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what `triangulate` does for faces that are all convex, without looking at their points."""
    counts = np.asarray(counts, np.int64)
    face = np.repeat(np.arange(len(counts)), counts - 2)
    first = np.cumsum(counts) - counts
    begins = np.cumsum(counts - 2) - (counts - 2)
    step = np.arange(len(face)) - begins[face]
    start = first[face]
    return np.stack([start, start + step + 1, start + step + 2], axis=-1), face


def _split(points: NDArray[np.float64], indices: NDArray[np.integer], corner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return [face, size - 2, 3] for faces of one size (at least 4)."""
    size = corner.shape[1]
    position = points[indices[corner]]
    if size == 4:
        return _split_quads(corner, position)
    fan = np.stack([np.zeros(size - 2, np.int64), np.arange(1, size - 1), np.arange(2, size)], axis=-1)
    triangles = corner[:, fan]
    normal = newell(position)
    for face in np.flatnonzero((_bend(position, normal) < REFLEX).any(axis=1)):
        cut = _cut_ears(position[face], normal[face])
        if cut is not None:
            triangles[face] = corner[face][cut]
    return triangles


def _split_quads(corner: NDArray[np.int64], position: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return [quad, 2, 3], along the diagonal 0-2, or 1-3 where the halves along 0-2 would face opposite ways."""
    diagonal = position[:, 2] - position[:, 0]
    one = cross(position[:, 1] - position[:, 0], diagonal)
    two = cross(diagonal, position[:, 3] - position[:, 0])
    agree = np.einsum("qx,qx->q", one, two)
    triangles = corner[:, [[0, 1, 2], [0, 2, 3]]]
    if agree.min() < 0.0:
        size = np.einsum("qx,qx->q", one, one) + np.einsum("qx,qx->q", two, two)
        turned = np.flatnonzero(agree < REFLEX * size)
        triangles[turned] = corner[turned][:, [[1, 2, 3], [1, 3, 0]]]
    return triangles


def cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cross products of [..., 3]; a third of the time of `numpy.cross` on small arrays."""
    out = np.empty(a.shape)
    for x, y, z in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        out[..., x] = a[..., y] * b[..., z] - a[..., z] * b[..., y]
    return out


def newell(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area vector of closed polygons [..., corner, 3]; half the sum of the corners' cross products.

    Source: M. E. Newell's method, in Sutherland, Sproull, Schumacker, "A Characterization of Ten Hidden-Surface
    Algorithms", 1974.
    """
    relative = position - position[..., :1, :]
    area: NDArray[np.float64] = 0.5 * cross(relative, np.roll(relative, -1, axis=-2)).sum(axis=-2)
    return area


def _bend(position: NDArray[np.float64], normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [face, corner]: the corner's cross product along the normal, in units of the squared area; < 0: reflex."""
    ahead = np.roll(position, -1, axis=1) - position
    behind = position - np.roll(position, 1, axis=1)
    turn = np.einsum("fcx,fx->fc", cross(behind, ahead), normal)
    scale = np.maximum(np.einsum("fx,fx->f", normal, normal), 1e-60)
    return turn / scale[:, None]


def _cut_ears(position: NDArray[np.float64], normal: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """Return [size - 2, 3] corners of one concave face, or None where it is too degenerate to be cut."""
    import mapbox_earcut

    drop = int(np.argmax(np.abs(normal)))
    keep = [(drop + 1) % 3, (drop + 2) % 3]
    flat = np.ascontiguousarray(position[:, keep])
    cut = mapbox_earcut.triangulate_float64(flat, np.array([len(flat)], np.uint32)).astype(np.int64).reshape(-1, 3)
    if len(cut) != len(flat) - 2:
        return None
    a, b, c = (flat[cut[:, i]] for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    if area.sum() * normal[drop] < 0.0:
        cut = cut[:, ::-1]
    return cut
