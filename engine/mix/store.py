"""The labels of a dataset for random access: two Arrow files that are mapped into memory, made once a dataset.

They lie in the user's cache under the hash of the manifest, so that every process of a machine shares their pages and
a dataset that changed has others. Nothing is kept in memory but an offset a frame. The cache may be deleted any time.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as ipc
from numpy.typing import NDArray

from engine.collect.holdout import opened
from engine.dataset.manifest import Manifest, read_manifest
from engine.errors import UserError
from engine.formats.index import open_dataset
from engine.formats.record import Frame
from engine.write.begin import MANIFEST
from engine.write.files import refusals_named, temporary_path

FRAMES, INSTANCES = "frames.arrow", "instances.arrow"
ROWS_A_BATCH = 65_536
FRAME_SCHEMA = pa.schema({
    "frame_id": pa.int64(), "world": pa.int64(), "width": pa.int32(), "height": pa.int32(), "image": pa.string(),
    "origin": pa.string(), "end": pa.int64(),
})  # fmt: skip
INSTANCE_SCHEMA = pa.schema({
    "class": pa.string(), "bbox": pa.list_(pa.float64(), 4), "area_px": pa.float64(), "is_crowd": pa.bool_(),
    "counts": pa.binary(), "keypoints": pa.list_(pa.float32()),
})  # fmt: skip


@dataclass(frozen=True)
class Labels:
    """What is seen in a frame."""

    category: list[str]  # class keys, [instance]
    box_px: NDArray[np.float64]  # x, y, width, height, [instance, 4]
    area_px: NDArray[np.float64]  # [instance]
    is_crowd: NDArray[np.bool_]  # [instance]
    counts: list[bytes | None]  # compressed COCO masks on the frame; None: a box alone
    keypoints: list[list[float] | None]  # x, y, visibility each


class LabelStore:
    """The frames of a complete dataset, in the order of its index.

    Raises:
        UserError: If there is no complete dataset, or it has no pictures.
    """

    def __init__(self, dataset: Path) -> None:
        self.dataset = dataset.absolute()
        self.manifest = _manifest_of(self.dataset)
        opened(self.dataset, "mixed for training")
        self._open()

    def __len__(self) -> int:
        return self._frames.num_rows

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs; it maps the files itself."""
        return {"dataset": self.dataset, "manifest": self.manifest}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.dataset, self.manifest = state["dataset"], state["manifest"]
        self._open()

    @property
    def origins(self) -> NDArray[np.bool_]:
        """Whether each frame is real, [frame]."""
        return np.asarray(pc.equal(self._frames["origin"], "real"))

    def image(self, position: int) -> Path:
        """Return the picture of a frame."""
        return self.dataset / str(self._frames["image"][position])

    def frame_id(self, position: int) -> int:
        """Return the number of a frame in its dataset."""
        return int(self._frames["frame_id"][position].as_py())

    def size(self, position: int) -> tuple[int, int]:
        """Return width and height of a frame [px]."""
        return int(self._frames["width"][position].as_py()), int(self._frames["height"][position].as_py())

    def labels(self, position: int) -> Labels:
        """Return what is seen in a frame."""
        first = int(self._end[position - 1]) if position else 0
        rows = self._instances.slice(first, int(self._end[position]) - first)
        return Labels(
            rows["class"].to_pylist(), np.array(rows["bbox"].to_pylist(), np.float64).reshape(-1, 4),
            np.asarray(rows["area_px"]), np.asarray(rows["is_crowd"]), rows["counts"].to_pylist(),
            rows["keypoints"].to_pylist(),
        )  # fmt: skip

    def classes_of_frames(self) -> tuple[list[str], NDArray[np.bool_]]:
        """Return the class keys that are seen, sorted, and whether each is in each frame, [frame, class]."""
        encoded = self._instances["class"].combine_chunks().dictionary_encode()
        keys = encoded.dictionary.to_pylist()
        order = sorted(range(len(keys)), key=lambda number: keys[number])
        shown = np.zeros((len(self), len(keys)), np.bool_)
        frame = np.repeat(np.arange(len(self)), np.diff(self._end, prepend=0))
        shown[frame, np.asarray(encoded.indices)] = True
        return [keys[number] for number in order], shown[:, order]

    def _open(self) -> None:
        folder = cache_folder() / self.manifest.sha256
        if not folder.is_dir():
            _build(self.dataset, self.manifest, folder)
        try:
            self._frames, self._instances = (
                ipc.open_file(pa.memory_map(str(folder / name))).read_all() for name in (FRAMES, INSTANCES)
            )
        except (OSError, pa.ArrowException) as error:
            raise UserError(f"{folder} is damaged: {str(error).splitlines()[0]}; delete it, it is made anew") from error
        self._end: NDArray[np.int64] = np.asarray(self._frames["end"])


def cache_folder() -> Path:
    """Return where label files lie: below XDG_CACHE_HOME."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ommatidia" / "labels"


def _manifest_of(dataset: Path) -> Manifest:
    if not (dataset / MANIFEST).is_file():
        raise UserError(f"{dataset} is no complete dataset: it has no {MANIFEST}")
    return read_manifest(dataset / MANIFEST)


def _build(dataset: Path, manifest: Manifest, folder: Path) -> None:
    """Write the files of a dataset beside their place, then rename: another process may do the same."""
    temporary = temporary_path(folder.parent, folder.name)
    with refusals_named(folder):
        temporary.mkdir(parents=True)
        try:
            _write(dataset, manifest, temporary)
            try:
                temporary.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _write(dataset: Path, manifest: Manifest, folder: Path) -> None:
    with (
        ipc.new_file(str(folder / FRAMES), FRAME_SCHEMA) as frames,
        ipc.new_file(str(folder / INSTANCES), INSTANCE_SCHEMA) as instances,
    ):
        end, frame_rows, instance_rows = 0, _Rows(frames, FRAME_SCHEMA), _Rows(instances, INSTANCE_SCHEMA)
        for frame in open_dataset(dataset).frames():
            for row in _instance_rows(frame):
                end += 1
                instance_rows.add(row)
            frame_rows.add(_frame_row(dataset, manifest, frame, end))
        frame_rows.flush()
        instance_rows.flush()


class _Rows:
    """Rows on their way into a file."""

    def __init__(self, writer: ipc.RecordBatchFileWriter, schema: pa.Schema) -> None:
        self._writer, self._schema = writer, schema
        self._rows: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        if len(self._rows) == ROWS_A_BATCH:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            self._writer.write_batch(pa.RecordBatch.from_pylist(self._rows, self._schema))
            self._rows.clear()


def _frame_row(dataset: Path, manifest: Manifest, frame: Frame, end: int) -> dict[str, Any]:
    if "image" not in frame.files:
        raise UserError(f"{dataset}: frame {frame.id} has no picture to train on; make it with a writer of kind images")
    return {
        "frame_id": frame.id, "world": frame.world, "width": frame.width, "height": frame.height,
        "image": frame.files["image"].relative_to(dataset).as_posix(),
        "origin": frame.row.get("origin") or manifest.origin, "end": end,
    }  # fmt: skip


def _instance_rows(frame: Frame) -> Iterator[dict[str, Any]]:
    for instance in frame.instances:
        x, y, width, height = instance.box
        area = width * height if instance.visible_px is None else instance.visible_px
        yield {
            "class": instance.category, "bbox": [x, y, width, height], "area_px": float(area),
            "is_crowd": instance.is_crowd, "counts": None if instance.mask is None else instance.mask.counts,
            "keypoints": None if instance.keypoints is None else instance.keypoints.ravel().tolist(),
        }  # fmt: skip
