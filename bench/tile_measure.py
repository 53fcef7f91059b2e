"""How the light and grain of tiles without defects are, in folders of photographs and of renders.

    python -m bench.tile_measure DIR [DIR ...]

Prints quantiles over the images of each folder: `side`, the brightness of the darker side, and `end`, that of the
darker end, over the median; `span`, the brightest over the darkest column; and `grain`, the standard deviation of what
is left when the light is divided out and noise of single pixels is blurred.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.tile_data import FREE, light_of, load_tiles
from engine.errors import UserError

BANDS = 20  # that an image is divided into, across and along
SIDE = slice(1, 4)  # bands beside the outermost one, which is edge and belt
GRAIN_SIGMA_PX = 1.0
INSIDE_PX = 10  # left out at the borders of an image
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

Image = NDArray[np.float32]


def profile(gray: Image, axis: int) -> Image:
    """Return medians along an axis in BANDS bands, over the middle one of them: [band]."""
    line = np.median(gray, axis=axis).astype(np.float32)
    bands = cv2.resize(line[None], (BANDS, 1), interpolation=cv2.INTER_AREA)[0]
    return np.asarray(bands / max(float(np.median(bands)), 1.0e-3), np.float32)


def measures(gray: Image) -> dict[str, float]:
    """Return the measures of one image, [y, x] in 0..1."""
    across, along = profile(gray, 0), profile(gray, 1)
    darker = [min(line[SIDE].mean(), line[::-1][SIDE].mean()) for line in (across, along)]
    flat = cv2.GaussianBlur(gray / light_of(gray), (0, 0), GRAIN_SIGMA_PX)
    return {
        "side": float(darker[0]),
        "span": float(across[1:-1].max() / max(float(across[1:-1].min()), 1.0e-3)),
        "end": float(darker[1]),
        "grain": float(np.std(flat[INSIDE_PX:-INSIDE_PX, INSIDE_PX:-INSIDE_PX])),
    }


def main(words: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    arguments = parser.parse_args(words)
    for folder in arguments.folders:
        try:
            tiles = load_tiles(folder, lambda image: image.get("label") == FREE)
        except UserError as error:
            raise SystemExit(f"error: {error}") from None
        if not tiles:
            raise SystemExit(f"error: {folder / 'annotations.json'}: no image is labelled '{FREE}'")
        rows = [measures(tile.gray) for tile in tiles]
        print(f"{folder}: {len(rows)} images without defects; quantiles {', '.join(f'{q:g}' for q in QUANTILES)}")
        for name in rows[0]:
            values = np.quantile([row[name] for row in rows], QUANTILES)
            print(f"  {name:6s} {'  '.join(f'{value:.3f}' for value in values)}")


if __name__ == "__main__":
    main()
