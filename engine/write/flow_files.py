"""Files of optical flow: Middlebury `.flo` and KITTI's 16-bit PNG, to bytes and back.

Flow is float32 [y, x, 2] in pixels, right and down; not a number where there is none.
"""

from __future__ import annotations

import struct
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.write.encode import encode_png

# Source: flowIO of https://vision.middlebury.edu/flow/code/flow-code/
FLO_HEADER = struct.Struct("<4sii")  # tag, width, height; then right and down of every pixel, float32
FLO_TAG = b"PIEH"  # the float 202021.25
UNKNOWN_FLO, LEAST_UNKNOWN_FLO = 1.0e10, 1.0e9  # what is written, and from where on readers take it for unknown
# Source: devkit of https://www.cvlibs.net/datasets/kitti/eval_scene_flow.php?benchmark=flow
KITTI_SCALE, KITTI_ZERO, KITTI_MOST = 64.0, 2**15, 2**16 - 1


def encode_flo(flow_px: NDArray[np.float32]) -> bytes:
    """Return a Middlebury file; unknown flow is 1e10."""
    height, width = flow_px.shape[:2]
    known = np.where(np.isnan(flow_px), np.float32(UNKNOWN_FLO), flow_px).astype("<f4")
    return FLO_HEADER.pack(FLO_TAG, width, height) + known.tobytes()


def encode_kitti_flow(flow_px: NDArray[np.float32]) -> bytes:
    """Return KITTI's PNG: round(64 v + 2^15) right and down, and 1 where it is valid.

    Flow that is unknown or does not fit, beyond 512 px, is not valid: 0 0 0.
    """
    with np.errstate(invalid="ignore"):
        scaled = np.rint(flow_px.astype(np.float64) * KITTI_SCALE + KITTI_ZERO)
        valid = ((scaled >= 0.0) & (scaled <= KITTI_MOST)).all(axis=-1)
    out = np.zeros((*flow_px.shape[:2], 3), np.uint16)
    out[valid, :2], out[valid, 2] = scaled[valid].astype(np.uint16), 1
    return encode_png(out)


def flo_size(path: Path) -> tuple[int, int]:
    """Return width and height of a Middlebury file.

    Raises:
        ValueError: If it is none, or not as long as it says.
    """
    with path.open("rb") as file:
        head = file.read(FLO_HEADER.size)
    if len(head) < FLO_HEADER.size or head[:4] != FLO_TAG:
        raise ValueError("it does not begin with PIEH, as .flo files do")
    _, width, height = FLO_HEADER.unpack(head)
    if width < 1 or height < 1 or path.stat().st_size != FLO_HEADER.size + 8 * width * height:
        raise ValueError(f"it says {width}x{height}, which its {path.stat().st_size} bytes are not")
    return width, height


def read_flo(path: Path) -> NDArray[np.float32]:
    """Return the flow of a Middlebury file [px], shape [y, x, 2]; not a number where it is unknown.

    Raises:
        UserError: If it is none.
    """
    try:
        width, height = flo_size(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as optical flow: {error}") from error
    values = np.fromfile(path, "<f4", offset=FLO_HEADER.size).reshape(height, width, 2).astype(np.float32)
    values[~(np.abs(values) <= LEAST_UNKNOWN_FLO).all(axis=-1)] = np.nan
    return values


def read_kitti_flow(path: Path) -> NDArray[np.float32]:
    """Return the flow of KITTI's PNG [px], shape [y, x, 2]; not a number where it is not valid.

    Raises:
        UserError: If it is none.
    """
    import OpenImageIO as oiio  # Pillow makes 8 bits of 16-bit RGB

    file = oiio.ImageInput.open(str(path))
    if file is None:
        raise UserError(f"{path}: cannot be read as optical flow: {oiio.geterror().strip()}")
    try:
        stored = file.read_image(str(file.spec().format))
        if stored is None:
            raise UserError(f"{path}: cannot be read as optical flow: {file.geterror().strip()}")
    finally:
        file.close()
    if stored.dtype != np.uint16 or stored.shape[2:] != (3,):
        raise UserError(
            f"{path}: KITTI's flow is a 16-bit RGB PNG, this is {stored.dtype} of shape {list(stored.shape)}"
        )
    flow = ((stored[..., :2].astype(np.float32) - KITTI_ZERO) / np.float32(KITTI_SCALE)).astype(np.float32)
    flow[stored[..., 2] == 0] = np.nan
    return flow


def read_flow(path: Path) -> NDArray[np.float32]:
    """Return the flow of a file, as its ending says: `read_flo` or `read_kitti_flow`."""
    return read_flo(path) if path.suffix == ".flo" else read_kitti_flow(path)


def read_flow_state(path: Path) -> NDArray[np.uint8]:
    """Return engine.flow_state.FlowState of every pixel, shape [y, x].

    Raises:
        UserError: If it is no 8-bit grey image.
    """
    try:
        stored: NDArray[np.uint8] = imageio.imread(path, plugin="pillow")
    except (OSError, ValueError, SyntaxError) as error:  # Pillow raises SyntaxError of a broken PNG
        raise UserError(f"{path}: cannot be read as states of flow: {error}") from error
    if stored.dtype != np.uint8 or stored.ndim != 2:
        raise UserError(f"{path}: states of flow are 8-bit grey, this is {stored.dtype} of shape {list(stored.shape)}")
    return stored


def read_scene_flow(path: Path) -> NDArray[np.float32]:
    """Return world displacements [m], shape [y, x, 3]; not a number where there is none.

    Raises:
        UserError: If it is no such array.
    """
    try:
        stored: NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: cannot be read as scene flow: {error}") from error
    if stored.dtype != np.float32 or stored.ndim != 3 or stored.shape[2] != 3:
        raise UserError(
            f"{path}: scene flow is float32 [y, x, 3], this is {stored.dtype} of shape {list(stored.shape)}"
        )
    return stored
