"""What a caller may choose when a stage is loaded. None of it depends on the machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class SceneOptions:
    """How `load_scene` reads a stage.

    `roots` are the folders that files of the scene may lie in. Without any, files may lie in the folder of the root
    layer and up to four folders above it, but never in the home folder itself or in a folder directly under `/`.
    """

    time: float | None = None  # time code; None: the stage's first one
    purposes: tuple[str, ...] = ("default", "render")
    subdivision_level: int = 3  # Catmull-Clark steps, then vertices go to the limit surface; 0: the cage itself
    subdivision_max_faces: int = 100_000  # quads of one mesh; a denser cage takes fewer steps
    class_map: dict[str, str] = field(default_factory=dict)  # path glob -> class; `*` within a name, `**` across names
    taxonomy: Path | None = None  # JSON; None: `taxonomy.json` beside the scene, or the sorted classes found
    roots: tuple[Path, ...] = ()
    max_prims: int = 2_000_000  # visited, instance proxies included
    max_placements: int = 2_000_000
    max_texture_px: int = 16_384 * 16_384
