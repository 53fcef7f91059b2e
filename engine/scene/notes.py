"""The notes of a scene while it is loaded; `engine.scene.report` sums them up."""

from __future__ import annotations

from engine.scene.model import Note

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
