"""Selection by name: globs over prim paths, with an error that lists near matches when nothing is selected."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError, near_matches
from engine.scene.model import Anchor, Scene

# One glob or several; `*` also crosses `/`, and a leading `!` takes away what it matches.
Glob = str | tuple[str, ...]


def select(globs: Glob, names: Sequence[str], *, what: str, where: str) -> NDArray[np.int64]:
    """Return the positions of the names that the globs select, ascending.

    Args:
        what: What the names are, for the error, such as "light".
        where: The path of the globs in the configuration.
    Raises:
        UserError: If a glob matches no name, or nothing is left.
    """
    patterns = (globs,) if isinstance(globs, str) else globs
    chosen: set[int] = set()
    for pattern in patterns:
        plain = pattern.removeprefix("!")
        found = {i for i, name in enumerate(names) if name == plain or fnmatchcase(name, plain)}
        if not found:
            near = near_matches(plain, tuple(names))
            raise UserError(f"{where}: '{plain}' matches no {what}; the scene has {near}")
        chosen = chosen - found if pattern.startswith("!") else chosen | found
    if not chosen:
        raise UserError(f"{where}: {list(patterns)} selects no {what}")
    return np.array(sorted(chosen), dtype=np.int64)


def instances(scene: Scene, globs: Glob, where: str) -> NDArray[np.int64]:
    """Return the indices of the selected instances; the background is none."""
    return 1 + select(globs, scene.instances.path[1:], what="instance", where=where)


def lights(scene: Scene, globs: Glob, where: str) -> NDArray[np.int64]:
    """Return the indices of the selected lights."""
    return select(globs, [light.name for light in scene.lights], what="light", where=where)


def materials(scene: Scene, globs: Glob, where: str) -> NDArray[np.int64]:
    """Return the indices of the selected materials, bound or not; the fallback, material 0, can be named too."""
    names = {material.name: index for index, material in enumerate(scene.materials)}
    names |= {name: index for name, index in scene.material_of.items() if name not in names}  # equal to another one
    chosen = select(globs, list(names), what="material", where=where)
    return np.unique(np.array(list(names.values()), np.int64)[chosen])


def anchors(scene: Scene, kind: str, where: str) -> tuple[Anchor, ...]:
    """Return the anchors of a kind, sorted by path.

    Raises:
        UserError: If there is none.
    """
    found = sorted((anchor for anchor in scene.anchors if anchor.kind == kind), key=lambda anchor: anchor.path)
    if not found:
        kinds = tuple(sorted({anchor.kind for anchor in scene.anchors}))
        raise UserError(f"{where}: no anchor of kind '{kind}'; the scene has {near_matches(kind, kinds)}")
    return tuple(found)
