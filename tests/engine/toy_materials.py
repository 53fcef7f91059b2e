"""A toy dataset whose files refer to a table of its scene: maps of materials, and no pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from engine.dataset.finalise import finalise
from engine.write.plan import Provenance, plan_dataset
from engine.write.shard import ShardWriter
from tests.engine.toy_dataset import BUILD, ENVIRONMENT, toy_batch, toy_job, toy_recipe, toy_scene

WRITE = {"materials": {"kind": "materials"}, "masks": {"kind": "masks"}}


def make_materials(out: Path, worlds: Sequence[int], *names: str, seed: int = 7) -> None:
    """Write toy worlds of a scene with materials of these names, in which nothing wears one."""
    recipe = replace(toy_recipe(write=WRITE, seed=seed), outputs=("instance", "material"))
    materials: Any = tuple(SimpleNamespace(name=name) for name in names)
    scene = replace(toy_scene(), materials=materials)
    plan = plan_dataset(recipe, scene, ("/World/Camera_0",), Provenance(BUILD, ENVIRONMENT), shard_worlds=4)
    with ShardWriter(out, plan) as writer:
        for members in writer.open_shards(worlds):
            with writer.shard(members) as shard:
                frames, labels, drawn = toy_batch(plan, members)
                assert frames.instance is not None
                nothing = {"material": np.full(frames.instance.shape, -1, np.int32)}
                shard.add(replace(frames, rgb=None, depth_m=None, normal=None, annotations=nothing), labels, drawn)
    assert finalise(out, worlds, toy_job(worlds)) is not None
