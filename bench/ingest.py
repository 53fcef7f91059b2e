"""Ingest, measured: `python -m bench.ingest [--pictures 10000] [--store]`.

JPEGs of 640 x 480 in a folder of COCO, one box and one polygon each, taken in by the command's own function, against
decoding the same files alone with Pillow, in as many threads, warm; and the peak memory of ingests of a fifth of the
pictures and of all, in processes of their own.

Targets: `ingest_over_decode` near 1, at most 1.6, not met yet for JPEGs (`*_cpu` is of the processor seconds of all
threads, which other users of the cores hardly change); `peak_over_small` near 1: memory does not grow with pictures,
but for the labels, which COCO keeps in one file.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from bench.report import report
from engine.collect.classes import plan_classes
from engine.collect.decode import decode
from engine.collect.ingest import IngestRequest, ingest
from engine.collect.ingest_coco import open_coco
from engine.write.threads import thread_count

SIZE_PX = (640, 480)
KINDS = 32  # different pictures; the rest are copies, since decoding does not care
QUALITY = 92
NOISE = 6.0  # levels: what a camera adds, so that files have the size of real ones
MEBIBYTE = 2**20


def make_folder(folder: Path, pictures: int) -> None:
    """Write pictures and labels."""
    random = np.random.default_rng(8)
    images, annotations = [], []
    for number in range(pictures):
        path = folder / f"images/{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number < KINDS:
            coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize(SIZE_PX)
            noisy = np.asarray(coarse, np.float32) + random.normal(0, NOISE, (SIZE_PX[1], SIZE_PX[0], 3))
            Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path, quality=QUALITY)
        else:
            shutil.copyfile(folder / f"images/{number % KINDS:06d}.jpg", path)
        images.append({"id": number, "file_name": path.name, "width": SIZE_PX[0], "height": SIZE_PX[1]})
        x, y = (int(value) for value in random.integers(0, 300, 2))
        common = {"image_id": number, "category_id": 1, "iscrowd": 0, "bbox": [x, y, 100, 90], "area": 4500}
        annotations.append({"id": 2 * number + 1, **common})
        annotations.append({"id": 2 * number + 2, **common, "segmentation": [[x, y, x + 100, y, x, y + 90]]})
    data = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]}
    (folder / "annotations.json").write_text(json.dumps(data))


def clocked(work: Callable[[], object]) -> float:
    """Return how long something takes [s]."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def take_in(folder: Path, out: Path) -> None:
    """Ingest a folder."""
    source = open_coco(folder)
    ingest(
        source, IngestRequest.planned(out, "coco", plan_classes(source.categories, None, None), "bench"), lambda _: None
    )


def decode_alone(path: Path) -> None:
    """Decode a picture as a loader of trainers would."""
    with Image.open(path) as picture:
        np.asarray(picture.convert("RGB"))


def peak_bytes(folder: Path) -> int:
    """Return the peak memory of an ingest in a process of its own."""
    words = [sys.executable, "-m", "bench.ingest", "--child", str(folder)]
    return int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def measure(pictures: int) -> dict[str, float | int]:
    """Return times, ratios and memory."""
    rows: dict[str, float | int] = {"pictures": pictures, "threads": thread_count()}
    with tempfile.TemporaryDirectory(dir="/tmp") as place, ThreadPoolExecutor(thread_count()) as pool:
        large, small = Path(place) / "large", Path(place) / "small"
        make_folder(large, pictures)
        make_folder(small, pictures // 5)
        paths = sorted((large / "images").iterdir())
        rows["mebibytes"] = sum(path.stat().st_size for path in paths) / MEBIBYTE
        turns = [clocked(lambda: list(pool.map(decode_alone, paths)))]
        cpu = [time.process_time()]
        rows["ingest_s"] = clocked(lambda: take_in(large, Path(place) / "out"))
        cpu.append(time.process_time())
        turns.append(clocked(lambda: list(pool.map(decode_alone, paths))))
        cpu.append(time.process_time())
        rows |= {"decode_s": min(turns), "ingest_cpu_s": cpu[1] - cpu[0], "decode_cpu_s": cpu[2] - cpu[1]}
        rows["decode_and_measure_s"] = clocked(
            lambda: list(pool.map(lambda path: decode(path, path.name, SIZE_PX), paths))
        )
        rows["ingest_over_decode"] = rows["ingest_s"] / rows["decode_s"]
        rows["ingest_over_decode_cpu"] = rows["ingest_cpu_s"] / rows["decode_cpu_s"]
        rows["ingested_per_s"] = pictures / rows["ingest_s"]
        peaks = [peak_bytes(folder) for folder in (small, large)]
    rows |= {"small_peak_mebibytes": peaks[0] / MEBIBYTE, "peak_mebibytes": peaks[1] / MEBIBYTE}
    rows["peak_over_small"] = peaks[1] / peaks[0]
    return rows


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(prog="python -m bench.ingest", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pictures", type=int, default=10_000, help="of the larger ingest")
    parser.add_argument("--store", action="store_true", help="append the result to bench/results/")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        take_in(arguments.child, arguments.child.with_name(f"{arguments.child.name}-out"))
        status = Path("/proc/self/status").read_text(encoding="ascii")  # rusage would count the process that began it
        sys.stdout.write(f"{1024 * int(status.split('VmHWM:')[1].split()[0])}\n")
        return
    report("ingest", "cpu", measure(arguments.pictures), store=arguments.store)


if __name__ == "__main__":
    main()
