"""Arrays to file bytes: JPEG, PNG and NPY, the same bytes on every processor.

PNG is put together here from scan lines that libdeflate compresses. It is meant to be faster than zlib, which the
writers of Pillow and imagecodecs use, and unlike other fast deflaters (ISA-L, zlib-ng) it has one algorithm for all
instruction sets, so that equal pixels are equal files. All encoders release the interpreter lock.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence

import deflate
import numpy as np
import simplejpeg
from numpy.typing import NDArray

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_GREY = 0  # colour types of the PNG specification, table 11.1
PNG_RGB = 2
PNG_FILTER_UP = 2  # each byte minus the one above: best of none, sub and up for smooth depth and flat id maps
DEFLATE_LEVEL = 1  # the fastest; higher levels gain little on noisy images


def encode_jpeg(rgb: NDArray[np.uint8], *, quality: int) -> bytes:
    """Return an image as JPEG without colour subsampling (4:4:4).

    Args:
        rgb: sRGB, shape [y, x, 3].
        quality: 1 to 100, the scale of libjpeg.
    """
    image = np.ascontiguousarray(rgb)
    # The accurate integer transform is bit-exact between the SIMD and the plain code of libjpeg-turbo.
    return bytes(simplejpeg.encode_jpeg(image, quality, "RGB", "444", fastdct=False))


def encode_png(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Return pixels as a lossless PNG.

    Args:
        pixels: uint8 or uint16, shape [y, x] for grey or [y, x, 3] for RGB.
    Raises:
        ValueError: If PNG has no such format.
    Source: W3C PNG specification (third edition), sections 5, 9 and 11, https://www.w3.org/TR/png-3/
    """
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)):
        raise ValueError(f"PNG holds uint8 or uint16 of shape [y, x] or [y, x, 3], got {pixels.dtype} {pixels.shape}")
    height, width = pixels.shape[:2]
    bits = 8 * pixels.dtype.itemsize
    color_type = PNG_GREY if pixels.ndim == 2 else PNG_RGB
    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    compressed = bytes(deflate.zlib_compress(_scan_lines(pixels), DEFLATE_LEVEL))
    return PNG_SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", compressed) + _chunk(b"IEND", b"")


def encode_npy(array: NDArray[np.generic]) -> bytes:
    """Return an array as an NPY file, version 1.0, C order."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


PLY_TYPES = {"f4": "float", "u1": "uchar", "i4": "int"}  # by little-endian NumPy code; Open3D reads no ushort


def encode_ply(points: NDArray[np.void], comments: Sequence[str]) -> bytes:
    """Return a structured array as the vertices of a binary little-endian PLY file.

    Source: Turk, "The PLY polygon file format", 1994.
    """
    names = points.dtype.names or ()
    lines = ["ply", "format binary_little_endian 1.0", *(f"comment {comment}" for comment in comments)]
    lines.append(f"element vertex {len(points)}")
    lines += [f"property {PLY_TYPES[points.dtype[name].str[1:]]} {name}" for name in names]
    return "\n".join([*lines, "end_header\n"]).encode("ascii") + np.ascontiguousarray(points).tobytes()


def _scan_lines(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Return filtered scan lines, shape [y, 1 + bytes a line]; samples of 16 bits are big-endian."""
    ordered = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder(">"))
    lines = ordered.view(np.uint8).reshape(pixels.shape[0], -1)
    filtered = np.empty((lines.shape[0], lines.shape[1] + 1), np.uint8)
    filtered[:, 0] = PNG_FILTER_UP
    filtered[0, 1:] = lines[0]
    np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])  # modulo 256
    return filtered


def _chunk(name: bytes, data: bytes) -> bytes:
    return b"".join((struct.pack(">I", len(data)), name, data, struct.pack(">I", deflate.crc32(name + data))))
