"""The layers that a stage can reach, each checked before USD opens it, and the files that were read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pxr import Ar, Sdf, Tf, Usd

from engine.scene.error import SceneError
from engine.scene.files import FileLedger, check_inside, check_regular_file, scene_roots
from engine.scene.model import Asset
from engine.scene.notes import Notes

__all__ = ["asset_table", "check_dependencies", "check_inside", "check_regular_file", "package_file", "scene_roots"]

MAX_LAYERS = 20_000


def check_dependencies(
    root: Sdf.Layer, path: Path, roots: tuple[Path, ...], notes: Notes, files: FileLedger
) -> list[Sdf.Layer]:
    """Open every layer that `root` can reach, each only after its file was checked; a missing one is left to USD.

    Raises:
        SceneError: If a layer is outside the roots or not a regular file, or if there are too many.
    """
    layers, seen, todo = [root], {root.identifier}, [root]
    while todo:
        layer = todo.pop()
        user = f"layer '{os.path.basename(layer.realPath or layer.identifier)}'"
        for authored in sorted(layer.GetCompositionAssetDependencies()):
            identifier = layer.ComputeAbsolutePath(authored) if authored else ""
            if not identifier or identifier in seen:
                continue
            seen.add(identifier)
            resolved = Ar.GetResolver().Resolve(identifier).GetPathString()
            if not resolved:
                files.missing(identifier)
                continue
            file = package_file(resolved)
            check_inside(file, roots, user)
            files.read(file)
            opened = _open_layer(identifier, notes)
            if opened is None:
                continue
            layers.append(opened)
            todo.append(opened)
            if len(layers) > MAX_LAYERS:
                raise SceneError(f"scene '{path}' needs more than {MAX_LAYERS} layers; flatten it first")
    return layers


def _open_layer(identifier: str, notes: Notes) -> Sdf.Layer | None:
    try:
        return Sdf.Layer.FindOrOpen(identifier)
    except Tf.ErrorException as error:
        text = " ".join(item.commentary for item in error.args)
        notes.add("error", os.path.basename(identifier), f"layer cannot be read: {text}"[:200])
        return None


def package_file(resolved: str) -> Path:
    """Return the file on disk of a resolved path, which may name a member of a usdz package."""
    outer: str = Ar.SplitPackageRelativePathOuter(resolved)[0]
    return Path(outer or resolved)


def asset_table(
    stage: Usd.Stage, textures: Iterable[Path], path: Path, files: FileLedger | None = None
) -> tuple[Asset, ...]:
    """Return every file that the scene was read from, sorted by path relative to the folder of the root layer."""
    used = {package_file(layer.realPath) for layer in stage.GetUsedLayers() if layer.realPath}
    used.update(textures)
    folder = path.resolve().parent
    found = (files or FileLedger()).digests(used)
    assets = {
        Asset(Path(os.path.relpath(file.resolve(), folder)).as_posix(), digest.sha256, digest.bytes)
        for file, digest in found.items()
    }
    return tuple(sorted(assets, key=lambda asset: asset.path))
