"""Scenes: a USD stage as plain arrays."""

from engine.scene.error import SceneError
from engine.scene.load import load_scene
from engine.scene.model import Scene
from engine.scene.notes import summary
from engine.scene.options import SceneOptions

__all__ = ["Scene", "SceneError", "SceneOptions", "load_scene", "summary"]
