"""The page of the proof: figures only, and what did not work."""
from __future__ import annotations
from pathlib import Path
from typing import Any
def flat(result: dict[str, Any]) -> dict[str, Any]:
    """Return the line for machines: gains of the claim at the top, those of other arms beside them."""
    out = dict(result)
    for rival in ("real", "copypaste"):
        gains = out[f"gain_vs_{rival}"]
        out[f"gain_vs_{rival}"] = gains.get("hybrid", {})
        out[f"other_gains_vs_{rival}"] = {arm: rows for arm, rows in gains.items() if arm != "hybrid"}
    return out
def write_page(path: Path, result: dict[str, Any]) -> None:
    """Write the page."""
