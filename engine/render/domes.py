"""Tables by which samples of light follow the images of domes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.render.arrays import to_device
from engine.scene.model import Light, LightKind, Texture

MOST_COLUMNS = 512  # cells of 0.7 degrees: a sun in the image fills a good part of one
MOST_ROWS = 256
MOST_SHARE = 0.5  # of samples that follow the image; the others follow the surface's lobes
EVEN = 0.02  # relative variance of the radiance over the sphere, below which a table is not worth its lookups
LUMINANCE = (0.2126, 0.7152, 0.0722)  # of linear Rec. 709; ITU-R BT.709-6, section 3.2


@dataclass(frozen=True)
class DomeTable:
    """How the light of an image is spread over the sphere. Row 0 is the lowest latitude."""

    share: float  # of samples that follow it, 0 where the image is nearly even
    row_begin: NDArray[np.float32]  # [row], probability of all rows before
    column_begin: NDArray[np.float32]  # [row, column], of all cells of the row before
    density: NDArray[np.float32]  # [row, column], of samples per solid angle [1/sr]


def dome_table(pixels: NDArray[np.float32]) -> DomeTable:
    """Return the table of a latitude-longitude image [y, x, 4]: each cell gets its share of the light."""
    light = _seen_between_texels(np.maximum(pixels[..., :3], 0.0).astype(np.float64) @ LUMINANCE)
    for axis, most in ((0, MOST_ROWS), (1, MOST_COLUMNS)):
        light = _averaged(light, axis, min(light.shape[axis], most))
    rows, columns = light.shape
    edge = np.sin((np.arange(rows + 1) / rows - 0.5) * np.pi)
    solid_angle = np.diff(edge)[:, None] * (2.0 * np.pi / columns) * np.ones((1, columns))
    even = solid_angle / (4.0 * np.pi)
    power = light * solid_angle
    total = power.sum()
    cell = power / total if total > 0.0 else even
    variance = float((cell * cell / even).sum()) - 1.0
    share = 0.0 if variance < EVEN else MOST_SHARE * variance / (1.0 + variance)
    row = cell.sum(axis=1)
    within = np.divide(cell, row[:, None], out=even / even.sum(axis=1, keepdims=True), where=row[:, None] > 0.0)
    return DomeTable(
        share,
        _before(row).astype(np.float32),
        _before(within).astype(np.float32),
        (cell / solid_angle).astype(np.float32),
    )


def domes_on_device(lights: Sequence[Light], textures: Sequence[Texture], device: str) -> Any:
    """Return kernels.light.Domes; lights with the same image share its table."""
    tables: dict[int, DomeTable] = {}
    first_of: dict[int, int] = {}
    parts: list[NDArray[np.float32]] = []
    share, size, first = np.zeros(len(lights), np.float32), np.zeros((len(lights), 2), np.int32), []
    end = 0
    for index, light in enumerate(lights):
        image = light.texture if light.kind == LightKind.DOME else None
        if image is not None and image not in tables:
            table = tables[image] = dome_table(textures[image].pixels)
            first_of[image] = end
            if table.share > 0.0:
                parts += [table.row_begin, table.column_begin.ravel(), table.density.ravel()]
                end = sum(map(len, parts))
        if light.kind == LightKind.SKY:  # its table comes with every row
            share[index] = MOST_SHARE
        first.append(0 if image is None else first_of[image])
        if image is not None:
            share[index], size[index] = tables[image].share, tables[image].density.shape[::-1]
    out = gpu.light.Domes()
    out.share = to_device(share, wp.float32, device)
    out.size = to_device(size, wp.vec2i, device)
    out.first = to_device(np.array(first, np.int32), wp.int32, device)
    out.value = to_device(np.concatenate(parts) if parts else np.zeros(0, np.float32), wp.float32, device)
    return out


def _seen_between_texels(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over each texel of the bilinear image, which reaches half a texel into its neighbours."""
    around = np.pad(image, ((0, 0), (1, 1)), mode="wrap")
    image = 0.125 * around[:, :-2] + 0.75 * around[:, 1:-1] + 0.125 * around[:, 2:]
    above = np.pad(image, ((1, 1), (0, 0)), mode="edge")
    return np.asarray(0.125 * above[:-2] + 0.75 * above[1:-1] + 0.125 * above[2:])


def _averaged(image: NDArray[np.float64], axis: int, count: int) -> NDArray[np.float64]:
    """Return an image with `count` cells along an axis, each the mean of what it covers."""
    size = image.shape[axis]
    if count == size:
        return image
    moved = np.moveaxis(image, axis, -1)
    total = np.concatenate([np.zeros((*moved.shape[:-1], 1)), np.cumsum(moved, axis=-1)], axis=-1)
    edge = np.arange(count + 1) * (size / count)
    low = np.minimum(edge.astype(np.int64), size - 1)
    at_edge = total[..., low] + (edge - low) * moved[..., low]
    return np.moveaxis(np.maximum(np.diff(at_edge, axis=-1), 0.0) * (count / size), -1, axis)


def _before(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of all that come before along the last axis, at most 1."""
    total = np.cumsum(probability, axis=-1)
    return np.minimum(np.concatenate([np.zeros((*total.shape[:-1], 1)), total[..., :-1]], axis=-1), 1.0)
