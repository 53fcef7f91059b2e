"""Plug-in modules: other people's randomisers and writers, registered by importing their module.

They are named by installed entry points (group `ommatidia.plugins`), by the environment variable `OMMATIDIA_PLUGINS`
(modules separated by commas) or by `--plugin MODULE` on the command line, which adds to that variable so that worker
processes see it. A recipe or manifest only records them: reading a foreign dataset runs none of its code.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import sys

from engine.errors import UserError

ENTRY_POINT_GROUP = "ommatidia.plugins"
ENVIRONMENT = "OMMATIDIA_PLUGINS"
OPTION = "--plugin"


def take_options(arguments: list[str]) -> list[str]:
    """Return the arguments without `--plugin MODULE`, which go to the environment.

    Raises:
        UserError: If a module's name is missing.
    """
    rest, named = [], []
    words = iter(arguments)
    for word in words:
        if word == OPTION or word.startswith(OPTION + "="):
            module = next(words, "") if word == OPTION else word.partition("=")[2]
            if not module or "=" in module or module.startswith("-"):
                raise UserError(f"{OPTION} needs the name of a module, such as {OPTION} my_randomizers")
            named.append(module)
        else:
            rest.append(word)
    if named:
        before = [os.environ[ENVIRONMENT]] if os.environ.get(ENVIRONMENT) else []
        os.environ[ENVIRONMENT] = ",".join([*before, *named])
    return rest


def load_plugins() -> tuple[str, ...]:
    """Import every plug-in and return `module==version` for each, sorted; the version is `0` for a loose file.

    Raises:
        UserError: If a module named in the environment cannot be found.
    """
    named = [name.strip() for name in os.environ.get(ENVIRONMENT, "").split(",") if name.strip()]
    if named and "" not in sys.path:
        sys.path.insert(0, "")  # a module beside the user's configuration, as `python -m` finds it
    for name in named:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name.partition(".")[0] and error.name != name:
                raise
            raise UserError(f"plug-in '{name}' is not installed and not in the working folder") from error
    points = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    for point in points:
        point.load()
    installed = {point.module: point.dist.version for point in points if point.dist is not None}
    found = {**{name: _version(name) for name in named}, **installed}
    return tuple(f"{name}=={version}" for name, version in sorted(found.items()))


def _version(module: str) -> str:
    packages = importlib.metadata.packages_distributions().get(module.partition(".")[0], [])
    return importlib.metadata.version(packages[0]) if packages else "0"
