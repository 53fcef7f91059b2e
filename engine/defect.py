"""Defects and near-misses as a draft holds them: a record each, evaluated on surfaces by kernels/defect.py.

A defect belongs to an instance, lies at a point of its surface and is as long, wide and deep as its record says, in
metres of the mesh's metric frame (see kernels/native/pattern.cpp): it does not stretch with its bearer. A near-miss
looks like one and is none: it is recorded, and never in a defect's mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.draft import DEFECT_FLOATS, DefectSlot, Draft


class DefectKind(IntEnum):
    """What a defect is; the members of kernels.defect.DefectKind, which a test holds together."""

    NONE = 0
    SCRATCH = 1  # a groove, straight or bent
    SCUFF = 2  # a patch of fine parallel rubs
    DENT = 3  # a smooth hollow with a slight rim
    CRACK = 4  # a thin dark line that wanders and branches
    PIT = 5  # a blowhole: a small dark cavity
    POROSITY = 6  # many pores in a patch
    CHIP = 7  # a break: material gone from an edge, a fracture face left
    FRAY = 8  # an edge that crumbles or frays
    STAIN = 9
    RUST = 10
    UNEVEN = 11  # a patch of another finish, with a border
    SEAM = 12  # two parts of a surface that are shifted against each other
    MISSING = 13  # a coating, print or insert that is not there
    MISPRINT = 14  # print out of register
    DUST = 32  # near-misses from here on
    HAIR = 33
    GLINT = 34  # a small bright reflection
    GLARE = 35  # a wide one
    MACHINING = 36  # marks of a tool that belong there
    MARKING = 37  # chalk, pencil, a written number


FIRST_NEAR_MISS = DefectKind.DUST
LIGHTS = (DefectKind.GLINT, DefectKind.GLARE)  # nothing but their colour shows
FLAT = (DefectKind.STAIN, DefectKind.MISPRINT, DefectKind.DUST, DefectKind.HAIR, *LIGHTS, DefectKind.MARKING)
DEFECT_NAMES = tuple(kind.name.lower() for kind in DefectKind if kind is not DefectKind.NONE)
OWN = -1.0  # in place of a colour, roughness or metal: that of the surface
COLUMNS = {  # where values begin in a record
    "kind": 0,  # as bits
    "center_m": 1,  # in the mesh's metric frame
    "along": 4,  # unit, in the surface: the direction of its length
    "normal": 7,  # unit, of the surface at the centre
    "length_m": 10,
    "width_m": 11,
    "depth_m": 12,  # into the surface
    "severity": 13,  # 0: invisible, 1: as its other values say; scales depth, opacity and what it does to roughness
    "color": 14,  # linear, or OWN
    "opacity": 17,  # of that colour
    "roughness": 18,  # or OWN
    "metallic": 19,  # or OWN
    "irregularity": 20,  # 0: as drawn with a ruler, 1: wild
    "softness": 21,  # share of the half width over which it fades
    "rim": 22,  # raised lip, as a share of the depth
    "seed": 23,  # as bits
    "placement": 24,  # as bits: the mesh of the instance it lies on, in Scene.placements
    "count": 25,  # branches of a crack, pores of a patch, rubs of a scuff
    "reach_m": 26,  # nothing of it lies farther from the centre
    "edge_distance_m": 27,  # of the centre, from the nearest sharp edge or border; for the index
}  # fmt: skip
BITS = ("kind", "seed", "placement")
VECTORS = ("center_m", "along", "normal", "color")


def is_near_miss(kind: int) -> bool:
    """Return whether a kind is a near-miss."""
    return kind >= FIRST_NEAR_MISS


@dataclass(frozen=True)
class Defects:
    """Records of one randomiser's defects that are being filled in, [row, slot, 32]."""

    record: NDArray[np.float32]

    def set(self, name: str, values: ArrayLike) -> None:
        """Set a value of all records; it is spread over rows and slots, a vector has a last axis of 3."""
        column, values = COLUMNS[name], np.asarray(values)
        if name in BITS:
            self.record.view(np.int32)[..., column] = values.astype(np.int64).astype(np.uint32).view(np.int32)
        elif name in VECTORS:
            self.record[..., column : column + 3] = values
        else:
            self.record[..., column] = values


def is_visible(record: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which of the records [..., 32] change anything: severity above 0, and relief, a colour or a finish."""
    kind = record_values(record, "kind")
    has_color = (record_values(record, "color")[..., 0] >= 0.0) & (record_values(record, "opacity") > 0.0)
    has_finish = (record_values(record, "roughness") >= 0.0) | (record_values(record, "metallic") >= 0.0)
    has_finish &= ~np.isin(kind, LIGHTS)
    has_depth = (record_values(record, "depth_m") > 0.0) & ~np.isin(kind, FLAT)
    return np.asarray((record_values(record, "severity") > 0.0) & (has_color | has_finish | has_depth))


def record_values(record: NDArray[np.float32], name: str) -> NDArray[np.float32] | NDArray[np.int32]:
    """Return a value of records [..., 32]: [...], or [..., 3] of a vector."""
    column = COLUMNS[name]
    if name in BITS:
        return record.view(np.int32)[..., column]
    return record[..., column : column + 3] if name in VECTORS else record[..., column]


SPREAD = {  # how far it spreads from its centre, as a share of its longer side; other kinds half of it
    DefectKind.DENT: 0.75,  # to the end of its rim
    DefectKind.PIT: 0.675,
    DefectKind.GLINT: 1.0,  # where its bell ends
    DefectKind.GLARE: 1.0,
    DefectKind.MARKING: 0.65,  # the corner of a single digit
}  # fmt: skip


def set_reach(defects: Defects) -> None:
    """Set how far from their centres defects reach, whatever their kind makes of their size."""
    record = defects.record
    length, width, depth = (record_values(record, name) for name in ("length_m", "width_m", "depth_m"))
    wild = record_values(record, "irregularity")
    kind = record_values(record, "kind")
    share = np.select([kind == each for each in SPREAD], list(SPREAD.values()), 0.5)
    wide = np.maximum(length, width) * (share + 0.5 * wild) + width
    goes_as_far = (kind == DefectKind.CHIP) | (kind == DefectKind.MISPRINT)  # as it is deep, or slipped
    defects.set("reach_m", wide + np.where(goes_as_far, depth, 0.0))


def new_defects(draft: Draft, count: int) -> Defects:
    """Return empty records for at most `count` defects in every row of a draft."""
    return Defects(np.zeros((len(draft.world), count, DEFECT_FLOATS), np.float32))


def add_defects(draft: Draft, defects: Defects, *, instance: NDArray[np.int32], slots: tuple[DefectSlot, ...]) -> None:
    """Put defects on instances, in place.

    Args:
        draft: What is changed.
        defects: Their records.
        instance: Who bears each, [row, slot]; 0: this slot is not used in this row.
        slots: What every slot holds.
    """
    draft.defect = np.concatenate([draft.defect, defects.record], axis=1)
    draft.defect_of = np.concatenate([draft.defect_of, instance.astype(np.int32)], axis=1)
    draft.defect_slots = (*draft.defect_slots, *slots)
