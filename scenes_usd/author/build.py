"""Write materials, assets and scenes: ``python -m scenes_usd.author.build [all | NAME ...] [--out FOLDER]``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from scenes_usd.author import (
    building,
    hardware,
    inspection,
    materials,
    people,
    racks,
    storage,
    tabletop,
    tabletop_assets,
    textures,
    tile,
    vehicles,
    warehouse,
)

STEPS: dict[str, tuple[Callable[[Path], None], ...]] = {
    "textures": (lambda root: textures.write_textures(root / "materials" / "textures"),),
    "materials": (materials.write_library,),
    "assets": (
        storage.write_pallet,
        storage.write_carton,
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
        tile.write_assets,
    ),
    "warehouse": (warehouse.write_scene,),
    "tabletop": (tabletop.write_scene,),
    "inspection": (inspection.write_scene,),
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
