"""OpenEXR files of three channels: one part, scan lines, ZIP; put together here so that equal pixels are equal bytes.

Source: "OpenEXR file layout", https://openexr.com/en/latest/OpenEXRFileLayout.html
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import deflate
import numpy as np
from numpy.typing import NDArray

MAGIC, VERSION = 20000630, 2
HALF, FLOAT = 1, 2  # pixel types
ZIP_COMPRESSION, ZIP_LINES = 3, 16  # lines that are compressed together
LARGEST_HALF = 65504.0
DEFLATE_LEVEL = 4  # colours are noisy: higher levels gain little
SIZE_HEAD_BYTES = 4096  # in which the data window is looked for


def encode_exr(image: NDArray[np.float32], *, half: bool) -> bytes:
    """Return an image [y, x, 3] of linear R, G, B as OpenEXR; with `half`, numbers end at 65,504."""
    height, width, _ = image.shape
    kind, stored = (HALF, "<f2") if half else (FLOAT, "<f4")
    within = np.clip(image, -LARGEST_HALF, LARGEST_HALF) if half else image
    lines = np.ascontiguousarray(within[..., ::-1].transpose(0, 2, 1)).astype(stored)  # [y, B G R, x]
    chunks = []
    for first in range(0, height, ZIP_LINES):
        data = _zipped(lines[first : first + ZIP_LINES].tobytes())
        chunks.append(struct.pack("<ii", first, len(data)) + data)
    head = _head(width, height, kind)
    sizes = np.array([len(head) + 8 * len(chunks), *(len(chunk) for chunk in chunks)], np.uint64)
    return b"".join((head, np.cumsum(sizes)[:-1].astype("<u8").tobytes(), *chunks))


def exr_size(path: Path) -> tuple[int, int]:
    """Return (width, height) of an OpenEXR file.

    Raises:
        ValueError: If it is none.
    """
    with path.open("rb") as file:
        return _window_size(file)


def _window_size(file: BinaryIO) -> tuple[int, int]:
    head = file.read(SIZE_HEAD_BYTES)
    name = b"dataWindow\0box2i\0" + struct.pack("<i", 16)
    at = head.find(name)
    if head[:4] != struct.pack("<i", MAGIC) or at < 0 or len(head) < at + len(name) + 16:
        raise ValueError("not an OpenEXR file")
    x0, y0, x1, y1 = struct.unpack_from("<4i", head, at + len(name))
    return x1 - x0 + 1, y1 - y0 + 1


def _head(width: int, height: int, kind: int) -> bytes:
    channels = b"".join(name + b"\0" + struct.pack("<iB3xii", kind, 0, 1, 1) for name in (b"B", b"G", b"R")) + b"\0"
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    attributes = (
        (b"channels", b"chlist", channels), (b"compression", b"compression", bytes((ZIP_COMPRESSION,))),
        (b"dataWindow", b"box2i", window), (b"displayWindow", b"box2i", window),
        (b"lineOrder", b"lineOrder", b"\0"), (b"pixelAspectRatio", b"float", struct.pack("<f", 1.0)),
        (b"screenWindowCenter", b"v2f", struct.pack("<2f", 0.0, 0.0)),
        (b"screenWindowWidth", b"float", struct.pack("<f", 1.0)),
    )  # fmt: skip
    parts = [struct.pack("<ii", MAGIC, VERSION)]
    parts += [name + b"\0" + kind_name + b"\0" + struct.pack("<i", len(value)) + value
              for name, kind_name, value in attributes]  # fmt: skip
    return b"".join((*parts, b"\0"))


def _zipped(raw: bytes) -> bytes:
    """Return compressed lines: bytes of even places before those of odd ones, each minus its predecessor, deflated."""
    values = np.frombuffer(raw, np.uint8)
    parted = np.concatenate([values[0::2], values[1::2]])
    parted[1:] = parted[1:] - parted[:-1] + np.uint8(128)  # modulo 256
    data = bytes(deflate.zlib_compress(parted, DEFLATE_LEVEL))
    return data if len(data) < len(raw) else raw  # a reader knows by the size
