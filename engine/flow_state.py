"""What optical flow says of every pixel beside its value; kernels/flow.py numbers the states alike."""

from __future__ import annotations

from enum import IntEnum


class FlowState(IntEnum):
    """What becomes of the point that a pixel sees, in the frame of the same camera one step later or earlier."""

    UNDEFINED = 0  # the world has no such step, or the pixel sees nothing; no flow, no scene flow
    VISIBLE = 1  # the camera sees it there
    OUTSIDE = 2  # beyond the borders of the frame, or of the clipping range; there is a flow
    OCCLUDED = 3  # within the frame, but something stands in front of it; there is a flow
    UNREACHED = 4  # behind the camera, or beyond what its lens sees: no flow, but a scene flow
    GONE = 5  # its instance is not visible in that step; no flow, no scene flow
