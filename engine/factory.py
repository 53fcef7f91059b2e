"""The main job: recipe -> scene -> worlds -> frames -> labels -> shards -> manifest."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine import signals
from engine.annotators import images_of
from engine.dataset.finalise import finalise
from engine.dataset.manifest import JobFacts, Manifest
from engine.defect_classes import has_defects, with_defect_classes
from engine.draft import Draft
from engine.errors import Stopped, UserError
from engine.frames import DeviceFrames, Frames
from engine.labels.extract import labels_from_frames
from engine.labels.keypoints import KeypointSource, with_keypoints
from engine.labels.marks import marks_from_frames
from engine.labels.material import MaterialSource, with_materials
from engine.labels.model import Labels
from engine.labels.solid import SolidSource, with_solids
from engine.mounts import frame_names, mounted
from engine.progress import Progress
from engine.randomize import apply
from engine.randomize.cameras.aperture import with_aperture_notes
from engine.randomize.kinds import DAYLIGHT_KINDS
from engine.randomize.look.augment import augmentation_of
from engine.randomize.prepare import prepared_scene
from engine.recipe import Job, Recipe, default_out, with_assets
from engine.rig import authored_draft, rig_cameras
from engine.scene import SceneOptions, load_scene, summary
from engine.scene.defaults import daylit_scene, lit_scene
from engine.scene.model import Camera, Scene
from engine.sensors.depth import DepthSensor
from engine.sensors.lidar import mounted_at
from engine.write.plan import plan_dataset
from engine.write.rows import Drawn
from engine.write.shard import Shard, ShardWriter

if TYPE_CHECKING:
    from engine.render import Renderer

FOLDERS = ("roots", "trusted_roots")  # of `Loading`, as texts
CPU_BATCH_PX = 4_000_000  # a batch on the CPU: large enough to keep all threads busy, about 0.3 GB
CUDA_BATCH_PX = 16_000_000  # on CUDA: enough to fill a device, about 1 GB; a renderer parts what does not fit
REPORT_LINES = 15  # of the load report on the screen; all of it is in dataset.json


@dataclass(frozen=True)
class Made:
    """What a job made: the dataset's folder, and its manifest once every worker's part is there."""

    out: Path
    manifest: Manifest | None


@dataclass(frozen=True)
class Factory:
    """A loaded recipe, ready to make worlds on one device."""

    recipe: Recipe  # with assets
    scene: Scene
    cameras: tuple[Camera, ...]
    plan: apply.Plan
    renderer: Renderer
    solids: SolidSource
    materials: MaterialSource
    keypoints: KeypointSource | None  # None: the scene has none

    def draft(self, worlds: Sequence[int]) -> Draft:
        """Return the randomised draft of every step of some worlds."""
        steps = self.recipe.rig.steps
        world = np.repeat(np.asarray(worlds, np.int64), steps)
        step = np.tile(np.arange(steps, dtype=np.int32), len(worlds))
        draft = authored_draft(self.scene, self.recipe.rig, self.cameras, world, step)
        apply.randomize(self.plan, draft)
        return mounted(draft, self.recipe.rig)

    def make(self, worlds: Sequence[int]) -> tuple[Draft, Frames, Labels]:
        """Return drafts, frames and labels of some worlds."""
        return self.start(worlds)()

    def start(self, worlds: Sequence[int]) -> Callable[[], tuple[Draft, Frames, Labels]]:
        """Begin to render some worlds and return what waits for them, as `make` does; on CUDA two may be under way."""
        draft = self.draft(worlds)
        pending = self.renderer.start(draft)

        def finish() -> tuple[Draft, Frames, Labels]:
            frames = pending.wait()
            return draft, frames, self._labels(frames, draft)

        return finish

    def make_on_device(self, worlds: Sequence[int], *, labels: bool) -> tuple[Draft, DeviceFrames, Labels | None]:
        """Return drafts, frames that stay on the device, and labels; no image is copied to the host."""
        draft = self.draft(worlds)
        if not labels:
            return draft, self.renderer.render_on_device(draft), None
        frames, pending = self.renderer.render_on_both(draft, self._label_images())
        return draft, frames, self._labels(pending.wait(), draft)

    def _label_images(self) -> tuple[str, ...]:
        """Return the images that labels are made of on the host."""
        defects = ("rgb", "instance", *images_of(["defect"])) if has_defects(self.recipe) else ()
        return (*(() if self.keypoints is None else ("keypoint",)), *defects)

    def _labels(self, frames: Frames, draft: Draft) -> Labels:
        labels = labels_from_frames(frames, self.scene.instances.class_id)
        labels = with_solids(labels, frames.keys, draft, self.solids)
        labels = with_materials(labels, draft, self.materials)
        labels = with_keypoints(labels, frames, self.keypoints)
        return replace(labels, marks=marks_from_frames(frames, draft))


def scene_options(recipe: Recipe, job: Job) -> SceneOptions:
    """Return how the scene of a recipe is loaded."""
    config, loading = recipe.scene, job.loading
    how = {} if loading is None else {**vars(loading), **{key: _folders(getattr(loading, key)) for key in FOLDERS}}
    return SceneOptions(
        time=config.time,
        purposes=config.purposes,
        subdivision_level=config.subdivision_level,
        class_map=dict(config.class_map),
        taxonomy=None if config.taxonomy is None else job.usd.parent / config.taxonomy,
        keypoints=dict(config.keypoints or {}),
        **how,
    )


def _folders(names: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(Path(name).expanduser().absolute() for name in names)


def load_recipe_scene(recipe: Recipe, job: Job) -> tuple[Recipe, Scene]:
    """Return the scene of a recipe and the recipe with its content in it.

    Raises:
        UserError: If the stage cannot be loaded, or is not the one that a recipe with asset hashes means.
    """
    options = scene_options(recipe, job)
    scene = load_scene(job.usd, options)
    if any(entry["kind"] in DAYLIGHT_KINDS for entry in recipe.randomize.values()):
        scene = daylit_scene(scene)
    elif not scene.lights and not any(recipe.rig.ambient_radiance):
        scene = lit_scene(scene)
    scene = prepared_scene(
        recipe, scene, job.usd, options.roots, lambda chosen: load_scene(job.usd, replace(options, variants=chosen))
    )
    scene = with_aperture_notes(with_defect_classes(scene, recipe), recipe)
    loaded = with_assets(recipe, scene)
    if recipe.assets and loaded.assets != recipe.assets:
        wanted = {asset.path: asset.sha256 for asset in recipe.assets}
        found = {asset.path: asset.sha256 for asset in loaded.assets}
        changed = sorted(path for path in wanted.keys() | found.keys() if wanted.get(path) != found.get(path))
        raise UserError(f"{job.usd}: {changed[0]} is not the file of the recipe ({len(changed)} differ); restore it")
    return loaded, scene


def build_factory(
    recipe: Recipe,
    scene: Scene,
    *,
    device: str,
    threads: int | None = None,
    say: Callable[[str], None] | None = None,
) -> Factory:
    """Return a factory for a recipe with its scene loaded; `say` is told what kernels are being compiled.

    Raises:
        UserError: If the recipe does not fit the scene, or the device is not there.
    """
    from engine.render import Outputs, Renderer

    cameras = rig_cameras(scene, recipe.rig)
    plan = apply.plan(recipe, scene, cameras)
    wanted = recipe.outputs
    outputs = Outputs(
        "rgb" in wanted, "rgb_linear" in wanted, depth=True, normal="normal" in wanted, instance=True,
        sensor=recipe.sensor,
        depth_sensor=_depth_sensor(recipe, cameras),
        lidar=recipe.lidar,
        annotations=images_of((*wanted, "defect") if has_defects(recipe) else wanted),
        keypoint_tolerance_m=recipe.labels.keypoint_tolerance_m,
        labels=recipe.labels,
        augment=augmentation_of(plan),
        lidar_camera=0 if recipe.lidar is None else mounted_at(recipe.lidar, frame_names(cameras, recipe.rig)),
    )  # fmt: skip
    renderer = Renderer(scene, recipe.rig, outputs, seed=recipe.seed, device=device, threads=threads, say=say)
    sources = SolidSource.of(scene, recipe.rig), MaterialSource.of(scene), KeypointSource.of(scene)
    return Factory(recipe, scene, cameras, plan, renderer, *sources)


def _depth_sensor(recipe: Recipe, cameras: Sequence[Camera]) -> DepthSensor | None:
    """Return the depth camera of a recipe.

    Raises:
        UserError: If a camera that it would look through has no focal length.
    """
    flat = [camera.name for camera in cameras if camera.orthographic]
    if recipe.depth_sensor is not None and flat:
        raise UserError(f"depth_sensor: {flat[0]} is orthographic; take it out of rig.cameras, or depth_sensor=none")
    lenses = (recipe.rig.lens, *(mount.lens for mount in (recipe.rig.mounts or {}).values()))
    bent = [lens.model for lens in lenses if lens is not None]
    if recipe.depth_sensor is not None and bent:
        raise UserError(
            f"depth_sensor: it works on pinhole images, not on {bent[0]}; use lens=as_authored or depth_sensor=none"
        )
    return recipe.depth_sensor


def generate(recipe: Recipe, job: Job, *, progress: Progress | None = None) -> Made:
    """Make the worlds of a job that do not exist yet, and complete the dataset once all are there.

    Args:
        recipe: What decides the data.
        job: Where, how many and on what.
        progress: Shows how far it is; None: silent.
    Raises:
        UserError: If the recipe, the scene or the device does not allow it.
        ForeignOutput: If `out` holds another dataset.
        WriteFailed: If the disk refuses.
        Stopped: If a signal asked to stop; what is committed stays.
    """
    from engine.device import resolve_device
    from engine.provenance import provenance_of
    from engine.render import load_kernels

    device = resolve_device(job.device)
    with ThreadPoolExecutor(1) as pool:  # where kernels must be compiled, the scene is read meanwhile
        say = None if progress is None else progress.say
        kernels = pool.submit(load_kernels, recipe.rig.quality, device=device, say=say)
        recipe, scene = load_recipe_scene(recipe, job)
        kernels.result()
    out = job.out or default_out(recipe)
    wanted = job.world_ids()
    cameras = rig_cameras(scene, recipe.rig)
    names = frame_names(cameras, recipe.rig)
    plan = plan_dataset(recipe, scene, names, provenance_of(device), shard_worlds=job.shard_worlds)
    _try_draft(recipe, scene, cameras, wanted[0])  # what does not fit the scene shows before a folder is made
    with ShardWriter(out, plan) as writer:
        if progress is not None:
            progress.say(summary(scene, most_lines=REPORT_LINES))
        mine = [w for w in wanted if (w // writer.header.shard_worlds) % job.workers == job.worker]
        shards = writer.open_shards(mine)
        frames = recipe.rig.steps * len(names)
        if progress is not None:
            progress.begin(len(mine) * frames, done_frames=(len(mine) - sum(map(len, shards))) * frames)
        if shards:
            factory = build_factory(recipe, scene, device=device, say=say)
            size = job.batch or _auto_batch(recipe, frames, device)
            with closing(factory.renderer):
                _make_shards(writer, factory, mine, size, progress)
        _stop_if_asked()
    facts = JobFacts(job.count, job.worlds, job.batch, job.shard_worlds, job.workers, job.device, job.overrides)
    return Made(out, finalise(out, wanted, facts))


def _make_shards(
    writer: ShardWriter, factory: Factory, worlds: Sequence[int], size: int, progress: Progress | None
) -> None:
    while shards := writer.open_shards(worlds):  # again: a shard is lost to who commits other worlds of it first
        for shard_worlds in shards:
            _stop_if_asked()
            if still_open := writer.still_open(shard_worlds):
                with writer.shard(still_open) as shard:
                    _fill(shard, factory, still_open, size, progress)


def _try_draft(recipe: Recipe, scene: Scene, cameras: Sequence[Camera], world: int) -> None:
    """Randomise one world for nothing.

    Raises:
        UserError: If an entry of the recipe does not fit the scene.
    """
    draft = authored_draft(scene, recipe.rig, cameras, np.array([world], np.int64), np.zeros(1, np.int32))
    apply.randomize(apply.plan(recipe, scene, cameras), draft)
    mounted(draft, recipe.rig)


def _fill(shard: Shard, factory: Factory, worlds: Sequence[int], size: int, progress: Progress | None) -> None:
    """Render batch after batch; on CUDA images of one are copied to the host while the next one is rendered."""
    waiting: deque[Callable[[], tuple[Draft, Frames, Labels]]] = deque()
    for batch in (*_batches(worlds, size), None):
        if batch is not None:
            waiting.append(factory.start(batch))
        if batch is None or len(waiting) > 1:
            draft, frames, labels = waiting.popleft()()
            shard.add(frames, labels, Drawn(draft.world, draft.step, draft.drawn))
            if progress is not None:
                progress.update(len(frames.keys.world))


def _batches(worlds: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for first in range(0, len(worlds), size):
        yield worlds[first : first + size]


def _auto_batch(recipe: Recipe, frames: int, device: str) -> int:
    """Return how many worlds share a launch; it changes speed and memory, never a byte."""
    pixels = recipe.rig.width * recipe.rig.height * frames
    return max(1, (CPU_BATCH_PX if device == "cpu" else CUDA_BATCH_PX) // pixels)


def _stop_if_asked() -> None:
    if signals.stop_requested():
        raise Stopped("stopped at a shard boundary; the same command goes on from here")
