"""PLY files: clouds as tables and meshes, read and written.

Source: Turk, "The PLY polygon file format", 1994.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.formats.folders import reason
from engine.write.encode import encode_ply

SCALARS = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
LONGEST_HEAD = 65536  # bytes
XYZ = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4")])
FACE = np.dtype([("count", "u1"), ("corner", "<i4", 3)])


def read_ply(path: Path) -> tuple[NDArray[np.void], tuple[str, ...]]:
    """Return the vertices of a little-endian binary PLY as a table, and the comments of its head.

    Raises:
        UserError: If it is no such file.
    """
    data = path.read_bytes()
    end = data[:LONGEST_HEAD].find(b"end_header\n")
    if not data.startswith(b"ply\n") or end < 0:
        raise UserError(f"{path} is not a PLY file")
    lines = data[:end].decode("ascii", errors="replace").splitlines()
    if "format binary_little_endian 1.0" not in lines:
        raise UserError(f"{path}: only the PLY format binary_little_endian 1.0 is read")
    comments = tuple(line.removeprefix("comment ") for line in lines if line.startswith("comment "))
    try:
        count, columns = _vertices(lines)
        offset = end + len("end_header\n")
        return np.frombuffer(data, np.dtype(columns), count, offset).copy(), comments
    except (ValueError, KeyError, StopIteration) as error:
        raise UserError(f"{path}: its vertices cannot be read: {reason(error)}") from error


def _vertices(lines: list[str]) -> tuple[int, list[tuple[str, str]]]:
    """Return how many vertices there are, and their columns; they must be the first element."""
    elements = [number for number, line in enumerate(lines) if line.startswith("element ")]
    first = elements[0] if elements else len(lines)
    words = lines[first].split() if elements else []
    if words[:2] != ["element", "vertex"]:
        raise ValueError("the first element is not vertex")
    following = elements[1] if len(elements) > 1 else len(lines)
    properties = [line.split() for line in lines[first + 1 : following] if line.startswith("property ")]
    return int(words[2]), [(name, "<" + SCALARS[kind]) for _, kind, name in properties]


def comment_values(comments: tuple[str, ...], head: str) -> NDArray[np.float64] | None:
    """Return the numbers at the end of the comment that begins with `head`; None: there is no such comment."""
    for comment in comments:
        if comment.startswith(head):
            return np.array([float(word) for word in comment.rpartition(":")[2].split()])
    return None


def encode_mesh(points: NDArray[Any], triangles: NDArray[Any]) -> bytes:
    """Return a mesh as a binary little-endian PLY: points [point, 3], triangles [triangle, 3]."""
    vertices = np.zeros(len(points), XYZ)
    vertices["x"], vertices["y"], vertices["z"] = np.asarray(points, np.float32).T
    faces = np.zeros(len(triangles), FACE)
    faces["count"], faces["corner"] = 3, triangles
    head, _, body = encode_ply(vertices, ()).partition(b"end_header\n")
    head += f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n".encode()
    return head + body + faces.tobytes()
