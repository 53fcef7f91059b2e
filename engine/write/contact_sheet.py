"""`contact_sheet.png`: the first frames of a dataset with masks, boxes and class names drawn over them."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from engine.write.eight_bit import rgb8
from engine.write.encode import encode_png
from engine.write.files import inside
from engine.write.merge import MergedRows
from engine.write.readback import read_instance_map
from engine.write.rows import DEFECTS, RLE_COLUMN

FRAMES = 16
COLUMNS = 4
TALLEST = 1.5  # height over width of a tile: that of a portrait
TILE_WIDTH_PX = 400
GAP_PX = 8
HEAD_PX = 44
CAPTION_PX = 24
MASK_OPACITY = 0.35
LARGEST_MARKED = 0.5  # of the frame; walls and floors that fill it would hide everything else
GOLDEN_RATIO = 0.618034  # steps of hue that stay far apart for any number of classes
PAPER, INK, FAINT = (18, 20, 24), (236, 238, 242), (140, 146, 156)


@dataclass(frozen=True)
class Tile:
    """A picture with a line of text below it."""

    picture: Image.Image
    caption: str


@dataclass(frozen=True)
class _Marked:
    """A frame of the index with the instances seen in it."""

    frame: dict[str, Any]
    instances: list[dict[str, Any]]


def draw_contact_sheet(rows: MergedRows, title: str) -> bytes:
    """Return the sheet as PNG, drawn from the files; what has no class or fills the frame is not marked."""
    shown = _shown_frames(rows)
    first = shown[0].frame
    size = TILE_WIDTH_PX, max(1, round(TILE_WIDTH_PX * min(first["height"] / first["width"], TALLEST)))
    return lay_out([Tile(_fitted(_draw_tile(rows.out, one, size), size), _caption(one)) for one in shown], title)


def lay_out(tiles: list[Tile], title: str) -> bytes:
    """Return pictures in rows, a title above, as PNG."""
    width, height = (max(tile.picture.size[axis] for tile in tiles) for axis in (0, 1))
    columns = min(COLUMNS, len(tiles))
    lines = -(-len(tiles) // columns)
    step_x, step_y = width + GAP_PX, height + CAPTION_PX + GAP_PX
    sheet = Image.new("RGB", (columns * step_x + GAP_PX, HEAD_PX + lines * step_y + GAP_PX), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP_PX, HEAD_PX / 2), title, INK, ImageFont.load_default(20), anchor="lm")
    small = ImageFont.load_default(13)
    for number, tile in enumerate(tiles):
        x, y = GAP_PX + number % columns * step_x, HEAD_PX + number // columns * step_y
        sheet.paste(tile.picture, (x, y))
        draw.text((x, y + tile.picture.height + CAPTION_PX / 2), tile.caption, FAINT, small, anchor="lm")
    return encode_png(np.asarray(sheet))


def class_color(class_id: int) -> tuple[int, int, int]:
    """Return the colour of a class, sRGB; neighbours in id are far apart in hue."""
    red, green, blue = colorsys.hsv_to_rgb(class_id * GOLDEN_RATIO % 1.0, 0.75, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def _shown_frames(rows: MergedRows) -> list[_Marked]:
    frames = _first_frames(rows) if _are_rendered(rows) else _spread_frames(rows)
    wanted = {frame["frame_id"] for frame in frames}
    last = max(wanted)
    seen: dict[Any, list[dict[str, Any]]] = {}
    for table in ("instances", DEFECTS):
        for frame_id, group in groupby(rows.rows(table), key=lambda row: row["frame_id"]):
            if frame_id > last:
                break  # rows are in the order of the frames
            if frame_id in wanted:
                seen.setdefault(frame_id, []).extend(_drawn(row) for row in group if row["class_id"])
    return [_Marked(frame, seen.get(frame["frame_id"], [])) for frame in frames]


def _are_rendered(rows: MergedRows) -> bool:
    return "origin" not in next(rows.tables("frames")).column_names


def _first_frames(rows: MergedRows) -> list[dict[str, Any]]:
    return list(islice(rows.rows("frames"), FRAMES))


def _spread_frames(rows: MergedRows) -> list[dict[str, Any]]:
    """Return frames from everywhere in a dataset that has pictures of others, those with labels if there are enough.

    Its first frames may all be of one burst, and rendered ones differ anyway.
    """
    number, labelled = [], []
    for table in rows.tables("frames"):
        number.append(table["frame_id"].to_numpy())
        labelled.append(table["n_instances"].to_numpy() > 0)
    ids, has_labels = np.concatenate(number), np.concatenate(labelled)
    pool = ids[has_labels] if has_labels.sum() >= min(FRAMES, len(ids)) else ids
    chosen = set(pool[np.linspace(0, len(pool) - 1, min(FRAMES, len(pool))).astype(np.int64)].tolist())
    return [row for table in rows.tables("frames") for row in _rows_of(table, chosen)]


def _rows_of(table: pa.Table, chosen: set[int]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.filter(pc.is_in(table["frame_id"], pa.array(sorted(chosen)))).to_pylist()
    return rows


def _fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return a picture in the middle of a tile of this size."""
    if picture.size == size:
        return picture
    tile = Image.new("RGB", size, PAPER)
    tile.paste(picture, ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2))
    return tile


def _drawn(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as it is drawn: a defect under its own id, a near-miss said to be one."""
    if "defect_id" not in row:
        return row
    return row | {"inst_id": row["defect_id"], "class": f"({row['class']})" if row["near_miss"] else row["class"]}


def _caption(tile: _Marked) -> str:
    frame = tile.frame
    return f"world {frame['world']}  step {frame['step']}  camera {frame['camera']}    {_counts(tile.instances)}"


def _counts(rows: list[dict[str, Any]]) -> str:
    """Return how many objects a frame shows, and how many defects and near-misses where there are some."""
    near_miss = [bool(row["near_miss"]) for row in rows if "defect_id" in row]
    counts = (
        (len(rows) - len(near_miss), "object", "objects"),
        (near_miss.count(False), "defect", "defects"),
        (near_miss.count(True), "near-miss", "near-misses"),
    )
    shown = [(count, one if count == 1 else many) for count, one, many in counts if count or one == "object"]
    return ", ".join(f"{count} {name}" for count, name in shown)


def _draw_tile(out: Path, tile: _Marked, most: tuple[int, int]) -> Image.Image:
    """Return a frame with its labels, as large as fits."""
    scale_px = min(most[0] / tile.frame["width"], most[1] / tile.frame["height"])
    own = (max(1, round(tile.frame[side] * scale_px)) for side in ("width", "height"))
    size = most if _fits(tile.frame, most) else (next(own), next(own))
    image = Image.fromarray(_background(out, tile.frame)).resize(size, Image.Resampling.LANCZOS)
    scale = size[0] / tile.frame["width"], size[1] / tile.frame["height"]
    frame_px = tile.frame["width"] * tile.frame["height"]
    marked = [row for row in tile.instances if row["bbox"][2] * row["bbox"][3] < LARGEST_MARKED * frame_px]
    if (painted := _ids_of(out, tile.frame, marked)) is not None:
        ids = Image.fromarray(painted)
        ids = ids.resize(size, Image.Resampling.NEAREST)
        image = Image.fromarray(_tint(np.array(image), np.array(ids), marked))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(11)
    names: list[tuple[tuple[int, int, int, int], dict[str, Any]]] = []
    for row in sorted(marked, key=lambda row: (-row["area_px"], row["inst_id"])):
        box = _box_on_tile(row, scale, size)
        draw.rectangle(box, outline=class_color(row["class_id"]))
        place = _name_place(draw, box, row["class"], font)
        if place is not None and not any(_overlap(place, other) for other, _ in names):
            names.append((place, row))
    for place, row in names:  # above all boxes
        draw.rectangle(place, fill=class_color(row["class_id"]))
        draw.text((place[0] + 2, place[1] + 1), row["class"], (0, 0, 0), font=font)
    return image


def _fits(frame: dict[str, Any], size: tuple[int, int]) -> bool:
    """Return whether a frame as wide as a tile is as high, so that all of a rendered dataset have one size."""
    return max(1, round(size[0] * frame["height"] / frame["width"])) == size[1]


def _ids_of(out: Path, frame: dict[str, Any], rows: list[dict[str, Any]]) -> NDArray[np.int32] | None:
    """Return which instance a pixel shows, 0: none; None: no mask is known."""
    from pycocotools import mask as coco_mask

    if frame.get("instance_map") is not None:
        return _with_defects(read_instance_map(out, frame), rows)
    masked = [row for row in rows if row.get(RLE_COLUMN) is not None and "defect_id" not in row]
    if frame.get("origin") is None or not masked:
        return None
    ids = np.zeros((frame["height"], frame["width"]), np.int32)
    for row in sorted(masked, key=lambda row: (-row["area_px"], row["inst_id"])):
        ids[coco_mask.decode({"size": list(ids.shape), "counts": row[RLE_COLUMN]}).astype(np.bool_)] = row["inst_id"]
    return _with_defects(ids, rows)


def _with_defects(ids: NDArray[np.int32], rows: list[dict[str, Any]]) -> NDArray[np.int32]:
    """Return an instance map with the defects among some rows in it."""
    from pycocotools import mask as coco_mask

    for row in rows:
        if "defect_id" in row:
            mask = {"size": list(ids.shape), "counts": row[RLE_COLUMN]}
            ids = np.where(coco_mask.decode(mask).astype(np.bool_), np.int32(row["defect_id"]), ids)
    return ids


def _box_on_tile(row: dict[str, Any], scale: tuple[float, float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    x, y, width, height = row["bbox"]
    left, top = int(x * scale[0]), int(y * scale[1])
    right, bottom = int((x + width) * scale[0]), int((y + height) * scale[1])
    return left, top, max(left, min(right, size[0] - 1)), max(top, min(bottom, size[1] - 1))


def _name_place(
    draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], name: str, font: Any
) -> tuple[int, int, int, int] | None:
    """Return where a name goes, at the box's upper left corner; None where it would hide most of the box."""
    text = draw.textbbox((box[0] + 2, box[1] + 1), name, font=font)
    place = (box[0], box[1], int(text[2]) + 2, int(text[3]) + 1)
    fits = 2 * (place[3] - place[1]) <= box[3] - box[1] and place[2] - place[0] <= 2 * (box[2] - box[0])
    return place if fits else None


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def _background(out: Path, frame: dict[str, Any]) -> NDArray[np.uint8]:
    """Return the picture of a frame, or plain grey where the recipe makes none; shape [y, x, 3]."""
    if frame.get("image") is None:
        return np.full((frame["height"], frame["width"], 3), 96, np.uint8)
    with Image.open(inside(out, frame["image"])) as image:
        return np.array(rgb8(image))


def _tint(picture: NDArray[np.uint8], ids: NDArray[np.int32], rows: list[dict[str, Any]]) -> NDArray[np.uint8]:
    """Return the picture with the given instances tinted and outlined in the colour of their class."""
    colors = np.zeros((max([int(ids.max()), *(row["inst_id"] for row in rows)]) + 1, 3), np.float32)
    marked = np.zeros(len(colors), np.bool_)
    for row in rows:
        colors[row["inst_id"]] = class_color(row["class_id"])
        marked[row["inst_id"]] = True
    edge = np.zeros(ids.shape, np.bool_)
    edge[:, 1:] |= ids[:, 1:] != ids[:, :-1]
    edge[1:] |= ids[1:] != ids[:-1]
    opacity = np.where(edge, 1.0, MASK_OPACITY)[..., None] * marked[ids][..., None]
    mixed: NDArray[np.float64] = picture * (1.0 - opacity) + colors[ids] * opacity
    return np.rint(mixed).astype(np.uint8)
