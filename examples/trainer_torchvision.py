"""A trainer of your own: follow `training.json` with a detector of torchvision.

    python -m engine.train --data out/real out/rendered --predict out/test --task bbox --out runs/a \
        --trainer "python examples/trainer_torchvision.py"

The plan says all there is to know (docs/train.md); nothing of this project is imported. Needs torch and torchvision.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torchvision.models.detection import ssdlite320_mobilenet_v3_large as network
from torchvision.transforms.functional import to_tensor


def main() -> None:
    """Train on what the plan names, then write what it asks for."""
    path = Path(sys.argv[1])
    plan, folder = json.loads(path.read_text()), path.parent
    classes, settings = plan["settings"]["classes"], plan["settings"]
    torch.manual_seed(plan["seed"])
    model = network(weights=None, weights_backbone=None, num_classes=len(classes) + 1, trainable_backbone_layers=6)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.get("rate", 1e-3))
    shown = [one for part in plan["train"] for one in labelled(folder / part["coco"], Path(part["images"]), classes)]
    model.train()
    for step in range(settings.get("steps", 200)):
        places = torch.randint(len(shown), (settings.get("batch", 4),)).tolist()
        images, targets = zip(*((picture(shown[k][0]), shown[k][1]) for k in places), strict=True)
        loss = sum(model(list(images), list(targets)).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            print(f"step {step}: loss {float(loss.detach()):.3f}", flush=True)
    model.eval()
    for part in plan["predict"]:
        (folder / part["out"]).write_text(
            json.dumps(predicted(model, folder / part["coco"], Path(part["images"]), classes))
        )


def picture(path: Path) -> torch.Tensor:
    """Return a picture [3, y, x], 0..1."""
    return to_tensor(Image.open(path).convert("RGB"))


def labelled(coco: Path, images: Path, classes: list[str]) -> list[tuple[Path, dict[str, torch.Tensor]]]:
    """Return pictures with boxes and labels (1: the first class); those that show nothing, too."""
    data = json.loads(coco.read_text())
    label = {one["id"]: classes.index(one["name"]) + 1 for one in data["categories"] if one["name"] in classes}
    rows: dict[int, list[tuple[list[float], int]]] = {one["id"]: [] for one in data["images"]}
    for one in data["annotations"]:
        x, y, width, height = one["bbox"]
        if one["category_id"] in label and min(width, height) > 0 and not one.get("iscrowd"):
            rows[one["image_id"]].append(([x, y, x + width, y + height], label[one["category_id"]]))
    return [
        (images / one["file_name"], {
            "boxes": torch.tensor([box for box, _ in rows[one["id"]]]).float().reshape(-1, 4),
            "labels": torch.tensor([number for _, number in rows[one["id"]]], dtype=torch.int64),
        })
        for one in data["images"]
    ]  # fmt: skip


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def predicted(model: torch.nn.Module, coco: Path, images: Path, classes: list[str]) -> list[dict[str, Any]]:
    """Return COCO results: boxes of classes that the file knows, and a score of every picture."""
    data, entries = json.loads(coco.read_text()), []
    ids = {one["name"]: one["id"] for one in data["categories"]}
    for one in data["images"]:
        found = model([picture(images / one["file_name"])])[0]
        entries.append({"image_id": one["id"], "score": max(found["scores"].tolist(), default=0.0)})
        for box, label, score in zip(*(found[key].tolist() for key in ("boxes", "labels", "scores")), strict=True):
            if classes[label - 1] in ids and score >= 0.02:
                sides = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
                own = {"category_id": ids[classes[label - 1]], "bbox": sides, "score": score}
                entries.append({"image_id": one["id"], **own})
    return entries


if __name__ == "__main__":
    main()
