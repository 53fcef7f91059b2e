"""Open a dataset in FiftyOne: `python examples/fiftyone_loader.py DIR`. Needs: pip install fiftyone."""

import sys
from pathlib import Path

import fiftyone as fo

folder = Path(sys.argv[1]).absolute()
dataset = fo.Dataset.from_dir(
    dataset_type=fo.types.COCODetectionDataset,
    data_path=str(folder),  # names of pictures in labels/coco.json begin there
    labels_path=str(folder / "labels" / "coco.json"),
    label_types=["detections", "segmentations", "keypoints"],
    extra_attrs=["instance", "distance_m", "visible_px", "occlusion", "truncation"],
)
fo.launch_app(dataset).wait()
