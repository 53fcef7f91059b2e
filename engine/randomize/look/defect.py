"""Defects and near-misses: which things have some, where on their surface, and what they are like."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from engine.defect import OWN, DefectKind, Defects, add_defects, new_defects, record_values, set_reach
from engine.defect_classes import LABELS
from engine.draft import DefectSlot, Draft
from engine.errors import UserError, near_matches
from engine.randomize import select
from engine.randomize.draw import Draw
from engine.randomize.law import ANGLE_RANGE_DEG, Law, check_support, support
from engine.randomize.look.color import Color, drawn_color
from engine.randomize.look.surface import (
    Array,
    Density,
    Spots,
    scales_of,
    spots_on,
    surface_of,
    unit,
)
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Scene

SIZE_RANGE_M = (1.0e-6, 1.0e3)
DEPTH_RANGE_UM = (0.0, 1.0e7)
MOST = 256  # defects of one entry on one thing
LARGEST_WEIGHT = 100.0
LEAST_AXIS = 0.1  # of a reference axis in the surface; one that pierces it gives no direction
MICROMETRE = 1.0e-6
Kind = Literal[
    "scratch", "scuff", "dent", "crack", "pit", "porosity", "chip", "fray", "stain", "rust", "uneven", "seam",
    "missing", "misprint", "dust", "hair", "glint", "glare", "machining", "marking",
]  # fmt: skip
SHARES = ("severity", "opacity", "irregularity", "softness", "rim")
FINISH = ("roughness", "metallic")


@dataclass(frozen=True)
class Faces:
    """Surfaces that look a certain way."""

    direction: tuple[float, float, float]  # in the frame of the mesh
    within_deg: float  # of it, their normal

    def __post_init__(self) -> None:
        if not any(self.direction):
            raise ValueError("direction is [0, 0, 0]; give a direction such as [0, 0, 1]")
        if not 0.0 <= self.within_deg <= 180.0:
            raise ValueError(f"within_deg must be in [0, 180], got {self.within_deg:g}")


@dataclass(frozen=True)
class DefectEntry:
    """Defects, or near-misses, of one kind on some instances."""

    STAGE: ClassVar[Stage] = Stage.DEFECT
    instances: Glob  # what may bear them
    defect: Kind
    label: str | None  # key of a class; null: that of the kind
    handling_step: str  # where in production or handling it comes from; "": not said
    probability: Law  # that a thing bears any; drawn per world
    count: Law  # how many a thing bears then; rounded
    length_m: Law
    width_m: Law
    depth_um: Law  # into the surface
    direction_deg: Law  # of its length, about the normal from the reference axis, or from the edge that it lies on
    severity: Law  # 0: invisible, 1: as the other values say
    color: Color | None  # null: that of the surface
    opacity: Law  # of the colour
    roughness: Law | None  # null: that of the surface
    metallic: Law | None  # null: that of the surface
    irregularity: Law  # 0: as drawn with a ruler, 1: wild
    softness: Law  # share of the half width over which it fades
    rim: Law  # raised lip as a share of the depth; of a stain, how dark its border is
    parts: Law  # branches of a crack, pores of a patch, rubs of a scuff, digits of a marking; rounded
    reference: tuple[float, float, float]  # axis in the frame of the mesh from which directions count
    faces: Faces | None  # null: all
    place: Literal["surface", "edge"]  # anywhere, or with its centre on a sharp edge or border
    edge_weight: float  # how much denser they are within edge_reach_m of an edge; 1: even by area
    edge_reach_m: float

    def __post_init__(self) -> None:
        check_support("probability", self.probability, 0.0, 1.0)
        check_support("count", self.count, 0.0, MOST)
        for name in ("length_m", "width_m"):
            check_support(name, getattr(self, name), *SIZE_RANGE_M)
        check_support("depth_um", self.depth_um, *DEPTH_RANGE_UM)
        check_support("direction_deg", self.direction_deg, *ANGLE_RANGE_DEG)
        for name in SHARES:
            check_support(name, getattr(self, name), 0.0, 1.0)
        for name in FINISH:
            if getattr(self, name) is not None:
                check_support(name, getattr(self, name), 0.0, 1.0)
        check_support("parts", self.parts, 0.0, 1.0e4)
        if not any(self.reference):
            raise ValueError("reference is [0, 0, 0]; give an axis such as [1, 0, 0]")
        if not 0.0 < self.edge_weight <= LARGEST_WEIGHT:
            raise ValueError(f"edge_weight must be in (0, {LARGEST_WEIGHT:g}], got {self.edge_weight:g}")
        if not 0.0 <= self.edge_reach_m < math.inf:
            raise ValueError(f"edge_reach_m must be a length, got {self.edge_reach_m:g}")


@RANDOMIZERS.register("defect", DefectEntry)
def defect(params: DefectEntry, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Give things defects of a kind, each with a place and values of its own."""
    bearers = select.instances(scene, params.instances, draw.where("instances"))
    most = round(support(params.count)[1])
    slots = len(bearers) * most
    kind = DefectKind[params.defect.upper()]
    slot = DefectSlot(draw.randomizer, int(kind), _class_of(params, kind, scene, draw), params.handling_step)
    asked = np.round(draw.law("count", params.count, count=len(bearers)))
    bears = draw.uniform("bears", count=len(bearers)) < draw.law("probability", params.probability)[:, None]
    is_used = (np.arange(most) < asked[..., None]) & bears[..., None]
    instance = np.where(is_used, bearers[:, None], 0).reshape(len(draft.world), slots)
    if not slots:
        return  # nor are there columns, which would have no width
    draw.record("instance", instance.astype(np.int32))
    defects = new_defects(draft, slots)
    defects.set("kind", kind)
    for name in ("length_m", "width_m", *SHARES):
        defects.set(name, draw.law(name, getattr(params, name), count=slots))
    defects.set("depth_m", draw.law("depth_um", params.depth_um, count=slots) * MICROMETRE)
    defects.set("count", np.round(draw.law("parts", params.parts, count=slots)))
    for name in FINISH:
        law: Law | None = getattr(params, name)
        defects.set(name, OWN if law is None else draw.law(name, law, count=slots))
    color = params.color
    defects.set("color", (OWN,) * 3 if color is None else drawn_color(color, "color", draw, slots))
    seed = np.floor(draw.uniform("seed", count=slots) * 2.0**32).astype(np.uint32)
    draw.record("seed", seed)
    defects.set("seed", seed)
    _place(params, scene, draw, defects, bearers)
    set_reach(defects)
    add_defects(draft, defects, instance=instance.astype(np.int32), slots=(slot,) * slots)


def _place(
    params: DefectEntry, scene: Scene, draw: Draw, defects: Defects, bearers: NDArray[np.int64]
) -> None:  # fmt: skip
    """Put every record on the surface of its bearer."""
    rows, slots = defects.record.shape[:2]
    most = slots // len(bearers)
    turn_rad = np.deg2rad(draw.law("direction_deg", params.direction_deg, count=slots))
    faces = None
    if params.faces is not None:
        direction = unit(np.array(params.faces.direction))
        faces = direction, float(np.cos(np.deg2rad(params.faces.within_deg))) - 1.0e-9
    density = Density(params.place == "edge", params.edge_weight, params.edge_reach_m)
    reference = np.array(params.reference, np.float64)
    for position, bearer in enumerate(bearers.tolist()):
        placements = np.flatnonzero(scene.placements.instance == bearer)
        path = scene.instances.path[bearer]
        if not len(placements):
            raise UserError(f"{draw.where('instances')}: '{path}' has no geometry that could bear a defect")
        scale = scales_of(scene, draw, bearer, placements)
        rounded = scale.astype(np.float32).reshape(rows, -1)  # so that turns of one size are of one size
        sizes, group = np.unique(rounded, axis=0, return_inverse=True)
        for number, size in enumerate(sizes.astype(np.float64).reshape(len(sizes), -1, 3)):
            surface = surface_of(scene, draw, placements, size, faces)
            if surface is None or (density.on_edges and not len(surface.edge_until)):
                raise UserError(_nothing_to_mark(params, draw, path))
            row = np.repeat(np.flatnonzero(group.reshape(-1) == number), most)
            column = np.tile(position * most + np.arange(most), len(row) // most)
            spots = spots_on(surface, density, draw, row, column)
            spots = replace(spots, placement=placements[spots.placement])
            _keep(defects, row, column, spots, _along(spots, reference, turn_rad[row, column]))
    for name in ("center_m", "normal", "along"):
        values = record_values(defects.record, name)
        for k, axis in enumerate("xyz"):
            draw.record(name.replace("_m", "") + f"_{axis}" + "_m" * name.endswith("_m"), values[..., k].copy())
    draw.record("edge_distance_m", record_values(defects.record, "edge_distance_m").copy())


def _nothing_to_mark(params: DefectEntry, draw: Draw, path: str) -> str:
    what = "sharp edge or border" if params.place == "edge" else "surface"
    if params.faces is not None:
        return f"{draw.where('faces')}: '{path}' has no {what} that faces as asked; widen within_deg"
    return f"{draw.where('instances')}: '{path}' has no {what}; name other instances"


def _keep(defects: Defects, row: NDArray[np.int64], column: NDArray[np.int64], spots: Spots, along: Array) -> None:
    """Write where defects are into their records."""
    part = Defects(defects.record[row, column])
    for name, values in (("center_m", spots.center_m), ("normal", spots.normal), ("along", along)):
        part.set(name, values)
    part.set("placement", spots.placement)
    part.set("edge_distance_m", spots.edge_distance_m)
    defects.record[row, column] = part.record


def _along(spots: Spots, reference: Array, turn_rad: Array) -> Array:
    """Return the direction of every defect's length: its edge's, or the reference axis in the surface, turned."""
    normal = spots.normal

    def flat(axis: Array) -> Array:
        return np.asarray(axis - normal * (normal * axis).sum(axis=1, keepdims=True))

    ahead = flat(np.broadcast_to(unit(reference), normal.shape))
    pierces = np.linalg.norm(ahead, axis=1) < LEAST_AXIS
    other = np.eye(3)[np.argmin(np.abs(reference))]  # far from it, so that no normal is close to both
    ahead = np.where(pierces[:, None], flat(np.broadcast_to(other, normal.shape)), ahead)
    on_edge = (spots.axis != 0.0).any(axis=1)
    ahead = unit(np.where(on_edge[:, None], flat(spots.axis), ahead))
    return np.asarray(ahead * np.cos(turn_rad)[:, None] + np.cross(normal, ahead) * np.sin(turn_rad)[:, None])


def _class_of(params: DefectEntry, kind: DefectKind, scene: Scene, draw: Draw) -> int:
    """Return the class of the entry's defects; 0: the taxonomy has none for the kind and the entry names none."""
    ids = {each.key: each.id for each in scene.taxonomy.classes}
    if params.label is None:
        return ids.get(LABELS[kind], 0)
    if params.label not in ids:
        near = near_matches(params.label, tuple(ids))
        raise UserError(f"{draw.where('label')}: no class '{params.label}'; the scene has {near}")
    return ids[params.label]
