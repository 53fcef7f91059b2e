"""Poses at rest kept as files, found by the content of what fell: bodies, ground, start and settings.

A file is written aside and renamed, so processes may share the folder; one that is damaged is made again.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from engine.randomize.place.drop import VERSION, Body, Drop, Rest, Settings
from engine.scene.store.cache import cache_folder
from engine.scene.store.tensor_file import TensorFileError, file_buffer, parse_tensors, write_tensors

FOLDER = "settled"  # beside the scenes


def key_of(bodies: Sequence[Body], one: Drop, settings: Settings) -> str:
    """Return a name that changes with everything that decides where bodies come to rest."""
    digest = hashlib.sha256(json.dumps([VERSION, asdict(settings)], sort_keys=True).encode())
    arrays = [array for index in one.body for array in (bodies[index].corner_m, bodies[index].face)]
    for array in (*arrays, one.start, *one.ground):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:40]


def kept(key: str, falling: int) -> Rest | None:
    """Return what was kept under a key; None if nothing sound is there."""
    path = _path(key)
    if path is None or not path.is_file():
        return None
    try:
        arrays = parse_tensors(file_buffer(path, private=True)).arrays
        pose, speed_m_s, overlap_m = arrays["pose"], arrays["speed_m_s"], arrays["overlap_m"]
    except (OSError, KeyError, TensorFileError):
        return None
    if pose.shape != (falling, 7) or speed_m_s.shape != (falling,) or overlap_m.shape != (1,):
        return None
    return Rest(np.array(pose, np.float32), np.array(speed_m_s, np.float32), float(overlap_m[0]))


def keep(key: str, rest: Rest) -> None:
    """Keep a rest under its key; where the folder cannot be written to, nothing is kept."""
    path = _path(key)
    if path is None:
        return
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}.partial")
    arrays = {"pose": rest.pose, "speed_m_s": rest.speed_m_s, "overlap_m": np.array([rest.overlap_m])}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(aside, arrays, {"format": VERSION})
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)


def _path(key: str) -> Path | None:
    folder = cache_folder()
    return None if folder is None else folder / FOLDER / f"{key}.safetensors"
