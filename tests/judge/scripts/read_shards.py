"""What Hugging Face `datasets` and `webdataset` make of shards. Usage: read_shards.py FOLDER huggingface|webdataset"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HOME"] = tempfile.mkdtemp()


def with_datasets(folder: str) -> dict[str, Any]:
    """Return every row, with pictures as their size and sum, and what the features are."""
    import datasets
    import numpy as np

    out: dict[str, Any] = {"splits": {}}
    for split, rows in datasets.load_dataset(folder).items():
        features = rows.features
        kinds = {name: type(features[name]).__name__ for name in ("image", "depth") if name in features}
        label = features["objects"].feature["category"]
        out |= {"kinds": kinds, "label": type(label).__name__, "names": label.names}
        found = []
        for row in rows:
            objects = [[label.int2str(o["category"]), o["id"], o["bbox"], o["area"]] for o in row["objects"]]
            image = np.array(row["image"])
            pictures = [list(image.shape), int(image.sum(dtype=np.int64))]
            if "depth" in kinds:
                pictures.append(int(np.array(row["depth"]).sum(dtype=np.int64)))
            found.append([row["image_id"], pictures, objects])
        out["splits"][split] = found
    return out


def with_webdataset(folder: str) -> dict[str, Any]:
    """Return every sample of every shard of a split, pictures decoded."""
    import numpy as np
    import webdataset
    from PIL import Image

    out: dict[str, Any] = {"splits": {}}
    for split in sorted(path for path in Path(folder).iterdir() if path.is_dir()):
        shards = [str(path) for path in sorted(split.glob("*.tar"))]
        found = []
        decoded = webdataset.WebDataset(shards, shardshuffle=False).decode("pil", only=["png", "jpg", "json"])
        for sample in decoded:
            image = np.array(sample["png" if "png" in sample else "jpg"])
            pictures = [list(image.shape), int(image.sum(dtype=np.int64))]
            if "depth.png" in sample:  # bytes: the library's own decoder makes 8 bits of everything
                pictures.append(int(np.array(Image.open(io.BytesIO(sample["depth.png"]))).sum(dtype=np.int64)))
            objects = [[o["category_name"], o["id"], o["bbox"], o["area"]] for o in sample["json"]["objects"]]
            found.append([sample["json"]["image_id"], pictures, objects])
        out["splits"][split.name] = found
    return out


if __name__ == "__main__":
    with contextlib.redirect_stdout(io.StringIO()):
        found = with_datasets(sys.argv[1]) if sys.argv[2] == "huggingface" else with_webdataset(sys.argv[1])
    print(json.dumps(found))
