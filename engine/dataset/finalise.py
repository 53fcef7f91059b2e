"""Turn committed shards into a complete dataset: index, labels, contact sheet, checksums and, last, the manifest.

Any worker may call it at any time; it does nothing until all wanted worlds exist and nothing once the manifest is
there. What it writes depends on the commits alone, each file is replaced in one step, and a crash leaves no manifest.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from engine.collect.intent import Intent, dataset_writers, origin_of, parents_of, read_intent, scene_tables, title_of
from engine.dataset.health import measure_health
from engine.dataset.manifest import (
    CHECKSUMS,
    CONTACT_SHEET,
    INDEX,
    Counts,
    Export,
    JobFacts,
    Manifest,
    Origin,
    ShardFact,
    content_root,
    dataset_id,
    is_content,
    manifest_bytes,
    read_manifest,
)
from engine.errors import UserError
from engine.lineage.card import CARD, CardFacts, card_blocks
from engine.lineage.croissant import CROISSANT, croissant_bytes
from engine.lineage.document import markdown
from engine.lineage.ledger import note
from engine.write.begin import HEADER, MANIFEST, RECIPE, TAXONOMY, read_taxonomy
from engine.write.contact_sheet import draw_contact_sheet
from engine.write.events import log_event
from engine.write.files import TEMPORARY, hash_file, inside, make_folder, publish, refusals_named, unpublish
from engine.write.merge import COMMITS, MergedRows
from engine.write.names import FrameGrid
from engine.write.record import Commit, FileFact, Header, read_header
from engine.write.recover import CommitLog, misplaced_files, recover
from engine.write.rows import MASK_COLUMNS
from engine.write.tables import parquet_chunks


def find_complete(out: Path, wanted: Iterable[int], log: CommitLog | None = None) -> Manifest | None:
    """Return the manifest of `out` if it is complete and holds the wanted worlds; writes nothing.

    `log` is that of `out`, if it was opened already: records are read once.

    Views are hashed, committed files have to be there with their size; whether their bytes are right, `verify` tells.

    The caller checks that the recipe is the one it means: `engine.write.begin.check_same`.
    """
    path = out / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = read_manifest(path)
    except UserError:
        return None
    commits = (log or CommitLog(out)).commits()
    if [commit.id for commit in commits] != [shard.id for shard in manifest.shards]:
        return None
    if not set(wanted) <= {world for commit in commits for world in commit.worlds}:
        return None
    named = [(fact.path, fact.sha256) for fact in (*manifest.index, manifest.checksums)]
    named += [(export.path, export.sha256) for export in manifest.exports]
    if any(not inside(out, name).is_file() or hash_file(out / name) != digest for name, digest in named):
        return None
    if misplaced_files(out, commits):
        return None  # `finalise` names them and the remedy
    return manifest


def finalise(out: Path, wanted: Iterable[int], job: JobFacts) -> Manifest | None:
    """Return the manifest of the complete dataset, made now if need be; None while wanted worlds are missing.

    Raises:
        UserError: If committed files are damaged or no world could be made; the message says what to do.
        WriteFailed: If the disk refuses.
    """
    out, wanted = out.absolute(), set(wanted)
    log = CommitLog(out)
    if manifest := find_complete(out, wanted, log):
        return manifest
    if not wanted <= log.worlds():
        return None
    with refusals_named(out), _alone(out):
        recover(out)
        while True:
            if manifest := find_complete(out, wanted, log):  # made by who had the lock before us
                return manifest
            commits = log.commits()
            manifest = _complete(out, commits, job)
            log_event(out, "complete", dataset=manifest.dataset_id, worlds=manifest.counts.worlds)
            root, worlds = manifest.content_root, manifest.counts.worlds
            note(out, "complete", dataset_id=manifest.dataset_id, content_root=root, worlds=worlds)
            if log.commits() == commits:  # else someone extends it: what we wrote is already old
                return manifest


@dataclass(frozen=True)
class _Dataset:
    """What a complete dataset is made of."""

    out: Path
    header: Header
    intent: Intent
    commits: list[Commit]
    rows: MergedRows


@dataclass(frozen=True)
class _Views:
    """Files about the whole dataset."""

    index: list[FileFact]
    labels: list[FileFact]
    exports: list[Export]
    contact_sheet: FileFact


def _complete(out: Path, commits: list[Commit], job: JobFacts) -> Manifest:
    _check_commits(out, commits)
    unpublish(out / MANIFEST)
    header = read_header(out / HEADER)
    rows = MergedRows(out, commits, read_taxonomy(out / TAXONOMY), FrameGrid(header.steps, len(header.cameras)))
    dataset = _Dataset(out, header, read_intent(out / RECIPE), commits, rows)
    views = _publish_views(dataset)
    files = _list_files(dataset, views)
    manifest = _describe(dataset, views, files, job)
    files = sorted([*files, *_publish_descriptions(dataset, manifest, files)], key=lambda fact: fact.path)
    checksums = publish(out, out / CHECKSUMS, [checksum_lines(files)])
    publish(out, out / MANIFEST, [manifest_bytes(replace(manifest, checksums=checksums))])
    return read_manifest(out / MANIFEST)


def _check_commits(out: Path, commits: list[Commit]) -> None:
    if damaged := misplaced_files(out, commits):
        broken = next(commit for commit in commits if damaged[0] in commit.files)
        raise UserError(
            f"{out / damaged[0].path} is missing or cut short, and {len(damaged) - 1} more; delete "
            f"{out / COMMITS / broken.id}.json and run the same command again to make its worlds anew"
        )
    if not any(commit.frames for commit in commits):
        raise UserError(f"no world could be made; the first was skipped because: {commits[0].skips[0].reason}")


def _publish_views(dataset: _Dataset) -> _Views:
    out, rows = dataset.out, dataset.rows
    index = [publish(out, out / INDEX / f"{name}.parquet", _index_chunks(rows, name)) for name in rows.names]
    labels, exports = [], []
    for writer in dataset_writers(dataset.intent):
        fact = publish(out, out / writer.params.PATH, writer.function(writer.params, rows))
        labels.append(fact)
        exports.append(Export(writer.params.FORMAT, fact.path, fact.sha256, dataset.header.taxonomy_id))
    title = f"{title_of(dataset.intent)}  {dataset.header.recipe_id[:8]}"
    sheet = publish(out, out / CONTACT_SHEET, [draw_contact_sheet(rows, title)])
    return _Views(index, labels, exports, sheet)


def _publish_descriptions(dataset: _Dataset, manifest: Manifest, files: list[FileFact]) -> list[FileFact]:
    """Write what describes the dataset to people and to tools of others; like the contact sheet no part of its root."""
    out, intent = dataset.out, dataset.intent
    card = card_blocks(CardFacts(out, dataset.header, intent, dataset.rows.taxonomy, manifest))
    return [
        publish(out, out / CARD, [markdown(card).encode()]),
        publish(out, out / CROISSANT, [croissant_bytes(out, intent, manifest, files)]),
    ]


def _index_chunks(rows: MergedRows, name: str) -> Iterator[bytes]:
    def without_rle() -> Iterator[pa.Table]:
        for table in rows.tables(name):
            yield table.drop_columns([column for column in MASK_COLUMNS if column in table.column_names])

    return parquet_chunks(without_rle())


def _list_files(dataset: _Dataset, views: _Views) -> list[FileFact]:
    """Return every file of the dataset but the checksums and the manifest, sorted by path."""
    own = [HEADER, RECIPE, TAXONOMY, *scene_tables(dataset.intent)]
    own += (f"{COMMITS}/{commit.id}.json" for commit in dataset.commits)
    facts = [FileFact(name, hash_file(dataset.out / name), (dataset.out / name).stat().st_size) for name in own]
    facts += [fact for commit in dataset.commits for fact in commit.files]
    return sorted([*facts, *views.index, *views.labels, views.contact_sheet], key=lambda fact: fact.path)


def checksum_lines(files: Iterable[FileFact]) -> bytes:
    """Return the content of CHECKSUMS.sha256, as `sha256sum -c` reads it."""
    return "".join(f"{fact.sha256}  {fact.path}\n" for fact in files).encode()


def _describe(dataset: _Dataset, views: _Views, files: list[FileFact], job: JobFacts) -> Manifest:
    """Return the manifest, but for the hash of the checksums, which are not there yet."""
    commits, header = dataset.commits, dataset.header
    content = [fact for fact in files if is_content(fact.path)]
    root = content_root(content)
    origins = [Origin(commit.engine, commit.environment) for commit in commits]
    notes: dict[str, int] = {}
    for group in header.report.notes:
        notes[group.level] = notes.get(group.level, 0) + group.count
    return Manifest(
        dataset_id=dataset_id(header.recipe_id, header.taxonomy_id, root),
        recipe_id=header.recipe_id,
        taxonomy_id=header.taxonomy_id,
        content_root=root,
        bytes=sum(fact.bytes for fact in content),
        counts=count_commits(commits),
        engine=origins[0].engine,
        environment=origins[0].environment,
        other_origins=tuple(dict.fromkeys(origin for origin in origins if origin != origins[0])),
        shards=tuple(ShardFact(c.id, c.worlds[0], len(c.worlds), c.content_sha256) for c in commits),
        index=tuple(views.index),
        exports=tuple(views.exports),
        checksums=FileFact(CHECKSUMS, "0" * 64, 0),
        job=job,
        skips=tuple(skip for commit in commits for skip in commit.skips),
        notes=notes,
        health=measure_health(dataset.rows),
        origin=(origin := origin_of(dataset.intent)),
        contains_real_imagery=origin != "synthetic",
        parents=parents_of(dataset.intent),
    )


def count_commits(commits: Iterable[Commit]) -> Counts:
    """Return the sums over commit records."""
    worlds = frames = seen = near_misses = 0
    by_class: dict[str, int] = {}
    defects: dict[str, int] = {}
    for commit in commits:
        worlds += len(commit.worlds) - len(commit.skips)
        frames += commit.frames
        seen += commit.instances
        near_misses += commit.near_misses
        for counted, own in ((by_class, commit.by_class), (defects, commit.defects)):
            for key, number in own.items():
                counted[key] = counted.get(key, 0) + number
    labelled = sum(by_class.values())
    return Counts(worlds, frames, labelled, seen - labelled, by_class, defects, near_misses)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Wait until no other process of this machine completes the dataset; a killed one lets go by itself.

    It only saves work: what two write at once is the same, and who publishes last looks again for newer commits.
    """
    make_folder(out / TEMPORARY, out=out)
    with (out / TEMPORARY / "finalise.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
