"""Frames with every kind of label, drawn by NumPy: boxes in space, with joints and silhouettes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask
from scipy.spatial import ConvexHull

from engine.formats.record import Amodal, Category, Frame, Instance, Mask, Solid

WIDTH, HEIGHT, FOCAL = 320, 240, 260.0
EVIL = "<script>window.evil=1</script><img src=x onerror=window.evil=2>\u2028&amp;\x1b"
CATEGORIES = (
    Category(1, "carton", "Carton"),
    Category(2, "person", "Person", "", ("head", "left", "right", "foot"), ((0, 1), (0, 2), (0, 3))),
    Category(3, EVIL, EVIL),
)
KEYS = ("carton", "person", EVIL)
JOINTS = np.array([[0.0, 0.0, 0.5], [0.4, 0.0, 0.1], [-0.4, 0.0, 0.1], [0.0, 0.0, -0.5]])  # in units of the box


def view_frames(folder: Path, count: int) -> Iterator[Frame]:
    """Yield frames with pictures in `folder`; the last one is empty and has no picture."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        yield _frame(folder, number, 0 if number == count - 1 else 7)


def _project(points_m: np.ndarray) -> np.ndarray:
    """Return pixels of points in the frame of a camera that looks along +y, z up."""
    depth = points_m[..., 1]
    return np.stack(
        [WIDTH / 2 + FOCAL * points_m[..., 0] / depth, HEIGHT / 2 - FOCAL * points_m[..., 2] / depth], axis=-1
    )


def _hull_mask(points: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    x, y, width, height = box
    picture = Image.new("L", (width, height))
    hull = points[ConvexHull(points).vertices] - [x, y]
    ImageDraw.Draw(picture).polygon([tuple(p) for p in hull.tolist()], fill=1)
    return np.array(picture) > 0


def _counts(mask: np.ndarray) -> bytes:
    counts: bytes = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    return counts


def _frame(folder: Path, number: int, objects: int) -> Frame:
    random = np.random.default_rng([3, number])
    solids = []
    for _ in range(objects):
        yaw, size = random.uniform(-3, 3), random.uniform(0.5, 1.6, 3)
        place = np.array([random.uniform(-3.0, 3.0), random.uniform(4.0, 9.0), random.uniform(-1.4, 1.4)])
        turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1.0]])
        signs = np.array([[(i >> a & 1) - 0.5 for a in range(3)] for i in range(8)])
        corners = _project((signs * size) @ turn.T + place)
        solids.append(Solid(np.column_stack([turn, place]), size, np.zeros(3), corners))
    order = sorted(range(objects), key=lambda i: -solids[i].world_from_object[1, 3])
    ids = np.zeros((HEIGHT, WIDTH), np.int32)
    depth_m = np.full((HEIGHT, WIDTH), np.inf, np.float32)
    frame_box = (0, 0, WIDTH, HEIGHT)
    for i in order:
        mask = _hull_mask(solids[i].corners_px, frame_box)
        ids[mask], depth_m[mask] = i + 1, solids[i].world_from_object[1, 3]
    instances = tuple(_instance(i, solids[i], ids) for i in range(objects) if (ids == i + 1).any())
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    shade = (70 + 30 * np.sin(x / 23) + 25 * np.cos(y / 17)).astype(np.uint8)
    rgb = np.stack([shade + 10 * (ids % 7).astype(np.uint8), shade, 120 - shade // 2], axis=-1)
    flow = np.stack([(x - WIDTH / 2) / 20, (y - HEIGHT / 2) / 20], axis=-1).astype(np.float32)
    endings = {"image": "png", "depth": "npy", "flow_forward": "flow.npy"}
    files = {role: folder / f"{number}.{ending}" for role, ending in endings.items()}
    Image.fromarray(rgb).save(files["image"])
    np.save(files["depth"], depth_m)
    np.save(files["flow_forward"], flow)
    return Frame(number, WIDTH, HEIGHT, instances, files if objects else {}, number)


def _instance(index: int, solid: Solid, ids: np.ndarray) -> Instance:
    seen, key = ids == index + 1, KEYS[index % 3]
    y, x = np.nonzero(seen)
    box = (int(x.min()), int(y.min()), int(np.ptp(x)) + 1, int(np.ptp(y)) + 1)
    low, high = np.floor(solid.corners_px.min(axis=0)), np.ceil(solid.corners_px.max(axis=0)) + 1
    outer = (int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))
    whole = _hull_mask(solid.corners_px, outer)
    in_frame = int(_hull_mask(solid.corners_px, (0, 0, WIDTH, HEIGHT)).sum())
    canvas = Mask(_counts(whole), outer[3], outer[2], outer[0], outer[1])
    amodal = Amodal(canvas, tuple(map(float, outer)), in_frame, max(int(whole.sum()), in_frame), False, 0, 0)
    points = None
    if key == "person":
        places = _project(JOINTS * solid.size_m @ solid.world_from_object[:, :3].T + solid.world_from_object[:, 3])
        inside = ((places >= 0) & (places < [WIDTH, HEIGHT])).all(axis=1)
        v = [2 if ok and seen[int(p[1]), int(p[0])] else 1 if ok else 0 for p, ok in zip(places, inside)]
        points = np.where(np.array(v)[:, None] > 0, np.column_stack([places, v]), 0.0)
    middle = np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])
    rectangle = middle + np.array([[-box[2], 0], [0, -box[3]], [box[2], 0], [0, box[3]]]) / 2.0
    return Instance(
        index + 1, key, tuple(map(float, box)), int(seen.sum()), Mask(_counts(seen), HEIGHT, WIDTH),
        float(solid.world_from_object[1, 3]), amodal, solid, rectangle, points, f"/World/{EVIL}",
    )  # fmt: skip
