"""Ommatidia: from a USD scene to a labelled, verifiable dataset.

The public names; each is imported when it is first used, so that `import engine` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.config import compose
    from engine.errors import UserError
    from engine.factory import generate
    from engine.online import stream
    from engine.recipe import Job, Recipe
    from engine.scene import Scene, SceneOptions, load_scene

__version__ = "0.1.0"

__all__ = [
    "compose",
    "generate",
    "stream",
    "load_scene",
    "Recipe",
    "Job",
    "Scene",
    "SceneOptions",
    "UserError",
    "__version__",
]

_HOME = {
    "compose": "engine.config",
    "generate": "engine.factory",
    "stream": "engine.online",
    "load_scene": "engine.scene",
    "Recipe": "engine.recipe",
    "Job": "engine.recipe",
    "Scene": "engine.scene",
    "SceneOptions": "engine.scene",
    "UserError": "engine.errors",
}


def __getattr__(name: str) -> object:
    """Return a public name, importing the module it lives in."""
    if name not in _HOME:
        raise AttributeError(f"module 'engine' has no attribute {name!r}; public names: {', '.join(__all__)}")
    value: object = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, for completion in notebooks."""
    return sorted(__all__)
