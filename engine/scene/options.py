"""What a caller may choose when a stage is loaded."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.keypoints import ClassKeypoints

Sandbox = Literal["auto", "true", "false"]

# Marks options that say how a scene is loaded here and now, and not what it is: they may decide whether there is a
# scene, never what is in it. They are no part of a recipe, and not of the key of the cache.
HOW: dict[str, bool] = {"how": True}


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
    keypoints: dict[str, ClassKeypoints] = field(default_factory=dict)  # class -> those beside the authored ones
    variants: tuple[str, ...] = ()  # selections in place of the authored ones, such as `/Shelf/Box{size=large}`
    max_prims: int = 2_000_000  # visited, instance proxies included
    max_placements: int = 2_000_000
    max_texture_px: int = 16_384 * 16_384

    roots: tuple[Path, ...] = field(default=(), metadata=HOW)
    cache: bool = field(default=True, metadata=HOW)  # keep the scene as arrays, and take it from there next time
    cache_gib: float = field(default=8.0, metadata=HOW)  # what the cache may hold; the longest unused goes first
    sandbox: Sandbox = field(default="auto", metadata=HOW)  # read in a child process; auto: unless the file is trusted
    trusted_roots: tuple[Path, ...] = field(default=(), metadata=HOW)  # beside the folder of the shipped scenes
    sandbox_memory_gib: float = field(default=16.0, metadata=HOW)  # that the child may ask for
    sandbox_seconds: float = field(default=600.0, metadata=HOW)  # that the child may take


def what(options: SceneOptions) -> dict[str, Any]:
    """Return the options that decide what the scene is, by name."""
    fields = (each.name for each in dataclasses.fields(options) if not each.metadata.get("how"))
    return {name: getattr(options, name) for name in fields}
