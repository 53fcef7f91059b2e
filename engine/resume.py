"""Is the dataset there already? Answered without USD and Warp: a re-run of a finished job takes a second, and the time
to read its assets, which are hashed each time.

A recipe's id needs the content of its assets, which loading the scene would tell. But a folder that may be ours has a
recipe.json: if that recipe says what ours says, and every file that it lists still has its size and its hash, then
loading the scene would give the same recipe again. Anything in doubt is left to the full run.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import ForeignOutput, UserError
from engine.recipe import Job, Recipe, default_out, without_assets

if TYPE_CHECKING:
    from engine.dataset.manifest import Manifest

AUTO_TAXONOMY = "auto"  # the version of a class list that was made from the labels found


def complete_dataset(recipe: Recipe, job: Job) -> tuple[Path, Manifest] | None:
    """Return the folder and manifest of a finished dataset of this recipe; None where there is work, or doubt.

    Raises:
        ForeignOutput: If `job.out` holds a dataset of another recipe or engine version.
    """
    for out in _candidates(recipe, job):
        if not (out / "recipe.json").is_file() or not (out / "dataset.json").is_file():
            continue
        there = Recipe.read(out / "recipe.json")
        if without_assets(there).canonical() != without_assets(recipe).canonical():
            if job.out is not None:
                _refuse(out, there)
            continue
        if _unchanged(there, job, out):
            return _finished(out, there, job)
    return None


def _candidates(recipe: Recipe, job: Job) -> list[Path]:
    if job.out is not None:
        return [job.out]
    if recipe.assets:
        return [default_out(recipe)]
    return sorted(Path("out").glob(f"{recipe.scene.name}-{'[0-9a-f]' * 8}"))


def _refuse(out: Path, there: Recipe) -> None:
    raise ForeignOutput(
        f"out={out} holds a dataset of another recipe ({there.id[:8]}, scene {there.scene.name}); choose another out="
    )


def _unchanged(there: Recipe, job: Job, out: Path) -> bool:
    """Return whether all assets have the hashes of the recipe, and the class list is the same."""
    folder = job.usd.parent
    if not there.assets or job.usd.name not in {asset.path for asset in there.assets}:
        return False
    files = [(folder / asset.path, asset) for asset in there.assets]
    if any(not file.is_file() or file.stat().st_size != asset.bytes for file, asset in files):
        return False  # known without reading a byte
    if any(_sha256(file) != asset.sha256 for file, asset in files):
        return False
    taxonomy = folder / (there.scene.taxonomy or "taxonomy.json")
    if taxonomy.is_file():
        return _taxonomy_id(taxonomy) == there.taxonomy_id
    return _taxonomy_version(out / "taxonomy.json") == AUTO_TAXONOMY


def _finished(out: Path, there: Recipe, job: Job) -> tuple[Path, Manifest] | None:
    from engine import __version__
    from engine.dataset.finalise import find_complete
    from engine.write.begin import HEADER, check_same
    from engine.write.record import read_header
    from engine.write.recover import CommitLog

    check_same(out, read_header(out / HEADER), recipe_id=there.id, engine_version=__version__)
    wanted = job.world_ids()
    if len(wanted) > len(CommitLog(out).worlds()):
        return None  # before a range of many millions becomes a set
    manifest = find_complete(out, wanted)
    return None if manifest is None else (out, manifest)


def _taxonomy_id(file: Path) -> str | None:
    from engine.scene.taxonomy import taxonomy_from_json

    try:
        return taxonomy_from_json(json.loads(file.read_text("utf-8"))).id
    except (ValueError, UserError):
        return None  # the full run says what is wrong with it


def _taxonomy_version(file: Path) -> str | None:
    try:
        data = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return data.get("version") if isinstance(data, dict) else None


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
