"""What small networks share: pictures in one frame of pixels, chances for more of them, and a training that repeats.

The same seed gives the same weights on the same machine: one thread, and every draw from one generator.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from engine.errors import UserError
from engine.train.labelled import LabelledPicture

Floats = NDArray[np.float32]
STRIDE_PX = 16  # that sizes are multiples of
GRAY = 0.5  # of what lies beside a picture
BRIGHTER = 0.25  # brightness and contrast of a picture are changed by at most so much


@dataclass(frozen=True)
class NetSettings:
    """What settings of a plan may say to a network."""

    classes: tuple[str, ...]  # names that are learned
    model: str = "unet"
    long_px: int = 256  # length of the longer side that pictures are made to fit in
    batch: int = 4  # pictures of a step
    steps: int = 200
    seconds: float = 0.0  # of training at most; 0: no limit. A limit makes the result depend on the machine
    rate: float = 2e-3  # of learning, at its highest
    channels: int = 8  # of the first layer

    def __post_init__(self) -> None:
        if not 32 <= self.long_px <= 2048 or self.batch < 1 or self.steps < 1 or self.channels < 4:
            raise ValueError("long_px must be in 32..2048, batch and steps at least 1, channels at least 4")


@dataclass(frozen=True)
class Letterbox:
    """A picture in a frame: scaled to fit, at the upper left."""

    width: int  # [px] of the frame
    height: int
    scale: float  # pixels of the frame a pixel of the picture

    def put(self, image: NDArray[np.uint8]) -> Floats:
        """Return a picture [y, x, 3] in the frame, [3, y, x], 0..1."""
        size = (max(round(image.shape[1] * self.scale), 1), max(round(image.shape[0] * self.scale), 1))
        small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR), np.float32) / 255.0
        out = np.full((3, self.height, self.width), GRAY, np.float32)
        out[:, : size[1], : size[0]] = small.transpose(2, 0, 1)[:, : self.height, : self.width]
        return out

    def put_mask(self, mask: NDArray[np.bool_]) -> Floats:
        """Return which share of every pixel of the frame a mask covers."""
        size = (max(round(mask.shape[1] * self.scale), 1), max(round(mask.shape[0] * self.scale), 1))
        resized = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)
        small = np.asarray(resized, np.float32) / 255.0
        out = np.zeros((self.height, self.width), np.float32)
        out[: size[1], : size[0]] = small[: self.height, : self.width]
        return out

    def take(self, values: Floats, width: int, height: int) -> Floats:
        """Return a map of the frame in the pixels of a picture."""
        used = values[: max(round(height * self.scale), 1), : max(round(width * self.scale), 1)]
        return np.asarray(Image.fromarray(used).resize((width, height), Image.Resampling.BILINEAR))


def letterbox(width: int, height: int, long_px: int) -> Letterbox:
    """Return the frame of pictures of a size; larger ones are made smaller, none larger."""
    scale = min(long_px / max(width, height), 1.0)
    sides = (round(width * scale), round(height * scale))
    across, down = (max(-(-side // STRIDE_PX) * STRIDE_PX, STRIDE_PX) for side in sides)
    return Letterbox(across, down, scale)


def letterboxes(pictures: Sequence[LabelledPicture], long_px: int) -> list[Letterbox]:
    """Return frames of one size for all pictures, each with its own scale."""
    own = [letterbox(one.width, one.height, long_px) for one in pictures]
    across, down = max(one.width for one in own), max(one.height for one in own)
    return [Letterbox(across, down, one.scale) for one in own]


def begin(pictures: Sequence[LabelledPicture], settings: NetSettings, seed: int) -> np.random.Generator:
    """Make PyTorch repeat itself; return what all other draws come from.

    Raises:
        UserError: If no picture shows an instance.
    """
    if not any(is_shown(pictures)):
        raise UserError(f"the {len(pictures)} pictures to learn from show no instance of {', '.join(settings.classes)}")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    return np.random.Generator(np.random.Philox(seed))


def block(inputs: int, outputs: int, stride: int = 1) -> torch.nn.Sequential:
    """Return a convolution with a norm that does not depend on the other pictures of a step."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), torch.nn.GroupNorm(4, outputs), torch.nn.SiLU()
    )


def batches(
    sources: Sequence[int], is_shown: Sequence[bool], settings: NetSettings, random: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield places of pictures, step by step: datasets count alike, and so do pictures that show something and others.

    Args:
        sources: Dataset of every picture.
        is_shown: Whether it shows an instance.
        settings: How many.
        random: Of the draws.
    """
    kinds = np.array([2 * source + int(shown) for source, shown in zip(sources, is_shown, strict=True)])
    weight = np.zeros(len(kinds))
    for kind in np.unique(kinds):
        weight[kinds == kind] = 1.0 / (kinds == kind).sum()
    for source in np.unique(kinds // 2):
        weight[kinds // 2 == source] /= weight[kinds // 2 == source].sum()
    for _ in range(settings.steps):
        yield random.choice(len(kinds), settings.batch, p=weight / weight.sum())


def changed(image: torch.Tensor, target: torch.Tensor, random: np.random.Generator) -> tuple[torch.Tensor, ...]:
    """Return pictures [n, 3, y, x] and maps of them, turned over at random, the pictures brighter or darker."""
    images, targets = [], []
    for one, own in zip(image, target, strict=True):
        axes = [axis for axis in (-1, -2) if random.random() < 0.5]
        gain, shift = 1.0 + random.uniform(-BRIGHTER, BRIGHTER), random.uniform(-BRIGHTER, BRIGHTER) / 2.0
        images.append(torch.flip((one - GRAY) * gain + GRAY + shift, axes))
        targets.append(torch.flip(own, axes))
    return torch.stack(images), torch.stack(targets)


def optimise(
    net: torch.nn.Module,
    settings: NetSettings,
    steps: Iterator[NDArray[np.int64]],
    loss_of: Callable[[NDArray[np.int64]], torch.Tensor],
) -> None:
    """Take all steps, with a rate that rises and falls."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=settings.rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.rate, total_steps=settings.steps + 1)
    ends = time.monotonic() + settings.seconds if settings.seconds > 0.0 else None
    net.train()
    for step in steps:
        optimizer.zero_grad(set_to_none=True)
        loss_of(step).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        if ends is not None and time.monotonic() > ends:
            break
    net.eval()


def is_shown(pictures: Sequence[LabelledPicture]) -> list[bool]:
    """Return which pictures show an instance."""
    return [bool(picture.shown) for picture in pictures]
