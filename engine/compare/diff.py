"""Two versions of a dataset against each other, at four levels and by counts; docs/datasets.md explains a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.collect.holdout import opened
from engine.collect.intent import DatasetRef, read_intent
from engine.collect.reference import reference_of
from engine.compare.columns import Index
from engine.compare.distributions import Tests, compare_distributions, compare_names
from engine.compare.files import compare_files
from engine.compare.model import LEVELS, Difference, sorted_by_weight
from engine.compare.parameters import compare_parameters
from engine.compare.statistics import LEAST_ROWS
from engine.compare.taxonomies import compare_taxonomies
from engine.dataset.manifest import Counts, Manifest, read_manifest
from engine.errors import UserError
from engine.plain import to_plain
from engine.write.begin import HEADER, MANIFEST, RECIPE, TAXONOMY, read_taxonomy

SCHEMA = "diff/1"


@dataclass(frozen=True)
class Diff:
    """How one dataset became another."""

    one: DatasetRef
    two: DatasetRef
    found: tuple[Difference, ...]  # by level, the most important first
    tests: Tests | None  # None: the datasets are the same, and nothing was compared

    @property
    def is_equal(self) -> bool:
        """Whether they are the same dataset: recipe, taxonomy and content."""
        return self.one.dataset_id == self.two.dataset_id

    def lines(self) -> list[str]:
        """Return the report, one line a difference."""
        names = " and ".join(f"{ref.name} ({ref.dataset_id}, {ref.frames} frames)" for ref in (self.one, self.two))
        if self.is_equal:
            return [f"equal: {names}"]
        lines = [f"{names} differ in {len(self.found)} points", *map(str, self.found)]
        if self.tests is not None:
            differ = sum(one.level == "distribution" and "p_holm" in one.facts for one in self.found)
            groups = " and ".join(dict.fromkeys(self.tests.groups))
            lines.append(
                f"{len(self.tests.tested) - differ} of {len(self.tests.tested)} tests of shared columns find no "
                f"difference (Holm, 0.05; groups: {groups}); {len(self.tests.too_few)} columns not tested: "
                f"fewer than {LEAST_ROWS} rows on a side, or names of things"
            )
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data, `diff/1`."""
        levels: dict[str, Any] = {
            level: [one.to_json() for one in self.found if one.level == level] for level in LEVELS
        }
        tests = [] if self.tests is None else self.tests.to_json()
        return {"schema": SCHEMA, "a": to_plain(self.one), "b": to_plain(self.two), "equal": self.is_equal, **levels,
                "tests": tests, "not_tested": [] if self.tests is None else list(self.tests.too_few)}  # fmt: skip


def diff(one: Path, two: Path) -> Diff:
    """Return how two complete datasets differ.

    Raises:
        UserError: If one is no complete dataset, or a file of its bookkeeping is damaged.
    """
    folders = one.absolute(), two.absolute()
    manifests = [_manifest(folder) for folder in folders]
    for folder in folders:
        opened(folder, "diff")
    refs = [reference_of(folder, manifest) for folder, manifest in zip(folders, manifests, strict=True)]
    if manifests[0].dataset_id == manifests[1].dataset_id:
        return Diff(refs[0], refs[1], (), None)
    intents = [read_intent(folder / RECIPE) for folder in folders]
    taxonomies = [read_taxonomy(folder / TAXONOMY) for folder in folders]
    indices = Index(folders[0]), Index(folders[1])
    tests = compare_distributions(*indices)
    found = {
        "counts": compare_counts(manifests[0].counts, manifests[1].counts),
        "parameter": [*compare_parameters(intents[0], intents[1], parent=refs[0].dataset_id), *_program(*manifests)],
        "taxonomy": compare_taxonomies(taxonomies[0], taxonomies[1], _used(*manifests)),
        "distribution": [*tests.differences(), *compare_names(*indices)],
        "file": compare_files(*folders),
    }
    ordered = tuple(each for level in LEVELS for each in sorted_by_weight(found[level]))
    return Diff(refs[0], refs[1], ordered, tests)


def compare_counts(one: Counts, two: Counts) -> list[Difference]:
    """Return the counts that differ, those of classes after those of all."""
    pairs = [(name, getattr(one, name), getattr(two, name), 3.0) for name in
             ("frames", "worlds", "instances", "unlabelled", "near_misses")]  # fmt: skip
    for what, own, other in (("class", one.by_class, two.by_class), ("defect", one.defects, two.defects)):
        pairs += [(f"{what} {key}", own.get(key, 0), other.get(key, 0), 0.0) for key in sorted({*own, *other})]
    return [
        Difference("counts", "changed", name, f"{before} -> {after}{_share(before, after)}",
                   weight + abs(after - before) / max(after, before), {"before": before, "after": after})
        for name, before, after, weight in pairs
        if before != after
    ]  # fmt: skip


def _share(before: int, after: int) -> str:
    return f" ({after / before - 1.0:+.1%})" if before else ""


def _program(one: Manifest, two: Manifest) -> list[Difference]:
    """Return what differs between the programs that made the first shards."""
    names = [f"{manifest.engine.version}, sources {manifest.engine.source_sha256[:12]}" for manifest in (one, two)]
    if names[0] == names[1]:
        return []
    facts = {"before": to_plain(one.engine), "after": to_plain(two.engine)}
    return [Difference("parameter", "changed", "program", " -> ".join(names), 0.5, facts)]


def _used(*manifests: Manifest) -> set[str]:
    """Return the keys of classes that something is labelled with."""
    return {key for manifest in manifests for key in (*manifest.counts.by_class, *manifest.counts.defects)}


def _manifest(folder: Path) -> Manifest:
    if not (folder / HEADER).is_file():
        raise UserError(f"{folder} is not a dataset: it has no {HEADER}")
    if not (folder / MANIFEST).is_file():
        raise UserError(f"{folder} is not complete; run the command that makes it again")
    return read_manifest(folder / MANIFEST)
