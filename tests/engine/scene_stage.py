"""Small stages written as text, so that a test shows everything it speaks of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.scene import Scene, SceneOptions, load_scene
from engine.scene.model import Mesh

SQUARE = """
    point3f[] points = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)]
    int[] faceVertexCounts = [4]
    int[] faceVertexIndices = [0, 1, 2, 3]
    uniform token subdivisionScheme = "none"
"""
CUBE = """
    point3f[] points = [(-1, -1, -1), (1, -1, -1), (1, 1, -1), (-1, 1, -1),
                        (-1, -1, 1), (1, -1, 1), (1, 1, 1), (-1, 1, 1)]
    int[] faceVertexCounts = [4, 4, 4, 4, 4, 4]
    int[] faceVertexIndices = [0, 3, 2, 1, 4, 5, 6, 7, 0, 1, 5, 4, 2, 3, 7, 6, 1, 2, 6, 5, 0, 4, 7, 3]
"""


def write_stage(folder: Path, body: str, *, meters_per_unit: float = 1.0, up: str = "Z", extra: str = "") -> Path:
    """Write `scene.usda` into a folder and return its path; braces get the lines of their own that USD wants."""
    header = f'#usda 1.0\n(\n    metersPerUnit = {meters_per_unit}\n    upAxis = "{up}"\n    {extra}\n)\n'
    path = folder / "scene.usda"
    path.write_text(header + body.replace("{", "{\n").replace("}", "\n}\n"), encoding="utf-8")
    return path


def load_stage(folder: Path, body: str, options: SceneOptions | None = None, **header: Any) -> Scene:
    """Write a stage and load it."""
    return load_scene(write_stage(folder, body, **header), options)


def only_mesh(scene: Scene) -> Mesh:
    """Return the one mesh of a scene."""
    (mesh,) = scene.meshes
    return mesh


def note_texts(scene: Scene, prim: str) -> list[str]:
    """Return what the load report says about a prim."""
    return [f"{note.level}: {note.what}" for note in scene.notes if note.prim == prim]
