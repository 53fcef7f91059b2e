"""What every kind of light, shadow, texture, material and sensor step adds to a pixel, on one thread of the CPU."""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from typing import Any

import numpy as np

from bench.defects import defect_costs
from bench.eye_clock import logged_launches
from bench.eye_scene import draft_of, eye_rig, own_subject
from bench.light_room import dark_rig, facing, stage_draft, table
from bench.materials import PATTERN_NAMES, look_at, material_costs
from engine.config import compose
from engine.factory import build_factory, load_recipe_scene
from engine.recipe import Rig
from engine.render import Outputs, Renderer
from engine.scene.defaults import daylit_scene
from engine.scene.model import IesProfile, Light, LightKind, Material, Scene, TextureInput

RGB = Outputs(rgb=True, rgb_linear=False, depth=False, normal=False, instance=False)
GREY = Material("/grey", base_color=(0.4,) * 3, roughness=0.7)
UNIT, NONE = (1.0,) * 4, (0.0,) * 4
AS_IS = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)  # texture coordinates
IMAGE = TextureInput(0, 0, UNIT, NONE, AS_IS)
DOWN = facing((0.0, 0.0, 3.0), (0, 0, 1))  # a lamp above the table shines along its -z


def lights() -> dict[str, Light]:
    """Return a light of every kind that shines on the table."""
    power = (2.0,) * 3
    slant = look_at((1.0, -1.0, 2.0), (0, 0, 0))
    rect = Light("/rect", LightKind.RECT, DOWN, (1.0, 1.0), 0.0, power)
    return {
        "point": Light("/point", LightKind.SPHERE, DOWN, (0.01, 0.0), 0.0, (2.0e4,) * 3),
        "sphere": Light("/sphere", LightKind.SPHERE, DOWN, (0.3, 0.0), 0.0, power),
        "rect": rect,
        "disk": Light("/disk", LightKind.DISK, DOWN, (0.5, 0.0), 0.0, power),
        "cylinder": Light("/cylinder", LightKind.CYLINDER, DOWN, (0.05, 1.5), 0.0, power),
        "distant": Light("/distant", LightKind.DISTANT, slant, (0.0, 0.0), 0.0, power),
        "sun": Light("/sun", LightKind.DISTANT, slant, (0.0, 0.0), math.radians(0.27), (3.0e4,) * 3),
        "dome": Light("/dome", LightKind.DOME, np.eye(3, 4), (0.0, 0.0), 0.0, power),
        "dome_image": Light("/dome", LightKind.DOME, np.eye(3, 4), (0.0, 0.0), 0.0, power, texture=0),
        "rect_image": dataclasses.replace(rect, texture=0),
        "rect_cone": dataclasses.replace(rect, cone_cos=math.cos(math.radians(40.0)), cone_softness=0.2),
        "rect_ies": dataclasses.replace(rect, ies=0),
    }


def materials() -> dict[str, Material]:
    """Return materials that differ from grey by one thing."""
    return {
        "metal": dataclasses.replace(GREY, metallic=1.0),
        "clearcoat": dataclasses.replace(GREY, clearcoat=1.0, clearcoat_roughness=0.1),
        "texture_base_color": dataclasses.replace(GREY, textures={"base_color": IMAGE}),
        "texture_roughness": dataclasses.replace(GREY, textures={"roughness": IMAGE}),
        "texture_normal": dataclasses.replace(
            GREY, textures={"normal": dataclasses.replace(IMAGE, scale=(0.1, 0.1, 0.1, 1.0), bias=(0.0, 0.0, 0.9, 0.0))}
        ),
        "cut_out": dataclasses.replace(GREY, opacity_threshold=0.5, textures={"opacity": IMAGE}),
    }  # fmt: skip


def lit_by(light: Light | None, *, material: Material = GREY) -> tuple[Scene, Any]:
    """Return the table under a light, or under none."""
    scene, camera = table(() if light is None else (light,), (material, material))
    angles, even = np.linspace(0.0, math.pi, 19, dtype=np.float32), np.linspace(1.0, 0.3, 19, dtype=np.float32)
    turn = np.array([0.0, 2.0 * math.pi], np.float32)
    profile = IesProfile("even", turn, angles, np.stack([even, even]))
    return dataclasses.replace(scene, ies=(profile,)), camera


def thread_s(work: Callable[[], object]) -> float:
    """Return the processor time of this thread that a call takes."""
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


def added_ns(
    base: Callable[[], object], others: Mapping[str, Callable[[], object]], *, pixels: int, rounds: int
) -> dict[str, float]:
    """Return by how much each work is dearer than the base [ns a pixel]: the median over turns, the first left out."""
    taken: dict[str, list[float]] = {name: [] for name in others}
    for _ in range(rounds + 1):
        least = thread_s(base)
        for name, work in others.items():
            taken[name].append(thread_s(work) - least)
    return {name: 1e9 * statistics.median(seconds[1:]) / pixels for name, seconds in taken.items()}


def light_costs(side_px: int, rounds: int) -> dict[str, float]:
    """Return what each kind of light adds to a pixel without its shadow, and what its shadow adds [ns]."""
    rig = dark_rig(side_px, side_px * 3 // 4, spp=1)
    with ExitStack() as stack:

        def drawing(scene: Scene, camera: Any) -> Callable[[], object]:
            renderer = stack.enter_context(closing(Renderer(scene, rig, RGB, seed=0, device="cpu", threads=1)))
            draft = stage_draft(scene, rig, camera)
            return lambda: renderer.render(draft)

        contestants = {}
        for name, light in lights().items():
            contestants[name] = drawing(*lit_by(dataclasses.replace(light, casts_shadow=False)))
            contestants[f"{name}_and_shadow"] = drawing(*lit_by(light))
        scene, camera = lit_by(None)
        daylit = daylit_scene(scene)
        names = [light.name for light in daylit.lights]
        only_sky = tuple(light for name, light in zip(names, daylit.lights, strict=True) if name.endswith("sky"))
        contestants["sky"] = drawing(
            dataclasses.replace(
                daylit, lights=tuple(dataclasses.replace(light, casts_shadow=False) for light in only_sky)
            ),
            camera,
        )
        contestants["sky_and_shadow"] = drawing(dataclasses.replace(daylit, lights=only_sky), camera)
        found = added_ns(drawing(scene, camera), contestants, pixels=rig.width * rig.height, rounds=rounds)
    rows = {}
    for name in (*lights(), "sky"):
        rows[f"light_{name}_ns"] = found[name]
        rows[f"shadow_of_{name}_ns"] = found[f"{name}_and_shadow"] - found[name]
    return rows


def surface_costs(side_px: int, rounds: int) -> dict[str, float]:
    """Return what each property of a material adds to a pixel lit by one lamp without a shadow [ns]."""
    rig = dark_rig(side_px, side_px * 3 // 4, spp=1)
    lamp = dataclasses.replace(lights()["rect"], casts_shadow=False)
    with ExitStack() as stack:

        def drawing(material: Material, changed: Rig = rig) -> Callable[[], object]:
            scene, camera = lit_by(lamp, material=material)
            renderer = stack.enter_context(closing(Renderer(scene, changed, RGB, seed=0, device="cpu", threads=1)))
            draft = stage_draft(scene, changed, camera)
            return lambda: renderer.render(draft)

        contestants = {name: drawing(material) for name, material in materials().items()}
        contestants["energy_compensation"] = drawing(GREY, dataclasses.replace(rig, energy_compensation=True))
        base = drawing(GREY, dataclasses.replace(rig, energy_compensation=False))
        contestants["grey"] = drawing(GREY)
        found = added_ns(base, contestants, pixels=rig.width * rig.height, rounds=rounds)
    grey = found.pop("grey")  # what follows is measured from grey, with what its gloss gets back
    compensation = found.pop("energy_compensation")
    return {"energy_compensation_ns": compensation, **{f"{name}_ns": value - grey for name, value in found.items()}}


def shadow_ray_ns(size_px: tuple[int, int], rounds: int) -> float:
    """Return the time of a shadow ray among 250 things of 83 thousand triangles, to one sun [ns].

    Rays are those of pixels whose surface faces the sun; the time is what the frame takes more than one whose sun
    casts no shadow.
    """
    subject = own_subject(1)
    rig = dataclasses.replace(eye_rig(*size_px), ambient_radiance=(0.0,) * 3)
    sun = subject.scene.lights[0]
    images = dataclasses.replace(RGB, normal=True, instance=True)
    with ExitStack() as stack:
        work = {}
        for casts in (False, True):
            scene = dataclasses.replace(subject.scene, lights=(dataclasses.replace(sun, casts_shadow=casts),))
            part = dataclasses.replace(subject, scene=scene, light_direction=subject.light_direction[:, :1])
            renderer = stack.enter_context(closing(Renderer(scene, rig, images, seed=0, device="cpu", threads=1)))
            draft = draft_of(part, rig, [0])
            work[casts] = lambda renderer=renderer, draft=draft: renderer.render(draft)
        frames: Any = work[True]()
        towards = -subject.light_direction[0, 0]
        rays = int(((frames.normal[0] @ towards > 0.0) & (frames.instance[0] > 0)).sum())
        return added_ns(work[False], {"shadow": work[True]}, pixels=rays, rounds=rounds)["shadow"]


def path_costs(side_px: int, rounds: int) -> dict[str, float]:
    """Return what light of some bounces adds to a sample of the table under a rect light [ns]."""
    with ExitStack() as stack:

        def drawing(bounces: int) -> Callable[[], object]:
            scene, camera = lit_by(lights()["rect"])
            rig = dark_rig(side_px, side_px * 3 // 4, spp=1, quality="path", bounces=bounces)
            renderer = stack.enter_context(closing(Renderer(scene, rig, RGB, seed=0, device="cpu", threads=1)))
            draft = stage_draft(scene, rig, camera)
            return lambda: renderer.render(draft)

        contestants = {f"bounces_{n}": drawing(n) for n in (1, 8)}
        found = added_ns(drawing(0), contestants, pixels=side_px * (side_px * 3 // 4), rounds=rounds)
    return {f"path_{name}_ns": value for name, value in found.items()}


def sensor_costs(name: str, size_px: tuple[int, int], rounds: int) -> dict[str, float]:
    """Return the time of every launch of a shipped sensor [ns a pixel], the least of some frames."""
    sizes = (f"rig.width={size_px[0]}", f"rig.height={size_px[1]}")
    recipe, job = compose("+scene=tabletop", "device=cpu", "rig.spp=1", f"sensor={name}", *sizes)
    recipe, scene = load_recipe_scene(recipe, job)
    factory = build_factory(recipe, scene, device="cpu", threads=1)
    best: dict[str, float] = {}
    with closing(factory.renderer) as renderer:
        draft = factory.draft([0])
        renderer.render(draft)
        for _ in range(rounds):
            with logged_launches() as log:
                renderer.render(draft)
            for kernel, seconds in log.cpu_s().items():
                best[kernel] = min(seconds, best.get(kernel, math.inf))
    pixels = size_px[0] * size_px[1] * len(factory.cameras)
    steps = {kernel.partition(".")[2]: 1e9 * s / pixels for kernel, s in best.items() if kernel.startswith("sensor")}
    return {
        f"sensor_{name}_ns": math.fsum(steps.values()),
        **{f"sensor_{name}.{step}_ns": ns for step, ns in steps.items()},
    }


def pattern_costs(side_px: int) -> dict[str, float]:
    """Return what procedural materials add to a pixel [ns]: each, and as `noise_material_ns` their median."""
    found = material_costs(side_px=side_px)
    rows = {f"material_{name}_ns": ns for name, ns in found.items()}
    return {"noise_material_ns": statistics.median(found[name] for name in PATTERN_NAMES[1:]), **rows}


def feature_costs(*, quick: bool, side_px: int = 256) -> dict[str, float]:
    """Return all rows [ns a pixel]."""
    rounds = 5 if quick else 15
    size_px = (side_px, side_px * 3 // 4)
    rows = {"shadow_ray_ns": shadow_ray_ns(size_px, rounds)}
    rows |= light_costs(side_px, rounds) | surface_costs(side_px, rounds) | path_costs(side_px, rounds)
    rows |= pattern_costs(side_px)
    rows |= {f"defect_{name}_ns": ns for name, ns in defect_costs(side_px=side_px, rounds=rounds).items()}
    for name in ("industrial", "phone"):
        rows |= sensor_costs(name, (5 * side_px // 2, 15 * side_px // 8), rounds)
    return rows
