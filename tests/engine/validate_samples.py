"""Small clean folders of COCO, YOLO, KITTI and BOP, drawn by NumPy and pycocotools: what tests plant faults into."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image
from pycocotools import mask as coco_mask

WIDTH, HEIGHT = 64, 48
FOCAL = 50.0


def ellipse(x: float, y: float, a: float, b: float) -> np.ndarray:
    """Return a filled ellipse as a mask, pixels whose centre it holds."""
    i, j = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    return ((i - x) / a) ** 2 + ((j - y) / b) ** 2 <= 1.0


def box_of(mask: np.ndarray) -> list[int]:
    y, x = np.nonzero(mask)
    return [int(x.min()), int(y.min()), int(np.ptp(x)) + 1, int(np.ptp(y)) + 1]


def rle_of(mask: np.ndarray) -> dict[str, Any]:
    rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [HEIGHT, WIDTH], "counts": rle["counts"].decode()}


def picture(path: Path, *, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (90, 100, 110)).save(path)


SHAPES = ((14, 12, 8, 6), (40, 30, 12, 9), (52, 12, 6, 8))


def coco_data() -> dict[str, Any]:
    """Return two images with three objects: an RLE with silhouette, a polygon, keypoints; and an empty image."""
    annotations = []
    for number, shape in enumerate(SHAPES, 1):
        mask = ellipse(*shape)
        area = int(mask.sum())
        annotations.append(
            {"id": number, "image_id": 1, "category_id": 1, "bbox": box_of(mask), "area": area, "iscrowd": 0}
            | {"segmentation": rle_of(mask)}
        )
    amodal = box_of(ellipse(14, 12, 10, 7))
    in_frame, full = annotations[0]["area"] + 10, annotations[0]["area"] + 30
    annotations[0] |= {
        "visible_px": annotations[0]["area"], "in_frame_px": in_frame, "full_px": full, "amodal_bbox": amodal,
        "occlusion": round(1 - annotations[0]["area"] / in_frame, 4), "truncation": round(1 - in_frame / full, 4),
    }  # fmt: skip
    points = [40, 22, 2, 30, 30, 1, 0, 0, 0]
    annotations[1] |= {"category_id": 2, "keypoints": points, "num_keypoints": 2}
    ring = [4.0, 3.0, 24.0, 3.0, 24.0, 23.0, 4.0, 23.0]
    annotations.append(
        {"id": 4, "image_id": 2, "category_id": 1, "bbox": [4, 3, 20, 20], "area": 400, "iscrowd": 0}
        | {"segmentation": [ring]}
    )
    crowd = ellipse(44, 30, 15, 10)
    annotations.append(
        {"id": 5, "image_id": 2, "category_id": 1, "bbox": box_of(crowd), "area": int(crowd.sum()), "iscrowd": 1}
        | {"segmentation": rle_of(crowd)}
    )
    names = ["top", "left", "back"]
    return {
        "images": [
            {"id": i, "file_name": f"{i:06d}.png", "width": WIDTH, "height": HEIGHT} for i in (1, 2, 3)
        ],
        "annotations": annotations,
        "categories": [
            {"id": 1, "name": "carton", "supercategory": "load"},
            {"id": 2, "name": "forklift", "supercategory": "", "keypoints": names, "skeleton": [[1, 2], [2, 3]],
             "sigmas": [0.05, 0.06, 0.07]},
        ],
    }  # fmt: skip


def write_coco(root: Path) -> Path:
    """Write the COCO sample: images/ and annotations/instances_train.json."""
    for i in (1, 2, 3):
        picture(root / f"images/{i:06d}.png")
    return write_json(root / "annotations/instances_train.json", coco_data())


def write_json(path: Path, data: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    return path


def write_panoptic(root: Path) -> Path:
    """Write a COCO panoptic sample."""
    ids = np.zeros((HEIGHT, WIDTH), np.int64)
    for number, shape in zip((1, 300, 70000), SHAPES):
        ids[ellipse(*shape)] = number
    rgb = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
    picture(root / "images/000001.png")
    png = root / "annotations/panoptic_train/000001.png"
    png.parent.mkdir(parents=True)
    Image.fromarray(rgb).save(png)
    segments = [
        {"id": i, "category_id": 1, "bbox": box_of(ids == i), "area": int((ids == i).sum()), "iscrowd": 0}
        for i in (1, 300, 70000)
    ]
    data = {
        "images": [{"id": 1, "file_name": "000001.png", "width": WIDTH, "height": HEIGHT}],
        "annotations": [{"image_id": 1, "file_name": "000001.png", "segments_info": segments}],
        "categories": [{"id": 1, "name": "carton", "supercategory": "load", "isthing": 1}],
    }
    return write_json(root / "annotations/panoptic_train.json", data)


ROWS = {
    "detect": ("0 0.25 0.25 0.3 0.3", "1 0.5 0.5 0.4 0.2", "0 0.7 0.7 0.2 0.2"),
    "segment": ("0 0.1 0.1 0.4 0.1 0.4 0.4", "1 0.3 0.4 0.7 0.4 0.7 0.6 0.3 0.6 0.2 0.5"),
    "pose": ("0 0.25 0.25 0.3 0.3 0.2 0.2 2 0.3 0.3 1 0 0 0", "0 0.6 0.6 0.2 0.2 0.6 0.6 2 0 0 0 0 0 0"),
    "obb": ("0 0.2 0.2 0.6 0.2 0.6 0.5 0.2 0.5", "1 0.5 0.6 0.65 0.8 0.5 1.0 0.35 0.8"),
}


def write_yolo(root: Path, task: str = "detect") -> Path:
    """Write a YOLO sample of a task; return its first label file."""
    data: dict[str, Any] = {
        "path": ".",
        "train": "images/train",
        "val": "images/val",
        "names": {0: "carton", 1: "pallet"},
    }
    if task == "pose":
        data |= {"kpt_shape": [3, 3], "flip_idx": [0, 2, 1]}
    root.mkdir(parents=True, exist_ok=True)
    (root / "data.yaml").write_text(yaml.safe_dump(data))
    for split, stem in (("train", "a"), ("train", "b"), ("val", "c")):
        picture(root / f"images/{split}/{stem}.png", size=(WIDTH, HEIGHT if task != "obb" else WIDTH * 3 // 4))
        label = root / f"labels/{split}/{stem}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("\n".join(ROWS[task]) + "\n")
    return root / "labels/train/a.txt"


def kitti_row(x: float, z: float, turn: float, *, hidden: tuple[float, int] = (0.0, 0)) -> str:
    """Return a Car of 1.5 x 1.6 x 3.9 m on the ground, its 2D box from its own projected corners."""
    h, w, length = 1.5, 1.6, 3.9
    corners = []
    for dx in (-length / 2, length / 2):
        for dz in (-w / 2, w / 2):
            for dy in (0.0, -h):
                corners.append((
                    x + math.cos(turn) * dx + math.sin(turn) * dz,
                    1.6 + dy,
                    z - math.sin(turn) * dx + math.cos(turn) * dz,
                ))  # fmt: skip
    pixels = np.array([(FOCAL * a / c + WIDTH / 2, FOCAL * b / c + HEIGHT / 2) for a, b, c in corners])
    low, high = np.clip(pixels.min(axis=0), 0, None), np.minimum(pixels.max(axis=0), [WIDTH, HEIGHT])
    alpha = math.remainder(turn - math.atan2(x, z), 2 * math.pi)
    return (
        f"Car {hidden[0]:.2f} {hidden[1]} {alpha:.2f} {low[0]:.2f} {low[1]:.2f} {high[0]:.2f} {high[1]:.2f} "
        f"{h:.2f} {w:.2f} {length:.2f} {x:.2f} 1.60 {z:.2f} {turn:.2f}"
    )


CALIBRATION = "\n".join(
    [
        *(f"{name}: {FOCAL} 0 {WIDTH / 2} 0 0 {FOCAL} {HEIGHT / 2} 0 0 0 1 0" for name in ("P0", "P1", "P2", "P3")),
        "R0_rect: 1 0 0 0 1 0 0 0 1",
        "Tr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 0",
        "Tr_imu_to_velo: 1 0 0 0 0 1 0 0 0 0 1 0",
    ]
)
DONTCARE = "DontCare -1 -1 -10 3.00 4.00 9.00 8.00 -1 -1 -1 -1000 -1000 -1000 -10"


def write_kitti(root: Path) -> Path:
    """Write a KITTI sample; return its first label file."""
    rows = [kitti_row(-2, 12, 0.4), kitti_row(3, 15, -1.2, hidden=(0.0, 1)), kitti_row(1, 20, 3.0), DONTCARE]
    for stem in ("000000", "000001"):
        picture(root / f"image_2/{stem}.png")
        for folder, text in (("label_2", "\n".join(rows) + "\n"), ("calib", CALIBRATION + "\n")):
            path = root / folder / f"{stem}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        points = root / f"velodyne/{stem}.bin"
        points.parent.mkdir(exist_ok=True)
        np.ones((5, 4), np.float32).tofile(points)
        depth = root / f"depth/{stem}.png"
        depth.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((HEIGHT, WIDTH), 2560, np.uint16)).save(depth)
    return root / "label_2/000000.txt"


def write_bop(root: Path) -> Path:
    """Write a BOP sample with one scene of two images and two models; return the folder of the scene."""
    scene = root / "train/000001"
    models = {str(i): {"diameter": 150.0, "size_x": 100.0, "size_y": 100.0, "size_z": 60.0} for i in (1, 2)}
    write_json(root / "models/models_info.json", models)
    for i in (1, 2):
        (root / f"models/obj_{i:06d}.ply").write_text("ply\n")
    cameras: dict[str, Any] = {}
    truth: dict[str, Any] = {}
    infos: dict[str, Any] = {}
    for image in (0, 1):
        picture(scene / f"rgb/{image:06d}.png")
        for name in ("depth", "mask", "mask_visib"):
            (scene / name).mkdir(exist_ok=True)
        Image.fromarray(np.full((HEIGHT, WIDTH), 900, np.uint16)).save(scene / f"depth/{image:06d}.png")
        k = [FOCAL, 0.0, WIDTH / 2, 0.0, FOCAL, HEIGHT / 2, 0.0, 0.0, 1.0]
        cameras[str(image)] = {"cam_K": k, "depth_scale": 1.0}
        whole = [ellipse(*SHAPES[0]), ellipse(*SHAPES[1])]
        seen = [whole[0] & ~ellipse(20, 12, 5, 6), whole[1]]
        truth[str(image)], infos[str(image)] = [], []
        for number in (0, 1):
            turn = [0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
            pose = {"cam_R_m2c": turn, "cam_t_m2c": [10.0 * number, 5.0, 700.0], "obj_id": number + 1}
            truth[str(image)].append(pose)
            counts = int(whole[number].sum()), int(seen[number].sum())
            infos[str(image)].append({
                "bbox_obj": box_of(whole[number]), "bbox_visib": box_of(seen[number]), "px_count_all": counts[0],
                "px_count_valid": counts[0], "px_count_visib": counts[1], "visib_fract": counts[1] / counts[0],
            })  # fmt: skip
            for name, mask in (("mask", whole[number]), ("mask_visib", seen[number])):
                Image.fromarray(mask.astype(np.uint8) * 255).save(scene / name / f"{image:06d}_{number:06d}.png")
    for name, data in (("scene_camera", cameras), ("scene_gt", truth), ("scene_gt_info", infos)):
        write_json(scene / f"{name}.json", data)
    return scene
