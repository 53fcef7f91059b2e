"""Make a dataset folder, or join one that was begun with the same recipe and program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import ForeignOutput, UserError
from engine.provenance import source_sha256
from engine.scene.taxonomy import Taxonomy, taxonomy_from_json
from engine.write.files import TEMPORARY, make_folder, publish_new
from engine.write.parts import table_files
from engine.write.plan import DatasetPlan
from engine.write.record import Header, json_bytes, read_header, read_json

HEADER = "dataset.json"
RECIPE = "recipe.json"
TAXONOMY = "taxonomy.json"
MANIFEST = "manifest.json"
LOG = "log"
LONGEST_VALUE = 40  # characters of a value in an error
BESIDE = frozenset({TEMPORARY, LOG})  # what may lie in the folder of a dataset without being part of it


def begin_dataset(out: Path, plan: DatasetPlan) -> Header:
    """Return the header of the dataset at `out`, which exists afterwards; `shard_worlds` is that of who came first.

    Raises:
        ForeignOutput: If the folder holds something else, another recipe, or data of another program.
    """
    tables = table_files(plan.scene, plan.writers.tables)
    return begin_folder(out, plan.header, plan.recipe.to_json(), plan.scene.taxonomy, tables)


def begin_folder(
    out: Path, header: Header, intent: dict[str, Any], taxonomy: Taxonomy, tables: Mapping[str, bytes]
) -> Header:
    """Return the header of the dataset at `out`, which exists afterwards.

    Args:
        out: The dataset folder.
        header: Of a dataset that is begun now.
        intent: What recipe.json holds; its id is that of the header.
        taxonomy: Its classes.
        tables: Tables of the scene by path, whole files.
    Raises:
        ForeignOutput: If the folder holds something else, another recipe, or data of another program.
    """
    check_free(out)
    make_folder(out, out=out)
    ours = header
    if not publish_new(out, out / HEADER, json_bytes(header)):
        header = read_header(out / HEADER)
        check_recipe(out, header, ours.recipe_id, intent)
        check_program(out, header, engine_version=ours.engine_version, sources=ours.source_sha256)
    publish_new(out, out / RECIPE, json_bytes(intent))
    publish_new(out, out / TAXONOMY, json_bytes({"id": taxonomy.id, **taxonomy.to_json()}))
    for name, data in tables.items():
        publish_new(out, out / name, data)
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
    """Refuse to call a dataset ours that has another recipe, or that another program than the running one began.

    Raises:
        ForeignOutput: If they differ.
    """
    if header.recipe_id != recipe_id:
        raise ForeignOutput(_other_recipe(out, header.recipe_id, recipe_id, ""))
    check_program(out, header, engine_version=engine_version, sources=source_sha256())


def check_recipe(out: Path, header: Header, recipe_id: str, intent: dict[str, Any]) -> None:
    """Refuse to mix data of two recipes in one folder.

    Raises:
        ForeignOutput: If they differ; it names the first key that does.
    """
    if header.recipe_id == recipe_id:
        return
    try:
        where = first_difference(read_json(out / RECIPE), intent)
    except (UserError, FileNotFoundError):
        where = ""  # nothing to compare with
    raise ForeignOutput(_other_recipe(out, header.recipe_id, recipe_id, where))


def check_program(out: Path, header: Header, *, engine_version: str, sources: str) -> None:
    """Refuse to mix data of two versions of the engine, or of two states of its sources, in one folder.

    Raises:
        ForeignOutput: If they differ.
    """
    if header.engine_version != engine_version:
        raise ForeignOutput(
            f"out={out} was begun by engine {header.engine_version}, this is {engine_version}; "
            "choose another out=, or go on with the version that began it"
        )
    if header.source_sha256 != sources:
        raise ForeignOutput(
            f"out={out} was begun by engine {engine_version} of other sources ({header.source_sha256[:8]}, these are "
            f"{sources[:8]}); choose another out=, or go on with the checkout or wheel that began it"
        )


def first_difference(there: Any, here: Any, where: str = "") -> str:
    """Return the first key, in sorted order, in which two trees of plain data differ, with both values; "" if none."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in sorted(there.keys() | here.keys()):
            path = f"{where}.{key}" if where else key
            if found := first_difference(there.get(key), here.get(key), path):
                return found
        return ""
    return "" if there == here else f"{where} is {_short(there)} there and {_short(here)} here"


def _short(value: Any) -> str:
    text = "absent" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def _other_recipe(out: Path, there: str, here: str, where: str) -> str:
    return (
        f"out={out} holds a dataset of recipe {there[:8]}, not of {here[:8]}{f' ({where})' if where else ''}; "
        "choose another out=, or `python -m engine.dataset info` to see what is there"
    )


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
