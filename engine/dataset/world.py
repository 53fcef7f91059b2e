"""`python -m engine.dataset world DIR N --usd OUT.usda`: world N of a dataset as a USD layer over its scene.

The world is drawn again from the recipe, which needs the scene and no renderer: the same numbers came out when
the dataset was made. The layer refers to the scene's file where it lies now.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.dataset.contents import Contents, read_contents
from engine.dataset.regenerate import find_scene
from engine.errors import UserError
from engine.recipe import Job

HELP = "write one world as a USD layer over its scene"
NAMED_NOTES = 8  # lines about what could not be written


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("dataset", type=Path, help="the folder that out= named")
    parser.add_argument("world", type=int, help="number of the world")
    parser.add_argument("--usd", type=Path, required=True, metavar="OUT", help="layer to write: .usda, .usdc or .usd")
    parser.add_argument("--step", type=int, default=0, help="step of the world (default: %(default)s)")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--scene", type=Path, metavar="FILE", help="root layer of the scene, if it moved")
    place.add_argument("--config-dir", type=Path, metavar="DIR", help="configuration folder that the run was given")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0 once the layer is there."""
    from engine.factory import load_recipe_scene, scene_options
    from engine.randomize import apply
    from engine.rig import authored_draft, rig_cameras
    from engine.scene import DrawnWorld, write_world

    contents, _ = read_contents(arguments.dataset.absolute())
    recipe = contents.recipe
    if recipe is None:
        raise UserError(f"{contents.out} has no recipe that can be read; `python -m engine.dataset verify` says why")
    check_world(contents, arguments.world, arguments.step)
    usd = find_scene(recipe, arguments.scene, arguments.config_dir, option="--scene")
    job = Job(
        out=None,
        usd=usd,
        count=1,
        worlds=None,
        device="cpu",
        batch=1,
        worker=0,
        workers=1,
        shard_worlds=1,
    )
    chosen = [name for name, entry in recipe.randomize.items() if entry["kind"] == "variant"]
    if chosen:
        raise UserError(f"randomize.{chosen[0]} chooses among variants, which a layer of one world cannot say yet")
    recipe, scene = load_recipe_scene(recipe, job)
    cameras = rig_cameras(scene, recipe.rig)
    draft = authored_draft(
        scene, recipe.rig, cameras, np.array([arguments.world], np.int64), np.array([arguments.step], np.int32)
    )
    apply.randomize(apply.plan(recipe, scene, cameras), draft)
    notes = write_world(arguments.usd, scene, DrawnWorld(recipe, cameras, draft, 0), scene_options(recipe, job))
    for note in notes[:NAMED_NOTES]:
        say(f"{note.level:<12} {note.prim}: {note.what}")
    if len(notes) > NAMED_NOTES:
        say(f"and {len(notes) - NAMED_NOTES} more")
    say(f"world {arguments.world}, step {arguments.step}: {arguments.usd}, a layer over {usd}")
    return 0


def check_world(contents: Contents, world: int, step: int) -> None:
    """Refuse a world or step that the dataset cannot have; one that is not made yet can be written as well.

    Raises:
        UserError: If it is out of range, or the dataset says that the world was skipped.
    """
    assert contents.recipe is not None
    if not 0 <= step < contents.recipe.rig.steps:
        raise UserError(f"--step {step}: worlds of this dataset have the steps 0 .. {contents.recipe.rig.steps - 1}")
    if not 0 <= world < 2**32:
        raise UserError(f"world {world} is not a number from 0 to 4294967295")
    skips = {skip.world: skip.reason for commit in contents.commits for skip in commit.skips}
    if world in skips:
        raise UserError(f"world {world} was skipped when the dataset was made: {skips[world]}")
