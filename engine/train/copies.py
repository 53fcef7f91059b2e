"""Copies of a dataset's pictures with one cue removed each, as lossless PNG, made once, and plans that predict them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine.dataset.manifest import read_manifest
from engine.plain import to_plain
from engine.train.labelled import LabelledPicture
from engine.train.plan import TrainingPlan, Wanted
from engine.train.prepare import Data, chosen, read_labels
from engine.train.removal import Levels, Removal, base_of, measure_levels, without
from engine.write.begin import MANIFEST
from engine.write.files import TEMPORARY, Inside, refusals_named, remove_tree, temporary_path
from engine.write.record import json_bytes, read_json

SCHEMA = "removal/1"
RECORD = "removal.json"  # in the folder of each cue, written last
FOLDER = "pictures"  # of a study
MEASURED = 64  # pictures, at even distances, that the levels of a set are measured on
IN_A_FOLDER = 1000  # pictures


@dataclass(frozen=True)
class Copies:
    """Changed pictures of a dataset, a folder a cue."""

    folders: Mapping[str, Path]
    levels: Levels
    changed: Mapping[str, float]  # root mean square of the change over all pixels and channels [code values]


def write_copies(out: Path, dataset: Path, cues: Sequence[str], removal: Removal) -> Copies:
    """Return copies of all labelled pictures of a dataset below `out`; those that are there already are kept.

    Raises:
        UserError: If the dataset has no labels or a picture cannot be read.
        WriteFailed: If the disk refuses.
    """
    place_of = Inside(dataset)
    pictures = [
        LabelledPicture(0, one["id"], place_of(one["file_name"]), one["width"], one["height"], (), ())
        for one in chosen(read_labels(dataset), Data(dataset))["images"]
    ]
    step = max(len(pictures) // MEASURED, 1)
    levels = measure_levels((picture.rgb() for picture in pictures[::step][:MEASURED]), removal)
    facts = read_manifest(dataset / MANIFEST)
    told = {"schema": SCHEMA, "dataset_id": facts.dataset_id, "content_root": facts.content_root}
    told |= {"removal": to_plain(removal), "levels": to_plain(levels)}
    folders = {cue: out / FOLDER / cue for cue in cues}
    changed = {cue: _changed_of(folder, told | {"cue": cue}) for cue, folder in folders.items()}
    missing = [cue for cue in cues if changed[cue] is None]
    with refusals_named(out):
        changed |= _write(out, pictures, {cue: folders[cue] for cue in missing}, (removal, levels), told)
    return Copies(folders, levels, {cue: value for cue, value in changed.items() if value is not None})


def with_copies(plan: TrainingPlan, folder: Path, copies: Sequence[Path]) -> TrainingPlan:
    """Return a plan that predicts, after all others, changed copies of the pictures that it predicts first."""
    asked = read_json(folder / plan.predict[0].coco)
    images = [{**image, "file_name": _name_of(image["id"])} for image in asked["images"]]
    wanted = []
    for number, place in enumerate(copies, start=len(plan.predict)):
        name = f"predict-{number}.json"
        with refusals_named(folder / name):
            (folder / name).write_bytes(json_bytes({**asked, "images": images}))
        wanted.append(Wanted(name, str(place.absolute()), f"predictions-{number}.json"))
    return replace(plan, predict=(*plan.predict, *wanted))


def _write(
    out: Path, pictures: Sequence[LabelledPicture], folders: Mapping[str, Path], how: tuple[Removal, Levels],
    told: Mapping[str, Any],
) -> dict[str, float]:  # fmt: skip
    """Write the pictures of every cue into a temporary sibling, which then takes its place."""
    parts = {cue: temporary_path(out, cue) for cue in folders}
    squares, count = dict.fromkeys(folders, 0.0), 0
    try:
        for picture in pictures if folders else ():
            rgb = picture.rgb()
            base = base_of(rgb.astype(np.float32))
            count += rgb.size
            for cue, part in parts.items():
                random = np.random.Generator(np.random.Philox(picture.image_id))
                changed = without(cue, rgb, base, *how, random)
                squares[cue] += float(((changed.astype(np.float64) - rgb) ** 2).sum())
                place = part / _name_of(picture.image_id)
                place.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(changed).save(place, compress_level=1)
        found = {cue: round((total / max(count, 1)) ** 0.5, 4) for cue, total in squares.items()}
        for cue, part in parts.items():
            (part / RECORD).write_bytes(json_bytes({**told, "cue": cue, "changed": found[cue]}))
            remove_tree(folders[cue])
            folders[cue].parent.mkdir(parents=True, exist_ok=True)
            part.rename(folders[cue])
    finally:
        for part in parts.values():
            remove_tree(part)
        remove_tree(out / TEMPORARY)
    return found


def _changed_of(folder: Path, told: Mapping[str, Any]) -> float | None:
    """Return how much the pictures of a folder were changed, if they are the ones that are asked for."""
    if not (folder / RECORD).is_file():
        return None
    there = read_json(folder / RECORD)
    if not isinstance(there, dict) or {key: there.get(key) for key in told} != json.loads(json_bytes(told)):
        return None
    return float(there["changed"])


def _name_of(image_id: int) -> str:
    return f"{image_id // IN_A_FOLDER:03d}/{image_id:06d}.png"
