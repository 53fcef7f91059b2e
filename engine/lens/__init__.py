"""Camera models in float64: where points are seen, and where pixels look.

    lens = lens_of(frames.keys, view)            # or lens_of_row(row) of index/frames.parquet
    pixels, is_seen = project(lens, points_m)    # points in the camera's frame
    points_m = unproject(lens, pixels, depth_m)  # of the depth image, whichever kind it is

Camera frame: x right, y up, looks along -z [m]. Pixels: x right, y down, (0, 0) is the corner of the first pixel, whose
centre is (0.5, 0.5); OpenCV counts from that centre, so that its coordinates are smaller by 0.5.
"""

from engine.lens.model import Lens as Lens
from engine.lens.model import LensModel as LensModel
from engine.lens.model import lens_of as lens_of
from engine.lens.model import lens_of_row as lens_of_row
from engine.lens.project import project as project
from engine.lens.project import ray_directions as ray_directions
from engine.lens.project import unproject as unproject
