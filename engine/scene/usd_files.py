"""Which files a stage may read, checked before USD opens them, and what was read."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from pxr import Ar, Sdf, Usd

from engine.scene.error import SceneError
from engine.scene.model import Asset
from engine.scene.notes import Notes

PARENTS = 4  # asset libraries keep materials and textures a few folders above a part
MAX_LAYERS = 20_000


def scene_roots(path: Path, roots: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the folders that files of a scene may lie in; see `SceneOptions.roots`."""
    folder = path.resolve().parent
    if roots:
        return (folder, *(root.resolve() for root in roots))
    home = Path.home().resolve()
    for _ in range(PARENTS):
        parent = folder.parent
        if parent == home or parent in home.parents or parent.parent == parent:
            break
        folder = parent
    return (folder,)


def check_regular_file(path: Path, what: str) -> None:
    """Raise if reading the path could block or never end.

    Raises:
        SceneError: If the path is not a regular file.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise SceneError(f"{what} '{path}' is not a regular file; point to a file on disk")


def check_inside(file: Path, roots: tuple[Path, ...], user: str) -> None:
    """Raise if a file that `user` asks for lies outside the roots or is not a regular file.

    Raises:
        SceneError: Names the file, who asks for it, and the option that would allow it.
    """
    real = file.resolve()
    if not any(real.is_relative_to(root) for root in roots):
        raise SceneError(
            f"{user} asks for '{file}', outside the scene's folder '{roots[0]}'; "
            f"if you trust it, add --root {real.parent}"
        )
    check_regular_file(real, f"{user}: file")


def check_dependencies(root: Sdf.Layer, path: Path, roots: tuple[Path, ...], notes: Notes) -> list[Sdf.Layer]:
    """Open every layer that `root` can reach, each only after its file was checked; a missing one is left to USD.

    Raises:
        SceneError: If a layer is outside the roots or not a regular file, or if there are too many.
    """
    layers, seen, todo = [root], {root.identifier}, [root]
    while todo:
        layer = todo.pop()
        for authored in sorted(layer.GetCompositionAssetDependencies()):
            identifier = layer.ComputeAbsolutePath(authored) if authored else ""
            if not identifier or identifier in seen:
                continue
            seen.add(identifier)
            resolved = Ar.GetResolver().Resolve(identifier).GetPathString()
            if not resolved:
                continue
            check_inside(
                package_file(resolved), roots, f"layer '{os.path.basename(layer.realPath or layer.identifier)}'"
            )
            opened = _open_layer(identifier, notes)
            if opened is None:
                continue
            layers.append(opened)
            todo.append(opened)
            if len(layers) > MAX_LAYERS:
                raise SceneError(f"scene '{path}' needs more than {MAX_LAYERS} layers; flatten it first")
    return layers


def _open_layer(identifier: str, notes: Notes) -> Sdf.Layer | None:
    from pxr import Tf

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


def asset_table(stage: Usd.Stage, textures: Iterable[Path], path: Path) -> tuple[Asset, ...]:
    """Return every file that the scene was read from, sorted by path relative to the folder of the root layer."""
    files = {package_file(layer.realPath) for layer in stage.GetUsedLayers() if layer.realPath}
    files.update(textures)
    folder = path.resolve().parent
    assets = []
    for file in files:
        digest = hashlib.sha256()
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        name = Path(os.path.relpath(file.resolve(), folder)).as_posix()
        assets.append(Asset(name, digest.hexdigest(), file.stat().st_size))
    return tuple(sorted(assets, key=lambda asset: asset.path))
