"""Sheets of strips: what one parameter of a camera does, in steps of increasing strength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing

import numpy as np
import yaml

from bench.gallery.sheet import Effort, Picture, Sheet, stacked, tiled
from bench.gallery.shipped import command, make, quality, size
from engine._layout import conf_folder
from engine.config import compose
from engine.factory import build_factory, load_recipe_scene
from engine.plain import from_plain
from engine.render.sensor_strip import sensor_strip
from engine.sensors.change import EFFECTS
from engine.sensors.model import Sensor

STRIP_PX = (250, 188)
STEPS = 5
STRIP_SPP = 24
WORLD = 1
LIGHT_EFFECTS = ("vignetting", "lateral_colour", "glare", "exposure", "speed", "dark_signal", "fixed_pattern")
BLUR_PX, BLUR_STEPS, BLUR_SPP = (316, 237), 4, 64
PAN = (
    "randomize.walk.pan_deg_s=70",
    *(f"randomize.walk.{key}=0" for key in ("right_m_s", "up_m_s", "back_m_s", "tilt_deg_s", "roll_deg_s")),
)
LENS_OPEN = ("+scene=tabletop", "randomize=handheld_camera", "rig.depth_of_field=true")
TURNING = ("+scene=warehouse", "randomize=handheld_camera", "rig.motion_blur=true", *PAN)
BLURS = (  # world, what stays, and the key that changes with its values
    (10, (*LENS_OPEN, "randomize.focus.focus_m=0.65"), "randomize.focus.f_stop", (16.0, 2.8, 1.4, 0.7)),
    (10, (*LENS_OPEN, "randomize.focus.f_stop=0.7"), "randomize.focus.focus_m", (0.62, 0.7, 0.8, 1.0)),
    (1, TURNING, "randomize.shutter.exposure_s", (0.001, 0.01, 0.03, 0.08)),
    (1, (*TURNING, "randomize.shutter.exposure_s=0.002"), "rig.readout_s", (0.0, 0.02, 0.05, 0.1)),
)
OFF = {"demosaic": "no mosaic"}  # captions of steps that change nothing
ENLARGED = {  # share of the frame that is shown, and its upper left corner as shares
    "lateral_colour": (0.25, 0.75, 0.0), "speed": (0.4, 0.5, 0.3), "dark_signal": (0.4, 0.5, 0.3),
    "fixed_pattern": (0.4, 0.5, 0.3), "demosaic": (0.2, 0.57, 0.3), "bits": (0.4, 0.5, 0.3),
}  # fmt: skip


def effect_sheet(names: Sequence[str], title: str, effort: Effort) -> Sheet:
    """Return one strip for each effect of the sensor chain."""
    overrides = ("+scene=warehouse", "quality=direct", f"rig.spp={effort.spp(STRIP_SPP)}", *size(effort, STRIP_PX))
    recipe, job = compose(*overrides)
    recipe, scene = load_recipe_scene(recipe, job)
    factory = build_factory(recipe, scene, device="cpu")
    with closing(factory.renderer):
        draft = factory.draft([WORLD])
    ideal = from_plain(Sensor, yaml.safe_load((conf_folder() / "sensor" / "ideal.yaml").read_text()), "sensor")
    rows = []
    for name in names:
        strip = sensor_strip(scene, recipe.rig, draft, ideal, EFFECTS[name], device="cpu")
        pictures = [shown(picture, name) for picture in np.split(strip, len(EFFECTS[name]), axis=1)]
        captions = captions_of(name, EFFECTS[name])
        blank = np.full_like(pictures[0], 18)
        missing = STEPS - len(pictures)
        rows.append(tiled([*zip(captions, pictures, strict=True), *[("", blank)] * missing], columns=STEPS))
    text = "Each effect alone on the ideal sensor, weakest first; noise and single pixels are shown enlarged."
    line = command(overrides, [WORLD])
    made_by = (
        f"`engine.render.sensor_strip` with `engine.sensors.change.EFFECTS` on the frame of `{line}`; "
        "each caption is a key below `sensor`"
    )
    return Sheet(title, stacked(rows), text, made_by)


def light_effect_sheet(effort: Effort) -> Sheet:
    """Return the effects of lens, exposure and silicon."""
    return effect_sheet(LIGHT_EFFECTS, "Sensor effects: lens, exposure, electrons", effort)


def development_sheet(effort: Effort) -> Sheet:
    """Return the effects of converter and development."""
    names = [name for name in EFFECTS if name not in LIGHT_EFFECTS]
    return effect_sheet(names, "Sensor effects: converter and development", effort)


def blur_sheet(effort: Effort) -> Sheet:
    """Return strips of depth of field, focus, exposure time and readout of the rows."""
    rows: list[Picture] = []
    overrides: tuple[str, ...] = ()
    world = 0
    for world, base, key, values in BLURS:
        tiles = []
        for value in values:
            overrides = (*base, f"{key}={value:g}", *size(effort, BLUR_PX), *quality(effort, "direct", BLUR_SPP))
            tiles.append((f"{key.rpartition('.')[2]} {value:g}", make(overrides, [world]).rgb[0]))
        rows.append(tiled(tiles, columns=BLUR_STEPS))
    text = (
        "A thin lens that opens, and one that focuses farther away; a camera that turns by 70 degrees a second, with "
        "longer exposures, and with a shutter that rolls more slowly. Labels stay sharp, see [blur](../blur.md)."
    )
    return Sheet("Depth of field, motion blur, rolling shutter", stacked(rows), text, command(overrides, [world]))


def captions_of(name: str, steps: Sequence[Mapping[str, object]]) -> list[str]:
    """Return what differs between the steps of an effect."""
    keys = list(dict.fromkeys(key for step in steps for key in step))
    differing = [key for key in keys if len({str(step.get(key)) for step in steps}) > 1][:2]
    captions = []
    for step in steps:
        told = [f"{key.partition('.')[2]} {value_text(step[key])}" for key in differing if key in step]
        captions.append(", ".join(told) or OFF.get(name, "ideal"))
    return captions


def value_text(value: object) -> str:
    """Return a value as short as it can be."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return "[" + ", ".join(f"{number + 0.0:g}" for number in value) + "]"
    return str(value)


def shown(picture: Picture, name: str) -> Picture:
    """Return a picture, or a part of it enlarged without smoothing."""
    if name not in ENLARGED:
        return picture
    share, down, right = ENLARGED[name]
    height, width = picture.shape[:2]
    y = np.minimum(np.floor((down + share * (np.arange(height) + 0.5) / height) * height), height - 1).astype(int)
    x = np.minimum(np.floor((right + share * (np.arange(width) + 0.5) / width) * width), width - 1).astype(int)
    return np.ascontiguousarray(picture[y][:, x])
