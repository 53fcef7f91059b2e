"""MOT Challenge: tracks of objects over the steps of a world, one sequence a world and camera.

`<split>/<sequence>/{seqinfo.ini,img1/000001.jpg,gt/gt.txt,gt/labels.txt}`. A row of gt.txt: frame, track, left, top,
width, height, 1, class, visibility. Frames, tracks, classes and, as the benchmark has them, pixels are counted from 1.

Source: Milan et al., "MOT16: a benchmark for multi-object tracking", arXiv:1603.00831, section 4.
"""

from __future__ import annotations

import configparser
import io
import math
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

from engine.errors import UserError
from engine.formats.folders import categories_named, picture_size, read_text, reason
from engine.formats.pixels import frame_file, write_text
from engine.formats.record import Category, Frame, Instance, Source
from engine.formats.registry import FORMATS, ExportContext, Records
from engine.write.files import inside

GT = "gt/gt.txt"
LABELS = "gt/labels.txt"
SEQUENCE = "seqinfo.ini"
FIRST_PIXEL = "; number of the first pixel: "  # a comment of seqinfo.ini, to which no reader allows other keys
UNKNOWN = -1.0
NO_SILHOUETTE = "a defect has no whole silhouette; box=visible has it"
COLUMNS, COLUMNS_2015 = 9, 10
DIGITS = (6, 8)  # of names of pictures; DanceTrack has 8


@dataclass(frozen=True)
class MotOptions:
    """How MOT sequences are written."""

    box: Literal["amodal", "visible"] = "amodal"  # the benchmark's boxes hold the whole object, also beyond the frame
    first_pixel: Literal[0, 1] = 1  # number of the first pixel: the benchmark's is 1, many readers take it for 0
    frame_rate: float = 30.0  # [1/s] of seqinfo.ini

    def __post_init__(self) -> None:
        if not 0.0 < self.frame_rate < math.inf:
            raise ValueError(f"frame_rate must be above 0, got {self.frame_rate:g}")


def read_mot(root: Path) -> Records:
    """Return the pictures of all sequences; the world counts sequences, the step pictures.

    Pixels are counted as the first line of seqinfo.ini says, from 1 where it does not. `row` has
    `split` and `sequence`, `extra` `visibility`, and `is_ignored` of rows that the benchmark does not count.

    Raises:
        UserError: If a file is missing or cannot be understood.
    """
    sequences = sorted(path.parent for path in root.glob(f"**/{SEQUENCE}"))
    if not sequences:
        raise UserError(f"{root} is no MOT folder: it has no {SEQUENCE}")
    frames: list[Frame] = []
    names: dict[str, int] = {}
    for world, sequence in enumerate(sequences):
        labels = read_text(sequence / LABELS).rstrip("\n").split("\n") if (sequence / LABELS).is_file() else []
        frames += _read_sequence(sequence, world, len(frames), labels, "" if sequence == root else sequence.parent.name)
        names |= {name: number for number, name in enumerate(labels, 1)}
    used = {instance.category for frame in frames for instance in frame.instances}
    known = tuple(Category(number, name, name) for name, number in names.items())
    return Records(root.name, known or categories_named(used), tuple(frames))


@FORMATS.register("mot", MotOptions, "MOT Challenge: tracks, a sequence a world and camera", read=read_mot)
def write_mot(source: Source, context: ExportContext) -> None:
    """Write a sequence for every world and camera.

    Raises:
        UserError: If a sequence would be torn by the split, or silhouettes are needed that the dataset has not.
    """
    for world, frames in groupby(source.frames(), key=lambda frame: frame.world):
        by_camera: dict[int, list[Frame]] = {}
        for frame in frames:
            by_camera.setdefault(frame.camera, []).append(frame)
        for camera, views in sorted(by_camera.items()):
            splits = {context.split_of(frame) for frame in views}
            if len(splits) > 1:
                raise UserError(
                    f"mot: the split tears the sequence of world {world}, camera {camera}, into "
                    f"{', '.join(sorted(splits))}; split by world"
                )
            _write_sequence(views, Path(splits.pop()) / f"w{world:06d}_c{camera:02d}", context)


def _write_sequence(frames: list[Frame], folder: Path, context: ExportContext) -> None:
    options: MotOptions = context.options
    rows: list[str] = []
    suffix = frame_file(frames[0], "image", "MOT", "write=coco").suffix
    for number, frame in enumerate(frames, 1):
        context.place(frame_file(frame, "image", "MOT", "write=coco"), folder / "img1" / f"{number:06d}{suffix}")
        for instance in frame.instances:
            if instance.lies_on and options.box == "amodal":
                context.count_drop(NO_SILHOUETTE)
            else:
                rows.append(_row(number, frame, instance, context))
    info = configparser.ConfigParser()
    info.optionxform = str  # type: ignore[method-assign, assignment]  # keep capitals
    info["Sequence"] = {
        "name": folder.name, "imDir": "img1", "frameRate": f"{options.frame_rate:g}", "seqLength": str(len(frames)),
        "imWidth": str(frames[0].width), "imHeight": str(frames[0].height), "imExt": suffix,
    }  # fmt: skip
    text = io.StringIO()
    info.write(text, space_around_delimiters=False)
    write_text(context.out / folder / SEQUENCE, f"{FIRST_PIXEL}{options.first_pixel}\n{text.getvalue()}")
    write_text(context.out / folder / GT, "".join(row + "\n" for row in rows))
    write_text(context.out / folder / LABELS, "".join(category.name + "\n" for category in context.categories))


def _row(number: int, frame: Frame, instance: Instance, context: ExportContext) -> str:
    options: MotOptions = context.options
    box, visibility = instance.box, UNKNOWN
    if instance.amodal is not None and instance.visible_px is not None:
        visibility = instance.visible_px / instance.amodal.full_px
    if options.box == "amodal":
        if instance.amodal is None:
            raise UserError(
                f"mot: frame {frame.id}, instance {instance.id} has no whole silhouette; make the dataset with "
                "labels.amodal=true, or export with box=visible"
            )
        box = instance.amodal.box
    left, top, width, height = box
    values = [left + options.first_pixel, top + options.first_pixel, width, height]
    numbers = ",".join(f"{value:.3f}".rstrip("0").rstrip(".") for value in values)
    return f"{number},{instance.id},{numbers},1,{context.category_of[instance.category].id + 1},{visibility:.6f}"


def _read_sequence(sequence: Path, world: int, first: int, labels: list[str], split: str) -> list[Frame]:
    info = configparser.ConfigParser()
    try:
        text = read_text(sequence / SEQUENCE)
        info.read_string(text)
        head, first_line = info["Sequence"], text.partition("\n")[0]
        origin = int(first_line.removeprefix(FIRST_PIXEL)) if first_line.startswith(FIRST_PIXEL) else 1
        count = head.getint("seqLength")
        pictures, suffix = head.get("imDir", "img1"), head.get("imExt", ".jpg")
        if count is None:
            raise ValueError("seqLength is missing")
    except (configparser.Error, KeyError, ValueError) as error:
        raise UserError(f"{sequence / SEQUENCE} cannot be understood: {reason(error)}") from error
    found: dict[int, list[Instance]] = {}
    for line, text in enumerate(read_text(sequence / GT).splitlines(), 1):
        where = f"{sequence / GT}, line {line}"
        words = text.split(",")
        if len(words) not in (COLUMNS, COLUMNS_2015):
            raise UserError(f"{where}: {len(words)} columns, MOT has {COLUMNS}")
        if len(words) == COLUMNS_2015:  # a place in the world instead, and people alone
            words = [*words[:7], "1", f"{UNKNOWN}"]
        try:
            step, track, kind = int(words[0]), int(words[1]), int(words[7])
            left, top, width, height, counts, _, visibility = (float(word) for word in words[2:])
        except ValueError as error:
            raise UserError(f"{where}: {reason(error)}") from error
        name = labels[kind - 1] if 0 < kind <= len(labels) else str(kind)
        box = (left - origin, top - origin, width, height)
        facts = {"visibility": visibility} | ({} if counts else {"is_ignored": True})
        found.setdefault(step, []).append(Instance(track, name, box, extra=facts))
    frames = []
    for step in range(1, count + 1):
        names = [inside(sequence, f"{pictures}/{step:0{digits}d}{suffix}") for digits in DIGITS]
        picture = next((path for path in names if path.is_file()), names[0])
        width_px, height_px = picture_size(picture)
        row = {"split": split, "sequence": sequence.name}
        members = tuple(found.get(step, ()))
        frames.append(
            Frame(first + step - 1, width_px, height_px, members, {"image": picture}, world, step - 1, row=row)
        )
    return frames
