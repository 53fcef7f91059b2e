"""From named points to the keypoints of a scene: a list of names for every class, and where each instance has them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.keypoints import ClassKeypoints
from engine.scene.bounds import Shapes, object_boxes, object_frames
from engine.scene.error import SceneError
from engine.scene.model import Keypoints, Scene
from engine.scene.notes import Notes
from engine.scene.taxonomy import ObjectClass

Array = NDArray[np.float64]
Pair = tuple[str, str]


@dataclass(frozen=True)
class NamedPoints:
    """Points of one name."""

    name: str
    prim: str  # that says so
    instance: NDArray[np.int32]  # [point]
    position_m: Array  # [point, 3], in the frame of its instance
    depth_m: float = 0.0  # see `Keypoints`


def with_keypoints(
    scene: Scene,
    found: Sequence[NamedPoints],
    pairs: Mapping[str, Sequence[Pair]],
    wishes: Mapping[str, ClassKeypoints],
    notes: Notes,
) -> Scene:
    """Return a scene with its keypoints, and their names in its taxonomy.

    The list of a class is that of its taxonomy, where it has one, else the sorted names. Of two points of one name of
    an instance the first counts.

    Args:
        scene: Without keypoints.
        found: What the stage says.
        pairs: Which of them the stage joins, by class.
        wishes: What the configuration says of classes; it comes first.
        notes: Is told what does not fit.
    Raises:
        SceneError: If the configuration does not fit the scene.
    """
    _check_classes(scene, wishes)
    known = {entry.id for entry in scene.taxonomy.classes if entry.keypoints}
    points = [*_configured(scene, wishes), *found]
    if not (points or known or pairs):
        return scene
    number, name = _flat(points)
    instance = np.concatenate([np.zeros(0, np.int32), *(each.instance for each in points)])
    position = np.concatenate([np.zeros((0, 3)), *(each.position_m for each in points)])
    depth = np.repeat([each.depth_m for each in points], [len(each.instance) for each in points]).astype(np.float32)
    class_id = scene.instances.class_id[instance]
    names_of: dict[int, set[str]] = {}
    for of_class, of_point in np.unique(np.stack([class_id, number], axis=1), axis=0).tolist():
        names_of.setdefault(of_class, set()).add(name[of_point])
    _note_strangers(scene, points, known, notes)
    entries = tuple(
        _entry(entry, names_of.get(entry.id, set()), pairs.get(entry.key, ()), wishes.get(entry.key), notes)
        for entry in scene.taxonomy.classes
    )
    index = np.full((max([0, *(entry.id for entry in entries)]) + 1, len(name)), -1, np.int32)
    for entry in entries:
        for at, each in enumerate(name):
            index[entry.id, at] = entry.keypoints.index(each) if each in entry.keypoints else -1
    column = index[class_id, number]
    order = np.lexsort((np.arange(len(column)), column, instance))
    order = order[column[order] >= 0]
    repeated = (np.diff(instance[order]) == 0) & (np.diff(column[order]) == 0)
    for at in np.unique(number[order[1:][repeated]]).tolist():
        notes.add("error", name[at], "a keypoint that an instance has twice; the first one counts")
    order = order[np.concatenate([np.ones(min(len(order), 1), np.bool_), ~repeated])]
    table = Keypoints(instance[order], column[order], position[order], depth[order])
    return dataclasses.replace(scene, keypoints=table, taxonomy=dataclasses.replace(scene.taxonomy, classes=entries))


def _check_classes(scene: Scene, wishes: Mapping[str, ClassKeypoints]) -> None:
    known = [entry.key for entry in scene.taxonomy.classes]
    for key in wishes:
        if key not in known:
            raise SceneError(f"scene.keypoints: there is no class '{key}'; the scene has {', '.join(known) or 'none'}")


def _flat(points: Sequence[NamedPoints]) -> tuple[NDArray[np.int64], list[str]]:
    """Return the number of every point's name, and the names."""
    names = sorted({each.name for each in points})
    number = {name: at for at, name in enumerate(names)}
    counts = [len(each.instance) for each in points]
    return np.repeat(np.array([number[each.name] for each in points], np.int64), counts), names


def _note_strangers(scene: Scene, points: Iterable[NamedPoints], known: set[int], notes: Notes) -> None:
    """Say which points have no place in the lists of their classes."""
    names = {entry.id: (entry.key, entry.keypoints) for entry in scene.taxonomy.classes}
    for each in points:
        for of_class in np.unique(scene.instances.class_id[each.instance]).tolist():
            if of_class == 0:
                notes.add("skipped", each.prim, f"keypoint {each.name} of an instance without a class")
            elif of_class in known and each.name not in names[of_class][1]:
                key = names[of_class][0]
                notes.add("error", each.prim, f"the taxonomy's class {key} has no keypoint {each.name}; add it there")


def _entry(
    entry: ObjectClass, names: set[str], pairs: Sequence[Pair], wish: ClassKeypoints | None, notes: Notes
) -> ObjectClass:
    """Return a class with its list of keypoints, and what joins them."""
    listed = entry.keypoints or tuple(sorted(names))
    skeleton = set(entry.skeleton)
    for pair in (*pairs, *(wish.skeleton if wish else ())):
        missing = [end for end in pair if end not in listed]
        if missing and wish and pair in wish.skeleton:
            where, names_there = f"scene.keypoints.{entry.key}.skeleton", ", ".join(listed) or "none"
            raise SceneError(f"{where}: '{missing[0]}' is no keypoint; the class has {names_there}")
        if missing:
            notes.add("error", entry.key, f"ommatidia:skeleton joins {missing[0]}, which is no keypoint of the class")
            continue
        ends = sorted(listed.index(end) for end in pair)
        if (ends[1], ends[0]) not in skeleton:
            skeleton.add((ends[0], ends[1]))
    order = entry.skeleton if skeleton == set(entry.skeleton) else tuple(sorted(skeleton))
    return dataclasses.replace(entry, keypoints=listed, skeleton=order, sigmas=_sigmas(entry, listed, wish))


def _sigmas(entry: ObjectClass, listed: tuple[str, ...], wish: ClassKeypoints | None) -> tuple[float, ...]:
    if wish is None or not wish.sigmas:
        return entry.sigmas
    if set(wish.sigmas) != set(listed):
        raise SceneError(
            f"scene.keypoints.{entry.key}.sigmas must name every keypoint once: {', '.join(listed) or 'there are none'}"
        )
    return tuple(wish.sigmas[name] for name in listed)


def _configured(scene: Scene, wishes: Mapping[str, ClassKeypoints]) -> list[NamedPoints]:
    """Return the points of the configuration, at every instance of their classes."""
    out: list[NamedPoints] = []
    ids = {entry.key: entry.id for entry in scene.taxonomy.classes}
    shapes = Shapes(scene)
    for key, wish in wishes.items():
        instance = np.flatnonzero(scene.instances.class_id == ids[key]).astype(np.int32)
        if not wish.points or not len(instance):
            continue
        _, object_from_instance = object_frames(scene.instances.world_from_instance[instance])
        low, high = object_boxes(object_from_instance, instance.astype(np.int64), shapes)
        instance_from_object = np.linalg.inv(object_from_instance)
        for name, place in wish.points.items():
            at = np.asarray(place, np.float64)
            place_m = low + at * (high - low) if wish.unit == "box" else np.broadcast_to(at, low.shape)
            position = (instance_from_object * place_m[:, None, :]).sum(axis=-1)
            out.append(NamedPoints(name, f"scene.keypoints.{key}", instance, position, wish.depth_m))
    return out
