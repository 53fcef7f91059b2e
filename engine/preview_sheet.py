"""Many previews at a glance: one picture of all of them with their names, and a table of what was loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from engine.scene.model import Scene
from engine.scene.notes import LEVELS
from engine.write.encode import encode_png

COLUMNS = 5
TILE_PX = (320, 240)
GAP_PX = 8
HEAD_PX = 44
CAPTION_PX = 38  # two lines
LONGEST_NAME = 42  # characters that fit below a tile
PAPER, INK, FAINT, ALARM = (18, 20, 24), (236, 238, 242), (140, 146, 156), (255, 122, 102)
COLUMN_NAMES = ("s", "meshes", "triangles", "placements", "instances", "unlabelled", *LEVELS)


@dataclass(frozen=True)
class Look:
    """What became of one file."""

    name: str
    seconds: float  # to load it
    counts: dict[str, int]  # columns of the table but the first; empty where it could not be loaded
    error: str = ""
    picture: NDArray[np.uint8] | None = None  # [y, x, 3], sRGB


def look_of(name: str, seconds: float, scene: Scene, picture: NDArray[np.uint8] | None) -> Look:
    """Return the row and tile of a scene."""
    levels = Counter(note.level for note in scene.notes)
    counts = {
        "meshes": len(scene.meshes),
        "triangles": sum(len(mesh.triangle) for mesh in scene.meshes),
        "placements": len(scene.placements.mesh),
        "instances": len(scene.instances.path) - 1,
        "unlabelled": int(np.count_nonzero(scene.instances.class_id[1:] == 0)),
        **{level: levels[level] for level in LEVELS},
    }
    return Look(name, seconds, counts, picture=picture)


def summary_table(looks: Sequence[Look]) -> str:
    """Return one line a file, and one with the sums."""
    width = max((len(look.name) for look in looks), default=4)
    lines = [f"{'file':<{width}}" + "".join(f"{name:>13}" for name in COLUMN_NAMES)]
    for look in looks:
        numbers = [look.counts.get(name, 0) for name in COLUMN_NAMES[1:]]
        row = f"{look.name:<{width}}{look.seconds:>13.2f}"
        lines.append(row + (f"  {look.error}" if look.error else "".join(f"{number:>13}" for number in numbers)))
    sums = [sum(look.counts.get(name, 0) for look in looks) for name in COLUMN_NAMES[1:]]
    loaded = sum(not look.error for look in looks)
    lines.append(f"{'all':<{width}}{sum(look.seconds for look in looks):>13.2f}" + "".join(f"{n:>13}" for n in sums))
    return "\n".join([*lines, f"{loaded} of {len(looks)} files loaded"])


def draw_sheet(looks: Sequence[Look], title: str) -> bytes:
    """Return the picture of all files as PNG; one that could not be loaded is an empty tile with the reason."""
    columns = max(1, min(COLUMNS, len(looks)))
    lines = -(-len(looks) // columns)
    step_x, step_y = TILE_PX[0] + GAP_PX, TILE_PX[1] + CAPTION_PX + GAP_PX
    sheet = Image.new("RGB", (columns * step_x + GAP_PX, HEAD_PX + lines * step_y + GAP_PX), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP_PX, HEAD_PX / 2), title, INK, ImageFont.load_default(20), anchor="lm")
    small = ImageFont.load_default(13)
    for number, look in enumerate(looks):
        x, y = GAP_PX + number % columns * step_x, HEAD_PX + number // columns * step_y
        if look.picture is not None:
            tile = Image.fromarray(look.picture)
            tile.thumbnail(TILE_PX, Image.Resampling.LANCZOS)
            sheet.paste(tile, (x + (TILE_PX[0] - tile.width) // 2, y + (TILE_PX[1] - tile.height) // 2))
        else:
            draw.rectangle((x, y, x + TILE_PX[0] - 1, y + TILE_PX[1] - 1), outline=FAINT)
            draw.text((x + GAP_PX, y + GAP_PX), _wrapped(look.error), ALARM, small)
        draw.text((x, y + TILE_PX[1] + 10), _short(look.name), INK, small, anchor="lm")
        draw.text((x, y + TILE_PX[1] + 27), _facts(look), FAINT, small, anchor="lm")
    return encode_png(np.asarray(sheet))


def _facts(look: Look) -> str:
    if look.error:
        return "not loaded"
    notes = ", ".join(f"{look.counts[level]} {level}" for level in LEVELS[:3] if look.counts[level])
    count = look.counts["instances"]
    return f"{count} instance{'' if count == 1 else 's'}  {look.seconds:.1f} s  {notes}"


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"


def _wrapped(text: str) -> str:
    pieces = [text[start : start + LONGEST_NAME] for start in range(0, len(text), LONGEST_NAME)]
    return "\n".join(pieces[:12])
