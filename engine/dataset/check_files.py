"""Check bytes: every file has the hash that checksums, commit records and manifest say, and there are no others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engine.dataset.contents import Contents
from engine.dataset.faults import NOT_OURS, REMAKE_RECORDS, REMAKE_VIEWS, UNLINK, Fault, remake_shard
from engine.dataset.manifest import CHECKSUMS, VIEWS, content_root, dataset_id, is_content
from engine.errors import UserError
from engine.write.begin import BESIDE, HEADER, MANIFEST, RECIPE, TAXONOMY
from engine.write.files import TEMPORARY, hash_file, inside
from engine.write.merge import COMMITS
from engine.write.parts import TABLES
from engine.write.record import FileFact, content_hash
from engine.write.references import is_allowed
from engine.write.threads import thread_count


@dataclass(frozen=True)
class _Expected:
    """What a file must be; `size` is unknown where only the checksums name it."""

    sha256: str
    size: int | None
    repair: str


def check_files(contents: Contents) -> Iterator[Fault]:
    """Yield a fault for every file that is missing, changed, or not part of the dataset."""
    yield from _check_checksums(contents)
    expected = _expected_files(contents)
    found, links = list_files(contents.out), list_links(contents.out)
    referenced = {path for path in links if path in expected and is_allowed(contents.out / path)}
    found, links = found | referenced, links - referenced
    for path in sorted(links):
        what = f"is a symbolic link to {(contents.out / path).readlink()}, which is not followed"
        yield Fault(path, what, UNLINK)
    waiting = _waiting(contents)
    missing = expected.keys() - found - waiting - links
    for path in sorted(path for path in missing if links.isdisjoint(map(str, PurePosixPath(path).parents))):
        yield Fault(path, "is missing", expected[path].repair)
    facts: list[FileFact] = []
    present = sorted(expected.keys() & found)
    with ThreadPoolExecutor(thread_count()) as pool:
        for path, digest in zip(present, pool.map(hash_file, [contents.out / path for path in present])):
            want, size = expected[path], (contents.out / path).stat().st_size
            facts.append(FileFact(path, digest, size))
            if want.size is not None and size != want.size:
                yield Fault(path, f"has {size} bytes instead of {want.size}", want.repair)
            elif digest != want.sha256:
                yield Fault(path, f"has changed: sha256 {digest[:12]} instead of {want.sha256[:12]}", want.repair)
    for path in sorted(found - expected.keys() - _bookkeeping(contents)):
        yield Fault(path, "is not a file of this dataset", NOT_OURS)
    yield from _check_records(contents)
    yield from _check_ids(contents, facts)


def list_files(out: Path) -> set[str]:
    """Return every file below `out`, relative, without logs, temporaries and symbolic links."""
    found: set[str] = set()
    for folder, folders, names in os.walk(out):
        here = Path(folder)
        if here == out:
            folders[:] = [name for name in folders if name not in BESIDE]
        found.update((here / name).relative_to(out).as_posix() for name in names if not (here / name).is_symlink())
    return found


def list_links(out: Path) -> set[str]:
    """Return every symbolic link below `out`, relative, to whatever it leads."""
    links: set[str] = set()
    for folder, folders, names in os.walk(out):  # does not follow them
        paths = (Path(folder, name) for name in (*folders, *names))
        links.update(path.relative_to(out).as_posix() for path in paths if path.is_symlink())
    return links


def _expected_files(contents: Contents) -> dict[str, _Expected]:
    """Return what is known of every file, the more direct witness last: checksums, manifest, commit records."""
    expected: dict[str, _Expected] = {}
    manifest = contents.manifest
    path = contents.out / CHECKSUMS
    if manifest is not None and path.is_file() and hash_file(path) == manifest.checksums.sha256:
        for line in path.read_text(encoding="utf-8").splitlines():
            digest, _, name = line.partition("  ")
            expected[name] = _Expected(digest, None, _repair_of(name))
    if manifest is not None:
        for fact in manifest.index:
            expected[fact.path] = _Expected(fact.sha256, fact.bytes, REMAKE_VIEWS)
        for export in manifest.exports:
            expected[export.path] = _Expected(export.sha256, None, REMAKE_VIEWS)
    for commit in contents.commits:
        for fact in commit.files:
            known = expected.get(fact.path)
            if known is None or known.sha256 == fact.sha256:
                expected[fact.path] = _Expected(fact.sha256, fact.bytes, remake_shard(commit.id))
    return expected


def _repair_of(name: str) -> str:
    if name in (HEADER, RECIPE, TAXONOMY, *TABLES):
        return REMAKE_RECORDS
    if name in VIEWS or name.startswith(("index/", "labels/")):
        return REMAKE_VIEWS
    return remake_shard(Path(name).stem if name.startswith(f"{COMMITS}/") else "<its id>")


def _bookkeeping(contents: Contents) -> set[str]:
    """Return files that have checks of their own, and, before the dataset is complete, those that come last."""
    own = {MANIFEST, CHECKSUMS, HEADER, RECIPE, TAXONOMY, *VIEWS}
    own |= {name for name in list_files(contents.out) if name.startswith(f"{COMMITS}/") and name.endswith(".json")}
    if contents.manifest is None:
        own |= {name for name in list_files(contents.out) if name.startswith(("index/", "labels/"))}
    return own


def _waiting(contents: Contents) -> set[str]:
    """Return committed files that a crash left in a temporary folder; the next run moves them to their places."""
    waiting: set[str] = set()
    for commit in contents.commits:
        for folder in (contents.out / TEMPORARY).glob(f"{commit.id}-{commit.content_sha256[:16]}.*"):
            waiting.update(fact.path for fact in commit.files if _holds(folder, fact))
    return waiting


def _holds(folder: Path, fact: FileFact) -> bool:
    try:
        place = inside(folder, fact.path)
    except UserError:
        return False
    return place.is_file() and hash_file(place) == fact.sha256


def _check_checksums(contents: Contents) -> Iterator[Fault]:
    if contents.manifest is None:
        return
    path = contents.out / CHECKSUMS
    if not path.is_file():
        yield Fault(CHECKSUMS, "is missing", REMAKE_VIEWS)
    elif hash_file(path) != contents.manifest.checksums.sha256:
        yield Fault(CHECKSUMS, "has changed: the manifest names another sha256", REMAKE_VIEWS)


def _check_records(contents: Contents) -> Iterator[Fault]:
    """Yield where commit records contradict themselves, each other, or the manifest."""
    owner: dict[int, str] = {}
    for commit in contents.commits:
        name = f"{COMMITS}/{commit.id}.json"
        repair = remake_shard(commit.id)
        if content_hash(commit.files) != commit.content_sha256:
            yield Fault(name, "its content hash is not that of the files it names", repair)
        if contents.header is not None and commit.recipe_id != contents.header.recipe_id:
            yield Fault(name, f"is of recipe {commit.recipe_id[:8]}", repair)
        for world in commit.worlds:
            if owner.setdefault(world, commit.id) != commit.id:
                yield Fault(name, f"world {world} is also in commit {owner[world]}", repair)
    if contents.manifest is not None:
        ids = [shard.id for shard in contents.manifest.shards]
        if ids != [commit.id for commit in contents.commits]:
            yield Fault(MANIFEST, f"names {len(ids)} shards, {len(contents.commits)} are readable", REMAKE_VIEWS)


def _check_ids(contents: Contents, facts: list[FileFact]) -> Iterator[Fault]:
    """Yield where recipe, taxonomy and bytes do not have the ids that the manifest and the header state."""
    recipe_id = None if contents.intent is None else contents.intent.id
    taxonomy_id = None if contents.taxonomy is None else contents.taxonomy.id
    for name, stated in ((HEADER, contents.header), (MANIFEST, contents.manifest)):
        if stated is None:
            continue
        if recipe_id is not None and recipe_id != stated.recipe_id:
            yield Fault(RECIPE, f"its id is {recipe_id[:12]}, {name} says {stated.recipe_id[:12]}", REMAKE_RECORDS)
        if taxonomy_id is not None and taxonomy_id != stated.taxonomy_id:
            yield Fault(TAXONOMY, f"its id is {taxonomy_id}, {name} says {stated.taxonomy_id}", REMAKE_RECORDS)
    manifest = contents.manifest
    if manifest is None:
        return
    content = [fact for fact in facts if is_content(fact.path)]
    if content_root(content) != manifest.content_root:
        yield Fault(MANIFEST, "its content_root is not that of the files", "see the files named above")
    if sum(fact.bytes for fact in content) != manifest.bytes:
        yield Fault(MANIFEST, "its bytes are not the sum of the files", "see the files named above")
    if dataset_id(manifest.recipe_id, manifest.taxonomy_id, manifest.content_root) != manifest.dataset_id:
        yield Fault(MANIFEST, "its dataset_id does not follow from its other ids", REMAKE_VIEWS)
