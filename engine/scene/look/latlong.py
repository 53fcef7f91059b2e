"""Images of the surroundings in other layouts, resampled to latitude and longitude.

Directions are those of a dome with its pole up (+Y) whose latitude-longitude image has +Z in its centre and +X at
u = 1/4, as OpenEXR and UsdLux have it. The centre of a ball's image is what lies behind the camera that photographed
it, so +Z; its right is +X and its top +Y. A cross has the face towards +Z in its middle and is seen from the inside.
Source: Debevec, "Light probe image gallery" (angular map); Reinhard et al., "High dynamic range imaging", section 11.4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LATLONG = "latlong"
MIRRORED_BALL = "mirroredBall"
ANGULAR = "angular"
VERTICAL_CROSS = "cubeMapVerticalCross"
LAYOUTS = (LATLONG, MIRRORED_BALL, ANGULAR, VERTICAL_CROSS)
LARGEST_ROWS = 4096  # of the result, whatever the size of a ball

# Faces of a vertical cross: (column, row from the top), forward, right and down of the face, seen from the inside.
FACES = (
    ((1, 1), (0, 0, 1), (-1, 0, 0), (0, -1, 0)),
    ((0, 1), (1, 0, 0), (0, 0, 1), (0, -1, 0)),
    ((2, 1), (-1, 0, 0), (0, 0, -1), (0, -1, 0)),
    ((1, 0), (0, 1, 0), (-1, 0, 0), (0, 0, 1)),
    ((1, 2), (0, -1, 0), (-1, 0, 0), (0, 0, -1)),
    ((1, 3), (0, 0, -1), (-1, 0, 0), (0, 1, 0)),
)


def layout_of(pixels: NDArray[np.float32]) -> str:
    """Return the layout that an image's shape tells of: three to four is a vertical cross, all else latlong."""
    height, width = pixels.shape[:2]
    return VERTICAL_CROSS if 4 * width == 3 * height and width >= 3 else LATLONG


def to_latlong(pixels: NDArray[np.float32], layout: str) -> NDArray[np.float32]:
    """Return an image [y, x, channel] as latitude and longitude; the first row is at the bottom in both."""
    if layout == LATLONG:
        return pixels
    height, width = pixels.shape[:2]
    rows = int(np.clip(height // 2 if layout == VERTICAL_CROSS else height, 1, LARGEST_ROWS))
    out = np.empty((rows, 2 * rows, pixels.shape[2]), np.float32)
    longitude = (0.5 - (np.arange(2 * rows) + 0.5) / (2 * rows)) * 2.0 * np.pi
    for row in range(rows):  # one at a time: the directions of a large image would need gigabytes
        latitude = ((row + 0.5) / rows - 0.5) * np.pi
        across = np.cos(latitude)
        direction = np.stack(
            [across * np.sin(longitude), np.full(2 * rows, np.sin(latitude)), across * np.cos(longitude)], axis=-1
        )
        x, y = _cross(direction, width, height) if layout == VERTICAL_CROSS else _ball(direction, layout, width, height)
        out[row] = _bilinear(pixels, x, y)
    return out


def _ball(direction: NDArray[np.float64], layout: str, width: int, height: int) -> tuple[NDArray[np.float64], ...]:
    """Return where directions appear in the image of a ball [px], y up."""
    angle = np.arccos(np.clip(direction[:, 2], -1.0, 1.0))
    radius = np.sin(angle / 2.0) if layout == MIRRORED_BALL else angle / np.pi
    across = np.maximum(np.hypot(direction[:, 0], direction[:, 1]), 1e-12)
    x, y = (direction[:, axis] / across * radius for axis in (0, 1))
    return (0.5 + 0.5 * x) * width, (0.5 + 0.5 * y) * height


def _cross(direction: NDArray[np.float64], width: int, height: int) -> tuple[NDArray[np.float64], ...]:
    """Return where directions appear in a vertical cross [px], y up; inside the face that they belong to."""
    face_px = np.array([width / 3.0, height / 4.0])
    forward = np.array([face[1] for face in FACES], np.float64)
    chosen = np.argmax(direction @ forward.T, axis=1)
    column_row = np.array([face[0] for face in FACES])[chosen]
    depth = np.einsum("dk,dk->d", direction, forward[chosen])
    x, y = (
        np.einsum("dk,dk->d", direction, np.array([face[axis] for face in FACES], np.float64)[chosen]) / depth
        for axis in (2, 3)
    )
    local = np.stack([x, y], axis=-1) * 0.5 + 0.5
    local = np.clip(local * face_px, 0.5, np.maximum(face_px - 0.5, 0.5))  # no texel of a neighbour
    place = column_row * face_px + local
    return place[:, 0], height - place[:, 1]


def _bilinear(pixels: NDArray[np.float32], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float32]:
    height, width = pixels.shape[:2]
    x, y = np.clip(x - 0.5, 0.0, width - 1.0), np.clip(y - 0.5, 0.0, height - 1.0)
    i, j = np.minimum(x.astype(np.int64), max(width - 2, 0)), np.minimum(y.astype(np.int64), max(height - 2, 0))
    right, up = np.minimum(i + 1, width - 1), np.minimum(j + 1, height - 1)
    fx, fy = (x - i)[:, None], (y - j)[:, None]
    low = pixels[j, i] * (1.0 - fx) + pixels[j, right] * fx
    high = pixels[up, i] * (1.0 - fx) + pixels[up, right] * fx
    found: NDArray[np.float32] = (low * (1.0 - fy) + high * fy).astype(np.float32)
    return found
