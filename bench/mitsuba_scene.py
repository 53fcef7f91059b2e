"""Our scenes in Mitsuba 3: those materials and lights that both define identically."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.scene.model import Camera, Light, LightKind, Material, Scene

VARIANT = "scalar_rgb"


def mitsuba(variant: str = VARIANT) -> Any:
    """Return the module with a variant set."""
    import mitsuba as mi

    mi.set_variant(variant)
    return mi


def matrix(pose34: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a pose as 4x4."""
    return np.vstack([pose34, [0.0, 0.0, 0.0, 1.0]])


def rgb(color: Any) -> dict[str, Any]:
    """Return a colour."""
    return {"type": "rgb", "value": [float(c) for c in color]}


def bsdf(material: Material) -> dict[str, Any]:
    """Return a material: glass, metal without bounces between facets, or Lambert (ior 1).

    Raises:
        ValueError: If it is none of these.
    """
    alpha = max(material.roughness**2, 0.002)
    if material.opacity == 0.0:
        ends = {"int_ior": material.ior, "ext_ior": 1.0}
        return {"type": "roughdielectric", "distribution": "ggx", "alpha": alpha, **ends}
    if material.metallic == 1.0:
        metal = {"type": "roughconductor", "distribution": "ggx", "alpha": alpha, "material": "none",
                 "specular_reflectance": rgb(material.base_color)}  # fmt: skip
        return {"type": "twosided", "bsdf": metal}
    if material.ior == 1.0:
        return {"type": "twosided", "bsdf": {"type": "diffuse", "reflectance": rgb(material.base_color)}}
    raise ValueError(f"{material.name} has no twin")


def emitter(mi: Any, light: Light) -> dict[str, Any]:
    """Return a light: rectangles and disks shine along +Z there.

    Raises:
        ValueError: If it is a dome with an image.
    """
    world = matrix(light.world_from_light)
    flip = np.diag([1.0, -1.0, -1.0, 1.0])
    width, height = light.size_m
    if light.kind == LightKind.DOME:
        if light.texture is not None:
            raise ValueError("give the image")
        return {"type": "constant", "radiance": rgb(light.radiance)}
    if light.kind == LightKind.DISTANT:
        towards = -light.world_from_light[:, 2]
        return {"type": "directional", "direction": towards.tolist(), "irradiance": rgb(light.radiance)}
    if light.kind == LightKind.RECT:
        shape: dict[str, Any] = {"type": "rectangle"}
        local = flip @ np.diag([width / 2, height / 2, 1.0, 1.0])
    elif light.kind == LightKind.DISK:
        shape, local = {"type": "disk"}, flip @ np.diag([width, width, 1.0, 1.0])
    elif light.kind == LightKind.SPHERE:
        shape, local = {"type": "sphere", "radius": width}, np.eye(4)
    else:
        half = height / 2
        shape, local = {"type": "cylinder", "p0": [-half, 0, 0], "p1": [half, 0, 0], "radius": width}, np.eye(4)
    area = {"type": "area", "radiance": rgb(light.radiance)}
    dark = {"type": "diffuse", "reflectance": {"type": "rgb", "value": 0.0}}
    return {**shape, "to_world": mi.ScalarTransform4f(world @ local), "emitter": area, "bsdf": dark}


def mesh(mi: Any, scene: Scene, placement: int) -> Any:
    """Return a placement in the world, faceted."""
    placed = scene.placements
    source = scene.meshes[placed.mesh[placement]]
    pose34 = placed.world_from_mesh[placement]
    points = source.points_m @ pose34[:, :3].T + pose34[:, 3]
    corners = points[source.triangle].reshape(-1, 3)
    material = scene.materials[placed.slot_material[placed.first_slot[placement] + int(source.slot[0])]]
    properties = mi.Properties()
    properties["mesh_bsdf"] = mi.load_dict(bsdf(material))
    out = mi.Mesh(f"m{placement}", len(corners), len(corners) // 3, props=properties, has_vertex_normals=False)
    values = mi.traverse(out)
    values["vertex_positions"] = corners.astype(np.float32).ravel()
    values["faces"] = np.arange(len(corners), dtype=np.uint32)
    values.update()
    return out


def scene_of(mi: Any, scene: Scene, camera: Camera, size_px: tuple[int, int], *, spp: int, bounces: int) -> Any:
    """Return a scene with a path integrator of `bounces` bounces beyond the camera's.

    Lights with bodies are not seen, as with us; a dome is, but not together with those.
    """
    fov = 2.0 * np.degrees(np.arctan(camera.horizontal_aperture_mm / 2.0 / camera.focal_length_mm))
    pose = matrix(camera.world_from_camera) @ np.diag([-1.0, 1.0, -1.0, 1.0])
    film = {"type": "hdrfilm", "width": size_px[0], "height": size_px[1], "rfilter": {"type": "box"},
            "pixel_format": "rgb"}  # fmt: skip
    sensor = {"type": "perspective", "fov": float(fov), "fov_axis": "x", "to_world": mi.ScalarTransform4f(pose),
              "film": film, "sampler": {"type": "independent", "sample_count": spp}}  # fmt: skip
    has_bodies = any(light.kind not in (LightKind.DOME, LightKind.DISTANT) for light in scene.lights)
    parts: dict[str, Any] = {"type": "scene", "sensor": sensor,
                             "integrator": {"type": "path", "max_depth": bounces + 2, "rr_depth": bounces + 2,
                                            "hide_emitters": has_bodies}}  # fmt: skip
    for placement in range(len(scene.placements.mesh)):
        parts[f"mesh_{placement}"] = mesh(mi, scene, placement)
    for i, light in enumerate(scene.lights):
        parts[f"light_{i}"] = emitter(mi, light)
    return mi.load_dict(parts)


def render_mitsuba(
    scene: Scene, camera: Camera, size_px: tuple[int, int], *, spp: int, bounces: int, seed: int = 0
) -> NDArray[np.float64]:
    """Return linear radiance [y, x, 3]."""
    mi = mitsuba()
    image = mi.render(scene_of(mi, scene, camera, size_px, spp=spp, bounces=bounces), seed=seed)
    return np.asarray(image, np.float64)
