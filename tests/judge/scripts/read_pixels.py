"""What datumaro, supervision and torchvision make of VOC and Cityscapes folders. Usage: read_pixels.py FOLDER KIND"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np


def with_datumaro(folder: Path, name: str, **options: Any) -> dict[str, Any]:
    """Return boxes and the area of masks by class, as datumaro reads them."""
    import datumaro
    from datumaro.components.annotation import AnnotationType

    dataset = datumaro.Dataset.import_from(str(folder), name, **options)
    labels = [label.name for label in dataset.categories()[AnnotationType.label].items]
    boxes: list[list[Any]] = []
    areas: dict[str, int] = {}
    masks = items = 0
    for item in dataset:
        items += item.media.data.shape[0] > 0
        for annotation in item.annotations:
            label = labels[annotation.label]
            if annotation.type == AnnotationType.mask:
                masks += 1
                areas[label] = areas.get(label, 0) + int(np.asarray(annotation.image).sum())
            elif annotation.type == AnnotationType.bbox:
                flags = [int(annotation.attributes[key]) for key in ("truncated", "occluded", "difficult")]
                boxes.append([item.id, label, *annotation.get_bbox(), *flags])
    return {
        "items": items,
        "subsets": sorted(dataset.subsets()),
        "boxes": sorted(boxes),
        "areas": areas,
        "masks": masks,
    }


def with_supervision(folder: Path) -> dict[str, Any]:
    import supervision

    dataset = supervision.DetectionDataset.from_pascal_voc(str(folder / "JPEGImages"), str(folder / "Annotations"))
    boxes = []
    for path, _, found in dataset:
        boxes += [[Path(path).stem, dataset.classes[c], *box] for c, box in zip(found.class_id, found.xyxy.tolist())]
    return {"images": len(dataset), "boxes": sorted(boxes)}


def with_torchvision(folder: Path) -> dict[str, Any]:
    from torchvision.datasets import Cityscapes

    images, objects, instances = 0, 0, set()
    areas: dict[int, int] = {}
    for split in ("train", "val"):
        for image, (instance, semantic, polygons) in Cityscapes(
            str(folder), split=split, mode="fine", target_type=["instance", "semantic", "polygon"]
        ):
            assert image.size == instance.size == semantic.size
            images += 1
            objects += len(polygons["objects"])
            ids, counts = np.unique(np.asarray(semantic), return_counts=True)
            for value, count in zip(ids.tolist(), counts.tolist()):
                areas[value] = areas.get(value, 0) + count
            instances |= {(images, int(value)) for value in np.unique(np.asarray(instance)) if value}
    return {"images": images, "objects": objects, "areas": areas, "instances": len(instances)}


def main() -> None:
    folder, kind = Path(sys.argv[1]), sys.argv[2]
    with contextlib.redirect_stdout(io.StringIO()):
        if kind == "voc":
            says = {"datumaro": with_datumaro(folder, "voc", coordinate_mode="voc-one-based")}
            says["segmentation"] = with_datumaro(folder, "voc_segmentation")
            says["supervision"] = with_supervision(folder)
        else:
            says = {"datumaro": with_datumaro(folder, "cityscapes"), "torchvision": with_torchvision(folder)}
    print(json.dumps(says))


if __name__ == "__main__":
    main()
