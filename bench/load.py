"""How long a large stage takes to load: `python -m bench.load [--meshes 20000] [--quads 24] [--runs 5] [--store]`.

Writes a stage of 20,000 meshes, 80,200 prims and 50 materials (no subdivision) and compares, in turns,
- the floor: opening, traversal, points, counts, indices, normals and st as arrays, every local-to-world matrix, and
  every bound material, in the fastest plain calls of usd-core;
- the load: a whole `Scene`, outside the sandbox, without its cache and without acceleration structures;
- the second load, from the cache.
Every run is a process of its own; imports are left out. Of several runs the shortest counts.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.report import report
from engine.scene import SceneOptions, load_scene

ARRAYS = ("points", "faceVertexCounts", "faceVertexIndices", "normals", "primvars:st")


def read_floor(path: Path) -> dict[str, int]:
    """Read a stage with usd-core alone; return what was found."""
    from pxr import Usd, UsdGeom, UsdShade

    stage = Usd.Stage.Open(str(path))
    prims = list(stage.Traverse())
    meshes = [prim for prim in prims if prim.IsA(UsdGeom.Mesh)]
    time_code = Usd.TimeCode.EarliestTime()
    cache = UsdGeom.XformCache(time_code)
    arrays = [[np.asarray(mesh.GetAttribute(name).Get(time_code)) for name in ARRAYS] for mesh in meshes]
    matrices = np.array([cache.GetLocalToWorldTransform(mesh) for mesh in meshes])
    materials, _ = UsdShade.MaterialBindingAPI.ComputeBoundMaterials(meshes)
    return {"prims": len(prims), "meshes": len(arrays), "bound": len(materials), "matrices": len(matrices)}


def read_scene(path: Path) -> dict[str, int]:
    """Load a stage; return what was found."""
    scene = load_scene(path, SceneOptions())
    triangles = sum(len(mesh.triangle) for mesh in scene.meshes)
    return {"meshes": len(scene.meshes), "triangles": triangles, "notes": len(scene.notes)}


WORK: dict[str, Callable[[Path], dict[str, int]]] = {"floor": read_floor, "load": read_scene}


def measure(name: str, path: Path) -> dict[str, float]:
    """Return the time on the clock and on the processor [s], the growth of memory [MB], and what was found."""
    import pxr.UsdShade  # noqa: F401  imports are not part of what is measured

    load_scene(Path(__file__).parent.parent / "scenes_usd" / "warehouse.usda", SceneOptions())
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, processor = time.perf_counter(), time.process_time()
    found = WORK[name](path)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    return {"wall_s": wall, "processor_s": processor, "memory_mb": grown_kib / 1024.0, **found}


def measured_apart(name: str, path: Path) -> dict[str, float]:
    """Return `measure` of a fresh process."""
    command = [sys.executable, "-m", "bench.load", "--measure", name, str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(result.stdout.splitlines()[-1]))


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__.split("\n")[0])
    parser.add_argument("--meshes", type=int, default=20_000)
    parser.add_argument("--quads", type=int, default=24, help="of one mesh")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--stage", type=Path, help="measure this file instead of a written one")
    parser.add_argument("--store", action="store_true", help="append the result to bench/results/")
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "FILE"), help="measure one thing in this process")
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure[0], Path(arguments.measure[1]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.stage
        if path is None:
            from bench.load_stage import write_stage

            path = Path(folder) / "many.usdc"
            write_stage(path, arguments.meshes, arguments.quads)
        runs = {name: [measured_apart(name, path) for name in [name]] for name in WORK}
        for _ in range(arguments.runs - 1):
            for name in WORK:
                runs[name].append(measured_apart(name, path))
        best = {name: {key: min(run[key] for run in found) for key in found[0]} for name, found in runs.items()}
        rows = {
            "file_mb": path.stat().st_size / 1e6,
            **{key: best["floor"][key] for key in ("prims", "meshes")},
            **{f"load_{key}": best["load"][key] for key in ("meshes", "triangles", "notes")},
            **{f"{name}_{key}": best[name][key] for key in ("wall_s", "processor_s", "memory_mb") for name in WORK},
            "load_over_floor": best["load"]["wall_s"] / best["floor"]["wall_s"],
            "load_over_floor_processor": best["load"]["processor_s"] / best["floor"]["processor_s"],
        }
    report("load", "cpu", rows, store=arguments.store)


if __name__ == "__main__":
    main()
