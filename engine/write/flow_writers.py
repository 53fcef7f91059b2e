"""Writers of optical flow and scene flow: a file for each direction, and the states beside the flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from engine.registry import WRITERS
from engine.write.encode import encode_npy, encode_png
from engine.write.flow_files import encode_flo, encode_kitti_flow
from engine.write.view import FrameFile, FrameParams, View

DIRECTIONS = ("forward", "backward")


@dataclass(frozen=True)
class Flow(FrameParams):
    """Where every pixel's point is in the frame of the step after and before, and whether it is seen there."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("flow",)
    format: Literal["flo", "kitti_png16"]


@dataclass(frozen=True)
class SceneFlow(FrameParams):
    """How far every pixel's point moves in the world until the step after and before."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("scene_flow",)


@WRITERS.register("flow", Flow)
def write_flow(params: Flow, view: View) -> list[FrameFile]:
    """Return flow and states of a frame; at the ends of a world all of it is unknown, but there."""
    files = []
    for way in DIRECTIONS:
        flow_px, name = view.annotations[f"flow_{way}_px"], f"flow/{view.stem}.{way}"
        if params.format == "flo":
            files.append(FrameFile(f"flow_{way}", f"{name}.flo", encode_flo(flow_px)))
        else:
            files.append(FrameFile(f"flow_{way}", f"{name}.png", encode_kitti_flow(flow_px)))
        state = encode_png(view.annotations[f"flow_{way}_state"])
        files.append(FrameFile(f"flow_{way}_state", f"{name}.state.png", state))
    return files


@WRITERS.register("scene_flow", SceneFlow)
def write_scene_flow(params: SceneFlow, view: View) -> list[FrameFile]:
    """Return the scene flow of a frame: float32 metres, not a number where there is none."""
    return [
        FrameFile(f"scene_flow_{way}", f"scene_flow/{view.stem}.{way}.npy",
                  encode_npy(view.annotations[f"scene_flow_{way}_m"]))
        for way in DIRECTIONS
    ]  # fmt: skip
