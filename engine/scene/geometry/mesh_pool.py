"""The different meshes of a scene: one with the arrays of an earlier one is that one."""

from __future__ import annotations

import hashlib

import numpy as np

from engine.scene.model import Mesh


class MeshPool:
    """Meshes without duplicates. All of a mesh is hashed only when another one looks like it."""

    def __init__(self) -> None:
        self.meshes: list[Mesh] = []
        self._by_look: dict[object, int] = {}
        self._by_digest: dict[bytes, int] = {}

    def add(self, mesh: Mesh) -> int:
        """Return the index of the first mesh that equals this one in all but its name."""
        points = mesh.points_m
        look = (len(points), len(mesh.triangle), mesh.two_sided, points[0].tobytes(), points[-1].tobytes())
        first = self._by_look.setdefault(look, len(self.meshes))
        if first < len(self.meshes):
            self._by_digest.setdefault(_digest(self.meshes[first]), first)
            first = self._by_digest.setdefault(_digest(mesh), len(self.meshes))
        if first == len(self.meshes):
            self.meshes.append(mesh)
        return first


def _digest(mesh: Mesh) -> bytes:
    content = hashlib.blake2b(digest_size=16)
    for name, value in vars(mesh).items():
        if isinstance(value, np.ndarray):
            content.update(f"{name} {value.shape} {value.dtype.str} ".encode())
            content.update(np.ascontiguousarray(value).tobytes())
    return content.digest()
