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
        kinds = {name: type(features[name]).__name__ for name in ("image", "depth")}
        label = features["objects"].feature["category"]
        out |= {"kinds": kinds, "label": type(label).__name__, "names": label.names}
        found = []
        for row in rows:
            objects = [[label.int2str(o["category"]), o["id"], o["bbox"], o["area"]] for o in row["objects"]]
            image, depth = np.array(row["image"]), np.array(row["depth"])
            pictures = [list(image.shape), int(image.sum(dtype=np.int64)), int(depth.sum(dtype=np.int64))]
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
        decoded = webdataset.WebDataset(shards, shardshuffle=False).decode("pil", only=["png", "json"])
        for sample in decoded:
            depth_bytes = sample["depth.png"]  # the library's own decoder makes 8 bits of everything
            image, depth = np.array(sample["png"]), np.array(Image.open(io.BytesIO(depth_bytes)))
            pictures = [list(image.shape), int(image.sum(dtype=np.int64)), int(depth.sum(dtype=np.int64))]
            objects = [[o["category_name"], o["id"], o["bbox"], o["area"]] for o in sample["json"]["objects"]]
            found.append([sample["json"]["image_id"], pictures, objects])
        out["splits"][split.name] = found
    return out


if __name__ == "__main__":
    with contextlib.redirect_stdout(io.StringIO()):
        found = with_datasets(sys.argv[1]) if sys.argv[2] == "huggingface" else with_webdataset(sys.argv[1])
    print(json.dumps(found))
