"""What the page of all frames costs to make, against decoding the pictures: `python -m bench.view DIR`."""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from engine.view.gallery import labels, source, thumbnails
from engine.view.gallery.build import Options, build_gallery


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    shown = source.open_shown(parser.parse_args().dataset.absolute())
    rows = [row for frames, _ in labels.label_chunks(shown) for row in frames.to_pylist()]
    images = [image for row in rows if (image := source.image_of(shown, row))]
    per_thousand = 1000.0 / len(rows)
    print(f"{len(rows)} frames of {rows[0]['width']}x{rows[0]['height']}, {os.cpu_count()} processors")

    begun_s = time.perf_counter()
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        list(pool.map(decode, images))
    print(f"decode every picture          {per_thousand * (time.perf_counter() - begun_s):6.2f} s per 1,000 frames")

    cell = thumbnails.cell_for(rows[0]["width"], rows[0]["height"])
    begun_s = time.perf_counter()
    for _ in thumbnails.draw_sheets(images, cell):
        pass
    print(f"thumbnails                    {per_thousand * (time.perf_counter() - begun_s):6.2f} s per 1,000 frames")

    folder = Path(tempfile.mkdtemp())
    begun_s = time.perf_counter()
    build_gallery(shown, None, folder, folder, Options(), lambda count: None)
    whole_s = time.perf_counter() - begun_s
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    shutil.rmtree(folder)
    print(f"whole page, without previews  {per_thousand * whole_s:6.2f} s per 1,000 frames")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"size {per_thousand * size / 1e6:.1f} MB per 1,000 frames; peak {peak_mb:.0f} MB")


def decode(path: Path) -> None:
    """Decode a picture whole."""
    with Image.open(path) as picture:
        picture.load()


if __name__ == "__main__":
    main()
