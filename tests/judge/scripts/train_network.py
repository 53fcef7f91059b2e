"""Follow a plan with a network of the product twice; print whether both say the same, and what they say."""

import json
import sys
import time
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
sys.path.append(sys.argv[3])  # what the product needs, behind what the readers have

from engine.train.plan import read_plan


def main() -> None:
    model, folder = sys.argv[1], Path(sys.argv[2])
    plan = read_plan(folder / "training.json")
    said = []
    began = time.monotonic()
    for _ in range(2):
        import_module(f"engine.train.{model}").follow(plan, folder)
        said.append((folder / plan.predict[0].out).read_text())
    seconds = (time.monotonic() - began) / 2.0
    print(json.dumps({"is_same": said[0] == said[1], "seconds": seconds, "predictions": json.loads(said[0])}))


main()
