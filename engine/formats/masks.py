"""Masks of records as arrays of pixels and back, and their outlines along the edges of pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.formats.record import Mask

Pixels = NDArray[np.bool_]  # [y, x]
Ring = NDArray[np.int64]  # [point, 2]: x, y; closed, the first point is not repeated
DISTANCES_AT_ONCE = 2**18  # 1 MiB each of differences and their squares


def decode(mask: Mask) -> Pixels:
    """Return the pixels of a mask on its own canvas."""
    from pycocotools import mask as coco_mask

    pixels: NDArray[np.uint8] = coco_mask.decode({"size": [mask.height, mask.width], "counts": mask.counts})
    return pixels.astype(np.bool_)


def encode(pixels: Pixels, x: int = 0, y: int = 0) -> Mask:
    """Return the mask of some pixels, whose canvas has its corner at `x`, `y`."""
    from pycocotools import mask as coco_mask

    counts: bytes = coco_mask.encode(np.asfortranarray(pixels.astype(np.uint8)))["counts"]
    return Mask(counts, pixels.shape[0], pixels.shape[1], x, y)


def box_of(pixels: Pixels) -> tuple[float, float, float, float]:
    """Return x, y, width, height of a mask that is not empty."""
    columns, rows = np.flatnonzero(pixels.any(axis=0)), np.flatnonzero(pixels.any(axis=1))
    x, y = int(columns[0]), int(rows[0])
    return float(x), float(y), float(columns[-1] + 1 - x), float(rows[-1] + 1 - y)


def within_frame(mask: Mask, width: int, height: int) -> Pixels:
    """Return the pixels [height, width] of the frame that a mask on any canvas covers."""
    if (mask.x, mask.y, mask.width, mask.height) == (0, 0, width, height):
        return decode(mask)
    out = np.zeros((height, width), np.bool_)
    x0, y0, x1, y1 = max(mask.x, 0), max(mask.y, 0), min(mask.x + mask.width, width), min(mask.y + mask.height, height)
    if x0 < x1 and y0 < y1:
        out[y0:y1, x0:x1] = decode(mask)[y0 - mask.y : y1 - mask.y, x0 - mask.x : x1 - mask.x]
    return out


def rings_of(pixels: Pixels) -> list[Ring]:
    """Return the outlines of a mask exactly along the edges of its pixels, corners only.

    Outer outlines go clockwise on the screen (y down), those of holes the other way. Where two pixels touch at a corner
    only, the outline stays on its own pixel, so that rings touch themselves at most in points. Filling all rings by the
    even-odd or the non-zero rule gives the mask back.
    """
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if not len(rows):
        return []
    corner = np.array([columns[0], rows[0]])
    cropped = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    padded = np.pad(cropped, 1)
    # Directed edges with the mask on their right: +x above a pixel, +y right of it, -x below it, -y left of it.
    inside = padded[1:-1, 1:-1]
    starts = []
    for direction, (dy, dx, oy, ox) in enumerate(((-1, 0, 0, 0), (0, 1, 0, 1), (1, 0, 1, 1), (0, -1, 1, 0))):
        free = inside & ~padded[1 + dy : padded.shape[0] - 1 + dy, 1 + dx : padded.shape[1] - 1 + dx]
        y, x = np.nonzero(free)
        starts.append(np.column_stack([x + ox, y + oy, np.full(len(x), direction)]))
    return [ring + corner for ring in _linked(np.concatenate(starts), cropped.shape[1] + 1)]


_STEP = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])


def _linked(edges: NDArray[np.int64], stride: int) -> list[Ring]:
    """Return closed rings of unit edges [edge, (x, y, direction)]; at a crossing turn right, around the same pixel."""
    key = (edges[:, 1] * stride + edges[:, 0]) * 4 + edges[:, 2]
    order = np.argsort(key, kind="stable")
    edges, key = edges[order], key[order]
    ends = edges[:, :2] + _STEP[edges[:, 2]]
    following = np.full(len(edges), -1)
    for turn in (3, 0, 1):  # left, straight, right: the last that exists wins
        wanted = (ends[:, 1] * stride + ends[:, 0]) * 4 + (edges[:, 2] + turn) % 4
        place = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
        following = np.where(key[place] == wanted, place, following)
    corner = edges[:, 2][following] != edges[:, 2]  # the outline turns where this edge ends
    successor, turns, points = following.tolist(), corner.tolist(), ends.tolist()
    seen = [False] * len(successor)
    rings = []
    for first in range(len(successor)):
        ring = []
        edge = first
        while not seen[edge]:
            seen[edge] = True
            if turns[edge]:
                ring.append(points[edge])
            edge = successor[edge]
        if ring:
            rings.append(np.array(ring, np.int64))
    return rings


def inset(ring: Ring, by_px: float) -> NDArray[np.float64]:
    """Return an outline of `rings_of` whose every edge is moved by so much towards the mask, that of a hole as well."""
    ahead = np.sign(np.roll(ring, -1, axis=0) - ring)
    turn = ahead + np.roll(ahead, 1, axis=0)  # edges turn at every corner, so that this has a part along either axis
    return ring + by_px * np.column_stack([-turn[:, 1], turn[:, 0]])  # the mask lies on the right, y down


def bridged(rings: list[Ring], drawn: Sequence[NDArray[Any]] | None = None) -> NDArray[Any]:
    """Return one ring around everything that some rings enclose, joined by bridges of no width, there and back.

    The ring to join next is the one with the corner nearest to what is joined already, so bridges are short. Along a
    bridge the two ways cancel under either rule of filling. `drawn` are the points to return, None: those of the rings.
    """
    shown = rings if drawn is None else drawn
    first = max(range(len(rings)), key=lambda ring: len(rings[ring]))
    joints: dict[int, list[tuple[int, int, int]]] = {}  # ring -> its corner, ring that hangs there, that one's corner
    for child, own, parent, corner in _bridges(rings, first):
        joints.setdefault(parent, []).append((corner, child, own))
    pieces: list[NDArray[Any]] = []
    # What comes next is last: points, or a ring from a corner on.
    rest: list[NDArray[Any] | tuple[int, int]] = [(first, 0)]
    while rest:
        item = rest.pop()
        if isinstance(item, tuple):
            rest += _walk(shown[item[0]], item[1], joints.get(item[0], []), is_closed=item[0] != first)[::-1]
        else:
            pieces.append(item)
    points = np.concatenate(pieces)
    moved: Pixels = (points != np.roll(points, 1, axis=0)).any(axis=1)  # touching corners have bridges of no length
    return points[moved]


def _walk(
    ring: NDArray[Any], start: int, joints: list[tuple[int, int, int]], *, is_closed: bool
) -> list[NDArray[Any] | tuple[int, int]]:
    """Return a ring from a corner on, the rings that hang on it in their places, and the way back where it hangs."""
    turned = np.concatenate([ring[start:], ring[: start + int(is_closed)]])
    found: list[NDArray[Any] | tuple[int, int]] = []
    done = 0
    for place, child, own in sorted(((corner - start) % len(ring), child, own) for corner, child, own in joints):
        found += [turned[done : place + 1], (child, own), turned[place : place + 1]]
        done = place + 1
    return [*found, turned[done:]]


def _bridges(rings: list[Ring], first: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the bridges of a shortest tree over rings (Prim): ring, its corner, ring joined before, its corner."""
    owner = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    corner = np.concatenate([np.arange(len(ring)) for ring in rings])
    x, y = (np.concatenate([ring[:, axis] for ring in rings]).astype(np.int32) for axis in (0, 1))
    nearest = np.full(len(x), np.iinfo(np.int32).max, np.int32)
    to_ring, to_corner = np.zeros(len(x), np.int64), np.zeros(len(x), np.int64)
    added = first
    for _ in range(len(rings) - 1):
        stays = owner != added
        owner, corner, x, y, nearest = owner[stays], corner[stays], x[stays], y[stays], nearest[stays]
        to_ring, to_corner = to_ring[stays], to_corner[stays]
        step = max(DISTANCES_AT_ONCE // len(x), 1)
        there = rings[added].astype(np.int32)
        for begin in range(0, len(rings[added]), step):
            right, down = (a[:, None] - b[None, begin : begin + step] for a, b in ((x, there[:, 0]), (y, there[:, 1])))
            distance = right * right + down * down  # wraps for opposite corners of 2^15 x 2^15 pixels alone
            place = distance.argmin(axis=1)
            least = np.take_along_axis(distance, place[:, None], axis=1)[:, 0]
            nearer = least < nearest
            nearest[nearer], to_ring[nearer], to_corner[nearer] = least[nearer], added, place[nearer] + begin
        pick = int(nearest.argmin())
        added = int(owner[pick])
        yield added, int(corner[pick]), int(to_ring[pick]), int(to_corner[pick])


def filled(ring: NDArray[np.float64], height: int, width: int) -> Pixels:
    """Return the pixels whose centre lies in a closed ring [point, 2]: even-odd rule, ways there and back cancel."""
    flips = np.zeros((height, width + 1), np.uint8)
    for ends in zip(ring.tolist(), np.roll(ring, -1, axis=0).tolist(), strict=True):
        # From the upper end down: so an edge and its way back meet every row in the same place.
        (x0, y0), (x1, y1) = sorted(ends, key=lambda end: (end[1], end[0]))
        rows = np.arange(max(math.ceil(y0 - 0.5), 0), min(math.ceil(y1 - 0.5), height))
        if len(rows):
            x = x0 + (rows + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
            flips[rows, np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)] ^= 1
    return np.bitwise_xor.accumulate(flips[:, :width], axis=1).astype(np.bool_)
