"""Scenes: a USD stage as plain arrays."""

from engine.scene.error import SceneError
from engine.scene.frames import load_frames
from engine.scene.load import load_scene
from engine.scene.model import Scene
from engine.scene.options import SceneOptions
from engine.scene.override import DrawnWorld, write_world
from engine.scene.report import summary

__all__ = ["DrawnWorld", "Scene", "SceneError", "SceneOptions", "load_frames", "load_scene", "summary", "write_world"]
