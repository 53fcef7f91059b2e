"""Read a.flo by OpenCV and torchvision and a.png by torchvision, and save what they say as arrays beside them."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
from torchvision.datasets._optical_flow import _read_16bits_png_with_flow_and_valid_mask, _read_flo

folder = Path(sys.argv[1])
np.save(folder / "opencv.npy", cv2.readOpticalFlow(str(folder / "a.flo")))
np.save(folder / "torchvision.npy", _read_flo(str(folder / "a.flo")).transpose(1, 2, 0))
flow, valid = _read_16bits_png_with_flow_and_valid_mask(str(folder / "a.png"))
np.save(folder / "kitti.npy", np.concatenate([flow, valid[None]]).transpose(1, 2, 0))
print(json.dumps({"shape": list(flow.shape)}))
