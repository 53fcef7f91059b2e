"""Pixels of records: masks on the canvas of their frame, and the images of a frame, decoded."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.formats.masks import within_frame
from engine.formats.record import Frame, Instance
from engine.write.encode import encode_png
from engine.write.readback import read_depth_m


def visible_pixels(frame: Frame, instance: Instance) -> NDArray[np.bool_]:
    """Return the pixels of a frame that see an instance.

    Raises:
        UserError: If the dataset has no masks.
    """
    if instance.mask is None:
        raise UserError(f"frame {frame.id}, instance {instance.id} has no mask, which this format needs")
    return within_frame(instance.mask, frame.width, frame.height)


def silhouette_pixels(frame: Frame, instance: Instance) -> NDArray[np.bool_]:
    """Return the pixels of a frame that would see an instance if nothing stood in front of it.

    Raises:
        UserError: If the dataset has no silhouettes.
    """
    if instance.amodal is None or instance.amodal.mask is None:
        raise UserError(
            f"frame {frame.id}, instance {instance.id} has no whole silhouette, which this format needs; "
            "make the dataset with labels.amodal=true"
        )
    return within_frame(instance.amodal.mask, frame.width, frame.height)


def frame_file(frame: Frame, role: str, file_format: str, made_by: str) -> Path:
    """Return a file of a frame.

    Raises:
        UserError: If there is none; `made_by` says how to get it.
    """
    if role not in frame.files:
        raise UserError(f"frame {frame.id} has no {role} file, which {file_format} needs; {made_by}")
    return frame.files[role]


def rgb_pixels(path: Path) -> NDArray[np.uint8]:
    """Return a picture, [y, x, 3]."""
    pixels: NDArray[np.uint8] = imageio.imread(path)
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def picture_as_png(path: Path) -> bytes:
    """Return a picture as a PNG file, its own bytes if it is one."""
    return path.read_bytes() if path.suffix.lower() == ".png" else encode_png(rgb_pixels(path))


def depth_image_m(frame: Frame, file_format: str) -> NDArray[np.float64]:
    """Return planar depth [m] of a frame, [y, x], +inf where there is none.

    Raises:
        UserError: If the frame has no depth file, or one of ranges along the rays.
    """
    path = frame_file(frame, "depth", file_format, "make the dataset with outputs that hold depth and write=coco")
    if (frame.row.get("depth_kind") or "planar") != "planar":
        raise UserError(
            f"frame {frame.id} has ranges along the rays; {file_format} holds planar depth only: lens=as_authored"
        )
    return read_depth_m(path).astype(np.float64)


def instance_image(frame: Frame) -> NDArray[np.int32]:
    """Return which labelled instance every pixel [y, x] of a frame sees, 0: none; the first mask has a pixel."""
    out = np.zeros((frame.height, frame.width), np.int32)
    for instance in reversed(frame.instances):
        out[visible_pixels(frame, instance)] = instance.id
    return out


def write_file(path: Path, data: bytes) -> None:
    """Write a file of an export, its folders made; nothing is read there before the whole export has its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a text file of an export, UTF-8, its folders made."""
    write_file(path, text.encode())
