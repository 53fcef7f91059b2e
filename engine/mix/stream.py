"""An epoch of a mix as files: a tar stream in the order of the draws, or the folder of a format."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from engine.formats.export import Clock, ExportRequest, export
from engine.formats.plain_record import plain_frame, plain_instance
from engine.formats.record import Category, Frame, Instance, Mask
from engine.formats.registry import FORMATS
from engine.mix.draw import Draws
from engine.mix.mixed import Mixed

MODE = 0o644  # of members; no times and owners, so that equal epochs make equal bytes


@dataclass(frozen=True)
class MixSource:
    """The draws of a mix as records of formats; a frame that is drawn twice comes twice, under two names."""

    mixed: Mixed
    draws: Draws
    name: str = "mix"

    @property
    def categories(self) -> tuple[Category, ...]:
        """The names of the mix, numbered from 1."""
        return tuple(Category(number, name, name) for name, number in self.mixed.label_of.items())

    def frames(self) -> Iterator[Frame]:
        """Yield the frames in the order of the draws; ids count them."""
        pairs = zip(self.draws.source.tolist(), self.draws.frame.tolist(), strict=True)
        for number, (source, position) in enumerate(pairs):
            yield self._frame(number, source, position)

    def _frame(self, number: int, source: int, position: int) -> Frame:
        store = self.mixed.stores[source]
        width, height = store.size(position)
        labels = store.labels(position)
        instances = []
        for row, key in enumerate(labels.category):
            name, counts, points = self.mixed.name_of(source, key), labels.counts[row], labels.keypoints[row]
            if name is None:
                continue
            x, y, box_width, box_height = labels.box_px[row].tolist()
            mask = None if counts is None else Mask(counts, height, width)
            instances.append(
                Instance(
                    row + 1, name, (x, y, box_width, box_height), None if mask is None else int(labels.area_px[row]),
                    mask, keypoints=None if points is None else np.reshape(points, (-1, 3)).astype(np.float64),
                    is_crowd=bool(labels.is_crowd[row]),
                )
            )  # fmt: skip
        return Frame(
            number, width, height, tuple(instances), {"image": store.image(position)},
            row=self.mixed.origin_of(source, position), stem=f"{number:08d}",
        )  # fmt: skip


def export_epoch(
    mixed: Mixed, draws: Draws, format_name: str, out: Path, *, options: dict[str, Any], clock: Clock | None = None
) -> dict[str, Any]:
    """Write draws as the folder of a format, such as `huggingface` or `webdataset`; return what export.json says.

    Raises:
        UserError: If there is no such format, or `out` holds something.
    """
    request = ExportRequest(FORMATS.get(format_name), out, options)
    facts = {"mix": {"datasets": mixed.datasets(), "proportions": mixed.proportions(draws)}}
    return export(MixSource(mixed, draws), request, facts=facts, clock=clock)


def write_tar(mixed: Mixed, draws: Draws, file: BinaryIO, update: Callable[[int], None] = lambda _: None) -> None:
    """Write draws as one WebDataset stream: `<number>.<jpg or png>` and `<number>.json` a sample, in order.

    Source: https://github.com/webdataset/webdataset, "The WebDataset format"; POSIX.1-1988 ustar.
    """
    source = MixSource(mixed, draws)
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.USTAR_FORMAT) as tar:
        for frame in source.frames():
            objects = [plain_instance(i, mixed.label_of[i.category]) for i in frame.instances]
            for plain, instance in zip(objects, frame.instances, strict=True):
                plain["category_name"] = instance.category
            label = plain_frame(frame) | {"mix": dict(frame.row), "objects": objects}
            picture = frame.files["image"]
            _add(tar, f"{frame.stem}{picture.suffix}", picture.read_bytes())
            _add(tar, f"{frame.stem}.json", json.dumps(label, separators=(",", ":")).encode())
            update(1)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    head = tarfile.TarInfo(name)
    head.size, head.mode = len(data), MODE
    tar.addfile(head, io.BytesIO(data))
