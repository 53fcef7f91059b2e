"""Masks of COCO annotations against their boxes and areas, many at a time; pycocotools measures them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.validate.finding import Finding, is_number, is_whole, shown
from engine.validate.rle import Decoded, canonical, decode

POLYGON_TOLERANCE_PX = 1.0  # polygons are rasterised with half-pixel rules that differ between tools
MEASURED_TOGETHER = 128  # masks; pycocotools keeps their number in a byte
POLYGON_TOLERANCE_AREA = 0.1  # relative, for the same reason


@dataclass(frozen=True)
class _Row:
    """A mask that waits for being measured."""

    where: str
    annotation: Mapping[str, Any]
    size: tuple[int, int]  # of the image, width and height [px]
    is_exact: bool  # an RLE
    sound: tuple[bool, bool]  # box, area: not named yet
    counts: str | None = None  # compressed
    polygons: tuple[list[float], ...] = ()


@dataclass
class MaskBatch:
    """Masks of some annotations."""

    file: str
    rows: list[_Row] = field(default_factory=list)
    rles: list[dict[str, Any] | None] = field(default_factory=list)  # of a row; None: from its counts

    def add(
        self, where: str, annotation: Mapping[str, Any], size: tuple[int, int], sound: tuple[bool, bool]
    ) -> Iterator[Finding]:
        """Take the mask of an annotation, or yield why it is none; `sound`: whether its box and area are."""
        segmentation = annotation["segmentation"]
        is_exact = isinstance(segmentation, Mapping)
        taken = (
            self._from_mapping(where, segmentation, size) if is_exact else self._from_polygons(where, annotation, size)
        )
        if isinstance(taken, Finding):
            yield taken
            return
        rle, counts, polygons = taken
        self.rows.append(_Row(where, annotation, size, is_exact, sound, counts, polygons))
        self.rles.append(rle)

    def check(self) -> Iterator[Finding]:
        """Yield what is wrong with the masks taken so far."""
        from pycocotools import mask as coco_mask

        texts = [row.counts for row in self.rows if row.counts is not None]
        decoded, position = decode(texts), 0
        measured: list[tuple[_Row, dict[str, Any]]] = []
        for row, rle in zip(self.rows, self.rles):
            if rle is not None:
                measured.append((row, rle))
                continue
            sound = self._sound_rle(row, decoded, position)
            position += 1
            if isinstance(sound, Finding):
                yield sound
                continue
            if not decoded.is_canonical[position - 1]:
                yield Finding(self.file, row.where, "rle-not-canonical", shown(row.counts), "no empty run inside")
                sound = canonical(sound)
            measured.append((row, sound))
        for first in range(0, len(measured), MEASURED_TOGETHER):
            part = measured[first : first + MEASURED_TOGETHER]
            rles = [rle for _, rle in part]
            for (row, _), area, box in zip(part, coco_mask.area(rles), coco_mask.toBbox(rles).tolist()):
                yield from self._compare(row, int(area), [round(value) for value in box])

    def _sound_rle(self, row: _Row, decoded: Decoded, position: int) -> dict[str, Any] | Finding:
        """Return a compressed mask for pycocotools, or what is wrong with it."""
        wanted, pixels = row.size[0] * row.size[1], int(decoded.pixels[position])
        if not decoded.is_valid[position]:
            return Finding(self.file, row.where, "rle-counts-invalid", shown(row.counts), f"runs of {wanted} pixels")
        if pixels != wanted:
            return Finding(self.file, row.where, "rle-counts-sum", str(pixels), f"{wanted} pixels")
        return {"size": [row.size[1], row.size[0]], "counts": (row.counts or "").encode("ascii")}

    def _compare(self, row: _Row, area: int, box: list[int]) -> Iterator[Finding]:
        where, stated, stated_box = row.where, row.annotation.get("area"), row.annotation.get("bbox")
        if area == 0:
            yield Finding(self.file, where, "mask-empty", "0 pixels", "a pixel or more")
            return
        visible = row.annotation.get("visible_px")
        if row.is_exact and is_whole(visible) and visible != area:
            yield Finding(self.file, where, "visible-px-not-mask", str(visible), f"{area} of the mask")
        boxes: list[list[float]] = [[*box]] if row.is_exact else [[*box], _extent(row.polygons)]
        if row.is_exact and row.counts is None and row.annotation.get("iscrowd") == 1:
            boxes.insert(0, [*box[:2], box[2] - 1, box[3] - 1])  # crowds of COCO 2017 end at the last pixel
        tolerance = 0.0 if row.is_exact else POLYGON_TOLERANCE_PX
        if row.sound[0] and stated_box is not None:
            x, y, width, height = stated_box
            if not any(_close(stated_box, found, tolerance) for found in boxes):
                is_corner = any(_close([x, y, width - x, height - y], found, tolerance) for found in boxes)
                leaves = x < 0 or y < 0 or x + width > row.size[0] or y + height > row.size[1]
                rule = "box-is-xyxy" if is_corner else "box-outside" if leaves else "box-not-mask"
                yield Finding(self.file, where, rule, shown(stated_box), f"{boxes[-1]} of the mask")
        if row.sound[1] and is_number(stated) and stated is not None:
            areas = [float(area)] if row.is_exact else [float(area), _enclosed(row.polygons)]
            if all(
                abs(stated - found) > (0 if row.is_exact else POLYGON_TOLERANCE_AREA * found + 1) for found in areas
            ):
                yield Finding(self.file, where, "area-not-mask", shown(stated), f"{area} of the mask")

    def _from_mapping(self, where: str, segmentation: Mapping[str, Any], size: tuple[int, int]) -> Any:
        from pycocotools import mask as coco_mask

        wanted, found = [size[1], size[0]], segmentation.get("size")
        if found != wanted:
            rule = "rle-size-swapped" if found == wanted[::-1] else "rle-size-wrong"
            return Finding(self.file, where, rule, shown(found), f"[height, width] {wanted}")
        counts = segmentation.get("counts")
        if isinstance(counts, str):
            return None, counts, ()
        if not isinstance(counts, list) or not all(is_whole(count) and 0 <= count < 2**32 for count in counts):
            return Finding(self.file, where, "rle-counts-invalid", shown(counts), "run lengths from 0")
        if sum(counts) != size[0] * size[1]:
            return Finding(self.file, where, "rle-counts-sum", str(sum(counts)), f"{size[0] * size[1]} pixels")
        return coco_mask.frPyObjects({"size": wanted, "counts": counts}, size[1], size[0]), None, ()

    def _from_polygons(self, where: str, annotation: Mapping[str, Any], size: tuple[int, int]) -> Any:
        from pycocotools import mask as coco_mask

        polygons = annotation["segmentation"]
        if annotation.get("iscrowd") == 1:
            return Finding(self.file, where, "crowd-needs-rle", "polygons", "an RLE")
        if not isinstance(polygons, list):
            return Finding(self.file, where, "segmentation-invalid", shown(polygons), "an RLE or a list of polygons")
        if not polygons:
            return Finding(self.file, where, "segmentation-empty", "[]", "a polygon or more")
        for polygon in polygons:
            fault = self._check_polygon(where, polygon, size)
            if fault is not None:
                return fault
        rle = coco_mask.merge(coco_mask.frPyObjects(polygons, size[1], size[0]))
        return rle, None, tuple(polygons)

    def _check_polygon(self, where: str, polygon: Any, size: tuple[int, int]) -> Finding | None:
        if not isinstance(polygon, list):
            return Finding(self.file, where, "segmentation-invalid", shown(polygon), "a list of numbers x, y")
        if not all(map(is_number, polygon)):
            return Finding(self.file, where, "value-not-number", shown(polygon), "finite numbers x, y")
        if len(polygon) % 2:
            return Finding(self.file, where, "polygon-odd", f"{len(polygon)} numbers", "as many x as y")
        if len(polygon) < 6:
            return Finding(self.file, where, "polygon-too-short", f"{len(polygon) // 2} points", "three points or more")
        x, y = polygon[0::2], polygon[1::2]
        slack = POLYGON_TOLERANCE_PX
        if min(x) < -slack or min(y) < -slack or max(x) > size[0] + slack or max(y) > size[1] + slack:
            return Finding(self.file, where, "polygon-outside", shown(polygon), f"points inside {size[0]}x{size[1]}")
        return None


def _extent(polygons: tuple[list[float], ...]) -> list[float]:
    x = [value for polygon in polygons for value in polygon[0::2]]
    y = [value for polygon in polygons for value in polygon[1::2]]
    return [min(x), min(y), max(x) - min(x), max(y) - min(y)]


def _enclosed(polygons: tuple[list[float], ...]) -> float:
    """Return the sum of the areas that the polygons enclose."""
    total = 0.0
    for polygon in polygons:
        x, y = polygon[0::2], polygon[1::2]
        total += 0.5 * abs(sum(x[i - 1] * y[i] - x[i] * y[i - 1] for i in range(len(x))))
    return total


def _close(a: list[float], b: list[float], tolerance: float) -> bool:
    return all(abs(x - y) <= tolerance for x, y in zip(a, b))
