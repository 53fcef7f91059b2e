"""`python -m engine.dataset info DIR`: what a dataset holds, in a dozen lines."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from engine.collect.intent import Ingest, title_of
from engine.dataset.contents import Contents, read_contents
from engine.dataset.finalise import count_commits
from engine.dataset.manifest import Counts
from engine.plain import to_plain

HELP = "say what a dataset holds"
MEBIBYTE = 2**20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("dataset", type=Path, help="the folder that out= named")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0 if the bookkeeping can be read."""
    contents, faults = read_contents(arguments.dataset.absolute())
    counts = count_commits(contents.commits)
    if arguments.json:
        manifest = None if contents.manifest is None else to_plain(contents.manifest)
        say(json.dumps({"header": to_plain(contents.header), "counts": to_plain(counts), "manifest": manifest}))
    else:
        for key, value in _lines(contents, counts):
            say(f"{key:<12}{value}")
    damaged = [fault for fault in faults if fault.what != "is missing"]
    for fault in damaged:
        say(f"FAULT {fault}")
    return 1 if damaged else 0


def _lines(contents: Contents, counts: Counts) -> list[tuple[str, str]]:
    lines = [("folder", str(contents.out))]
    header, manifest = contents.header, contents.manifest
    if manifest is not None:
        lines.append(("dataset", f"{manifest.dataset_id}, complete, {manifest.bytes / MEBIBYTE:.1f} MiB"))
    else:
        lines.append(("dataset", "not complete; run the same command again to go on"))
    if contents.recipe is not None:
        lines.append(("scene", contents.recipe.scene.name))
        lines.append(("seed", str(contents.recipe.seed)))
    elif contents.intent is not None:
        lines.append(("collected", f"{title_of(contents.intent)}, {contents.intent.schema}"))
    if isinstance(contents.intent, Ingest):
        lines.append(("licence", contents.intent.licence or "see the column licence, or unknown"))
        lines.append(("source", contents.intent.source or "unknown"))
        lines.append(("groups", ", ".join(contents.intent.options.get("groups", ())) or "none"))
    if header is not None:
        lines.append(("recipe", header.recipe_id))
        lines.append(("taxonomy", header.taxonomy_id))
        lines.append(("engine", f"{header.engine_version}, sources {header.source_sha256[:12]}"))
        size = f" of {header.width}x{header.height} px" if header.width else ""
        lines.append(("frames", f"{counts.frames}{size}, {counts.worlds} worlds"))
        lines.append(("per world", f"{header.steps} steps x {len(header.cameras)} cameras"))
    by_class = ", ".join(f"{key} {number}" for key, number in sorted(counts.by_class.items()))
    lines.append(("instances", f"{counts.instances} ({by_class or 'none'}); {counts.unlabelled} without a class"))
    if counts.defects or counts.near_misses:
        by_class = ", ".join(f"{key} {number}" for key, number in sorted(counts.defects.items()))
        number = sum(counts.defects.values())
        lines.append(("defects", f"{number} ({by_class or 'none'}); {counts.near_misses} near-misses"))
    if manifest is not None:
        environment = manifest.environment
        lines.append(("made on", f"{environment.device}, Python {environment.python}, {environment.simd}"))
        lines.append(("labels", ", ".join(export.path for export in manifest.exports) or "none"))
        lines.append(("skips", str(len(manifest.skips))))
    return lines
