"""G0 and G1: is the batch what it says, does it fit what is there, and may it be used at all?"""

from __future__ import annotations

from pathlib import Path

from engine.collect.unify import unify_taxonomies
from engine.dataset.assets import scene_folders
from engine.dataset.verify import verify
from engine.errors import UserError
from engine.gate.check import Check
from engine.gate.parts import Parts
from engine.gate.request import Accepted, manifest_of
from engine.query import open_index
from engine.sharing.assets import asset_table
from engine.write.begin import TAXONOMY, read_taxonomy
from engine.write.coco import Coco

SHOWN = 5  # faults and files that are named
SYNTHETIC = "synthetic"


def check_integrity(batch: Path) -> Check:
    """Return whether every byte, row and label of the batch is what its manifest says."""
    _, faults = verify(batch)
    if faults:
        words = f"{len(faults)} faults: {faults[0]}"
        return _g0("integrity", words, faults=len(faults), first=[str(fault) for fault in faults[:SHOWN]])
    missing = [path for path in (Coco.PATH, "index/frames.parquet") if not (batch / path).is_file()]
    if missing:
        return _g0("integrity", f"it has no {missing[0]}, from which models learn", missing=missing)
    return _g0("integrity", "every byte, row and label is what the manifest says", is_fine=True)


def check_taxonomy(batch: Path, others: tuple[Path, ...]) -> Check:
    """Return whether a class means the same in the batch as in what it is put to."""
    folders = (*others, batch)
    try:
        unify_taxonomies([(folder.name, read_taxonomy(folder / TAXONOMY)) for folder in folders])
    except UserError as error:
        return _g0("taxonomy", str(error))
    own = {one.key for one in read_taxonomy(batch / TAXONOMY).classes}
    known = {one.key for folder in others for one in read_taxonomy(folder / TAXONOMY).classes}
    seen = set(manifest_of(batch).counts.by_class) | set(manifest_of(batch).counts.defects)
    new = sorted((own & seen) - known)
    more = f"; new are {', '.join(new[:SHOWN])}" if new else ""
    return _g0("taxonomy", f"classes mean what they mean elsewhere{more}", is_fine=True, new_classes=new)


def check_privacy(batch: Path, accepted: Accepted) -> Check:
    """Return whether the batch shows nothing of the real world, or somebody answers for it."""
    manifest = manifest_of(batch)
    real = _real_frames(batch)
    is_real = manifest.origin != SYNTHETIC or manifest.contains_real_imagery or real > 0
    facts = {"origin": manifest.origin, "real_frames": real, "accepted": accepted.real_imagery and is_real}
    if not is_real:
        return Check("G1", "privacy", "pass", True, "all pictures are rendered", facts)
    words = f"{real or 'some'} of {manifest.counts.frames} pictures are of the real world"
    if accepted.real_imagery:
        return Check("G1", "privacy", "pass", True, f"{words}, which was accepted", facts)
    return Check("G1", "privacy", "fail", True, f"{words}; whoever answers for them says --accept-real-imagery", facts)


def check_licences(parts: Parts, scenes: tuple[Path, ...], accepted: Accepted) -> Check:
    """Return whether the licence of everything that the batch was made of is known."""
    rows = [row for place in parts.found for row in asset_table(place, scene_folders(list(scenes))).rows]
    unknown = [f"{row.path} ({row.said_by})" for row in rows if not row.licence]
    unknown += [f"all of {one.name} ({one.dataset_id}, which is not beside the batch)" for one in parts.missing]
    known = {row.path: row.licence for row in rows if row.licence}
    licences = ", ".join(sorted(set(known.values()))) or "none"
    facts = {
        "assets": known, "photographs": sorted({row.path for row in rows if row.photograph}), "unknown": unknown,
        "accepted": accepted.unknown_licences and bool(unknown),
    }  # fmt: skip
    if not unknown:
        return Check("G1", "licences", "pass", True, f"{len(known)} assets: {licences}", facts)
    words = f"the licence of {len(unknown)} assets is not known, such as {unknown[0]}"
    if accepted.unknown_licences:
        return Check("G1", "licences", "pass", True, f"{words}, which was accepted", facts)
    return Check("G1", "licences", "fail", True, f"{words}; write a LICENCES.yaml, or --accept-unknown-licences", facts)


def _real_frames(batch: Path) -> int:
    """Return how many rows of the index are not synthetic, whatever the manifest says."""
    connection = open_index(batch, "gate")
    columns = {row[0] for row in connection.execute("DESCRIBE frames").fetchall()}
    if "origin" not in columns:
        return 0
    row = connection.execute(f"SELECT count(*) FROM frames WHERE origin <> '{SYNTHETIC}'").fetchone()  # noqa: S608
    return 0 if row is None else int(row[0])


def _g0(name: str, words: str, *, is_fine: bool = False, **facts: object) -> Check:
    return Check("G0", name, "pass" if is_fine else "fail", True, words, dict(facts))
