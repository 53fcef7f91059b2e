"""How different worlds look: `python -m bench.variety [--scene NAME ...] [--worlds 1000] [--device cpu] [--store]`.

Every world is rendered as a thumbnail of 32 x 24 pixels, and all pairs are compared: by the share of pixels that show
another instance (`layout`, 0 to 1) and by the root mean square difference of their colours (`picture`, levels of 255).
A pair is a repeat if neither tells its worlds apart. The same world twice has 0 in both.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.report import report
from engine.config import compose
from engine.device import resolve_device
from engine.factory import build_factory, load_recipe_scene

SCENES = ("warehouse", "tabletop", "inspection", "street", "retail")
WIDTH, HEIGHT = 32, 24
BATCH = 32
SAME_LAYOUT = 0.02  # share of pixels: less than 16 of 768
SAME_PICTURE = 3.0  # levels: about the noise of these thumbnails and a change of light that is hard to see


@dataclass(frozen=True)
class Thumbnails:
    """Small pictures of worlds, one view each."""

    world: NDArray[np.int64]  # [view]
    instance: NDArray[np.int32]  # [view, pixel]
    rgb: NDArray[np.float32]  # [view, pixel * 3], levels


@dataclass(frozen=True)
class Variety:
    """Differences over all pairs of worlds."""

    layout: NDArray[np.float64]  # [pair]
    picture: NDArray[np.float64]
    first: NDArray[np.int64]  # [pair], positions of the two in the thumbnails
    second: NDArray[np.int64]

    @property
    def repeat(self) -> NDArray[np.bool_]:
        """Whether nothing tells the two apart, [pair]."""
        return np.asarray((self.layout < SAME_LAYOUT) & (self.picture < SAME_PICTURE))


def thumbnails(scene: str, worlds: Sequence[int], *, device: str) -> Thumbnails:
    """Return thumbnails of worlds of a shipped scene, with everything that its rules draw."""
    size = (f"rig.width={WIDTH}", f"rig.height={HEIGHT}", "rig.spp=4", "quality=direct")
    recipe, job = compose(f"+scene={scene}", *size, "outputs=[rgb,depth,instance]")
    recipe, loaded = load_recipe_scene(recipe, job)
    factory = build_factory(recipe, loaded, device=device)
    instance, rgb = [], []
    with closing(factory.renderer):
        for start in range(0, len(worlds), BATCH):
            part = list(worlds[start : start + BATCH])
            frames = factory.renderer.render(factory.draft(part))
            views = len(frames.instance) // len(part)
            instance.append(np.array(frames.instance).reshape(len(part), views, -1)[:, 0])
            rgb.append(np.array(frames.rgb, np.float32).reshape(len(part), views, -1)[:, 0])
    return Thumbnails(np.asarray(worlds, np.int64), np.concatenate(instance), np.concatenate(rgb))


def variety(seen: Thumbnails) -> Variety:
    """Return how much every two worlds differ."""
    layout, picture, first, second = [], [], [], []
    for i in range(len(seen.world) - 1):
        others = np.arange(i + 1, len(seen.world))
        layout.append((seen.instance[others] != seen.instance[i]).mean(axis=1))
        picture.append(np.sqrt(((seen.rgb[others] - seen.rgb[i]) ** 2).mean(axis=1)))
        first.append(np.full(len(others), i))
        second.append(others)
    return Variety(*(np.concatenate(part) for part in (layout, picture, first, second)))


def rows_of(scene: str, seen: Thumbnails) -> dict[str, float | str | int]:
    """Return the figures of a scene, with the worlds of its most alike pair."""
    found = variety(seen)
    nearest = int(np.argmin(found.layout / SAME_LAYOUT + found.picture / SAME_PICTURE))
    pair = [int(seen.world[found.first[nearest]]), int(seen.world[found.second[nearest]])]
    return {
        "scene": scene,
        "worlds": len(seen.world),
        "pairs": len(found.layout),
        "repeats": int(found.repeat.sum()),
        "layout_least": float(found.layout.min()),
        "layout_median": float(np.median(found.layout)),
        "picture_least": float(found.picture.min()),
        "picture_median": float(np.median(found.picture)),
        "most_alike": " ".join(map(str, pair)),
        "most_alike_layout": float(found.layout[nearest]),
        "most_alike_picture": float(found.picture[nearest]),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure scenes and print; the last line of each is one JSON object. Return 1 if a scene repeats itself."""
    parser = argparse.ArgumentParser(prog="python -m bench.variety", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--scene", nargs="+", default=list(SCENES), metavar="NAME", help="shipped scenes (default: all)"
    )
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--store", action="store_true", help="append the results to bench/results/")
    parsed = parser.parse_args(arguments)
    device = resolve_device(parsed.device)
    repeats = 0
    for scene in parsed.scene:
        rows = rows_of(scene, thumbnails(scene, range(parsed.worlds), device=device))
        report("variety", device, rows, store=parsed.store)
        repeats += int(rows["repeats"])
    return min(repeats, 1)


if __name__ == "__main__":
    raise SystemExit(main())
