"""Which formats a folder holds, and the checks of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from engine.validate.bop import check_bop_folder, has_bop
from engine.validate.coco_folder import check_coco_folder, has_coco
from engine.validate.finding import Finding
from engine.validate.folder import Folder
from engine.validate.kitti import check_kitti_folder, has_kitti
from engine.validate.ommatidia import check_ommatidia_folder, has_ommatidia
from engine.validate.yolo import check_yolo_folder
from engine.validate.yolo_yaml import has_yolo

PRESENT: Mapping[str, Callable[[Folder], bool]] = MappingProxyType({
    "ommatidia": has_ommatidia, "coco": has_coco, "yolo": has_yolo, "kitti": has_kitti, "bop": has_bop,
})  # fmt: skip


def formats_of(folder: Folder) -> tuple[str, ...]:
    """Return the formats that a folder holds; a dataset of ours is that alone."""
    if has_ommatidia(folder):
        return ("ommatidia",)
    return tuple(name for name, is_there in PRESENT.items() if is_there(folder))


def check(folder: Folder, formats: tuple[str, ...], *, with_precision: bool = False) -> Iterator[Finding]:
    """Yield everything that is wrong with a folder, format after format."""
    yield from folder.obstacles()
    for name in formats:
        if name == "ommatidia":
            yield from check_ommatidia_folder(folder, with_precision=with_precision)
        elif name == "coco":
            yield from check_coco_folder(folder, with_precision=with_precision)
        else:
            yield from {"yolo": check_yolo_folder, "kitti": check_kitti_folder, "bop": check_bop_folder}[name](folder)
