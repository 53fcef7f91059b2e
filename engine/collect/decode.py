"""Decode a picture of a stranger once, as 8-bit RGB, and measure it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from engine.errors import UserError
from engine.formats.folders import reason
from engine.write.eight_bit import Unshown, rgb8
from engine.write.measure import measure_picture

ORIENTATION = 0x0112  # tag of EXIF
UPRIGHT = 1
QUARTER_TURNS = (5, 6, 7, 8)  # orientations that exchange width and height
MOST_PX = 2**28  # 268 megapixels: 0.8 GB when decoded; no camera makes more, and a small file can claim any size
ANIMATED = frozenset({"GIF", "TIFF", "WEBP", "PNG"})


class Damaged(UserError):  # noqa: N818 - named after what happened
    """A picture that cannot be taken in; `--skip-damaged` leaves it out."""


@dataclass(frozen=True)
class Decoded:
    """What a picture is."""

    size: tuple[int, int]  # width, height [px], as stored
    orientation: int | None  # of EXIF, where it is not upright: viewers turn it, labels and pixels here do not
    measured: Mapping[str, float | int]


@contextmanager
def large_pictures_allowed() -> Iterator[None]:
    """Let Pillow decode up to MOST_PX without a warning; for the whole process, since it has one limit."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = MOST_PX
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def decode(path: Path, name: str, stated: tuple[int, int] | None) -> Decoded:
    """Return size and measured columns of a picture.

    Args:
        path: The file.
        name: What errors call it.
        stated: Width and height [px] of its labels; None: they say nothing.
    Raises:
        Damaged: If it cannot be decoded whole, claims to be too large, or has another size than its labels state.
    """
    try:
        with Image.open(path) as picture:
            size = picture.size
            _check_size(name, size, stated, orientation := _orientation(picture))
            if picture.format in ANIMATED and getattr(picture, "n_frames", 1) > 1:
                raise Damaged(f"{name} holds several pictures; save each as a file of its own")
            measured = measure_picture(rgb8(picture))
    except Unshown as error:
        raise Damaged(f"{name} {error}; convert it to 8 or 16 bits") from error
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, Image.DecompressionBombError) as error:
        why = reason(error).replace(str(path), name)
        raise Damaged(f"{name} cannot be decoded: {why}; repair it, or --skip-damaged") from error
    return Decoded(size, None if orientation == UPRIGHT else orientation, measured)


def _orientation(picture: Image.Image) -> int:
    if "exif" not in picture.info and picture.format not in ("TIFF", "PNG", "WEBP"):
        return UPRIGHT
    try:
        value = picture.getexif().get(ORIENTATION, UPRIGHT)
    except (OSError, ValueError, SyntaxError, KeyError, TypeError):  # of damaged EXIF, which decides nothing
        return UPRIGHT
    return value if isinstance(value, int) and 1 <= value <= max(QUARTER_TURNS) else UPRIGHT


def _check_size(name: str, size: tuple[int, int], stated: tuple[int, int] | None, orientation: int) -> None:
    if size[0] * size[1] > MOST_PX:
        raise Damaged(f"{name} claims {size[0]}x{size[1]} pixels, the limit is {MOST_PX}; cut it into tiles")
    if stated is None or stated == size:
        return
    what = f"{name} is {size[0]}x{size[1]}, its labels say {stated[0]}x{stated[1]}"
    if orientation in QUARTER_TURNS and stated == size[::-1]:
        raise Damaged(
            f"{what}: they mean the picture as viewers turn it (EXIF orientation {orientation}); turn the pixels "
            "themselves and drop the tag, labels are of stored pixels here"
        )
    raise Damaged(f"{what}; correct the labels, or give the picture that they were made for")
