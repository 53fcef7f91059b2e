"""The only door to the device code: `gpu.trace` is kernels/trace.py, loaded as the module `engine.kernels.trace`.

A kernel module is imported when it is first used. `from engine.gpu import trace` and `gpu.trace` are the same module.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from engine._layout import KERNELS_MODULE, kernels_folder, load_kernels

if TYPE_CHECKING:  # for editors and mypy; at run time the names come from __getattr__
    from kernels import albedo as albedo
    from kernels import annotate as annotate
    from kernels import annotate_defect as annotate_defect
    from kernels import annotate_marked as annotate_marked
    from kernels import annotate_pattern as annotate_pattern
    from kernels import annotate_shadow as annotate_shadow
    from kernels import annotate_shadow_passage as annotate_shadow_passage
    from kernels import annotate_surface as annotate_surface
    from kernels import bvh as bvh
    from kernels import camera as camera
    from kernels import canvas as canvas
    from kernels import canvas_passage as canvas_passage
    from kernels import cones as cones
    from kernels import defect as defect
    from kernels import depth_sensor as depth_sensor
    from kernels import echo as echo
    from kernels import elementary as elementary
    from kernels import energy as energy
    from kernels import film as film
    from kernels import flow as flow
    from kernels import flow_passage as flow_passage
    from kernels import geometry as geometry
    from kernels import keypoint as keypoint
    from kernels import keypoint_passage as keypoint_passage
    from kernels import lidar as lidar
    from kernels import lidar_passage as lidar_passage
    from kernels import light as light
    from kernels import masks as masks
    from kernels import material as material
    from kernels import native_source as native_source
    from kernels import noise as noise
    from kernels import opacity as opacity
    from kernels import outline as outline
    from kernels import passage as passage
    from kernels import path as path
    from kernels import path_defect as path_defect
    from kernels import path_light as path_light
    from kernels import path_passage as path_passage
    from kernels import path_pattern as path_pattern
    from kernels import path_point as path_point
    from kernels import pattern as pattern
    from kernels import point as point
    from kernels import random as random
    from kernels import refit as refit
    from kernels import resolve as resolve
    from kernels import sample as sample
    from kernels import sensor as sensor
    from kernels import sensor_develop as sensor_develop
    from kernels import sensor_expose as sensor_expose
    from kernels import sensor_lens as sensor_lens
    from kernels import sensor_meter as sensor_meter
    from kernels import shade as shade
    from kernels import shadow as shadow
    from kernels import shadow_passage as shadow_passage
    from kernels import shaping as shaping
    from kernels import sight as sight
    from kernels import surface as surface
    from kernels import texture as texture
    from kernels import top as top
    from kernels import trace as trace
    from kernels import transform as transform

SLOW_S = 0.3  # after which loading must be compiling


def kernel_modules() -> tuple[str, ...]:
    """Return the names of all kernel modules, sorted; those of a sub-package are dotted, as in `bvh.trace`."""
    folder = kernels_folder()
    files = (file.relative_to(folder).with_suffix("") for file in folder.rglob("*.py") if file.stem != "__init__")
    return tuple(sorted(".".join(file.parts) for file in files))


def load(names: tuple[str, ...], *, device: str, threads: int, say: Callable[[str], None] | None = None) -> None:
    """Compile the kernels of some modules where no earlier run has, several at a time, and load them on a device.

    Args:
        names: Of the modules.
        device: `cpu` or `cuda:N`.
        threads: How many are compiled at a time.
        say: Is told what is being compiled, if anything is: loading alone takes milliseconds.
    """
    import warp as wp

    modules = {name: wp.get_module(f"{KERNELS_MODULE}.{name}") for name in names if __getattr__(name)}
    with ThreadPoolExecutor(threads) as pool:
        jobs = {pool.submit(wp.force_load, device, [module], max_workers=0): name for name, module in modules.items()}
        if say is not None and (slow := wait(jobs, timeout=SLOW_S).not_done):
            missing = ", ".join(name for job, name in jobs.items() if job in slow)
            say(f"compiling kernels for {device}: {missing}; once, later runs find them cached")
        for job in jobs:
            job.result()


def __getattr__(name: str) -> ModuleType:
    """Return a kernel module, importing it on first use."""
    load_kernels()
    try:
        module = import_module(f"{KERNELS_MODULE}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{KERNELS_MODULE}.{name}":
            raise
        known = ", ".join(kernel_modules())
        raise AttributeError(f"there is no kernel module {name!r}; known: {known}") from None
    globals()[name] = module
    return module
