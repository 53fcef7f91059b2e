"""One set of columns, and one taxonomy, for the frames of several datasets; what cannot be one is an error."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import pyarrow as pa

from engine.collect.parent import HASH_SUFFIX
from engine.errors import UserError
from engine.scene.taxonomy import ObjectClass, Taxonomy
from engine.write.rows import RLE_COLUMN, SORT_KEYS

KEPT = frozenset({
    *(key for keys in SORT_KEYS.values() for key in keys), "frame_id", "width", "height", "class", "class_id", "bbox",
    "area_px", "n_instances", "kind", "near_miss", RLE_COLUMN,
})  # fmt: skip
WIDEST_EXACT = 32  # bits of integers that a float of 64 holds


def unify_columns(name: str, schemas: Sequence[tuple[str, pa.Schema]], drop: Iterable[str] = ()) -> pa.Schema:
    """Return the columns of a table of several datasets: the first one's, then what each later one adds.

    Lists of a fixed size that some dataset has not become lists of any length: Arrow 25 and older cannot read a file
    where such a list is null.

    Args:
        name: Of the table.
        schemas: What a dataset is called, and its columns.
        drop: Columns, as `table.column`, that are left out; of one that names files, also that of their hashes.
    Raises:
        UserError: If a column has types of which none holds the values of both, or one that is needed is dropped.
    """
    without = {text.removeprefix(f"{name}.") for text in drop if text.startswith(f"{name}.")}
    if needed := sorted(without & KEPT):
        raise UserError(f"--drop {name}.{needed[0]}: no dataset can be without it")
    types: dict[str, tuple[str, pa.DataType]] = {}
    everywhere = set.intersection(*(set(schema.names) for _, schema in schemas))
    for title, schema in schemas:
        for field in schema:
            if field.name in without or field.name.removesuffix(HASH_SUFFIX) in without:
                continue
            if field.name not in types:
                types[field.name] = title, field.type
                continue
            first, have = types[field.name]
            both = unify_types(have, field.type)
            if both is None:
                raise UserError(
                    f"{name}.{field.name} is {have} in {first} and {field.type} in {title}, which fit no "
                    f"column; leave it out with --drop {name}.{field.name}, or make one of them again"
                )
            types[field.name] = first, both
    return pa.schema([(c, kind if c in everywhere else _any_length(kind)) for c, (_, kind) in types.items()])


def unify_types(one: pa.DataType, two: pa.DataType) -> pa.DataType | None:
    """Return a type that holds the values of both, None if there is none.

    Whole numbers and floats meet in floats of 64 bits, lists of different lengths in lists of any length.
    """
    if one == two or pa.types.is_null(two):
        return one
    if pa.types.is_null(one):
        return two
    if pa.types.is_dictionary(one) or pa.types.is_dictionary(two):
        return unify_types(*(kind.value_type if pa.types.is_dictionary(kind) else kind for kind in (one, two)))
    if _is_list(one) and _is_list(two):
        item = unify_types(one.value_type, two.value_type)
        same = all(map(pa.types.is_fixed_size_list, (one, two))) and one.list_size == two.list_size
        return None if item is None else pa.list_(item, one.list_size) if same else pa.list_(item)
    if _is_number(one) and _is_number(two):
        return _unify_numbers(one, two)
    return None


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the rows of a table with the columns of a schema, null where the table has none."""
    names = set(table.column_names)
    columns = [
        table[field.name].cast(field.type) if field.name in names else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def unify_taxonomies(taxonomies: Sequence[tuple[str, Taxonomy]]) -> Taxonomy:
    """Return the classes of several datasets; the first that has a class says what it is called.

    Raises:
        UserError: If an id means two classes, a class has two ids, or it has other keypoints elsewhere.
    """
    first = taxonomies[0][1]
    if all(taxonomy.id == first.id for _, taxonomy in taxonomies):
        return first
    by_id: dict[int, tuple[str, ObjectClass]] = {}
    by_key: dict[str, tuple[str, ObjectClass]] = {}
    for title, taxonomy in taxonomies:
        for own in taxonomy.classes:
            where, same_id = by_id.get(own.id, (title, own))
            if same_id.key != own.key:
                raise _clash(f"class id {own.id} is '{same_id.key}' in {where} and '{own.key}' in {title}")
            where, same_key = by_key.get(own.key, (title, own))
            if same_key.id != own.id:
                raise _clash(f"class '{own.key}' has id {same_key.id} in {where} and id {own.id} in {title}")
            for part in ("keypoints", "skeleton", "sigmas"):
                if getattr(same_id, part) != getattr(own, part):
                    raise _clash(f"class '{own.key}' has other {part} in {title} than in {by_id[own.id][0]}")
            by_id.setdefault(own.id, (title, own))
            by_key.setdefault(own.key, (title, own))
    versions = dict.fromkeys(taxonomy.version for _, taxonomy in taxonomies)
    classes = tuple(by_id[number][1] for number in sorted(by_id))
    return dataclasses.replace(first, version="+".join(versions), classes=classes)


def _clash(what: str) -> UserError:
    return UserError(
        f"{what}; give both one taxonomy: ingest the real one again with --taxonomy or --classes, or render with the "
        "classes of the other"
    )


def _unify_numbers(one: pa.DataType, two: pa.DataType) -> pa.DataType | None:
    floats, whole = [kind for kind in (one, two) if pa.types.is_floating(kind)], (one, two)
    if len(floats) == 2:
        return max(whole, key=lambda kind: kind.bit_width)
    if floats:
        integer = two if floats[0] is one else one
        is_exact = integer.bit_width <= WIDEST_EXACT or pa.types.is_signed_integer(integer)
        return pa.float64() if is_exact else None  # signed ones of 64 bits are counts, which stay below 2^53
    if pa.types.is_signed_integer(one) == pa.types.is_signed_integer(two):
        return max(whole, key=lambda kind: kind.bit_width)
    unsigned = one if pa.types.is_unsigned_integer(one) else two
    return pa.int64() if unsigned.bit_width <= WIDEST_EXACT else None


def _any_length(kind: pa.DataType) -> pa.DataType:
    return pa.list_(kind.value_type) if pa.types.is_fixed_size_list(kind) else kind


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind))
