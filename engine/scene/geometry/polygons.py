"""A polygon mesh whose faces were checked, and where its faces and corners stood in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FARTHEST = 1.0e15  # [stage units] beyond which a coordinate is damage: its square no longer fits a float32


@dataclass(frozen=True)
class Polygons:
    """Faces with at least three corners, all in range and finite."""

    points: NDArray[np.float32]  # [point, 3]
    counts: NDArray[np.int64]  # [face]
    indices: NDArray[np.int64]  # [corner], point of each corner
    face: NDArray[np.int64]  # [face], number of the face in the file
    corner: NDArray[np.int64]  # [corner], number of the corner in the file
    hole: NDArray[np.bool_]  # [face], not drawn
    authored_face_count: int
    authored_corner_count: int


def clean_polygons(
    points: NDArray[np.float32],
    counts: NDArray[Any],
    indices: NDArray[Any],
    holes: NDArray[Any] | None,
) -> tuple[Polygons, list[str]]:
    """Return the usable faces and what was left out, one line a reason.

    Raises:
        ValueError: If counts and indices contradict each other, so that no face can be trusted.
    """
    counts = counts.astype(np.int64)
    indices = indices.astype(np.int64)
    if len(counts) and counts.min() < 0:
        raise ValueError("faceVertexCounts holds negative numbers")
    if counts.sum() != len(indices):
        raise ValueError(f"faceVertexCounts add up to {counts.sum()}, but there are {len(indices)} faceVertexIndices")
    hole = np.zeros(len(counts), bool)
    if holes is not None and len(holes):
        hole[holes[(holes >= 0) & (holes < len(counts))]] = True
    face = np.arange(len(counts))
    corner = np.arange(len(indices))
    bad, reasons = _bad_faces(points, counts, indices)
    if bad is not None:
        keep_corner = np.repeat(~bad, counts)
        face, corner = face[~bad], corner[keep_corner]
    return Polygons(points, counts[face], indices[corner], face, corner, hole[face], len(counts), len(indices)), reasons


def _bad_faces(
    points: NDArray[np.float32], counts: NDArray[np.int64], indices: NDArray[np.int64]
) -> tuple[NDArray[np.bool_] | None, list[str]]:
    """Return [face] True where a face cannot be drawn (None: nowhere), and the reasons."""
    reasons: list[str] = []
    bad: NDArray[np.bool_] | None = None
    if len(counts) and counts.min() < 3:
        bad = counts < 3
        reasons.append(f"{int(bad.sum())} faces with fewer than three corners were left out")
    bad_corner: NDArray[np.bool_] | None = None
    if len(indices) and (indices.min() < 0 or indices.max() >= len(points)):
        bad_corner = (indices < 0) | (indices >= len(points))
        reasons.append(f"{int(bad_corner.sum())} faceVertexIndices outside the {len(points)} points; faces left out")
    near = np.abs(points) < FARTHEST  # false for what is not a number, too
    if not near.all():
        finite = np.asarray(near.all(axis=1))
        inside = (indices >= 0) & (indices < len(points))
        broken = np.zeros(len(indices), bool)
        broken[inside] = ~finite[indices[inside]]
        if broken.any():
            reasons.append(f"{int((~finite).sum())} points are not finite or absurdly far; their faces were left out")
        bad_corner = broken if bad_corner is None else bad_corner | broken
    if bad_corner is not None and bad_corner.any():
        owner = np.repeat(np.arange(len(counts)), counts)
        by_face = np.bincount(owner[bad_corner], minlength=len(counts)) > 0
        bad = by_face if bad is None else bad | by_face
    return bad, reasons
