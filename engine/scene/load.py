"""From a USD file to a `Scene`: from the cache, in a child process, or here."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from engine.scene.error import SceneError
from engine.scene.model import Note, Scene
from engine.scene.options import SceneOptions
from engine.scene.store import cache
from engine.scene.store.arrays import Arrays, ArraysError
from engine.scene.store.files import FileLedger, check_root_file, taxonomy_file
from engine.scene.store.tensor_file import TensorFileError


def load_scene(path: Path | str, options: SceneOptions | None = None) -> Scene:
    """Return a USD stage as plain arrays in metres, Z up, linear colour.

    What was converted, approximated, skipped, repaired or wrong is a line of `Scene.notes`. Lights stay empty when the
    stage has none; see `engine.scene.defaults`. Files are read only from the scene's own folders: the folder of the
    root layer and up to four above it, or `options.roots`. A scene from the cache or from a child process (see
    `SceneOptions`) equals one that is read here, bit for bit; its arrays cannot be written to.

    Raises:
        SceneError: One line that names the file or prim and the repair.
        Stopped: If a stop signal came while a child process read the scene.
    """
    from engine.scene.store.sandbox import is_sandboxed, read_in_child

    path, options = Path(path).absolute(), options or SceneOptions()
    check_root_file(path, options)
    slot = cache.slot_of(path, options)
    found = cache.Found(None) if slot is None else cache.find(slot)
    notes = [Note("repaired", "cache", f"a damaged entry was made again: {what}") for what in found.damage]
    scene = found.scene
    if scene is None and is_sandboxed(path, options):
        buffer = read_in_child(path, options)
        try:
            scene = cache.unpack(buffer, path)
        except (TensorFileError, ArraysError) as error:
            raise SceneError(f"scene '{path}': the child process wrote unusable arrays: {error}") from None
        notes += _stored(slot, buffer)
    elif scene is None:
        scene, files = read_scene(path, options)
        if slot is not None:
            notes += _stored(slot, cache.pack(scene, path, files))
    return dataclasses.replace(scene, notes=(*scene.notes, *notes)) if notes else scene


def read_scene(path: Path, options: SceneOptions) -> tuple[Scene, FileLedger]:
    """Return a scene read in this process, without the cache, and which files it came from.

    Raises:
        SceneError: One line that names the file or prim and the repair.
    """
    from engine.scene.usd.scene import build_scene  # imports pxr

    files = FileLedger()
    taxonomy = taxonomy_file(options.taxonomy, path)
    if taxonomy.is_file():
        files.read(taxonomy)
    else:
        files.missing(str(taxonomy))
    scene = build_scene(path, options, files)
    for asset in scene.assets:
        files.read(path.resolve().parent / asset.path)
    return scene, files


def _stored(slot: cache.Slot | None, what: memoryview | tuple[Arrays, cache.Metadata]) -> list[Note]:
    """Put a scene into the cache; return what to say if it cannot be written, which costs only the next load's time."""
    if slot is None:
        return []
    try:
        if isinstance(what, memoryview):
            cache.store_buffer(slot, what)
        else:
            cache.store_arrays(slot, *what)
    except OSError as error:
        return [Note("skipped", "cache", f"the scene was not kept in '{slot.folder}': {error.strerror}")]
    return []
