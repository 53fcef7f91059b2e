"""How frames are numbered and named; a name never depends on how many worlds there are."""

from __future__ import annotations

from dataclasses import dataclass

WORLDS_A_FOLDER = 1000  # file browsers and NFS slow down on larger folders


@dataclass(frozen=True)
class FrameGrid:
    """The frames of a world: `steps` x `cameras`."""

    steps: int
    cameras: int

    def number(self, world: int, step: int, camera: int) -> int:
        """Return the frame's number: frames counted in the order (world, step, camera)."""
        return (world * self.steps + step) * self.cameras + camera

    def stem(self, world: int, step: int, camera: int) -> str:
        """Return the path of a frame's files without folder of kind and suffix.

        `000/000123` for world 123 where a world is one frame, `000/000123_s000_c00` otherwise.
        """
        name = f"{world // WORLDS_A_FOLDER:03d}/{world:06d}"
        return name if self.steps * self.cameras == 1 else f"{name}_s{step:03d}_c{camera:02d}"


def name_commit(first_world: int, sequence: int) -> str:
    """Return the id of a commit: the first world of its cell, and how many commits the cell had before it."""
    return f"{first_world:08d}-{sequence:03d}"


def cell_of(world: int, shard_worlds: int) -> int:
    """Return the first world of the cell that `world` belongs to; cells are `shard_worlds` worlds each, from 0."""
    return world - world % shard_worlds
