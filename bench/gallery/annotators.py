"""The sheet of annotators: what the geometry of a hit tells, in colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.gallery.sheet import (
    Effort,
    Picture,
    Sheet,
    depth_colors,
    depth_span_m,
    id_colors,
    normal_colors,
    tiled,
)
from bench.gallery.shipped import SMALL_PX, command, make, size
from engine.annotators import EdgeBit

WORLD = 10
OUTPUTS = "depth,normal,instance,range,normal_camera,part,material,position,uv,nocs,edge"
OVERRIDES = ("rig.quality=labels", f"outputs=[{OUTPUTS}]", "write=[geometry,annotations]")
EDGE_COLORS = {EdgeBit.CREASE: (90, 130, 255), EdgeBit.DEPTH: (90, 255, 120), EdgeBit.INSTANCE: (255, 90, 80)}


def annotator_sheet(effort: Effort) -> Sheet:
    """Return every annotator of geometry."""
    overrides = ("+scene=warehouse", *size(effort, SMALL_PX), *OVERRIDES)
    images = {name: image[0] for name, image in make(overrides, [WORLD]).frames.annotations.items()}
    low_m, high_m = depth_span_m(images["range_m"])
    tiles: list[tuple[str, Picture]] = [
        ("range", depth_colors(images["range_m"], low_m=low_m, high_m=high_m)),
        ("normal_camera", normal_colors(images["normal_camera"])),
        ("part", id_colors(images["part"] + 1)),
        ("material", id_colors(images["material"] + 1)),
        ("position, to and fro by the metre", _shares(np.abs(images["position"] % 2.0 - 1.0))),
        ("uv, by the tile", _shares(np.pad(images["uv"] % 1.0, ((0, 0), (0, 0), (0, 1))))),
        ("nocs", _shares(images["nocs"])),
        ("edge", edge_colors(images["edge"])),
    ]
    text = (
        "What the ray of a pixel's centre tells of its surface, exact to float32: [formats](../formats.md#annotators). "
        "Edges: red where instances meet, green where one hides a part of itself, blue creases."
    )
    return Sheet("Annotators", tiled(tiles, columns=4), text, command(overrides, [WORLD]))


def edge_colors(edge: NDArray[np.uint8]) -> Picture:
    """Return the bits of outlines as colours, instances on top."""
    out = np.zeros((*edge.shape, 3), np.uint8)
    for bit, color in EDGE_COLORS.items():
        out[(edge & bit) != 0] = color
    return out


def _shares(values: NDArray[np.float32]) -> Picture:
    """Return numbers from 0 to 1 as colours, black where there are none."""
    return np.rint(np.nan_to_num(values) * 255.0).astype(np.uint8)
