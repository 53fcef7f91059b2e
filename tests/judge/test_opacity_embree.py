"""Cut-outs and panes of random scenes agree with Embree and an alpha test in NumPy, through Open3D's ray casting."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.scene.model import Material, Mesh, Scene, Texture, TextureInput, Wrap
from tests.judge.embree import Judge, Rays
from tests.kernels.scenes import LABELS, camera, draft_of, look_at, pose, quad, render, rig, scene, sphere

pytestmark = pytest.mark.judge

SIZE_PX = 384
PLANE_TOLERANCE_M = 2e-5  # at 10 m; a surface seen at a grazing angle moves the depth by more than its distance
CLOSE = 1e-3  # of opacity: either answer is right there


def random_scene(seed: int) -> Scene:
    """Return cards with holes, panes and opaque balls in all poses, some cards in exactly one place."""
    rng = np.random.default_rng(seed)
    alpha = rng.random((2, 12, 12)).astype(np.float32)
    textures = tuple(Texture("a", np.stack([a] * 4, axis=-1), Wrap.MIRROR, Wrap.CLAMP) for a in alpha)
    driven = [TextureInput(i, 3, (1.3,) * 4, (-0.1,) * 4, (1.7, 0.3, 0.1, -0.2, 2.1, 0.4)) for i in range(2)]
    materials = (
        Material("plain"),
        Material("card", opacity_threshold=0.4, textures={"opacity": driven[0]}),
        Material("veil", presence=True, textures={"opacity": driven[1]}),
        Material("thin", opacity=0.3),
        Material("thick", opacity=0.8),
    )
    shapes = (sphere(0.5, rings=6), quad(1.0))
    placed: list[tuple[Mesh, NDArray[np.float64]]] = [(quad(40.0), pose(at=(0, 0, -2)))]
    for i in range(200):
        axes = np.linalg.qr(rng.normal(size=(3, 3)))[0] * rng.uniform(0.4, 2.0, 3)
        placed.append((shapes[int(i % 4 > 0)], pose(at=rng.uniform(-3, 3, 3), axes=axes)))
        if i % 10 == 3:
            placed.append(placed[-1])
    base = scene(placed, materials=materials, textures=textures)
    slots = np.arange(len(materials), dtype=np.int32)
    chosen = np.array([0] + [int(rng.integers(5)) if m is shapes[1] else 0 for m, _ in placed[1:]], np.int32)
    return dataclasses.replace(
        base, placements=dataclasses.replace(base.placements, first_slot=chosen, slot_material=slots)
    )


def opacity_of(stage: Scene, material: Material, st: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the authored opacity at texture coordinates [i, 2]: bilinear, mirrored in u, clamped in v."""
    driven = material.textures.get("opacity")
    if driven is None:
        return np.full(len(st), material.opacity)
    alpha = stage.textures[driven.texture].pixels[..., 3].astype(np.float64)
    rows, columns = alpha.shape
    matrix = np.reshape(driven.uv_from_st, (2, 3))
    uv = st @ matrix[:, :2].T + matrix[:, 2]
    x, y = uv[:, 0] * columns - 0.5, uv[:, 1] * rows - 0.5
    i, j = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - i, y - j

    def texel(dj: int, di: int) -> NDArray[np.float64]:
        k = (i + di) % (2 * columns)
        texels: NDArray[np.float64] = alpha[np.clip(j + dj, 0, rows - 1), np.where(k < columns, k, 2 * columns - 1 - k)]
        return texels

    low, high = texel(0, 0) * (1 - fx) + texel(0, 1) * fx, texel(1, 0) * (1 - fx) + texel(1, 1) * fx
    opacity: NDArray[np.float64] = driven.scale[3] * (low * (1 - fy) + high * fy) + driven.bias[3]
    return opacity


def first_labelled(stage: Scene, judge: Judge, rays: Rays) -> tuple[NDArray, ...]:
    """Return depth, instance and whether both are sure, of rays [i, 3]: all hits of Embree, tested in turn."""
    found = {k: v.numpy() for k, v in judge.caster.list_intersections(rays.tensor()).items()}
    placement, triangle, t = found["geometry_ids"].astype(int), found["primitive_ids"].astype(int), found["t_hit"]
    weight = found["primitive_uvs"].astype(np.float64)
    there = np.zeros(len(t), np.bool_)
    sure = np.ones(len(t), np.bool_)
    for p in np.unique(placement):
        mesh, rows = stage.meshes[stage.placements.mesh[p]], placement == p
        material = stage.materials[stage.placements.slot_material[stage.placements.first_slot[p]]]
        corners = np.zeros((len(mesh.triangle), 3, 2)) if mesh.uv is None else mesh.uv.astype(np.float64)
        corner, w = corners[triangle[rows]], weight[rows]
        st = corner[:, 0] + w[:, :1] * (corner[:, 1] - corner[:, 0]) + w[:, 1:] * (corner[:, 2] - corner[:, 0])
        opacity = opacity_of(stage, material, st)
        limit = material.opacity_threshold if material.opacity_threshold > 0.0 else 0.5
        there[rows], sure[rows] = opacity >= limit, np.abs(opacity - limit) > CLOSE
    depth = np.full(len(rays.direction), np.inf)
    instance, certain = np.zeros(len(rays.direction), int), np.ones(len(rays.direction), np.bool_)
    ray = found["ray_ids"].astype(int)
    for k in np.lexsort((placement, t, ray)):
        if np.isinf(depth[ray[k]]):
            certain[ray[k]] &= sure[k]
            if there[k]:
                depth[ray[k]], instance[ray[k]] = t[k], placement[k] + 1
    return depth, instance, certain


@pytest.mark.parametrize("seed", range(3))
def test_labels_behind_cut_outs_and_panes_agree_with_embree(seed: int) -> None:
    """Only rays that graze an edge may differ, at most 1 in 100,000; of cards in one place the first is seen."""
    stage, cam = random_scene(seed), camera(look_at((7.0, -6.0, 4.0), (0, 0, 0)))
    setup = rig(size_px=(SIZE_PX, SIZE_PX), quality="labels")
    judge = Judge(stage, draft_of(stage, setup, cam, [0]))
    seen = judge.seen(render(stage, cam, setup, outputs=LABELS))
    depth, ids, certain = first_labelled(stage, judge, judge.rays(seen.x_px, seen.y_px))
    assert certain.mean() > 0.999
    differs = (seen.instance != ids) & certain
    assert differs.sum() <= 1e-5 * SIZE_PX**2
    hit = certain & ~differs & (ids > 0)
    assert hit.mean() > 0.5
    assert (np.abs(seen.depth_m[hit] - depth[hit]) * seen.cosine[hit]).max() < PLANE_TOLERANCE_M
