"""Opening a stage: every file is checked before it is read, and every diagnostic is kept instead of printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pxr import Sdf, Tf, Usd, UsdGeom, UsdUtils

from engine.scene.error import SceneError
from engine.scene.notes import Notes
from engine.scene.options import SceneOptions
from engine.scene.store.files import FileLedger, check_root_file, scene_roots
from engine.scene.units import Z_UP_FROM_Y_UP, StageUnits
from engine.scene.usd.files import check_dependencies, check_used_layers
from engine.scene.usd.unfold import check_unfolding
from engine.scene.usd.variants import select_variants

REPAIRS = {  # what USD says, and what helps
    "obsolete version": "save it again with a current version of USD (crate files before 0.4.0 are too old)",
    "version mismatch": "install a newer usd-core, or save it with an older version of USD",
    "bad_alloc": "it announces more data than there is: it is damaged, restore or re-export it",
    "corrupt": "it is damaged, restore or re-export it",
    "compressed files": "pack it again without compression, as the usdz specification asks",
}
NOISE = re.compile(
    r",?@anon:0x[0-9a-f]+:[^@]*-session\.[^@]*@"
    r"|\s*\((instantiating|recomposing) stage .*\)$|\s*See the OpenUSD FAQ.*$|\s*<0x[0-9a-f]+>",
    re.DOTALL,
)
KNOWN_LENGTH = 80  # of a note: what USD reports again in other words begins alike


@dataclass(frozen=True)
class OpenStage:
    """A stage together with what every reader of it needs."""

    stage: Usd.Stage
    path: Path
    time: Usd.TimeCode
    units: StageUnits
    options: SceneOptions
    roots: tuple[Path, ...]
    notes: Notes
    files: FileLedger = field(default_factory=FileLedger)  # told of every file before it is read, and of missing ones


@contextmanager
def quiet_diagnostics(notes: Notes, path: Path) -> Iterator[None]:
    """Keep USD's warnings from stderr and add each kind of them to the notes once.

    Raises:
        SceneError: For an error of USD's that nobody expected, such as a value that is damaged in a binary layer.
    """
    delegate = UsdUtils.CoalescingDiagnosticDelegate()
    try:
        yield
    except Tf.ErrorException as error:
        raise SceneError(_open_failure(path, error)) from None
    finally:
        known = [note.what[:KNOWN_LENGTH] for note in notes.all() if note.level == "error"]
        for text in sorted(_diagnostics(delegate, path)):  # USD composes on many threads
            if not any(what in text for what in known):
                notes.add("error", path.name, f"USD reports: {text}")


def _diagnostics(delegate: UsdUtils.CoalescingDiagnosticDelegate, path: Path) -> set[str]:
    items = delegate.TakeCoalescedDiagnostics()
    texts = (
        item.unsharedItems[0].commentary if item.unsharedItems else item.sharedItem.sourceFunction for item in items
    )
    return {_short(text, path) for text in texts}


def open_stage(path: Path, options: SceneOptions, notes: Notes, files: FileLedger | None = None) -> OpenStage:
    """Return the stage of a file; `files` is told what was read.

    Raises:
        SceneError: If the file is missing, not USD, corrupt, too old, has unusable units, or needs a file that lies
            outside the roots or is not a regular file, or if native instancing unfolds into too many prims.
    """
    path = path.absolute()
    check_root_file(path, options)
    files = files or FileLedger()
    files.read(path)
    roots = scene_roots(path, options.roots)
    try:
        root_layer = Sdf.Layer.FindOrOpen(str(path))
        if root_layer is None:
            package = "a usdz is an uncompressed zip archive that begins with a stage" if path.suffix == ".usdz" else ""
            raise SceneError(f"scene '{path}' cannot be read: {package or 'it is not a USD file'}; export it again")
        layers = check_dependencies(root_layer, path, roots, notes, files)
        check_unfolding(root_layer, layers, path, options.max_prims)
        stage = Usd.Stage.Open(root_layer, Usd.Stage.LoadAll)
        select_variants(stage, path, options.variants)
    except Tf.ErrorException as error:
        raise SceneError(_open_failure(path, error)) from None
    del layers  # held until here so that the stage finds them open
    check_used_layers(stage, roots, files)
    count = _prim_count(stage)
    if count > options.max_prims:
        raise SceneError(
            f"scene '{path}' unfolds into {count} prims, the limit is {options.max_prims}; "
            "use fewer nested instances or raise max_prims"
        )
    for composition_error in sorted(stage.GetCompositionErrors(), key=lambda one: (str(one.rootSite.path), str(one))):
        notes.add("error", composition_error.rootSite.path, _short(str(composition_error), path))
    units = _stage_units(stage, path, notes)
    return OpenStage(stage, path, _time_code(stage, options.time, notes), units, options, roots, notes, files)


def _time_code(stage: Usd.Stage, time: float | None, notes: Notes) -> Usd.TimeCode:
    if time is not None:
        return Usd.TimeCode(time)
    if stage.HasAuthoredTimeCodeRange():
        start = stage.GetStartTimeCode()
        if np.isfinite(start):
            return Usd.TimeCode(start)
        notes.add("repaired", "/", f"startTimeCode is {start:g}; the earliest sample is used")
    return Usd.TimeCode.EarliestTime()


def _stage_units(stage: Usd.Stage, path: Path, notes: Notes) -> StageUnits:
    try:
        meters_per_unit = UsdGeom.GetStageMetersPerUnit(stage)
    except Tf.ErrorException:
        value = stage.GetRootLayer().pseudoRoot.GetInfo("metersPerUnit")
        if not isinstance(value, int | float):
            raise SceneError(f"scene '{path}': metersPerUnit is {value!r}; author it as a double") from None
        meters_per_unit = float(value)
        notes.add("repaired", "/", f"metersPerUnit is not a double; {meters_per_unit:g} was used")
    if not (np.isfinite(meters_per_unit) and meters_per_unit > 0.0):
        raise SceneError(f"scene '{path}': metersPerUnit is {meters_per_unit:g}; author a positive number")
    up = UsdGeom.GetStageUpAxis(stage)
    if up not in (UsdGeom.Tokens.y, UsdGeom.Tokens.z):
        up = UsdGeom.GetFallbackUpAxis()
        authored = stage.GetRootLayer().pseudoRoot.GetInfo("upAxis")
        notes.add("repaired", "/", f"upAxis is '{authored}', neither Y nor Z; USD's fallback {up} is used")
    return StageUnits(meters_per_unit, Z_UP_FROM_Y_UP if up == UsdGeom.Tokens.y else np.eye(3))


def _open_failure(path: Path, error: Tf.ErrorException) -> str:
    text = _short(error.args[0].commentary if error.args else str(error), path)
    repair = next((say for word, say in REPAIRS.items() if word in text), "re-export it")
    return f"scene '{path}' cannot be read: {text}; {repair}"


def _short(text: str, path: Path) -> str:
    """Return the first 200 characters of a diagnostic as one line, without what differs from run to run.

    That is the folder of the scene, addresses, and the anonymous session layer that every stage has.
    """
    line = " ".join(NOISE.sub("", text.replace(f"{path.parent}/", "")).split())
    return line if len(line) <= 200 else line[:197] + "..."


def _prim_count(stage: Usd.Stage) -> int:
    """Return how many prims a walk with instance proxies would visit, without such a walk; 0 without instances."""
    if not stage.GetPrototypes():
        return 0
    known: dict[object, int] = {}

    def count(top: Usd.Prim) -> int:
        if top.GetPath() not in known:
            total = 0
            for prim in Usd.PrimRange(top, Usd.PrimDefaultPredicate):
                total += 1 + (count(prim.GetPrototype()) if prim.IsInstance() else 0)
            known[top.GetPath()] = total
        return known[top.GetPath()]

    return count(stage.GetPseudoRoot())
