"""Which frames of a dataset are alike by nature: those of one world, or of one group that an ingest names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.collect.groups import group_columns
from engine.errors import UserError, near_matches
from engine.health.ask import quoted

WORLD = "world"


def group_column(out: Path, known: Mapping[str, Any], wanted: str | None = None) -> str:
    """Return the column of frames or worlds whose values are independent observations.

    Args:
        out: The dataset.
        known: Its columns of frames and worlds.
        wanted: What a user says; None: what the ingest said, also of what was made of it, else the world.
    Raises:
        UserError: If the dataset has no such column.
    """
    chosen = wanted or next((name for name in group_columns(out) if name in known), WORLD)
    if chosen not in known:
        raise UserError(f"group {chosen}: {out.name} has no such column; near: {near_matches(chosen, tuple(known))}")
    return chosen


def group_sql(column: str) -> str:
    """Return the group of a frame as SQL: without a value, as rendered ones of a mixture, its world."""
    return quoted(column) if column == WORLD else f"COALESCE({quoted(column)}::VARCHAR, 'world ' || world)"
