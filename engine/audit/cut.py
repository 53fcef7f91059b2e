"""Cut-outs around instances, all over pictures, and whole pictures: their cues, and what else is measured there.

Around an instance, or a false alarm, a square of `side_px` is cut whose middle is its pixel nearest to its centre. All
over a picture, nine such squares are; the cues of a whole picture are the means over them, so that noise and edges are
those of its pixels and not of a smaller copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.formats.masks import within_frame
from engine.formats.record import Frame, Instance
from engine.shift.crops import generator
from engine.shift.cues import CUES, measure_cues
from engine.shift.pictures import Pictures, column_names, read_columns, read_frames, read_luma

Array = NDArray[np.float64]
Box = tuple[float, float, float, float]

GRID = 3  # squares along each side of a picture
RING_PX = 4  # how far the surroundings of an instance reach
GAP_PX = 1  # between it and them: pixels of the border are of both
FRAMES_AT_ONCE = 24
# Numbers of the cues that have a name of their own, by column: cue, and the places whose mean it is.
NAMED = {
    "crop.brightness": ("illumination", (0,)), "crop.contrast": ("illumination", (1,)),
    "crop.shading": ("illumination", (2,)), "crop.noise": ("noise", (0,)), "crop.noise_grain": ("noise", (3, 4)),
    "crop.steepness": ("edge", (2,)), "crop.sharpness": ("edge", (5,)), "crop.coarse_detail": ("spectrum", (0, 1, 2)),
    "crop.fine_detail": ("spectrum", (12, 13, 14)),
}  # fmt: skip
SIZES = ("box_width_px", "box_height_px")
OF_INSTANCES = ("area_px", "ring_contrast", "ring_cnr")
FRAME_COLUMNS = (
    "lum_mean", "lum_std", "lum_p05", "sat_frac", "blur_lap", "noise_sigma", "camera_blur_px",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where a crop is: around an instance, around a box, or somewhere."""

    frame_id: int
    class_name: str = ""  # "": around nothing
    number: int = 0  # of the instance or defect in its frame; 0: none
    is_defect: bool = False
    box: Box | None = None  # x, y, width, height [px]; of an instance known once it was cut
    corner: tuple[int, int] = (0, 0)  # of the square, x and y [px], once it was cut


@dataclass(frozen=True)
class Cuts:
    """Crops, or whole pictures, with their numbers; NaN where a column is not known."""

    places: tuple[Place, ...]
    group: NDArray[np.int64]
    cues: Mapping[str, Array]  # [crop, number]
    columns: Mapping[str, Array]  # [crop]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.places)

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> Cuts:
        """Return some of them."""
        at = np.asarray(rows, np.int64)
        return Cuts(
            tuple(self.places[row] for row in at.tolist()), self.group[at],
            {cue: values[at] for cue, values in self.cues.items()},
            {name: values[at] for name, values in self.columns.items()},
        )  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """What was cut out of a dataset."""

    around: Cuts  # instances and boxes, in the order that was asked for
    ground: Cuts  # squares all over pictures
    whole: Cuts  # pictures


def is_wanted(rows: pa.Table) -> NDArray[np.bool_]:
    """Return which rows of instances or defects have a class and are no near-miss."""
    keep: NDArray[np.bool_] = rows["class_id"].to_numpy() != 0
    if "near_miss" in rows.column_names:
        keep = keep & ~rows["near_miss"].to_numpy(zero_copy_only=False)
    return keep


def instances_of(pictures: Pictures, side_px: int) -> list[Place]:
    """Return all instances and defects with a class, in pictures large enough."""
    large = pictures.frame_id[pictures.size.min(axis=1) >= side_px]
    found: list[Place] = []
    for table, key in (("instances", "inst_id"), ("defects", "defect_id")):
        if key not in column_names(pictures.out, table):
            continue
        rows = read_columns(pictures.out, table, ("frame_id", key, "class", "class_id", "near_miss"))
        rows = rows.filter(is_wanted(rows) & np.isin(rows["frame_id"].to_numpy(), large))
        columns = (rows[name].to_pylist() for name in ("frame_id", "class", key))
        found += [Place(frame, name, number, table == "defects") for frame, name, number in zip(*columns, strict=True)]
    return found


def spread(groups: Sequence[int], count: int, dataset_id: str, seed: int, what: str) -> list[int]:
    """Return some rows, of every group as many as can be, in any order that (dataset, seed, what) decide."""
    order = generator(dataset_id, seed, what).permutation(len(groups))
    turn: dict[int, int] = {}
    turns = []
    for row in order.tolist():
        turns.append(turn.get(groups[row], 0))
        turn[groups[row]] = turns[-1] + 1
    chosen: list[int] = order[np.argsort(turns, kind="stable")][:count].tolist()
    return sorted(chosen)


def measure(pictures: Pictures, places: Sequence[Place], frame_ids: Iterable[int], side_px: int) -> Measured:
    """Cut crops around places and all over some frames, and measure them.

    Args:
        pictures: The dataset.
        places: Around what; of instances number and kind, of others the box.
        frame_ids: Of the pictures that are measured as a whole.
        side_px: Of a square; no picture may have a shorter side.
    Raises:
        UserError: If a picture is missing or damaged.
    """
    of_frame: dict[int, list[int]] = {}
    for index, place in enumerate(places):
        of_frame.setdefault(place.frame_id, []).append(index)
    wholes = set(frame_ids)
    work = _Work(pictures, side_px)
    for frame in read_frames(pictures, {*of_frame, *wholes}):
        luma = read_luma(frame)
        for index in of_frame.get(frame.id, ()):
            work.around(index, places[index], frame, luma)
        if frame.id in wholes:
            work.whole(frame, luma)
        work.flush(FRAMES_AT_ONCE)
    return work.done(len(places))


class _Work:
    """Crops that wait to be measured together, and what was."""

    def __init__(self, pictures: Pictures, side_px: int) -> None:
        self._side = side_px
        self._group_of = dict(zip(pictures.frame_id.tolist(), pictures.group.tolist(), strict=True))
        self._frames = _frame_columns(pictures)
        self._waiting: list[NDArray[np.float32]] = []
        self._parts: list[dict[str, Array]] = []
        self._rows: list[tuple[str, int, Place, dict[str, float]]] = []  # part, index there, place, columns

    def around(self, index: int, place: Place, frame: Frame, luma: NDArray[np.float32]) -> None:
        found = None if not place.number else _instance(frame, place)
        pixels = None if found is None or found.mask is None else within_frame(found.mask, frame.width, frame.height)
        box = place.box if found is None else found.box
        assert box is not None
        x, y = _middle(pixels, box)
        corner = self._corner(frame, x - self._side // 2, y - self._side // 2)
        placed = Place(place.frame_id, place.class_name, place.number, place.is_defect, box, corner)
        columns = {"box_width_px": box[2], "box_height_px": box[3]}
        if found is not None and pixels is not None and pixels.any():
            columns |= _against_surroundings(luma, pixels)
        self._add("around", index, placed, luma, columns)

    def whole(self, frame: Frame, luma: NDArray[np.float32]) -> None:
        xs, ys = (np.linspace(0, size - self._side, GRID).astype(int).tolist() for size in (frame.width, frame.height))
        for number, corner in enumerate((x, y) for y in ys for x in xs):
            place = Place(frame.id, corner=corner)
            self._add("ground", number, place, luma, {})

    def flush(self, least: int) -> None:
        if self._waiting and len(self._waiting) >= least * GRID * GRID:
            self._parts.append(measure_cues(np.stack(self._waiting)))
            self._waiting = []

    def done(self, count: int) -> Measured:
        self.flush(0)
        empty = measure_cues(np.zeros((1, self._side, self._side), np.float32))
        parts = self._parts or [{cue: values[:0] for cue, values in empty.items()}]
        cues = {cue: np.concatenate([part[cue] for part in parts]) for cue in CUES}
        around = [row for row, (part, *_) in enumerate(self._rows) if part == "around"]
        around.sort(key=lambda row: self._rows[row][1])
        assert len(around) == count
        ground = [row for row, (part, *_) in enumerate(self._rows) if part == "ground"]
        squares = self._cuts(ground, cues)
        return Measured(self._cuts(around, cues), squares, self._whole(squares))

    def _add(
        self, part: str, index: int, place: Place, luma: NDArray[np.float32], columns: dict[str, float]
    ) -> None:  # fmt: skip
        x, y = place.corner
        self._waiting.append(luma[y : y + self._side, x : x + self._side])
        self._rows.append((part, index, place, columns))

    def _corner(self, frame: Frame, x: int, y: int) -> tuple[int, int]:
        return (
            min(max(x, 0), frame.width - self._side),
            min(max(y, 0), frame.height - self._side),
        )

    def _cuts(self, rows: Sequence[int], cues: Mapping[str, Array]) -> Cuts:
        places = tuple(self._rows[row][2] for row in rows)
        own = {cue: values[list(rows)] for cue, values in cues.items()}
        columns = {name: own[cue][:, list(at)].mean(axis=1) for name, (cue, at) in NAMED.items()}
        for name in (*SIZES, *OF_INSTANCES):
            columns[name] = np.array([self._rows[row][3].get(name, np.nan) for row in rows], np.float64)
        group = np.array([self._group_of[place.frame_id] for place in places], np.int64)
        return Cuts(places, group, own, columns)

    def _whole(self, squares: Cuts) -> Cuts:
        """Return the means over the squares of each picture, with the measured columns of its frame."""
        places = tuple(Place(place.frame_id) for place in squares.places[:: GRID * GRID])
        cues = {cue: values.reshape(len(places), GRID * GRID, -1).mean(axis=1) for cue, values in squares.cues.items()}
        columns = {
            name: np.array([values.get(place.frame_id, np.nan) for place in places], np.float64)
            for name, values in self._frames.items()
        }
        return Cuts(places, squares.group[:: GRID * GRID], cues, columns)


def _frame_columns(pictures: Pictures) -> dict[str, dict[int, float]]:
    table = read_columns(pictures.out, "frames", ("frame_id", *FRAME_COLUMNS))
    frames = table["frame_id"].to_pylist()
    return {
        name: {
            frame: float(value)
            for frame, value in zip(frames, table[name].to_pylist(), strict=True)
            if value is not None
        }
        for name in table.column_names[1:]
    }


def _instance(frame: Frame, place: Place) -> Instance:
    return next(
        one for one in frame.instances
        if one.id == place.number and ("handling_step" in one.extra) == place.is_defect
    )  # fmt: skip


def _middle(pixels: NDArray[np.bool_] | None, box: Box) -> tuple[int, int]:
    """Return the pixel of a mask that is nearest to its centre of mass, or the middle of a box."""
    if pixels is not None and pixels.any():
        rows, columns = np.nonzero(pixels)
        nearest = int(np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2))
        return int(columns[nearest]), int(rows[nearest])
    return int(box[0] + box[2] / 2), int(box[1] + box[3] / 2)


def _against_surroundings(luma: NDArray[np.float32], pixels: NDArray[np.bool_]) -> dict[str, float]:
    """Return the pixels of a mask, and how they differ from a ring around them.

    `ring_contrast` is the difference of mean luma, `ring_cnr` its size in standard deviations of the ring.
    """
    from scipy.ndimage import binary_dilation

    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    window = np.s_[
        max(rows[0] - RING_PX - 1, 0) : rows[-1] + RING_PX + 2,
        max(columns[0] - RING_PX - 1, 0) : columns[-1] + RING_PX + 2,
    ]
    inside, near = pixels[window], luma[window]
    ring = binary_dilation(inside, iterations=RING_PX) & ~binary_dilation(inside, iterations=GAP_PX)
    found = {"area_px": float(pixels.sum())}
    if not ring.any():
        return found
    contrast = float(near[inside].mean(dtype=np.float64) - near[ring].mean(dtype=np.float64))
    deviation = float(near[ring].std(dtype=np.float64))
    return found | {"ring_contrast": contrast, "ring_cnr": abs(contrast) / max(deviation, 1.0e-3)}
