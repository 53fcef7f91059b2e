"""What datumaro makes of KITTI and MOT folders. Usage: read_tracks.py FOLDER kitti3d|kitti|mot_seq"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from typing import Any


def with_datumaro(folder: str, name: str) -> dict[str, Any]:
    """Return every box by picture, with its class and what the format says beside."""
    import datumaro
    from datumaro.components.annotation import AnnotationType

    dataset = datumaro.Dataset.import_from(folder, name)
    labels = [label.name for label in dataset.categories()[AnnotationType.label].items]
    boxes: dict[str, list[Any]] = {}
    pictures = 0
    for item in dataset:
        pictures += item.media is not None and item.media.data.shape[0] > 0
        boxes[item.id] = [[labels[a.label], list(a.points), dict(a.attributes)] for a in item.annotations]
    return {"pictures": pictures, "boxes": boxes, "detected": datumaro.Environment().detect_dataset(folder)}


if __name__ == "__main__":
    with contextlib.redirect_stdout(io.StringIO()):
        found = with_datumaro(sys.argv[1], sys.argv[2])
    print(json.dumps(found))
