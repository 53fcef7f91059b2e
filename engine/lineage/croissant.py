"""`croissant.json`: a dataset as Croissant 1.0 describes it to tools of others, such as mlcroissant.

Files of the index have their sha256 and are refused where they changed. Pictures are a set of files, for which
Croissant has no hashes: those stand in CHECKSUMS.sha256. Boxes are lists of numbers and `frame_id` of instances says by
its name alone what it refers to: mlcroissant 1.1 cannot read its own types for them out of Parquet.
Source: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.0.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from engine.collect.intent import Ingest, Intent, parents_of, title_of
from engine.dataset.manifest import INDEX, Manifest
from engine.write.record import FileFact, json_bytes

CROISSANT = "croissant.json"
CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
IMAGE = "image"  # the column of frames that names the picture
KEYS = {"worlds": ("world", "step"), "frames": ("frame_id",)}
ENCODINGS = {
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".tif": "image/tiff", ".tiff": "image/tiff",
    ".bmp": "image/bmp", ".webp": "image/webp", ".exr": "image/x-exr", ".json": "application/json",
    ".parquet": "application/x-parquet", ".txt": "text/plain",
}  # fmt: skip
CONTEXT = {
    "@language": "en", "@vocab": "https://schema.org/", "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/", "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"}, "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty", "samplingRate": "cr:samplingRate",
    "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract", "field": "cr:field",
    "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject", "fileSet": "cr:fileSet", "format": "cr:format",
    "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath", "key": "cr:key",
    "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path", "recordSet": "cr:recordSet",
    "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace",
    "sc": "https://schema.org/", "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField",
    "transform": "cr:transform",
}  # fmt: skip


def croissant_bytes(out: Path, intent: Intent, manifest: Manifest, files: Iterable[FileFact]) -> bytes:
    """Return croissant.json; it follows from the arguments and the schemas of the index alone.

    Args:
        out: The dataset folder, whose index is there.
        intent: What recipe.json holds.
        manifest: Ids, counts, index and label files; its hashes of itself and of the checksums are not looked at.
        files: Every file of the dataset that is hashed.
    """
    facts = {fact.path: fact for fact in files}
    tables = {PurePosixPath(fact.path).stem: pq.read_schema(out / fact.path) for fact in manifest.index}
    named = [fact.path for fact in manifest.index] + [export.path for export in manifest.exports]
    whole = [facts[path] for path in ("recipe.json", "taxonomy.json", *named)]
    sets = _folders(facts)
    counts, title = manifest.counts, title_of(intent)
    how = {"synthetic": "rendered", "real": "taken in from others", "mixed": "mixed of rendered and real pictures"}
    plain: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": f"{title}-{manifest.dataset_id}",
        "description": f"{title}: {counts.frames} frames of {counts.worlds} worlds, {how[manifest.origin]}, with "
        f"{counts.instances} labelled instances. Hashes of all files are in CHECKSUMS.sha256.",
        "identifier": manifest.dataset_id,
        "version": f"1.0.0+{manifest.dataset_id.replace('_', '-')}",
        "isLiveDataset": False,
        "distribution": [*map(_file_object, whole), *(_file_set(name, files) for name, files in sets.items())],
        "recordSet": [_record_set(name, schema, sets.keys()) for name, schema in tables.items()],
    }
    if isinstance(intent, Ingest):
        plain |= {"license": intent.licence} if intent.licence else {}
        plain |= {"isBasedOn": intent.source} if intent.source else {}
    if parents := parents_of(intent):
        plain["isBasedOn"] = [f"{parent.name} ({parent.dataset_id}, {parent.origin})" for parent in parents]
    return json_bytes(plain)


def _folders(facts: dict[str, FileFact]) -> dict[str, list[str]]:
    """Return the suffixes of the files in every folder of pictures and maps."""
    found: dict[str, set[str]] = {}
    for path in facts:  # no PurePosixPath: there may be a million
        folder, slash, rest = path.partition("/")
        if slash and folder not in (INDEX, "commit", "labels"):
            dot = rest.rfind(".")
            found.setdefault(folder, set()).add(rest[dot:] if dot > rest.rfind("/") else "")
    return {folder: sorted(suffixes) for folder, suffixes in sorted(found.items())}


def _file_object(fact: FileFact) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject", "@id": _id(fact.path), "name": fact.path, "contentUrl": fact.path,
        "contentSize": f"{fact.bytes} B", "encodingFormat": _encoding(PurePosixPath(fact.path).suffix),
        "sha256": fact.sha256,
    }  # fmt: skip


def _file_set(folder: str, suffixes: list[str]) -> dict[str, Any]:
    encodings = sorted({_encoding(suffix) for suffix in suffixes})
    return {
        "@type": "cr:FileSet", "@id": _id(folder), "name": folder, "includes": f"{folder}/*",
        "encodingFormat": encodings[0] if len(encodings) == 1 else encodings,
    }  # fmt: skip


def _record_set(table: str, schema: pa.Schema, folders: Iterable[str]) -> dict[str, Any]:
    key = [{"@id": _id(f"{table}/{name}")} for name in KEYS.get(table, ())]
    fields = list(_fields(table, schema, set(folders)))
    named: dict[str, Any] = {"@type": "cr:RecordSet", "@id": table, "name": table, "field": fields}
    return named | ({"key": key[0] if len(key) == 1 else key} if key else {})


def _fields(table: str, schema: pa.Schema, folders: set[str]) -> Iterator[dict[str, Any]]:
    joins = table == "frames" and IMAGE in schema.names and "images" in folders
    for column in schema:
        kind = _data_type(column)
        if kind is None or (joins and column.name == IMAGE):
            continue
        yield _field(table, column.name, kind, {"extract": {"column": column.name}})
    if joins:  # by the names of the files, which are unique, and text in every reader
        name = {"extract": {"column": IMAGE}, "transform": {"regex": "(?:.*/)?([^/]+)$"}}
        match = {"references": {"fileSet": {"@id": "images"}, "extract": {"fileProperty": "filename"}}}
        yield _field(table, "image_name", {"dataType": "sc:Text", **match}, name)
        content = {"fileSet": {"@id": "images"}, "extract": {"fileProperty": "content"}}
        yield {**_field(table, "picture", {"dataType": "sc:ImageObject"}, {}), "source": content}


def _field(table: str, name: str, kind: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:Field", "@id": _id(f"{table}/{name}"), "name": f"{table}/{name}", **kind,
        "source": {"fileObject": {"@id": _id(f"{INDEX}/{table}.parquet")}, **source},
    }  # fmt: skip


def _data_type(column: pa.Field) -> dict[str, Any] | None:
    """Return type and repetition of a column; None: Croissant has none for it, such as for hashes in bytes."""
    kind, plain = column.type, {}
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        kind, plain = kind.value_type, {"repeated": True}
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    for is_kind, name in (
        (pa.types.is_boolean, "sc:Boolean"),
        (pa.types.is_integer, "sc:Integer"),
        (pa.types.is_floating, "sc:Float"),
        (pa.types.is_string, "sc:Text"),
        (pa.types.is_large_string, "sc:Text"),
    ):
        if is_kind(kind):
            return {"dataType": name, **plain}
    return None


def _encoding(suffix: str) -> str:
    return ENCODINGS.get(suffix.lower(), "application/octet-stream")


def _id(text: str) -> str:
    return quote(text, safe="/._-")
