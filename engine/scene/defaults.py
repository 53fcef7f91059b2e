"""What a scene gets when it says nothing: lights to see by and a camera that frames everything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.daylight.atmosphere import SUN_HALF_ANGLE_RAD as SUN_RADIUS_RAD
from engine.scene.model import Camera, Light, LightKind, Note, Scene

SKY_RADIANCE = 0.5  # white dome: a white diffuse surface under it alone shows 0.5
SUN_IRRADIANCE = 2.0  # at normal incidence; with the sky a mid-grey floor stays below white
SUN_HALF_ANGLE_RAD = 0.0087  # half a degree, twice the real sun: soft edges without noise
SUN_FROM = np.array([-0.4, -0.5, 0.77])  # over the left shoulder of the default camera
CAMERA_FROM = np.array([0.6, -0.8, 0.45])  # right, in front and above
FOCAL_LENGTH_MM = 35.0
HORIZONTAL_APERTURE_MM = 36.0
MARGIN = 1.05  # free space around what is framed
DAYLIGHT_SKY, DAYLIGHT_SUN = "daylight/sky", "daylight/sun"  # lights that a randomiser of daylight sets
DAYLIGHT = (3.0, 0.7, 0.2, 1.0e4)  # clear air, the sun at 40 degrees, grey ground: until the randomiser says otherwise


def lit_scene(scene: Scene) -> Scene:
    """Return a scene with lights: its own; without any, a white dome and a sun, and a note that says so."""
    if scene.lights:
        return scene
    note = Note("converted", "/", "a white dome and a sun light the scene, which has no lights")
    return replace(scene, lights=default_lights(scene), notes=(*scene.notes, note))


def default_lights(scene: Scene) -> tuple[Light, ...]:
    """Return the scene's lights; without any, a white dome and a sun."""
    if scene.lights:
        return scene.lights
    sky = Light("default/sky", LightKind.DOME, np.eye(3, 4), (0.0, 0.0), 0.0, (SKY_RADIANCE,) * 3)
    radiance = SUN_IRRADIANCE / (np.pi * np.sin(SUN_HALF_ANGLE_RAD) ** 2)
    frame = _look_along(-SUN_FROM, np.zeros(3))
    sun = Light("default/sun", LightKind.DISTANT, frame, (0.0, 0.0), SUN_HALF_ANGLE_RAD, (float(radiance),) * 3)
    return (sky, sun)


def daylit_scene(scene: Scene) -> Scene:
    """Return a scene with a sun and a sky for randomisers of daylight, which darken its domes and distant lights."""
    if any(light.name == DAYLIGHT_SKY for light in scene.lights):
        return scene
    frame = np.eye(3, 4)
    sky = Light(DAYLIGHT_SKY, LightKind.SKY, frame, (0.0, 0.0), 0.0, (1.0,) * 3, sky=DAYLIGHT)
    sun = Light(DAYLIGHT_SUN, LightKind.DISTANT, frame, (0.0, 0.0), SUN_RADIUS_RAD, (0.0,) * 3)
    replaced = [light.name for light in scene.lights if light.kind in (LightKind.DOME, LightKind.DISTANT)]
    of = f" in place of {', '.join(replaced)}" if replaced else ""
    note = Note("converted", "/", f"a sun and a sky light the scene{of}, as a randomiser asks for")
    return replace(scene, lights=(*scene.lights, sky, sun), notes=(*scene.notes, note))


def framing_camera(scene: Scene, width: int, height: int) -> Camera:
    """Return a camera from the front right above that sees every placement, at the smallest distance that does."""
    corners = _placement_corners(scene)
    low, high = corners.min(axis=0), corners.max(axis=0)
    center = (low + high) / 2.0
    frame = _look_along(-CAMERA_FROM, center)
    local = (corners - center) @ frame[:, :3]
    slope_x = HORIZONTAL_APERTURE_MM / (2.0 * FOCAL_LENGTH_MM) / MARGIN
    slope_y = slope_x * height / width
    # A point is inside when |x| <= slope * (distance - z), z towards the camera.
    distance = float(
        np.maximum(np.abs(local[:, 0]) / slope_x, np.abs(local[:, 1]) / slope_y).__add__(local[:, 2]).max()
    )
    frame[:, 3] = center + frame[:, 2] * max(distance, 1e-3)
    return Camera(
        name="default/camera",
        world_from_camera=frame,
        focal_length_mm=FOCAL_LENGTH_MM,
        horizontal_aperture_mm=HORIZONTAL_APERTURE_MM,
        vertical_aperture_mm=HORIZONTAL_APERTURE_MM * height / width,
    )


def _placement_corners(scene: Scene) -> NDArray[np.float64]:
    """Return the corners [corner, 3] of every placement's own box, in the world; a unit cube's without any."""
    if len(scene.placements.mesh) == 0:
        return np.array([[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]])
    unit = np.indices((2, 2, 2)).reshape(3, -1).T
    low = np.stack([mesh.points_m[mesh.triangle.ravel()].min(axis=0) for mesh in scene.meshes]).astype(np.float64)
    high = np.stack([mesh.points_m[mesh.triangle.ravel()].max(axis=0) for mesh in scene.meshes]).astype(np.float64)
    box = low[:, None] + unit * (high - low)[:, None]
    world = scene.placements.world_from_mesh
    corners = np.einsum("pij,pcj->pci", world[:, :, :3], box[scene.placements.mesh]) + world[:, None, :, 3]
    return corners.reshape(-1, 3)


def _look_along(direction: NDArray[np.float64], origin: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the frame [3, 4] that looks along `direction` (its -Z) with Z up in the image."""
    z = -direction / np.linalg.norm(direction)
    x = np.cross([0.0, 0.0, 1.0], z)
    x /= np.linalg.norm(x)
    return np.column_stack([x, np.cross(z, x), z, origin])
