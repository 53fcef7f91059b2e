"""Keypoints that a stage names: prims with `ommatidia:keypoint`, joints of skeletons, and which of them are joined."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.keypoints import check_name
from engine.scene.bounds import instance_from_mesh
from engine.scene.keypoints import NamedPoints, Pair
from engine.scene.model import Scene
from engine.scene.usd.drawn.skel import Skins
from engine.scene.usd.instancer import Placer
from engine.scene.usd.stage import OpenStage
from engine.scene.usd.value import Values
from engine.scene.usd.walk import KEYPOINT, SKELETON, Walker

DEPTH = "ommatidia:depth"  # of a keypoint below the surface, stage units
ODD = re.compile(r"[^A-Za-z0-9_.:]")


def authored_points(opened: OpenStage, placer: Placer, scene: Scene, order: NDArray[np.int32]) -> list[NamedPoints]:
    """Return the points that prims name; `order` is the instance of every owner, 0: it is not drawn."""
    out = []
    for spread in placer.keypoints:
        values = Values(opened, spread.leaf.prim)
        name = values.text(KEYPOINT, "")
        try:
            check_name(name)
        except ValueError as error:
            opened.notes.add("error", spread.leaf.path, f"{KEYPOINT}: {error}")
            continue
        instance = order[spread.owner].astype(np.int32)
        matrix = np.broadcast_to(np.eye(4), (len(instance), 4, 4)).copy()
        matrix[:, 3, :3] = spread.position
        world_m = opened.units.world_from_local(matrix)[:, :, 3]
        there = instance > 0
        if not there.all():
            opened.notes.add("skipped", spread.leaf.path, "a keypoint of an instance that is not drawn")
        pose = scene.instances.world_from_instance[instance[there]]
        offset = world_m[there] - pose[:, :, 3]
        position = np.linalg.solve(pose[:, :, :3], offset[..., None])[..., 0]
        usable = np.isfinite(position).all(axis=1)
        depth_m = max(values.number(DEPTH, 0.0), 0.0) * opened.units.meters_per_unit
        out.append(NamedPoints(name, spread.leaf.path, instance[there][usable], position[usable], depth_m))
    return out


def joint_points(
    opened: OpenStage, skins: Skins | None, scene: Scene, depth_m: Mapping[str, float]
) -> list[NamedPoints]:  # fmt: skip
    """Return the joints of the skeletons of instances of some classes, as they are posed at the stage's time.

    `depth_m` has the classes, and how deep joints lie in their instances.
    """
    if skins is None or not depth_m:
        return []
    depth_of = {entry.id: depth_m[entry.key] for entry in scene.taxonomy.classes if entry.key in depth_m}
    placements: dict[str, list[int]] = {}
    for placement, prim in enumerate(scene.placements.prim):
        placements.setdefault(prim, []).append(placement)
    place, unit, out = instance_from_mesh(scene), opened.units.meters_per_unit, []
    for joints in skins.joints(opened.time):
        prim = joints.prims[0]  # in whose frame they are
        if prim not in placements:
            continue
        at = np.array(placements[prim])
        class_id = scene.instances.class_id[scene.placements.instance[at]]
        at = at[np.isin(class_id, list(depth_of))]
        instance = scene.placements.instance[at].astype(np.int32)
        if not len(at):
            continue
        for name, local in zip(joint_names(joints.names), joints.position, strict=True):
            position = (place[at, :, :3] * (local * unit)).sum(axis=-1) + place[at, :, 3]
            depth = depth_of[int(scene.instances.class_id[instance[0]])]
            out.append(NamedPoints(name, prim, instance, position, depth))
    return out


def joint_names(paths: Sequence[str]) -> list[str]:
    """Return names of joints: the last parts of their paths, or whole paths where two have the same."""
    last = [path.rsplit("/", 1)[-1] for path in paths]
    twice = Counter(last)
    names = [path.replace("/", ".") if twice[end] > 1 else end for path, end in zip(paths, last, strict=True)]
    return [ODD.sub("_", name)[-64:] or "_" for name in names]


def authored_pairs(opened: OpenStage, walker: Walker) -> dict[str, list[Pair]]:
    """Return which keypoints of a class are joined: `string[] ommatidia:skeleton = ["neck-head"]`."""
    out: dict[str, list[Pair]] = {}
    for key, leaves in walker.skeletons.items():
        pairs = out.setdefault(key, [])
        for leaf in leaves:
            value = leaf.prim.GetAttribute(SKELETON).Get(opened.time)
            texts = [value] if isinstance(value, str) else list(value or [])
            for text in texts:
                ends = str(text).split("-")
                if len(ends) != 2 or not all(ends) or ends[0] == ends[1]:
                    what = f"{SKELETON}: '{text}' is not two names of keypoints with a - between them"
                    opened.notes.add("error", leaf.path, what)
                elif (ends[0], ends[1]) not in pairs:
                    pairs.append((ends[0], ends[1]))
    return out
