"""Ours against Mitsuba 3's path tracer: how much the pictures differ, and what equal noise costs.

Both trace the same scene, a room with a metal ball or the 250 matte things of `bench.eye`, with the same camera,
bounces and box filter. A common reference is the mean of a picture of each with many samples. Noise is the root of the
mean square difference from it at few samples; its square falls with the samples and the time grows with them, so that
the time to equal noise is in proportion to `time x noise^2`, and `equal_noise` is Mitsuba's over ours, by processor
seconds of all threads or by the wall. What differs: Mitsuba samples lights and BSDFs by multiple importance, we take
one sample that combines both; it follows all paths to the last bounce, we end dim ones at random. Trees are built
before.

Mitsuba's `llvm` variant is taken where it works, which another process tries (a wrong LLVM ends the process); `scalar`
otherwise.
"""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.eye_clock import Turn, clocked
from bench.light_room import ROOM_CAMERA, block_means, cornell_room, dark_rig, lambert_hall, stage_draft
from bench.mitsuba_scene import mitsuba, scene_of
from engine.render import Outputs, Renderer
from engine.scene.model import Camera, Scene

LINEAR = Outputs(rgb=False, rgb_linear=True, depth=False, normal=False, instance=False)
BOUNCES = 6
TRIAL = "import mitsuba as mi; mi.set_variant('llvm_ad_rgb'); mi.render(mi.load_dict(mi.cornell_box()), spp=1).numpy()"
Image = NDArray[np.float64]
Draw = Callable[[int], tuple[Image, Turn]]  # of a seed: a picture, and the time it took


@dataclass(frozen=True)
class Effort:
    """How much is rendered."""

    side_px: int
    spp: int  # of the pictures whose noise is measured
    our_reference_spp: int
    their_reference_spp: int
    pictures: int  # the noise and the time are means of so many


@dataclass(frozen=True)
class Cost:
    """What pictures of some samples are like."""

    noise: float
    time: Turn  # the median


def noise(pictures: Sequence[Image], reference: Image) -> float:
    """Return the root of the mean square difference from a reference."""
    return float(np.sqrt(np.mean([((image - reference) ** 2).mean() for image in pictures])))


def equal_noise(theirs: Cost, ours: Cost, clock: str) -> float:
    """Return their time over ours for pictures of equal noise; `clock` is a field of `Turn`."""
    return float(getattr(theirs.time, clock) * theirs.noise**2 / (getattr(ours.time, clock) * ours.noise**2))


def is_here() -> bool:
    """Return whether Mitsuba is installed."""
    return importlib.util.find_spec("mitsuba") is not None


def fastest_variant() -> str:
    """Return the variant of Mitsuba that is fastest here on the CPU."""
    works = subprocess.run([sys.executable, "-c", TRIAL], capture_output=True, check=False, timeout=300).returncode == 0
    return "llvm_ad_rgb" if works else "scalar_rgb"


def ours(scene: Scene, camera: Camera, side_px: int, spp: int) -> Draw:
    """Return what draws a picture with us, warm."""

    def draw(seed: int) -> tuple[Image, Turn]:
        rig = dark_rig(side_px, side_px, spp=spp, quality="path", bounces=BOUNCES, energy_compensation=False)
        draft = stage_draft(scene, rig, camera)
        with closing(Renderer(scene, rig, LINEAR, seed=seed, device="cpu")) as renderer:
            renderer.render(draft)
            found: list[Any] = []
            turn = clocked(lambda: found.append(renderer.render(draft).rgb_linear))
        return found[0][0].astype(np.float64), turn

    return draw


def theirs(scene: Scene, camera: Camera, side_px: int, spp: int, variant: str) -> Draw:
    """Return what draws a picture with Mitsuba, warm."""
    mi = mitsuba(variant)
    twin = scene_of(mi, scene, camera, (side_px, side_px), spp=spp, bounces=BOUNCES)
    np.asarray(mi.render(twin, seed=1000, spp=1))

    def draw(seed: int) -> tuple[Image, Turn]:
        found: list[Any] = []
        turn = clocked(lambda: found.append(np.array(mi.render(twin, seed=seed, spp=spp))))
        return found[0].astype(np.float64), turn

    return draw


def compare(scene: Scene, camera: Camera, effort: Effort, variant: str) -> dict[str, Any]:
    """Return how the references differ, and noise and time of both."""
    side = effort.side_px
    our_reference, _ = ours(scene, camera, side, effort.our_reference_spp)(100)
    their_reference, _ = theirs(scene, camera, side, effort.their_reference_spp, variant)(100)
    reference = 0.5 * (our_reference + their_reference)
    means, blocks = (
        our_reference.mean(axis=(0, 1)) / their_reference.mean(axis=(0, 1)),
        block_means(our_reference) / block_means(their_reference),
    )
    out: dict[str, Any] = {
        "variant": variant,
        "mean_error": float(np.abs(means - 1.0).max()),
        "worst_block_error": float(np.abs(blocks - 1.0).max()),
    }
    contestants = {
        "ours": ours(scene, camera, side, effort.spp),
        "mitsuba": theirs(scene, camera, side, effort.spp, variant),
    }
    drawn: dict[str, list[tuple[Image, Turn]]] = {name: [] for name in contestants}
    for seed in range(effort.pictures):
        for name, draw in contestants.items():
            drawn[name].append(draw(seed))
    costs = {name: _cost(pictures, reference) for name, pictures in drawn.items()}
    for name, cost in costs.items():
        out |= {f"{name}_noise": cost.noise, f"{name}_cpu_s": cost.time.cpu_s, f"{name}_wall_s": cost.time.wall_s}
    for clock in ("cpu_s", "wall_s"):
        out[f"equal_noise_{clock.removesuffix('_s')}"] = equal_noise(costs["mitsuba"], costs["ours"], clock)
    return out


def _cost(pictures: list[tuple[Image, Turn]], reference: Image) -> Cost:
    turns = [turn for _, turn in pictures]
    median = Turn(statistics.median(turn.wall_s for turn in turns), statistics.median(turn.cpu_s for turn in turns))
    return Cost(noise([image for image, _ in pictures], reference), median)


def compare_all(*, quick: bool, side_px: int = 96) -> dict[str, dict[str, Any]]:
    """Return the comparison of the room and of the hall."""
    effort = Effort(side_px, 16, 256, 128, 3) if quick else Effort(side_px, 16, 2048, 1024, 7)
    variant = fastest_variant()
    room, (hall, camera) = cornell_room(), lambert_hall()
    return {"room": compare(room, ROOM_CAMERA, effort, variant), "hall": compare(hall, camera, effort, variant)}
