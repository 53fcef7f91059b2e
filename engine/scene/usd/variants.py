"""Variants other than the authored ones, chosen on a stage's session layer: no file is changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pxr import Sdf, Usd

from engine.scene.error import SceneError


def select_variants(stage: Usd.Stage, path: Path, selections: Sequence[str]) -> None:
    """Select variants, each written as `/Prim{set=variant}`.

    Raises:
        SceneError: If there is no such prim, set or variant; the message lists those that are there.
    """
    for selection in selections:
        where = Sdf.Path(selection) if Sdf.Path.IsValidPathString(selection) else Sdf.Path()
        if not where.IsPrimVariantSelectionPath():
            raise SceneError(f"scene '{path}': '{selection}' is no selection; write /Prim{{set=variant}}")
        name, variant = where.GetVariantSelection()
        prim = stage.GetPrimAtPath(where.GetPrimPath())
        if not prim:
            raise SceneError(f"scene '{path}': there is no prim {where.GetPrimPath()}, whose variant is to be chosen")
        sets = prim.GetVariantSets().GetNames()
        if name not in sets:
            raise SceneError(f"scene '{path}': {prim.GetPath()} has no variant set '{name}', only {_listed(sets)}")
        known = prim.GetVariantSet(name).GetVariantNames()
        if variant not in known:
            raise SceneError(f"scene '{path}': '{name}' of {prim.GetPath()} has no '{variant}', only {_listed(known)}")
        with Usd.EditContext(stage, stage.GetSessionLayer()):
            prim.GetVariantSet(name).SetVariantSelection(variant)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(sorted(names)) or "none"
