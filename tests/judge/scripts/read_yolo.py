"""What ultralytics and supervision make of a YOLO folder. Usage: read_yolo.py FOLDER detect|segment|pose|obb"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ["YOLO_CONFIG_DIR"] = tempfile.mkdtemp()
os.environ["YOLO_OFFLINE"] = "true"


def with_verify(folder: Path, data: dict[str, Any]) -> dict[str, Any]:
    """Return what ultralytics says about every picture and its labels."""
    from ultralytics.data.utils import verify_image_label

    count, columns = data.get("kpt_shape", (0, 0))
    counts = {"images": 0, "missing": 0, "found": 0, "empty": 0, "corrupt": 0, "rows": 0}
    messages = []
    for image in sorted((folder / "images").glob("*/*")):
        label = folder / "labels" / image.parent.name / f"{image.stem}.txt"
        said = verify_image_label((str(image), str(label), "", count > 0, data["nc"], count, columns, False))
        counts["images"] += 1
        counts["rows"] += 0 if said[1] is None else len(said[1])
        for name, number in zip(("missing", "found", "empty", "corrupt"), said[5:9], strict=True):
            counts[name] += number
        messages += [said[9]] if said[9] else []
    return counts | {"messages": messages}


def with_painting(folder: Path) -> list[int]:
    """Return the areas of the masks that ultralytics trains on."""
    import numpy as np
    from PIL import Image
    from ultralytics.data.utils import polygon2mask

    areas = []
    for image in sorted((folder / "images").glob("*/*")):
        size = Image.open(image).size
        for line in (folder / "labels" / image.parent.name / f"{image.stem}.txt").read_text().splitlines():
            ring = np.array(line.split()[1:], np.float32).reshape(-1, 2) * size
            areas.append(int(polygon2mask(size[::-1], [ring.ravel()]).sum()))
    return areas


def with_loader(data: dict[str, Any], task: str) -> dict[str, Any]:
    """Return what the loader that trains gives."""
    from ultralytics.cfg import get_cfg
    from ultralytics.data.dataset import YOLODataset

    says: dict[str, Any] = {"images": 0, "boxes": 0, "batches": 0, "keypoints": 0}
    for split in ("train", "val"):
        dataset = YOLODataset(
            img_path=data[split],
            data=data,
            task=task,
            augment=False,
            imgsz=320,
            hyp=get_cfg(),
            rect=False,
            batch_size=1,
        )
        says["images"] += len(dataset.labels)
        says["boxes"] += sum(len(label["bboxes"]) for label in dataset.labels)
        for number in range(len(dataset)):
            sample = dataset[number]
            says["batches"] += int(sample["img"].shape[0] == 3)
            if task == "pose":
                says["keypoints"] += int((sample["keypoints"][..., 2] > 0).sum())
    return says


def with_supervision(folder: Path, task: str) -> dict[str, Any]:
    """Return boxes [px] and the areas of masks."""
    import supervision

    says: dict[str, Any] = {"images": 0, "boxes": [], "areas": []}
    for images in sorted((folder / "images").iterdir()):
        dataset = supervision.DetectionDataset.from_yolo(
            str(images), str(folder / "labels" / images.name), str(folder / "data.yaml"),
            force_masks=task == "segment", is_obb=task == "obb",
        )  # fmt: skip
        says["images"] += len(dataset)
        for _, _, found in dataset:
            says["boxes"] += found.xyxy.tolist()
            says["areas"] += [] if found.mask is None else [int(mask.sum()) for mask in found.mask]
    return says


def main() -> None:
    folder, task = Path(sys.argv[1]), sys.argv[2]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        from ultralytics.data.utils import check_det_dataset

        data = check_det_dataset(str(folder / "data.yaml"), autodownload=False)
        says = {"supervision": with_supervision(folder, task), "verify": with_verify(folder, data)}
        says["loader"] = with_loader(data, task)
        says["painted"] = with_painting(folder) if task == "segment" else []
    print(json.dumps(says))


if __name__ == "__main__":
    main()
