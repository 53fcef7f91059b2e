"""The one error of scene loading."""

from __future__ import annotations

from engine.errors import UserError


class SceneError(UserError, ValueError):
    """A scene cannot be used; the message is one line that names the file or prim and the repair."""
