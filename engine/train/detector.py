"""The model `detector`: boxes without anchors, each said by the cells around its centre (Tian et al., FCOS, ICCV 2019).

Cells are 8 pixels wide; a cell near the centre of an instance says its class and how far the four sides are.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from engine.errors import UserError
from engine.plain import from_plain
from engine.train.labelled import LabelledPicture, classes_of, read_labelled, read_wanted, write_predictions
from engine.train.nets import GRAY, NetSettings, batches, begin, block, is_shown, letterbox, letterboxes, optimise
from engine.train.plan import TrainingPlan
from engine.train.prepare import CLASSES

CELL_PX = 8
NEAR_CELLS = 1.0  # from the centre of an instance to the cells that say it
ALIKE = 0.5  # overlap from which on two boxes of a class are one instance
MOST = 100  # boxes of a picture
LEAST_SCORE = 0.02
Boxes = NDArray[np.float64]  # [box, (left, top, right, bottom)]


class Detector(nn.Module):
    """Odds of classes [n, class, y, x] and distances [cells] to left, top, right, bottom [n, 4, y, x]."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            block(3, width, 2), block(width, 2 * width, 2), block(2 * width, 3 * width, 2),
            block(3 * width, 4 * width, 2), block(4 * width, 4 * width),
        )  # fmt: skip
        self.skip = nn.Sequential(block(3, width, 2), block(width, 2 * width, 2), block(2 * width, 3 * width, 2))
        self.head = nn.Sequential(block(7 * width, 4 * width), block(4 * width, 4 * width))
        self.odds = nn.Conv2d(4 * width, classes, 3, padding=1)
        self.sides = nn.Conv2d(4 * width, 4, 3, padding=1)
        nn.init.constant_(self.odds.bias, -4.0)  # most cells say nothing

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return odds and distances."""
        fine = self.skip(image - GRAY)
        wide = nn.functional.interpolate(self.body(image - GRAY), fine.shape[-2:])
        value = self.head(torch.cat([fine, wide], dim=1))
        return self.odds(value), torch.exp(self.sides(value).clamp(-4.0, 5.0))


def follow(plan: TrainingPlan, folder: Path) -> None:
    """Follow a plan.

    Raises:
        UserError: If settings or pictures cannot be read, masks are wanted, or there is nothing to learn.
    """
    if plan.task != "bbox":
        raise UserError("--model detector finds boxes; say --task bbox, or choose the model unet or pixels for masks")
    settings = from_plain(NetSettings, {**plan.settings, CLASSES: list(classes_of(plan))}, "settings")
    net = fit(read_labelled(plan, folder), settings, plan.seed)
    for wanted in plan.predict:
        asked, category_of = read_wanted(wanted, folder, plan)
        entries: list[dict[str, Any]] = []
        for picture in asked:
            boxes, labels, scores = found_by(net, picture, settings)
            entries.append({"image_id": picture.image_id, "score": float(scores.max(initial=0.0))})
            for box, label, score in zip(boxes.tolist(), labels.tolist(), scores.tolist(), strict=True):
                if label in category_of:
                    sides = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
                    own = {"category_id": category_of[label], "bbox": sides, "score": score}
                    entries.append({"image_id": picture.image_id, **own})
        write_predictions(folder / wanted.out, entries)


def fit(pictures: list[LabelledPicture], settings: NetSettings, seed: int) -> Detector:
    """Return a network that has learned the pictures.

    Raises:
        UserError: If none of them shows an instance.
    """
    random = begin(pictures, settings, seed)
    net = Detector(len(settings.classes), 2 * settings.channels)
    frames = letterboxes(pictures, settings.long_px)
    kept: dict[int, tuple[NDArray[np.float32], Boxes]] = {}

    def one(place: int) -> tuple[NDArray[np.float32], Boxes]:
        if place not in kept:
            picture = pictures[place]
            sides = np.array([shown.box for shown in picture.shown], np.float64).reshape(-1, 4) * frames[place].scale
            boxes = np.concatenate([sides[:, :2], sides[:, :2] + sides[:, 2:]], axis=1)
            kept[place] = frames[place].put(picture.rgb()), boxes
        return kept[place]

    def loss_of(places: NDArray[np.int64]) -> torch.Tensor:
        images, targets = [], []
        for place in places.tolist():
            image, boxes = turned_over(*one(place), random)
            images.append(torch.from_numpy(image))
            labels = [shown.label for shown in pictures[place].shown]
            targets.append(targets_of(boxes, labels, (frames[0].height, frames[0].width), len(settings.classes)))
        odds, sides = net(torch.stack(images))
        wanted, far = (torch.from_numpy(np.stack(part)) for part in zip(*targets, strict=True))
        is_near = far[:, :1] > 0.0
        count = is_near.sum().clamp(min=1)
        missing = torch.abs(wanted - torch.sigmoid(odds)) ** 2  # focal: what is clear already counts little
        named = (missing * nn.functional.binary_cross_entropy_with_logits(odds, wanted, reduction="none")).sum()
        overlap = _overlap_of_sides(sides, far.clamp(min=1e-3))
        return (named + (torch.where(is_near[:, 0], 1.0 - overlap, 0.0)).sum()) / count

    optimise(net, settings, batches([one.source for one in pictures], is_shown(pictures), settings, random), loss_of)
    return net


def turned_over(
    image: NDArray[np.float32], boxes: Boxes, random: np.random.Generator
) -> tuple[NDArray[np.float32], Boxes]:
    """Return a picture [3, y, x] and its boxes, turned over at random, brighter or darker."""
    boxes = boxes.copy()
    for axis, size in ((2, image.shape[2]), (1, image.shape[1])):
        if random.random() < 0.5:
            image = np.flip(image, axis)
            first = 0 if axis == 2 else 1
            boxes[:, [first, first + 2]] = size - boxes[:, [first + 2, first]]
    gain, shift = 1.0 + random.uniform(-0.25, 0.25), random.uniform(-0.12, 0.12)
    return np.ascontiguousarray((image - GRAY) * gain + GRAY + shift, dtype=np.float32), boxes


def targets_of(
    boxes: Boxes, labels: list[int], size: tuple[int, int], classes: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return classes [class, y, x] and distances [4, y, x] in cells; 0 where nothing is said. Small boxes win."""
    down, across = (math.ceil(side / CELL_PX) for side in size)
    named, far = np.zeros((classes, down, across), np.float32), np.zeros((4, down, across), np.float32)
    y, x = np.meshgrid(np.arange(down) + 0.5, np.arange(across) + 0.5, indexing="ij")
    order = np.argsort(-(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), kind="stable")
    for number in order.tolist():
        left, top, right, bottom = boxes[number] / CELL_PX
        middle_x, middle_y = (left + right) / 2.0, (top + bottom) / 2.0
        near = (np.abs(x - middle_x) <= NEAR_CELLS) & (np.abs(y - middle_y) <= NEAR_CELLS)
        inside = near & (x > left) & (x < right) & (y > top) & (y < bottom)
        row, column = min(int(middle_y), down - 1), min(int(middle_x), across - 1)
        inside[row, column] = True  # of one that is smaller than a cell
        named[:, inside] = 0.0
        named[labels[number], inside] = 1.0
        far[:, inside] = np.maximum(np.stack([x - left, y - top, right - x, bottom - y]), 0.01)[:, inside]
    return named, far


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def found_by(
    net: Detector, picture: LabelledPicture, settings: NetSettings
) -> tuple[Boxes, NDArray[np.int64], NDArray[np.float64]]:
    """Return boxes [px of the picture], classes and scores, the surest first."""
    frame = letterbox(picture.width, picture.height, settings.long_px)
    odds, sides = (one[0].numpy().astype(np.float64) for one in net(torch.from_numpy(frame.put(picture.rgb()))[None]))
    scores = 1.0 / (1.0 + np.exp(-odds))
    label, y, x = np.nonzero(scores >= LEAST_SCORE)
    order = np.argsort(-scores[label, y, x], kind="stable")[: 10 * MOST]
    label, y, x = label[order], y[order], x[order]
    left, top, right, bottom = sides[:, y, x]
    corners = np.stack([x + 0.5 - left, y + 0.5 - top, x + 0.5 + right, y + 0.5 + bottom], axis=1)
    boxes = corners * CELL_PX / frame.scale
    boxes = np.clip(boxes, 0.0, [picture.width, picture.height] * 2)
    kept: list[int] = []
    for number in range(len(boxes)):
        rivals = [other for other in kept if label[other] == label[number]]
        if all(_overlap(boxes[number], boxes[other]) <= ALIKE for other in rivals):
            kept.append(number)
        if len(kept) == MOST:
            break
    return boxes[kept], label[kept], scores[label, y, x][kept]


def _overlap_of_sides(sides: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return the overlap of boxes around the same cells, of distances to their sides [n, 4, y, x]."""
    left, top, right, bottom = torch.minimum(sides, wanted).unbind(1)
    common = (left + right) * (top + bottom)
    areas = [(one[:, 0] + one[:, 2]) * (one[:, 1] + one[:, 3]) for one in (sides, wanted)]
    return common / (areas[0] + areas[1] - common).clamp(min=1e-6)


def _overlap(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    size = np.maximum(np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2]), 0.0)
    common = float(size.prod())
    total = float((first[2:] - first[:2]).prod() + (second[2:] - second[:2]).prod()) - common
    return common / max(total, 1e-9)
