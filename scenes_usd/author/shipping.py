"""Shipping labels as assets: thin sheets that wear one label of the atlas."""

from __future__ import annotations

from pathlib import Path

from pxr import Kind

from scenes_usd.author import stage as usd
from scenes_usd.author.shape import painted
from scenes_usd.author.shipping_print import COLUMNS, FAULTS, RIGHT_COUNT, ROWS, variant_names
from scenes_usd.author.storage import sheet

LABEL_M = (0.148, 0.105)  # A6, as carriers print it
LABEL_THICKNESS_M = 0.0005


def write_shipping_labels(root: Path) -> None:
    """Write two assets, labels that belong on our cartons and labels that do not: facing -y, origin in the middle."""
    names = variant_names()
    for asset, semantic, first, count in (
        ("ShippingLabel", "shipping_label", 0, RIGHT_COUNT),
        ("WrongLabel", "wrong_label", RIGHT_COUNT, len(FAULTS)),
    ):
        path = root / "assets" / f"{usd.snake(asset)}.usda"
        comment = "Shipping label, 148 x 105 mm, half a millimetre over what it sticks to. Barcode: GS1-128."
        stage = usd.new_stage(path, asset, kind=Kind.Tokens.component, comment=comment)
        usd.describe(stage, asset, path, semantic)
        stage.DefinePrim(f"/{asset}/Geometry", "Scope")
        paper = usd.reference_material(stage, f"/{asset}/Materials", "LabelPaper", f"../{usd.LIBRARY}")
        variants = stage.GetDefaultPrim().GetVariantSets().AddVariantSet("print")
        for number in range(first, first + count):
            region = (
                number % COLUMNS / COLUMNS,
                number // COLUMNS / ROWS,
                1.0 / COLUMNS,
                1.0 / ROWS,
            )
            corner = (-LABEL_M[0] / 2, 0.0, -LABEL_M[1] / 2)
            shape = sheet(corner, (LABEL_M[0], 0, 0), (0, 0, LABEL_M[1]), LABEL_THICKNESS_M, region)
            variants.AddVariant(names[number])
            variants.SetVariantSelection(names[number])
            with variants.GetVariantEditContext():
                usd.write_mesh(
                    stage,
                    f"/{asset}/Geometry/Sheet",
                    painted(shape, "LabelPaper"),
                    {"LabelPaper": paper},
                    decimals=usd.POINT_DECIMALS,
                )
        variants.SetVariantSelection(names[first])
        usd.save(stage)
