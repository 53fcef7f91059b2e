"""The files that value clips name. USD opens them without asking, and does not list them as dependencies."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from pathlib import Path

from pxr import Sdf

SMALL_BYTES = 1 << 20  # a binary layer above this size is not searched: what it opened is looked at afterwards
MAX_TEMPLATE_FILES = 10_000
WORD = b"clips"


def clip_paths(layer: Sdf.Layer) -> Iterator[str]:
    """Return the asset paths of a layer's value clips as authored; those of a template are the files that match it."""
    if not _may_have_clips(layer):
        return
    prims: list[Sdf.Path] = []
    layer.Traverse(Sdf.Path.absoluteRootPath, lambda path: prims.append(path) if path.IsPrimPath() else None)
    for prim in prims:
        spec = layer.GetPrimAtPath(prim)
        sets = spec.GetInfo("clips") if spec and spec.HasInfo("clips") else None
        for values in sets.values() if isinstance(sets, dict) else ():
            if isinstance(values, dict):
                yield from _paths_of(layer, values)


def _paths_of(layer: Sdf.Layer, values: dict[str, object]) -> Iterator[str]:
    assets = values.get("assetPaths")
    for asset in (*(assets if isinstance(assets, Sdf.AssetPathArray) else ()), values.get("manifestAssetPath")):
        if isinstance(asset, Sdf.AssetPath) and asset.path:
            yield asset.path
    template = values.get("templateAssetPath")
    if isinstance(template, str) and "#" in template:
        pattern = Path(layer.ComputeAbsolutePath(template))
        wanted = re.compile(re.sub("#+", r"\\d+", re.escape(pattern.name).replace(r"\#", "#")))
        if pattern.parent.is_dir():
            found = sorted(path for path in pattern.parent.iterdir() if wanted.fullmatch(path.name))
            yield from map(str, found[:MAX_TEMPLATE_FILES])


def _may_have_clips(layer: Sdf.Layer) -> bool:
    file = Path(layer.realPath)
    if not file.is_file():
        return True
    size = file.stat().st_size
    if layer.GetFileFormat().formatId != "usda" or size == 0:
        return size < SMALL_BYTES
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return text.find(WORD) >= 0
