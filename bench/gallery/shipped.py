"""Sheets that command lines of `engine.run` make: shipped scenes with qualities, lenses, sensors and randomisers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.gallery.cloud import cloud_picture
from bench.gallery.sheet import (
    Effort,
    Picture,
    Sheet,
    depth_colors,
    depth_span_m,
    halved,
    id_colors,
    normal_colors,
    tiled,
)
from engine.config import compose
from engine.draft import Draft
from engine.factory import build_factory, load_recipe_scene
from engine.frames import Frames
from engine.mounts import frame_names
from engine.recipe import Recipe
from engine.scene.model import Scene
from engine.sensors.sweep import sweep_of

TILE_PX = (424, 318)
SMALL_PX = (316, 237)
LARGE_PX = (632, 474)  # of pictures that are shown at half their size
DIRECT_SPP, OPEN_SPP, SHOP_SPP = 32, 32, 16
QUALITIES = (  # of a scene's sheet: quality, samples, whether denoised
    ("direct", 4, False), ("direct", 4, True), ("direct", 64, False),
    ("path", 16, False), ("path", 16, True), ("path", 96, True),
)  # fmt: skip
WORLD_OF = {"warehouse": 10, "tabletop": 10, "inspection": 1}
ALL_OUTPUTS = "outputs=[rgb,depth,normal,instance]"
DAYS = ((1.0, 2.5, 4.2), (6.0, 2.5, 1.5), (15.0, 3.0, 0.3), (35.0, 2.5, -0.4), (60.0, 2.5, -0.6), (35.0, 8.0, -0.4))
FILMIC = ("sensor.develop.tone=filmic", "sensor.develop.headroom_ev=2.5")
ROOF = ("/Warehouse/Building/Wall", "/Warehouse/Building/Ceiling", "/Warehouse/Building/Doors")
LIDARS = ("spinning_32", "spinning_128", "solid_state", "raster")
LENSES = ("as_authored", "action_camera", "fisheye", "f_theta")
SENSORS = ("ideal", "industrial", "phone", "action", "webcam", "lowlight")
PATTERNED = (  # what wears which material in the warehouse
    "randomize=[cardboard,concrete,painted_metal,wood,weathered,sensor_spread]",
    *("randomize.cardboard.instances=null", "randomize.cardboard.materials='*/Materials/Carton*'"),
    *("randomize.concrete.instances=null", "randomize.concrete.materials='*/Materials/Concrete*'"),
    *("randomize.painted_metal.instances=null", "randomize.painted_metal.materials='*/Materials/Coat*'"),
    *("randomize.wood.instances=null", "randomize.wood.materials='*/Materials/Wood*'"),
    "randomize.weathered.instances='/Warehouse/Cones/*'",
    *("randomize.cardboard.color_a=null", "randomize.painted_metal.color_a=null"),
    "sensor=industrial",
)


@dataclass(frozen=True)
class Made:
    """Frames of some worlds of a recipe."""

    frames: Frames
    recipe: Recipe
    scene: Scene
    views: tuple[str, ...]  # names of the frames of a world

    @property
    def rgb(self) -> NDArray[np.uint8]:
        """Pictures, [view, y, x, 3]."""
        assert self.frames.rgb is not None
        return self.frames.rgb


def make(
    overrides: Sequence[str], worlds: Sequence[int] = (0,), change: Callable[[Scene, Draft], None] | None = None
) -> Made:
    """Return worlds of a command line; `change` may alter them after their randomisers."""
    recipe, job = compose(*overrides)
    recipe, scene = load_recipe_scene(recipe, job)
    factory = build_factory(recipe, scene, device="cpu")
    with closing(factory.renderer):
        draft = factory.draft(worlds)
        if change is not None:
            change(scene, draft)
        frames = factory.renderer.render(draft)
    return Made(frames, recipe, scene, tuple(frame_names(factory.cameras, recipe.rig)))


def size(effort: Effort, pixels: tuple[int, int]) -> tuple[str, str]:
    """Return the overrides of an image's size."""
    return f"rig.width={effort.px(pixels[0])}", f"rig.height={effort.px(pixels[1])}"


def command(overrides: Sequence[str], worlds: Sequence[int] = (0,)) -> str:
    """Return the command line that makes the pictures as a dataset."""
    listed = f"worlds=[{','.join(map(str, worlds))}]"
    words = [f'"{word}"' if "'" in word or "*" in word else word for word in (*overrides, listed)]
    return " ".join(["python -m engine.run", *words])


def quality(effort: Effort, name: str, spp: int, *, denoises: bool = False) -> tuple[str, ...]:
    """Return the overrides of a quality; quick pictures are not denoised."""
    clean = ("rig.denoise=true",) if denoises and not effort.quick else ()
    return f"quality={name}", f"rig.spp={effort.spp(spp)}", *clean


def scene_sheet(name: str, effort: Effort) -> Sheet:
    """Return labels and both qualities of a scene."""
    world, base = WORLD_OF[name], (f"+scene={name}", *size(effort, TILE_PX))
    plain = make((*base, "quality=direct", ALL_OUTPUTS), [world])
    frames = plain.frames
    assert frames.depth_m is not None
    assert frames.normal is not None
    assert frames.instance is not None
    low_m, high_m = depth_span_m(frames.depth_m)
    tiles = [
        (f"labels: depth, {low_m:.2g} to {high_m:.2g} m", depth_colors(frames.depth_m[0], low_m=low_m, high_m=high_m)),
        ("labels: normals", normal_colors(frames.normal[0])),
        ("labels: instances", id_colors(frames.instance[0])),
    ]
    overrides: tuple[str, ...] = ()
    for kind, spp, denoises in QUALITIES:
        overrides = (*base, *quality(effort, kind, spp, denoises=denoises))
        tiles.append((f"{kind}, {spp} samples{', denoised' * denoises}", make(overrides, [world]).rgb[0]))
    text = f"World {world} of the scene `{name}`; `direct` at 4 is the default. The labels are those of every quality."
    return Sheet(f"{name.capitalize()} at every quality", tiled(tiles, columns=3), text, command(overrides, [world]))


def exposure_sheet(name: str, effort: Effort) -> Sheet:
    """Return a dozen worlds of a scene of inspection; of `tile`, the first three show every other exposure of one."""
    sensor = "line_mono" if name == "tile" else "industrial"
    base = (
        f"+scene={name}",
        f"sensor={sensor}",
        "labels.amodal=false",
        *size(effort, LARGE_PX),
        *quality(effort, "direct", 16),
    )
    tiles = []
    if name == "tile":
        burst = make(base, [4]).rgb  # six steps, an exposure each
        base = (*base, "rig.steps=1")
        tiles = [(f"world 4, step {step}", halved(burst[step])) for step in (0, 2, 4)]
    worlds = range(12 - len(tiles))
    made = make(base, worlds)
    tiles += [(f"world {world}", halved(rgb)) for world, rgb in zip(worlds, made.rgb, strict=True)]
    text = "Surface, light, near-misses and defects are drawn anew in every world"
    text += "; its six steps differ in exposure." if name == "tile" else "."
    return Sheet(f"{name.capitalize()}", tiled(tiles, columns=4), text, command(base, worlds))


def variety_sheet(effort: Effort) -> Sheet:
    """Return a dozen worlds of the warehouse, as different as its laws and some more make them."""
    worlds = range(12)
    overrides = (
        "+scene=warehouse",
        *PATTERNED,
        "rig.exposure_ev=0.4",
        *size(effort, LARGE_PX),
        *quality(effort, "direct", 16),
    )
    made = make(overrides, worlds)
    tiles = [(f"world {world}", halved(rgb)) for world, rgb in zip(worlds, made.rgb, strict=True)]
    text = "Layout, light, cameras, procedural materials, weathering and the sensor are drawn anew in every world."
    return Sheet("Worlds of one recipe", tiled(tiles, columns=4), text, command(overrides, worlds))


def shop_sheet(effort: Effort) -> Sheet:
    """Return worlds of the shop: customers, a shelf robot, close-ups."""
    worlds = (0, 1, 6, 7, 8, 10, 12, 16, 22)
    overrides = ("+scene=retail", *size(effort, TILE_PX), *quality(effort, "direct", SHOP_SPP, denoises=True))
    made = make(overrides, worlds)
    tiles = [(f"world {world}", rgb) for world, rgb in zip(worlds, made.rgb, strict=True)]
    text = (
        "Planograms by rule: gaps, strangers, turned, fallen and pushed-back items, price tags, promotion signs, and "
        "[counterfeits](../retail.md) with a class for what gives them away."
    )
    return Sheet("Shop shelves", tiled(tiles, columns=3), text, command(overrides, worlds))


def preset_sheet(effort: Effort) -> Sheet:
    """Return one view through every sensor of conf/sensor."""
    base = ("+scene=warehouse", *size(effort, TILE_PX), *quality(effort, "direct", DIRECT_SPP))
    world = 1
    tiles = [(f"sensor={name}", make((*base, f"sensor={name}"), [world]).rgb[0]) for name in SENSORS]
    text = "The same light through the sensors of `conf/sensor`, one pixel of the sheet a pixel of the sensor."
    return Sheet("Camera sensors", tiled(tiles, columns=3), text, command((*base, "sensor=webcam"), [world]))


def lens_sheet(effort: Effort) -> Sheet:
    """Return one view through every lens of conf/lens."""
    world = WORLD_OF["warehouse"]
    base = ("+scene=warehouse", *quality(effort, "direct", DIRECT_SPP))
    tiles = []
    for name in LENSES:
        made = make((*base, *size(effort, SMALL_PX), f"lens={name}"), [world])
        tiles.append((f"lens={name}", made.rgb[0]))
    around = make((*base, *size(effort, (640, 320)), "lens=equirectangular"), [world])
    pair = make((*base, *size(effort, (317, 320)), "rig=stereo"), [world])
    wide = [("lens=equirectangular", around.rgb[0]), ("rig=stereo", np.concatenate(list(pair.rgb), axis=1))]
    upper = tiled(tiles, columns=4)
    lower = tiled([(caption, fitted(rgb, effort.px(640))) for caption, rgb in wide], columns=2)
    width = max(upper.shape[1], lower.shape[1])
    both = np.concatenate([padded(upper, width), padded(lower, width)], axis=0)
    text = "One place through the lenses of `conf/lens`; below, all around, and the two images of a stereo rig."
    return Sheet("Lenses and rigs", both, text, command((*base, "lens=fisheye"), [world]))


def fitted(picture: Picture, width_px: int) -> Picture:
    """Return a picture cut or widened with black to a width."""
    return padded(picture[:, :width_px], width_px)


def padded(picture: Picture, width_px: int) -> Picture:
    """Return a picture with paper to its right up to a width."""
    return np.pad(picture, ((0, 0), (0, width_px - picture.shape[1]), (0, 0)), constant_values=18)


def surround_sheet(effort: Effort) -> Sheet:
    """Return the four fisheyes of the surround rig."""
    world = WORLD_OF["warehouse"]
    overrides = ("+scene=warehouse", "rig=surround", *size(effort, (316, 316)), *quality(effort, "direct", DIRECT_SPP))
    made = make(overrides, [world])
    tiles = list(zip((name.rpartition("/")[2] for name in made.views), made.rgb, strict=True))
    text = "Four fisheyes of 190 degrees in one launch, with exact labels in each."
    return Sheet("A surround rig", tiled(tiles, columns=4), text, command(overrides, [world]))


def daylight_sheet(effort: Effort) -> Sheet:
    """Return the warehouse's floor in the open under suns of several elevations."""
    world, tiles = 10, []
    base = ("+scene=warehouse", "randomize=daylight", "randomize.daylight.azimuth_deg=312", *FILMIC,
            *size(effort, TILE_PX), *quality(effort, "path", OPEN_SPP, denoises=True))  # fmt: skip
    overrides: tuple[str, ...] = ()
    for elevation_deg, turbidity, stops in DAYS:
        overrides = (
            *base, f"randomize.daylight.elevation_deg={elevation_deg:g}",
            f"randomize.daylight.turbidity={turbidity:g}", f"rig.exposure_ev={stops:g}",
        )  # fmt: skip
        made = make(overrides, [world], change=into_the_open)
        caption = f"sun at {elevation_deg:g} degrees, turbidity {turbidity:g}, {stops:+.1f} EV"
        tiles.append((caption, made.rgb[0]))
    text = "`randomize=daylight`: a physical sun and sky; the hall's walls and roof are hidden for this sheet."
    return Sheet("Sun and sky", tiled(tiles, columns=3), text, command(overrides, [world]))


def into_the_open(scene: Scene, draft: Draft) -> None:
    """Hide walls and roof, and switch the lamps off."""
    for row, path in enumerate(scene.instances.path):
        if path in ROOF:
            draft.visible[:, row] = False
    for row, light in enumerate(scene.lights):
        if "/Lamp_" in light.name:
            draft.radiance[:, row] = 0.0


def depth_sheet(effort: Effort) -> Sheet:
    """Return the perfect depth and what three depth cameras measure."""
    tiles: list[tuple[str, Picture]] = []
    overrides: tuple[str, ...] = ()
    for scene, world in (("warehouse", 1), ("tabletop", 7)):
        base = (f"+scene={scene}", *size(effort, SMALL_PX), *quality(effort, "direct", DIRECT_SPP))
        for name in ("stereo", "structured_light", "time_of_flight"):
            overrides = (*base, f"depth_sensor={name}", "write=[coco,depth_sensor]")
            made = make(overrides, [world])
            assert made.frames.depth_m is not None
            assert made.frames.depth_sensor_m is not None
            low_m, high_m = depth_span_m(made.frames.depth_m)
            if name == "stereo":
                tiles.append(("perfect depth", depth_colors(made.frames.depth_m[0], low_m=low_m, high_m=high_m)))
            seen = depth_colors(made.frames.depth_sensor_m[0], low_m=low_m, high_m=high_m)
            tiles.append((f"depth_sensor={name}", seen))
    text = "Noise, steps, shadows, flying pixels and dropouts of three kinds of depth camera; black: no measurement."
    return Sheet("Depth cameras", tiled(tiles, columns=4), text, command(overrides, [7]))


def lidar_sheet(effort: Effort) -> Sheet:
    """Return sweeps of every LiDAR of conf/lidar, from above."""
    world, tiles = 12, []
    overrides: tuple[str, ...] = ()
    for name in LIDARS:
        overrides = ("+scene=warehouse", *size(effort, (64, 48)), f"lidar={name}", "write=[coco,pointcloud]",
                     "rig.cameras=[/Warehouse/Cameras/Aisle]", "scene.randomize.camera=null")  # fmt: skip
        made = make(overrides, [world])
        assert made.recipe.lidar is not None
        sweep = sweep_of(made.recipe.lidar, made.frames, 0)
        picture, count = cloud_picture(sweep, made.scene, (effort.px(636), effort.px(380)))
        tiles.append((f"lidar={name}, {count} points in a sweep", picture))
    text = "One sweep each from the head of an aisle, from above; colour: instance, brightness: intensity."
    return Sheet("LiDARs", tiled(tiles, columns=2), text, command(overrides, [world]))
