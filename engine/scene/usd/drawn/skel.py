"""Skinned and blended meshes posed at a time: posed points and normals stand in the session layer, for all to read.

The mathematics is UsdSkel's: blend shapes with inbetweens first, then skinning (linear or dual quaternion) in the space
of the skeleton. Source: https://openusd.org/release/api/_usd_skel__schemas.html
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pxr import Gf, Sdf, Tf, Usd, UsdGeom, UsdSkel, Vt

from engine.scene.usd.stage import OpenStage

NORMALS = ("primvars:normals", "normals")


@dataclass(frozen=True)
class _Target:
    """A mesh that a skeleton or blend shapes deform."""

    prim: Usd.Prim
    query: UsdSkel.SkinningQuery
    skeleton: UsdSkel.SkeletonQuery


@dataclass(frozen=True)
class Joints:
    """The joints of a skeleton at a time."""

    prims: tuple[str, ...]  # paths of the meshes that it deforms, sorted
    names: tuple[str, ...]  # paths of joints
    position: NDArray[np.float64]  # [joint, 3], in the frame of the first of `prims`, stage units


class Skins:
    """The skinned meshes of a stage, which can be posed again and again.

    An instanced skeleton cannot be posed in its shared prototype, so such instances are made unique first; where they
    look alike, their meshes are found to be equal later.
    """

    def __init__(self, opened: OpenStage) -> None:
        self._opened = opened
        self._cache = UsdSkel.Cache()  # queries live as long as it
        self._targets: list[_Target] = []
        self.changed_stage = False  # whether instances were made unique
        self.paths: set[Sdf.Path] = set()  # of what is posed
        stage = opened.stage
        ranges = [stage.Traverse(), *(Usd.PrimRange(prototype) for prototype in stage.GetPrototypes())]
        if not any(prim.GetTypeName() == "SkelRoot" for prims in ranges for prim in prims):
            return
        roots = [prim for prim in stage.Traverse(Usd.TraverseInstanceProxies()) if prim.GetTypeName() == "SkelRoot"]
        for path in sorted({root.GetPath() for root in roots if root.IsInstanceProxy() or root.IsInstance()}):
            _make_unique(opened, stage.GetPrimAtPath(path))
            self.changed_stage = True
        for path in sorted(root.GetPath() for root in roots):
            self._find_targets(UsdSkel.Root(stage.GetPrimAtPath(path)))

    def _find_targets(self, root: UsdSkel.Root) -> None:
        self._cache.Populate(root, Usd.PrimDefaultPredicate)
        for binding in self._cache.ComputeSkelBindings(root, Usd.PrimDefaultPredicate):
            skeleton = self._cache.GetSkelQuery(binding.GetSkeleton())
            for query in binding.GetSkinningTargets():
                if skeleton and query:
                    self._targets.append(_Target(query.GetPrim(), query, skeleton))
                    self.paths.add(query.GetPrim().GetPath())

    def pose(self, time: Usd.TimeCode) -> None:
        """Write the posed points and normals of every skinned mesh; what cannot be posed keeps its rest pose."""
        if not self._targets:
            return
        stage, notes = self._opened.stage, self._opened.notes
        with Usd.EditContext(stage, stage.GetSessionLayer()):
            for target in self._targets:
                self._clear(target.prim)
            places = UsdGeom.XformCache(time)
            for target in self._targets:
                try:
                    done = _pose(target, time, places)
                except (Tf.ErrorException, ValueError, IndexError, TypeError):
                    done = False
                if not done:
                    path = target.prim.GetPath()
                    notes.add("approximated", path, "its skin does not fit it: the mesh keeps its rest pose")

    def joints(self, time: Usd.TimeCode) -> list[Joints]:
        """Return where the joints of every skeleton are that deforms a mesh; none of one that cannot be posed."""
        places, out = UsdGeom.XformCache(time), []
        of_skeleton: dict[str, list[_Target]] = {}
        for target in self._targets:
            of_skeleton.setdefault(target.skeleton.GetPrim().GetPath().pathString, []).append(target)
        for targets in of_skeleton.values():
            ordered = sorted(targets, key=lambda target: target.prim.GetPath().pathString)
            query, first = ordered[0].skeleton, ordered[0]
            try:
                posed = query.ComputeJointSkelTransforms(time)
                local = np.array(_local_from_skeleton(first, places))
            except Tf.ErrorException:
                continue
            names = tuple(str(name) for name in query.GetJointOrder())
            if not posed or len(posed) != len(names):
                continue
            matrix = np.array([np.array(each) for each in posed]) @ local
            prims = tuple(target.prim.GetPath().pathString for target in ordered)
            out.append(Joints(prims, names, matrix[:, 3, :3]))
        return out

    def _clear(self, prim: Usd.Prim) -> None:
        """Take back what was written for another time."""
        spec = self._opened.stage.GetSessionLayer().GetPrimAtPath(prim.GetPath())
        for name in ("points", *NORMALS):
            if spec is not None and name in spec.properties:
                prim.GetAttribute(name).Clear()


def _pose(target: _Target, time: Usd.TimeCode, places: UsdGeom.XformCache) -> bool:
    """Write what a target looks like; return whether its arrays fit each other."""
    attribute = target.prim.GetAttribute("points")
    points = attribute.Get(time) if attribute else None
    if points is None or len(points) == 0:
        return True
    name = next((n for n in NORMALS if target.prim.HasAttribute(n) and target.prim.GetAttribute(n).Get(time)), None)
    normals = None if name is None else target.prim.GetAttribute(name).Get(time)
    indexed = name is not None and target.prim.HasAttribute(f"{name}:indices")
    posed = np.array(points, np.float64)
    turned = None if normals is None or indexed else np.array(normals, np.float64)
    if target.query.HasBlendShapes():
        _blend(target, time, posed, turned)
    if target.query.HasJointInfluences():
        skinned = _skin(target, time, posed, turned, places)
        if skinned is None:
            return False
        posed, turned = skinned
    attribute.Set(Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(posed, np.float32)))
    if name is not None and turned is not None:
        length = np.linalg.norm(turned, axis=-1, keepdims=True)
        unit = (turned / np.where(length > 0.0, length, 1.0)).astype(np.float32)
        target.prim.GetAttribute(name).Set(Vt.Vec3fArray.FromNumpy(unit))
    return True


def _blend(
    target: _Target, time: Usd.TimeCode, points: NDArray[np.float64], normals: NDArray[np.float64] | None
) -> None:
    """Add the offsets of the blend shapes to the points, and to normals that belong to points."""
    animation = target.skeleton.GetAnimQuery()
    mapper = target.query.GetBlendShapeMapper()
    weights = animation.ComputeBlendShapeWeights(time) if animation else None
    if not weights or mapper is None:
        return
    shapes = UsdSkel.BlendShapeQuery(UsdSkel.BindingAPI(target.prim))
    own = mapper.Remap(weights)
    parts = shapes.ComputeSubShapeWeights(own)
    if len(parts) != 3:
        return
    for weight, shape, part in zip(*parts, strict=True):
        schema, between = shapes.GetBlendShape(int(shape)), shapes.GetInbetween(int(part))
        at = schema.GetPointIndicesAttr().Get()
        _add(points, weight, between.GetOffsets() if between else schema.GetOffsetsAttr().Get(), at)
        if normals is not None and len(normals) == len(points):
            offsets = between.GetNormalOffsets() if between else schema.GetNormalOffsetsAttr().Get()
            _add(normals, weight, offsets, at)


def _add(values: NDArray[np.float64], weight: float, offsets: Vt.Vec3fArray | None, at: Vt.IntArray | None) -> None:
    if offsets is None or len(offsets) == 0:
        return
    moves = weight * np.array(offsets, np.float64)
    if at is not None and len(at):
        np.add.at(values, np.array(at, np.int64), moves)  # raises IndexError outside the points
    else:
        values += moves  # raises ValueError where the lengths differ


def _skin(
    target: _Target,
    time: Usd.TimeCode,
    points: NDArray[np.float64],
    normals: NDArray[np.float64] | None,
    places: UsdGeom.XformCache,
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None] | None:
    """Return the points and normals in the frame of the prim, or None where influences do not fit."""
    joints = _joints(target, time)
    influences = target.query.ComputeVaryingJointInfluences(len(points), time)
    if not joints or influences is None:
        return None
    index, weight = influences
    per_point = target.query.GetNumInfluencesPerComponent()
    method, bind = target.query.GetSkinningMethod(), target.query.GetGeomBindTransform(time)
    index, weight = np.array(index, np.int64).reshape(len(points), -1), np.array(weight).reshape(len(points), -1)
    if index.shape[1] != per_point or index.min() < 0 or index.max() >= len(joints):
        return None
    skinned = Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(points, np.float32))
    influence = (Vt.IntArray.FromNumpy(index.ravel().astype(np.int32)), Vt.FloatArray.FromNumpy(weight.ravel()))
    if not UsdSkel.SkinPoints(method, bind, joints, *influence, per_point, skinned):
        return None
    local = _local_from_skeleton(target, places)
    matrix = np.array(local)
    posed = np.array(skinned, np.float64) @ matrix[:3, :3] + matrix[3, :3]
    if normals is None:
        return posed, None
    corners = _points_of(target.prim, len(points), len(normals), time)
    if corners is None:
        return posed, normals
    index, weight = index[corners], weight[corners]
    influence = (Vt.IntArray.FromNumpy(index.ravel().astype(np.int32)), Vt.FloatArray.FromNumpy(weight.ravel()))
    turned = Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(normals, np.float32))
    turns = Vt.Matrix3dArray([_normal_matrix(joint) for joint in joints])
    if not UsdSkel.SkinNormals(method, _normal_matrix(bind), turns, *influence, per_point, turned):
        return posed, normals
    return posed, np.array(turned, np.float64) @ np.array(_normal_matrix(local))


def _joints(target: _Target, time: Usd.TimeCode) -> Vt.Matrix4dArray | None:
    """Return the skinning transforms in the order of the mesh's own joints, if it names any."""
    joints = target.skeleton.ComputeSkinningTransforms(time)
    own, order = target.query.GetJointOrder(), list(target.skeleton.GetJointOrder())
    if not joints or own is None or list(own) == order:
        return joints
    rest = Gf.Matrix4d(1.0)  # of a joint that the skeleton does not have
    return Vt.Matrix4dArray([joints[order.index(name)] if name in order else rest for name in own])


def _normal_matrix(matrix: Gf.Matrix4d) -> Gf.Matrix3d:
    """Return the inverse transpose of the axes."""
    return matrix.ExtractRotationMatrix().GetInverse().GetTranspose()


def _local_from_skeleton(target: _Target, places: UsdGeom.XformCache) -> Gf.Matrix4d:
    """Return what takes rows from the skeleton's frame to the prim's own."""
    skeleton = places.GetLocalToWorldTransform(target.skeleton.GetPrim())
    return skeleton * places.GetLocalToWorldTransform(target.prim).GetInverse()


def _points_of(prim: Usd.Prim, point_count: int, count: int, time: Usd.TimeCode) -> NDArray[np.int64] | None:
    """Return the point that each of `count` normals belongs to; None where that is not known."""
    if count == point_count:
        return np.arange(count)
    attribute = prim.GetAttribute("faceVertexIndices")
    corners = attribute.Get(time) if attribute else None
    return np.array(corners, np.int64) if corners is not None and len(corners) == count else None


def _make_unique(opened: OpenStage, prim: Usd.Prim) -> None:
    """Turn instancing off on the instances around a prim, outermost first."""
    stage = opened.stage
    with Usd.EditContext(stage, stage.GetSessionLayer()):
        for path in prim.GetPath().GetPrefixes():
            ancestor = stage.GetPrimAtPath(path)
            if ancestor.IsInstance():
                ancestor.SetInstanceable(False)
                opened.notes.add("converted", path, "instancing turned off to pose a skeleton")
