"""How long a large stage takes to load: `python -m bench.load [--meshes 20000] [--quads 24] [--runs 5] [--store]`.

Writes a stage of 20,000 meshes, 80,200 prims and 50 materials (no subdivision) and compares, in turns,
- `floor`: opening, traversal, points, counts, indices, normals and st as arrays, every local-to-world matrix, and
  every bound material, in plain calls of usd-core;
- `lean`: the same floor with Python's collector off, as it is while a scene loads;
- `load`: a whole `Scene`, outside the sandbox, without the cache and without acceleration structures;
- `sandboxed`: the same in a child process, start and transfer included (its processor time is not counted);
- `cached`: the same scene from the cache, which one load with it has filled.
Every run is a process of its own, and imports are left out. Of several runs the shortest counts. `processor` is the
time on all processors: other work on the machine disturbs it less than the clock, but opening a stage and finding bound
materials use several at once. Memory is the peak over what was resident before.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
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
SMALL = Path(__file__).parent.parent / "scenes_usd" / "assets" / "carton.usda"  # loaded before, for the imports


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


def read_scene(path: Path, *, cache: bool = False, child: bool = False) -> dict[str, int]:
    """Load a stage; return what was found."""
    scene = load_scene(path, SceneOptions(cache=cache, sandbox="true" if child else "false"))
    triangles = sum(len(mesh.triangle) for mesh in scene.meshes)
    return {"meshes": len(scene.meshes), "triangles": triangles, "notes": len(scene.notes)}


def read_lean_floor(path: Path) -> dict[str, int]:
    """Read a stage with usd-core alone and without Python's collector."""
    gc.disable()
    try:
        return read_floor(path)
    finally:
        gc.enable()


WORK: dict[str, Callable[[Path], dict[str, int]]] = {
    "floor": read_floor,
    "lean": read_lean_floor,
    "load": read_scene,
    "sandboxed": lambda path: read_scene(path, child=True),
    "cached": lambda path: read_scene(path, cache=True),
}


def measure(name: str, path: Path) -> dict[str, float]:
    """Return the time on the clock and on the processors [s], the growth of memory [MB], and what was found."""
    import pxr.UsdShade  # noqa: F401  imports are not part of what is measured

    load_scene(SMALL, SceneOptions(cache=name == "cached", sandbox="false"))
    gc.collect()
    before_mb = resident_mb()
    wall, processor = time.perf_counter(), time.process_time()
    found = WORK[name](path)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    return {"wall_s": wall, "processor_s": processor, "memory_mb": peak_mb - before_mb, **found}


def resident_mb() -> float:
    """Return how much of this process is in memory now [MB]."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def measured_apart(name: str, path: Path, cache: Path) -> dict[str, float]:
    """Return `measure` of a fresh process."""
    command = [sys.executable, "-m", "bench.load", "--measure", name, str(path)]
    environment = {**os.environ, "OMMATIDIA_CACHE": str(cache)}
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return dict(json.loads(result.stdout.splitlines()[-1]))


def compare(path: Path, cache: Path, runs: int) -> dict[str, float]:
    """Return the rows of the report: of each kind of run the shortest, and their ratios."""
    stored = measured_apart("cached", path, cache)
    rounds = [{name: measured_apart(name, path, cache) for name in WORK} for _ in range(runs)]
    best = {name: {key: min(each[name][key] for each in rounds) for key in rounds[0][name]} for name in WORK}
    floor, lean, load, cached = best["floor"], best["lean"], best["load"], best["cached"]
    kept_mb = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file()) / 1e6
    return {
        "prims": floor["prims"],
        "meshes": load["meshes"],
        "triangles": load["triangles"],
        "file_mb": path.stat().st_size / 1e6,
        "cache_mb": kept_mb,
        "store_wall_s": stored["wall_s"],
        **{f"{name}_{key}": best[name][key] for key in ("wall_s", "processor_s", "memory_mb") for name in WORK},
        "load_over_floor": load["wall_s"] / floor["wall_s"],
        "load_over_floor_processor": load["processor_s"] / floor["processor_s"],
        "load_over_lean": load["wall_s"] / lean["wall_s"],
        "load_over_lean_processor": load["processor_s"] / lean["processor_s"],
        "cache_speedup": load["wall_s"] / cached["wall_s"],
        "cache_speedup_processor": load["processor_s"] / cached["processor_s"],
    }


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
        rows = compare(path, Path(folder) / "cache", arguments.runs)
    report("load", "cpu", {"quads": arguments.quads, **rows}, store=arguments.store)


if __name__ == "__main__":
    main()
