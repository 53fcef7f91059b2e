"""Images that reach a trainer: `python -m bench.stream [--scene tabletop] [--device cpu] [--store]`.

`engine.stream` makes worlds while they are asked for; the other way is to write them once (`engine.run`) and read them
again for every epoch: JPEG, 16-bit depth and id maps of the default set, decoded by one thread for each core. Both
deliver rgb, depth and instance ids as arrays; `stream_over_disk` is the ratio of their speeds, making the dataset not
counted.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imageio.v3 as iio
import simplejpeg
import warp as wp

from bench.report import report
from engine.config import compose
from engine.device import resolve_device
from engine.factory import generate
from engine.online import stream


def main() -> None:
    """Measure and print; the last line is one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m bench.stream", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--scene", default="tabletop")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--worlds", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, nargs=2, default=(320, 240), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--spp", type=int, default=1)
    parser.add_argument("--store", action="store_true", help="append the result to bench/results/")
    arguments = parser.parse_args()
    device = resolve_device(arguments.device)
    width, height = arguments.size
    settings = [f"+scene={arguments.scene}", f"rig.width={width}", f"rig.height={height}", f"rig.spp={arguments.spp}",
                f"count={arguments.worlds}", f"device={device}"]  # fmt: skip
    rows: dict[str, float | str | int] = {"scene": arguments.scene, "size": f"{width}x{height}", "spp": arguments.spp}
    with tempfile.TemporaryDirectory() as folder:
        recipe, job = compose(*settings, f"out={folder}/dataset")
        generate(recipe, job)
        rows["disk_images_per_s"] = _from_disk(Path(folder) / "dataset")
    for labels in (False, True):
        name = "stream_with_labels" if labels else "stream"
        with stream(
            recipe,
            job,
            batch=arguments.batch,
            worlds=range(3 * max(arguments.worlds, 2 * arguments.batch)),
            labels=labels,
        ) as batches:
            for _ in range(3):  # kernels are loaded, memory is there
                next(batches)
            begun, images = time.perf_counter(), 0
            for batch in batches:
                images += len(batch.keys.world)
            wp.synchronize_device(device)
            rows[f"{name}_images_per_s"] = images / (time.perf_counter() - begun)
    rows["stream_over_disk"] = float(rows["stream_images_per_s"]) / float(rows["disk_images_per_s"])
    report("stream", device, rows, store=arguments.store)


def _from_disk(dataset: Path) -> float:
    """Return how many frames a second are read and decoded, of the best of three epochs."""
    images = sorted((dataset / "images").rglob("*.jpg"))
    best = 0.0
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for _ in range(3):
            begun = time.perf_counter()
            for _ in pool.map(lambda image: _read(dataset, image), images):
                pass
            best = max(best, len(images) / (time.perf_counter() - begun))
    return best


def _read(dataset: Path, image: Path) -> None:
    name = image.relative_to(dataset / "images").with_suffix(".png")
    simplejpeg.decode_jpeg(image.read_bytes())
    iio.imread(dataset / "depth" / name)
    iio.imread((dataset / "masks" / name).with_suffix(".instance.png"))


if __name__ == "__main__":
    main()
