"""Where instances stand and their boxes in space: the part of labels that follows from the draft alone."""

from __future__ import annotations

from dataclasses import dataclass

from engine.draft import Draft
from engine.frames import FrameKeys
from engine.labels.model import Labels
from engine.scene.model import Scene


@dataclass(frozen=True)
class SolidSource:
    """What a scene says of its instances, the same in every world."""

    @classmethod
    def of(cls, scene: Scene) -> SolidSource:
        """Return the source of a scene."""
        return cls()


def with_solids(labels: Labels, keys: FrameKeys, draft: Draft, source: SolidSource) -> Labels:
    """Return labels with poses and boxes in space."""
    return labels
