"""A mix for PyTorch: a map-style dataset and the sampler that says which frames an epoch has.

    from engine.mix.torch import MixedDataset, MixedSampler, collate

    data = MixedDataset("mix.yaml")
    sampler = MixedSampler(data, rank=0, ranks=1, log="runs/a/mix.jsonl")
    loader = torch.utils.data.DataLoader(data, batch_size=8, sampler=sampler, num_workers=2, collate_fn=collate)
    for epoch in range(20):
        sampler.set_epoch(epoch)
        for images, targets in loader: ...

`data.folders` and `sampler.realised` are what a training notes in the lineage (engine/lineage/runs.py).

Frames of an epoch depend on (plan, seed, epoch, rank) alone, whatever the number of workers. Images are uint8 tensors
[3, y, x]; targets are as torchvision's detection models take them, boxes as x0, y0, x1, y1.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: TID253 - the file exists for it
from torch.utils.data import Dataset, Sampler  # noqa: TID253

from engine.mix.draw import Draws
from engine.mix.mixed import Mixed
from engine.mix.plan import MixPlan, read_plan


class MixedDataset(Dataset[tuple[torch.Tensor, dict[str, Any]]]):
    """All frames of a mix by number.

    Args:
        plan: A plan, or the file of one.
        masks: Whether targets have masks, uint8 [instance, y, x]; of an instance without one its box, filled.
        transform: Called as `transform(image, target)`.
    """

    def __init__(
        self,
        plan: MixPlan | str | Path,
        *,
        masks: bool = True,
        transform: Callable[[torch.Tensor, dict[str, Any]], Any] | None = None,
    ) -> None:
        self.mixed = Mixed(plan if isinstance(plan, MixPlan) else read_plan(Path(plan)))
        self.masks, self.transform = masks, transform

    @property
    def folders(self) -> list[Path]:
        """Folders of the datasets, each once."""
        return list(dict.fromkeys(store.dataset for store in self.mixed.stores))

    def __len__(self) -> int:
        return len(self.mixed)

    def __getitem__(self, number: int) -> Any:
        sample = self.mixed.sample(number, masks=self.masks)
        image = torch.from_numpy(np.array(sample.image.transpose(2, 0, 1)))
        target: dict[str, Any] = {
            "boxes": torch.from_numpy(sample.box_px.astype(np.float32)),
            "labels": torch.from_numpy(sample.label),
            "area": torch.from_numpy(sample.area_px.astype(np.float32)),
            "iscrowd": torch.from_numpy(sample.is_crowd.astype(np.int64)),
            "image_id": sample.number,
            "is_real": sample.is_real,
            "source": sample.source,
            "frame_id": sample.frame_id,
        }
        if sample.masks is not None:
            target["masks"] = torch.from_numpy(sample.masks)
        points = [one for one in sample.keypoints if one is not None]
        if points and len(points) == len(sample.keypoints) and len({len(one) for one in points}) == 1:
            target["keypoints"] = torch.from_numpy(np.stack(points).astype(np.float32))
        return (image, target) if self.transform is None else self.transform(image, target)


class MixedSampler(Sampler[int]):
    """The frames of one rank's epoch, by number.

    Args:
        data: The dataset.
        rank: Of this process, from 0.
        ranks: Processes that share an epoch; each has as many frames as the others.
        log: File that gets a line of JSON with the realised proportions when an epoch ends or is broken off.
    """

    def __init__(self, data: MixedDataset, *, rank: int = 0, ranks: int = 1, log: str | Path | None = None) -> None:
        if not 0 <= rank < ranks:
            raise ValueError(f"rank {rank} is not one of {ranks}")
        self.mixed, self.rank, self.ranks = data.mixed, rank, ranks
        self.log = None if log is None else Path(log)
        self.epoch = self._done = 0
        self.realised: dict[str, list[dict[str, Any]]] = {"epochs": []}  # proportions of those that were drawn

    def __len__(self) -> int:
        return self.mixed.epoch_frames // self.ranks

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration has."""
        self.epoch, self._done = epoch, 0

    def state_dict(self) -> dict[str, int]:
        """Return where the epoch stands, as far as it was asked for; loaders with workers ask ahead."""
        return {"epoch": self.epoch, "done": self._done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on where `state_dict` said."""
        self.epoch, self._done = state["epoch"], state["done"]

    def __iter__(self) -> Iterator[int]:
        draws = self.mixed.epoch(self.epoch).of_rank(self.rank, self.ranks)
        first = self._done
        try:
            for number in self.mixed.numbers(draws)[first:].tolist():
                self._done += 1
                yield number
        finally:
            taken = slice(first, self._done)
            self._write(self.mixed.proportions(Draws(draws.source[taken], draws.frame[taken])))
        self._done = 0

    def _write(self, proportions: dict[str, Any]) -> None:
        line = {"epoch": self.epoch, "rank": self.rank, "ranks": self.ranks, **proportions}
        self.realised["epochs"].append(line)
        if self.log is not None:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def collate(batch: list[tuple[torch.Tensor, dict[str, Any]]]) -> tuple[list[torch.Tensor], list[dict[str, Any]]]:
    """Return images and targets as lists: frames may differ in size, and in how many instances they have."""
    images, targets = zip(*batch, strict=True)
    return list(images), list(targets)
