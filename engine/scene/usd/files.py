"""The layers that a stage can reach, each checked before USD opens it, and the files that were read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pxr import Ar, Sdf, Tf, Usd

from engine.scene.error import SceneError
from engine.scene.model import Asset
from engine.scene.notes import Notes
from engine.scene.store.files import FileLedger, check_inside, check_regular_file, scene_roots
from engine.scene.usd.clips import clip_paths
from engine.scene.usd.look.materialx import MaterialXImporter, imported_files, is_materialx

__all__ = [
    "asset_table",
    "check_dependencies",
    "check_inside",
    "check_regular_file",
    "check_used_layers",
    "package_file",
    "scene_roots",
]

MAX_LAYERS = 20_000


def check_dependencies(
    root: Sdf.Layer, path: Path, roots: tuple[Path, ...], notes: Notes, files: FileLedger
) -> list[Sdf.Layer]:
    """Open every layer that `root` can reach, each only after its file was checked; a missing one is left to USD.

    Raises:
        SceneError: If a layer is outside the roots or not a regular file, or if there are too many.
    """
    importer = MaterialXImporter(roots, notes, files)
    layers, seen, todo = [root], {root.identifier}, [root]
    while todo:
        layer = todo.pop()
        user = f"layer '{os.path.basename(layer.realPath or layer.identifier)}'"
        for authored in sorted({*layer.GetCompositionAssetDependencies(), *clip_paths(layer)}):
            asked = _evaluated(authored, root)
            identifier = layer.ComputeAbsolutePath(asked) if asked else ""
            document = is_materialx(identifier)
            if not identifier or (identifier in seen and not document):  # every layer that asks for one is redirected
                continue
            seen.add(identifier)
            resolved = Ar.GetResolver().Resolve(identifier).GetPathString()
            if not resolved:
                files.missing(identifier)
                continue
            file = package_file(resolved)
            check_inside(file, roots, user)
            files.read(file)
            opened = importer.redirect(layer, authored, resolved) if document else _open_layer(identifier, notes)
            if opened is None or (document and opened.identifier in seen):
                continue
            seen.add(opened.identifier)
            layers.append(opened)
            todo.append(opened)
            if len(layers) > MAX_LAYERS:
                raise SceneError(f"scene '{path}' needs more than {MAX_LAYERS} layers; flatten it first")
    return layers


def check_used_layers(stage: Usd.Stage, roots: tuple[Path, ...], files: FileLedger) -> None:
    """Look at what USD opened on ways that `check_dependencies` cannot foresee, such as clips in large binary layers.

    Raises:
        SceneError: If a layer is outside the roots.
    """
    known = set(files.files())
    for layer in stage.GetUsedLayers(includeClipLayers=True):
        file = package_file(layer.realPath) if layer.realPath else None
        if file is not None and file not in known:
            check_inside(file, roots, f"layer '{os.path.basename(layer.realPath)}'")
            files.read(file)


def _evaluated(authored: str, root: Sdf.Layer) -> str:
    """Return an asset path with the root layer's expression variables in place; empty if it has no value."""
    if not Sdf.VariableExpression.IsExpression(authored):
        return authored
    value = Sdf.VariableExpression(authored).Evaluate(dict(root.expressionVariables)).value
    return value if isinstance(value, str) else ""


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
    layers = stage.GetUsedLayers()
    used = {package_file(layer.realPath) for layer in layers if layer.realPath}
    used.update(file for layer in layers for file in imported_files(layer))
    used.update(textures)
    folder = path.resolve().parent
    found = (files or FileLedger()).digests(used)
    assets = {
        Asset(Path(os.path.relpath(file.resolve(), folder)).as_posix(), digest.sha256, digest.bytes)
        for file, digest in found.items()
    }
    return tuple(sorted(assets, key=lambda asset: asset.path))
