"""The model `unet`: a small U-Net (Ronneberger et al., MICCAI 2015) with a map of odds for every class.

What hangs together in a class's map is an instance, as for the model `pixels`; about a minute for 100 small pictures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from engine.plain import from_plain
from engine.train.components import entry_of, found_in
from engine.train.labelled import LabelledPicture, classes_of, read_labelled, read_wanted, write_predictions
from engine.train.nets import NetSettings, batches, begin, block, changed, is_shown, letterbox, letterboxes, optimise
from engine.train.plan import TrainingPlan
from engine.train.prepare import CLASSES

FOUND_WEIGHT = 4.0  # of a pixel of an instance: there are fewer of them


class UNet(nn.Module):
    """Three halvings and their way back; odds [n, class, y, x] of pictures [n, 3, y, x]."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        sizes = (width, 2 * width, 3 * width, 4 * width)
        self.down = nn.ModuleList(
            nn.Sequential(block(before, after, 2 if before != 3 else 1), block(after, after))
            for before, after in zip((3, *sizes[:-1]), sizes, strict=True)
        )
        self.up = nn.ModuleList(
            nn.Sequential(block(below + beside, beside))
            for below, beside in zip(sizes[:0:-1], sizes[-2::-1], strict=True)
        )
        self.out = nn.Conv2d(width, classes, 1)
        nn.init.constant_(self.out.bias, -3.0)  # most pixels are of no class

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the odds."""
        kept = []
        value = image - 0.5
        for layer in self.down:
            value = layer(value)
            kept.append(value)
        for layer, beside in zip(self.up, kept[-2::-1], strict=True):
            value = layer(torch.cat([nn.functional.interpolate(value, beside.shape[-2:]), beside], dim=1))
        out: torch.Tensor = self.out(value)
        return out


def follow(plan: TrainingPlan, folder: Path) -> None:
    """Follow a plan.

    Raises:
        UserError: If settings or pictures cannot be read, or there is nothing to learn.
    """
    settings = from_plain(NetSettings, {**plan.settings, CLASSES: list(classes_of(plan))}, "settings")
    net = fit(read_labelled(plan, folder), settings, plan.seed)
    for wanted in plan.predict:
        asked, category_of = read_wanted(wanted, folder, plan)
        entries: list[dict[str, Any]] = []
        for picture in asked:
            odds = odds_of(net, picture, settings)
            highest = float(torch.sigmoid(torch.tensor(max(float(one.max()) for one in odds))))
            entries.append({"image_id": picture.image_id, "score": highest})
            for label, own in enumerate(odds):
                for one in found_in(own) if label in category_of else ():
                    score = 1.0 / (1.0 + float(np.exp(-one.odds)))
                    entries.append(entry_of(one.pixels, picture.image_id, category_of[label], score, plan.task))
        write_predictions(folder / wanted.out, entries)


def fit(pictures: list[LabelledPicture], settings: NetSettings, seed: int) -> UNet:
    """Return a network that has learned the pictures.

    Raises:
        UserError: If none of them shows an instance.
    """
    random = begin(pictures, settings, seed)
    net = UNet(len(settings.classes), settings.channels)
    frames = letterboxes(pictures, settings.long_px)
    kept: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def one(place: int) -> tuple[torch.Tensor, torch.Tensor]:
        if place not in kept:
            picture, frame = pictures[place], frames[place]
            target = np.zeros((len(settings.classes), frame.height, frame.width), np.float32)
            for shown in picture.shown:
                covered = frame.put_mask(shown.pixels(picture.width, picture.height))
                target[shown.label] = np.maximum(target[shown.label], covered)
            kept[place] = torch.from_numpy(frame.put(picture.rgb())), torch.from_numpy(target)
        return kept[place]

    def loss_of(places: NDArray[np.int64]) -> torch.Tensor:
        images, targets = zip(*(one(place) for place in places.tolist()), strict=True)
        image, target = changed(torch.stack(images), torch.stack(targets), random)
        odds = net(image)
        pixels = nn.functional.binary_cross_entropy_with_logits(odds, target, pos_weight=torch.tensor(FOUND_WEIGHT))
        share = torch.sigmoid(odds)
        common = (share * target).sum((0, 2, 3))
        dice = 1.0 - (2.0 * common + 1.0) / (share.sum((0, 2, 3)) + target.sum((0, 2, 3)) + 1.0)
        return pixels + dice.mean()

    optimise(net, settings, batches([one.source for one in pictures], is_shown(pictures), settings, random), loss_of)
    return net


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def odds_of(net: UNet, picture: LabelledPicture, settings: NetSettings) -> NDArray[np.float32]:
    """Return the log odds of every class at every pixel of a picture, [class, y, x]."""
    frame = letterbox(picture.width, picture.height, settings.long_px)
    found = net(torch.from_numpy(frame.put(picture.rgb()))[None])[0].numpy()
    return np.stack([frame.take(one, picture.width, picture.height) for one in found])
