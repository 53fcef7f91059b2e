"""A dataset without a renderer: a few rectangles per world, drawn by NumPy, that go through the real writers.

World i depends on (seed, i) alone. Also a command (`python -m tests.engine.toy_dataset OUT`), which tests kill.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from engine.dataset.finalise import finalise
from engine.dataset.manifest import JobFacts, Manifest
from engine.errors import ForeignOutput, WriteFailed
from engine.frames import FrameKeys, Frames
from engine.labels.model import Labels
from engine.recipe import AssetRef, Breadth, Recipe, Rig, SceneConfig
from engine.scene.model import Asset, Instances, Note, Placements, Scene
from engine.scene.taxonomy import ObjectClass, Taxonomy
from engine.write.plan import DatasetPlan, Provenance, plan_dataset
from engine.write.record import Build, Environment
from engine.write.rows import Drawn
from engine.write.shard import ShardWriter

WIDTH, HEIGHT = 48, 32
INSTANCES = 5  # 4 labelled boxes and one without a class
CLASS_OF = (0, 1, 1, 3, 0, 3)
TAXONOMY = Taxonomy("1.0.0", (ObjectClass(1, "carton", "Carton"), ObjectClass(3, "pallet", "Pallet", "rack")))
WRITE = {
    "images": {"kind": "images", "format": "jpg", "quality": 95},
    "depth": {"kind": "depth", "encoding": "png16_mm"},
    "masks": {"kind": "masks"},
    "coco": {"kind": "coco", "min_area_px": 1},
}
BUILD = Build("0.1.0", source_sha256="cd" * 32, commit="0123abcd", dirty=False, warp="1.19.0", numpy="2.3.0")
ENVIRONMENT = Environment(python="3.11.7", device="cpu", simd="avx2", driver=None)


def toy_scene() -> Scene:
    none = np.zeros(0, np.int32)
    return Scene(
        source=Path("toy.usda"),
        meshes=(),
        placements=Placements(none, none, none, none, np.zeros((0, 3, 4))),
        instances=Instances(
            path=("", *(f"/World/Box_{i}" for i in range(1, INSTANCES + 1))),
            stable_id=np.arange(INSTANCES + 1, dtype=np.uint64) + np.uint64(2**63),
            class_id=np.array(CLASS_OF, np.int32),
            label_source=("none",) * (INSTANCES + 1),
            tags=((),) * (INSTANCES + 1),
            world_from_instance=np.tile(np.eye(3, 4), (INSTANCES + 1, 1, 1)),
        ),
        materials=(),
        textures=(),
        lights=(),
        cameras=(),
        anchors=(),
        taxonomy=TAXONOMY,
        assets=(Asset("toy.usda", "ab" * 32, 10),),
        notes=(Note("skipped", "/World/Hair", "no curves yet"), Note("skipped", "/World/Fog", "no volumes yet")),
    )


def toy_recipe(*, seed: int = 7, steps: int = 1, write: dict[str, dict[str, object]] | None = None) -> Recipe:
    return Recipe(
        scene=SceneConfig("toy", "toy.usda", None, ("default",), 2, {}, None),
        rig=Rig(
            cameras=("/World/Camera",),
            width=WIDTH,
            height=HEIGHT,
            steps=steps,
            spp=4,
            quality="direct",
            exposure_ev=0.0,
            ambient_radiance=(0.0, 0.0, 0.0),
            ambient_reach_m=1.0,
            label_opacity=0.5,
            clip=False,
        ),
        randomize={},
        dr=Breadth(1.0),
        outputs=("rgb", "depth", "normal", "instance"),
        write=WRITE if write is None else write,
        seed=seed,
        assets=(AssetRef("toy.usda", "ab" * 32, 10),),
        taxonomy_id=TAXONOMY.id,
    )


def toy_plan(*, shard_worlds: int = 4, cameras: int = 1, build: Build = BUILD, **recipe: object) -> DatasetPlan:
    names = tuple(f"/World/Camera_{i}" for i in range(cameras))
    provenance = Provenance(build, ENVIRONMENT)
    return plan_dataset(toy_recipe(**recipe), toy_scene(), names, provenance, shard_worlds=shard_worlds)


def toy_batch(plan: DatasetPlan, worlds: Sequence[int], *, shade: int = 0) -> tuple[Frames, Labels, Drawn]:
    """Return what a launch over `worlds` would: one row a (world, step), one view a camera. `shade` changes pixels."""
    steps, cameras = plan.grid.steps, plan.grid.cameras
    rows = [(world, step) for world in worlds for step in range(steps)]
    views = [(world, step, camera) for world, step in rows for camera in range(cameras)]
    parts = [_toy_view(plan.recipe.seed, *view, shade) for view in views]
    keys = FrameKeys(
        world=np.array([v[0] for v in views], np.int64),
        step=np.array([v[1] for v in views], np.int32),
        camera=np.array([v[2] for v in views], np.int32),
        k=np.tile(np.array([[40.0, 0, 24], [0, 40, 16], [0, 0, 1]]), (len(views), 1, 1)),
        world_from_camera=np.tile(np.eye(3, 4), (len(views), 1, 1)),
    )
    rgb, depth, instance = (np.stack([part[i] for part in parts]) for i in range(3))
    normal = np.zeros((*instance.shape, 3), np.float32)
    normal[instance > 0] = (0.0, 0.6, 0.8)
    draws = np.array([_toy_random(plan.recipe.seed, world, step).uniform(size=4) for world, step in rows])
    drawn = Drawn(
        world=np.array([row[0] for row in rows], np.int64),
        step=np.array([row[1] for row in rows], np.int32),
        columns={"p.sun.elevation_deg": draws[:, 0] * 90, "p.paint.color": draws[:, 1:].astype(np.float32)},
    )
    return Frames(keys, rgb, None, depth, normal, instance), toy_labels(instance, depth), drawn


def toy_labels(instance: np.ndarray, depth_m: np.ndarray) -> Labels:
    """Return labels counted by plain NumPy and pycocotools."""
    rows = []
    for view, ids in enumerate(instance):
        for inst in np.unique(ids[ids > 0]):
            seen = ids == inst
            y, x = np.nonzero(seen)
            box = (x.min(), y.min(), x.max() + 1, y.max() + 1)
            rle = coco_mask.encode(np.asfortranarray(seen.astype(np.uint8)))["counts"]
            rows.append((view, inst, CLASS_OF[inst], seen.sum(), box, depth_m[view][seen].min(), rle))
    columns = list(zip(*rows)) if rows else [()] * 7
    numbers = [np.array(column, np.int32) for column in columns[:4]]
    box_px = np.array(columns[4], np.int32).reshape(-1, 4)
    return Labels(*numbers, box_px, np.array(columns[5], np.float32), tuple(columns[6]))


def make_toy(out: Path, worlds: Sequence[int], plan: DatasetPlan, *, batch: int = 3) -> Manifest | None:
    """Do what generate does: write the open shards batch by batch, then complete the dataset."""
    with ShardWriter(out, plan) as writer:
        for members in filter(None, map(writer.still_open, writer.open_shards(worlds))):
            with writer.shard(members) as shard:
                for first in range(0, len(members), batch):
                    shard.add(*toy_batch(plan, members[first : first + batch]))
    return finalise(out, worlds, toy_job(worlds))


def toy_job(worlds: Sequence[int]) -> JobFacts:
    return JobFacts(len(worlds), None, 0, 4, 1, "cpu", ("+scene=toy",))


def _toy_random(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng([seed, *key])


def _toy_view(seed: int, world: int, step: int, camera: int, shade: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = _toy_random(seed, world, step, 1000 + camera)
    instance = np.zeros((HEIGHT, WIDTH), np.int32)
    depth = np.full((HEIGHT, WIDTH), np.inf, np.float32)
    rgb = np.full((HEIGHT, WIDTH, 3), 60 + shade, np.uint8)
    for inst in random.permutation(np.arange(1, INSTANCES + 1))[: random.integers(0, INSTANCES + 1)]:
        x, y = random.integers(0, WIDTH - 6), random.integers(0, HEIGHT - 6)
        area = np.s_[y : y + random.integers(3, 14), x : x + random.integers(3, 20)]
        instance[area], depth[area] = inst, random.uniform(1, 9)
        rgb[area] = random.integers(0, 256, 3)
    return rgb, depth, instance


def main() -> int:
    """Write a dataset of `count` worlds; exit codes as the product's."""
    out, count = Path(sys.argv[1]), int(sys.argv[2])
    try:
        return 0 if make_toy(out, range(count), toy_plan()) else 75
    except (WriteFailed, ForeignOutput) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
