"""One frame as a writer sees it, and the files that a writer makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.frames import NONE
from engine.sensors.sweep import Sweep

LARGEST_UINT16 = 65_535


@dataclass(frozen=True)
class ClassTable:
    """Which class each instance of the scene has, and how ids are stored."""

    class_of_instance: NDArray[np.int32]  # [instance], id in the taxonomy; 0: unlabelled
    largest_class_id: int
    part_count: int = 0  # placements of the scene
    material_count: int = 0

    @property
    def remapped(self) -> bool:
        """Whether instance ids do not fit into 16 bits, so that each frame has its own numbering and a table of it."""
        return len(self.class_of_instance) - 1 > LARGEST_UINT16


@dataclass(frozen=True)
class View:
    """One frame; an output that was not asked for is None. Arrays as in `engine.frames.Frames`, without axis `view`."""

    stem: str  # see FrameGrid.stem
    rgb: NDArray[np.uint8] | None
    depth_m: NDArray[np.float32] | None
    normal: NDArray[np.float32] | None
    instance: NDArray[np.int32] | None
    classes: ClassTable
    depth_sensor_m: NDArray[np.float32] | None = None
    sweep: Sweep | None = None  # of the camera that a LiDAR sits at; None also for others
    jpeg_quality: int = 0  # 1..100; 0: as the writer says
    rgb_linear: NDArray[np.float32] | None = None
    exposure: float = 1.0  # factor on radiance that `rgb` has, of the camera and of the rig
    annotations: Mapping[str, NDArray[Any]] = field(default_factory=lambda: NONE)  # by name, see engine/annotators.py


@dataclass(frozen=True)
class FrameFile:
    """A file of one frame. `role` names its column in index/frames.parquet."""

    role: str
    path: str  # relative to the dataset, `/` between the parts
    data: bytes


class FrameParams:
    """Base of the parameters of writers that make files of one frame: `(params, view) -> list[FrameFile]`."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ()  # what the recipe must render
    MISSING: ClassVar[tuple[str, ...]] = ()  # roles that not every frame has
    IDEAL_SENSOR: ClassVar[bool] = False  # whether it can do nothing with another one
    TABLES: ClassVar[tuple[str, ...]] = ()  # files of engine.write.parts that say what its ids mean


class DatasetParams:
    """Base of the parameters of writers that make one file of all frames: `(params, rows) -> Iterator[bytes]`."""

    PATH: ClassVar[str] = ""  # the file, relative to the dataset
    FORMAT: ClassVar[str] = ""  # its name in the manifest
    NEEDS: ClassVar[tuple[str, ...]] = ()  # kinds of writers whose files it refers to
