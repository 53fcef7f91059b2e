"""Names and versions of datasets: `tiles@v2` in place of a path. A version, once given, means one dataset for ever.

A store is a folder. `<store>/datasets/<name>/refs.json` holds `{"v1": "ds_...", "latest": "v1"}`, and `places.json`
beside it where each dataset id was last seen, relative to the store where it lies below its parent folder. The first is
what must not change and may be kept under version control; the second is repaired by adding the dataset again.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.dataset.manifest import read_manifest
from engine.errors import UserError, near_matches
from engine.write.begin import MANIFEST
from engine.write.files import make_folder, publish, refusals_named
from engine.write.record import json_bytes, read_json

VARIABLE = "OMMATIDIA_STORE"
STORE = "store"
REFS, PLACES = "refs.json", "places.json"
LATEST = "latest"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)  # a file name on every system, without tricks
DATASET_ID = re.compile("ds_[0-9a-f]{16}", re.ASCII)
RULE = "1 to 64 letters, digits, '.', '_' and '-', a letter or digit first"


@dataclass(frozen=True)
class Ref:
    """A version of a named dataset."""

    name: str
    version: str
    dataset_id: str
    place: Path  # where it was last seen
    is_latest: bool

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def store_at(given: Path | None = None) -> Path:
    """Return the store: the one that is given, that of OMMATIDIA_STORE, or `store` in the working folder."""
    return (given or Path(os.environ.get(VARIABLE) or STORE)).absolute()


def add_ref(store: Path, name: str, folder: Path, version: str | None = None) -> Ref:
    """Give a complete dataset a name and a version; return it.

    A new version becomes the latest; one that it had already only learns where the dataset lies now.

    Args:
        store: Made if it is missing.
        name: Of the dataset.
        folder: Where it lies.
        version: None: v1, v2, ..., the next one; the one that it has, if it has one already.
    Raises:
        UserError: If a name cannot be one, the dataset is not complete, or the version is another dataset's.
        WriteFailed: If the disk refuses.
    """
    check_name(name, "dataset")
    if version is not None:
        check_name(version, "version")
        if version == LATEST:
            raise UserError(f"--as {LATEST} moves by itself; name a version, such as v2")
    folder = folder.absolute()
    if not (folder / MANIFEST).is_file():
        raise UserError(f"{folder} is not a complete dataset: it has no {MANIFEST}")
    number = read_manifest(folder / MANIFEST).dataset_id
    home = _home(store, name)
    with refusals_named(home):
        make_folder(home, out=store)
        with _alone(home):
            refs, places = _read(home / REFS), _read(home / PLACES)
            version = version or _next_version(refs, number)
            if refs.get(version, number) != number:
                raise UserError(
                    f"{name}@{version} is {refs[version]}, and stays that; {folder} is {number}: give it a version of "
                    "its own with --as, or leave it out for the next one"
                )
            latest = refs.get(LATEST, version) if version in refs else version
            publish(store, home / PLACES, [json_bytes({**places, number: _relative(store, folder)})])
            publish(store, home / REFS, [json_bytes({**refs, version: number, LATEST: latest})])
    return Ref(name, version, number, folder, version == latest)


def list_refs(store: Path) -> Iterator[Ref]:
    """Yield every version of every dataset, by name and in the order of versions; nothing where there is no store."""
    for home in sorted((store / "datasets").glob("*")):
        if NAME.fullmatch(home.name) and (home / REFS).is_file():
            refs, places = _read(home / REFS), _read(home / PLACES)
            for version in sorted(refs.keys() - {LATEST}, key=_version_order):
                yield _ref(store, home.name, version, (refs, places))


def resolve_ref(store: Path, text: str) -> Ref:
    """Return what `name@version` or `name` (the latest) means.

    Raises:
        UserError: If there is no such name or version, or the dataset is not where it was; near ones are named.
    """
    name, separator, version = text.partition("@")
    check_name(name, "dataset")
    home = _home(store, name)
    if not (home / REFS).is_file():
        known = tuple(dict.fromkeys(ref.name for ref in list_refs(store)))
        what = f"near: {near_matches(name, known)}" if known else "`refs add NAME DIR` gives a dataset a name"
        raise UserError(f"{text}: the store {store} has no dataset '{name}'; {what}")
    refs, places = _read(home / REFS), _read(home / PLACES)
    version = version if separator and version != LATEST else refs.get(LATEST, "")
    if version not in refs or version == LATEST:
        known = tuple(sorted(refs.keys() - {LATEST}, key=_version_order))
        raise UserError(f"{text}: {name} has no version '{version}'; there are {', '.join((*known, LATEST))}")
    ref = _ref(store, name, version, (refs, places))
    path = ref.place / MANIFEST
    found = read_manifest(path).dataset_id if path.is_file() else "nothing"
    if found != ref.dataset_id:
        raise UserError(
            f"{ref} is {ref.dataset_id}, which is no longer at {ref.place} (there is {found}); "
            f"`refs add {name} DIR --as {version}` says where it is now"
        )
    return ref


def dataset_path(given: Path, store: Path | None = None) -> Path:
    """Return the folder that a user means: a path as it is, or the dataset of a `name@version`.

    Raises:
        UserError: If it looks like the latter, is no path that exists, and no such version is known.
    """
    text = str(given)
    if given.exists() or "@" not in text or "/" in text:
        return given
    return resolve_ref(store_at(store), text).place


def check_name(text: str, what: str) -> None:
    """Refuse a name that is not one file name on every system.

    Raises:
        UserError: If it is not.
    """
    if not NAME.fullmatch(text) or text.endswith("."):
        raise UserError(f"'{text[:80]}' is no name of a {what}: {RULE}")


def _ref(store: Path, name: str, version: str, files: tuple[Mapping[str, str], Mapping[str, str]]) -> Ref:
    refs, places = files
    number = refs[version]
    place = Path(os.path.normpath(store.resolve() / places.get(number, "nowhere")))
    return Ref(name, version, number, place, refs.get(LATEST) == version)


def _home(store: Path, name: str) -> Path:
    return store / "datasets" / name


def _read(path: Path) -> dict[str, str]:
    """Return a file of the store; what it says is checked, since it may come from others.

    Raises:
        UserError: If it is not what this module writes.
    """
    if not path.is_file():
        return {}
    data: Any = read_json(path)
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise UserError(f"{path} is not a mapping of text to text; restore it from a copy")
    for key, value in data.items():
        is_ref = path.name == REFS
        number = key if not is_ref else value
        if key == LATEST and is_ref:
            if value not in data or value == LATEST:
                raise UserError(f"{path}: {LATEST} is '{value}', which is no version in it; restore it from a copy")
        elif not DATASET_ID.fullmatch(number) or (is_ref and not NAME.fullmatch(key)):
            raise UserError(f"{path}: '{key}': '{value}' is no entry of a store; restore it from a copy")
    return data


def _relative(store: Path, folder: Path) -> str:
    """Return where a folder lies from the store, if both move together; else its whole path."""
    place, home = folder.resolve(), store.resolve()
    return os.path.relpath(place, home) if place.is_relative_to(home.parent) else str(place)


def _next_version(refs: Mapping[str, str], number: str) -> str:
    """Return the version that a dataset has, or the next free one."""
    for version in sorted(refs.keys() - {LATEST}, key=_version_order, reverse=True):
        if refs[version] == number:
            return version
    taken = [int(match[1]) for match in (re.fullmatch(r"v(\d{1,9})", version) for version in refs) if match]
    return f"v{max(taken, default=0) + 1}"


def _version_order(version: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that puts v2 before v10."""
    parts = re.findall(r"\d+|\D+", version)
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Wait until no other process changes this name; a killed one lets go by itself."""
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
