"""The randomiser of defects: where it puts them, what it draws and records, and what it refuses."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import yaml

from engine._layout import conf_folder
from engine.defect import COLUMNS, DEFECT_NAMES, DefectKind, record_values
from engine.draft import Draft
from engine.errors import UserError
from engine.randomize.kinds import checked_randomizers
from engine.randomize.look import surface as surface_module
from engine.randomize.look.defect import Kind, _along
from engine.randomize.look.surface import Spots, _surface, edges_of
from engine.scene.model import Mesh, Scene
from engine.scene.taxonomy import ObjectClass, Taxonomy
from tests.engine.randomize_scene import box_scene, randomized, uniform

PRESETS = ("scratches", "cracks", "casting_pores", "handling_damage", "stains", "near_misses")
SIDES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
TRIANGLES = np.array([t for a, b, c, d in SIDES for t in ((a, b, c), (a, c, d))], np.int32)
SIZE_M = np.array([0.4, 0.2, 0.1])
WORLDS = 400


def closed(scene: Scene, classes: tuple[ObjectClass, ...] = ()) -> Scene:
    """Return a scene whose boxes have all their sides, of two triangles each."""
    slot = np.zeros(len(TRIANGLES), np.int32)
    meshes = tuple(Mesh(m.name, m.points_m, TRIANGLES, None, None, None, slot, False) for m in scene.meshes)
    return dataclasses.replace(scene, meshes=meshes, taxonomy=Taxonomy("1", classes))


SCENE = closed(box_scene({"/W/A": ((0, 0, 0), tuple(SIZE_M)), "/W/B": ((3, 0, 0), (1, 1, 1))}))


def entry(**changes: Any) -> dict[str, Any]:
    """Return four scratches on box A."""
    preset = yaml.safe_load((conf_folder() / "randomize" / "scratches.yaml").read_text())["scratches"]
    return {**preset, "instances": "/W/A", "count": 4, "edge_weight": 1, **changes}


def drawn(scene: Scene = SCENE, worlds: Any = range(WORLDS), **changes: Any) -> Draft:
    return randomized(scene, {"x": entry(**changes)}, worlds)


def centers(draft: Draft) -> np.ndarray:
    """Return the centres of all defects that are used, [defect, 3]."""
    return np.asarray(record_values(draft.defect, "center_m")[draft.defect_of > 0], np.float64)


def edge_distances(points_m: np.ndarray, size_m: np.ndarray) -> np.ndarray:
    """Return how far points on a box are from its nearest edge: the second smallest distance from a side's plane."""
    return np.sort(np.minimum(points_m, size_m - points_m), axis=1)[:, 1]


def test_defects_are_even_by_area() -> None:
    """1,600 points on a box of three different pairs of sides: chi-square over 6 sides, and 4 quarters of the top."""
    from scipy.stats import chisquare

    points = centers(drawn())
    side = np.argmin(np.concatenate([points, SIZE_M - points], axis=1), axis=1)
    area = np.tile([SIZE_M[1] * SIZE_M[2], SIZE_M[0] * SIZE_M[2], SIZE_M[0] * SIZE_M[1]], 2)
    assert chisquare(np.bincount(side, minlength=6), len(points) * area / area.sum()).pvalue > 1.0e-3
    top = points[side == 5]
    quarter = (top[:, 0] > SIZE_M[0] / 2) * 2 + (top[:, 1] > SIZE_M[1] / 2)
    assert chisquare(np.bincount(quarter, minlength=4)).pvalue > 1.0e-3
    assert (np.minimum(points, SIZE_M - points).min(axis=1) < 1.0e-6).all()


@pytest.mark.parametrize("weight", [0.25, 5.0])
def test_the_density_near_edges_is_as_many_times_that_elsewhere(weight: float) -> None:
    """The ratio of densities, by the areas near edges and far of them: the weight lies in its 99.9 % interval."""
    reach = 0.02
    points = centers(drawn(edge_weight=weight, edge_reach_m=reach, worlds=range(1000)))
    near = (edge_distances(points, SIZE_M) <= reach).sum()
    far = len(points) - near
    all_area = 2 * (SIZE_M[0] * SIZE_M[1] + SIZE_M[1] * SIZE_M[2] + SIZE_M[0] * SIZE_M[2])
    inner = SIZE_M - 2 * reach
    far_area = 2 * (inner[0] * inner[1] + inner[1] * inner[2] + inner[0] * inner[2])
    ratio = (near / (all_area - far_area)) / (far / far_area)
    spread = 3.29 * np.sqrt(1 / near + 1 / far)
    assert np.exp(-spread) < ratio / weight < np.exp(spread)


def test_edge_distance_is_that_of_the_box() -> None:
    draft = drawn(worlds=range(50))
    told = record_values(draft.defect, "edge_distance_m")[draft.defect_of > 0]
    assert told == pytest.approx(edge_distances(centers(draft), SIZE_M), abs=1.0e-6)
    assert draft.drawn["p.x.edge_distance_m"].reshape(-1) == pytest.approx(told)


def test_defects_of_edges_lie_on_them_and_along_them() -> None:
    """Their centre is at distance 0; their direction is that of an edge, and its normal that of one of its sides."""
    draft = drawn(place="edge", direction_deg=0, worlds=range(50))
    assert edge_distances(centers(draft), SIZE_M) == pytest.approx(0.0, abs=1.0e-6)
    for name in ("along", "normal"):
        assert np.sort(np.abs(record_values(draft.defect, name)), axis=-1)[..., :2] == pytest.approx(0.0, abs=1.0e-6)


def test_triangles_without_area_are_no_edges() -> None:
    """A sliver at a border and one within a side: the edges of the box stay its twelve."""
    mesh = SCENE.meshes[0]
    (a, b, c), (_, _, d) = mesh.triangle[:2].tolist()
    points_m = np.concatenate([mesh.points_m, 0.5 * (mesh.points_m[[a]] + mesh.points_m[[c, b]])])
    within = [(a, b, c), (a, c, 8), (a, 8, d), (8, c, d), *mesh.triangle[2:].tolist()]
    for triangles in ([*mesh.triangle.tolist(), (a, 9, b)], within):
        corners = np.array(triangles, np.int32)
        slot = np.zeros(len(corners), np.int32)
        edges = edges_of(Mesh("sliver", points_m, corners, None, None, None, slot, False))
        assert len(edges.ends) == 12
        assert edges.ends.max() < 8


@pytest.mark.parametrize("reference", [(1.0, 1.0, 1.0), (0.0, 1.0, 0.0), (-1.0, 1.0, 0.0)])
def test_a_reference_that_pierces_the_surface_still_gives_a_direction(reference: tuple[float, float, float]) -> None:
    normal = np.array(reference)[None] / np.linalg.norm(reference)
    zero = np.zeros_like(normal)
    along = _along(Spots(zero, normal, zero, np.zeros(1, np.int64), np.zeros(1)), np.array(reference), np.zeros(1))
    assert np.linalg.norm(along) == pytest.approx(1.0)
    assert (along * normal).sum() == pytest.approx(0.0, abs=1e-12)


def test_directions_are_spread_as_their_law_says() -> None:
    """On the top, from the reference axis about the normal: uniform from 20 to 70 degrees (Kolmogorov, Smirnov)."""
    from scipy.stats import kstest

    up = {"direction": [0, 0, 1], "within_deg": 10}
    draft = drawn(direction_deg=uniform(20, 70), reference=[0, 1, 0], faces=up)
    assert record_values(draft.defect, "normal")[..., 2] == pytest.approx(1.0)
    along = record_values(draft.defect, "along").reshape(-1, 3)
    angle = np.rad2deg(np.arctan2(-along[:, 0], along[:, 1]))  # from +y, counter-clockwise from above
    assert kstest(angle, "uniform", args=(20, 50)).pvalue > 1.0e-3


def test_sizes_and_places_are_in_metres_of_the_world() -> None:
    """A box scaled by 3 along x: its mesh's frame is as long as the world makes it, and points are even there."""
    from scipy.stats import kstest

    scene = dataclasses.replace(SCENE, instances=dataclasses.replace(
        SCENE.instances, world_from_instance=SCENE.instances.world_from_instance @ np.diag([3.0, 1.0, 1.0, 1.0])
    ))  # fmt: skip
    scale = np.diag([3.0, 1.0, 1.0, 1.0])
    poses = np.array([(np.vstack([m, [0, 0, 0, 1]]) @ scale)[:3] for m in SCENE.placements.world_from_mesh])
    scene = dataclasses.replace(scene, placements=dataclasses.replace(scene.placements, world_from_mesh=poses))
    x = centers(drawn(scene, faces={"direction": [0, 0, 1], "within_deg": 1}))[:, 0]
    assert kstest(x, "uniform", args=(0, 1.2)).pvalue > 1.0e-3


def test_a_world_is_the_same_alone_and_all_differ() -> None:
    many, one = (drawn(worlds=worlds, edge_weight=4, edge_reach_m=0.02) for worlds in (range(5), [3]))
    assert np.array_equal(many.defect[3], one.defect[0])
    assert np.array_equal(many.defect_of[3], one.defect_of[0])
    assert len(np.unique(record_values(many.defect, "seed"))) == many.defect_of.size


def test_counts_and_probability_say_which_slots_are_used() -> None:
    """Three at most on each of two boxes: as many slots used as the columns say, and half of the boxes have none."""
    draft = drawn(instances="/W/*", count={"law": "integer", "low": 1, "high": 3}, probability=0.5)
    assert draft.defect_of.shape == (WORLDS, 6)
    assert np.array_equal(draft.drawn["p.x.instance"], draft.defect_of)
    used = (draft.defect_of.reshape(WORLDS, 2, 3) > 0).sum(axis=2)
    assert set(np.unique(used)) == {0, 1, 2, 3}
    assert (used[used > 0] == draft.drawn["p.x.count"][used > 0]).all()
    assert abs((used > 0).mean() - 0.5) < 3.3 * np.sqrt(0.25 / used.size)


def test_a_count_of_none_has_no_columns_without_width() -> None:
    """A table of worlds could not hold them."""
    draft = drawn(worlds=[0, 1], count=0)
    assert draft.defect.shape[1] == 0
    assert all(np.asarray(values).size for values in draft.drawn.values())


def test_surfaces_are_made_once_for_copies_and_each_keeps_its_own_meshes() -> None:
    """Of two equal boxes and a third in another size: two surfaces, and places on the mesh of the bearer."""
    boxes = {"/W/A": ((0, 0, 0), (1, 1, 1)), "/W/B": ((3, 0, 0), (1, 1, 1)), "/W/C": ((6, 0, 0), (1, 2, 1))}
    scene = closed(box_scene(boxes))  # type: ignore[arg-type]
    first = scene.placements.mesh[0]
    mesh = np.where(np.arange(len(boxes)) == 1, first, scene.placements.mesh).astype(np.int32)
    scene = dataclasses.replace(scene, placements=dataclasses.replace(scene.placements, mesh=mesh))
    made: list[object] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(surface_module, "_surface", lambda *asked: made.append(asked[2]) or _surface(*asked))
        draft = drawn(scene, worlds=range(20), instances="*")
    assert len(made) == 2
    own = scene.placements.instance[record_values(draft.defect, "placement")]
    assert np.array_equal(own, draft.defect_of)


def test_records_hold_what_the_columns_say() -> None:
    draft = drawn(worlds=range(3), metallic=uniform(0, 1), color=None)
    names = {"length_m": 1.0, "width_m": 1.0, "depth_um": 1e-6, "severity": 1.0, "rim": 1.0, "metallic": 1.0}
    for name, factor in names.items():
        values = record_values(draft.defect, name.replace("depth_um", "depth_m"))
        assert values == pytest.approx(draft.drawn[f"p.x.{name}"] * factor, rel=1.0e-6)
    assert (record_values(draft.defect, "color") == -1.0).all()
    assert (record_values(draft.defect, "kind") == DefectKind.SCRATCH).all()
    assert (draft.drawn["p.x.seed"].astype(np.uint32).view(np.int32) == record_values(draft.defect, "seed")).all()


def test_a_slot_knows_its_class_and_where_it_comes_from() -> None:
    """The kind's own class where the entry names none, else the one that it names."""
    classes = (ObjectClass(7, "scratch", "scratch"), ObjectClass(9, "gouge", "gouge"))
    scene = closed(SCENE, classes)
    own, named = (drawn(scene, worlds=[0], label=label).defect_slots[0] for label in (None, "gouge"))
    assert (own.entry, own.kind, own.class_id, own.handling_step) == ("x", DefectKind.SCRATCH, 7, "handling")
    assert named.class_id == 9


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_ready_to_use(name: str) -> None:
    entries = yaml.safe_load((conf_folder() / "randomize" / f"{name}.yaml").read_text())
    assert set(checked_randomizers(entries)) == set(entries)
    draft = randomized(SCENE, entries, range(4))
    assert len({slot.entry for slot in draft.defect_slots}) == len(entries)
    assert np.isfinite(draft.defect[..., : COLUMNS["seed"]]).all()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"defect": "hole"}, "randomize.x.defect: 'hole' is not one of: scratch, scuff"),
        ({"severity": 1.5}, "severity must stay in [0, 1]"),
        ({"count": 1000}, "count must stay in [0, 256]"),
        ({"label": "skratch"}, "randomize.x.label: no class 'skratch'"),
        ({"reference": [0, 0, 0]}, "reference is [0, 0, 0]; give an axis such as [1, 0, 0]"),
        ({"edge_weight": 0}, "edge_weight must be in (0, 100], got 0"),
        ({"faces": {"direction": [1, 1, 1], "within_deg": 1}}, "randomize.x.faces: '/W/A' has no surface that faces"),
    ],
)
def test_what_makes_no_sense_is_one_line(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError) as caught:
        drawn(worlds=[0], **changes)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_kind_has_a_name_in_configurations() -> None:
    assert Kind.__args__ == DEFECT_NAMES  # type: ignore[attr-defined]
