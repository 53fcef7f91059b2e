"""The card of a dataset: how it was made, of which scenarios, with which schema, what is in it, and what it cannot do.

`card.md` beside the manifest follows from files of the dataset alone and is the same wherever it is written. The
command `card` adds what it finds around: what changed since a parent or an earlier version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.collect.intent import Conversion, DatasetRef, Ingest, Intent, Mixture, Selection, parents_of, title_of
from engine.dataset.manifest import Manifest
from engine.lineage.document import Block, Heading, Paragraph, Points, Table
from engine.lineage.in_words import entry_in_words, law_in_words, number
from engine.lineage.measures import LIGHTS, SIZES, Measures, measure
from engine.plain import to_plain
from engine.recipe import Recipe
from engine.scene.taxonomy import Taxonomy
from engine.write.record import Header

CARD = "card.md"
LICENCES = "Licences and imagery"
MEBIBYTE = 2**20
MOST_ROWS = 40  # of a table; more are counted
MOST_LIMITS = 20
NOT_RECORDED = ("not recorded", "that of its assets")  # of real pictures, of rendered ones
EVIDENCE = (
    "The root is evidence only if a copy of it is kept elsewhere, where whoever can write this dataset cannot write, "
    "such as a signed tag: who can change all files here can also make others that fit each other."
)
HOW = {
    "synthetic": "All pictures are rendered.",
    "real": "All pictures were taken in from others; none is rendered.",
    "mixed": "Some pictures are rendered, the others real; the column origin of index/frames.parquet says which.",
}


@dataclass(frozen=True)
class CardFacts:
    """What a card is made of. Of the manifest, times and hosts are no part, and the job is not looked at."""

    out: Path
    header: Header
    intent: Intent
    taxonomy: Taxonomy
    manifest: Manifest
    licences: Mapping[str, str] = field(
        default_factory=dict
    )  # of assets by path, as somebody found them; no recipe says


def card_blocks(facts: CardFacts) -> list[Block]:
    """Return the card of a dataset whose index is there."""
    measures = measure(facts.out)
    return [
        *_head(facts),
        *_made(facts),
        *_scenarios(facts.intent),
        *_schema(facts, measures),
        *_contents(facts.manifest, measures),
        *_parents(facts.intent),
        *_licences(facts, measures),
        *_limits(facts, measures),
        Heading("Integrity"),
        Paragraph(f"Content root: {facts.manifest.content_root}"),
        Paragraph(EVIDENCE),
        Paragraph("engine.dataset verify DIR compares every file, tamper-check DIR --root ROOT a root that was kept."),
    ]


def _head(facts: CardFacts) -> Iterator[Block]:
    manifest = facts.manifest
    counts = manifest.counts
    yield Heading(f"{title_of(facts.intent)}: {manifest.dataset_id}", 1)
    real = "It contains real imagery." if manifest.contains_real_imagery else "It contains no real imagery."
    yield Paragraph(f"{HOW[manifest.origin]} {real}")
    steps, cameras = facts.header.steps, len(facts.header.cameras)
    most = "" if counts.frames == counts.worlds * steps * cameras else "at most "
    grid = f"{most}{steps} steps x {cameras} cameras"
    rows = [
        ("frames", f"{counts.frames} of {counts.worlds} worlds, {grid}"),
        ("instances", f"{counts.instances} labelled, {counts.unlabelled} without a class"),
        ("size", f"{manifest.bytes / MEBIBYTE:.1f} MiB"),
        ("recipe_id", manifest.recipe_id),
        ("taxonomy_id", manifest.taxonomy_id),
        ("content_root", manifest.content_root),
    ]
    yield Table(("what", "value"), rows)


def _made(facts: CardFacts) -> Iterator[Block]:
    yield Heading("How it was made")
    engine, environment, intent = facts.manifest.engine, facts.manifest.environment, facts.intent
    commit = "not from a checkout" if engine.commit is None else engine.commit
    changed = " with uncommitted changes" if engine.dirty else ""
    rows = [("program", f"engine {engine.version}, sources {engine.source_sha256[:12]}, commit {commit}{changed}")]
    if isinstance(intent, Recipe):
        rig = intent.rig
        rows += [
            ("scene", f"{intent.scene.name}: {intent.scene.usd}, {len(intent.assets)} files"),
            ("seed", str(intent.seed)),
            ("worlds", str(facts.manifest.counts.worlds)),
            ("pictures", f"{rig.width} x {rig.height} px, {rig.spp} samples, quality {rig.quality}"),
            ("cameras", ", ".join(facts.header.cameras)),
            ("outputs", ", ".join(intent.outputs)),
            ("made on", f"{environment.device}, Python {environment.python}, {environment.simd or environment.driver}"),
        ]
        rows += [("sensor", number(to_plain(intent.sensor)))] if intent.sensor is not None else []
        rows += [("plugins", ", ".join(intent.plugins))] if intent.plugins else []
        others = len(facts.manifest.other_origins)
        rows += [("also made by", f"{others} other programs or machines; see manifest.json")] if others else []
    else:
        rows.append(("collected", intent.schema))
        if isinstance(intent, Ingest):
            rows += [("format", intent.format), ("source", intent.source or "not recorded")]
            rows += [(f"option {key}", number(value)) for key, value in sorted(intent.options.items())]
        if isinstance(intent, Selection):
            rows.append(("condition", intent.where))
            rows += [("of those", f"{intent.limit}, drawn with seed {intent.seed}")] if intent.limit is not None else []
        if isinstance(intent, Mixture):
            rows += [("of", ", ".join(f"{p.name} ({p.dataset_id}, {p.origin})" for p in intent.parents))]
            rows += [("columns left out", ", ".join(intent.dropped))] if intent.dropped else []
        if isinstance(intent, Conversion):
            moved = [f"{old} to {new or 'nothing'}" for old, new in sorted(intent.classes.items()) if old != new]
            rows.append(("classes put onto others", ", ".join(moved) or "none"))
    yield Table(("what", "value"), rows)


def _scenarios(intent: Intent) -> Iterator[Block]:
    if not isinstance(intent, Recipe):
        return
    yield Heading("Scenarios")
    if not intent.randomize:
        yield Paragraph("Nothing varies from world to world.")
        return
    yield Paragraph(
        f"What varies, with its law. Breadth is {number(intent.dr.breadth)} (1: as written, 0: every law at its "
        "centre). The value of every world is in index/worlds.parquet, in the column p.<name>.<key>."
    )
    rows = []
    for name, entry in sorted(intent.randomize.items()):
        kind = f"{entry.get('kind')}, per {entry['per']}" if entry.get("per") else str(entry.get("kind"))
        for i, (key, words) in enumerate(entry_in_words(entry)):
            rows.append((name if i == 0 else "", kind if i == 0 else "", key, words))
    yield Table(("name", "kind", "key", "law"), rows)
    lines = [f"{key} follows instead: {law_in_words(law)}" for key, law in sorted(intent.laws.reweight.items())]
    for name, group in sorted(intent.laws.groups.items()):
        lines.append(f"{', '.join(map(str, group.get('keys', [])))} are drawn together ({name}, {group.get('kind')})")
    if lines:
        yield Points(lines)


def _schema(facts: CardFacts, measures: Measures) -> Iterator[Block]:
    yield Heading("Schema")
    yield Paragraph(f"Taxonomy {facts.taxonomy.id}, version {facts.taxonomy.version or 'none'}.")
    rows = [(str(c.id), c.key, c.name, c.parent, c.definition or "no definition") for c in facts.taxonomy.classes]
    yield Table(("id", "key", "name", "parent", "definition"), rows)
    files = [(e.path, e.format, f"taxonomy {e.taxonomy_id}") for e in facts.manifest.exports]
    files += [(f"index/{name}.parquet", "parquet", f"{count} columns") for name, count in measures.columns.items()]
    yield Table(("file", "format", "what"), files)


def _contents(manifest: Manifest, measures: Measures) -> Iterator[Block]:
    yield Heading("What is in it")
    rows = [(name or "(no class)", str(sum(sizes)), *map(str, sizes)) for name, sizes in measures.sizes.items()]
    rows += [(f"{name} (defect)", str(sum(s)), *map(str, s)) for name, s in measures.defect_sizes.items()]
    yield from _table(("class", "instances", *SIZES), rows)
    yield Paragraph("Small is below 32 x 32 visible pixels, large from 96 x 96 on.")
    if measures.lights is not None:
        total = max(sum(measures.lights), 1)
        rows = [(name, str(n), f"{100 * n / total:.1f} %") for name, n in zip(LIGHTS, measures.lights, strict=True)]
        yield Table(("mean luma of the picture", "frames", "share"), rows)
        yield Paragraph(f"{measures.saturated} frames have more than 1 % of their pixels saturated.")
    sizes = [(f"{width} x {height} px", str(count)) for (width, height), count in measures.picture_sizes.items()]
    yield from _table(("picture", "frames"), sizes, most=8)
    health = manifest.health
    yield Points((
        f"frames without a labelled instance: {100 * health.empty:.2f} %",
        f"labelled instances below 64 px: {100 * health.tiny:.2f} %",
        f"frames whose picture is byte for byte that of an earlier one: {100 * health.dup:.2f} %",
        f"near-misses, which look like defects and are none: {manifest.counts.near_misses}",
    ))  # fmt: skip


def _parents(intent: Intent) -> Iterator[Block]:
    given = intent.parents if isinstance(intent, Recipe) else ()
    made_of = parents_of(intent)
    if not given and not made_of:
        return
    yield Heading("Why, and of what")
    if given:
        yield Table(("kind", "id", "why"), [(p.kind, p.id, p.why) for p in given])
    if made_of:
        yield Table(("dataset", "folder then", "origin", "frames", "content root"), [_parent_row(p) for p in made_of])


def _parent_row(parent: DatasetRef) -> tuple[str, ...]:
    return parent.dataset_id, parent.name, parent.origin, str(parent.frames), parent.content_root


def _licences(facts: CardFacts, measures: Measures) -> Iterator[Block]:
    yield Heading(LICENCES)
    intent = facts.intent
    if isinstance(intent, Ingest):
        yield Paragraph(
            f"Pictures: {intent.licence or 'the licence is not recorded'}. Source: {intent.source or 'not recorded'}."
        )
    elif not isinstance(intent, Recipe):
        yield Paragraph("Those of the datasets that it was made of; their cards say of rendered ones what assets have.")
        names = {parent.dataset_id: parent.name for parent in intent.parents}
        of = [
            (names.get(parent, parent), parent, origin, licence or NOT_RECORDED[origin == "synthetic"], str(frames))
            for (parent, origin, licence), frames in measures.licences.items()
        ]
        yield from _table(("of", "dataset", "origin", "licence of pictures", "frames"), of)
    else:
        licences = [facts.licences.get(asset.path) or NOT_RECORDED[0] for asset in intent.assets]
        rows = [(a.path, licence, a.sha256[:12]) for a, licence in zip(intent.assets, licences, strict=True)]
        yield from _table(("asset", "licence", "sha256"), rows)
        if NOT_RECORDED[0] in licences:
            yield Paragraph(
                "A recipe does not record licences: engine.dataset assets DIR finds those that stand beside the scene. "
                "Where none does, ask whoever made the asset before you share pictures of it."
            )


def _limits(facts: CardFacts, measures: Measures) -> Iterator[Block]:
    yield Heading("Known limits")
    manifest, report = facts.manifest, facts.header.report
    reasons: dict[str, int] = {}
    for skip in manifest.skips:
        reasons[skip.reason] = reasons.get(skip.reason, 0) + 1
    lines = [f"{count} worlds have no frames: {reason}" for reason, count in sorted(reasons.items())]
    lines += [f"scene, {note.level}: {note.what} ({note.count} prims)" for note in report.notes]
    if report.unlabelled_share:
        lines.append(f"{100 * report.unlabelled_share:.1f} % of the scene's instances have no class")
    seen = measures.sizes.keys() | measures.defect_sizes.keys()
    parents = {c.parent for c in facts.taxonomy.classes}
    absent = [c.key for c in facts.taxonomy.classes if c.key not in seen | parents]
    if absent:
        lines.append(f"classes of the taxonomy that are in no frame: {', '.join(absent[:MOST_LIMITS])}"
                     + (f" and {len(absent) - MOST_LIMITS} more" if len(absent) > MOST_LIMITS else ""))  # fmt: skip
    undefined = sum(not c.definition for c in facts.taxonomy.classes)
    if undefined:
        lines.append(f"{undefined} of {len(facts.taxonomy.classes)} classes have no definition")
    if manifest.origin == "synthetic":
        lines.append("how near it is to real pictures is not known from it alone; compare it with real ones")
    shown = lines[:MOST_LIMITS]
    yield Points(
        [*shown, *([f"and {len(lines) - len(shown)} more"] if len(lines) > len(shown) else [])] or ["none are known"]
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], most: int = MOST_ROWS) -> Iterator[Block]:
    if not rows:
        return
    rest = len(rows) - most
    yield Table(head, [*rows[:most], *([(f"and {rest} more", *[""] * (len(head) - 1))] if rest > 0 else [])])
