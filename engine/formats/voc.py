"""Pascal VOC: JPEGImages/, Annotations/*.xml, ImageSets/, SegmentationClass/ and SegmentationObject/ PNGs.

Boxes are those of the devkit: pixels counted from 1, both ends included, so xmin = x + 1 and xmax = x + width. Masks
are 8-bit PNGs with VOC's palette: class numbers from 1, objects in the order of the XML, 0 background. There is no void
(255) border: masks are exact. `labelmap.txt` lists the classes with their colours (CVAT, datumaro).
Source: VOC2012 development kit, http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import UserError
from engine.formats.coco import NO_MASK, OUTSIDE
from engine.formats.masks import within_frame
from engine.formats.palette import category_color, voc_palette
from engine.formats.record import Frame, Instance, Source
from engine.formats.registry import FORMATS, ExportContext, frame_stem
from engine.formats.voc_read import read_voc

BACKGROUND = "background"
LARGEST = 254  # class or object of a mask; 255 is void
UNPAINTED = f"more than {LARGEST} objects in a frame: its box is there, its mask is not"


@dataclass(frozen=True)
class VocOptions:
    """How the flags of objects are decided, and whether masks are written."""

    masks: bool = True
    occluded_from: float = 0.05  # share of an object that others hide
    difficult_px: int = 0  # objects with fewer visible pixels are `difficult`

    def __post_init__(self) -> None:
        if not 0.0 <= self.occluded_from <= 1.0:
            raise ValueError(f"occluded_from must be in 0..1, got {self.occluded_from:g}")
        if self.difficult_px < 0:
            raise ValueError(f"difficult_px must be 0 or more, got {self.difficult_px}")


@FORMATS.register("voc", VocOptions, "Pascal VOC: XML boxes, class and object masks", read=read_voc)
def write_voc(source: Source, context: ExportContext) -> None:
    """Write the folder.

    Raises:
        UserError: If there are more classes than a mask can number, or a frame has no picture.
    """
    options: VocOptions = context.options
    if options.masks and len(context.categories) > LARGEST:
        raise UserError(
            f"--format voc: masks number {LARGEST} classes, not {len(context.categories)}; use --option masks=false"
        )
    odd = [c.name for c in context.categories if ":" in c.name or c.name.startswith("#") or c.name == BACKGROUND]
    if odd:
        raise UserError(
            f"--format voc: labelmap.txt cannot hold the class '{odd[0]}': names have no colon, do not begin with # "
            f"and are not {BACKGROUND}; give it another with --classes"
        )
    folders = ["Main", "Segmentation"] if options.masks else ["Main"]
    lists = {
        (folder, split): context.out / f"ImageSets/{folder}/{split}.txt"
        for folder in folders
        for split in context.splits
    }
    for path in lists.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in ("Annotations", *(("SegmentationClass", "SegmentationObject") if options.masks else ())):
        (context.out / name).mkdir()
    colors = _class_palette(context)
    for frame in source.frames():
        split, stem = context.split_of(frame), frame_stem(frame)
        if "image" not in frame.files:
            raise UserError(f"frame {frame.id} has no picture; make the dataset with a writer of kind images")
        name = stem + frame.files["image"].suffix
        context.place(frame.files["image"], Path("JPEGImages") / name)
        kept = [instance for instance in frame.instances if _has_box(instance, frame, context)]
        tree = ElementTree.ElementTree(annotation_xml(frame, name, kept, context))
        ElementTree.indent(tree)
        tree.write(context.out / f"Annotations/{stem}.xml", encoding="utf-8")
        if options.masks:
            classes, objects = _painted(frame, kept, context)
            _save(classes, colors, context.out / f"SegmentationClass/{stem}.png")
            _save(objects, voc_palette(), context.out / f"SegmentationObject/{stem}.png")
        for folder in folders:
            with lists[folder, split].open("a", encoding="utf-8") as file:
                file.write(f"{stem}\n")
    lines = ["# label:color_rgb:parts:actions", f"{BACKGROUND}:0,0,0::"]
    lines += [f"{c.name}:{','.join(map(str, category_color(c)))}::" for c in context.categories]
    (context.out / "labelmap.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def annotation_xml(frame: Frame, name: str, instances: list[Instance], context: ExportContext) -> ElementTree.Element:
    """Return the XML of a frame."""
    options: VocOptions = context.options
    root = ElementTree.Element("annotation")
    _add(root, "folder", "JPEGImages")
    _add(root, "filename", name)
    _add(_add(root, "source"), "database", "Ommatidia")
    size = _add(root, "size")
    for field, value in (("width", frame.width), ("height", frame.height), ("depth", 3)):
        _add(size, field, value)
    _add(root, "segmented", int(options.masks))
    for instance in instances:
        x0, y0, x1, y1 = clipped(instance, frame)
        item = _add(root, "object")
        _add(item, "name", context.category_of[instance.category].name)
        _add(item, "pose", "Unspecified")
        _add(item, "truncated", int(_is_truncated(instance, frame)))
        _add(item, "occluded", int((instance.occlusion or 0.0) > options.occluded_from))
        _add(item, "difficult", int(instance.visible_px is not None and instance.visible_px < options.difficult_px))
        box = _add(item, "bndbox")
        for field, edge in (("xmin", x0 + 1.0), ("ymin", y0 + 1.0), ("xmax", x1), ("ymax", y1)):
            _add(box, field, f"{edge:.9g}")
        attribute = _add(_add(item, "attributes"), "attribute")
        _add(attribute, "name", "instance_id")
        _add(attribute, "value", instance.id)
    return root


def clipped(instance: Instance, frame: Frame) -> tuple[float, float, float, float]:
    """Return x0, y0, x1, y1 of a box cut to the frame."""
    x, y, width, height = instance.box
    return max(x, 0.0), max(y, 0.0), min(x + width, float(frame.width)), min(y + height, float(frame.height))


def _has_box(instance: Instance, frame: Frame, context: ExportContext) -> bool:
    x0, y0, x1, y1 = clipped(instance, frame)
    if x0 < x1 and y0 < y1:
        return True
    context.count_drop(OUTSIDE)
    return False


def _is_truncated(instance: Instance, frame: Frame) -> bool:
    """Return whether some of it lies outside of the frame; where not known, whether its box meets the border."""
    if instance.amodal is not None:
        return instance.amodal.full_px > instance.amodal.in_frame_px
    x0, y0, x1, y1 = clipped(instance, frame)
    return x0 <= 0.0 or y0 <= 0.0 or x1 >= frame.width or y1 >= frame.height


def _painted(
    frame: Frame, instances: list[Instance], context: ExportContext
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the class and the object of every pixel; where masks overlap the first has it."""
    classes = np.zeros((frame.height, frame.width), np.uint8)
    objects = np.zeros_like(classes)
    for number, instance in enumerate(instances, start=1):
        if instance.mask is None:
            context.count_drop(f"{NO_MASK}: its box is there")
            continue
        pixels = within_frame(instance.mask, frame.width, frame.height) & (classes == 0)
        classes[pixels] = context.category_of[instance.category].id + 1
        if number <= LARGEST:
            objects[pixels] = number
        else:
            context.count_drop(UNPAINTED)
    return classes, objects


def _class_palette(context: ExportContext) -> NDArray[np.uint8]:
    palette = voc_palette()
    for category in context.categories[:LARGEST]:
        palette[category.id + 1] = category_color(category)
    return palette


def _save(indices: NDArray[np.uint8], palette: NDArray[np.uint8], path: Path) -> None:
    image = Image.fromarray(indices)
    image.putpalette(palette.tobytes())
    image.save(path)


def _add(parent: ElementTree.Element, tag: str, value: object = None) -> ElementTree.Element:
    child = ElementTree.SubElement(parent, tag)
    child.text = None if value is None else str(value)
    return child
