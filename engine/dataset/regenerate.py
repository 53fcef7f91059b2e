"""Render worlds of a dataset again from its own recipe and compare: bytes on the same kind of machine, labels on any.

On another processor or device, or with other sources, Warp or NumPy, the last bit of a float may differ. Then labels
must still be equal, and the largest difference of the pictures is reported against a stated tolerance.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine.dataset.contents import Contents, read_contents
from engine.dataset.faults import Fault
from engine.dataset.manifest import Manifest, Origin
from engine.errors import UserError
from engine.recipe import Job, Recipe
from engine.write.files import hash_file, inside
from engine.write.merge import MergedRows
from engine.write.rows import DEFECTS

LABEL_ROLES = (  # files that are equal on every machine
    "instance_map", "class_map", "instance_ids", "defect_map", "near_miss_map",
)  # fmt: skip
LABEL_COLUMNS = ("inst_id", "class_id", "prim_path", "stable_id", "bbox", "area_px", "rle")  # rows that are, as well

# Code values of 255 by which pictures of two machines may differ: rounding where they are lossless; JPEG of quality 95
# quantises its coefficients in steps of up to 10, and a step that tips over moves pixels by about as much.
RGB_TOLERANCE = {".png": 2, ".jpg": 16}

REPAIR = "what rendered it differs from what renders now: compare engine and environment in manifest.json"


@dataclass(frozen=True)
class Regenerated:
    """What the comparison found."""

    worlds: tuple[int, ...]
    same_machine: bool  # bytes were compared
    same_sources: bool  # else a fault may be a change of the program
    largest_rgb: int  # code values of 255
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        compared = "byte for byte" if self.same_machine else "labels exact, pictures within tolerance"
        names = ", ".join(map(str, self.worlds))
        line = f"rendered again, compared {compared}: worlds {names}; largest RGB difference {self.largest_rgb}/255"
        return line if self.same_sources else f"{line}; other sources of the engine made the dataset"


def regenerate(
    contents: Contents, count: int, *, device: str | None, usd: Path | None, config_folder: Path | None = None
) -> Regenerated:
    """Render `count` random worlds again in a temporary folder and compare every file of theirs.

    Args:
        contents: A dataset without faults.
        count: How many worlds; all if there are fewer.
        device: Where to render; None: as the manifest says.
        usd: The scene's root layer on this machine; None: beside the scene's configuration in `config_folder`, among
            the shipped scenes, or in the working folder.
        config_folder: The folder that the run was given with `--config-dir`.
    Raises:
        UserError: If the dataset is not complete, the device cannot be, or the scene cannot be found or is another.
    """
    manifest, recipe = contents.manifest, contents.recipe
    if manifest is None or recipe is None:
        raise UserError(f"{contents.out} is not complete; --regenerate needs its manifest and recipe")
    skipped = {skip.world for skip in manifest.skips}
    worlds = [world for commit in contents.commits for world in commit.worlds if world not in skipped]
    chosen = tuple(sorted(random.SystemRandom().sample(worlds, min(count, len(worlds)))))
    if count < 1 or not worlds:
        raise UserError(f"there is nothing to render again: {count} of {len(worlds)} worlds with frames")
    scene = find_scene(recipe, usd, config_folder)
    with tempfile.TemporaryDirectory(prefix="ommatidia-verify-") as folder:
        again = _render(recipe, manifest, chosen, device=device, usd=scene, out=Path(folder) / "again")
        return compare(contents, again, chosen)


def _render(
    recipe: Recipe, manifest: Manifest, worlds: tuple[int, ...], *, device: str | None, usd: Path, out: Path
) -> Contents:
    from engine.factory import generate

    try:
        job = Job(
            out=out,
            usd=usd,
            count=max(worlds) + 1,
            worlds=worlds,
            device=device or _one_device(manifest.job.device),
            batch=manifest.job.batch,
            worker=0,
            workers=1,
            shard_worlds=manifest.job.shard_worlds,
            overrides=(),
        )
    except ValueError as error:
        raise UserError(f"--regenerate cannot be carried out: {error}") from error
    generate(recipe, job)
    again, faults = read_contents(out)
    if faults:
        raise UserError(f"the dataset made for comparison is damaged: {faults[0]}")
    return again


def find_scene(recipe: Recipe, usd: Path | None, config_folder: Path | None, *, option: str = "--usd") -> Path:
    """Return where the root layer of a recipe's scene lies on this machine.

    Args:
        recipe: Of the dataset; it knows the layer relative to its folder.
        usd: What the user named with `option`.
        config_folder: That the run was given; its yaml of the scene says where the layer is.
        option: For messages.
    Raises:
        UserError: If it cannot be found.
    """
    from engine.config import configured_usd, find_usd

    if usd is not None:
        if not usd.is_file():
            raise UserError(f"{option} {usd}: there is no such file")
        return usd.absolute()
    name = recipe.scene.name
    folders = () if config_folder is None else (config_folder.absolute(),)
    said = None if config_folder is None else configured_usd(name, config_folder.absolute())
    try:
        return find_usd(said or recipe.scene.usd, name, folders)
    except UserError as error:
        reason = str(error).removesuffix("; set scene.usd")
        raise UserError(f"{reason}; name it with {option} FILE, or the run's --config-dir DIR") from error


def _one_device(device: str) -> str:
    return "auto" if device == "all" else device


def compare(contents: Contents, again: Contents, worlds: tuple[int, ...]) -> Regenerated:
    """Return how the given worlds differ between two complete datasets of one recipe."""
    assert contents.manifest is not None
    assert again.manifest is not None
    origins = [*_origins(contents.manifest), *_origins(again.manifest)]
    same_machine = len({_machine(origin) for origin in origins}) == 1
    same_sources = len({origin.engine.source_sha256 for origin in origins}) == 1
    wanted = set(worlds)
    faults: list[Fault] = []
    largest = 0
    ours, theirs = (_frames(c, wanted) for c in (contents, again))
    for number, frame in ours.items():
        other = theirs.get(number)
        if other is None or other.keys() != frame.keys():
            faults.append(Fault(f"frame {number}", "was not rendered again", REPAIR))
            continue
        faults += _compare_frame(frame, other, same_machine=same_machine)
        if "image" in frame:
            found = _compare_pictures(inside(contents.out, frame["image"]), inside(again.out, other["image"]))
            largest = max(largest, found[0])
            faults += [Fault(frame["image"], what, REPAIR) for what in found[1]]
    faults += _compare_labels(_instances(contents, wanted), _instances(again, wanted), same_machine=same_machine)
    if same_machine:
        faults += _compare_drawn(_drawn(contents, wanted), _drawn(again, wanted))
    return Regenerated(worlds, same_machine, same_sources, largest, tuple(faults))


def _machine(origin: Origin) -> tuple[str | None, ...]:
    """Return what must be equal for bytes to be equal. The sources say what the version and the commit would."""
    build, environment = origin.engine, origin.environment
    return (build.source_sha256, build.warp, build.numpy, environment.device, environment.simd, environment.driver)


def _origins(manifest: Manifest) -> list[Origin]:
    return [Origin(manifest.engine, manifest.environment), *manifest.other_origins]


def _rows(contents: Contents) -> MergedRows:
    if contents.rows is None:
        raise UserError(f"{contents.out} cannot be read; run verify without --regenerate first")
    return contents.rows


def _frames(contents: Contents, worlds: set[int]) -> dict[int, dict[str, Any]]:
    return {row["frame_id"]: row for row in _rows(contents).rows("frames") if row["world"] in worlds}


def _instances(contents: Contents, worlds: set[int]) -> dict[tuple[int, int], dict[str, Any]]:
    """Return the rows of instances and of defects by frame and id, which is unique among both."""
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for table, number in (("instances", "inst_id"), (DEFECTS, "defect_id")):
        rows = (row for row in _rows(contents).rows(table) if row["world"] in worlds)
        found |= {(row["frame_id"], row[number]): row for row in rows}
    return found


def _compare_frame(frame: dict[str, Any], other: dict[str, Any], *, same_machine: bool) -> Iterator[Fault]:
    for role in sorted(name.removesuffix("_sha256") for name in frame if name.endswith("_sha256")):
        must_agree = same_machine or role in LABEL_ROLES
        if must_agree and frame[f"{role}_sha256"] != other[f"{role}_sha256"]:
            yield Fault(frame[role], "has other bytes when rendered again", REPAIR)


def _drawn(contents: Contents, worlds: set[int]) -> dict[tuple[int, int], dict[str, Any]]:
    return {(row["world"], row["step"]): row for row in _rows(contents).rows("worlds") if row["world"] in worlds}


def _compare_drawn(
    ours: dict[tuple[int, int], dict[str, Any]], theirs: dict[tuple[int, int], dict[str, Any]]
) -> Iterator[Fault]:
    for key in sorted(ours.keys() & theirs.keys()):
        if odd := [name for name in ours[key] if not _is_same(ours[key][name], theirs[key].get(name))]:
            yield Fault(f"world {key[0]}, step {key[1]}", f"has another {', '.join(odd)} when drawn again", REPAIR)


def _is_same(first: object, second: object) -> bool:
    """Return whether two values are equal; no number equals no number."""
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_is_same, first, second))
    return first == second or (first != first and second != second)


def _compare_labels(
    ours: dict[tuple[int, int], dict[str, Any]], theirs: dict[tuple[int, int], dict[str, Any]], *, same_machine: bool
) -> Iterator[Fault]:
    for key in sorted(ours.keys() | theirs.keys()):
        file = f"frame {key[0]}"
        if key not in ours or key not in theirs:
            yield Fault(file, f"instance {key[1]} is {'new' if key in theirs else 'gone'} when rendered again", REPAIR)
            continue
        names = [name for name in ours[key] if same_machine or name in LABEL_COLUMNS]
        odd = [name for name in names if not _is_same(ours[key][name], theirs[key].get(name))]
        if odd:
            yield Fault(file, f"instance {key[1]} has another {', '.join(odd)} when rendered again", REPAIR)


def _compare_pictures(path: Path, other: Path) -> tuple[int, list[str]]:
    """Return the largest difference of two pictures, in code values of 255, and what is wrong with it."""
    if path.suffix not in RGB_TOLERANCE:  # of a writer from elsewhere
        if hash_file(path) == hash_file(other):
            return 0, []
        known = ", ".join(RGB_TOLERANCE)
        return 0, [f"has other bytes when rendered again; how far pictures may differ is stated for {known} only"]
    difference = _rgb_difference(path, other)
    if difference <= RGB_TOLERANCE[path.suffix]:
        return difference, []
    return difference, [f"a pixel differs by {difference}/255 when rendered again"]


def _rgb_difference(path: Path, other: Path) -> int:
    with Image.open(path) as a, Image.open(other) as b:
        first, second = (np.array(image.convert("RGB")).astype(np.int16) for image in (a, b))
    return int(np.abs(first - second).max(initial=0)) if first.shape == second.shape else 255
