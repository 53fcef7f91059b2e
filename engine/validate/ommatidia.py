"""Check a dataset of ours: what `verify` says of its labels, and its COCO files as those of anybody."""

from __future__ import annotations

from collections.abc import Iterator

from engine.dataset.verify import verify
from engine.validate.coco_folder import check_coco_folder
from engine.validate.finding import Finding
from engine.validate.folder import Folder, is_file
from engine.write.begin import HEADER, MANIFEST


def has_ommatidia(folder: Folder) -> bool:
    """Return whether a folder is a dataset of ours."""
    return is_file(folder.root / HEADER) and (is_file(folder.root / MANIFEST) or (folder.root / "commit").is_dir())


def check_ommatidia_folder(folder: Folder, *, with_precision: bool = False) -> Iterator[Finding]:
    """Yield every fault of a dataset of ours."""
    _, faults = verify(folder.root, partial=not is_file(folder.root / MANIFEST))
    for fault in faults:
        if fault.rule is None:  # named below, by its rule
            yield Finding(fault.file, "", "dataset-fault", fault.what, fault.repair)
    yield from check_coco_folder(folder, with_precision=with_precision)
