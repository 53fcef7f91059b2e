"""Printed labels: pictures, brand blocks, small print and EAN-13 barcodes, with what counterfeiters get wrong."""

from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scenes_usd.author.retail_lines import GENUINE, LINES, PRINTED_SIGNALS, WHITE, Color, Line
from scenes_usd.author.retail_pictures import PICTURES, Rect, mixed
from scenes_usd.author.textures import noise

FOLDER = "retail"
WRAP_PX_PER_MM = 6  # the module of a barcode, 0.33 mm, is then two pixels
PACKET_PX_PER_MM = 4  # a barcode at 150 %
FINE = 2  # art is drawn so many times larger, and halved
COLORS = 96  # of a texture's palette
MISREGISTERED_MM = 0.9  # between the plates of a counterfeit
SHIFTED_MM = 2.5  # of its whole print
HUE_OFF_DEG, SATURATION_OFF = 24.0, 0.82
LOGO_SQUEEZE = 0.74  # width of a counterfeit's logo, whose strokes are heavier, too
CHECK_DIGIT_OFF = 3

# EAN-13, ISO/IEC 15420: seven modules a digit; L codes, whose mirror images are G and whose complements are R.
_L = ("0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011")
_PARITY = ("LLLLLL", "LLGLGG", "LLGGLG", "LLGGGL", "LGLLGG", "LGGLLG", "LGGGLL", "LGLGLG", "LGLGGL", "LGGLGL")
QUIET = (11, 7)  # modules left and right


def check_digit(digits: str) -> int:
    """Return the 13th digit of a GTIN-13: weights 1 and 3 in turn, up to the next ten."""
    return -sum(int(d) * (3 if k % 2 else 1) for k, d in enumerate(digits)) % 10


def printed_number(line: Line, signal: str) -> str:
    """Return the 13 digits on the label; the last one is wrong where that is the signal."""
    off = CHECK_DIGIT_OFF if signal == "barcode" else 0
    return line.ean + str((check_digit(line.ean) + off) % 10)


def barcode_modules(number: str) -> str:
    """Return the 95 modules of an EAN-13 symbol, 1: bar."""
    right = [code.translate(str.maketrans("01", "10")) for code in _L]
    left = ""
    for digit, parity in zip(number[1:7], _PARITY[int(number[0])], strict=True):
        left += _L[int(digit)] if parity == "L" else right[int(digit)][::-1]
    return "101" + left + "01010" + "".join(right[int(d)] for d in number[7:]) + "101"


def _draw_barcode(image: Image.Image, center_px: tuple[float, float], module_px: int, number: str) -> None:
    """Print a symbol on white, its bars on whole pixels."""
    modules = barcode_modules(number)
    width, height = (len(modules) + sum(QUIET)) * module_px, 50 * module_px
    left, top = int(center_px[0] - width / 2), int(center_px[1] - height / 2)
    draw = ImageDraw.Draw(image)
    draw.rectangle((left, top - 3 * module_px, left + width - 1, top + height + 9 * module_px), fill=(252, 252, 252))
    for k, module in enumerate(modules):
        if module == "1":
            x = left + (QUIET[0] + k) * module_px
            tall = height + (4 * module_px if k < 3 or k > 91 or 44 < k < 50 else 0)
            draw.rectangle((x, top, x + module_px - 1, top + tall - 1), fill=(10, 10, 12))
    text = f"{number[0]}  {number[1:7]}  {number[7:]}"
    _text(draw, (left + 4 * module_px, top + height, left + width, top + height + 9 * module_px), text, (10, 10, 12))


def _text(draw: ImageDraw.ImageDraw, rect: Rect, text: str, color: Color | int, *, stroke: int = 0) -> None:
    """Write text as large as fits, in the middle of a rectangle."""
    left, top, right, bottom = rect
    font = ImageFont.load_default(size=100)
    box = draw.textbbox((0, 0), text, font=font, stroke_width=stroke)
    scale = min((right - left) / (box[2] - box[0]), (bottom - top) / (box[3] - box[1]))
    font = ImageFont.load_default(size=max(4.0, 100.0 * scale))
    draw.text(((left + right) / 2, (top + bottom) / 2), text, font=font, fill=color, anchor="mm", stroke_width=stroke)


def _draw_brand(image: Image.Image, rect: Rect, line: Line, signal: str) -> None:
    """Print the brand on its block; a counterfeit's may be squeezed and too heavy."""
    left, top, right, bottom = (round(x) for x in rect)
    draw = ImageDraw.Draw(image)
    bright = sum(line.ink) > 500
    if line.art not in ("crest", "bolt", "sun"):
        fill = line.accent if bright else WHITE
        radius = 0.5 * (bottom - top) if line.art in ("fruit", "waves", "check") else 0.12 * (bottom - top)
        draw.rounded_rectangle((left, top, right, bottom), radius, fill=fill, outline=line.ink, width=4)
    heavy = signal == "logo"
    plate = Image.new("L", (right - left, bottom - top), 0)
    pad = 0.1 * (bottom - top)
    stroke = round(0.03 * (bottom - top)) if heavy else 0
    _text(ImageDraw.Draw(plate), (pad, pad, right - left - pad, bottom - top - pad), line.brand, 255, stroke=stroke)
    if heavy:
        plate = plate.resize((round((right - left) * LOGO_SQUEEZE), bottom - top), Image.Resampling.LANCZOS)
    image.paste(line.ink, (left + (right - left - plate.width) // 2, top), plate)


def _draw_small_print(draw: ImageDraw.ImageDraw, rect: Rect, line: Line, *, lines: int, seed: int) -> None:
    """Print a paragraph of bars and a table of nutrients."""
    left, top, right, bottom = rect
    random = np.random.Generator(np.random.PCG64(seed))
    color = mixed(line.paper, (20, 20, 20) if sum(line.paper) > 380 else WHITE, 0.72)
    pitch = (bottom - top) / lines
    for row in range(lines):
        x = left
        end = left + (right - left) * (1.0 if row % 4 else 0.6 + 0.3 * float(random.random()))
        while x < end:
            word = (0.03 + 0.09 * float(random.random())) * (right - left)
            y = top + row * pitch
            draw.rectangle((x, y, min(x + word, end), y + 0.5 * pitch), fill=color)
            x += word + 0.02 * (right - left)


def _front(image: Image.Image, rect: Rect, line: Line, signal: str) -> None:
    """Print a front: the picture, the brand, the product's name, its weight."""
    left, top, right, bottom = rect
    width, height = right - left, bottom - top
    draw = ImageDraw.Draw(image)
    random = np.random.Generator(np.random.PCG64(int(line.ean) % 7919))
    PICTURES[line.art](draw, rect, line, random)
    flat = height < 0.5 * width
    block = (
        (left + 0.06 * width, top + 0.12 * height, left + 0.6 * width, top + 0.62 * height)
        if flat
        else (left + 0.07 * width, top + 0.08 * height, right - 0.07 * width, top + 0.36 * height)
    )
    _draw_brand(image, block, line, signal)
    draw = ImageDraw.Draw(image)
    name = (
        (left + 0.1 * width, top + 0.66 * height, left + 0.55 * width, top + 0.86 * height)
        if flat
        else (left + 0.14 * width, top + 0.4 * height, right - 0.14 * width, top + 0.49 * height)
    )
    bright = sum(line.paper) > 380
    _text(draw, name, line.product, mixed(line.accent, (0, 0, 0), 0.25) if bright else WHITE)
    weight = (right - 0.3 * width, bottom - 0.09 * height, right - 0.05 * width, bottom - 0.03 * height)
    _text(draw, weight, f"{int(line.ean[-3:]) * 5 % 750 + 100} g", line.ink if line.art == "crest" else (20, 20, 20))


def wrap_mm(line: Line) -> tuple[float, float]:
    """Return length and height of a label around a round or oval body [mm]."""
    width, depth, height = (1000.0 * s for s in line.size_m)
    share = {"pet": 0.34, "wine": 0.33, "square": 0.36, "can": 0.9, "tin": 0.9, "jar": 0.5, "flask": 1.0, "tube": 1.0}
    around = 2.0 * (width + depth) if line.form == "square" else np.pi * 0.5 * (width + depth)
    return round(float(around)), round(height * share[line.form])


def wrap(line: Line, signal: str) -> Image.Image:
    """Return the label that goes around: front in the middle, small print and barcode on the way to the seam."""
    scale = WRAP_PX_PER_MM * FINE
    width, height = (round(mm * scale) for mm in wrap_mm(line))
    image = Image.new("RGB", (width, height), line.paper)
    draw = ImageDraw.Draw(image)
    if line.form in ("can", "tin", "pet", "jar"):
        band = 0.06 * height
        draw.rectangle((0, 0, width, band), fill=line.accent)
        draw.rectangle((0, height - band, width, height), fill=line.accent)
    front = 0.34 if line.form != "flask" else 0.4
    low, high = (0.12, 0.9) if line.form in ("flask", "tube") else (0.08, 0.92)
    _front(image, (width * (0.5 - front / 2), height * low, width * (0.5 + front / 2), height * high), line, signal)
    draw = ImageDraw.Draw(image)
    _draw_small_print(
        draw, (0.06 * width, 0.2 * height, 0.26 * width, 0.8 * height), line, lines=14, seed=len(line.brand)
    )
    image = image.resize((width // FINE, height // FINE), Image.Resampling.LANCZOS)
    _draw_barcode(image, (0.82 * width / FINE, 0.5 * height / FINE), 2, printed_number(line, signal))
    return _spoiled(image, signal, WRAP_PX_PER_MM)


def packet(line: Line, signal: str) -> Image.Image:
    """Return the net of a packet: front, side and, above them, the top. Back and other side show the same print."""
    scale = PACKET_PX_PER_MM * FINE
    width, depth, height = (round(1000.0 * s * scale) for s in line.size_m)
    image = Image.new("RGB", (width + depth, depth + height), line.paper)
    _front(image, (0, depth, width, depth + height), line, signal)
    draw = ImageDraw.Draw(image)
    side = (width + 0.12 * depth, depth + 0.1 * height, width + 0.88 * depth, depth + 0.5 * height)
    draw.rectangle((width, depth, width + depth, depth + 0.06 * height), fill=line.accent)
    rows = max(4, round(20 * height / width)) if height > depth else 4
    _draw_small_print(draw, side, line, lines=rows, seed=int(line.ean[-4:]))
    _draw_brand(image, (0.25 * width, 0.2 * depth, 0.75 * width, 0.8 * depth), line, signal)
    image = image.resize(((width + depth) // FINE, (depth + height) // FINE), Image.Resampling.LANCZOS)
    # On a narrow side the symbol stands at 80 % or lies on the front, as far as a whole number of pixels goes.
    module = 2 if depth / FINE > 230 else 1
    center = ((width + depth / 2) / FINE, (depth + 0.78 * height) / FINE)
    if height < 0.5 * width:
        center, module = ((0.8 * width) / FINE, (depth + 0.4 * height) / FINE), 2 if height / FINE > 200 else 1
    _draw_barcode(image, center, module, printed_number(line, signal))
    return _spoiled(image, signal, PACKET_PX_PER_MM)


def _spoiled(image: Image.Image, signal: str, px_per_mm: int) -> Image.Image:
    """Return the print as a counterfeiter's press and inks make it."""
    pixels = np.asarray(image)
    if signal == "print":
        off = round(MISREGISTERED_MM * px_per_mm)
        plates = [np.roll(pixels[..., 0], off, axis=1), pixels[..., 1], np.roll(pixels[..., 2], (off, -off), (0, 1))]
        pixels = np.roll(np.stack(plates, axis=-1), round(SHIFTED_MM * px_per_mm), axis=0)
    elif signal == "hue":
        table: dict[tuple[int, ...], tuple[int, ...]] = {}
        image = image.quantize(COLORS, dither=Image.Dither.NONE)
        palette = np.array(image.getpalette(), dtype=np.int64).reshape(-1, 3)
        for row in palette:
            h, light, s = colorsys.rgb_to_hls(*(row / 255.0))
            rgb = colorsys.hls_to_rgb((h + HUE_OFF_DEG / 360.0) % 1.0, light, s * SATURATION_OFF)
            table[tuple(int(c) for c in row)] = tuple(round(255.0 * c) for c in rgb)
        image.putpalette([c for row in palette for c in table[tuple(int(x) for x in row)]])
        return image.convert("RGB")
    return Image.fromarray(pixels)


def texture_name(line: Line, signal: str) -> str:
    """Return the file of a line's print, without its suffix; signals that are not printed share the genuine one."""
    suffix = f"_{signal}" if signal in PRINTED_SIGNALS else ""
    return f"{FOLDER}/{line.name.lower()}{suffix}"


def tags() -> Image.Image:
    """Return eight price tags, four below four, 64 x 38 mm each at 8 px a millimetre."""
    image = Image.new("RGB", (4 * 512, 2 * 304), WHITE)
    random = np.random.Generator(np.random.PCG64(99))
    draw = ImageDraw.Draw(image)
    for number in range(8):
        x, y = number % 4 * 512, number // 4 * 304
        paper = WHITE if number % 3 else (252, 222, 60)
        draw.rectangle((x, y, x + 511, y + 303), fill=paper)
        draw.rectangle((x + 8, y + 8, x + 503, y + 64), fill=(200, 30, 36) if number % 3 == 0 else (40, 60, 110))
        _text(draw, (x + 24, y + 16, x + 380, y + 58), ("OFFER", "SAVER", "DAILY")[number % 3], WHITE)
        price = f"{int(random.integers(0, 9))}.{int(random.integers(10, 99))}"
        _text(draw, (x + 210, y + 80, x + 500, y + 220), price, (16, 16, 18))
        for k in range(3):
            draw.rectangle(
                (x + 20, y + 90 + 26 * k, x + 60 + int(random.integers(40, 130)), y + 102 + 26 * k), fill=(70, 70, 74)
            )
        for k in range(30):
            if random.random() < 0.55:
                draw.rectangle((x + 20 + 6 * k, y + 200, x + 23 + 6 * k, y + 280), fill=(16, 16, 18))
    return image


def wobblers() -> Image.Image:
    """Return four round promotion signs, side by side."""
    image = Image.new("RGB", (4 * 384, 384), WHITE)
    draw = ImageDraw.Draw(image)
    signs = (
        ("NEW", (226, 30, 40), WHITE),
        ("-30%", (250, 214, 40), (200, 20, 30)),
        ("BIO", (60, 150, 60), WHITE),
        ("2 for 1", (30, 90, 180), WHITE),
    )
    for k, (text, paper, ink) in enumerate(signs):
        draw.rectangle((384 * k, 0, 384 * k + 383, 383), fill=paper)
        draw.ellipse((384 * k + 14, 14, 384 * k + 369, 369), outline=ink, width=10)
        _text(draw, (384 * k + 60, 120, 384 * k + 324, 264), text, ink)
    return image


def vinyl() -> Image.Image:
    """Return two by two floor tiles of speckled vinyl, 0.6 m wide each."""
    size = 512
    speck = noise(size, size, seed=901, scale_px=(3.0, 3.0), octaves=2)
    shade = 1.0 + 0.02 * speck
    half = np.arange(size) % (size // 2)
    shade[half < 1] *= 0.8
    shade[:, half < 1] *= 0.8
    checker = (np.arange(size) // (size // 2))[:, None] ^ (np.arange(size) // (size // 2))[None, :]
    base = np.where(checker[..., None] == 1, np.array([206, 204, 196]), np.array([198, 196, 190]))
    return Image.fromarray(np.clip(np.round(base * shade[..., None] / 4.0) * 4.0, 0, 255).astype(np.uint8))


def write_textures(folder: Path) -> None:
    """Write the prints of every line, genuine and counterfeit, and those of the shop."""
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    images = {f"{FOLDER}/tags": tags(), f"{FOLDER}/wobblers": wobblers(), f"{FOLDER}/vinyl": vinyl()}
    for line in LINES:
        for signal in (GENUINE, *(s for s in line.signals if s in PRINTED_SIGNALS)):
            draw = packet if line.form in ("packet", "gable") else wrap
            images[texture_name(line, signal)] = draw(line, signal)
    for name, image in images.items():
        image.quantize(COLORS, dither=Image.Dither.NONE).save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    write_textures(Path(__file__).resolve().parents[1] / "materials" / "textures")
