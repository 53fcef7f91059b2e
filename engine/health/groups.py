"""Which frames of a dataset are alike by nature: those of one world, or of one group that an ingest names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.collect.intent import Ingest, read_intent
from engine.errors import UserError, near_matches
from engine.write.begin import RECIPE

WORLD = "world"


def group_column(out: Path, known: Mapping[str, Any], wanted: str | None = None) -> str:
    """Return the column of frames or worlds whose values are independent observations.

    Args:
        out: The dataset.
        known: Its columns of frames and worlds.
        wanted: What a user says; None: what the ingest said, else the world.
    Raises:
        UserError: If the dataset has no such column.
    """
    intent = read_intent(out / RECIPE)
    chosen = wanted or group_of(intent.options if isinstance(intent, Ingest) else {}, known) or WORLD
    if chosen not in known:
        raise UserError(f"group {chosen}: {out.name} has no such column; near: {near_matches(chosen, tuple(known))}")
    return chosen


def group_of(options: Mapping[str, Any], known: Mapping[str, Any]) -> str | None:
    """Return the column that the options of an ingest name for its groups, if the index has it."""
    named = options.get("groups")
    names = [named] if isinstance(named, str) else list(named) if isinstance(named, list | tuple | dict) else []
    return next((name for name in names if name in known), None)
