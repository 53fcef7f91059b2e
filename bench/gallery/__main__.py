"""Make the gallery: `python -m bench.gallery [--out docs/gallery] [--only NAME ...] [--quick]`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from bench.gallery import annotators, built, factors, shipped, street, strips
from bench.gallery.sheet import Effort, Sheet, jpeg

PAGE = "README.md"
OUT = Path(__file__).resolve().parents[2] / "docs" / "gallery"
SHEETS: dict[str, Callable[[Effort], Sheet]] = {  # in the order of the page
    "variety": shipped.variety_sheet,
    "warehouse": partial(shipped.scene_sheet, "warehouse"),
    "tabletop": partial(shipped.scene_sheet, "tabletop"),
    "inspection": partial(shipped.scene_sheet, "inspection"),
    "street": street.street_sheet,
    "retail": shipped.shop_sheet,
    "tile": partial(shipped.exposure_sheet, "tile"),
    "machined": partial(shipped.exposure_sheet, "machined"),
    "materials": built.material_sheet,
    "defects": built.defect_sheet,
    "balls": built.ball_sheet,
    "gloss": factors.gloss_sheet,
    "lights": built.light_sheet,
    "daylight": shipped.daylight_sheet,
    "lenses": shipped.lens_sheet,
    "surround": shipped.surround_sheet,
    "blur": strips.blur_sheet,
    "sensors": shipped.preset_sheet,
    "sensor_effects": strips.light_effect_sheet,
    "development": strips.development_sheet,
    "augment": factors.augment_sheet,
    "depth_sensors": shipped.depth_sheet,
    "lidars": shipped.lidar_sheet,
    "annotators": annotators.annotator_sheet,
}
HEAD = """# Gallery

Made by `python -m bench.gallery` on a CPU; `--only NAME ...` makes some of the sheets again. Below each stands
what makes its last picture. Nothing is retouched; what is denoised says so.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make sheets and the page; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.gallery", description="Render the pictures of the gallery.")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="folder (default: docs/gallery)")
    parser.add_argument("--only", nargs="+", choices=SHEETS, default=list(SHEETS), metavar="NAME", help="some sheets")
    parser.add_argument("--quick", action="store_true", help="small and noisy, to see that everything runs")
    parsed = parser.parse_args(arguments)
    parsed.out.mkdir(parents=True, exist_ok=True)
    sections = sections_of(parsed.out / PAGE)
    for name in parsed.only:
        begun_s = time.monotonic()
        sheet = SHEETS[name](Effort(parsed.quick))
        image = jpeg(sheet.picture)
        (parsed.out / f"{name}.jpg").write_bytes(image)
        sections[name] = section(name, sheet)
        (parsed.out / PAGE).write_text(page(sections), encoding="utf-8")
        print(f"{name}: {len(image) / 1000:.0f} kB, {time.monotonic() - begun_s:.0f} s", flush=True)
    return 0


def section(name: str, sheet: Sheet) -> str:
    """Return the part of the page about a sheet."""
    is_command = sheet.made_by.startswith("python ")
    made_by = f"```sh\n{sheet.made_by}\n```" if is_command else f"Made by {sheet.made_by}."
    return f"{sheet.title}\n\n![{sheet.title}]({name}.jpg)\n\n{sheet.text}\n\n{made_by}\n"


def sections_of(path: Path) -> dict[str, str]:
    """Return the sections of a page that is there, by the names of their sheets."""
    parts = path.read_text(encoding="utf-8").split("\n## ")[1:] if path.exists() else []
    return {name: part for name in SHEETS for part in parts if f"]({name}.jpg)" in part}


def page(sections: Mapping[str, str]) -> str:
    """Return the page about sheets, in the order of `SHEETS`."""
    return "\n## ".join([HEAD, *(sections[name] for name in SHEETS if name in sections)])


if __name__ == "__main__":
    sys.exit(main())
