"""Opacity of a scene's materials on a device, and which of them let light through at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.draft import Draft
from engine.render.arrays import copied, to_device
from engine.render.inputs import Field, Inputs, field
from engine.scene.model import Material, Mesh, Scene, Texture, Wrap

SAME_PLACE = 1.0e-5  # of a mesh's size: points nearer than about that are one


def opacity_kinds(scene: Scene) -> NDArray[np.int32]:
    """Return what the opacity of every material means, [material]; OPAQUE (0) where it cannot fall below 1.

    A material with a texture is opaque if every texel is: many files connect an alpha channel that holds nothing.
    """
    kind = gpu.opacity.OpacityKind
    display = least_display_opacity(scene)
    kinds = np.zeros(len(scene.materials), np.int32)
    for i, material in enumerate(scene.materials):
        least = _least_opacity(material, scene.textures) * (display if material.uses_display_opacity else 1.0)
        limit = material.opacity_threshold if material.opacity_threshold > 0.0 else 1.0
        if least >= limit:
            continue
        if material.opacity_threshold > 0.0:
            kinds[i] = kind.CUTOUT
        else:
            kinds[i] = kind.PRESENCE if material.presence else kind.TRANSPARENT
    return kinds


def _least_opacity(material: Material, textures: Sequence[Texture]) -> float:
    driven = material.textures.get("opacity")
    if driven is None:
        return material.opacity
    texture = textures[driven.texture]
    texel = texture.pixels[..., driven.channel]
    ends = [float(texel.min()), float(texel.max())]
    if Wrap.BLACK in (texture.wrap_u, texture.wrap_v):
        ends.append(0.0)
    return min(driven.scale[driven.channel] * end + driven.bias[driven.channel] for end in ends)


def least_display_opacity(scene: Scene) -> float:
    """Return the least displayOpacity that anything may have."""
    placed = scene.placements.color
    constant = 1.0 if placed is None or not len(placed) else float(placed[:, 3].min())
    varying = [float(mesh.opacity.min()) for mesh in scene.meshes if mesh.opacity is not None and mesh.opacity.size]
    return constant * min(varying, default=1.0)


def opacity_textures(scene: Scene, kinds: NDArray[np.int32]) -> tuple[Texture, ...]:
    """Return the scene's textures with one texel in place of those that labels do not depend on."""
    used = {m.textures["opacity"].texture for m, k in zip(scene.materials, kinds, strict=True)
            if k and "opacity" in m.textures}  # fmt: skip
    return tuple(t if i in used else Texture(t.name, np.zeros((1, 1, 4), np.float32), t.wrap_u, t.wrap_v)
                 for i, t in enumerate(scene.textures))  # fmt: skip


def opacities_on_device(scene: Scene, kinds: NDArray[np.int32], uploaded: Any, device: str, *, bends: bool) -> Any:
    """Return kernels.opacity.Opacities without rows.

    Args:
        scene: Whose materials they are.
        kinds: `opacity_kinds` of it.
        uploaded: kernels.material.Materials of it.
        device: Where to.
        bends: Light is bent by glass, for which it must be known what has an inside.
    """
    materials, out = scene.materials, gpu.opacity.Opacities()
    out.kind = to_device(kinds, wp.int32, device)
    constant = [(1.0 if "opacity" in m.textures else m.opacity, m.opacity_threshold) for m in materials]
    out.constant = to_device(np.array(constant, np.float32), wp.vec2, device)
    out.uses_display = to_device(np.array([m.uses_display_opacity for m in materials], np.int32), wp.int32, device)
    out.ior = to_device(np.array([m.ior for m in materials], np.float32), wp.float32, device)
    solid = (
        [is_closed(mesh) for mesh in scene.meshes]
        if bends and (kinds == gpu.opacity.OpacityKind.TRANSPARENT).any()
        else []
    )
    out.solid = to_device(
        np.array(solid, np.int32)[scene.placements.mesh] if solid else np.zeros(0, np.int32), wp.int32, device
    )
    out.own_open = to_device(open_placements(scene, kinds), wp.int32, device)
    out.input, out.inputs, out.textures = uploaded.input, uploaded.inputs, uploaded.textures
    return out


def open_placements(scene: Scene, kinds: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return 1 for placements with a material that may have holes, by `opacity_kinds`."""
    placed = scene.placements
    slots = np.array([int(mesh.slot.max(initial=-1)) + 1 for mesh in scene.meshes])[placed.mesh]
    is_open = np.zeros(len(placed.mesh), np.int32)
    for i, (first, count) in enumerate(zip(placed.first_slot.tolist(), slots.tolist(), strict=True)):
        is_open[i] = int(kinds[placed.slot_material[first : first + count]].any())
    return is_open


def is_closed(mesh: Mesh) -> bool:
    """Return whether every edge of a mesh has two triangles, on its two sides; points at one place count as one."""
    if not len(mesh.points_m):
        return False
    step_m = max(float(np.ptp(mesh.points_m, axis=0).max()) * SAME_PLACE, 1.0e-30)
    places = np.rint((mesh.points_m.astype(np.float64) - mesh.points_m.min(axis=0)) / step_m).astype(np.int64)
    _, index = np.unique(places, axis=0, return_inverse=True)
    corner = index.reshape(-1)[mesh.triangle].astype(np.int64)
    corner = corner[(corner[:, 0] != corner[:, 1]) & (corner[:, 1] != corner[:, 2]) & (corner[:, 2] != corner[:, 0])]
    ends = np.stack([corner, np.roll(corner, -1, axis=1)], axis=-1).reshape(-1, 2)
    count = len(mesh.points_m)
    there, back = np.sort(ends @ [count, 1]), np.sort(ends @ [1, count])
    return len(there) > 0 and bool((there == back).all())


def opacity_fields(draft: Draft) -> list[Field]:
    """Return what rows change about opacities: the material of an instance."""
    return [field("override", wp.int32, draft.material, np.int32, may_share=True)]


def opacities_of_rows(base: Any, inputs: Inputs) -> Any:
    """Return the opacities with the rows in `inputs`."""
    opacities = copied(base)
    opacities.override = inputs.array("override")
    return opacities
