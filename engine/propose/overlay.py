"""The recipe of a proposal: `conf/recipe/NAME.yaml`, and the command lines that render it and the recipe as it was.

An overlay is composed before it counts, and must give the dataset's own recipe but for laws, seed and parents.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from engine.config import compose
from engine.errors import UserError
from engine.plain import to_plain
from engine.recipe import Laws, Parent, Recipe
from engine.write.files import TEMPORARY, publish, remove_tree

CONF = "conf"
OURS = ("seed", "count", "worlds", "parents", "recipe", "out")  # overrides of the old command that are set anew
OF_THE_SCENE = ("assets", "taxonomy_id")  # of a recipe that is only known once the scene is loaded
REWEIGHT = re.compile(r"laws\.reweight\.(?:p\.)?")
LARGEST_SEED = 2**31


@dataclass(frozen=True)
class Command:
    """How a dataset was made, as far as a new one is made the same way."""

    overrides: tuple[str, ...]  # without those that are set anew
    recipe: str | None  # the choice `recipe=` that was on top of it
    folders: tuple[Path, ...]  # configuration folders of the user

    def line(self, *more: str, conf: Path | None = None) -> list[str]:
        """Return the arguments of `python -m engine.run`."""
        return [*_folder_options((*self.folders, *(() if conf is None else (conf,)))), *self.overrides, *more]


def command_of(overrides: Sequence[str], folders: Sequence[Path]) -> Command:
    """Return a command without what is set anew."""
    kept, recipe = [], None
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        if key == "recipe":
            recipe = value
        if key not in OURS:
            kept.append(override)
    return Command(tuple(kept), recipe, tuple(path.absolute() for path in folders))


def write_overlay(
    out: Path, name: str, base: Recipe, command: Command, reweight: Mapping[str, Any], why: Parent, seed: int
) -> Command:
    """Write an overlay and return the command that it goes on top of.

    Args:
        out: Folder of the proposal.
        name: Of the recipe.
        base: Recipe of the dataset whose laws are re-weighted.
        command: That made it.
        reweight: New laws by column.
        why: What the recipe is derived from.
        seed: Of the new recipe, so that its worlds are none of the old ones.
    Raises:
        UserError: If command and overlay do not compose to what is meant.
    """
    command = replace(command, overrides=tuple(o for o in command.overrides if not _is_law_of(o, reweight)))
    wanted = replace(base, laws=Laws({**base.laws.reweight, **reweight}, base.laws.groups), seed=seed,
                     parents=(*(one for one in base.parents if one.id != why.id), why))  # fmt: skip
    problem = ""
    for spelled in (str, "p.{}".format):
        data: dict[str, Any] = {} if command.recipe in (None, "null") else {"defaults": [command.recipe]}
        data |= {"seed": seed, "parents": to_plain(wanted)["parents"], "laws": {"reweight": {}}}
        for key, law in sorted(reweight.items()):
            other = f"p.{key}" if spelled is str else key
            data["laws"]["reweight"][spelled(key)] = law
            if key in base.laws.reweight:
                data["laws"]["reweight"][other] = None  # what an earlier overlay has there
        _write(out, name, data, why)
        try:
            made, _ = compose(_search((*command.folders, out / CONF)), *command.overrides, f"recipe={name}", "count=1")
        except UserError as error:
            problem = str(error)
            continue
        differs = differing(made, wanted)
        if not differs:
            return command
        problem = f"{', '.join(differs)} differ"
    raise UserError(
        f"'{shlex.join(command.overrides)}' with the new laws does not make the dataset's recipe: {problem}; "
        "give the command line that made it with --run, and its folders with --config-dir"
    )


def differing(made: Recipe, wanted: Recipe) -> list[str]:
    """Return the keys in which two recipes differ, but for what only the loaded scene says."""
    one, other = to_plain(made), to_plain(wanted)
    return [key for key in one if key not in OF_THE_SCENE and one[key] != other.get(key)]


def seed_of(report: str, name: str, attempt: int) -> int:
    """Return a seed that follows from the report and the target, another one at every attempt."""
    import hashlib

    return int(hashlib.sha256(f"{report}|{name}|{attempt}".encode()).hexdigest()[:12], 16) % LARGEST_SEED


def slug(name: str) -> str:
    """Return a name as a recipe's file may be called."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return f"towards_{plain or 'target'}"[:60]


def spoken(arguments: Sequence[str], *, module: str = "engine.run") -> str:
    """Return a command line as it is typed."""
    return shlex.join(["python", "-m", module, *arguments])


def _write(out: Path, name: str, data: Mapping[str, Any], why: Parent) -> None:
    head = f"# @package _global_\n# {' '.join(why.why.split())}\n"
    text = yaml.safe_dump(dict(data), sort_keys=False, default_flow_style=None, width=120)
    try:
        publish(out, out / CONF / "recipe" / f"{name}.yaml", [(head + text).encode()])
    finally:
        remove_tree(out / TEMPORARY)


def _is_law_of(override: str, reweight: Mapping[str, Any]) -> bool:
    key = override.lstrip("+~").partition("=")[0]
    found = REWEIGHT.match(key)
    return found is not None and any(
        key[found.end() :] == c or key[found.end() :].startswith(f"{c}.") for c in reweight
    )


def _search(folders: Sequence[Path]) -> str:
    return f"hydra.searchpath=[{','.join(f'file://{path}' for path in folders)}]"


def _folder_options(folders: Sequence[Path]) -> list[str]:
    """Return the options that name configuration folders: one as --config-dir, more as Hydra's search path."""
    if not folders:
        return []
    more = [] if len(folders) == 1 else [_search(folders[:-1])]
    return ["--config-dir", str(folders[-1]), *more]
