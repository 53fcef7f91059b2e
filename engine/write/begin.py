"""Make a dataset folder, or join one that was begun with the same recipe and engine version."""

from __future__ import annotations

from pathlib import Path

from engine.errors import ForeignOutput, UserError
from engine.scene.taxonomy import Taxonomy, taxonomy_from_json
from engine.write.files import TEMPORARY, make_folder, publish_new
from engine.write.plan import DatasetPlan
from engine.write.record import Header, json_bytes, read_header, read_json

HEADER = "dataset.json"
RECIPE = "recipe.json"
TAXONOMY = "taxonomy.json"
MANIFEST = "manifest.json"
LOG = "log"
BESIDE = frozenset({TEMPORARY, LOG, ".hydra"})  # what may lie in the folder of a dataset without being part of it


def begin_dataset(out: Path, plan: DatasetPlan) -> Header:
    """Return the header of the dataset at `out`, which exists afterwards; `shard_worlds` is that of who came first.

    Raises:
        ForeignOutput: If the folder holds something else, another recipe, or data of another engine version.
    """
    check_free(out)
    make_folder(out, out=out)
    header = plan.header
    if not publish_new(out, out / HEADER, json_bytes(header)):
        header = read_header(out / HEADER)
        check_same(out, header, recipe_id=plan.header.recipe_id, engine_version=plan.header.engine_version)
    publish_new(out, out / RECIPE, recipe_bytes(plan))
    publish_new(out, out / TAXONOMY, taxonomy_bytes(plan))
    return header


def check_free(out: Path) -> None:
    """Refuse a folder that is neither empty nor a dataset.

    Raises:
        ForeignOutput: If it is something else.
    """
    if out.exists() and not out.is_dir():
        raise ForeignOutput(f"out={out} is a file; choose another out=")
    if not out.is_dir() or (out / HEADER).is_file():
        return
    others = sorted(path.name for path in out.iterdir() if path.name not in BESIDE)
    if others:
        raise ForeignOutput(f"out={out} is not a dataset and not empty (it holds {others[0]}); choose another out=")


def check_same(out: Path, header: Header, *, recipe_id: str, engine_version: str) -> None:
    """Refuse to mix data of two recipes or engine versions in one folder.

    Raises:
        ForeignOutput: If they differ.
    """
    if header.recipe_id != recipe_id:
        raise ForeignOutput(
            f"out={out} holds a dataset of recipe {header.recipe_id[:8]}, not of {recipe_id[:8]}; "
            "choose another out=, or `python -m engine.dataset info` to see what is there"
        )
    if header.engine_version != engine_version:
        raise ForeignOutput(
            f"out={out} was begun by engine {header.engine_version}, this is {engine_version}; "
            "choose another out=, or go on with the version that began it"
        )


def recipe_bytes(plan: DatasetPlan) -> bytes:
    """Return the recipe as people read it; its id is the hash of the canonical form of the same data."""
    return json_bytes(plan.recipe.to_json())


def taxonomy_bytes(plan: DatasetPlan) -> bytes:
    """Return the taxonomy with its id."""
    taxonomy = plan.scene.taxonomy
    return json_bytes({"id": taxonomy.id, **taxonomy.to_json()})


def read_taxonomy(path: Path) -> Taxonomy:
    """Return the taxonomy of a taxonomy.json.

    Raises:
        UserError: If it is not JSON, or not a taxonomy.
    """
    data = read_json(path)
    try:
        taxonomy = taxonomy_from_json(data)
    except ValueError as error:
        raise UserError(f"{path} is not a taxonomy: {error}") from error
    if data != {"id": taxonomy.id, **taxonomy.to_json()}:
        raise UserError(f"{path} was changed: it is not what was written for its classes, whose id is {taxonomy.id}")
    return taxonomy
