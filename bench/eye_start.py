"""How long it takes until there is a frame: `python -m bench.eye_start` is the child that `bench.eye` clocks.

From the start of the process to the first frame of a shipped scene, on the way that `engine.run` takes: compose the
recipe, load the kernels while the stage is read, build the factory, make world 0. Cold is an empty kernel cache, warm
the user's. What every program of this kind must import is measured beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
IMPORTS = "import warp as wp, pxr, hydra; wp.init(); import time; print(time.monotonic())"
TIMEOUT_S = 600.0
CHOICES = {
    "labels": ("quality=labels", "write=geometry", "outputs=[depth,normal,instance]"),
    "direct": (),
}  # of the configuration
QUALITIES = tuple(CHOICES)


def first_frame(scene: str, quality: str, device: str, begun: float) -> dict[str, float]:
    """Return when each stage was over [s after `begun`, a time of `time.monotonic`]."""
    when = {"interpreter": time.monotonic()}
    from engine.config import compose
    from engine.device import resolve_device
    from engine.factory import build_factory, load_recipe_scene
    from engine.render import load_kernels

    device = resolve_device(device)
    when["imported"] = time.monotonic()
    recipe, job = compose(f"+scene={scene}", *CHOICES[quality], "rig=preview", "count=1")
    when["composed"] = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        kernels = pool.submit(load_kernels, recipe.rig.quality, device=device)
        recipe, loaded = load_recipe_scene(recipe, job)
        when["scene"] = time.monotonic()
        kernels.result()
    when["kernels"] = time.monotonic()
    factory = build_factory(recipe, loaded, device=device)
    when["factory"] = time.monotonic()
    factory.make([0])
    when["frame"] = time.monotonic()
    return {stage: at - begun for stage, at in when.items()}


def imports_s() -> float:
    """Return how long a new process needs to import Warp, USD and Hydra and to start Warp [s]."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True, timeout=TIMEOUT_S
    )
    return float(done.stdout.split()[-1]) - begun


def frame_s(scene: str, quality: str, device: str, *, cache: Path | None) -> dict[str, float]:
    """Return the stages of a new process to its first frame [s]; `cache` is its folder of kernels, None: the user's."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    if cache is not None:
        environment["WARP_CACHE_PATH"] = str(cache)
    command = [sys.executable, "-m", "bench.eye_start", "--scene", scene, "--quality", quality, "--device", device]
    command += ["--begun", repr(time.monotonic())]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"the first frame failed: {done.stderr.strip().splitlines()[-1:]}")
    stages: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return stages


def measure_start(scene: str, device: str, *, repeats: int) -> dict[str, object]:
    """Return cold and warm starts and the imports among them, taking turns; the best of each [s], with its stages."""
    imports: list[float] = []
    warm: dict[str, list[dict[str, float]]] = {quality: [] for quality in QUALITIES}
    for quality in QUALITIES:
        frame_s(scene, quality, device, cache=None)  # fills the cache
    for _ in range(repeats):
        imports.append(imports_s())
        for quality in QUALITIES:
            warm[quality].append(frame_s(scene, quality, device, cache=None))
    out: dict[str, object] = {"scene": scene, "imports_s": min(imports)}
    for quality in QUALITIES:
        with TemporaryDirectory(prefix="ommatidia_kernels_") as cache:
            cold = frame_s(scene, quality, device, cache=Path(cache))
        best = min(warm[quality], key=lambda stages: stages["frame"])
        out |= {f"cold_{quality}_s": cold["frame"], f"cold_{quality}_stages_s": cold}
        out |= {f"warm_{quality}_s": best["frame"], f"warm_{quality}_stages_s": best}
        out[f"warm_{quality}_over_imports_s"] = best["frame"] - min(imports)
    return out


def main() -> None:
    """Make one frame and print its stages."""
    parser = argparse.ArgumentParser(prog="python -m bench.eye_start", description=(__doc__ or "").split(":")[0])
    parser.add_argument("--scene", default="tabletop")
    parser.add_argument("--quality", choices=QUALITIES, default="direct")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--begun", type=float, default=time.monotonic())
    arguments = parser.parse_args()
    stages = first_frame(arguments.scene, arguments.quality, arguments.device, arguments.begun)
    sys.stdout.write(json.dumps(stages) + "\n")


if __name__ == "__main__":
    main()
