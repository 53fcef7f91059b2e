"""The load report while it is written, and its short table."""

from __future__ import annotations

from collections import Counter

from engine.scene.model import Note, Scene

LEVELS = ("error", "skipped", "repaired", "approximated", "converted")  # most serious first


class Notes:
    """Collects notes; the same one is kept once."""

    def __init__(self) -> None:
        self._notes: dict[Note, None] = {}

    def add(self, level: str, prim: object, what: str) -> None:
        """Add one line about a prim (anything whose text is its path)."""
        self._notes[Note(level, str(prim), " ".join(what.split()))] = None

    def all(self) -> tuple[Note, ...]:
        """Return the notes, most serious first, then in the order they were found."""
        return tuple(sorted(self._notes, key=lambda note: LEVELS.index(note.level)))


def summary(scene: Scene) -> str:
    """Return what was loaded and the load report as a short table, one line a kind of note."""
    triangle_count = sum(len(mesh.triangle) for mesh in scene.meshes)
    placed = sum(len(scene.meshes[mesh].triangle) for mesh in scene.placements.mesh)
    sources = Counter(scene.instances.label_source[1:])
    lines = [
        f"{scene.source.name}: {len(scene.meshes)} meshes, {len(scene.placements.mesh)} placements, "
        f"{len(scene.instances.path) - 1} instances, {triangle_count} triangles ({placed} placed)",
        f"{len(scene.materials)} materials, {len(scene.textures)} textures, {len(scene.lights)} lights, "
        f"{len(scene.cameras)} cameras, {len(scene.anchors)} anchors, {len(scene.taxonomy.classes)} classes",
        "labels by rule: " + (", ".join(f"{rule} {count}" for rule, count in sorted(sources.items())) or "none"),
    ]
    groups: dict[tuple[str, str], list[str]] = {}
    for note in scene.notes:
        groups.setdefault((note.level, note.what), []).append(note.prim)
    for (level, what), prims in groups.items():
        more = f" and {len(prims) - 1} more" if len(prims) > 1 else ""
        lines.append(f"{level:<12} {what}: {prims[0]}{more}")
    return "\n".join(lines)
