"""G2: does the batch repeat itself, what is trained on already, or, worst, what it is judged by?"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rfc8785

from engine.collect.groups import WORLD
from engine.collect.intent import read_intent
from engine.errors import UserError
from engine.gate.check import Check
from engine.gate.request import BITS, manifest_of
from engine.plain import to_plain
from engine.recipe import Recipe
from engine.shift.duplicates import find_duplicates
from engine.shift.pictures import Pictures, open_pictures, read_frames, read_rgb
from engine.write.begin import RECIPE

SHOWN = 5
MOST_ALIKE = 0.05  # share of rendered frames that may look like rendered ones of a holdout
SYNTHETIC = "synthetic"
WHOLE_PX = 1 << 30  # no picture is reduced


def check_within(batch: Pictures, most: float) -> Check:
    """Return whether the worlds of a batch differ from each other."""
    found = find_duplicates([batch], None, BITS)
    later = {max(pair.first_frame, pair.second_frame) for pair in found.telling}
    count = len(batch.frame_id)
    share = len(later) / count
    part = found.searched[0]
    first = [[pair.first_frame, pair.second_frame] for pair in found.telling[:SHOWN]]
    facts = {"repeats": len(later), "frames": count, "share": share, "most": most, "pairs": first,
             "undecided": part.undecided}  # fmt: skip
    words = f"{len(later)} of {count} frames look like one of another {batch.group_by}"
    if share > most:
        return Check("G2", "near_duplicates", "fail", True, f"{words}, more than {most:.0%}", facts)
    return Check("G2", "near_duplicates", "pass", True, words, facts)


class PixelHashes:
    """Hashes of decoded pixels, of each dataset once."""

    def __init__(self) -> None:
        self._of: dict[Path, dict[int, str]] = {}

    def of(self, pictures: Pictures) -> dict[int, str]:
        """Return a hash of the pixels of every frame; see `pixel_hashes`."""
        if pictures.out not in self._of:
            self._of[pictures.out] = pixel_hashes(pictures)
        return self._of[pictures.out]


def check_judges(batch: Pictures, judges: Sequence[tuple[str, Pictures]], hashes: PixelHashes) -> Check:
    """Return whether the batch shares no picture and no group with what models are judged by."""
    facts: dict[str, Any] = {}
    leaks: list[str] = []
    for role, other in judges:
        leak, facts[f"{role} {other.name}"] = _leaks(batch, other, hashes)
        leaks += [f"{words} of the {role} {other.name}" for words in leak]
    if leaks:
        return Check("G2", "leaks", "fail", True, f"the batch shows {'; '.join(leaks)}", facts)
    return Check("G2", "leaks", "pass", True, "no picture and no group of what models are judged by", facts)


def check_training(folders: Sequence[Path], judges: Sequence[tuple[str, Pictures]], hashes: PixelHashes) -> None:
    """Refuse training data that share a picture with what models are judged by: no gain would mean anything.

    Raises:
        UserError: If they do.
    """
    for folder in folders:
        pictures = open_pictures(folder)
        for role, other in judges:
            leak, _ = _leaks(pictures, other, hashes, by_look=False)
            if leak:
                raise UserError(
                    f"--against {folder} shows {' and '.join(leak)} of the {role} {other.out}, so that no figure would "
                    "mean anything; split by group: engine.dataset select, then train on the rest"
                )


def check_known(batch: Pictures, against: Sequence[Path], most: float, hashes: PixelHashes) -> Check:
    """Return whether the batch is something that is not trained on yet."""
    own = hashes.of(batch)
    count = len(batch.frame_id)
    facts: dict[str, Any] = {}
    why: list[str] = []
    for folder in against:
        other = open_pictures(folder)
        theirs = set(hashes.of(other).values())
        same = sum(digest in theirs for digest in own.values())
        worlds = _shared_worlds(batch, other)
        total = len(np.unique(batch.world))
        facts[other.name] = {"equal_frames": same, "shared_worlds": worlds, "worlds": total}
        if same / count > most:
            why.append(f"{same} of {count} frames are in {other.name} already")
        elif worlds / total > most:
            why.append(
                f"{worlds} of {total} worlds are those of {other.name}: scene, laws and seed are the same; "
                "render with another seed or other worlds"
            )
    words = "; ".join(why) or "its frames and worlds are new"
    return Check("G2", "repeats", "fail" if why else "pass", True, words, facts)


def pixel_hashes(pictures: Pictures) -> dict[int, str]:
    """Return a hash of the decoded pixels of every frame; frames of one colour alone, which tell nothing, are left out.

    Equal pixels are found in any file format and without detail that a perceptual hash could hold on to.
    """
    found = {}
    for frame in read_frames(pictures, pictures.frame_id.tolist()):
        rgb = read_rgb(frame, WHOLE_PX)
        if (rgb != rgb[:1, :1]).any():
            found[frame.id] = hashlib.sha256(repr(rgb.shape).encode() + rgb.tobytes()).hexdigest()
    return found


def _leaks(
    own: Pictures, other: Pictures, hashes: PixelHashes, *, by_look: bool = True
) -> tuple[list[str], dict[str, Any]]:
    """Return in words what is of both, and the facts.

    Any near duplicate of a real picture is a leak. Rendered worlds of one scene may look alike by chance, and that they
    are others is known from laws, seed and number: of those, a few are bearable.
    """
    theirs = set(hashes.of(other).values())
    equal = [frame for frame, digest in hashes.of(own).items() if digest in theirs]
    pairs = find_duplicates([own], other, BITS, within=False).pairs if by_look else ()
    groups, worlds = _shared_groups(own, other), _shared_worlds(own, other)
    alike = {pair.first_frame for pair in pairs}
    are_rendered = all(manifest_of(one.out).origin == SYNTHETIC for one in (own, other))
    bearable = MOST_ALIKE * len(own.frame_id) if are_rendered else 0.0
    facts = {
        "equal_frames": len(equal), "near_duplicates": len(alike), "bearable": bearable,
        "shared_groups": groups, "shared_worlds": worlds,
        "frames": sorted({*equal[:SHOWN], *(pair.first_frame for pair in pairs[:SHOWN])}),
    }  # fmt: skip
    leaks = [f"{len(equal)} pictures"] if equal else []
    leaks += [f"{len(alike)} near duplicates"] if len(alike) > max(len(equal), bearable) else []
    leaks += [f"{worlds} worlds"] if worlds else []
    leaks += [f"{groups} groups by {own.group_by}"] if groups else []
    return leaks, facts


def _shared_groups(own: Pictures, other: Pictures) -> int:
    """Return how many groups of one column, such as surfaces, are in both; worlds of two datasets are different."""
    if WORLD in (own.group_by, other.group_by) or own.group_by != other.group_by:
        return 0
    return len(np.intersect1d(own.group, other.group))


def _shared_worlds(batch: Pictures, other: Pictures) -> int:
    mine, theirs = _scenario(batch.out), _scenario(other.out)
    return len(np.intersect1d(batch.world, other.world)) if mine is not None and mine == theirs else 0


def _scenario(folder: Path) -> str | None:
    """Return a hash of what decides what a world shows: scene, cameras, laws and seed; None: it was not rendered."""
    intent = read_intent(folder / RECIPE)
    if not isinstance(intent, Recipe):
        return None
    kept = {"scene": intent.scene, "randomize": intent.randomize, "laws": intent.laws, "dr": intent.dr}
    told = to_plain(kept) | {"seed": intent.seed, "cameras": list(intent.rig.cameras)}
    return hashlib.sha256(rfc8785.dumps(told)).hexdigest()


def judges_of(holdout: Path, tests: Sequence[Path]) -> list[tuple[str, Pictures]]:
    """Return what models are judged by, with what it is called."""
    return [("holdout", open_pictures(holdout)), *(("test", open_pictures(folder)) for folder in tests)]
