"""What `--cfg job` adds to the configuration: the laws as they are drawn, with those of the scene and re-weightings.

Every line is a YAML comment, so that the output stays a configuration.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from engine.config import compose
from engine.errors import UserError
from engine.randomize.kinds import randomizer
from engine.randomize.laws.columns import law_columns
from engine.randomize.laws.describe import describe
from engine.randomize.laws.model import columns_asked
from engine.randomize.laws.rules import resolve
from engine.randomize.laws.support import support, unit_of
from engine.recipe import Recipe

CONFIG_OPTIONS = ("--cfg", "-c")
CONFIG_DIR_OPTIONS = ("--config-dir", "-cd")
OTHER_TREES = ("hydra", "--package", "-p")  # a configuration without laws, or a part of one


def laws_of_command(options: Sequence[str], overrides: Sequence[str]) -> tuple[str, ...]:
    """Return the lines that follow a printed configuration; none where another part of it was asked for."""
    words = [part for option in options for part in option.split("=", 1)]
    if not any(word in CONFIG_OPTIONS for word in words) or any(word in OTHER_TREES for word in words):
        return ()
    folders = [after for before, after in itertools.pairwise(words) if before in CONFIG_DIR_OPTIONS]
    try:
        recipe, _ = compose(*overrides, config_dir=folders[0] if folders else None)
        return law_lines(recipe)
    except UserError as error:
        return (f"# laws: {error}",)


def law_lines(recipe: Recipe) -> tuple[str, ...]:
    """Return one line a law, in the order in which they are drawn: column, unit, law, range, and what changed it."""
    found = resolve(recipe.randomize, recipe.laws)
    breadth = recipe.dr.breadth
    lines = [f"# laws as they are drawn, {breadth:g} of their breadth: column [unit] law, range"]
    for entry in found.randomizers:
        written = {c.key: c.law for c in law_columns(randomizer(entry.name, recipe.randomize[entry.name]).params)}
        for column in law_columns(entry.params):
            key = f"{entry.name}.{column.key}"
            low, high = support(column.law, breadth)
            line = f"# p.{key} [{unit_of(column.key)}] {describe(column.law)}, [{low:g}, {high:g}]"
            if key in recipe.laws.reweight:
                line += f"; re-weighted, was {describe(written[column.key])}"
            if asked := columns_asked(column.law):
                line += f"; hangs on {', '.join(asked)}"
            if (member := found.rules.members.get(key)) is not None:
                line += f"; {member.group.TAG[1]} in {member.name}"
            lines.append(line)
    lines += [
        f"# p.{key} = {value}, re-weighted" for key, value in recipe.laws.reweight.items() if key.endswith(".weights")
    ]
    return tuple(lines)
