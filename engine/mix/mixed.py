"""Several datasets as one: which frames an epoch has, their pictures and labels, and what shares came out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import UserError
from engine.mix.draw import Draws, Integers, Sequences, draw_epoch, quotas
from engine.mix.plan import MixPlan, SourcePlan
from engine.mix.store import LabelStore
from engine.query import frames_where, open_index


@dataclass(frozen=True)
class Sample:
    """A frame of a mix."""

    image: NDArray[np.uint8]  # sRGB [y, x, 3]
    box_px: NDArray[np.float64]  # x0, y0, x1, y1, [instance, 4]
    label: NDArray[np.int64]  # 1 .. number of classes, [instance]
    area_px: NDArray[np.float64]  # [instance]
    is_crowd: NDArray[np.bool_]  # [instance]
    masks: NDArray[np.uint8] | None  # [instance, y, x]; None: not asked for
    keypoints: list[NDArray[np.float64] | None]  # [k, 3] each; None: it has none
    number: int  # of the frame in the mix
    source: str
    dataset_id: str
    frame_id: int  # in its dataset
    is_real: bool


class Mixed:
    """The frames of the datasets of a plan; see engine/mix/plan.py.

    Raises:
        UserError: If a dataset is missing, a condition is no SQL over it, or classes do not fit.
    """

    def __init__(self, plan: MixPlan) -> None:
        self.plan = plan
        self.names = tuple(plan.sources)
        self.stores = [LabelStore(Path(source.dataset)) for source in plan.sources.values()]
        self._first = np.concatenate([[0], np.cumsum([len(store) for store in self.stores])])
        self._is_real = [store.origins for store in self.stores]
        self._name_of: list[dict[str, str | None]] = []
        self._shown: list[tuple[list[str], NDArray[np.bool_]]] = []  # names, [frame, name]
        for name, source, store in zip(self.names, plan.sources.values(), self.stores, strict=True):
            self._read_classes(name, source, store)
        self.classes = plan.classes or tuple(sorted({name for names, _ in self._shown for name in names}))
        self.label_of = {name: number for number, name in enumerate(self.classes, start=1)}
        self._check_classes()
        self.slices: list[dict[str, NDArray[np.bool_]]] = [
            _slices_of(name, source, store)
            for name, source, store in zip(self.names, plan.sources.values(), self.stores, strict=True)
        ]
        self._check_schedule()
        self._sequences = Sequences([self._weights(number) for number in range(len(self.names))], plan.seed)
        self._counts: list[Integers] = []

    def __len__(self) -> int:
        return int(self._first[-1])

    @property
    def epoch_frames(self) -> int:
        """Draws of an epoch."""
        return self.plan.epoch_frames or len(self)

    def epoch(self, epoch: int) -> Draws:
        """Return the draws of an epoch, in order; they depend on the plan, its datasets and `epoch` alone."""
        while len(self._counts) <= epoch:
            self._counts.append(quotas(self.shares(len(self._counts)), self.epoch_frames))
        return draw_epoch(self._sequences, self._counts, epoch)

    def shares(self, epoch: int) -> NDArray[np.float64]:
        """Return the share of every source in an epoch, [source]; they add up to 1."""
        own = np.array([source.share for source in self.plan.sources.values()])
        real = self.plan.real_share(epoch)
        if real is None:
            return own / own.sum()
        is_real = np.array([flags.all() for flags in self._is_real])
        of_origin = np.where(is_real, real, 1.0 - real)
        total = np.where(is_real, own[is_real].sum(), own[~is_real].sum())
        return of_origin * own / total

    def numbers(self, draws: Draws) -> Integers:
        """Return the number of every draw's frame in the mix, which `sample` takes."""
        return self._first[draws.source] + draws.frame

    def sample(self, number: int, *, masks: bool = True) -> Sample:
        """Return a frame.

        Raises:
            UserError: If its picture cannot be read.
        """
        if not 0 <= number < len(self):
            raise IndexError(f"frame {number} of {len(self)}")
        source = int(np.searchsorted(self._first, number, side="right")) - 1
        position, store, name_of = number - int(self._first[source]), self.stores[source], self._name_of[source]
        labels = store.labels(position)
        names = [name_of[key] for key in labels.category]
        kept = [row for row, name in enumerate(names) if name is not None]
        box = labels.box_px[kept]
        size = store.size(position)
        points = [labels.keypoints[row] for row in kept]
        return Sample(
            image=_read_rgb(store.image(position), size),
            box_px=np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], axis=1),
            label=np.array([self.label_of[str(names[row])] for row in kept], np.int64),
            area_px=labels.area_px[kept],
            is_crowd=labels.is_crowd[kept],
            masks=_decode([labels.counts[row] for row in kept], box, size) if masks else None,
            keypoints=[None if one is None else np.reshape(one, (-1, 3)) for one in points],
            number=number,
            source=self.names[source],
            dataset_id=store.manifest.dataset_id,
            frame_id=store.frame_id(position),
            is_real=bool(self._is_real[source][position]),
        )

    def proportions(self, draws: Draws) -> dict[str, Any]:
        """Return what some draws are made of: frames by source and origin, by class shown, and by slice."""
        sources: Counter[str] = Counter()
        classes: Counter[str] = Counter()
        slices: Counter[str] = Counter()
        real = distinct = 0
        for number, name in enumerate(self.names):
            frames = draws.frame[draws.source == number]
            sources[name] += len(frames)
            distinct += len(np.unique(frames))
            real += int(self._is_real[number][frames].sum())
            names, shown = self._shown[number]
            classes.update(dict(zip(names, shown[frames].sum(axis=0).tolist(), strict=True)))
            for condition, holds in self.slices[number].items():
                slices[f"{name}: {condition}"] += int(holds[frames].sum())
        total = len(draws.frame)
        return {
            "frames": total, "distinct": distinct, "real": real, "synthetic": total - real,
            "real_share": real / total if total else 0.0, "sources": dict(sources),
            "classes": {name: classes[name] for name in self.classes}, "slices": dict(slices),
        }  # fmt: skip

    def name_of(self, source: int, key: str) -> str | None:
        """Return the name of a source's class; None: it is dropped."""
        return self._name_of[source][key]

    def origin_of(self, source: int, position: int) -> dict[str, Any]:
        """Return where a frame comes from, as plain data."""
        store = self.stores[source]
        return {
            "source": self.names[source], "dataset_id": store.manifest.dataset_id,
            "frame_id": store.frame_id(position), "is_real": bool(self._is_real[source][position]),
        }  # fmt: skip

    def datasets(self) -> dict[str, str]:
        """Return the id of every source's dataset."""
        return {name: store.manifest.dataset_id for name, store in zip(self.names, self.stores, strict=True)}

    def _read_classes(self, name: str, source: SourcePlan, store: LabelStore) -> None:
        keys, shown = store.classes_of_frames()
        mapped = source.classes
        if mapped is not None and (missing := sorted(set(keys) - set(mapped))):
            raise UserError(f"sources.{name}.classes does not say what becomes of {', '.join(missing)}; null drops it")
        name_of: dict[str, str | None] = {key: key if mapped is None else mapped[key] for key in keys}
        names = sorted({one for one in name_of.values() if one is not None})
        of_name = [[column for column, key in enumerate(keys) if name_of[key] == one] for one in names]
        merged = np.stack([shown[:, columns].any(axis=1) for columns in of_name], axis=1) if names else shown[:, :0]
        self._name_of.append(name_of)
        self._shown.append((names, merged))

    def _check_classes(self) -> None:
        for source, (names, _) in zip(self.names, self._shown, strict=True):
            if unknown := sorted(set(names) - set(self.classes)):
                raise UserError(f"sources.{source} shows {', '.join(unknown)}, which `classes` does not name")
        if unknown := sorted(set(self.plan.class_weights) - set(self.classes)):
            raise UserError(f"class_weights.{unknown[0]}: no source shows it; there are {', '.join(self.classes)}")

    def _check_schedule(self) -> None:
        if self.plan.real is None:
            return
        for name, flags in zip(self.names, self._is_real, strict=True):
            if flags.any() and not flags.all():
                raise UserError(f"sources.{name} holds real and synthetic frames; `real` needs sources of one origin")
        have = {bool(flags.all()) for flags in self._is_real}
        if len(have) == 1:
            only = "real" if True in have else "synthetic"
            raise UserError(f"`real` is a share of two origins, and every source here is {only}; leave `real` out")

    def _weights(self, number: int) -> NDArray[np.float64]:
        """Return the weight of every frame of a source: of its most wanted class, times those of its slices.

        Source of the former: repeat factors, Gupta et al., LVIS, CVPR 2019, section 5.
        """
        names, shown = self._shown[number]
        of_class = np.array([self.plan.class_weights.get(name, 1.0) for name in names])
        weight = np.where(shown, of_class, 0.0).max(axis=1, initial=0.0)
        weight[~shown.any(axis=1)] = 1.0  # of a frame that shows none
        source = self.plan.sources[self.names[number]]
        for condition, holds in self.slices[number].items():
            weight = weight * np.where(holds, source.slices[condition], 1.0)
        return weight


def _slices_of(name: str, source: SourcePlan, store: LabelStore) -> dict[str, NDArray[np.bool_]]:
    found = {}
    for condition in source.slices:
        with open_index(store.dataset) as connection:
            rows = frames_where(connection, condition, where=f"sources.{name}.slices")
        found[condition] = np.array([holds for _, holds in rows], np.bool_)
    return found


def _read_rgb(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as picture:
            rgb = np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{path} cannot be read: {error}; `python -m engine.dataset verify` says what else") from error
    if rgb.shape[:2] != (size[1], size[0]):
        raise UserError(f"{path} is {rgb.shape[1]}x{rgb.shape[0]}, its index says {size[0]}x{size[1]}")
    return rgb


def _decode(counts: Sequence[bytes | None], box: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return masks [instance, y, x]; of an instance without one, its box filled."""
    from pycocotools import mask as coco_mask

    width, height = size
    masks = np.zeros((len(counts), height, width), np.uint8)
    for number, encoded in enumerate(counts):
        if encoded is None:
            x, y, box_width, box_height = box[number]
            left, top = max(round(x), 0), max(round(y), 0)
            masks[number, top : max(round(y + box_height), 0), left : max(round(x + box_width), 0)] = 1
        else:
            masks[number] = coco_mask.decode({"size": [height, width], "counts": encoded})
    return masks
