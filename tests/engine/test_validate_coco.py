"""Faults planted into a clean COCO folder: the check names exactly the rule that was broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.validate.coco import check_coco
from engine.validate.coco_precision import self_precision
from engine.validate.detect import check, formats_of
from engine.validate.folder import Folder
from engine.validate.rle import decode, runs_of
from tests.engine.validate_samples import (
    HEIGHT,
    WIDTH,
    coco_data,
    ellipse,
    picture,
    rle_of,
    write_coco,
    write_json,
    write_panoptic,
)

Change = Callable[[dict[str, Any]], object]


def rules_of(root: Path, *, ap: bool = False) -> list[str]:
    """Return the rules that a COCO folder breaks, each once."""
    return sorted({finding.rule for finding in check(Folder(root), ("coco",), with_precision=ap)})


def put(place: int, **values: Any) -> Change:
    return lambda coco: coco["annotations"][place].update(values)


def drop(place: int, key: str) -> Change:
    return lambda coco: coco["annotations"][place].pop(key)


def item(part: str, place: int, /, **values: Any) -> Change:
    return lambda coco: coco[part][place].update(values)


def points(*values: Any, count: int = 2) -> Change:
    return put(1, keypoints=list(values), num_keypoints=count)


def as_corners(coco: dict[str, Any]) -> None:
    x, y, w, h = coco["annotations"][2]["bbox"]
    coco["annotations"][2]["bbox"] = [x, y, x + w, y + h]


def ids_as_text(coco: dict[str, Any]) -> None:
    for image in coco["images"]:
        image["id"] = str(image["id"])


def twin(coco: dict[str, Any]) -> None:
    coco["annotations"].append(coco["annotations"][2] | {"id": 99})


def swap_rle(coco: dict[str, Any]) -> None:
    coco["annotations"][2]["segmentation"]["size"] = [WIDTH, HEIGHT]


def rle(**values: Any) -> Change:
    return lambda coco: coco["annotations"][2]["segmentation"].update(values)


RING = [4.0, 3.0, 24.0, 3.0, 24.0, 23.0, 4.0, 23.0]
CARTON = ellipse(52, 12, 6, 8)

SEEDED: dict[str, tuple[Change, str]] = {
    "bbox_outside": (put(2, bbox=[46, 4, 40, 16]), "box-outside"),
    "negative_width": (put(2, bbox=[46, 4, -12, 16]), "box-not-positive"),
    "nan_box": (put(2, bbox=[float("nan"), 4, 12, 16]), "box-invalid"),
    "xyxy_as_xywh": (as_corners, "box-is-xyxy"),
    "box_not_mask": (put(2, bbox=[45, 4, 12, 16]), "box-not-mask"),
    "wrong_area": (put(2, area=12 * 16), "area-not-mask"),
    "duplicate_annotation_id": (put(2, id=2), "id-duplicate"),
    "annotation_id_zero": (put(2, id=0), "id-below-one"),
    "duplicate_image_id": (item("images", 2, id=2), "id-duplicate"),
    "string_image_ids": (ids_as_text, "id-not-integer"),
    "unknown_category": (put(2, category_id=77), "category-id-unknown"),
    "missing_file": (item("images", 2, file_name="000099.png"), "image-missing"),
    "image_size_swapped": (item("images", 0, width=HEIGHT, height=WIDTH), "image-size-swapped"),
    "polygon_two_points": (put(3, segmentation=[[4, 3, 24, 23]]), "polygon-too-short"),
    "polygon_empty": (put(3, segmentation=[]), "segmentation-empty"),
    "rle_swapped_size": (swap_rle, "rle-size-swapped"),
    "crowd_with_polygon": (put(3, iscrowd=1), "crowd-needs-rle"),
    "no_iscrowd": (drop(2, "iscrowd"), "iscrowd-invalid"),
    "no_area": (drop(2, "area"), "area-invalid"),
    "keypoint_length": (points(40, 22, 2, 30, 30, 1), "keypoints-length"),
}
INVENTED: dict[str, tuple[Change, str]] = {
    "lists are missing": (lambda coco: coco.pop("categories"), "coco-lists"),
    "annotation is a number": (lambda coco: coco["annotations"].__setitem__(2, 5), "item-not-object"),
    "annotations refer by text": (put(2, image_id="1"), "id-not-integer"),
    "image id zero": (item("images", 2, id=0), "image-id-below-one"),
    "category zero": (
        lambda coco: (item("categories", 0, id=0)(coco), [put(i, category_id=0)(coco) for i in (0, 2, 3, 4)]),
        "id-below-one",
    ),
    "unknown image": (put(2, image_id=77), "image-id-unknown"),
    "image of no size": (item("images", 2, width=0), "image-size-invalid"),
    "image of another size": (item("images", 2, width=WIDTH + 1), "image-size-wrong"),
    "file of two images": (item("images", 2, file_name="000002.png"), "file-name-duplicate"),
    "file name is a number": (item("images", 2, file_name=5), "file-name-invalid"),
    "file outside": (item("images", 2, file_name="../../../etc/hostname"), "path-outside"),
    "file absolute": (item("images", 2, file_name="/etc/hostname"), "path-outside"),
    "category name twice": (item("categories", 1, name="carton"), "category-name-duplicate"),
    "category name missing": (item("categories", 0, name=None), "category-name-invalid"),
    "skeleton from zero": (item("categories", 1, skeleton=[[0, 1]]), "skeleton-out-of-range"),
    "skeleton beyond": (item("categories", 1, skeleton=[[1, 4]]), "skeleton-out-of-range"),
    "sigmas too few": (item("categories", 1, sigmas=[0.1]), "sigmas-invalid"),
    "keypoint names twice": (item("categories", 1, keypoints=["a", "a", "b"]), "keypoint-names-invalid"),
    "area zero": (put(2, area=0), "area-invalid"),
    "area above box": (lambda c: (drop(2, "segmentation")(c), put(2, area=500)(c)), "area-above-box"),
    "box of three": (put(2, bbox=[46, 4, 12]), "box-invalid"),
    "box infinite": (put(2, bbox=[46, 4, float("inf"), 16]), "box-invalid"),
    "polygon odd": (put(3, segmentation=[[*RING, 5.0]]), "polygon-odd"),
    "polygon outside": (put(3, segmentation=[[4, 3, 24, 3, 24, 230]]), "polygon-outside"),
    "polygon not a number": (put(3, segmentation=[[*RING[:-1], float("nan")]]), "value-not-number"),
    "segmentation is text": (put(2, segmentation="none"), "segmentation-invalid"),
    "rle of another size": (rle(size=[HEIGHT, WIDTH + 1]), "rle-size-wrong"),
    "rle cut": (lambda c: rle(counts=c["annotations"][2]["segmentation"]["counts"][:-3])(c), "rle-counts-sum"),
    "rle goes on": (lambda c: rle(counts=c["annotations"][2]["segmentation"]["counts"] + "`")(c), "rle-counts-invalid"),
    "rle runs short": (rle(counts=[10, 10]), "rle-counts-sum"),
    "mask empty": (rle(counts=[WIDTH * HEIGHT]), "mask-empty"),
    "keypoints missing": (lambda c: (drop(1, "keypoints")(c), drop(1, "num_keypoints")(c)), "keypoints-missing"),
    "visibility 3": (points(40, 22, 3, 30, 30, 1, 0, 0, 0), "keypoint-visibility"),
    "unlabelled with a place": (points(40, 22, 2, 30, 30, 1, 5, 5, 0), "keypoint-unlabelled-not-zero"),
    "keypoint outside": (points(40, 22, 2, 30, 99, 1, 0, 0, 0), "keypoint-outside"),
    "keypoints miscounted": (points(40, 22, 2, 30, 30, 1, 0, 0, 0, count=3), "num-keypoints-wrong"),
    "keypoint infinite": (points(40, 22, 2, 30, float("inf"), 1, 0, 0, 0), "value-not-number"),
    "object twice": (twin, "row-duplicate"),
    "more seen than there is": (put(0, in_frame_px=1, occlusion=None, truncation=None), "pixel-counts-order"),
    "visible_px is not the mask": (put(0, visible_px=100, occlusion=None), "visible-px-not-mask"),
    "occlusion of boxes": (put(0, occlusion=0.5), "occlusion-wrong"),
    "truncation zero": (put(0, truncation=0.0), "truncation-wrong"),
    "box beyond the silhouette": (put(0, amodal_bbox=[8, 8, 4, 4]), "box-outside-amodal"),
    "silhouette of no size": (put(0, amodal_bbox=[8, 8, 0, 4]), "amodal-box-invalid"),
}  # fmt: skip


@pytest.mark.parametrize("fault", [*SEEDED, *INVENTED])
def test_a_planted_coco_fault_is_named_and_nothing_else(tmp_path: Path, fault: str) -> None:
    path = write_coco(tmp_path)
    assert rules_of(tmp_path, ap=fault == "wrong_area") == []
    plant, rule = (SEEDED | INVENTED)[fault]
    data = coco_data()
    plant(data)
    write_json(path, data)
    assert rules_of(tmp_path) == [rule]


def test_the_twenty_seeded_faults_are_all_there() -> None:
    assert len(SEEDED) == 20


PANOPTIC: dict[str, tuple[Change, str]] = {
    "segment missing": (lambda a: a["segments_info"].pop(), "panoptic-segment-missing"),
    "segment absent": (lambda a: a["segments_info"].append({"id": 9, "category_id": 1}), "panoptic-segment-absent"),
    "area": (lambda a: a["segments_info"][0].update(area=3), "area-not-mask"),
    "box": (lambda a: a["segments_info"][0].update(bbox=[0, 0, 3, 3]), "box-not-mask"),
    "category": (lambda a: a["segments_info"][0].update(category_id=8), "category-id-unknown"),
    "id twice": (lambda a: a["segments_info"].append(dict(a["segments_info"][0])), "id-duplicate"),
    "png missing": (lambda a: a.update(file_name="no.png"), "image-missing"),
    "png outside": (lambda a: a.update(file_name="/etc/passwd"), "path-outside"),
    "image unknown": (lambda a: a.update(image_id=4), "image-id-unknown"),
}


@pytest.mark.parametrize("fault", PANOPTIC)
def test_a_planted_panoptic_fault_is_named_and_nothing_else(tmp_path: Path, fault: str) -> None:
    path = write_panoptic(tmp_path)
    assert rules_of(tmp_path) == []
    plant, rule = PANOPTIC[fault]
    data = json.loads(path.read_text())
    plant(data["annotations"][0])
    write_json(path, data)
    assert rules_of(tmp_path) == [rule]


def test_a_panoptic_png_of_another_size_or_depth_is_named(tmp_path: Path) -> None:
    write_panoptic(tmp_path)
    png = tmp_path / "annotations/panoptic_train/000001.png"
    for png_picture in (Image.new("RGB", (HEIGHT, WIDTH)), Image.new("L", (WIDTH, HEIGHT))):
        png_picture.save(png)
        assert rules_of(tmp_path) == ["panoptic-size"]


def test_self_ap_of_sound_labels_is_one_and_of_id_zero_less(tmp_path: Path) -> None:
    """pycocotools is the judge: annotation 0 reads as no match."""
    data = coco_data()
    objects = [a for a in data["annotations"] if not a["iscrowd"]]
    assert [self_precision(data, objects, kind) for kind in ("bbox", "segm")] == pytest.approx([1.0, 1.0])
    assert self_precision(data, [objects[1]], "keypoints") == pytest.approx(1.0)
    data["annotations"][0]["id"] = 0
    assert self_precision(data, [a for a in data["annotations"] if not a["iscrowd"]], "bbox") < 0.99


def test_self_ap_of_keypoints_counts_every_object_of_a_full_image() -> None:
    """COCO's own limit is 20 people an image; a rack holds more cartons than that."""
    data = coco_data()
    seed = data["annotations"][1]
    crowded = [
        seed | {"id": 100 + i, "keypoints": [2 * i, i, 2, 2 * i + 1, i + 5, 1, 0, 0, 0]} for i in range(25)
    ]  # fmt: skip
    data["annotations"] = crowded
    assert self_precision(data, crowded, "keypoints") == pytest.approx(1.0)


def test_runs_of_many_masks_are_decoded_as_those_of_one() -> None:
    """Random masks, and their strings with random damage: both decoders say the same."""
    rng = np.random.default_rng(5)
    texts = []
    for index in range(300):
        mask = rng.random((HEIGHT, WIDTH)) < rng.random() ** 3
        text = rle_of(mask)["counts"]
        if index % 2:
            place = int(rng.integers(0, len(text)))
            text = text[:place] + chr(int(rng.integers(30, 126))) + text[place + int(rng.integers(0, 3)) :]
        texts.append(text)
    texts += ["", "`", "0", "`````````````", "\u20ac", "~"]
    found = decode(texts)
    for index, text in enumerate(texts):
        runs = runs_of(text) if text else None
        if runs is not None and max(runs) < 2**32:
            assert bool(found.is_valid[index]), text
            assert found.pixels[index] == sum(runs), text
            assert found.is_canonical[index] == (0 not in runs[1:]), text
        elif runs is None:
            assert not found.is_valid[index], text


def test_images_are_found_where_tools_put_them(tmp_path: Path) -> None:
    """Beside the file, in images/<split>, and in a folder that is named."""
    write_coco(tmp_path / "a")
    for number, place in enumerate(("train", "images/train", "annotations")):
        other = tmp_path / f"b{number}"
        write_json(other / "annotations/instances_train.json", coco_data())
        (other / place).parent.mkdir(parents=True, exist_ok=True)
        for image in sorted((tmp_path / "a/images").iterdir()):
            (other / place).mkdir(exist_ok=True)
            (other / place / image.name).write_bytes(image.read_bytes())
        assert rules_of(other) == [], place
    alone = tmp_path / "c"
    write_json(alone / "annotations/instances_train.json", coco_data())
    assert rules_of(alone) == ["image-missing"]
    assert list(check(Folder(alone, tmp_path / "a/images"), ("coco",))) == []
    assert formats_of(Folder(alone)) == ("coco",)


def test_findings_name_place_value_and_expectation() -> None:
    data = coco_data()
    data["annotations"][2]["area"] = 999
    sizes = {image["file_name"]: (WIDTH, HEIGHT) for image in data["images"]}
    (finding,) = check_coco(data, "a.json", sizes.get)
    assert str(finding) == f"a.json: annotation 3: area-not-mask: 999; expected {int(CARTON.sum())} of the mask"


def test_boxes_without_any_mask_are_warned_of_once(tmp_path: Path) -> None:
    """As Roboflow and CVAT write them: segmentation is [] everywhere."""
    path = write_coco(tmp_path)
    data = coco_data()
    for annotation in data["annotations"]:
        annotation.update(segmentation=[], iscrowd=0)
    write_json(path, data)
    assert rules_of(tmp_path) == ["segmentation-none"]
    data["annotations"][2]["area"] = 9999
    write_json(path, data)
    assert rules_of(tmp_path) == ["area-above-box", "segmentation-none"]


def test_a_crowd_may_end_at_its_last_pixel_as_in_coco_2017(tmp_path: Path) -> None:
    """Its run lengths are not compressed; the box of anything else is exact."""
    path = write_coco(tmp_path)
    data = coco_data()
    crowd = next(a for a in data["annotations"] if a["iscrowd"])
    x, y, width, height = crowd["bbox"]
    crowd.update(bbox=[x, y, width - 1, height - 1])
    write_json(path, data)
    assert rules_of(tmp_path) == ["box-not-mask"]
    crowd["segmentation"]["counts"] = runs_of(crowd["segmentation"]["counts"])
    write_json(path, data)
    assert rules_of(tmp_path) == []


def test_captions_and_lists_of_test_images_are_no_faulty_labels(tmp_path: Path) -> None:
    write_coco(tmp_path)
    images = coco_data()["images"]
    captions = [{"image_id": 1, "id": 1, "caption": "a rack"}]
    write_json(tmp_path / "annotations/captions_val2017.json", {"images": images, "annotations": captions})
    write_json(tmp_path / "annotations/image_info_test2017.json", {"images": images, "categories": []})
    assert rules_of(tmp_path) == []


def test_an_image_without_a_panoptic_annotation_is_named(tmp_path: Path) -> None:
    path = write_panoptic(tmp_path)
    assert rules_of(tmp_path) == []
    data = json.loads(path.read_text())
    picture(tmp_path / "images/000002.png")
    data["images"].append(data["images"][0] | {"id": 2, "file_name": "000002.png"})
    write_json(path, data)
    assert rules_of(tmp_path) == ["panoptic-missing"]


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_picture_that_is_cut_off_is_named(tmp_path: Path, suffix: str) -> None:
    """Its header is sound, and readers fail later; bytes behind the end, as cameras write them, do not matter."""
    data = coco_data()
    for image in data["images"]:
        image["file_name"] = f"{image['id']}.{suffix}"
        path = tmp_path / "images" / image["file_name"]
        path.parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        Image.fromarray(noise).save(path)
    write_json(tmp_path / "annotations/instances_train.json", data)
    path.write_bytes(path.read_bytes() + b"\0" * 99)
    assert rules_of(tmp_path) == []
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert rules_of(tmp_path) == ["image-unreadable"]
