"""Primvars as plain arrays, checked against the mesh they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pxr import Usd

from engine.scene.geometry.polygons import Polygons
from engine.scene.notes import Notes

ST_NAMES = ("st", "UVMap", "map1", "st0", "st_0", "uv", "UVW")
USUAL_ST = tuple(f"primvars:{name}" for name in ST_NAMES)
TEXTURE_TYPES = ("texCoord2f[]", "texCoord2h[]", "texCoord2d[]", "texCoord3f[]")
PLAIN_TYPES = ("float2[]", "half2[]", "double2[]")
UNLIKE_ST = ("primvars:normals", "primvars:displayColor", "primvars:displayOpacity")


@dataclass(frozen=True)
class Primvar:
    """Values without indices, and what one value belongs to."""

    values: NDArray[np.float32]  # [value, component]
    interpolation: str  # constant, uniform, varying, vertex or faceVarying


def read_array(prim: Usd.Prim, name: str, time: Usd.TimeCode) -> NDArray[Any] | None:
    """Return an array attribute, or None when it has no value."""
    attribute = prim.GetAttribute(name)
    value = attribute.Get(time) if attribute else None
    if value is None:
        return None
    return np.atleast_1d(np.asarray(value))


def read_primvar(
    prim: Usd.Prim, attribute: str, time: Usd.TimeCode, components: tuple[int, ...], notes: Notes
) -> Primvar | None:
    """Return `attribute` (such as `primvars:st` or `normals`) of a prim, or None with a note when it is unusable.

    Its values may have any number of components in `components`; the first of them are returned.
    """
    values = read_array(prim, attribute, time)
    if values is None or values.size == 0:
        return None
    if values.ndim == 1 and values.dtype.kind == "f":
        if components[0] == 1:
            values = values[:, None]
        elif len(values) == components[0]:
            values = values[None]  # a single value where an array was expected
    if values.ndim != 2 or values.shape[1] not in components or values.dtype.kind != "f":
        notes.add("skipped", prim.GetPath(), f"{attribute} has the wrong type")
        return None
    values = values[:, : components[0]].astype(np.float32)
    if not np.isfinite(values).all():
        notes.add("repaired", prim.GetPath(), f"{attribute} holds values that are not finite; 0 was used")
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    indices = read_array(prim, f"{attribute}:indices", time) if attribute.startswith("primvars:") else None
    if indices is not None and indices.size:
        if indices.dtype.kind not in "iu" or indices.min() < 0 or indices.max() >= len(values):
            notes.add("skipped", prim.GetPath(), f"{attribute}:indices point outside its values")
            return None
        values = values[indices]
    interpolation = prim.GetAttribute(attribute).GetMetadata("interpolation")
    default = "vertex" if attribute == "normals" else "constant"
    return Primvar(values, str(interpolation or default))


def point_values(primvar: Primvar, polygons: Polygons) -> NDArray[np.float32] | None:
    """Return [point, component] where one value belongs to each point, else None."""
    if primvar.interpolation in ("vertex", "varying") and len(primvar.values) == len(polygons.points):
        return primvar.values
    return None


def corner_values(primvar: Primvar, polygons: Polygons) -> NDArray[np.float32] | None:
    """Return [corner, component] for the polygons' corners, or None when the number of values does not fit."""
    values, kind = primvar.values, primvar.interpolation
    if kind == "constant" and len(values) >= 1:
        return np.broadcast_to(values[0], (len(polygons.indices), values.shape[1]))
    if kind == "uniform" and len(values) == polygons.authored_face_count:
        return values[np.repeat(polygons.face, polygons.counts)]
    if kind in ("vertex", "varying") and len(values) == len(polygons.points):
        return values[polygons.indices]
    if kind == "faceVarying" and len(values) == polygons.authored_corner_count:
        return values[polygons.corner]
    return None


def st_attribute(prim: Usd.Prim, names: Sequence[str], wanted: str | None) -> tuple[str | None, bool]:
    """Return the attribute of the texture coordinates and whether it is the wanted one.

    Without it (or when none is wanted): the only primvar of a texture-coordinate type, then `st` and the other usual
    names, then the first of such a type; float2 arrays count where no texture-coordinate type is there.
    """
    if wanted is not None and f"primvars:{wanted}" in names:
        return f"primvars:{wanted}", True
    candidates = [n for n in names if n.startswith("primvars:") and not n.endswith(":indices") and n not in UNLIKE_ST]
    for types in (TEXTURE_TYPES, PLAIN_TYPES):
        typed = [n for n in candidates if str(prim.GetAttribute(n).GetTypeName()) in types]
        usual = [n for n in USUAL_ST if n in typed]
        if typed:
            return (usual or typed)[0], wanted is None
    return None, wanted is None
