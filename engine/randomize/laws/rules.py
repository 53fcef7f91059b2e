"""Rules: what randomisers draw, once re-weightings, groups and conditions are worked out, and in which order.

Re-weighting. `laws.reweight` maps a column to the law that takes the place of its own; `{law: base}` in it stands for
that one. A column of names has weights instead: `carton_board.weights: [1, 1, 4]`.

Order. Stages, then names decide, but what a conditional law hangs on runs first, where both are of one stage.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import UserError, near_matches
from engine.plain import from_plain, to_plain
from engine.randomize.kinds import Randomizer, checked_randomizers, randomizer
from engine.randomize.laws.columns import choice_columns, law_columns, replaced
from engine.randomize.laws.group import Correlated, Group, Member, read_group
from engine.randomize.laws.model import Law, columns_asked
from engine.recipe import Laws

PREFIX = "p."  # of columns in a dataset's tables
BASE = "base"
WEIGHTS = "weights"


@dataclass(frozen=True)
class Rules:
    """What randomisers look up as they draw, by column `<randomiser>.<key>`."""

    laws: Mapping[str, Law] = field(default_factory=dict)
    members: Mapping[str, Member] = field(default_factory=dict)


@dataclass(frozen=True)
class Resolved:
    """Checked randomisers in the order in which they run, with the laws that hold, and their rules."""

    randomizers: tuple[Randomizer, ...]
    rules: Rules


def resolve(randomize: Mapping[str, object], laws: Laws) -> Resolved:
    """Return the randomisers of a recipe with everything that stands over their laws worked out.

    Raises:
        UserError: One line: the path, and what is known there, or which columns hang on each other in a circle.
    """
    entries = {name: randomizer(name, data) for name, data in randomize.items()}
    for column, value in laws.reweight.items():
        entry, path = _place(entries, plain_column(column), f"laws.reweight.{column}")
        plain = {"kind": entry.entry.kind, "per": entry.per, **to_plain(entry.params)}
        try:
            entries[entry.name] = randomizer(entry.name, replaced(plain, path, value))
        except UserError as error:
            said = str(error).removeprefix(f"randomize.{entry.name}: ")
            raise UserError(f"laws.reweight.{column}: {said}") from error
    drawn = {f"{entry.name}.{c.key}": c.law for entry in entries.values() for c in law_columns(entry.params)}
    named = {f"{entry.name}.{key}" for entry in entries.values() for key in choice_columns(entry.params)}
    members = _members(laws.groups, entries, {*drawn, *named})
    return Resolved(_in_order(entries, drawn), Rules(drawn, members))


def checked_laws(randomize: Mapping[str, object], laws: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a recipe keeps of the key `laws`: checked, with every key written out and `base` spelled out.

    Raises:
        UserError: One line: the path, and what is known there.
    """
    entries = {name: randomizer(name, data) for name, data in randomize.items()}
    reweight: dict[str, Any] = {}
    for column, value in _flat(laws["reweight"]).items():
        where, plain = f"laws.reweight.{column}", plain_column(column)
        if plain in reweight:
            raise UserError(f"{where}: the column has two laws")
        entry, path = _place(entries, plain, where)
        if path == (WEIGHTS,):
            reweight[plain] = [float(weight) for weight in from_plain(tuple[float, ...], value, where)]
        else:
            base = next(c.law for c in law_columns(entry.params) if c.path == path)
            reweight[plain] = to_plain(from_plain(Law, _with_base(value, to_plain(base)), where))  # type: ignore[arg-type]
    groups = {name: to_plain(_plain_keys(read_group(name, data))) for name, data in laws["groups"].items()}
    resolve(randomize, Laws(reweight, groups))
    return {"reweight": reweight, "groups": groups}


def resolved_plain(randomize: Mapping[str, object], laws: Laws) -> dict[str, dict[str, Any]]:
    """Return the entries of a recipe as they are drawn: with re-weightings in the place of the laws of the scene."""
    found = {
        r.name: {"kind": r.entry.kind, "per": r.per, **to_plain(r.params)} for r in resolve(randomize, laws).randomizers
    }
    return checked_randomizers(found)


def plain_column(column: str) -> str:
    """Return `<randomiser>.<key>` of a column, which in tables begins with `p.`."""
    return column.removeprefix(PREFIX) if column.count(".") > 1 else column


def _flat(tree: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return laws by column; a command line nests them: `+laws.reweight.camera.focal_mm={law: ...}`."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        column = f"{above}{key}"
        if isinstance(value, Mapping) and "law" not in value:
            found |= _flat(value, f"{column}.")
        elif value is not None:
            found[column] = value
    return found


def _with_base(data: Any, base: Any) -> Any:
    if isinstance(data, Mapping):
        if data.get("law") == BASE:
            return base
        return {key: _with_base(item, base) for key, item in data.items()}
    return [_with_base(item, base) for item in data] if isinstance(data, list) else data


def _place(entries: Mapping[str, Randomizer], column: str, where: str) -> tuple[Randomizer, tuple[str | int, ...]]:
    """Return the randomiser of a column and the path to its law, or to its weights."""
    name, _, key = column.partition(".")
    if name not in entries:
        raise UserError(f"{where}: no randomiser '{name}'; there are {near_matches(name, tuple(entries))}")
    entry = entries[name]
    places = {c.key: c.path for c in law_columns(entry.params)}
    if hasattr(entry.params, WEIGHTS):
        places[WEIGHTS] = (WEIGHTS,)
    if key not in places:
        raise UserError(f"{where}: {name} has no law '{key}'; it has {', '.join(places) or 'none'}")
    return entry, places[key]


def _plain_keys(group: Any) -> Any:
    return dataclasses.replace(group, keys=tuple(plain_column(key) for key in group.keys))


def _members(groups: Mapping[str, object], entries: Mapping[str, Randomizer], columns: set[str]) -> dict[str, Member]:
    """Return each grouped column's place in its group."""
    members: dict[str, Member] = {}
    for name, data in groups.items():
        group = read_group(name, data)
        for key in group.keys:
            if key not in columns:
                near = near_matches(key, tuple(sorted(columns)))
                raise UserError(f"laws.groups.{name}: no law draws the column '{key}'; there are {near}")
            if key in members:
                raise UserError(f"laws.groups.{name}: {key} is in {members[key].name} already; a column has one group")
        per_step = {key: entries[key.partition(".")[0]].per == "step" for key in group.keys}
        _check_per(f"laws.groups.{name}", group, per_step)
        members |= {key: Member(name, group, key, per_step) for key in group.keys}
    return members


def _check_per(where: str, group: Group, per_step: Mapping[str, bool]) -> None:
    """Refuse a group in which a value of a world would hang on one of a step, or cells and points would part."""
    world, step = ([key for key in group.keys if per_step[key] == each] for each in (False, True))
    if not world or not step:
        return
    if not isinstance(group, Correlated):
        raise UserError(
            f"{where}: {world[0]} is drawn once a world, {step[0]} at every step; "
            f"a {group.TAG[1]} group needs one `per`"
        )
    if group.keys[: len(world)] != tuple(world):
        raise UserError(
            f"{where}: {step[0]} is drawn at every step, and what is drawn once a world comes first; "
            f"keys: [{', '.join((*world, *step))}]"
        )


def _in_order(entries: Mapping[str, Randomizer], drawn: Mapping[str, Law]) -> tuple[Randomizer, ...]:
    """Return the entries by stage and name, but each after those that its conditional laws hang on."""
    needs: dict[str, dict[str, str]] = {name: {} for name in entries}
    for column, law in drawn.items():
        name = column.partition(".")[0]
        for asked in columns_asked(law):
            other, where = asked.partition(".")[0], f"randomize.{column}"
            if other not in entries:
                raise UserError(f"{where}: by names {asked}, but there is no randomiser '{other}'")
            if entries[other].per == "step" and entries[name].per == "world":
                raise UserError(
                    f"{where}: by names {asked}, which is drawn at every step, this law once a world; "
                    f"write randomize.{name}.per: step"
                )
            if entries[other].stage > entries[name].stage:
                raise UserError(
                    f"{where}: by names {asked}, which is drawn later: {entries[other].entry.kind} runs after "
                    f"{entries[name].entry.kind}; let {asked} hang on {column} instead"
                )
            needs[name].setdefault(other, f"{column} hangs on {asked}")
    _refuse_circles(drawn)
    waiting = sorted(entries.values(), key=lambda entry: (entry.stage, entry.name))
    ordered: list[Randomizer] = []
    while waiting:
        there = {entry.name for entry in ordered}
        ready = (entry for entry in waiting if set(needs[entry.name]) <= {*there, entry.name})
        if (found := next(ready, None)) is None:
            reasons = [why for entry in waiting for other, why in needs[entry.name].items() if other != entry.name]
            raise UserError(
                f"laws hang on each other in a circle: {'; '.join(reasons)}; break it, or split a randomiser"
            )
        ordered.append(found)
        waiting.remove(found)
    return tuple(ordered)


def _refuse_circles(drawn: Mapping[str, Law]) -> None:
    """Refuse columns that hang on themselves."""

    def follow(column: str, path: tuple[str, ...]) -> None:
        if column in path:
            circle = (*path[path.index(column) :], column)
            raise UserError(f"laws hang on each other in a circle: {' -> '.join(circle)}; break it")
        for asked in columns_asked(drawn[column]) if column in drawn else ():
            follow(asked, (*path, column))

    for column in drawn:
        follow(column, ())
