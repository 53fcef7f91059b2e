"""Note a training in the lineage of its datasets, in three lines: `python examples/training_node.py out/tile-1a2b3c4d`.

It "trains" the mean colour of the pictures, so that it needs nothing but NumPy. Afterwards
`python -m engine.dataset lineage runs/mean_color --search out` leads from the training back to the recipe.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from engine.lineage.runs import training_run  # 1


def main() -> None:
    """Train, and note it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":", maxsplit=1)[0])
    parser.add_argument("datasets", nargs="+", help="folders of complete datasets")
    parser.add_argument("--out", default="runs/mean_color", help="folder of the run")
    arguments = parser.parse_args()

    run = training_run(arguments.out, datasets=arguments.datasets, settings=vars(arguments))  # 2

    means = []
    for dataset in arguments.datasets:
        paths = pq.read_table(Path(dataset) / "index/frames.parquet", columns=["image"])["image"].to_pylist()
        means += [np.asarray(Image.open(Path(dataset) / path).convert("RGB")).mean((0, 1)) for path in paths]
    color = np.mean(means, axis=0)
    np.save(Path(arguments.out) / "weights.npy", color)

    run.finish(metrics={"pictures": len(means), "spread": np.std(means)}, outputs=["weights.npy"])  # 3
    print(f"{run.node.id}: {arguments.out}/lineage.json")


if __name__ == "__main__":
    main()
