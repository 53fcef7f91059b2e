"""From a USD file to a `Scene`."""

from __future__ import annotations

from pathlib import Path

from engine.scene.model import Scene
from engine.scene.options import SceneOptions


def load_scene(path: Path | str, options: SceneOptions | None = None) -> Scene:
    """Return a USD stage as plain arrays in metres, Z up, linear colour.

    What was converted, approximated, skipped, repaired or wrong is a line of `Scene.notes`. Lights stay empty when the
    stage has none; see `engine.scene.defaults`. Files are read only from the scene's own folders: the folder of the
    root layer and up to four above it, or `options.roots`.

    Raises:
        SceneError: One line that names the file or prim and the repair.
    """
    from engine.scene.usd_scene import build_scene  # imports pxr

    return build_scene(Path(path), options or SceneOptions())
