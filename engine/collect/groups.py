"""What pictures share so that they must stay together: bursts of one surface, frames of one sequence, of one scene.

A rule of `--group NAME=RULE` is a column of the source, `folder` (of the picture), or a regular expression with one
group over the picture's name. Splits and intervals of a dataset respect its groups: `group_columns` says which.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.collect.columns import OWN
from engine.collect.intent import Ingest, read_intent
from engine.collect.source import Picture
from engine.errors import UserError, near_matches
from engine.recipe import Recipe
from engine.write.begin import RECIPE

FOLDER = "folder"
WORLD = "world"
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
LONGEST_RULE = 200  # characters
LONGEST_SUBJECT = 255  # characters of a name that a rule is tried on
MOST_LOOPS = 2  # of *, + and {n,m}: steps grow as the length to their number and one
MOST_CHOICES = 6  # of ? and |: steps double with each
USUAL = ("surface", "sequence", "scene")  # columns that are groups wherever they are, in datasets made from others
OPTION = "groups"  # of the intent of an ingest


def parse_groups(texts: Sequence[str]) -> dict[str, str]:
    """Return the rules of `--group NAME=RULE` by name.

    Raises:
        UserError: If one is something else, or a name is taken.
    """
    rules: dict[str, str] = {}
    for text in texts:
        name, separator, rule = text.partition("=")
        if not separator or not rule or not NAME.fullmatch(name) or name in rules:
            raise UserError(f"--group {text}: expected NAME=RULE, a new name of small letters, digits and _")
        if name in OWN:
            raise UserError(f"--group {text}: '{name}' is a column of ours; choose another name, such as surface")
        rules[name] = rule
    return rules


def group_values(pictures: Sequence[Picture], rules: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the groups of every picture by name.

    Raises:
        UserError: If a rule is none, or a picture has no group by it.
    """
    known = {name for picture in pictures for name in picture.said}
    found: list[dict[str, Any]] = [{} for _ in pictures]
    for name, rule in rules.items():
        expression = None if rule == FOLDER or rule in known else _expression(name, rule, known)
        for picture, values in zip(pictures, found, strict=True):
            value = _value(picture, rule, expression)
            if value is None or value == "":
                raise UserError(
                    f"--group {name}={rule}: {picture.name} has no such group; every picture needs one, or the split "
                    "would leak"
                )
            values[name] = value
        if name in known and rule != name:
            raise UserError(f"--group {name}={rule}: the source has a column '{name}' already; choose another name")
    return found


def group_columns(dataset: Path) -> tuple[str, ...]:
    """Return the columns of frames whose values must not be torn apart by a split, the first the most important.

    Those that an ingest was told; of what was made from other datasets, those of its parents, and the usual ones
    (`surface`, `sequence`, `scene`) that are there. Rendered worlds are independent: none.
    """
    intent = read_intent(dataset / RECIPE)
    if isinstance(intent, Ingest):
        named = intent.options.get(OPTION, ())
        return (named,) if isinstance(named, str) else tuple(str(name) for name in named)
    frames = dataset / "index" / "frames.parquet"
    if not isinstance(intent, Recipe) and frames.is_file():
        import pyarrow.parquet as pq

        names = pq.read_schema(frames).names
        told = (name for parent in intent.parents for name in parent.groups)
        return tuple(name for name in dict.fromkeys((*told, *USUAL)) if name in names)
    return ()


def independent_column(dataset: Path, known: Collection[str], wanted: str | None = None) -> str:
    """Return the column whose values are independent observations, for intervals and for what looks alike by nature.

    Args:
        dataset: The folder.
        known: Its columns of frames and worlds.
        wanted: What a user says; None: the first of `group_columns` or, where nothing was rendered, of the usual ones;
            else the world. Frames without a value are grouped by world.
    Raises:
        UserError: If the dataset has no such column.
    """
    if wanted is not None and wanted not in known:
        near = near_matches(wanted, tuple(known))
        raise UserError(f"group {wanted}: {dataset.name} has no such column; near: {near}")
    if wanted is not None:
        return wanted
    usual = () if isinstance(read_intent(dataset / RECIPE), Recipe) else USUAL
    return next((name for name in (*group_columns(dataset), *usual) if name in known), WORLD)


def _value(picture: Picture, rule: str, expression: re.Pattern[str] | None) -> Any:
    if expression is not None:
        if len(picture.name) > LONGEST_SUBJECT:
            raise UserError(
                f"{picture.name}: the name is too long for a pattern, more than {LONGEST_SUBJECT} characters"
            )
        match = expression.search(picture.name)
        return None if match is None else match[1]
    if rule == FOLDER and FOLDER not in picture.said:
        return str(Path(picture.name).parent.as_posix())
    return picture.said.get(rule)


def _expression(name: str, rule: str, known: set[str]) -> re.Pattern[str]:
    """Return a regular expression that ends in a time bounded by the length of a name."""
    where = f"--group {name}={rule[:LONGEST_RULE]}"
    if "(" not in rule:
        near = near_matches(rule, tuple(sorted(known)))
        raise UserError(f"{where}: no column of the source, near: {near}; or write `folder`, or a pattern with a group")
    if len(rule) > LONGEST_RULE:
        raise UserError(f"{where}: a pattern has at most {LONGEST_RULE} characters")
    _check_bounded(rule, where)
    try:
        expression = re.compile(rule)
    except (re.error, OverflowError, RecursionError) as error:
        raise UserError(f"{where}: no regular expression: {error}") from error
    if expression.groups != 1:
        raise UserError(f"{where}: has {expression.groups} groups; put one pair of parentheses around what counts")
    return expression


def _check_bounded(rule: str, where: str) -> None:
    """Refuse what can take exponential time: a repeated group, a reference back, looking around, many open loops."""
    bare = re.sub(r"\[\^?\]?(?:\\.|[^\]\\])*\]", "x", re.sub(r"\\[^0-9]", "x", rule))  # escapes and classes are letters
    if re.search(r"\)\s*[*+?{]", bare):
        raise UserError(f"{where}: a group may not be repeated, that can take forever; repeat what is in it")
    if re.search(r"\\[0-9]|\(\?(?!:)", bare):
        raise UserError(f"{where}: references back and (?...) are not understood; use plain groups")
    if len(re.findall(r"[*+]|\{\d*,\d*\}", bare)) > MOST_LOOPS:
        raise UserError(f"{where}: at most {MOST_LOOPS} of *, + and {{n,m}}; write classes such as [0-9]{{4}}")
    if len(re.findall(r"[?|]", bare.replace("(?:", "("))) > MOST_CHOICES:
        raise UserError(f"{where}: at most {MOST_CHOICES} of ? and |")
