"""Records without a renderer: boxes in space, seen by a pinhole camera, drawn and projected by plain NumPy in float64.

Every fact of `engine.formats.record` is there: masks with holes and in several parts, whole silhouettes, poses,
keypoints. World 1 is empty. A frame (world, step) depends on (seed, world, step) alone; objects keep their ids.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask
from scipy.spatial import ConvexHull

from engine.formats.record import Amodal, Category, Frame, Instance, Mask, Solid
from engine.formats.registry import Records

WIDTH, HEIGHT = 64, 48
K = np.array([[60.0, 0.0, 31.0], [0.0, 60.0, 25.0], [0.0, 0.0, 1.0]])
OBJECTS = 6
CATEGORIES = (
    Category(1, "carton", "Carton"),
    Category(3, "tote", "Tote", "container"),  # has a hole
    Category(4, "person", "Person", "", ("head", "left_hand", "right_hand", "foot"), ((0, 1), (0, 2), (0, 3))),
)
KEY_OF = ("", "carton", "tote", "person", "carton", "tote", "person")  # by instance id
KEYPOINTS = np.array([[0.0, 0.0, 0.5], [0.0, 0.5, 0.0], [0.0, -0.5, 0.0], [0.0, 0.0, -0.5]])  # in units of the box
WORLD_FROM_CAMERA = np.array([[1.0, 0, 0, 0], [0, 0, -1, -6], [0, 1, 0, 1], [0, 0, 0, 1]])  # looks along +y, z is up


def toy_records(folder: Path, *, worlds: int = 4, steps: int = 1, seed: int = 0) -> Records:
    """Return the records, with a picture, a depth image [mm] and an id image of every frame in `folder`."""
    frames = [
        _frame(folder, world, step, world * steps + step, seed) for world in range(worlds) for step in range(steps)
    ]
    return Records("toy", CATEGORIES, tuple(frames))


def project(points_m: np.ndarray) -> np.ndarray:
    """Return the pixels [.., 2] of points in the world; the camera's x is right, y up, and it looks along -z."""
    camera = (points_m - WORLD_FROM_CAMERA[:3, 3]) @ WORLD_FROM_CAMERA[:3, :3]
    depth = -camera[..., 2]
    return np.stack([K[0, 0] * camera[..., 0] / depth + K[0, 2], K[1, 2] - K[1, 1] * camera[..., 1] / depth], axis=-1)


def encode(mask: np.ndarray) -> bytes:
    """Return the compressed COCO counts of a mask."""
    counts: bytes = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    return counts


def corners_of(pose: np.ndarray, size_m: np.ndarray, center_m: np.ndarray) -> np.ndarray:
    """Return the corners [8, 3] of a box in the world; bit a of corner i: +size/2 along axis a."""
    signs = np.array([[(i >> a & 1) - 0.5 for a in range(3)] for i in range(8)])
    return (center_m + signs * size_m) @ pose[:, :3].T + pose[:, 3]


def inside_hull(points: np.ndarray, height: int, width: int, origin: tuple[int, int]) -> np.ndarray:
    """Return the pixels [height, width] whose centre lies in the convex hull; the first has its corner at `origin`."""
    y, x = np.mgrid[0:height, 0:width] + 0.5
    centres = np.stack([x + origin[0], y + origin[1], np.ones_like(x)], axis=-1)
    return (centres @ ConvexHull(points).equations.T <= 0.0).all(axis=-1)


def smallest_rectangle(mask: np.ndarray) -> np.ndarray:
    """Return the corners [4, 2] of the smallest rectangle around the squares of a mask's pixels."""
    y, x = np.nonzero(mask)
    points = np.concatenate([np.stack([x + a, y + b], axis=1) for a in (0, 1) for b in (0, 1)]).astype(np.float64)
    hull = points[ConvexHull(points).vertices]
    best, least = hull, np.inf
    for edge in np.roll(hull, -1, axis=0) - hull:
        u = edge / np.linalg.norm(edge)
        v = np.array([-u[1], u[0]])
        (a, b), (c, d) = ((hull @ axis).min() for axis in (u, v)), ((hull @ axis).max() for axis in (u, v))
        if (c - a) * (d - b) < least - 1e-9:
            least = (c - a) * (d - b)
            best = np.array([p * u + q * v for p, q in ((a, b), (c, b), (c, d), (a, d))])
    return best


def _frame(folder: Path, world: int, step: int, number: int, seed: int) -> Frame:
    solids = (
        [] if world == 1 else [_solid(i, step, np.random.default_rng([seed, world, i])) for i in range(1, OBJECTS + 1)]
    )
    distances = [np.linalg.norm(solid.world_from_object[:, 3] - WORLD_FROM_CAMERA[:3, 3]) for solid in solids]
    whole = [_silhouette(solid, KEY_OF[i + 1]) for i, solid in enumerate(solids)]  # 3 x 3 frames, ours in the middle
    middle = [mask[HEIGHT : 2 * HEIGHT, WIDTH : 2 * WIDTH] for mask in whole]
    instance, depth = np.zeros((HEIGHT, WIDTH), np.uint16), np.zeros((HEIGHT, WIDTH))
    for i in sorted(range(len(solids)), key=lambda i: -distances[i]):
        instance[middle[i]], depth[middle[i]] = i + 1, distances[i]
    instances = [
        _instance(i + 1, solid, whole[i], instance, middle, float(distances[i]))
        for i, solid in enumerate(solids)
        if (instance == i + 1).any()
    ]
    rgb = np.stack([instance * 37 % 251, instance * 91 % 253, 60 + world % 100 + 0 * instance], axis=-1).astype(
        np.uint8
    )
    files = {}
    for role, image in (("image", rgb), ("depth", np.rint(depth * 1000).astype(np.uint16)), ("instance_map", instance)):
        files[role] = folder / role / f"{number:06d}.png"
        files[role].parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(files[role])
    row = {"frame_id": number, "world": world, "step": step, "camera": 0, "depth_kind": "planar"}
    row |= {"lens_model": "pinhole", "label_time_s": step / 24.0, "lum_mean": 0.5 + world % 2}
    return Frame(number, WIDTH, HEIGHT, tuple(instances), files, world, step, 0, K, WORLD_FROM_CAMERA, row)


def _solid(instance: int, step: int, random: np.random.Generator) -> Solid:
    """Return a box that stands somewhere before the camera, also beyond the frame; it moves with the steps."""
    yaw = random.uniform(-np.pi, np.pi)
    place = np.array([random.uniform(-4.5, 4.5) + 0.1 * step, random.uniform(-1.0, 5.0), random.uniform(-0.5, 2.5)])
    pose = np.column_stack([[np.cos(yaw), np.sin(yaw), 0], [-np.sin(yaw), np.cos(yaw), 0], [0, 0, 1], place])
    size, center = random.uniform(0.5, 2.5, 3), random.uniform(-0.1, 0.1, 3)
    return Solid(pose, size, center, project(corners_of(pose, size, center)), 2**63 + 11 * (instance % 3))


def _silhouette(solid: Solid, key: str) -> np.ndarray:
    origin = (-WIDTH, -HEIGHT)
    mask = inside_hull(solid.corners_px, 3 * HEIGHT, 3 * WIDTH, origin)
    if key == "tote":
        middle = solid.corners_px.mean(axis=0)
        mask &= ~inside_hull(middle + 0.4 * (solid.corners_px - middle), 3 * HEIGHT, 3 * WIDTH, origin)
    return mask


def _instance(
    number: int, solid: Solid, whole: np.ndarray, ids: np.ndarray, middle: list[np.ndarray], distance_m: float
) -> Instance:
    seen = ids == number
    hidden_by = np.bincount(ids[middle[number - 1] & ~seen].ravel(), minlength=OBJECTS + 1)
    occluder = int(hidden_by[1:].argmax()) + 1 if hidden_by[1:].any() else 0
    x, y, width, height = box_of(whole)
    canvas = Mask(encode(whole[y : y + height, x : x + width]), height, width, x - WIDTH, y - HEIGHT)
    cut = bool(whole[0].any() or whole[-1].any() or whole[:, 0].any() or whole[:, -1].any())
    box = (x - WIDTH, y - HEIGHT, width, height)
    amodal = Amodal(canvas, box, int(middle[number - 1].sum()), int(whole.sum()), cut, occluder,
                    int(hidden_by[occluder]) if occluder else 0)  # fmt: skip
    key = KEY_OF[number]
    return Instance(
        number, key, tuple(map(float, box_of(seen))), int(seen.sum()), Mask(encode(seen), HEIGHT, WIDTH),
        round(distance_m, 4), amodal, solid, smallest_rectangle(seen),
        _keypoints(solid, number, ids) if key == "person" else None, f"/World/Object_{number}",
    )  # fmt: skip


def _keypoints(solid: Solid, number: int, ids: np.ndarray) -> np.ndarray:
    """Return [k, 3]: 2 where the pixel is of its own instance, 1 where another's, 0 0 0 outside of the frame."""
    points = (solid.center_m + KEYPOINTS * solid.size_m) @ solid.world_from_object[:, :3].T + solid.world_from_object[
        :, 3
    ]
    found = np.zeros((len(KEYPOINTS), 3))
    for row, (x, y) in zip(found, project(points), strict=True):
        if 0.0 <= x < WIDTH and 0.0 <= y < HEIGHT:
            row[:] = x, y, 2 if ids[int(y), int(x)] == number else 1
    return found


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return x, y, width, height of a mask that is not empty."""
    y, x = np.nonzero(mask)
    return int(x.min()), int(y.min()), int(x.max() - x.min() + 1), int(y.max() - y.min() + 1)
