"""Square cut-outs of pictures: anywhere, or around instances, drawn from (dataset, seed) alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.formats.masks import within_frame
from engine.formats.record import Frame, Instance
from engine.shift.pictures import Pictures, column_names, read_columns, read_frames, read_luma

Kind = Literal["random", "instance"]
JITTER = 0.2  # of the side of a crop: how far its middle may lie from the point of the instance

Generator = np.random.Generator


@dataclass(frozen=True)
class Crops:
    """Luma of cut-outs, [crop, y, x] of 0..1, and where each comes from."""

    luma: NDArray[np.float32]
    frame_id: NDArray[np.int64]
    group: NDArray[np.int64]
    by_class: dict[str, int]  # of those around instances

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.luma)

    def take(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Crops:
        """Return some of them."""
        return Crops(self.luma[keep], self.frame_id[keep], self.group[keep], self.by_class)


@dataclass(frozen=True)
class CropPlan:
    """Which crops to cut."""

    kind: Kind
    count: int
    side_px: int
    seed: int
    classes: tuple[str, ...] | None = None  # of instances, as many of each; None: all that there are


def generator(dataset_id: str, seed: int, what: str) -> Generator:
    """Return random numbers that depend on a dataset, a seed and a purpose."""
    key = hashlib.sha256(f"{dataset_id}|{seed}|{what}".encode()).digest()
    return np.random.default_rng(np.frombuffer(key, "<u4"))


def instance_classes(pictures: Pictures) -> set[str]:
    """Return the classes that instances or defects of a dataset have."""
    found: set[str] = set()
    for table in ("instances", "defects"):
        if "class" in column_names(pictures.out, table):
            found |= set(_labelled(pictures, table)[1])
    return found


def cut_crops(pictures: Pictures, plan: CropPlan, update: Callable[[int], None] = lambda _: None) -> Crops:
    """Return the crops of a plan; fewer where the dataset has no picture large enough, or no instance.

    Args:
        pictures: The dataset.
        plan: What to cut.
        update: Told of crops that are done.
    """
    random = generator(pictures.dataset_id, plan.seed, f"crops {plan.kind}")
    large = pictures.size.min(axis=1) >= plan.side_px
    if plan.kind == "random":
        frames = pictures.frame_id[large]
        chosen = random.choice(frames, plan.count) if len(frames) else frames
        named = [""] * len(chosen)
    else:
        chosen, named = _choose_instances(pictures, plan, random, set(pictures.frame_id[large].tolist()))
    seeds = random.integers(0, 2**63, len(chosen))
    wanted: dict[int, list[int]] = {}
    for index, frame_id in enumerate(chosen.tolist()):
        wanted.setdefault(frame_id, []).append(index)
    group_of = dict(zip(pictures.frame_id.tolist(), pictures.group.tolist(), strict=True))
    luma = np.zeros((len(chosen), plan.side_px, plan.side_px), np.float32)
    for frame in read_frames(pictures, wanted):
        whole = read_luma(frame)
        for index in wanted[frame.id]:
            x, y = _corner(frame, named[index], plan.side_px, np.random.default_rng(seeds[index]))
            luma[index] = whole[y : y + plan.side_px, x : x + plan.side_px]
        update(len(wanted[frame.id]))
    group = np.array([group_of[frame_id] for frame_id in chosen.tolist()], np.int64)
    by_class = {name: named.count(name) for name in sorted({*named} - {""})}
    return Crops(luma, chosen.astype(np.int64), group, by_class)


def _labelled(pictures: Pictures, table: str) -> tuple[NDArray[np.int64], list[str]]:
    rows = read_columns(pictures.out, table, ("frame_id", "class", "class_id", "near_miss"))
    frame_id, class_id = rows["frame_id"].to_numpy(), rows["class_id"].to_numpy()
    keep = class_id != 0
    if "near_miss" in rows.column_names:
        keep &= ~rows["near_miss"].to_numpy(zero_copy_only=False)
    keep &= np.isin(frame_id, pictures.frame_id)
    return frame_id[keep], rows.filter(keep)["class"].to_pylist()


def _choose_instances(
    pictures: Pictures, plan: CropPlan, random: Generator, frames: set[int]
) -> tuple[NDArray[np.int64], list[str]]:
    """Return the frame and class of each crop: classes in turn, in each any of its instances."""
    of_class: dict[str, list[int]] = {}
    for table in ("instances", "defects"):
        if "class" in column_names(pictures.out, table):
            for frame_id, name in zip(*_labelled(pictures, table), strict=True):
                if frame_id in frames and (plan.classes is None or name in plan.classes):
                    of_class.setdefault(name, []).append(int(frame_id))
    names = sorted(of_class)
    chosen = [names[index % len(names)] for index in range(plan.count)] if names else []
    return np.array([random.choice(of_class[name]) for name in chosen], np.int64), chosen


def _corner(frame: Frame, name: str, side: int, random: Generator) -> tuple[int, int]:
    """Return the upper left corner of a crop: around a point of an instance of this class, or anywhere."""
    limits = frame.width - side, frame.height - side
    if not name:
        return int(random.integers(limits[0] + 1)), int(random.integers(limits[1] + 1))
    own = [instance for instance in frame.instances if instance.category == name]
    x, y = _point(frame, own[random.integers(len(own))], random)
    shift = random.integers(-int(JITTER * side), int(JITTER * side) + 1, 2)
    corner = np.clip((x - side // 2 + shift[0], y - side // 2 + shift[1]), 0, limits)
    return int(corner[0]), int(corner[1])


def _point(frame: Frame, instance: Instance, random: Generator) -> tuple[int, int]:
    """Return a pixel of an instance: of its mask, or of its box where it has none."""
    if instance.mask is not None:
        rows, columns = np.nonzero(within_frame(instance.mask, frame.width, frame.height))
        if len(rows):
            pick = random.integers(len(rows))
            return int(columns[pick]), int(rows[pick])
    x, y, width, height = instance.box
    return int(x + random.uniform() * width), int(y + random.uniform() * height)
