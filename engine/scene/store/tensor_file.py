"""Named arrays in one file, in the safetensors layout: written in one pass, read as views of the mapped file.

Layout: 8 bytes with the length of the header (little endian), the header (JSON: name -> dtype, shape, data_offsets, and
`__metadata__` with texts), then the arrays without gaps. Larger elements come first and the header is padded to 8
bytes, so every array is aligned. Any safetensors library reads such a file; theirs copies every array, which costs more
than all the rest, so the file is read here. An uncompressed .npz was rejected: its members are not aligned, so they
cannot be mapped, and its checksum is computed on one thread.

The metadata hold the sha256 of the file: over the header with zeros in place of the digest, then over the digests of
blocks of `BLOCK_BYTES`. So a damaged file is found whatever byte is damaged, on as many threads as there are.
Source of the format: https://huggingface.co/docs/safetensors/index#format
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import os
import stat
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 8 << 20  # enough for a thread to be worth it
MAX_HEADER_BYTES = 100_000_000  # as in the safetensors library
THREADS = min(8, os.cpu_count() or 1)
DIGEST = "sha256"
NO_DIGEST = "0" * 64
INTEGERS = {
    f"{letter}{bits}": f"{kind}{bits}" for letter, kind in (("U", "uint"), ("I", "int")) for bits in (8, 16, 32, 64)
}
DTYPES = {"BOOL": "bool", **INTEGERS, "F16": "float16", "F32": "float32", "F64": "float64"}
NAMES = {np.dtype(dtype): name for name, dtype in DTYPES.items()}


class TensorFileError(ValueError):
    """The file is not what was written: cut off, damaged, or of another format."""


@dataclass(frozen=True)
class TensorFile:
    """What a file holds; the arrays are read-only views of it."""

    arrays: dict[str, NDArray[Any]]
    metadata: dict[str, str]


def write_tensors(path: Path, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write arrays to a new file.

    Raises:
        FileExistsError: If there is a file.
    """
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    begin, header = 0, dict[str, Any]({"__metadata__": {**metadata, DIGEST: NO_DIGEST}})
    for name in order:
        array = arrays[name]
        end = begin + array.nbytes
        header[name] = {"dtype": NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    with path.open("x+b") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            stream.write(np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8).data)
        stream.flush()
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as written:
            view = memoryview(written)
            digest = _digest(text, view[8 + len(text) :])
            view.release()
        stream.seek(8)
        stream.write(_with_digest(text, NO_DIGEST, digest))


def file_buffer(path: Path, *, private: bool = False) -> memoryview:
    """Return the bytes of a regular file, mapped; with `private` copied, so that nobody can change them any more.

    Raises:
        OSError: If it cannot be read.
        TensorFileError: If it is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise TensorFileError("not a regular file")
        if about.st_size == 0:
            raise TensorFileError("empty")
        if private:
            return memoryview(stream.read())
        return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))


def parse_metadata(buffer: memoryview) -> dict[str, str]:
    """Return the metadata in the bytes of a file, whose arrays are not looked at.

    Raises:
        TensorFileError: If the header cannot be read.
    """
    return _header(buffer)[1]


def parse_tensors(buffer: memoryview) -> TensorFile:
    """Return the arrays in the bytes of a file that `write_tensors` wrote, as views.

    Raises:
        TensorFileError: If one byte is not what was written.
    """
    header, metadata, text = _header(buffer)
    digest = metadata.pop(DIGEST, "")
    data = buffer[8 + len(text) :]
    if _digest(_with_digest(text, digest, NO_DIGEST), data) != digest:
        raise TensorFileError("its content does not have its sha256")
    arrays, begin = {}, 0
    for name, entry in header.items():
        arrays[name], begin = _array(name, entry, data, begin)
    if begin != len(data):
        raise TensorFileError("its arrays do not fill it")
    return TensorFile(arrays, metadata)


def _header(buffer: memoryview) -> tuple[dict[str, Any], dict[str, str], bytes]:
    """Return the entries of the arrays, the metadata, and the text that both were read from."""
    size = int.from_bytes(buffer[:8], "little")
    if len(buffer) < 8 or size > min(MAX_HEADER_BYTES, len(buffer) - 8):
        raise TensorFileError("cut off")
    text = bytes(buffer[8 : 8 + size])
    try:
        header = json.loads(text)
        metadata = {str(key): str(value) for key, value in header.pop("__metadata__").items()}
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as error:
        raise TensorFileError("its header is unreadable") from error
    return header, metadata, text


def _array(name: str, entry: Any, data: memoryview, begin: int) -> tuple[NDArray[Any], int]:
    """Return the array of a header's entry, which must begin where the one before ended, and where it ends."""
    try:
        dtype, shape, offsets = np.dtype(DTYPES[entry["dtype"]]), entry["shape"], entry["data_offsets"]
        usable = all(type(number) is int and number >= 0 for number in (*shape, *offsets)) and 0 < len(shape) <= 8
        end = begin + math.prod(shape) * dtype.itemsize if usable else -1
        if offsets != [begin, end] or end > len(data):
            raise TensorFileError(f"array '{name}' does not lie where it should")
        if begin == end:
            return np.zeros(shape, dtype), end
        return np.frombuffer(data[begin:end], dtype).reshape(shape), end
    except (KeyError, TypeError, ValueError) as error:
        raise TensorFileError(f"array '{name}' is not described") from error


def _with_digest(text: bytes, old: str, new: str) -> bytes:
    mark = f'"{DIGEST}":"{old}"'.encode()
    return text.replace(mark, f'"{DIGEST}":"{new}"'.encode(), 1)


def _digest(header: bytes, data: memoryview) -> str:
    blocks = [data[begin : begin + BLOCK_BYTES] for begin in range(0, len(data), BLOCK_BYTES)]
    digest = hashlib.sha256(header)
    with ThreadPoolExecutor(THREADS) as pool:
        for each in pool.map(lambda block: hashlib.sha256(block).digest(), blocks):
            digest.update(each)
    for block in blocks:
        block.release()
    return digest.hexdigest()
