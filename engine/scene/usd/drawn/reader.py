"""What every reader of drawn prims takes and gives: from a prim to triangles, in two steps so that equal ones meet."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.scene.model import Mesh


@dataclass(frozen=True)
class MeshRequest:
    """What decides the arrays of a mesh besides the prim itself."""

    slot_faces: tuple[NDArray[np.int64], ...]  # faces of slots 1, 2, ...; every other face is in slot 0
    slot_uv: tuple[str | None, ...]  # [slot], primvar that the slot's material reads; None: any
    slot_uv2: tuple[str | None, ...] = ()  # [slot], the second one that it reads; None: it reads no more
    varies: tuple[str, ...] = ()  # primvars:displayColor, primvars:displayOpacity where they are not constant


@dataclass(frozen=True)
class Drawn:
    """What a prim draws: one mesh, once at the prim's own frame or at each of its copies.

    `build(name, meters_per_unit)` returns the triangles in metres, or None when no face is drawn. It is called for the
    first of all prims with the same `key`; the others share its mesh.
    """

    key: Hashable  # hash of everything that decides the triangles
    build: Callable[[str, float], Mesh | None]
    copies: NDArray[np.float64] | None = None  # [copy, 4, 4], USD's prim-from-copy for row vectors, stage units
    copy_color: NDArray[np.float32] | None = None  # [copy, 4], linear displayColor and displayOpacity; None: the prim's
