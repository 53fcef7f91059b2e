"""What a batch was rendered as: itself, or the rendered datasets that it was selected or mixed from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.collect.intent import DatasetRef, parents_of, read_intent
from engine.lineage.search import Found, search
from engine.recipe import Recipe
from engine.write.begin import RECIPE


@dataclass(frozen=True)
class Parts:
    """Datasets with recipes or ingests of their own, and those that lie nowhere near."""

    found: tuple[Path, ...]
    missing: tuple[DatasetRef, ...] = ()

    @property
    def rendered(self) -> tuple[Path, ...]:
        """Those with a recipe."""
        return tuple(place for place in self.found if isinstance(read_intent(place / RECIPE), Recipe))


def parts_of(batch: Path) -> Parts:
    """Return what a batch consists of; parents are looked for around its folder."""
    if not parents_of(read_intent(batch / RECIPE)):
        return Parts((batch,))
    found: list[Path] = []
    missing: dict[str, DatasetRef] = {}
    _follow(batch, search([batch.parent]), found, missing)
    return Parts(tuple(dict.fromkeys(found)), tuple(missing.values()))


def _follow(place: Path, around: Found, found: list[Path], missing: dict[str, DatasetRef]) -> None:
    parents = parents_of(read_intent(place / RECIPE))
    if not parents:
        found.append(place)
    for parent in parents:
        if parent.dataset_id in around.datasets:
            _follow(around.datasets[parent.dataset_id][0], around, found, missing)
        else:
            missing[parent.dataset_id] = parent
