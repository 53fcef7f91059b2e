"""Write materials, assets and scenes: ``python -m scenes_usd.author.build [all | NAME ...] [--out FOLDER]``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from scenes_usd.author import (
    building,
    damage,
    goods,
    hardware,
    inspection,
    materials,
    people,
    racks,
    retail,
    retail_art,
    retail_products,
    retail_store,
    shipping,
    storage,
    street,
    street_buildings,
    street_cars,
    street_ground,
    street_people,
    street_props,
    tabletop,
    tabletop_assets,
    textures,
    tile,
    vehicles,
    warehouse,
    wrap,
)

STEPS: dict[str, tuple[Callable[[Path], None], ...]] = {
    "textures": (
        lambda root: textures.write_textures(root / "materials" / "textures"),
        lambda root: retail_art.write_textures(root / "materials" / "textures"),
    ),
    "materials": (materials.write_library, retail_products.write_library),
    "assets": (
        storage.write_pallet,
        storage.write_carton,
        damage.write_damaged_cartons,
        shipping.write_shipping_labels,
        wrap.write_shrink_wrap,
        goods.write_goods,
        racks.write_rack_bay,
        building.write_building,
        building.write_cone,
        people.write_person,
        vehicles.write_forklift,
        vehicles.write_pallet_jack,
        hardware.write_hardware,
        tabletop_assets.write_tote,
        tabletop_assets.write_bench,
        inspection.write_assets,
        street_ground.write_ground,
        street_cars.write_vehicles,
        street_people.write_people,
        street_props.write_props,
        street_buildings.write_buildings,
        retail_products.write_products,
        retail_store.write_fittings,
        tile.write_assets,
    ),
    "warehouse": (warehouse.write_scene,),
    "tabletop": (tabletop.write_scene,),
    "inspection": (inspection.write_scene,),
    "street": (street.write_scene,),
    "retail": (retail.write_scene,),
    "tile": (tile.write_scene,),
}


def build(root: Path, names: list[str] | None = None) -> None:
    """Write the named steps below ``root``, or all of them in order."""
    for name in names or list(STEPS):
        for write in STEPS[name]:
            write(root)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all (default), {', '.join(STEPS)}")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1], help="default: this folder")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in ("all", *STEPS)]
    if unknown:
        parser.error(f"unknown name '{unknown[0]}'; known: all, {', '.join(STEPS)}")
    build(arguments.out, None if "all" in arguments.names else arguments.names)


if __name__ == "__main__":
    main()
