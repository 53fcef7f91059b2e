"""What is printed on shipping labels: an atlas of twelve with GS1-128 barcodes that scanners read.

The first eight belong on our cartons: their lot is the one printed on the board. The last four do not: another lot, a
hazard diamond on harmless goods, an expired date.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CARTON_LOT = "7731-04"  # printed on the board of every carton
LABEL_PX = (576, 408)  # of one label in the atlas
COLUMNS, ROWS = 3, 4
RIGHT_COUNT = 8  # the rest are wrong
BAR_PX = 3  # width of a barcode's module: 0.77 mm
INK, PAPER, GREY, RED = (22, 22, 24), (240, 240, 236), (120, 120, 122), (200, 30, 28)

# Widths of bars and spaces of the 107 symbols. Source: ISO/IEC 15417:2007, table 1.
CODE_128 = (  # noqa: SIM905 - a table is easier to check
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 113222 "
    "123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 212123 212321 "
    "232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 113123 113321 133121 "
    "313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 "
    "111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 241112 134111 "
    "111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 412121 111143 111341 131141 114113 "
    "114311 411113 411311 113141 114131 311141 411131 211412 211214 211232 2331112"
).split()
START_C, FNC1, STOP = 105, 102, 106
CITIES = ("NORDHAVEN", "ST. ALBERIC", "PORT LERWYN", "KESTRELTON", "ALTENMARK", "RIO CLARINO")
STREETS = ("14 HARBOUR ROAD", "QUAY 7, GATE C", "220 MILL LANE", "3 STATION YARD", "88 FOUNDRY ST", "41 WEIR PARK")
NAMES = ("BRACKEN & SONS", "OSTRA SUPPLY", "HELIX PARTS LTD", "MERIDIAN STORES", "TALLIS RETAIL", "ARBOR GOODS")


@dataclass(frozen=True)
class Fault:
    """What is wrong with a label: it says another lot than its carton, and shows a mark."""

    lot: str
    mark: str  # "", "hazard" or "expired"


FAULTS = (Fault("2218-11", ""), Fault("5520-91", "hazard"), Fault("7713-40", ""), Fault("0934-02", "expired"))


def variant_names() -> list[str]:
    """Return the variants of the label: right_0 .. right_7, wrong_0 .. wrong_3."""
    return [f"right_{k}" for k in range(RIGHT_COUNT)] + [f"wrong_{k}" for k in range(len(FAULTS))]


def sscc(number: int) -> str:
    """Return an 18-digit serial shipping container code with its check digit. Source: GS1 General Specifications."""
    digits = f"{340123450000000000 // 10 + number * 7919:017d}"
    total = sum(int(d) * (3 if k % 2 == 0 else 1) for k, d in enumerate(digits))
    return digits + str(-total % 10)


def code_128(digits: str) -> str:
    """Return the widths of bars and spaces of GS1-128 in code set C, an even number of digits."""
    symbols = [START_C, FNC1, *(int(digits[k : k + 2]) for k in range(0, len(digits), 2))]
    check = (symbols[0] + sum(k * symbol for k, symbol in enumerate(symbols))) % 103
    return "".join(CODE_128[symbol] for symbol in (*symbols, check, STOP))


def label_atlas() -> Image.Image:
    """Return twelve labels, three columns of four, the first one at the lower left."""
    atlas = Image.new("RGB", (LABEL_PX[0] * COLUMNS, LABEL_PX[1] * ROWS), PAPER)
    for number in range(RIGHT_COUNT + len(FAULTS)):
        column, row = number % COLUMNS, number // COLUMNS
        fault = FAULTS[number - RIGHT_COUNT] if number >= RIGHT_COUNT else None
        atlas.paste(_drawn_label(number, fault), (column * LABEL_PX[0], (ROWS - 1 - row) * LABEL_PX[1]))
    return atlas


def _drawn_label(number: int, fault: Fault | None) -> Image.Image:
    """Return one label: sender, receiver, route, lot, barcode and what it says in digits."""
    random = np.random.Generator(np.random.PCG64(900 + number))
    image = Image.new("RGB", LABEL_PX, PAPER)
    draw = ImageDraw.Draw(image)
    wide, tall = LABEL_PX
    draw.rectangle((8, 8, wide - 9, tall - 9), outline=INK, width=3)
    draw.line((8, 176, wide - 9, 176), fill=INK, width=3)
    draw.line((392, 8, 392, 176), fill=INK, width=3)
    sender, receiver = random.permutation(len(NAMES))[:2]
    draw.text((22, 14), f"FROM {NAMES[sender]}, {CITIES[int(random.integers(6))]}", font=_font(16), fill=GREY)
    draw.text((22, 40), "SHIP TO", font=_font(16), fill=INK)
    draw.text((22, 60), NAMES[receiver], font=_font(30), fill=INK)
    draw.text((22, 96), STREETS[int(random.integers(6))], font=_font(26), fill=INK)
    postcode = f"{int(random.integers(10000, 99999))} {CITIES[int(random.integers(6))]}"
    draw.text((22, 130), postcode, font=_font(28), fill=INK)
    route = f"{'ABCDEFGH'[int(random.integers(8))]}{int(random.integers(10, 99))}"
    draw.text((408, 20), route, font=_font(84), fill=INK)
    draw.text((408, 126), f"{number % 4 + 1}/4  {int(random.integers(3, 19))} kg", font=_font(26), fill=INK)
    draw.text((22, 184), f"LOT {fault.lot if fault else CARTON_LOT}", font=_font(34), fill=INK)
    if fault and fault.mark == "hazard":
        draw.polygon([(500, 180), (538, 218), (500, 256), (462, 218)], fill=RED, outline=INK, width=4)
        draw.text((493, 196), "3", font=_font(36), fill=PAPER)
    elif fault and fault.mark == "expired":
        draw.rectangle((330, 186, 556, 222), fill=INK)
        draw.text((340, 186), "EXP 03/2019", font=_font(32), fill=PAPER)
    digits = "00" + sscc(number + 1)
    _draw_bars(draw, digits, top_px=230 if not (fault and fault.mark == "hazard") else 262)
    draw.text((110, tall - 44), f"(00) {digits[2:]}", font=_font(28), fill=INK)
    return image


def _draw_bars(draw: ImageDraw.ImageDraw, digits: str, *, top_px: int) -> None:
    widths = [int(c) * BAR_PX for c in code_128(digits)]
    x = (LABEL_PX[0] - sum(widths)) // 2
    for k, width in enumerate(widths):
        if k % 2 == 0:
            draw.rectangle((x, top_px, x + width - 1, LABEL_PX[1] - 50), fill=INK)
        x += width


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size_px)
