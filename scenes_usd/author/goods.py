"""What falls out of cartons: retail boxes, tins, bottles, standing or lying. Origins on the floor, in the middle."""

from __future__ import annotations

from pathlib import Path

from pxr import Kind

from scenes_usd.author import stage as usd
from scenes_usd.author.shape import Shape, joined, moved, painted, turned
from scenes_usd.author.solids import box, lathe


def write_goods(root: Path) -> None:
    """Write the goods: variant set ``thing``."""
    things = {
        "box_blue": _box("GoodsBlue"),
        "box_red": _box("GoodsRed"),
        "tin_standing": _tin(),
        "tin_lying": _laid(_tin()),
        "bottle_lying": _laid(_bottle()),
    }
    path = root / "assets" / "goods.usda"
    comment = "Small goods of a carton: retail boxes, tins, bottles."
    stage = usd.new_stage(path, "Goods", kind=Kind.Tokens.component, comment=comment)
    usd.describe(stage, "Goods", path, "goods")
    stage.DefinePrim("/Goods/Geometry", "Scope")
    names = dict.fromkeys(name for shape in things.values() for name in shape.materials)
    looks = {name: usd.reference_material(stage, "/Goods/Materials", name, f"../{usd.LIBRARY}") for name in names}
    variants = stage.GetDefaultPrim().GetVariantSets().AddVariantSet("thing")
    for thing, shape in things.items():
        variants.AddVariant(thing)
        variants.SetVariantSelection(thing)
        with variants.GetVariantEditContext():
            usd.write_mesh(stage, "/Goods/Geometry/Thing", shape, looks)
    variants.SetVariantSelection("box_blue")
    usd.save(stage)


def _box(material: str) -> Shape:
    """Return a retail box 120 x 80 x 50 mm with a light band around it."""
    body = painted(box((0.12, 0.08, 0.05), bevel_m=0.001), material)
    band = painted(box((0.0402, 0.0804, 0.0502)), "SignWhite")
    return joined(body, moved(band, 0.018, 0.0, 0.0))


def _tin() -> Shape:
    """Return a tin 66 x 115 mm with a paper sleeve."""
    ends = painted(
        lathe([(0.0, 0.0), (0.031, 0.0), (0.033, 0.003), (0.033, 0.112), (0.031, 0.115), (0.0, 0.115)], 16), "Zinc"
    )
    sleeve = painted(lathe([(0.0334, 0.01), (0.0334, 0.105)], 16), "GoodsRed")
    return joined(ends, sleeve)


def _bottle() -> Shape:
    """Return a bottle 70 x 220 mm with a cap."""
    profile = [
        (0.0, 0.0),
        (0.033, 0.0),
        (0.035, 0.004),
        (0.035, 0.13),
        (0.03, 0.155),
        (0.014, 0.18),
        (0.013, 0.2),
        (0.0, 0.2),
    ]
    cap = [(0.0, 0.195), (0.015, 0.195), (0.015, 0.22), (0.0, 0.22)]
    return joined(painted(lathe(profile, 16), "GoodsGreen"), painted(lathe(cap, 12), "SignWhite"))


def _laid(shape: Shape) -> Shape:
    """Return the shape on its side, along y, standing on the floor in the middle of its footprint."""
    lying = turned(shape, "x", 90.0)
    low, high = lying.points_m.min(axis=0), lying.points_m.max(axis=0)
    return moved(lying, -(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, -low[2])
