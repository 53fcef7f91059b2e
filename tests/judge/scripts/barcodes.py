"""Print what OpenCV reads in pictures of a folder: {file name: digits, or nothing}."""

import json
import sys
from pathlib import Path

import cv2

found = {}
for path in sorted(Path(sys.argv[1]).glob("*.png")):
    image = cv2.resize(cv2.imread(str(path)), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    texts = cv2.barcode.BarcodeDetector().detectAndDecodeWithType(image)[1]
    found[path.stem] = max(texts, key=len) if texts else ""
print(json.dumps(found))
