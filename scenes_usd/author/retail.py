"""The shop: an aisle between shop shelving, three bays of it stocked by rules, more of it as background."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pxr import Gf, Kind, Usd, UsdGeom, UsdLux

from scenes_usd.author import retail_store as store
from scenes_usd.author import stage as usd
from scenes_usd.author.retail_lines import GENUINE, LINES, Line
from scenes_usd.author.retail_products import LIBRARY

ROOT = "/Retail"
BAYS_X_M = (-1.0, 0.0, 1.0)  # of the three bays that are stocked by rules
BESIDE_X_M = (-3.0, -2.0, 2.0, 3.0)
ACROSS_X_M = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
ACROSS_Y_M = -2.5  # of the shelving on the other side, which faces +y: an aisle of 2 m
ITEMS = 22  # genuine ones of every line
FAKES = 3  # of each of its two counterfeits
TAGS_EACH, WOBBLERS_EACH = 12, 3
GAP_M = 0.006
LAMP_Z_M = 3.28


def write_scene(root: Path) -> None:
    """Write ``retail.usda``."""
    path = root / "retail.usda"
    comment = "A shop's aisle. Z up, metres; the shelf faces -y. Written by author/retail.py."
    stage = usd.new_stage(path, "Retail", kind=Kind.Tokens.assembly, comment=comment)
    _write_room(stage)
    _write_shelving(stage)
    _write_products(stage, np.random.Generator(np.random.PCG64(31)))
    _write_background(stage, np.random.Generator(np.random.PCG64(32)))
    _write_rail(stage)
    _write_areas(stage)
    _write_lights(stage)
    usd.group(stage, f"{ROOT}/Cameras", kind="")
    cameras = {
        "Customer": ((0.5, -1.75, 1.6), (-0.1, 0.0, 0.95), 22.0),
        "Aisle": ((3.2, -1.2, 1.65), (-0.6, -0.5, 0.95), 20.0),
        "Robot": ((-0.4, -1.5, 0.7), (-0.4, 0.0, 0.8), 18.0),
        "Close": ((0.1, -0.8, 1.35), (0.05, 0.0, 1.3), 32.0),
    }
    for name, (eye, target, focal) in cameras.items():
        usd.write_camera(stage, f"{ROOT}/Cameras/{name}", eye, target, focal_mm=focal)
    usd.save(stage)


def _write_room(stage: Usd.Stage) -> None:
    usd.group(stage, f"{ROOT}/Room")
    for name, (semantic, shape) in store.room_parts().items():
        usd.label(usd.group(stage, f"{ROOT}/Room/{name}", kind=Kind.Tokens.component), semantic)
        bound = {m: usd.reference_material(stage, f"{ROOT}/Materials", m, f"./{LIBRARY}") for m in shape.materials}
        usd.write_mesh(stage, f"{ROOT}/Room/{name}/Surface", shape, bound)


def _write_shelving(stage: Usd.Stage) -> None:
    """Write every bay, and behind both rows one that shows its back."""
    usd.group(stage, f"{ROOT}/Shelving")
    for number, x in enumerate((*BAYS_X_M, *BESIDE_X_M)):
        usd.place(usd.write_instance(stage, f"{ROOT}/Shelving/Bay_{number}", "gondola_bay"), (x, 0.0, 0.0))
    for number, x in enumerate(ACROSS_X_M):
        prim = usd.write_instance(stage, f"{ROOT}/Shelving/Across_{number}", "gondola_bay")
        usd.place(prim, (x, ACROSS_Y_M, 0.0), yaw_deg=180.0)


def places(random: np.random.Generator) -> list[tuple[Line, int, float, float]]:
    """Return (line, board, x, y) of a bay's front row: blocks of two to five facings until each board is full."""
    result = []
    for board in range(len(store.BOARD_TOPS_M)):
        x, right = -store.STOCK_WIDTH_M / 2.0, store.STOCK_WIDTH_M / 2.0
        department = LINES[int(random.integers(len(LINES)))].department
        while True:
            fitting = [line for line in LINES if line.size_m[2] <= store.CLEAR_M[board] and x + line.size_m[0] <= right]
            near = [line for line in fitting if line.department == department] or fitting
            if not near:
                break
            line = near[int(random.integers(len(near)))]
            for _ in range(int(random.integers(2, 6))):
                if x + line.size_m[0] > right:
                    break
                y = store.FRONT_M + 0.012 + line.size_m[1] / 2.0
                if random.random() < 0.93:
                    result.append((line, board, x + line.size_m[0] / 2.0, y + 0.02 * float(random.random())))
                x += line.size_m[0] + GAP_M
            else:
                continue
    return result


def _write_products(stage: Usd.Stage, random: np.random.Generator) -> None:
    """Write the pool of every line: on the shelf, two deep, as far as there is room, the rest on the floor behind."""
    usd.group(stage, f"{ROOT}/Products")
    for department in dict.fromkeys(line.department for line in LINES):
        usd.group(stage, f"{ROOT}/Products/{department}")
    free: dict[str, list[Usd.Prim]] = {}
    for line in LINES:
        group = f"{ROOT}/Products/{line.department}/{line.name}"
        usd.group(stage, group)
        names = [(f"Item_{k:02d}", GENUINE) for k in range(ITEMS)]
        names += [(f"Fake_{signal.capitalize()}_{k}", signal) for signal in line.signals for k in range(FAKES)]
        asset = f"product_{usd.snake(line.name)}"
        free[line.name] = [
            usd.write_instance(stage, f"{group}/{name}", asset, variants={"authenticity": signal})
            for name, signal in names
        ]
    for bay_x in BAYS_X_M:
        for line, board, x, y in places(random):
            for row in range(2):
                if free[line.name] and line.size_m[1] < 0.18:
                    at = (bay_x + x, y + row * (line.size_m[1] + 0.025), store.BOARD_TOPS_M[board])
                    usd.place(free[line.name].pop(0), at)
    for number, line in enumerate(LINES):
        for k, prim in enumerate(free[line.name]):
            usd.place(prim, (-3.2 + 0.28 * number, 1.0 + 0.1 * k, 0.0))


def _write_background(stage: Usd.Stage, random: np.random.Generator) -> None:
    """Stock the other bays; nothing in them moves."""
    usd.group(stage, f"{ROOT}/Background")
    rows = [(x, 0.0, 1.0) for x in BESIDE_X_M] + [(x, ACROSS_Y_M, -1.0) for x in ACROSS_X_M]
    for bay, (bay_x, bay_y, side) in enumerate(rows):
        for number, (line, board, x, y) in enumerate(places(random)):
            path = f"{ROOT}/Background/Bay_{bay}_{number:03d}"
            prim = usd.write_instance(
                stage, path, f"product_{usd.snake(line.name)}", variants={"authenticity": GENUINE}
            )
            position = (bay_x + side * x, bay_y + side * y, store.BOARD_TOPS_M[board])
            usd.place(prim, position, yaw_deg=0.0 if side > 0 else 180.0)


def _write_rail(stage: Usd.Stage) -> None:
    """Write price tags and wobblers on the rails."""
    usd.group(stage, f"{ROOT}/Tags")
    usd.group(stage, f"{ROOT}/Wobblers")
    number = 0
    for k in range(store.TAG_COUNT):
        for _ in range(TAGS_EACH):
            prim = usd.write_instance(
                stage, f"{ROOT}/Tags/Tag_{number:03d}", "price_tag", variants={"print": f"tag_{k}"}
            )
            bay, board, side = number // 35, number // 7 % 5, number % 7
            x = (*BAYS_X_M, *BESIDE_X_M)[bay] - 0.42 + 0.14 * side
            usd.place(prim, (x, store.FRONT_M - store.RAIL_OUT_M, store.BOARD_TOPS_M[board] - store.RAIL_DROP_M))
            number += 1
    for k in range(store.WOBBLER_COUNT * WOBBLERS_EACH):
        sign = {"sign": f"sign_{k % store.WOBBLER_COUNT}"}
        prim = usd.write_instance(stage, f"{ROOT}/Wobblers/Wobbler_{k:02d}", "wobbler", variants=sign)
        board = store.BOARD_TOPS_M[k % 5]
        usd.place(prim, (-1.4 + 0.25 * k, store.FRONT_M - store.RAIL_OUT_M, board - store.WOBBLER_M))


def _write_areas(stage: Usd.Stage) -> None:
    """Write the boards as anchors, and where cameras are and look."""
    usd.group(stage, f"{ROOT}/Boards", kind="")
    for bay, x in enumerate(BAYS_X_M):
        usd.group(stage, f"{ROOT}/Boards/Bay_{bay}", kind="")
        for board, (top, clear) in enumerate(zip(store.BOARD_TOPS_M, store.CLEAR_M, strict=True)):
            position = (x, store.FRONT_M + store.STOCK_DEPTH_M / 2.0, top)
            size = (store.STOCK_WIDTH_M, store.STOCK_DEPTH_M, clear)
            usd.write_anchor(stage, f"{ROOT}/Boards/Bay_{bay}/Board_{board}", "shelf_board", position, size)
    usd.group(stage, f"{ROOT}/Areas", kind="")
    volumes = {
        "Customer": ((0.0, -1.45, 1.35), (4.0, 0.9, 0.45)),
        "Robot": ((0.0, -1.3, 0.35), (2.6, 0.7, 0.9)),
        "Close": ((0.0, -0.75, 0.5), (2.2, 0.2, 1.1)),
    }
    for name, (position, size) in volumes.items():
        usd.write_anchor(stage, f"{ROOT}/Areas/{name}", "camera_volume", position, size)
    usd.write_anchor(stage, f"{ROOT}/Areas/Shelf", "look_volume", (0.0, -0.1, 0.3), (2.4, 0.2, 1.3))


def _write_lights(stage: Usd.Stage) -> None:
    """Write the lamps over the aisle as lights, those of other aisles as a dim dome."""
    usd.group(stage, f"{ROOT}/Lights", kind="")
    for number, x in enumerate((-4.0, -2.0, 0.0, 2.0, 4.0)):
        light = UsdLux.RectLight.Define(stage, f"{ROOT}/Lights/Lamp_{number}")
        light.CreateWidthAttr(1.4)
        light.CreateHeightAttr(0.24)
        light.CreateIntensityAttr(42.0)
        light.CreateEnableColorTemperatureAttr(True)
        light.CreateColorTemperatureAttr(4600.0)
        light.CreateExtentAttr([Gf.Vec3f(-0.7, -0.12, 0.0), Gf.Vec3f(0.7, 0.12, 0.0)])
        UsdGeom.Xformable(light).AddTranslateOp().Set(Gf.Vec3d(x, -1.4, LAMP_Z_M))


if __name__ == "__main__":
    write_scene(Path(__file__).resolve().parents[1])
