"""Which part of the recipes matters: the synthetic set made with one thing taken away, and judged by two arms."""

from __future__ import annotations

import argparse
from collections.abc import Callable

VARIANTS: dict[str, tuple[str, ...]] = {  # overrides of the recipes, by what they change
    "as it is (dr=wide)": (),
    "dr=narrow": ("dr=narrow",),
    "dr=off": ("dr=off",),
    "no sensor noise": ("sensor.chip.full_well_e=0", "sensor.chip.bits=0"),
    "mild blur added": (
        "+randomize.soft={kind: augment_blur, cameras: '*', probability: 1, "
        "sigma_px: {law: uniform, low: 0.4, high: 1}}",
    ),
    "no near-misses": ("scene.randomize.pencil.probability=0", "scene.randomize.chalk.probability=0"),
    "no clutter on the surface": ("scene.randomize.ground.layers.stain=0",),
}
ARMS = ("hybrid", "only")
FEW = 1
SEEDS = 3  # the first of those asked for


def ablation(arguments: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, dict[str, dict[str, float]]]:
    """Return macro figures by variant and arm, for one real image of each class."""
    from bench.tile_proof import prove

    rows: dict[str, dict[str, dict[str, float]]] = {}
    for name, extra in VARIANTS.items():
        tell(f"ablation: {name}")
        own = {"arms": list(ARMS), "k": [FEW], "seeds": arguments.seeds[:SEEDS], "synthetic": None}
        result, _ = prove(argparse.Namespace(**{**vars(arguments), **own}), extra, tell)
        rows[name] = {
            arm: {metric: mean[0] for metric, mean in figures["macro"].items()}
            for arm, figures in result["arms"].items()
        }
    return rows
