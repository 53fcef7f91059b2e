"""Rigid bodies that fall and come to rest, by Newton: many worlds in one model, on the CPU.

Worlds of a model do not meet, and the CPU adds what acts on a body in the order of its own world's contacts, so that a
world comes to rest in the same places whatever else is simulated with it. CUDA adds in any order and is not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError

Array = NDArray[np.float64]

VERSION = "ommatidia/drop/1"  # changes whenever the same drop may come to rest elsewhere
WORLDS = 16  # of a model: one launch for all, and memory for their contacts
ITERATIONS = 8  # of the solver: bodies of a heap sink into each other less than 0.1 mm
ANGULAR_DAMPING_S = 0.5  # [1/s], of the air
CONTACTS_OF_BODY = 96  # room for; a model with more is an error
GRAVITY_M_S2 = (0.0, 0.0, -9.81)
DENSITY_KG_M3 = 1000.0  # of all bodies: only ratios of masses matter
NEAR_SHARE = 0.05  # of the median reach of bodies: contacts are looked for this far ahead


@dataclass(frozen=True)
class Body:
    """A convex body about its own origin."""

    corner_m: NDArray[np.float32]  # [corner, 3]
    face: NDArray[np.int32]  # [face, 3], counter-clockwise seen from outside


@dataclass(frozen=True)
class Drop:
    """What falls in one world, and onto what."""

    body: tuple[int, ...]  # index into the bodies, one for each that falls
    start: NDArray[np.float32]  # [falling, 7], position [m] and rotation (x, y, z, w)
    ground: tuple[NDArray[np.float32], ...]  # [triangle, 3, 3] in the world [m], fixed


@dataclass(frozen=True)
class Settings:
    """How bodies fall."""

    seconds: float
    step_s: float
    friction: float


@dataclass(frozen=True)
class Rest:
    """Where bodies are at the end."""

    pose: NDArray[np.float32]  # [falling, 7]
    speed_m_s: NDArray[np.float32]  # [falling]
    overlap_m: float  # of the deepest contact


def drop(bodies: Sequence[Body], drops: Sequence[Drop], settings: Settings, where: str) -> list[Rest]:
    """Return where everything rests, one world after the other in the order of `drops`.

    Raises:
        UserError: If Newton is not installed, or bodies crowd so that its contacts do not fit.
    """
    try:
        import newton
    except ImportError:
        raise UserError(
            f"{where}: settling needs Newton, which is not installed; pip install 'ommatidia[settle]'"
        ) from None
    meshes = [newton.Mesh(body.corner_m, body.face.ravel()) for body in bodies]
    rests: list[Rest] = []
    for first in range(0, len(drops), WORLDS):
        rests += _drop_together(newton, meshes, drops[first : first + WORLDS], settings, where)
    return rests


def _drop_together(newton: Any, meshes: list[Any], drops: Sequence[Drop], settings: Settings, where: str) -> list[Rest]:
    """Return where the bodies of a few worlds rest."""
    import warp as wp

    counts = [len(one.body) for one in drops]
    if not sum(counts):
        return [Rest(np.zeros((0, 7), np.float32), np.zeros(0, np.float32), 0.0) for _ in drops]
    reaches = [float(np.linalg.norm(mesh.vertices, axis=1).max()) for mesh in meshes]
    config = newton.ModelBuilder.ShapeConfig(
        density=DENSITY_KG_M3, mu=settings.friction, margin=0.0, gap=NEAR_SHARE * float(np.median(reaches))
    )
    builder = newton.ModelBuilder(up_axis=newton.Axis.Z, gravity=GRAVITY_M_S2)
    for one in drops:
        builder.begin_world()
        for triangles in one.ground:
            corner = np.arange(3 * len(triangles), dtype=np.int32)
            mesh = newton.Mesh(triangles.reshape(-1, 3), corner, compute_inertia=False)
            builder.add_shape_mesh(-1, mesh=mesh, cfg=config)
        for index, start in zip(one.body, one.start):
            body = builder.add_body(xform=wp.transform(*(float(number) for number in start)))
            builder.add_shape_convex_hull(body, mesh=meshes[index], cfg=config)
        builder.end_world()
    model = builder.finalize(device="cpu")
    room = CONTACTS_OF_BODY * sum(counts)
    pipeline = newton.CollisionPipeline(model, broad_phase="nxn", rigid_contact_max=room)
    solver = newton.solvers.SolverXPBD(model, iterations=ITERATIONS, angular_damping=ANGULAR_DAMPING_S)
    state, following, control, contacts = model.state(), model.state(), model.control(), pipeline.contacts()
    most = 0
    for _ in range(round(settings.seconds / settings.step_s)):
        state.clear_forces()
        pipeline.collide(state, contacts)
        most = max(most, int(contacts.rigid_contact_count.numpy()[0]))
        solver.step(state, following, control, contacts, settings.step_s)
        state, following = following, state
    pipeline.collide(state, contacts)
    if most > room:
        raise UserError(f"{where}: {most} contacts of {sum(counts)} bodies are too many; use fewer or simpler items")
    return _rests(counts, model, state, contacts)


def _rests(counts: list[int], model: Any, state: Any, contacts: Any) -> list[Rest]:
    """Return poses, speeds and overlaps by world."""
    pose, velocity = state.body_q.numpy(), state.body_qd.numpy()
    count = int(contacts.rigid_contact_count.numpy()[0])
    shape = [getattr(contacts, f"rigid_contact_shape{side}").numpy()[:count] for side in (0, 1)]
    body_of_shape = model.shape_body.numpy()
    ends = []
    for side in (0, 1):
        body = body_of_shape[shape[side]]
        point = getattr(contacts, f"rigid_contact_point{side}").numpy()[:count].astype(np.float64)
        moved = turned(pose[body, 3:7].astype(np.float64), point) + pose[body, :3]
        ends.append(np.where(body[:, None] >= 0, moved, point))
    normal = contacts.rigid_contact_normal.numpy()[:count]
    apart = ((ends[1] - ends[0]) * normal).sum(axis=1)
    apart -= contacts.rigid_contact_margin0.numpy()[:count] + contacts.rigid_contact_margin1.numpy()[:count]
    world = np.maximum(model.shape_world.numpy()[shape[0]], model.shape_world.numpy()[shape[1]])
    rests, first = [], 0
    for index, falling in enumerate(counts):
        own = slice(first, first + falling)
        speed = np.sqrt((velocity[own, :3] ** 2).sum(axis=1))
        overlap = (-apart[world == index]).max(initial=0.0)
        rests.append(Rest(pose[own].copy(), speed, float(overlap)))
        first += falling
    return rests


def turned(rotation: Array, vector: Array) -> Array:
    """Return vectors [..., 3] turned by unit quaternions [..., 4] (x, y, z, w)."""
    axis, real = rotation[..., :3], rotation[..., 3:]
    twice = 2.0 * np.cross(axis, vector)
    return np.asarray(vector + real * twice + np.cross(axis, twice))
