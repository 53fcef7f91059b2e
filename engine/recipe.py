"""The recipe: all that decides pixels and labels, typed, validated and hashed; and the job, which decides neither.

`Recipe.id` is the sha256 of the canonical JSON (RFC 8785). Paths of machines never enter it: the USD file and its
assets are named relative to the scene's folder and identified by content, so a moved checkout has the same id.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol, get_args

import rfc8785

from engine.keypoints import ClassKeypoints
from engine.labels.config import LabelConfig
from engine.optics import LensConfig, Mount
from engine.plain import MAX_INTEGER, from_plain, to_plain
from engine.sensors.depth import DepthSensor
from engine.sensors.lidar import Lidar
from engine.sensors.model import Sensor

Quality = Literal["labels", "direct", "path"]
Output = Literal[
    "rgb", "depth", "normal", "instance", "depth_sensor", "lidar", "rgb_linear", "range", "normal_camera", "part",
    "material", "albedo", "roughness", "metallic", "position", "uv", "nocs", "edge", "flow", "scene_flow", "shadow",
    "effect", "defect",
]  # fmt: skip

EXAMPLES = {"depth_sensor": "stereo", "lidar": "spinning_32"}  # of choices below conf/
LARGEST_SIDE_PX = 32768
MOST_SHUTTER_SAMPLES = 1023  # each is a whole set of poses and a tree over them
LARGEST_WORLD = 2**32 - 1  # a world is one 32-bit word of the random counter
MOST_WORLDS = 100_000_000  # of one dataset: its index and its lists of worlds must fit a machine

# What the id leaves out, and why two runs that differ only there are the same data. The manifest records all of it.
NOT_IN_RECIPE = {
    "engine": "the version and commit of the program: recorded, and compared on resume",
    "overrides": "how the command line spelled the recipe",
    "out": "where the files go",
    "usd": "where the scene lies on this machine; its contents are in assets",
    "count": "more worlds extend a dataset, they do not change it",
    "worlds": "which worlds are made now",
    "device": "bytes may differ by a float across kinds of device; the intent is the same",
    "batch": "how many worlds share a launch",
    "worker": "which part of the work is ours",
    "workers": "how many share the work",
    "shard_worlds": "how many worlds share a commit record",
    "loading": "how the scene is loaded: a scene from the cache or a child process is the same, bit for bit",
}


@dataclass(frozen=True)
class AssetRef:
    """A file that the scene was read from: path relative to the root layer's folder, content hash, size."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Parent:
    """What this recipe was derived from, such as a slice report, and why.

    The configuration key `parents` gives them. They are recorded as given: nothing looks the ids up.
    """

    kind: str
    id: str
    why: str = ""


@dataclass(frozen=True)
class SceneConfig:
    """Which stage, and how it is read."""

    name: str
    usd: str  # relative to the folder that Job.usd ends with, `/` between the parts
    time: float | None  # USD time code; None: the stage's start time
    purposes: tuple[str, ...]  # UsdGeomImageable purposes that are rendered
    subdivision_level: int  # refinements of subdivision surfaces
    class_map: dict[str, str]  # see engine/scene/class_map.py; wins over labels authored in the stage
    taxonomy: str | None  # class list, relative to the folder of the USD file; None: made from the labels found
    keypoints: dict[str, ClassKeypoints] | None = None  # class -> keypoints beside those that the stage names

    def __post_init__(self) -> None:
        _check_name("name", self.name)
        for path in (self.usd, self.taxonomy):
            if path is not None:
                check_relative(path)
        _check_between("subdivision_level", self.subdivision_level, 0, 5)
        if not self.purposes:
            raise ValueError("purposes is empty; nothing would be rendered")


@dataclass(frozen=True)
class Loading:
    """How a scene is loaded here and now: configured below `scene`, and no part of what the scene is."""

    cache: bool  # keep the scene as arrays, and take it from there next time
    cache_gib: float  # what the cache may hold
    sandbox: Literal["auto", "true", "false"]  # read in a child process; auto: unless the file is trusted
    sandbox_memory_gib: float  # that the child may ask for
    sandbox_seconds: float  # that the child may take
    trusted_roots: tuple[str, ...]  # folders whose scenes need no sandbox, beside the shipped ones
    roots: tuple[str, ...]  # folders that files of the scene may lie in; none: its own and up to four above

    def __post_init__(self) -> None:
        _check_between("cache_gib", self.cache_gib, 0.0, 1.0e6)
        _check_between("sandbox_memory_gib", self.sandbox_memory_gib, 2.0, 1.0e6)  # USD alone takes one
        _check_between("sandbox_seconds", self.sandbox_seconds, 1.0, 1.0e6)


@dataclass(frozen=True)
class Rig:
    """Cameras and how they integrate light. Every camera of the rig makes one frame a step."""

    cameras: tuple[str, ...]  # prim path globs of authored cameras; "auto": the first one, or one that frames the scene
    width: int  # [px]
    height: int  # [px]
    steps: int  # steps a world
    spp: int  # jittered sub-pixel samples that rgb integrates; labels use the pixel's centre
    quality: Quality
    exposure_ev: float  # [stops], 0: radiance 1 is the white of the image
    ambient_radiance: tuple[float, float, float]  # linear, the constant term that direct adds for light from everywhere
    ambient_reach_m: float  # [m], something nearer than this keeps the ambient term away: contact shadows
    label_opacity: float  # a surface more opaque than this is labelled; cut-outs are, wherever they are there
    clip: bool  # leave out what is nearer or farther than the clipping range of an authored camera
    energy_compensation: bool = True  # rough gloss gets back what bounces more than once between its facets
    bounces: int = 8  # of light between surfaces; quality `path`
    clamp_radiance: float = 0.0  # most that one sample's indirect light adds, 0: no limit; quality `path`
    denoise: bool = False  # rgb by Open Image Denoise, which must be installed; labels never are
    lens: LensConfig | None = None  # of all cameras; None: pinhole or orthographic, as authored
    mounts: dict[str, Mount] | None = None  # what every camera carries and sees through instead; None: it sees itself
    depth_of_field: bool = False  # cameras with an f-number and a focus distance have thin lenses
    motion_blur: bool = False  # what moves while the shutter is open is blurred
    shutter_s: tuple[float, float] | None = None  # opening and closing, relative to the frame's time; None: as drawn
    shutter_samples: int = 1  # places of moving objects in a frame's time, an odd number; cameras move continuously
    readout_s: float = 0.0  # from the first to the last row of the image, 0: all at once, below 0: last row first

    def __post_init__(self) -> None:
        if not self.cameras:
            raise ValueError("cameras is empty; use [auto] for the first authored camera")
        _check_between("width", self.width, 1, LARGEST_SIDE_PX)
        _check_between("height", self.height, 1, LARGEST_SIDE_PX)
        _check_between("steps", self.steps, 1, 1_000_000)
        _check_between("spp", self.spp, 1, 65_536)
        _check_between("exposure_ev", self.exposure_ev, -64.0, 64.0)
        if min(self.ambient_radiance) < 0.0:
            raise ValueError(f"ambient_radiance must not be negative, got {list(self.ambient_radiance)}")
        _check_between("ambient_reach_m", self.ambient_reach_m, 0.0, 1.0e6)
        _check_between("label_opacity", self.label_opacity, 0.0, 1.0)
        _check_between("bounces", self.bounces, 0, 64)
        _check_between("clamp_radiance", self.clamp_radiance, 0.0, 1.0e9)
        if self.shutter_s is not None and not -1.0e3 <= self.shutter_s[0] <= self.shutter_s[1] <= 1.0e3:
            raise ValueError(f"shutter_s must be [opening, closing] in seconds, got {list(self.shutter_s)}")
        _check_between("shutter_samples", self.shutter_samples, 1, MOST_SHUTTER_SAMPLES)
        if self.shutter_samples % 2 == 0:
            raise ValueError(
                f"shutter_samples must be odd, so that one is the shutter's middle, got {self.shutter_samples}"
            )
        _check_between("readout_s", self.readout_s, -1.0e3, 1.0e3)
        if self.denoise and self.quality == "labels":
            raise ValueError("denoise needs pictures, and quality=labels makes none; use denoise=false")
        if self.mounts is not None and not self.mounts:
            raise ValueError("mounts is empty; use null for cameras that carry none")
        for name in self.mounts or {}:
            _check_name("mounts", name)


@dataclass(frozen=True)
class Breadth:
    """How much of every law's spread is used; see engine/randomize/law.py."""

    breadth: float  # 0: every law at its centre; 1: as written

    def __post_init__(self) -> None:
        _check_between("breadth", self.breadth, 0.0, 1.0)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides pixels and labels; `with_assets` fills `assets` and `taxonomy_id` after loading."""

    scene: SceneConfig
    rig: Rig
    randomize: dict[str, dict[str, Any]]  # name -> {kind, per, ...}; the name is the key of the random stream
    dr: Breadth
    outputs: tuple[Output, ...]
    write: dict[str, dict[str, Any]]  # name -> {kind, ...}
    seed: int
    depth_sensor: DepthSensor | None = None
    lidar: Lidar | None = None
    assets: tuple[AssetRef, ...] = ()
    taxonomy_id: str = ""
    parents: tuple[Parent, ...] = ()
    sensor: Sensor | None = None  # of every camera; None: the ideal one
    labels: LabelConfig = dataclasses.field(default_factory=LabelConfig)
    plugins: tuple[str, ...] = ()  # `module==version`, recorded; never imported from here
    schema: Literal["recipe/1"] = "recipe/1"

    def __post_init__(self) -> None:
        _check_between("seed", self.seed, 0, MAX_INTEGER)
        if not self.outputs:
            raise ValueError(f"outputs is empty; name at least one of {', '.join(get_args(Output))}")
        if len(set(self.outputs)) != len(self.outputs):
            raise ValueError(f"outputs names one twice: {', '.join(self.outputs)}")
        for name in ("flow", "scene_flow"):
            if name in self.outputs and self.rig.steps < 2:
                raise ValueError(f"outputs names {name}, which goes from step to step; use rig.steps=2 or more")
        for name in ("depth_sensor", "lidar"):
            is_there, is_wanted = getattr(self, name) is not None, name in self.outputs
            if is_wanted and not is_there:
                raise ValueError(
                    f"outputs names {name}, but there is none; choose one, such as {name}={EXAMPLES[name]}"
                )
            if is_there and not is_wanted:
                raise ValueError(f"nothing uses {name}; add it to outputs, a writer of it, or take {name}=none")
        for group, entries in (("randomize", self.randomize), ("write", self.write)):
            for name, entry in entries.items():
                _check_name(f"{group}.{name}", name)
                if not isinstance(entry.get("kind"), str):
                    raise ValueError(f"{group}.{name} has no kind")

    @property
    def id(self) -> str:
        """The sha256 of the canonical JSON, 64 hex digits."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def canonical(self) -> bytes:
        """Return the canonical JSON (RFC 8785): sorted keys, shortest numbers, UTF-8."""
        return bytes(rfc8785.dumps(self.to_json()))

    def to_json(self) -> dict[str, Any]:
        """Return the plain-data form."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    @classmethod
    def from_json(cls, data: object) -> Recipe:
        """Return the recipe that plain data describe; it only checks the shape and imports nothing that they name.

        Raises:
            UserError: If a key is unknown or missing, or a value does not fit; one line with its path.
        """
        return from_plain(cls, data, "recipe")

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """Return the recipe of a recipe.json.

        Raises:
            UserError: If the file is not JSON or not a recipe.
        """
        from engine.errors import UserError

        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path} is not JSON: {error}") from error
        return cls.from_json(data)


@dataclass(frozen=True)
class Job:
    """How a recipe is carried out here and now; nothing in it changes a world's data."""

    out: Path | None  # dataset folder; None: `default_out` of the recipe with its assets
    usd: Path  # where the scene's root layer lies on this machine
    count: int  # worlds 0 .. count-1
    worlds: tuple[int, ...] | None  # only these; None: all of count
    device: str  # auto | cpu | cuda:N | all
    batch: int  # worlds a launch; 0: what fits
    worker: int
    workers: int
    shard_worlds: int  # worlds a commit record
    overrides: tuple[str, ...] = ()  # how the command line spelled it, as `portable_overrides`; recorded only
    loading: Loading | None = None  # None: as `engine.scene.SceneOptions` has it

    def __post_init__(self) -> None:
        _check_between("count", self.count, 1, MOST_WORLDS)
        _check_between("batch", self.batch, 0, 1_048_576)
        _check_between("workers", self.workers, 1, 1_000_000)
        _check_between("shard_worlds", self.shard_worlds, 1, 1_000_000)
        if not 0 <= self.worker < self.workers:
            raise ValueError(f"worker must be in 0..{self.workers - 1} (workers={self.workers}), got {self.worker}")
        if not re.fullmatch(r"auto|cpu|all|cuda:\d{1,3}", self.device):
            raise ValueError(f"device must be auto, cpu, all or cuda:N, got '{self.device}'")
        if self.worlds is not None:
            if not self.worlds:
                raise ValueError("worlds is an empty list; use null for all worlds of count")
            for world in self.worlds:
                _check_between("worlds", world, 0, LARGEST_WORLD)
            if len(set(self.worlds)) != len(self.worlds):
                raise ValueError("worlds names a world twice")

    def world_ids(self) -> Sequence[int]:
        """Return the worlds of the whole job, in order, before it is split among workers."""
        return range(self.count) if self.worlds is None else sorted(self.worlds)


class LoadedScene(Protocol):
    """The part of engine.scene.model.Scene that decides an id; keeps this file free of NumPy."""

    @property
    def assets(self) -> Sequence[Any]:
        """Files with path, sha256 and bytes."""

    @property
    def taxonomy(self) -> Any:
        """Class list with an id."""


def with_assets(recipe: Recipe, scene: LoadedScene) -> Recipe:
    """Return the recipe with the content of the loaded scene in it: asset hashes sorted by path, taxonomy id."""
    assets = tuple(sorted((AssetRef(a.path, a.sha256, a.bytes) for a in scene.assets), key=lambda a: a.path))
    return dataclasses.replace(recipe, assets=assets, taxonomy_id=scene.taxonomy.id)


def without_assets(recipe: Recipe) -> Recipe:
    """Return the recipe as it was before a scene was loaded: what the configuration alone says."""
    return dataclasses.replace(recipe, assets=(), taxonomy_id="")


def default_out(recipe: Recipe) -> Path:
    """Return `out/<scene>-<first 8 digits of the id>`, relative to the working folder.

    Raises:
        ValueError: If the assets are not known yet: the id would change once they are.
    """
    if not recipe.assets:
        raise ValueError("the recipe has no asset hashes yet; call with_assets first")
    return Path("out") / f"{recipe.scene.name}-{recipe.id[:8]}"


def _check_between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be in {low}..{high}, got {value}")


def _check_name(where: str, name: str) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", name):
        raise ValueError(f"{where}: '{name}' is not a name; use up to 64 letters, digits, _ and -")


def check_relative(path: str) -> None:
    """Refuse a path that could lead out of the folder it is relative to, links apart.

    Raises:
        ValueError: If it is empty, absolute, or has `..` or a backslash in it.
    """
    parts = PurePosixPath(path)
    if not path or parts.is_absolute() or ".." in parts.parts or "\\" in path:
        raise ValueError(f"'{path}' must be a relative path with / and without ..")
