"""The scene as plain arrays: what a USD stage means, without a batch axis, in SI units, Z up, linear colour.

A *placement* is one mesh put somewhere (a leaf of the top-level tree); an *instance* is what a label speaks of, and
owns one or more placements. Instance 0 is the background: it has no placement of its own and is never labelled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.scene.taxonomy import Taxonomy

NO_INSTANCE = 0


@dataclass(frozen=True)
class Mesh:
    """Triangles in their own frame [m]; shared by every placement of the same prototype."""

    name: str
    points_m: NDArray[np.float32]  # [point, 3]
    triangle: NDArray[np.int32]  # [triangle, 3], counter-clockwise seen from outside
    normal: NDArray[np.float32] | None  # [triangle, 3 corners, 3], unit; None: the face's own
    uv: NDArray[np.float32] | None  # [triangle, 3 corners, 2], v up; None: no texture coordinates
    color: NDArray[np.float32] | None  # [triangle, 3 corners, 3], linear displayColor that varies; None: white
    slot: NDArray[np.int32]  # [triangle], material slot; see `Placements.first_slot`
    two_sided: bool
    uv2: NDArray[np.float32] | None = None  # [triangle, 3 corners, 2], see `TextureInput.uv_set`
    opacity: NDArray[np.float32] | None = None  # [triangle, 3 corners], displayOpacity that varies; None: 1


@dataclass(frozen=True)
class Placements:
    """Meshes put into the scene. The material of a triangle is `slot_material[first_slot[p] + mesh.slot[t]]`."""

    mesh: NDArray[np.int32]  # [placement], index into Scene.meshes
    instance: NDArray[np.int32]  # [placement], index into Scene.instances
    first_slot: NDArray[np.int32]  # [placement]
    slot_material: NDArray[np.int32]  # [slot], index into Scene.materials
    world_from_mesh: NDArray[np.float64]  # [placement, 3, 4], as authored; columns are the axes and the origin [m]
    color: NDArray[np.float32] | None = None  # [placement, 4], linear displayColor and displayOpacity that do not vary
    # over the mesh, which they multiply; None: white and 1 everywhere
    prim: tuple[str, ...] = ()  # [placement], path of the prim that is drawn: below an instancer, that of its prototype


@dataclass(frozen=True)
class Instances:
    """What labels speak of, sorted by path; row 0 is the background."""

    path: tuple[str, ...]  # prim path, with `[i]` for a PointInstancer's element
    stable_id: NDArray[np.uint64]  # [instance], first 8 bytes of sha256(path)
    class_id: NDArray[np.int32]  # [instance], id in the taxonomy; 0: unlabelled
    label_source: tuple[
        str, ...
    ]  # the rule that gave the class: mapping, labels_api, semantics, user, asset, name, none
    tags: tuple[tuple[str, ...], ...]  # every label inherited from any ancestor
    world_from_instance: NDArray[np.float64]  # [instance, 3, 4], as authored: the frame that randomisers move


class Wrap(IntEnum):
    """What a texture shows outside [0, 1)."""

    REPEAT = 0
    CLAMP = 1
    MIRROR = 2
    BLACK = 3


@dataclass(frozen=True)
class Texture:
    """An image, first row at the bottom (v = 0): linear numbers, or a quarter of that: the bytes of the file."""

    name: str
    linear: NDArray[np.float32] | None  # [y, x, 4], RGBA; None: bytes
    wrap_u: Wrap
    wrap_v: Wrap
    byte: NDArray[np.uint8] | None = None  # [y, x, 4], RGBA
    linear_of_byte: NDArray[np.float32] | None = None  # [256], of red, green and blue; alpha is the byte / 255

    @property
    def pixels(self) -> NDArray[np.float32]:
        """The image as linear RGBA, [y, x, 4]; bytes are decoded at every call."""
        return linear_pixels(self.linear, self.byte, self.linear_of_byte)

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        image = self.byte if self.linear is None else self.linear
        return (0, 0) if image is None else (image.shape[1], image.shape[0])


def linear_pixels(
    linear: NDArray[np.float32] | None, byte: NDArray[np.uint8] | None, linear_of_byte: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Return linear RGBA [y, x, 4] of an image that is kept either way."""
    if linear is not None:
        return linear
    if byte is None or linear_of_byte is None:
        raise ValueError("an image has neither linear numbers nor bytes with their table")
    out = np.empty(byte.shape, np.float32)
    out[..., :3] = linear_of_byte[byte[..., :3]]
    out[..., 3] = byte[..., 3] * np.float32(1.0 / 255.0)
    return out


@dataclass(frozen=True)
class TextureInput:
    """A texture driving one input of a material: `scale * texel + bias`, looked up at `uv_from_st @ (s, t, 1)`."""

    texture: int  # index into Scene.textures
    channel: int  # 0..3 for a scalar input; ignored for a colour
    scale: tuple[float, float, float, float]
    bias: tuple[float, float, float, float]
    uv_from_st: tuple[float, float, float, float, float, float]  # row-major 2x3
    uv_set: int = 0  # 0: Mesh.uv, 1: Mesh.uv2


@dataclass(frozen=True)
class Material:
    """UsdPreviewSurface, both workflows, linear colour.

    Source: UsdPreviewSurface specification, https://openusd.org/release/spec_usdpreviewsurface.html
    """

    name: str  # prim path
    base_color: tuple[float, float, float] = (0.18, 0.18, 0.18)
    metallic: float = 0.0
    roughness: float = 0.5
    ior: float = 1.5
    opacity: float = 1.0
    opacity_threshold: float = 0.0
    clearcoat: float = 0.0
    clearcoat_roughness: float = 0.01
    emission: tuple[float, float, float] = (0.0, 0.0, 0.0)  # radiance
    textures: dict[str, TextureInput] = field(default_factory=dict)  # key: the name of a field above, or "normal"
    uses_display_color: bool = False  # base_color comes from Placements.color times Mesh.color
    uses_display_opacity: bool = False  # opacity comes from Placements.color times Mesh.opacity
    specular_color: tuple[float, float, float] | None = None  # F0 of the specular workflow; None: the metallic one
    presence: bool = False  # opacityMode: opacity scales the whole response; False: the diffuse part only, like glass


class LightKind(IntEnum):
    """Shapes of UsdLux. Add members at the end: kernels compare with these values."""

    DISTANT = 0
    SPHERE = 1
    RECT = 2
    DISK = 3
    CYLINDER = 4
    DOME = 5
    SKY = 6


@dataclass(frozen=True)
class Light:
    """One light; `radiance` is what the source's surface sends out (normalize, exposure and colour already in it).

    Frames: distant, rect and disk emit along -Z; a cylinder lies along X; a dome's pole is +Z (already turned), the
    centre of its image -Y, and u falls towards +X; the sky's pole is +Z, the sun stands above +X. A scene has at most
    one sky, of which `radiance` is a factor (engine/daylight/sky.py).
    """

    name: str  # prim path
    kind: LightKind
    world_from_light: NDArray[np.float64]  # [3, 4], orthonormal axes; the scale is in size_m
    size_m: tuple[
        float, float
    ]  # sphere: (radius, 0); rect: (width, height); disk: (radius, 0); cylinder: (radius, length)
    half_angle_rad: float  # distant: half the angle the source fills
    radiance: tuple[float, float, float]
    texture: int | None = None  # index into Scene.textures; dome: latitude-longitude, rect: over its face
    cone_cos: float = -1.0  # shaping: cosine of the cone's half angle; -1: none
    cone_softness: float = 0.0
    casts_shadow: bool = True
    focus: float = 0.0  # shaping: exponent of the cosine from the emission axis
    focus_tint: tuple[float, float, float] = (0.0, 0.0, 0.0)  # of what the focus takes away
    diffuse: float = 1.0  # factor on what it adds to the diffuse lobe
    specular: float = 1.0
    shadow_color: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shadow_distance_m: float = float("inf")  # how far from the lit point something may be that shades it
    shadow_falloff_m: float = 0.0  # the last part of that distance, over which shadows fade out
    shadow_falloff_gamma: float = 1.0  # exponent of the fading
    ies: int | None = None  # index into Scene.ies
    lit: int | None = None  # row of Scene.link_sets: the placements that it lights; None: all
    shading: int | None = None  # row of Scene.link_sets: the placements that cast its shadows; None: all
    # Of the sky: turbidity, the sun's elevation [rad], the ground's albedo, the luminance of radiance 1 [cd/m^2].
    sky: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Camera:
    """A UsdGeomCamera. Camera frame: x right, y up, looks along -Z (USD and OpenGL)."""

    name: str  # prim path
    world_from_camera: NDArray[np.float64]  # [3, 4]
    focal_length_mm: float
    horizontal_aperture_mm: float
    vertical_aperture_mm: float
    horizontal_offset_mm: float = 0.0
    vertical_offset_mm: float = 0.0
    orthographic: bool = False
    clip_m: tuple[float, float] = (0.0, float("inf"))  # applied only if the rig says so
    f_stop: float = 0.0  # 0: pinhole
    focus_distance_m: float = 0.0  # 0: pinhole
    shutter_s: tuple[float, float] = (0.0, 0.0)  # opening and closing, relative to the frame's time
    exposure: float = 1.0  # factor on radiance: UsdGeomCamera's linear exposure scale


@dataclass(frozen=True)
class IesProfile:
    """A photometric profile: luminous intensity as factors.

    Row-major over the horizontal, then the vertical angles, both ascending [rad]; the vertical angle is 0 along the
    light's emission axis (-Z). The horizontal one is that of the direction towards the light: 0 where +X of the light
    points away from what it shines on, pi / 2 for +Y.
    """

    name: str
    horizontal_rad: NDArray[np.float32]  # [horizontal], 0 .. 2 pi
    vertical_rad: NDArray[np.float32]  # [vertical], 0 .. pi
    intensity: NDArray[np.float32]  # [horizontal, vertical], factor on the light's radiance


@dataclass(frozen=True)
class Anchor:
    """A named place for randomisers, authored as an Xform with `token ommatidia:anchor = "<kind>"`.

    The anchor's box spans `[-size/2, size/2]` in x and y and `[0, size_z]` in z of its frame.
    """

    path: str
    kind: str
    world_from_anchor: NDArray[np.float64]  # [3, 4], orthonormal axes
    size_m: tuple[float, float, float]  # `float3 ommatidia:size`, stage units in the file; zeros when not authored
    support: tuple[str, ...] = ()  # paths of anchors that must be filled first: `rel ommatidia:support`


@dataclass(frozen=True)
class Keypoints:
    """Named points of instances, sorted by instance, then by name's number."""

    instance: NDArray[np.int32]  # [keypoint], index into Scene.instances
    number: NDArray[np.int32]  # [keypoint], index into the keypoints of the instance's class
    position_m: NDArray[np.float64]  # [keypoint, 3], in the frame of its instance, with which it moves
    depth_m: NDArray[np.float32]  # [keypoint], how deep it lies below the surface of its instance, as of a joint

    @classmethod
    def none(cls) -> Keypoints:
        """Return those of a scene that has none."""
        return cls(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros((0, 3)), np.zeros(0, np.float32))


@dataclass(frozen=True)
class Asset:
    """A file the scene was read from, relative to the folder of the root layer where it lies below it."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Note:
    """One line of the load report."""

    level: str  # "converted" | "approximated" | "skipped" | "repaired" | "error"
    prim: str
    what: str


@dataclass(frozen=True)
class Scene:
    """A USD stage as arrays."""

    source: Path
    meshes: tuple[Mesh, ...]
    placements: Placements
    instances: Instances
    materials: tuple[Material, ...]  # material 0 is the fallback (0.18 grey)
    textures: tuple[Texture, ...]
    lights: tuple[Light, ...]
    cameras: tuple[Camera, ...]
    anchors: tuple[Anchor, ...]
    taxonomy: Taxonomy
    assets: tuple[Asset, ...]
    notes: tuple[Note, ...]
    ies: tuple[IesProfile, ...] = ()
    keypoints: Keypoints = field(default_factory=Keypoints.none)
    material_of: dict[str, int] = field(default_factory=dict)  # path of a Material prim, bound or not -> index into
    # materials; equal ones share an entry, which is named after the first
    link_sets: NDArray[np.bool_] | None = None  # [set, placement], light and shadow linking; None: no set
    pictures: tuple[Texture, ...] = ()  # images that are no part of the stage; a recipe names their folders
    # What became of every prim that loading visited, counted by type (`untyped` where there is none); together they are
    # all of them. Below what is skipped or pruned (hidden prims, materials) nothing is visited.
    used: dict[str, int] = field(default_factory=dict)  # the scene was made from them
    skipped: dict[str, int] = field(default_factory=dict)  # left out; a note says why
    ignored: dict[str, int] = field(default_factory=dict)  # neither draw nor light: groups, physics, unknown types
