"""Load a mix with PyTorch's own DataLoader; say which frames came, in which batches, and what the tensors hold."""

from __future__ import annotations

import json
import sys
from pathlib import Path

root, packages, plan, log = sys.argv[1:5]
sys.path.append(root)
sys.path.append(packages)  # of the product's environment, for what the readers do not have

import torch  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402

from engine.mix.torch import MixedDataset, MixedSampler, collate  # noqa: E402

data = MixedDataset(plan)
found: dict[str, object] = {"length": len(data), "folders": [folder.name for folder in data.folders]}
for workers in (0, 2):
    sampler = MixedSampler(data, log=log if workers == 0 else None)
    loader = DataLoader(data, batch_size=4, sampler=sampler, num_workers=workers, collate_fn=collate)
    epochs = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        epochs.append([[(t["source"], t["frame_id"]) for t in targets] for _, targets in loader])
    found[f"workers_{workers}"] = epochs
    found["realised"] = sampler.realised
ranks = [MixedSampler(data, rank=rank, ranks=2) for rank in range(2)]
found["ranks"] = [list(sampler) for sampler in ranks]
whole = MixedSampler(data)
found["whole"] = list(whole)
begun = iter(resumed := MixedSampler(data))
first = [next(begun) for _ in range(7)]
again = MixedSampler(data)
again.load_state_dict(resumed.state_dict())
found["resumed"] = first + list(again)
image, target = data[0]
found["image"] = [str(image.dtype), list(image.shape), int(image.sum())]
found["target"] = {k: [str(v.dtype), v.tolist()] for k, v in target.items() if torch.is_tensor(v) and k != "masks"}
found["masks"] = target["masks"].flatten(1).sum(1).tolist()
found["log"] = [json.loads(line) for line in Path(log).read_text().splitlines()]
print(json.dumps(found))
