"""Every rule that a check can name, with its meaning; names are stable, docs/validate.md lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Severity(Enum):
    """What a finding means for the exit code."""

    ERROR = "error"  # the data are wrong
    WARNING = "warning"  # they may be meant so; counts with --strict


@dataclass(frozen=True)
class Rule:
    """How bad it is, which formats know it, and what must hold."""

    severity: Severity
    formats: str
    meaning: str


_LINES = """
error | all | path-outside | a file that is named, or a link, stays inside the folder
error | all | file-unreadable | a folder and a file are readable: UTF-8, JSON or YAML, neither too deep nor too large
error | all | dataset-fault | `verify` finds no fault in a dataset of ours
error | all | image-missing | every image that labels speak of is there
error | all | image-unreadable | the header of every image can be read, and a JPEG or PNG reaches its end
error | all | value-not-number | every value that must be a number is a finite one
error | all | row-duplicate | no object is listed twice in a frame
error | coco | coco-lists | the file is an object with the lists images, annotations and categories
error | coco | item-not-object | every image, annotation, category and segment is an object
error | coco | id-not-integer | ids, and references to them, are whole numbers
error | coco | id-below-one | ids of annotations and categories begin at 1: readers take 0 for "none"
warning | coco | image-id-below-one | ids of images begin at 1
error | coco | id-duplicate | no id is used twice
error | coco | image-size-invalid | width and height are whole numbers from 1 to 65536
error | coco | image-size-wrong | width and height are those of the image file
error | coco | image-size-swapped | width and height are not exchanged
error | coco | file-name-invalid | file_name is text
error | coco | file-name-duplicate | no two images have one file_name
error | coco | category-name-invalid | name is text
error | coco | category-name-duplicate | no two categories have one name
error | coco | keypoint-names-invalid | keypoints of a category are a list of different names
error | coco | skeleton-out-of-range | a skeleton is a list of pairs of keypoints, counted from 1
error | coco | sigmas-invalid | sigmas are positive, one a keypoint
error | coco | image-id-unknown | image_id is that of an image
error | coco | category-id-unknown | category_id is that of a category
error | coco | iscrowd-invalid | iscrowd is 0 or 1
error | coco | area-invalid | area is a positive finite number
error | coco | area-above-box | area is at most that of the box
error | coco | area-not-mask | area is that of the mask: exactly for RLE, within 10 % and 1 px for polygons
error | coco | box-invalid | bbox is four finite numbers x, y, width, height
error | coco | box-not-positive | width and height of bbox are positive
error | coco | box-outside | bbox lies inside the image
error | coco | box-is-xyxy | bbox holds a size, not the opposite corner
error | coco | box-not-mask | bbox is that of the mask: exact for RLE, to 1 px for polygons and crowds
error | coco | segmentation-invalid | segmentation is an RLE or a list of polygons
error | coco | segmentation-empty | segmentation holds a polygon
warning | coco | segmentation-none | boxes alone have no segmentation, rather than [] everywhere (said once a file)
error | coco | polygon-too-short | a polygon has at least three points, x and y each
error | coco | polygon-odd | a polygon has as many x as y
error | coco | polygon-outside | a polygon lies inside the image, within 1 px
error | coco | crowd-needs-rle | iscrowd=1 has an RLE
error | coco | mask-empty | a mask has pixels
error | coco | rle-size-wrong | size of an RLE is [height, width] of the image
error | coco | rle-size-swapped | size of an RLE is not [width, height]
error | coco | rle-counts-invalid | counts of an RLE can be decoded to run lengths from 0
error | coco | rle-counts-sum | run lengths add up to the pixels of the image
warning | coco | rle-not-canonical | no run but the first has length 0: pycocotools measures another box
error | coco | keypoints-length | keypoints are three numbers x, y, v for every keypoint of the category
warning | coco | keypoints-missing | an annotation of a category with keypoints has keypoints
error | coco yolo | keypoint-visibility | v is 0, 1 or 2
error | coco yolo | keypoint-unlabelled-not-zero | a keypoint with v=0 has x=y=0
error | coco yolo | keypoint-outside | a labelled keypoint lies inside the image
error | coco | num-keypoints-wrong | num_keypoints counts the keypoints with v > 0
error | coco | amodal-box-invalid | amodal_bbox is four finite numbers with a positive size
error | coco | box-outside-amodal | bbox lies inside amodal_bbox
error | coco | pixel-counts-order | 0 < visible_px <= in_frame_px <= full_px
error | coco | visible-px-not-mask | visible_px is the area of the mask
error | coco | occlusion-wrong | occlusion is 1 - visible_px / in_frame_px, within 1e-3
error | coco | truncation-wrong | truncation is 1 - in_frame_px / full_px, within 1e-3
error | coco | panoptic-duplicate | no image has two panoptic annotations
error | coco | panoptic-missing | every image has a panoptic annotation
error | coco | panoptic-size | a panoptic PNG is an 8-bit RGB image of the size of its image
error | coco | panoptic-segment-missing | every id of a panoptic PNG but 0 has a segment
error | coco | panoptic-segment-absent | every segment has pixels in the panoptic PNG
error | coco | isthing-invalid | isthing is 0 or 1
error | coco | self-ap | pycocotools gives the annotations, as detections of themselves, an AP of 1 (`--ap`)
error | yolo | yaml-invalid | data.yaml is a mapping with names and with train or val
error | yolo | yaml-names-not-contiguous | classes are numbered 0, 1, 2, ... without gaps
warning | yolo | yaml-names-duplicate | no two classes have one name
error | yolo | yaml-nc-mismatch | nc is the number of names
error | yolo | yaml-path-missing | the folders that path, train, val and test name are there
warning | yolo | yaml-path-elsewhere | path is this folder, not an absolute one of another name
error | yolo | yaml-keypoints-invalid | kpt_shape is [number, 2 or 3] and flip_idx a permutation that undoes itself
error | yolo | split-empty | a split has images
error | yolo | split-overlap | no image is in two splits
warning | yolo | split-shared | no two splits name the same folder
error | yolo kitti | label-without-image | every label file has an image
warning | yolo kitti | image-without-label | every image has a label file; one without is taken for empty
error | yolo kitti | column-count | a row has 15 columns in KITTI; 5, 7 or more, 5 + kpt_shape or 9 in YOLO
error | yolo | rows-mixed | rows of a file are of one kind
error | yolo | class-not-integer | a class is a whole number
error | yolo | class-out-of-range | a class is from 0 to below the number of names
error | yolo | value-negative | no coordinate is below 0
error | yolo | value-above-one | no coordinate is above 1
error | yolo | value-in-pixels | coordinates are shares of the image, not pixels
error | yolo | box-zero-size | width and height are above 0
error | yolo | box-leaves-image | a box does not reach over the border by more than a pixel
error | yolo | polygon-points | a segment has at least three points, x and y each
error | yolo | polygon-zero-area | a segment encloses an area
error | yolo | obb-zero-area | an oriented box encloses an area
error | yolo | obb-self-crossing | the corners of an oriented box follow each other around it
warning | yolo | obb-not-rectangle | an oriented box has right angles, within 5 degrees
error | yolo | box-not-keypoints | labelled keypoints lie near their box, at most its size away
error | kitti | type-invalid | type is one word
warning | kitti | type-unknown | type is one of KITTI's (said once a type): others are ignored by its readers
error | kitti | truncated-range | truncated is from 0 to 1, or -1 where occluded is 3: both unknown
error | kitti | occluded-range | occluded is 0, 1, 2 or 3
error | kitti | alpha-range | alpha is from -pi to pi
error | kitti | rotation-range | rotation_y is from -pi to pi
error | kitti | alpha-inconsistent | alpha is rotation_y - atan2(x, z), within 0.1
error | kitti | box-inverted | left < right and top < bottom
error | kitti | box-leaves-image | a 2D box lies inside the image, within 1 px
error | kitti | dimensions-not-positive | height, width and length are above 0
error | kitti | location-missing | x, y, z are measured, not -1000 or all 0
warning | kitti | solid-unknown | sizes and places are known, not all marked by -1 and -1000 (said once a folder)
error | kitti | location-shifted | 3D boxes do not all lie above or below their 2D boxes, as with another centre
warning | kitti | location-behind | the centre of an object lies before the camera
error | kitti | dontcare-malformed | DontCare is -1 -1 -10, a box, -1 -1 -1 -1000 -1000 -1000 -10
error | kitti | calib-missing | every label file has a calibration
error | kitti | calib-key-missing | P0, P1, P2, P3, R0_rect, Tr_velo_to_cam and Tr_imu_to_velo are there
error | kitti | calib-shape | matrices have as many numbers as they must: P 12, R0_rect 9, Tr 12
error | kitti | calib-rotation | rotations are orthonormal and right-handed, within 1e-2
error | kitti | calib-focal-length | P2 is a camera: its third row has length 1, its determinant is positive
warning | kitti | calib-not-rectified | P2 (or P2 R0_rect, of a level frame) is fx 0 cx 0 fy cy 0 0 1 and an offset
error | kitti | projection-far | most of a 2D box of 6 px or more lies in the projected 3D one; wholly seen, they agree
warning | kitti | occlusion-never-set | truncated and occluded are not 0 in all of ten rows or more
error | kitti | velodyne-size | a point cloud is whole points of 16 bytes
error | kitti | velodyne-not-finite | coordinates of points are finite
error | kitti | map-not-16-bit | depth is a 16-bit PNG, flow a 16-bit RGB one
error | bop | scene-lists | scene_gt, scene_gt_info and scene_camera are objects keyed by image numbers
error | bop | scene-image-missing | scene_gt, scene_gt_info and scene_camera speak of the same images
error | bop | gt-info-length | scene_gt_info has as many entries for an image as scene_gt
error | bop | camera-malformed | cam_K is nine numbers, fx 0 cx 0 fy cy 0 0 1
error | bop | depth-scale-missing | depth_scale is a positive number
error | bop | rotation-malformed | a rotation is nine numbers, orthonormal, within 1e-3
error | bop | rotation-mirrored | the determinant of a rotation is +1
error | bop | translation-malformed | a translation is three numbers
warning | bop | translation-in-metres | translations are millimetres: all are nearer than 50
error | bop | object-behind | the object lies before the camera
error | bop | object-id-invalid | obj_id is a whole number from 1
error | bop | object-without-model | every obj_id is in models_info.json
error | bop | model-missing | every object of models_info.json has its PLY
error | bop | model-invalid | diameter and sizes are positive, and diameter is at most the diagonal of the size
error | bop | pixel-counts-order | px_count_visib and px_count_valid are from 0 to px_count_all
error | bop | visib-fract-wrong | visib_fract is px_count_visib / px_count_all, within 1e-3
error | bop | box-visib-outside-obj | bbox_visib lies inside bbox_obj
error | bop | box-not-mask | bbox_visib is the box of mask_visib
error | bop | pixels-not-mask | px_count_visib is the area of mask_visib
error | bop | mask-missing | every object has a file in mask and mask_visib
error | bop | mask-size | masks and depth have the size of the image
error | bop | mask-visib-outside-mask | mask_visib lies inside mask
error | bop | depth-not-16-bit | depth is a 16-bit PNG
warning | bop | depth-clipped | depth does not reach 65535, where 16 bits end
"""


def _parse(lines: str) -> dict[str, Rule]:
    rules: dict[str, Rule] = {}
    for line in lines.strip().splitlines():
        severity, formats, name, meaning = (part.strip() for part in line.split(" | ", 3))
        known = rules.get(name)
        if known is not None:
            formats, meaning = f"{known.formats} {formats}", f"{known.meaning}; {meaning}"
        rules[name] = Rule(Severity(severity), formats, meaning)
    return rules


RULES: Mapping[str, Rule] = MappingProxyType(_parse(_LINES))
