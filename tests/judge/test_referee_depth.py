"""Depth and instance ids of the referee scenes are those that Blender's Cycles stored."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.preview import PreviewOptions, preview
from engine.scene import load_scene
from engine.scene.model import Mesh, Scene
from engine.scene.units import StageUnits

pytestmark = pytest.mark.judge

ENOUGH = 0.9999
DEPTH_M, DEPTH_SHARE = 1e-3, 1e-3  # 1 mm + 0.1 %
AS_RENDERED = ["instancing_mods/scene.usdc", "instancing_mods/scene_flat.usdc", "textured_pbr/scene.usdc"]


def stored(folder: Path) -> tuple[NDArray[np.float32], NDArray[np.int32], dict[str, dict[str, str]]]:
    """Return planar depth, ids, and what each id is, by its text."""
    facts = json.loads((folder / "camera.json").read_text())
    return np.load(folder / "depth.npy"), np.load(folder / "instance.npy"), facts["instances"]


def rendered(scene: Scene, shape: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return depth and instances of the scene's own camera, through pixel centres."""
    frames, _ = preview(scene, PreviewOptions(shape[1], shape[0], quality="labels", device="cpu"))
    assert frames.depth_m is not None
    assert frames.instance is not None
    return frames.depth_m[0], frames.instance[0]


def agrees(depth: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return [y, x]: both see the background, or both a surface at the same depth."""
    hit = np.isfinite(reference)
    right: NDArray[np.bool_] = np.isfinite(depth) == hit
    both = hit & right
    right[both] = np.abs(depth[both] - reference[both]) <= DEPTH_M + DEPTH_SHARE * reference[both]
    return right


def reference_ids(scene: Scene, facts: dict[str, dict[str, str]]) -> NDArray[np.int32]:
    """Return the reference's id of every instance; Blender names parts of collection instances `Object__Part`."""
    ids = {fact["object"]: int(number) for number, fact in facts.items()}
    mapped = np.zeros(len(scene.instances.path), np.int32)
    for index, path in enumerate(scene.instances.path[1:], start=1):
        names = path.split("/")[2:]
        joined = "__".join(names)
        mapped[index] = next(ids[n] for n in (joined, re.sub(r"_\d+$", "", joined), names[-1]) if n in ids)
    return mapped


@pytest.mark.parametrize("name", AS_RENDERED)
def test_depth_and_ids_are_those_of_cycles(shared_dir: Path, name: str) -> None:
    """99.99 % of all pixels, the cut-outs of the fence included."""
    file = shared_dir / "referee" / name
    reference, ids, facts = stored(file.parent)
    scene = load_scene(file)
    depth, instance = rendered(scene, reference.shape)
    assert agrees(depth, reference).mean() >= ENOUGH
    assert (reference_ids(scene, facts)[instance] == ids).mean() >= ENOUGH


def inside_m3(mesh: Mesh) -> float:
    """Return the volume inside a mesh: the other diagonal changes it where a quad is bent, not where it is flat."""
    corner = mesh.points_m.astype(np.float64)[mesh.triangle]
    return float(np.einsum("ti,ti->", corner[:, 0], np.cross(corner[:, 1], corner[:, 2])) / 6.0)


def test_a_tessellated_export_agrees_where_its_surface_is_the_one_rendered(shared_dir: Path) -> None:
    """`scene_tess.usdc` differs from Cycles only where Blender's exporter cut bent quads along the other diagonal.

    It triangulates by the shorter diagonal, Cycles along corners 0 and 2: another surface, which is in the file. On
    everything whose surface is that of `scene_flat.usdc` 99.99 % of the pixels agree, and ids do so everywhere.
    """
    folder = shared_dir / "referee/instancing_mods"
    reference, ids, facts = stored(folder)
    scene, flat = load_scene(folder / "scene_tess.usdc"), load_scene(folder / "scene_flat.usdc")
    depth, instance = rendered(scene, reference.shape)
    own = reference_ids(scene, facts)
    drawn = {int(reference_ids(flat, facts)[i]): flat.meshes[m] for m, i in _placed(flat)}
    other = {
        int(own[i])
        for m, i in _placed(scene)
        if inside_m3(scene.meshes[m]) != pytest.approx(inside_m3(drawn[int(own[i])]), rel=1e-5, abs=1e-12)
    }
    named = {facts[str(number)]["object"] for number in other}
    assert {name.split("__")[-1] for name in named} == {"Suz", "NegScaleSuz", "BevelBox"}  # heads, rounded corners
    judged = ~np.isin(ids, list(other)) & ~np.isin(own[instance], list(other))
    assert judged.mean() > 0.8
    assert agrees(depth, reference)[judged].mean() >= ENOUGH
    assert (own[instance] == ids).mean() >= ENOUGH
    assert agrees(depth, reference).mean() >= 0.998


def _placed(scene: Scene) -> list[tuple[int, int]]:
    """Return the mesh and instance of every placement."""
    return list(zip(scene.placements.mesh.tolist(), scene.placements.instance.tolist(), strict=True))


def test_the_tessellated_export_is_drawn_triangle_by_triangle(shared_dir: Path) -> None:
    """Depth of `scene_tess.usdc` is what Embree finds on the triangles that usd-core reads from the file."""
    import open3d
    from pxr import Usd, UsdGeom

    folder = shared_dir / "referee/instancing_mods"
    reference, _, _ = stored(folder)
    camera = json.loads((folder / "camera.json").read_text())["cameras"]["Camera"]
    opened = Usd.Stage.Open(str(folder / "scene_tess.usdc"))
    units = StageUnits(UsdGeom.GetStageMetersPerUnit(opened), np.eye(3))
    cast = open3d.t.geometry.RaycastingScene()
    places = UsdGeom.XformCache()
    for prim in opened.Traverse(Usd.TraverseInstanceProxies()):
        if not prim.IsA(UsdGeom.Mesh):
            continue
        faces = np.array(prim.GetAttribute("faceVertexIndices").Get()).reshape(-1, 3)
        matrix = units.world_from_local(np.array(places.GetLocalToWorldTransform(prim))[None])[0]
        points = np.array(prim.GetAttribute("points").Get(), np.float64) * units.meters_per_unit
        world = (points @ matrix[:, :3].T + matrix[:, 3]).astype(np.float32)
        cast.add_triangles(open3d.core.Tensor(world), open3d.core.Tensor(faces.astype(np.uint32)))
    k, pose = np.array(camera["K"]), np.array(camera["world_from_camera_usd_gl"])
    y, x = np.mgrid[: reference.shape[0], : reference.shape[1]] + 0.5
    ahead = np.stack([(x - k[0, 2]) / k[0, 0], -(y - k[1, 2]) / k[1, 1], -np.ones_like(x)], axis=-1) @ pose[:3, :3].T
    rays = np.concatenate([np.broadcast_to(pose[:3, 3], ahead.shape), ahead], axis=-1).astype(np.float32)
    embree = cast.cast_rays(open3d.core.Tensor(rays))["t_hit"].numpy()
    depth, _ = rendered(load_scene(folder / "scene_tess.usdc"), reference.shape)
    assert agrees(depth, embree).mean() >= ENOUGH
