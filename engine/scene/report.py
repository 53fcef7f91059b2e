"""The load report: what a scene was made from, what was bent or left out and why, and which rule labelled what.

It holds counts and, for every kind of note, the first prims: small for any stage, equal for equal stages. All notes,
one a prim, are `Scene.notes`; the preview writes them to notes.json.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from engine.scene.model import Note, Scene
from engine.scene.notes import LEVELS

KEPT_PRIMS = 20  # paths of a kind of note that the report names; `count` counts them all
NAMED_TYPES = 6  # prim types that a line of the table names
RULES = ("mapping", "labels_api", "semantics", "user", "asset", "name", "none")  # strongest first
VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|@[^@]*@|<[^<>]*>|(?<![\w.])-?\d[\d.]*(?:e[+-]?\d+)?\b")
BLANK = "…"  # stands for what differs between notes of a kind


@dataclass(frozen=True)
class NoteGroup:
    """Notes that say the same, of any number of prims."""

    level: str  # "error" | "skipped" | "repaired" | "approximated" | "converted"
    what: str  # `…` stands for quoted names and numbers in which they differ
    count: int
    prims: tuple[str, ...]  # sorted; the first KEPT_PRIMS


@dataclass(frozen=True)
class RuleCoverage:
    """What one rule of labelling gave a class to; `none` is what no rule did."""

    rule: str
    instances: int
    placements: int  # meshes put somewhere that these instances own
    classes: int


@dataclass(frozen=True)
class LoadReport:
    """The load report of a scene."""

    used: dict[str, int]  # see Scene.used
    skipped: dict[str, int]
    ignored: dict[str, int]
    notes: tuple[NoteGroup, ...]  # most serious level first, then the larger count
    coverage: tuple[RuleCoverage, ...]  # strongest rule first
    unlabelled_share: float  # of the instances; 0 where there are none


def report_of(scene: Scene) -> LoadReport:
    """Return the load report of a scene."""
    coverage = _coverage(scene)
    instances = sum(row.instances for row in coverage)
    unlabelled = sum(row.instances for row in coverage if row.rule == "none")
    return LoadReport(
        used=dict(sorted(scene.used.items())),
        skipped=dict(sorted(scene.skipped.items())),
        ignored=dict(sorted(scene.ignored.items())),
        notes=group_notes(scene.notes),
        coverage=coverage,
        unlabelled_share=unlabelled / instances if instances else 0.0,
    )


def group_notes(notes: Iterable[Note]) -> tuple[NoteGroup, ...]:
    """Return the notes by what they say, quoted names and numbers apart."""
    kinds: dict[tuple[str, str], list[Note]] = {}
    for note in notes:
        kinds.setdefault((note.level, VARYING.sub(BLANK, note.what)), []).append(note)
    groups = []
    for (level, pattern), members in kinds.items():
        texts = {note.what for note in members}
        prims = sorted(note.prim for note in members)[:KEPT_PRIMS]
        groups.append(NoteGroup(level, texts.pop() if len(texts) == 1 else pattern, len(members), tuple(prims)))
    return tuple(sorted(groups, key=lambda group: (LEVELS.index(group.level), -group.count, group.what, group.prims)))


def _coverage(scene: Scene) -> tuple[RuleCoverage, ...]:
    rows = scene.instances
    rule_of = [
        source if class_id else "none"  # a class that the taxonomy does not have is no class
        for source, class_id in zip(rows.label_source, rows.class_id.tolist(), strict=True)
    ]
    instances = Counter(rule_of[1:])
    placements = Counter(rule_of[instance] for instance in scene.placements.instance.tolist())
    classes: dict[str, set[int]] = {}
    for rule, class_id in zip(rule_of[1:], rows.class_id[1:].tolist(), strict=True):
        classes.setdefault(rule, set()).add(class_id)
    return tuple(
        RuleCoverage(rule, instances[rule], placements[rule], 0 if rule == "none" else len(classes[rule]))
        for rule in RULES
        if instances[rule]
    )


def summary(scene: Scene, *, most_lines: int | None = None) -> str:
    """Return what was loaded and the load report as a table, one line a kind of note.

    Args:
        scene: The loaded scene.
        most_lines: A longer table ends with a line that counts what it leaves out; None: all.
    """
    report = report_of(scene)
    triangle_count = sum(len(mesh.triangle) for mesh in scene.meshes)
    placed = sum(len(scene.meshes[mesh].triangle) for mesh in scene.placements.mesh)
    lines = [
        f"{scene.source.name}: {len(scene.meshes)} meshes, {len(scene.placements.mesh)} placements, "
        f"{len(scene.instances.path) - 1} instances, {triangle_count} triangles ({placed} placed)",
        f"{len(scene.materials)} materials, {len(scene.textures)} textures, {len(scene.lights)} lights, "
        f"{len(scene.cameras)} cameras, {len(scene.anchors)} anchors, {len(scene.taxonomy.classes)} classes",
        *_prim_lines(report),
        _label_line(report),
    ]
    room = len(report.notes) if most_lines is None else max(most_lines - len(lines), 1)
    kept = report.notes if len(report.notes) <= room else report.notes[: room - 1]
    lines += [_note_line(group) for group in kept]
    if rest := report.notes[len(kept) :]:
        by_level = Counter({level: sum(g.count for g in rest if g.level == level) for level in LEVELS})
        counted = ", ".join(f"{level} {count}" for level, count in by_level.items() if count)
        lines.append(f"{'':<12} and {len(rest)} more kinds of notes ({counted})")
    return "\n".join(lines)


def _prim_lines(report: LoadReport) -> list[str]:
    rows = (("used", report.used), ("skipped", report.skipped), ("ignored", report.ignored))
    return [f"prims {name:<8} {_types(counts)}" for name, counts in rows if counts]


def _types(counts: dict[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{kind} {count}" for kind, count in ordered[:NAMED_TYPES])
    rest = ordered[NAMED_TYPES:]
    more = f", {len(rest)} other types {sum(count for _, count in rest)}" if rest else ""
    return f"{sum(counts.values())}: {named}{more}"


def _label_line(report: LoadReport) -> str:
    rules = [row for row in report.coverage if row.rule != "none"]
    named = ", ".join(f"{row.rule} {row.instances} ({_classes(row.classes)})" for row in rules)
    return f"labels by rule: {named or 'none'}; unlabelled {report.unlabelled_share:.1%} of the instances"


def _classes(count: int) -> str:
    return f"{count} class" if count == 1 else f"{count} classes"


def _note_line(group: NoteGroup) -> str:
    more = f" and {group.count - 1} more" if group.count > 1 else ""
    return f"{group.level:<12} {group.what}: {group.prims[0]}{more}"
