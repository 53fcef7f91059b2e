"""What of a scene stays the same at all times that one renderer can show."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from engine.errors import UserError
from engine.render.opacity import least_display_opacity
from engine.scene.model import Scene

DRAWN = {"materials": ("base_color", "roughness", "metallic"), "lights": ("world_from_light", "radiance")}  # by a draft
SHOWN_NAMES = 3  # in a message, of things that differ


def check_same_stage(before: Scene, after: Scene) -> None:
    """Refuse a scene that differs from another in more than meshes, poses and what a draft brings.

    Raises:
        UserError: It names what differs.
    """
    was, now = _lasting(before), _lasting(after)
    if other := [_shown(what, was[what], now[what]) for what in was if not _is_same(what, was[what], now[what])]:
        name = after.source.name
        raise UserError(
            f"scene {name}: the renderer holds other {', '.join(other)}; only meshes, poses and what a draft holds may "
            "change with time: make a new Renderer"
        )


def is_equal(one: Any, two: Any, *, without: tuple[str, ...] = ()) -> bool:
    """Return whether values of the scene model are the same, some fields of dataclasses aside."""
    if one is two:
        return True
    if isinstance(one, np.ndarray) or isinstance(two, np.ndarray):
        return one is not None and two is not None and np.array_equal(one, two)
    if isinstance(one, tuple | list):
        return len(one) == len(two) and all(is_equal(a, b, without=without) for a, b in zip(one, two, strict=True))
    if is_dataclass(one):
        names = [field.name for field in fields(one) if field.name not in without]
        return all(is_equal(getattr(one, name), getattr(two, name)) for name in names)
    return bool(one == two)


def _lasting(scene: Scene) -> dict[str, Any]:
    """Return by its name in a message what a device keeps of a scene, but for meshes and poses."""
    placed = scene.placements
    return {
        "instances": scene.instances.stable_id,
        "number of meshes": len(scene.meshes),
        "meshes of placements": (placed.mesh, placed.instance),
        "bindings of materials": (placed.first_slot, placed.slot_material),
        "colours of placements": placed.color,
        "keypoints": (scene.keypoints.instance, scene.keypoints.number, scene.keypoints.depth_m),
        "opacity of meshes": least_display_opacity(scene),
        "materials": scene.materials,
        "textures": scene.textures,
        "lights": scene.lights,
        "IES profiles": scene.ies,
        "light linking": scene.link_sets,
    }


def _is_same(what: str, was: Any, now: Any) -> bool:
    return is_equal(was, now, without=DRAWN.get(what, ()))


def _shown(what: str, was: Any, now: Any) -> str:
    """Return `lights (/lamp)` for what differs, with the names of those that do where they have any."""
    if not isinstance(was, tuple) or len(was) != len(now):
        return what
    pairs = zip(was, now, strict=True)
    names = [two.name for one, two in pairs if hasattr(two, "name") and not _is_same(what, one, two)]
    rest = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return f"{what} ({', '.join(names[:SHOWN_NAMES])}{rest})" if names else what
