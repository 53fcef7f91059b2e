"""Scenes of one stage at several times, which share what does not change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pxr import Usd

from engine.scene.model import Scene
from engine.scene.notes import Notes
from engine.scene.options import SceneOptions
from engine.scene.store.files import FileLedger
from engine.scene.usd.kept import Kept, variation_of
from engine.scene.usd.scene import read_stage
from engine.scene.usd.stage import open_stage, quiet_diagnostics


def build_frames(path: Path, times: Sequence[float], options: SceneOptions) -> Iterator[Scene]:
    """Return the scene at every time code; see `engine.scene.load_frames`."""
    notes = Notes()
    with quiet_diagnostics(notes, path):
        opened = open_stage(path, replace(options, time=times[0] if times else None), notes, FileLedger())
        kept = Kept(variation_of(opened.stage))
    for time in times:
        with quiet_diagnostics(notes, path):
            scene = read_stage(replace(opened, time=Usd.TimeCode(time)), kept)
        yield scene
