"""Skinned meshes posed at the time of the load."""

from __future__ import annotations

from pxr import Gf, Tf, Usd, UsdSkel

from engine.scene.usd import OpenStage


def pose_skinned_meshes(opened: OpenStage) -> Usd.TimeCode:
    """Write the posed points of every skinned mesh into the session layer, and return the time code they stand at.

    An instanced skeleton cannot be posed in its shared prototype, so such instances are made unique first.
    """
    stage = opened.stage
    ranges = [stage.Traverse(), *(Usd.PrimRange(prototype) for prototype in stage.GetPrototypes())]
    if not any(prim.GetTypeName() == "SkelRoot" for prims in ranges for prim in prims):
        return opened.time
    roots = [prim for prim in stage.Traverse(Usd.TraverseInstanceProxies()) if prim.GetTypeName() == "SkelRoot"]
    stage.SetEditTarget(stage.GetSessionLayer())
    for path in sorted({root.GetPath() for root in roots if root.IsInstanceProxy() or root.IsInstance()}):
        _make_unique(opened, stage.GetPrimAtPath(path))
    value = opened.time.GetValue() if opened.time.IsNumeric() and abs(opened.time.GetValue()) < 1e30 else 0.0
    for path in sorted(root.GetPath() for root in roots):
        try:
            done = UsdSkel.BakeSkinning(UsdSkel.Root(stage.GetPrimAtPath(path)), Gf.Interval(value, value))
        except Tf.ErrorException:
            done = False
        if not done:
            opened.notes.add("approximated", path, "skinning failed: the meshes keep their rest pose")
    return Usd.TimeCode(value)


def _make_unique(opened: OpenStage, prim: Usd.Prim) -> None:
    """Turn instancing off on the instances around a prim, outermost first."""
    for path in prim.GetPath().GetPrefixes():
        ancestor = opened.stage.GetPrimAtPath(path)
        if ancestor.IsInstance():
            ancestor.SetInstanceable(False)
            opened.notes.add("converted", path, "instancing turned off to pose a skeleton")
