"""From a USD file to its scenes at several times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from engine.scene.load import load_scene
from engine.scene.model import Mesh, Scene, Texture
from engine.scene.options import SceneOptions
from engine.scene.store.files import check_root_file

T = TypeVar("T", Mesh, Texture)


def load_frames(path: Path | str, times: Sequence[float], options: SceneOptions | None = None) -> Iterator[Scene]:
    """Return the scene of a USD file at every time code, in the order asked for; `options.time` is not used.

    Each equals what `load_scene` returns for its time. The stage stays open between them. Meshes and textures that do
    not change are the same objects in every scene, so that a device needs them once; subdivision is worked out once
    for a topology. `Scene.notes` are those of all scenes so far. A file that must be read in a child process (see
    `SceneOptions`) is read anew for every time.

    Raises:
        SceneError: One line that names the file or prim and the repair.
    """
    from engine.scene.store.sandbox import is_sandboxed

    path, options = Path(path).absolute(), options or SceneOptions()
    check_root_file(path, options)
    if not is_sandboxed(path, options):
        from engine.scene.usd.frames import build_frames  # imports pxr

        return build_frames(path, times, options)
    return _shared(load_scene(path, replace(options, time=time)) for time in times)


def _shared(scenes: Iterator[Scene]) -> Iterator[Scene]:
    """Return scenes whose meshes and textures are those of the scene before where they are equal."""
    before: Scene | None = None
    for scene in scenes:
        frame = scene
        if before is not None:
            meshes = {mesh.name: mesh for mesh in before.meshes}
            textures = {texture.name: texture for texture in before.textures}
            frame = replace(
                scene,
                meshes=tuple(_same(meshes.get(mesh.name), mesh) for mesh in scene.meshes),
                textures=tuple(_same(textures.get(texture.name), texture) for texture in scene.textures),
            )
        yield frame
        before = frame


def _same(known: T | None, new: T) -> T:
    """Return the known object if it equals the new one."""
    if known is None:
        return new
    pairs = zip(vars(known).values(), vars(new).values(), strict=True)
    equal = all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a is b or a == b for a, b in pairs)
    return known if equal else new
