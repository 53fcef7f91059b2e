"""A scene of boxes, built from arrays, for the tests of randomisers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engine.draft import Draft
from engine.randomize import apply
from engine.recipe import Breadth, Laws, Recipe, Rig, SceneConfig
from engine.rig import authored_draft, rig_cameras
from engine.scene.model import Anchor, Camera, Instances, Light, LightKind, Material, Mesh, Placements, Scene
from engine.scene.taxonomy import ObjectClass, Taxonomy

CORNERS = np.array([(x, y, z) for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)])
CLEAR = {"clearance_m": 0.2, "tries": 16, "inside": None}


def at(x: float, y: float, z: float, yaw_deg: float = 0.0) -> np.ndarray:
    """Return a pose [3, 4] turned about z."""
    cos, sin = np.cos(np.deg2rad(yaw_deg)), np.sin(np.deg2rad(yaw_deg))
    return np.array([[cos, -sin, 0.0, x], [sin, cos, 0.0, y], [0.0, 0.0, 1.0, z]])


def anchor(path: str, kind: str, pose: np.ndarray, size: tuple[float, float, float], *support: str) -> Anchor:
    return Anchor(path, kind, pose, size, support)


def box_scene(
    boxes: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]], *anchors: Anchor
) -> Scene:
    """Return a scene of boxes, path -> (low corner, size), with two cameras, a sun, two lamps and three materials.

    The pose of each box is its low corner, moved by one metre along x, so that the frame is not the box's own.
    """
    paths = sorted(boxes)
    low = np.array([boxes[path][0] for path in paths])
    size = np.array([boxes[path][1] for path in paths])
    count = len(paths)
    triangles = np.array([[0, 1, 2]], np.int32)
    meshes = [
        Mesh(p, (CORNERS * s).astype(np.float32), triangles, None, None, None, np.zeros(1, np.int32), False)
        for p, s in zip(paths, size)
    ]
    poses = np.array([at(*corner) for corner in low])
    frames = np.array([at(*(corner + np.array([1.0, 0.0, 0.0]))) for corner in low])
    world = np.concatenate([[at(0, 0, 0)], frames])
    lights = [
        Light(f"/Lights/{name}", kind, at(0, 0, 5), (0.5, 0.0), 0.005, (2.0, 2.0, 2.0))
        for name, kind in [("Sun", LightKind.DISTANT), ("LampA", LightKind.SPHERE), ("LampB", LightKind.SPHERE)]
    ]
    cameras = [Camera("/Cams/A", at(0, 0, 9), 20.0, 40.0, 30.0), Camera("/Cams/B", at(5, 5, 9, 90), 40.0, 40.0, 30.0)]
    return Scene(
        source=Path("boxes.usda"),
        meshes=tuple(meshes),
        placements=Placements(
            mesh=np.arange(count, dtype=np.int32),
            instance=np.arange(1, count + 1, dtype=np.int32),
            first_slot=np.zeros(count, np.int32),
            slot_material=np.zeros(1, np.int32),
            world_from_mesh=poses,
        ),
        instances=Instances(
            path=("/", *paths),
            stable_id=np.arange(count + 1, dtype=np.uint64),
            class_id=np.ones(count + 1, np.int32),
            label_source=("none",) * (count + 1),
            tags=((),) * (count + 1),
            world_from_instance=world,
        ),
        materials=(Material("/Mat/Fallback"), Material("/Mat/Red"), Material("/Mat/Blue")),
        textures=(),
        lights=tuple(lights),
        cameras=tuple(cameras),
        anchors=anchors,
        taxonomy=Taxonomy("1.0.0", (ObjectClass(1, "box", "Box"),)),
        assets=(),
        notes=(),
    )


def recipe_of(
    randomize: dict[str, Any],
    *,
    seed: int = 0,
    breadth: float = 1.0,
    cameras: tuple[str, ...] = ("/Cams/A",),
    laws: Laws | None = None,
    steps: int = 1,
) -> Recipe:
    """Return a recipe with these randomisers."""
    scene = SceneConfig("boxes", "boxes.usda", None, ("default",), 2, {}, None)
    rig = Rig(cameras, 400, 300, steps, 1, "direct", 0.0, (0.1, 0.1, 0.1), 1.0, 0.5, False)
    return Recipe(scene, rig, randomize, Breadth(breadth), ("rgb",), {}, seed, laws=laws or Laws({}, {}))


def randomized(scene: Scene, randomize: dict[str, Any], worlds: Any, *, step: Any = 0, **options: Any) -> Draft:
    """Return the draft of these worlds."""
    recipe = recipe_of(randomize, **options)
    cameras = rig_cameras(scene, recipe.rig)
    world = np.asarray(worlds, np.int64)
    draft = authored_draft(scene, recipe.rig, cameras, world, np.broadcast_to(np.asarray(step, np.int32), world.shape))
    apply.randomize(apply.plan(recipe, scene, cameras), draft)
    return draft


def uniform(low: float, high: float) -> dict[str, object]:
    return {"law": "uniform", "low": low, "high": high}


def world_corners(scene: Scene, draft: Draft) -> np.ndarray:
    """Return the corners of every box where the draft has it, [row, instance - 1, 8, 3], by matrix products."""
    corners = []
    for index, mesh in enumerate(scene.meshes):
        mesh_to_instance = np.eye(4)
        mesh_to_instance[0, 3] = -1.0
        pose = np.zeros((len(draft.world), 4, 4))
        pose[:, :3], pose[:, 3, 3] = draft.world_from_instance[:, index + 1], 1.0
        points = np.concatenate([mesh.points_m, np.ones((8, 1))], axis=1).T
        corners.append((pose @ mesh_to_instance @ points)[:, :3].transpose(0, 2, 1))
    return np.stack(corners, axis=1)


LOOK = {
    "kind": "camera_look",
    "per": "world",
    "cameras": "*",
    "position_in": "from",
    "look_in": "to",
    "roll_deg": uniform(-5, 5),
    "focal_mm": uniform(10, 30),
    "clear": CLEAR,
}
JITTER = {
    "kind": "camera_jitter",
    "per": "world",
    "cameras": "*",
    "right_m": 0.0,
    "up_m": 0.0,
    "back_m": 0.0,
    "pan_deg": 0.0,
    "tilt_deg": 0.0,
    "roll_deg": 0.0,
    "focal_scale": 1.0,
}
SCENE = box_scene(
    {"/W/A": ((0, 0, 0), (1, 1, 1)), "/W/B": ((3, 0, 0), (1, 2, 1))},
    anchor("/From/1", "from", at(-4, 0, 1, 30), (2, 1, 0.5)),
    anchor("/From/2", "from", at(0, -6, 1), (1, 1, 1)),
    anchor("/To", "to", at(2, 0, 0), (3, 3, 1)),
)
