"""Questions to an index, measured: `python -m bench.index [--frames 1000000] [--pair 100000] [--no-store]`.

Synthetic tables, written as the product writes them: a frame of two files and a world with twelve drawn values each,
and four instances a frame. Of one large index: a slice (a measured column of the frame and a drawn one of its world;
and one by the instances in it), each with a connection of its own, once by scanning the files, as `engine.query` does,
and once by loading the tables first, as it did. Of two smaller ones, which differ in a tenth of their pictures and in
one column: `diff` without its bookkeeping files, whose size does not grow with frames. A time is that of a process of
its own; `peak` is its largest resident memory over that with all libraries loaded, `tenth_peak` that of an index of a
tenth of the size.

Targets: a slice of 10^6 frames in less than 1 s, `diff` of two datasets of 10^5 frames in less than 30 s.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.collect.intent import Selection
from engine.write.record import json_bytes
from engine.write.tables import ROWS_A_GROUP, parquet_chunks

INSTANCES_A_FRAME = 4
CLASSES = np.array(["crate", "pallet", "person", "forklift", "rack"])
SLICES = {
    "columns": 'lum_mean < 0.1 AND w."p.entry_3.value" > 0.5',
    "instances": "EXISTS (SELECT 1 FROM instances i WHERE i.frame_id = f.frame_id AND i.class = 'person' "
    "AND i.area_px < 1000)",
}
KIB_A_MIB = 1024.0


def write_index(out: Path, frames: int, *, seed: int = 0) -> None:
    """Write the tables of a dataset of so many frames; another seed changes a tenth of the pictures and `lum_mean`."""
    (out / "index").mkdir(parents=True)
    intent = Selection("bench", "tax_0", (), False, (), "true")  # says which frames are of one group: none
    (out / "recipe.json").write_bytes(json_bytes(intent))
    tables = {"frames": (_frames, 1), "worlds": (_worlds, 1), "instances": (_instances, INSTANCES_A_FRAME)}
    for name, (make, rows) in tables.items():
        total = frames * rows
        starts = range(0, total, ROWS_A_GROUP)
        parts = (make(np.arange(first, min(first + ROWS_A_GROUP, total)), seed) for first in starts)
        with (out / "index" / f"{name}.parquet").open("wb") as file:
            for chunk in parquet_chunks(parts):
                file.write(chunk)


def _frames(number: np.ndarray, seed: int) -> pa.Table:
    random, count = np.random.default_rng(number[0]), len(number)
    digest = random.integers(0, 256, (count, 32), np.uint8)
    changed = number % 10 == 0
    digest[changed, 0] ^= np.uint8(seed)
    names = [f"{n // 1000:03d}/{n:06d}" for n in number]
    columns = {
        "frame_id": number, "world": number, "step": np.zeros(count, np.int32), "camera": np.zeros(count, np.int32),
        "width": np.full(count, 640, np.int32), "height": np.full(count, 480, np.int32),
        "k": pa.FixedSizeListArray.from_arrays(pa.array(random.random(9 * count)), 9),
        "world_from_camera": pa.FixedSizeListArray.from_arrays(pa.array(random.random(16 * count)), 16),
        "n_instances": np.full(count, INSTANCES_A_FRAME, np.int32),
    }  # fmt: skip
    for role, suffix in (("image", "jpg"), ("instance_map", "png")):
        columns[role] = [f"{role}s/{name}.{suffix}" for name in names]
        columns[f"{role}_sha256"] = pa.array([bytes(row) for row in digest], pa.binary(32))
    for name in ("lum_mean", "lum_p05", "lum_std", "sat_frac", "blur_lap", "noise_sigma"):
        shift = 0.05 * seed if name == "lum_mean" else 0.0
        columns[name] = (random.random(count) + shift).astype(np.float32)
    columns["phash"] = random.integers(0, 2**63, count, np.uint64)
    return pa.table(columns)


def _worlds(number: np.ndarray, seed: int) -> pa.Table:
    random = np.random.default_rng(number[0] + 1)
    drawn = {f"p.entry_{i}.value": random.random(len(number)).astype(np.float32) for i in range(12)}
    return pa.table({"world": number, "step": np.zeros(len(number), np.int32), **drawn})


def _instances(number: np.ndarray, seed: int) -> pa.Table:
    random, count = np.random.default_rng(number[0] + 2), len(number)
    frame = number // INSTANCES_A_FRAME
    class_id = random.integers(0, len(CLASSES), count)
    columns = {
        "frame_id": frame, "world": frame, "step": np.zeros(count, np.int32), "camera": np.zeros(count, np.int32),
        "inst_id": (number % INSTANCES_A_FRAME + 1).astype(np.int32), "class_id": (class_id + 1).astype(np.int32),
        "class": pa.array(CLASSES[class_id]),
        "bbox": pa.FixedSizeListArray.from_arrays(pa.array((300 * random.random(4 * count)).astype(np.float32)), 4),
        "area_px": random.integers(1, 90_000, count).astype(np.int32),
    }  # fmt: skip
    names = ("depth_m", "occlusion", "truncation", "range_m", "azimuth_rad", "elevation_rad")
    return pa.table(columns | {name: random.random(count).astype(np.float32) for name in names})


def ask_scanned(out: Path, condition: str) -> int:
    """Return how many frames a slice has, by scanning."""
    from engine.query import frame_ids_where, open_index

    return len(frame_ids_where(open_index(out), condition, where="bench"))


def ask_loaded(out: Path, condition: str) -> int:
    """Return how many frames a slice has, by loading all tables first."""
    from engine.query import connect, frame_ids_where

    tables = {name: pq.read_table(out / "index" / f"{name}.parquet") for name in ("worlds", "frames", "instances")}
    return len(frame_ids_where(connect(tables), condition, where="bench"))


def compare(one: Path, two: Path) -> int:
    """Return how many differences two indices have."""
    from engine.compare.columns import Index
    from engine.compare.distributions import compare_distributions
    from engine.compare.files import compare_files

    tests = compare_distributions(Index(one), Index(two))
    return len(tests.differences()) + len(compare_files(one, two))


def alone(what: str, *arguments: str) -> dict[str, float]:
    """Return seconds, peak memory [MiB] and the result of a piece of work in a process of its own."""
    command = [sys.executable, "-m", "bench.index", "--work", what, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def status_mib(path: Path, name: str) -> float:
    """Return a figure of a process [MiB]."""
    line = next(line for line in path.read_text().splitlines() if line.startswith(f"{name}:"))
    return float(line.split()[1]) / KIB_A_MIB


def work(what: str, arguments: list[str]) -> None:
    """Do a piece of work and print what it cost; libraries are loaded before the clock starts."""
    import duckdb
    import scipy.stats  # noqa: F401

    import engine.compare.diff  # noqa: F401

    duckdb.connect(":memory:").execute("SELECT 1")
    pieces: dict[str, Callable[..., int]] = {"scanned": ask_scanned, "loaded": ask_loaded, "diff": compare}
    given = [Path(arguments[0]), Path(arguments[1]) if what == "diff" else SLICES[arguments[1]]]
    memory = Path("/proc/self")
    (memory / "clear_refs").write_text("5")  # the peak begins anew
    before = status_mib(memory / "status", "VmRSS")
    begun, begun_cpu = time.perf_counter(), time.process_time()
    result = pieces[what](*given)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
    peak = status_mib(memory / "status", "VmHWM") - before
    print(json.dumps({"s": seconds, "cpu_s": cpu, "peak_mib": peak, "result": result}))


def measure(frames: int, pair: int, *, repeats: int) -> dict[str, float]:
    """Return times [s], peaks [MiB] and ratios."""
    rows: dict[str, float] = {"frames": frames, "pair_frames": pair}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, count, seed in (("large", frames, 0), ("tenth", frames // 10, 0), ("one", pair, 0), ("two", pair, 1),
                                  ("small_one", pair // 10, 0), ("small_two", pair // 10, 1)):  # fmt: skip
            write_index(root / name, count, seed=seed)
        rows["index_mib"] = sum(path.stat().st_size for path in (root / "large/index").iterdir()) / 2**20
        for slice_name in SLICES:
            for how in ("scanned", "loaded"):
                runs = [alone(how, str(root / "large"), slice_name) for _ in range(repeats)]
                best, small = min(runs, key=lambda run: run["s"]), alone(how, str(root / "tenth"), slice_name)
                name = f"slice_{slice_name}_{how}"
                rows |= {f"{name}_s": best["s"], f"{name}_cpu_s": best["cpu_s"], f"{name}_frames": best["result"]}
                rows |= {f"{name}_peak_mib": best["peak_mib"], f"{name}_tenth_peak_mib": small["peak_mib"]}
            faster = rows[f"slice_{slice_name}_loaded_s"] / rows[f"slice_{slice_name}_scanned_s"]
            rows[f"slice_{slice_name}_loaded_over_scanned"] = faster
        runs = [alone("diff", str(root / "one"), str(root / "two")) for _ in range(repeats)]
        best = min(runs, key=lambda run: run["s"])
        small = alone("diff", str(root / "small_one"), str(root / "small_two"))
        rows |= {"diff_s": best["s"], "diff_cpu_s": best["cpu_s"], "diff_found": best["result"]}
        rows |= {"diff_peak_mib": best["peak_mib"], "diff_tenth_peak_mib": small["peak_mib"]}
    return rows


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m bench.index", description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=int, default=1_000_000, help="of the index that is sliced")
    parser.add_argument("--pair", type=int, default=100_000, help="of each of the two that are compared")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-store", action="store_true", help="do not append the result to bench/results/")
    parser.add_argument("--work", nargs="+", metavar="WHAT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work[0], arguments.work[1:])
        return
    from bench.report import report

    rows = measure(arguments.frames, arguments.pair, repeats=arguments.repeats)
    report("index", "cpu", rows, store=not arguments.no_store)


if __name__ == "__main__":
    main()
