"""Masks of records as arrays of pixels and back, and their outlines along the edges of pixels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.formats.record import Mask

Pixels = NDArray[np.bool_]  # [y, x]
Ring = NDArray[np.int64]  # [point, 2]: x, y; closed, the first point is not repeated


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
    padded = np.pad(pixels, 1)
    # Directed edges with the mask on their right: +x above a pixel, +y right of it, -x below it, -y left of it.
    inside = padded[1:-1, 1:-1]
    starts = []
    for direction, (dy, dx, oy, ox) in enumerate(((-1, 0, 0, 0), (0, 1, 0, 1), (1, 0, 1, 1), (0, -1, 1, 0))):
        free = inside & ~padded[1 + dy : padded.shape[0] - 1 + dy, 1 + dx : padded.shape[1] - 1 + dx]
        y, x = np.nonzero(free)
        starts.append(np.column_stack([x + ox, y + oy, np.full(len(x), direction)]))
    edges = np.concatenate(starts)
    if not len(edges):
        return []
    return _linked(edges, pixels.shape[1] + 1)


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


def bridged(rings: list[Ring]) -> Ring:
    """Return one ring around everything that some rings enclose, joined by bridges of no width, there and back.

    The ring to join next is the one with the corner nearest to what is joined already, so bridges are short. Along a
    bridge the two ways cancel under either rule of filling.
    """
    rest = sorted(rings, key=lambda ring: -len(ring))
    joined = rest.pop(0)
    near = [_nearest(joined, ring) for ring in rest]  # (distance^2, corner of `joined`, corner of the ring)
    while rest:
        pick = min(range(len(rest)), key=lambda i: near[i][0])
        ring, (_, at, corner) = rest.pop(pick), near.pop(pick)
        added = np.concatenate([ring[corner:], ring[: corner + 1]])
        joined = np.concatenate([joined[: at + 1], added, joined[at:]])
        shift = len(added) + 1
        for i, other in enumerate(rest):
            distance, place, own = near[i]
            closer = _nearest(ring, other)
            if closer[0] < distance:
                near[i] = (closer[0], at + 1 + (closer[1] - corner) % len(ring), closer[2])
            elif place > at:
                near[i] = (distance, place + shift, own)
    moved: Pixels = (joined != np.roll(joined, 1, axis=0)).any(
        axis=1
    )  # a bridge between touching corners has no length
    return joined[moved]


def _nearest(a: Ring, b: Ring) -> tuple[int, int, int]:
    """Return the least squared distance between corners of two rings, and which corners they are."""
    distance = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=-1)
    flat = int(distance.argmin())
    return int(distance.ravel()[flat]), flat // len(b), flat % len(b)


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
