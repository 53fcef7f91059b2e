"""A polygon mesh as the file has it, checked, with everything that its corners carry."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.scene.geometry.polygons import Polygons
from engine.scene.subdivide.stencil import Cage


@dataclass(frozen=True)
class MeshSource:
    """A polygon mesh in stage units. What belongs to corners is in the order of `polygons.indices`."""

    polygons: Polygons
    normal: NDArray[np.float32] | None  # [corner, 3]; None: the faces' own, or smooth where there is a cage
    uv: NDArray[np.float32] | None  # [corner, 2]
    color: NDArray[np.float32] | None  # [corner, 3], displayColor that varies
    slot: NDArray[np.int32]  # [face]
    cage: Cage | None  # the polygons as the cage of a subdivision surface
    steps: int  # subdivisions of the cage
    left_handed: bool
    two_sided: bool
    uv2: NDArray[np.float32] | None = None  # [corner, 2]
    opacity: NDArray[np.float32] | None = None  # [corner, 1], displayOpacity that varies
    interpolation: dict[str, str] = field(default_factory=dict)  # of uv, color, ...; the default is faceVarying

    def digest(self) -> bytes:
        """Return a hash of all that decides the triangles; equal sources make equal meshes."""
        content = hashlib.blake2b(digest_size=16)
        arrays: list[Any] = [self.normal, self.uv, self.uv2, self.color, self.opacity, self.slot]
        arrays += [self.polygons.points, self.polygons.counts, self.polygons.indices, self.polygons.hole]
        facts: list[Any] = [self.steps, self.left_handed, self.two_sided]
        for value in vars(self.cage).values() if self.cage is not None else ():
            (arrays if isinstance(value, np.ndarray) else facts).append(value)
        if self.cage is not None:
            facts.append(sorted(self.interpolation.items()))
        for array in arrays:
            facts.append(None if array is None else (array.shape, array.dtype.str))
            content.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
        content.update(repr(facts).encode())
        return content.digest()
