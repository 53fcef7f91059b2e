"""What a surface shader means, before textures are loaded: a signal for every field of `Material` that it sets."""

from __future__ import annotations

from dataclasses import dataclass

from engine.scene.look.expression import Signal

COLORS = ("base_color", "emission", "specular_color", "normal")  # the other fields have one component


@dataclass(frozen=True)
class Look:
    """Signals by field of `Material` (or `normal`); a field that is not there keeps its default."""

    fields: dict[str, Signal]
    presence: bool = False
