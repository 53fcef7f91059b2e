"""Write a dataset as a recording that Rerun shows in space: `python examples/rerun_export.py DIR OUT.rrd [--frames N]`.

Pictures, depth, boxes, masks of ids and boxes in space, a frame a step of the time line. Needs: pip install rerun-sdk.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from engine.formats.index import open_dataset
from engine.formats.record import Category, Frame
from engine.view.color import read_values
from engine.write.contact_sheet import class_color

MILLIMETRES = 1000.0  # of a metre, in PNGs of depth


def main() -> None:
    """Write the recording."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":", maxsplit=1)[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path, help="the file to write, OUT.rrd")
    parser.add_argument("--frames", type=int, default=100, help="the first N (100)")
    arguments = parser.parse_args()
    try:
        import rerun as rr
    except ModuleNotFoundError:
        raise SystemExit("this example writes with Rerun, which is not installed: pip install rerun-sdk") from None

    source = open_dataset(arguments.dataset)
    recording = rr.RecordingStream(f"ommatidia {source.name}")
    recording.save(arguments.out)
    classes = [rr.AnnotationInfo(c.id, c.name or c.key, class_color(c.id)) for c in source.categories]
    recording.log("/", rr.AnnotationContext(classes), rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
    numbers = {category.key: category for category in source.categories}
    for frame in islice(source.frames(), arguments.frames):
        recording.set_time("frame", sequence=frame.id)
        log_frame(rr, recording, frame, numbers)
    recording.flush()


def log_frame(rr: Any, recording: Any, frame: Frame, classes: dict[str, Category]) -> None:
    """Log one frame; the camera's entity is its place in the world, so that pictures stand there."""
    camera = f"world/camera_{frame.camera}"
    if frame.world_from_camera is not None:
        pose = frame.world_from_camera
        recording.log(camera, rr.Transform3D(translation=pose[:3, 3], mat3x3=pose[:3, :3]))
    if frame.k is not None:
        axes = rr.ViewCoordinates.RUB  # x right, y up, looks along -z
        size = [frame.width, frame.height]
        recording.log(camera, rr.Pinhole(image_from_camera=frame.k, resolution=size, camera_xyz=axes))
    if "image" in frame.files:
        recording.log(f"{camera}/image", rr.EncodedImage(path=frame.files["image"]))
    if "depth" in frame.files:
        depth = read_values(frame.files["depth"])
        recording.log(f"{camera}/depth", rr.DepthImage(depth, meter=MILLIMETRES if depth.dtype == np.uint16 else 1.0))
    if "class_map" in frame.files:
        recording.log(f"{camera}/classes", rr.SegmentationImage(read_values(frame.files["class_map"])))
    ids = [classes[instance.category].id for instance in frame.instances]
    boxes = np.array([instance.box for instance in frame.instances]).reshape(-1, 4)
    recording.log(f"{camera}/boxes", rr.Boxes2D(array=boxes, array_format=rr.Box2DFormat.XYWH, class_ids=ids))
    solids = [(number, instance.solid) for number, instance in zip(ids, frame.instances) if instance.solid]
    poses = [solid.world_from_object for _, solid in solids]
    recording.log("world/boxes", rr.Boxes3D(
        centers=[pose[:, :3] @ solid.center_m + pose[:, 3] for pose, (_, solid) in zip(poses, solids)],
        half_sizes=[solid.size_m / 2.0 for _, solid in solids],
        quaternions=[rr.Quaternion(xyzw=Rotation.from_matrix(pose[:, :3]).as_quat()) for pose in poses],
        class_ids=[number for number, _ in solids],
    ))  # fmt: skip


if __name__ == "__main__":
    main()
